"""Statements of the MySQL port and of the HTTP SQL endpoint."""

import json
import logging
import re
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .catalog import quote
from .ddl import Ddl, create_text
from .errors import LoadError, SqlError
from .infoschema import VIEWS, rows_of
from .loader import Staged, key_list
from .store import check_database

logging.getLogger("sqlglot").setLevel(logging.ERROR)

_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint(4)", "SMALLINT": "smallint(6)", "INTEGER": "int(11)",
    "BIGINT": "bigint(20)", "HUGEINT": "largeint(40)", "FLOAT": "float", "DOUBLE": "double",
    "DATE": "date", "TIMESTAMP": "datetime", "BLOB": "varbinary", "JSON": "json",
}
_SHOW_ALTER = re.compile(r"\s*SHOW\s+ALTER\s+TABLE\s+COLUMN\b", re.IGNORECASE)
_EMPTY_SHOWS = re.compile(r"\s*(ADMIN|REFRESH|ANALYZE|GRANT|REVOKE|SYNC)\b", re.IGNORECASE)
_READ_ONLY = (exp.Select, exp.SetOperation, exp.Show, exp.Describe, exp.Kill)


@dataclass
class Result:
    columns: list = field(default_factory=list)      # (name, type)
    rows: list = field(default_factory=list)

    def text_rows(self):
        """Rows for JSON: what JSON cannot hold becomes text."""
        return [[_plain(v) for v in row] for row in self.rows]


def _plain(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return as_text(value)


def as_text(value):
    """A value as the MySQL text protocol shows it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond:06d}" if value.microsecond else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), default=str)
    if isinstance(value, bytes):
        return value
    return str(value)


class Engine:
    def __init__(self, app):
        self.app = app
        self.ddl = Ddl(app)
        self.jobs = []                               # finished ALTER jobs, for SHOW ALTER
        self._connection = 0

    def next_connection(self):
        self._connection += 1
        return self._connection

    async def http_query(self, body, db):
        """One read-only statement in a JSON body."""
        try:
            query = json.loads(body or b"{}")["query"]
        except (ValueError, KeyError, TypeError):
            raise SqlError("The body must be a JSON object with a query") from None
        if db is not None:
            check_database(self.app.catalog, db)
        nodes = self.parse(query)
        if len(nodes) != 1 or not (isinstance(nodes[0], _READ_ONLY) or _SHOW_ALTER.match(query)):
            raise SqlError("/api/v1/sql only support SELECT, SHOW, EXPLAIN, KILL statement")
        return await self.execute(nodes[0], query, db)

    @staticmethod
    def parse(sql):
        try:
            return [node for node in sqlglot.parse(sql, read="starrocks") if node is not None]
        except SqlglotError as why:
            raise SqlError("Getting syntax error: " + str(why).splitlines()[0]) from None

    async def execute(self, node, sql, db):
        """Carry out one parsed statement; raises SqlError."""
        try:
            return await self._dispatch(node, sql, db)
        except duckdb.Error as why:
            raise SqlError(str(why).splitlines()[0]) from None
        except LoadError as why:
            raise SqlError(str(why)) from None

    async def _dispatch(self, node, sql, db):
        if isinstance(node, (exp.Select, exp.SetOperation, exp.Values)):
            return await self._select(node, db)
        if isinstance(node, exp.Create):
            await self.ddl.create(node, db)
        elif isinstance(node, exp.Drop):
            await self.ddl.drop(node, db)
        elif isinstance(node, exp.Alter):
            await self.ddl.alter(node, db)
            self.jobs.append((len(self.jobs) + 1, node.this.name, "FINISHED"))
        elif isinstance(node, exp.TruncateTable):
            await self.ddl.truncate(node, db)
        elif isinstance(node, exp.Insert):
            await self._insert(node, db)
        elif isinstance(node, (exp.Delete, exp.Update)):
            await self._change(node, db)
        elif isinstance(node, exp.Show):
            return self._show(node, db)
        elif isinstance(node, exp.Describe):
            return self._describe(self.ddl.find(node.this, db))
        elif isinstance(node, exp.Command) and _SHOW_ALTER.match(sql):
            return Result([("JobId", "bigint"), ("TableName", "varchar"), ("State", "varchar")], list(self.jobs))
        elif isinstance(node, exp.Command) and _EMPTY_SHOWS.match(sql):
            return Result()
        else:
            raise SqlError(f"Unsupported statement: {sql[:80]}")
        return Result()

    # -- queries -----------------------------------------------------------

    def _rewrite(self, node, db):
        """(storage SQL, names of information_schema views used)."""
        node, views = node.copy(), set()
        ctes = {c.alias_or_name for c in node.find_all(exp.CTE)}
        for table in list(node.find_all(exp.Table)):
            if not isinstance(table.this, exp.Identifier) or (not table.db and table.name in ctes):
                continue
            if (table.db or db or "").lower() == "information_schema":
                name = table.name.lower()
                if name not in VIEWS:
                    raise SqlError(f"Unknown table 'information_schema.{name}'", 1051)
                views.add(name)
                physical = f"is_{name}"
            else:
                physical = self.ddl.find(table, db).physical
            table.replace(self._source(node, table, physical, db))
        for column in node.find_all(exp.Column):
            column.set("db", None)
            column.set("catalog", None)
        return node.sql(dialect="duckdb"), views

    def _source(self, node, table, physical, db):
        """The storage table under the name by which the query knows it."""
        alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
        source = exp.Table(this=exp.to_identifier(physical, quoted=True), alias=alias, joins=table.args.get("joins"))
        known = None if physical.startswith("is_") else self.ddl.find(table, db)
        if known is None or not known.reordered or node.this is table:
            return source
        names = [exp.column(c.name, quoted=True) for c in known.columns]
        inner = exp.select(*names).from_(exp.to_identifier(physical, quoted=True))
        return exp.Subquery(this=inner, alias=alias, joins=table.args.get("joins"))

    @staticmethod
    def _named(node):
        """Name unnamed results after their text, as the target does."""
        node = node.copy()
        for item in list(node.selects) if isinstance(node, exp.Select) else []:
            if not isinstance(item, (exp.Alias, exp.Column, exp.Star)) and not item.is_star:
                name = item.sql(dialect="starrocks", normalize_functions="lower")
                item.replace(exp.alias_(item.copy(), name, quoted=True))
        return node

    async def _select(self, node, db):
        sql, views = self._rewrite(self._named(node), db)
        tables = {f"is_{v}": rows_of(self.app.catalog, v) for v in views}

        def work(cursor):
            for name, table in tables.items():
                cursor.register(name, table)
            cursor.execute(sql)
            columns = [(d[0], _TYPES.get(str(d[1]), str(d[1]).lower())) for d in cursor.description]
            return Result(columns, cursor.fetchall())

        return await self.app.store.read(work)

    async def _insert(self, node, db):
        """INSERT with the target's rules: upsert by key, NOT NULL, defaults."""
        target = node.this
        names = [e.name for e in target.expressions] if isinstance(target, exp.Schema) else None
        table = self.ddl.find(target.this if isinstance(target, exp.Schema) else target, db)
        columns = table.columns if names is None else [self.ddl._column(table, n) for n in names]
        sql, _ = self._rewrite(node.expression, db)
        aliases = ", ".join(f"c{i}" for i in range(len(columns)))
        casts = ", ".join(f"CAST(c{i} AS {c.type.duck()}) AS {quote(c.name)}" for i, c in enumerate(columns))

        def work(cursor):
            return cursor.sql(f"SELECT {casts} FROM ({sql}) AS v({aliases})").to_arrow_table()

        rows = await self.app.store.read(work)
        given = {c.name for c in columns}
        for column in table.columns:
            if column.name not in given and not column.nullable and not column.has_default():
                raise SqlError(f"'{column.name}' must be explicitly mentioned in column permutation")
            if column.name in given and not column.nullable and rows[column.name].null_count:
                raise SqlError(f"NULL value in non-nullable column '{column.name}'")
        load = Staged(table.db, table.name, table.id, False)
        load.arrow = last_rows(rows, table)
        await self.app.store.apply_load(load, None)

    async def _change(self, node, db):
        if node.find(exp.Where) is None and isinstance(node, exp.Delete):
            raise SqlError("Delete must have where clause")
        sql, _ = self._rewrite(node, db)
        await self.app.store.write(lambda con: con.execute(sql))

    # -- SHOW --------------------------------------------------------------

    def _show(self, node, db):
        kind = node.name.upper()
        pattern = node.args.get("like")
        keep = _like(pattern.name if isinstance(pattern, exp.Expression) else pattern)
        target = node.args.get("db")
        target = target.name if isinstance(target, exp.Expression) else target
        if kind in ("DATABASES", "SCHEMAS"):
            names = sorted([*self.app.catalog.databases, "information_schema"])
            return Result([("Database", "varchar")], [(n,) for n in names if keep(n)])
        if kind == "TABLES":
            name = target or db
            if not name:
                raise SqlError("No database selected", 1046)
            check_database(self.app.catalog, name)
            names = sorted(self.app.catalog.databases[name])
            return Result([(f"Tables_in_{name}", "varchar")], [(n,) for n in names if keep(n)])
        named = node.args.get("target")
        if kind in ("COLUMNS", "CREATE TABLE") and named is not None:
            table = self.ddl.find(named if isinstance(named, exp.Table) else exp.Table(
                this=exp.to_identifier(named.name), db=exp.to_identifier(target) if target else None), db)
            if kind == "COLUMNS":
                return self._describe(table)
            return Result([("Table", "varchar"), ("Create Table", "varchar")], [(table.name, create_text(table))])
        return Result([("Name", "varchar"), ("Value", "varchar")], [])

    @staticmethod
    def _describe(table):
        columns = [(n, "varchar") for n in ("Field", "Type", "Null", "Key", "Default", "Extra")]
        rows = [(c.name, c.type.sql(), "YES" if c.nullable else "NO", "true" if c.key else "false",
                 c.default if c.default is not None else c.default_expr,
                 "auto_increment" if c.auto_increment else "") for c in table.columns]
        return Result(columns, rows)


def last_rows(rows, table):
    """Keep the last row of each key."""
    if not table.upserts:
        return rows
    keys = list(zip(*(key_list(rows[c.name]) for c in table.keys())))
    last = dict(zip(keys, range(len(keys))))
    return rows if len(last) == len(keys) else rows.take(sorted(last.values()))


def _like(pattern):
    if not pattern:
        return lambda name: True
    form = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.compile(form, re.IGNORECASE | re.DOTALL).fullmatch
