"""DuckDB storage: rows, the catalog and the finished transactions in one file.

All writes go through one thread, in the order in which they were asked for, so
the engine never sees a write conflict. Rows of a load and the state of its
label are written in one storage transaction: after kill -9 either both are
there or neither. Reads use their own cursors and see a consistent snapshot.
"""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor

import duckdb

from .catalog import Catalog, Table, default_sql, quote
from .errors import LoadError, SqlError
from .loader import pack, unpack

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sb_db(name VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS sb_table(id BIGINT NOT NULL, payload VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS sb_txn(
    txn_id BIGINT NOT NULL, db VARCHAR, label VARCHAR, tbl VARCHAR, state VARCHAR,
    reason VARCHAR, begin_ms BIGINT, finish_ms BIGINT, visible_ms BIGINT);
CREATE TABLE IF NOT EXISTS sb_prepared(
    txn_id BIGINT NOT NULL, deadline_ms BIGINT, payload VARCHAR, rows BLOB);
"""

OP = "__op"


class Store:
    def __init__(self, directory, threads=1, memory="1GB"):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.con = duckdb.connect(os.path.join(directory, "sandbox.duckdb"))
        self.con.execute(f"SET threads={int(threads)}")
        self.con.execute(f"SET memory_limit='{memory}'")
        self.con.execute("SET TimeZone='UTC'")
        # A checkpoint stalls loads for a moment, but it also drops replaced rows.
        self.con.execute("SET checkpoint_threshold='64MB'")
        self.con.execute(_SCHEMA)
        self.catalog = Catalog()
        self._next_table = 1
        self._load_catalog()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="reader")

    def _load_catalog(self):
        for (name,) in self.con.execute("SELECT name FROM sb_db").fetchall():
            self.catalog.databases[name] = {}
        for (payload,) in self.con.execute("SELECT payload FROM sb_table").fetchall():
            table = Table.from_dict(json.loads(payload))
            self.catalog.add(table)
            self._next_table = max(self._next_table, table.id + 1)

    async def write(self, func, *args):
        """Run func(connection, *args) alone, in one storage transaction."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._in_transaction, func, args)

    def _in_transaction(self, func, args):
        self.con.begin()
        try:
            result = func(self.con, *args)
            self.con.commit()
            return result
        except BaseException:
            self.con.rollback()
            raise

    async def read(self, func, *args):
        """Run func(cursor, *args) beside writes, on a snapshot."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._with_cursor, func, args)

    def _with_cursor(self, func, args):
        cursor = self.con.cursor()
        try:
            return func(cursor, *args)
        finally:
            cursor.close()

    def close(self):
        self._writer.shutdown()
        self._readers.shutdown()
        self.con.close()

    # -- catalog -----------------------------------------------------------

    async def create_database(self, name):
        await self.write(lambda con: con.execute("INSERT INTO sb_db VALUES (?)", [name]))
        self.catalog.databases[name] = {}

    async def drop_database(self, name):
        def work(con):
            for table in self.catalog.databases[name].values():
                _drop(con, table)
            con.execute("DELETE FROM sb_db WHERE name = ?", [name])
            con.execute("DELETE FROM sb_prepared WHERE txn_id IN (SELECT txn_id FROM sb_txn WHERE db = ?)", [name])
            con.execute("DELETE FROM sb_txn WHERE db = ?", [name])

        await self.write(work)
        del self.catalog.databases[name]

    async def create_table(self, table):
        table.id = self._next_table
        self._next_table += 1

        def work(con):
            columns = ", ".join(f"{quote(c.name)} {c.type.duck()}" for c in table.columns)
            con.execute(f"CREATE TABLE {table.physical} ({columns})")
            con.execute(f"CREATE SEQUENCE {table.physical}_auto")
            _save(con, table)

        await self.write(work)
        self.catalog.add(table)

    async def drop_table(self, table):
        await self.write(_drop, table)
        self.catalog.remove(table)

    async def replace_table(self, old, new, statements):
        """Carry out storage statements that turn table `old` into `new`."""

        def work(con):
            for statement in statements:
                con.execute(statement)
            con.execute("DELETE FROM sb_table WHERE id = ?", [old.id])
            _save(con, new)
            # Inside the writer, so that no load sees columns of the other form.
            self.catalog.remove(old)
            self.catalog.add(new)

        await self.write(work)

    # -- transactions ------------------------------------------------------

    def load_txns(self):
        return self.con.execute(
            "SELECT txn_id, db, label, tbl, state, reason, begin_ms, finish_ms, visible_ms"
            " FROM sb_txn ORDER BY finish_ms, txn_id"
        ).fetchall()

    async def save_txn(self, row, replace=False):
        def work(con):
            if replace:
                _forget(con, row[0])
            _insert_txn(con, row)

        await self.write(work)

    def load_prepared(self):
        return self.con.execute("SELECT txn_id, deadline_ms FROM sb_prepared").fetchall()

    async def save_prepared(self, load, row, deadline):
        payload, rows = pack(load)

        def work(con):
            con.execute("INSERT INTO sb_prepared VALUES (?,?,?,?)", [row[0], deadline, payload, rows])
            _insert_txn(con, row)

        await self.write(work)

    async def forget_txns(self, ids):
        def work(con):
            for table in ("sb_txn", "sb_prepared"):
                con.execute(f"DELETE FROM {table} WHERE txn_id IN (SELECT unnest(?))", [list(ids)])

        await self.write(work)

    # -- rows --------------------------------------------------------------

    async def apply_load(self, load, txn_row, prepared=False):
        """Make the rows of a staged load, of several, or of a prepared one, and the label durable together."""

        def work(con):
            loads = load if isinstance(load, list) else [load]
            if prepared:
                loads = [unpack(*con.execute("SELECT payload, rows FROM sb_prepared WHERE txn_id = ?",
                                             [txn_row[0]]).fetchone())]
                _forget(con, txn_row[0])
            for one in loads:
                table = self.catalog.table(one.db, one.table_name)
                if table is None or table.id != one.table_id:
                    raise LoadError(f'unknown table "{one.db}.{one.table_name}"')
                if one.numbers is not None:
                    one.arrow = _as_named_now(table, one)
                apply_rows(con, table, one)
            if txn_row is not None:
                _insert_txn(con, txn_row)

        await self.write(work)


def _drop(con, table):
    con.execute(f"DROP TABLE {table.physical}")
    con.execute(f"DROP SEQUENCE {table.physical}_auto")
    con.execute("DELETE FROM sb_table WHERE id = ?", [table.id])


def _save(con, table):
    con.execute("INSERT INTO sb_table VALUES (?, ?)", [table.id, json.dumps(table.to_dict())])


def _forget(con, ident):
    con.execute("DELETE FROM sb_prepared WHERE txn_id = ?", [ident])
    con.execute("DELETE FROM sb_txn WHERE txn_id = ?", [ident])


def _insert_txn(con, row):
    con.execute("INSERT INTO sb_txn VALUES (?,?,?,?,?,?,?,?,?)", list(row))


def _as_named_now(table, load):
    """The staged rows without what was dropped since they were planned, even if it is there again."""
    now = {c.number: c.name for c in table.columns}
    names = {n: n if n == OP else now.get(load.numbers[n]) for n in load.arrow.column_names}
    return load.arrow.select([n for n in names if names[n]]).rename_columns([n for n in names.values() if n])


def apply_rows(con, table, load):
    """Write the staged rows; at most one row per key may be staged.

    Keys are matched by a join and not by an index: a bulk delete and insert in
    one transaction would stumble over an index that still holds the old entry.
    """
    con.register("staged", load.arrow)
    try:
        if load.merge_condition:
            con.register("staged", _still_newer(con, table, load))
        if not table.upserts:
            _insert(con, table, load, "staged")
        elif load.partial:
            _apply_partial(con, table, load)
        else:
            _delete_keys(con, table, load, "")
            _insert(con, table, load, "staged", _only(load, 0))
    finally:
        con.unregister("staged")


def _still_newer(con, table, load):
    """Conditional update: leave out upserts whose value is less than the stored one."""
    column = table.find(load.merge_condition)
    match = " AND ".join(f"{table.physical}.{quote(c.name)} = {_staged_value(c)}" for c in table.keys())
    older = (f"EXISTS (SELECT 1 FROM {table.physical} WHERE {match}"
             f" AND {table.physical}.{quote(column.name)} > {_staged_value(column)})")
    guard = f"staged.{OP} <> 0 OR " if load.has_op else ""
    return con.sql(f"SELECT * FROM staged WHERE {guard}NOT {older}").to_arrow_table()


def _only(load, op):
    """A WHERE clause for the rows of one operation; none if all are upserts."""
    if load.has_op:
        return f" WHERE staged.{OP} {'=' if op == 0 else '<>'} 0"
    return "" if op == 0 else " WHERE false"


def _staged_value(column):
    value = f"staged.{quote(column.name)}"
    return f"CAST({value} AS {column.type.duck()})" if column.type.needs_cast() else value


def _key_source(table, where):
    keys = ", ".join(f"{_staged_value(c)} AS {quote(c.name)}" for c in table.keys())
    return f"(SELECT {keys} FROM staged{where}) AS k"


def _key_match(table):
    return " AND ".join(f"{table.physical}.{quote(c.name)} = k.{quote(c.name)}" for c in table.keys())


def _delete_keys(con, table, load, where):
    con.execute(f"DELETE FROM {table.physical} USING {_key_source(table, where)} WHERE {_key_match(table)}")


def _insert(con, table, load, source, where=""):
    present = {name.lower() for name in load.arrow.column_names}
    values = ", ".join(
        _staged_value(c) if c.name.lower() in present else default_sql(c, table.physical) for c in table.columns
    )
    names = ", ".join(quote(c.name) for c in table.columns)
    con.execute(f"INSERT INTO {table.physical} ({names}) SELECT {values} FROM {source}{where}")


def _apply_partial(con, table, load):
    if load.has_op:
        _delete_keys(con, table, load, _only(load, 1))
    present = {name.lower() for name in load.arrow.column_names}
    values = [c for c in table.columns if not c.key and c.name.lower() in present]
    upserts = _only(load, 0)
    keys = " AND ".join(f"{table.physical}.{quote(c.name)} = {_staged_value(c)}" for c in table.keys())
    fresh = f"NOT EXISTS (SELECT 1 FROM {table.physical} WHERE {keys})"
    glue = " AND " if upserts else " WHERE "
    _insert(con, table, load, "staged", f"{upserts}{glue}{fresh}")
    if values:
        sets = ", ".join(f"{quote(c.name)} = {_staged_value(c)}" for c in values)
        guard = f" AND staged.{OP} = 0" if load.has_op else ""
        con.execute(f"UPDATE {table.physical} SET {sets} FROM staged WHERE {keys}{guard}")


def check_database(catalog, db):
    if db not in catalog.databases:
        raise SqlError(f"Unknown database '{db}'", 1049)
