"""Sessions that change rows at random, several at a time."""

import random
import threading
import time

import psycopg

from .schema import ident, literal

# of conflicts with another session, and of keys that are there already
EXPECTED = {"23505", "40P01", "40001", "55P03"}
BIG = 10000
DATES = ["ISO", "German", "SQL, DMY", "Postgres, MDY"]
ZONES = ["UTC", "America/St_Johns", "Asia/Kathmandu", "Europe/Berlin", "Pacific/Kiritimati"]


class Progress:
    """What all sessions of a round share."""

    def __init__(self, changes, deadline):
        self.wanted, self.deadline = changes, deadline
        self.done = 0
        self.failed = None
        self.lock = threading.Lock()

    def add(self, count):
        with self.lock:
            self.done += count

    def over(self):
        return self.failed is not None or self.done >= self.wanted or time.monotonic() > self.deadline


class Session(threading.Thread):
    def __init__(self, server, schema, features, seed, number, progress, log):
        super().__init__(name=f"session {number}", daemon=True)
        self.rng = random.Random(f"{seed}/session/{number}")
        self.schema, self.features, self.progress = schema, features, progress
        self.number, self.log = number, log
        self.prepared = 0
        self.connection = server.connect(name=self.name)
        self.pending = 0
        self.tables = schema.tables
        rng = self.rng
        dates, intervals = rng.choice(DATES), rng.choice(["iso_8601", "sql_standard", "postgres_verbose"])
        self.connection.execute(
            f"SET TimeZone = '{rng.choice(ZONES)}'; SET DateStyle = '{dates}'; SET IntervalStyle = '{intervals}';"
            f" SET bytea_output = '{rng.choice(['hex', 'escape'])}';"
            f" SET extra_float_digits = {rng.choice([-5, 0, 1])};"
            f" SET synchronous_commit = {rng.choice(['on', 'off'])}; SET lock_timeout = '1s'; SET search_path = ''")
        # what a DO block should not print
        self.connection.execute("SET client_min_messages = error; SET default_toast_compression = "
                                + rng.choice(["'pglz'", "DEFAULT"]))

    def run(self):
        try:
            while not self.progress.over():
                self.transaction()
        except BaseException as why:        # pylint: disable=broad-except
            self.progress.failed = self.progress.failed or f"{self.name}: {why}"
        finally:
            self.connection.close()

    # -- transactions ------------------------------------------------------

    def execute(self, sql):
        self.log.write(self.number, sql)
        self.pending += max(0, self.connection.execute(sql).rowcount)

    def transaction(self):
        """One transaction of a random form."""
        forms = {self.single: 40, self.several: 40, self.rolled_back: 4}
        for feature, form, weight in (("savepoints", self.savepoints, 12), ("subtransactions", self.exceptions, 4),
                                      ("subtransactions", self.nested, 1), ("prepared", self.two_phase, 5),
                                      ("copy", self.copy, 2), ("big", self.big, 0.25)):
            if feature in self.features:
                forms[form] = weight
        form = self.rng.choices(list(forms), list(forms.values()))[0]
        self.pending = 0
        try:
            form()
            self.progress.add(self.pending)
        except psycopg.Error as why:
            if why.sqlstate not in EXPECTED:
                raise
            self.execute("ROLLBACK")

    def single(self):
        self.execute(self.statement())

    def several(self):
        self.execute("BEGIN")
        for _ in range(self.rng.randint(2, 8)):
            self.execute(self.statement())
        self.execute("COMMIT")

    def rolled_back(self):
        self.execute("BEGIN")
        for _ in range(self.rng.randint(1, 4)):
            self.execute(self.statement())
        self.execute("ROLLBACK")
        self.pending = 0

    def savepoints(self):
        """Some are rolled back, some released, some nested; a failure is one that is rolled back."""
        rng, open_ones = self.rng, []
        self.execute("BEGIN")
        for number in range(rng.randint(2, 8)):
            before = self.pending
            self.execute(f"SAVEPOINT s{number}")
            open_ones.append((number, before))
            try:
                self.execute(self.statement())
            except psycopg.Error as why:
                if why.sqlstate not in EXPECTED:
                    raise
                self.execute(f"ROLLBACK TO s{number}")
            if open_ones and rng.random() < 0.5:
                at = rng.randrange(len(open_ones))
                number, before = open_ones[at]
                del open_ones[at:]
                if rng.random() < 0.5:
                    self.execute(f"RELEASE s{number}")
                else:
                    self.execute(f"ROLLBACK TO s{number}")
                    self.pending = before
        self.execute("COMMIT")

    def nested(self):
        """More subtransactions than a process keeps in memory that others see."""
        self.execute("BEGIN")
        for number in range(self.rng.randint(65, 90)):
            self.execute(f"SAVEPOINT n{number}")
            self.execute(self.statement(most=1))
        self.execute(self.rng.choice(["COMMIT", "ROLLBACK TO n3; COMMIT", "RELEASE n10; COMMIT"]))

    def exceptions(self):
        """Subtransactions of PL/pgSQL, some of which fail."""
        body = []
        for _ in range(self.rng.randint(2, 12)):
            fails = " RAISE unique_violation;" if self.rng.random() < 0.4 else ""
            body.append(f"BEGIN {self.statement(most=2)};{fails}\n"
                        "EXCEPTION WHEN unique_violation OR deadlock_detected OR lock_not_available THEN NULL; END;")
        text = "\n".join(body)
        self.execute(f"DO {literal('BEGIN ' + text + ' END')}")
        self.pending += len(body) // 2

    def two_phase(self):
        self.prepared += 1
        name = f"'oracle {self.number} {self.prepared} {self.rng.randrange(10**9)}'"
        self.execute("BEGIN")
        for _ in range(self.rng.randint(1, 4)):
            self.execute(self.statement())
        self.execute(f"PREPARE TRANSACTION {name}")
        prepared = self.pending
        try:
            if self.rng.random() < 0.3:
                # waits for the prepared one at most as long as for any lock
                self.execute(self.statement())
        except psycopg.Error as why:
            if why.sqlstate not in EXPECTED:
                raise
        finally:
            if self.rng.random() < 0.7:
                self.execute(f"COMMIT PREPARED {name}")
            else:
                self.execute(f"ROLLBACK PREPARED {name}")
                self.pending -= prepared

    def big(self):
        """Many rows with values of a few, then some of all kinds, then most of them away again."""
        rng = self.rng
        table = rng.choice([t for t in self.tables if not t.large and len(t.columns) < 60] or self.tables[:1])
        if table.large or len(table.columns) >= 60:
            return
        columns, first = table.settable(), table.space
        values = [[str(n), *(c.value(rng) for c in columns)] for n in range(20)]
        # a short run is not one such transaction
        most = min(BIG, self.progress.wanted)
        count = most // 4 if rng.random() < 0.6 else most
        self.execute("BEGIN")
        for start in range(first, first + count, 2500):
            part = range(start, min(start + 2500, first + count))
            keys = ", ".join(f"({i % 20}, {', '.join(table.key(i))})" for i in part)
            rows = ", ".join("(" + ", ".join(row) + ")" for row in values)
            casts = [f"k.c{i}::{c.type.sql}" for i, c in enumerate(table.keys)] + \
                [f"v.c{i}::{c.type.sql}" for i, c in enumerate(columns)]
            self.execute(f"INSERT INTO {table.quoted} ({', '.join(c.quoted for c in table.keys + columns)}) "
                         f"SELECT {', '.join(casts)} "
                         f"FROM (VALUES {keys}) k(n, {', '.join(f'c{i}' for i in range(len(table.keys)))}) "
                         f"JOIN (VALUES {rows}) v(n, {', '.join(f'c{i}' for i in range(len(columns)))}) ON k.n = v.n "
                         f"ON CONFLICT ({table.key_list()}) DO NOTHING")
        if not self.schema.inserts_only:
            self.execute(f"UPDATE {table.quoted} SET {self.assignments(table)}")
            if rng.random() < 0.8:
                keep = ", ".join(f"({', '.join(table.key(i))})" for i in range(0, first + count, 17))
                self.execute(f"DELETE FROM {table.quoted} WHERE ({table.key_list()}) NOT IN ({keep})")
        self.execute("COMMIT")

    def copy(self):
        """COPY, then changes of some of its rows in the same transaction."""
        rng = self.rng
        table = rng.choice(self.tables)
        columns = table.settable()
        first = rng.randrange(2 * BIG, 3 * BIG)
        numbers = range(first, first + rng.randint(1, 4 if table.large or len(columns) > 60 else 60))
        names = ", ".join(c.quoted for c in table.keys + columns)
        sql = f"COPY {table.quoted} ({names}) FROM STDIN"
        self.execute("BEGIN")
        with self.connection.cursor() as cursor, cursor.copy(sql) as copy:
            for number in numbers:
                row = table.key_texts(number) + [c.text(rng) for c in columns]
                self.log.write(self.number, f"{sql}; -- {row}")
                copy.write_row(row)
        self.pending += len(numbers)
        if not self.schema.inserts_only:
            some = [table.key(number) for number in numbers if rng.random() < 0.3]
            if some:
                self.execute(f"UPDATE {table.quoted} SET {self.assignments(table)} WHERE {self.where(table, some)}")
            if len(some) > 1:
                self.execute(f"DELETE FROM {table.quoted} WHERE {self.where(table, some[1:])}")
        self.execute("COMMIT")

    # -- statements --------------------------------------------------------

    def statement(self, most=20):
        # a load of a wide table takes the sandbox long, and updates of large values make many loads
        weights = [(0.4 if t.large else 1) / (1 + (len(t.columns) / 40) ** 2) for t in self.tables]
        table = self.rng.choices(self.tables, weights)[0]
        if self.schema.inserts_only:
            return self.insert(table, most)
        if "truncate" in self.features and self.rng.random() < 0.004:
            return self.truncate(table)
        kinds = [(self.insert, 40), (self.update, 36), (self.delete, 12)]
        if table.key_updates:
            kinds.append((self.update_key, 12))
        kind = self.rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
        return kind(table, 1 if table.large and self.rng.random() < 0.7 else most)

    def truncate(self, table):
        rng = self.rng
        if table.partition and not self.schema.via_root and rng.random() < 0.4:
            leaf = rng.choice(list(table.partition["leaves"]))
            return f"TRUNCATE {ident(table.schema)}.{ident(leaf)}"
        tables = [table] if rng.random() < 0.6 else rng.sample(self.tables, 2)
        cascades = any(t.referenced for t in tables) or rng.random() < 0.2
        return (f"TRUNCATE {', '.join(t.quoted for t in tables)}"
                f"{rng.choice(['', ' RESTART IDENTITY', ' CONTINUE IDENTITY'])}{' CASCADE' if cascades else ''}")

    def index(self, table):
        """A few keys are changed all the time."""
        return self.rng.randrange(min(6, table.space) if self.rng.random() < 0.3 else table.space)

    def keys(self, table, most):
        count = self.rng.choice([1, 1, 1, self.rng.randint(1, most)])
        return [table.key(i) for i in sorted({self.index(table) for _ in range(count)})]

    def insert(self, table, most):
        rng, columns = self.rng, table.settable()
        # a column that is left out gets its default, which is NULL
        columns = [c for c in columns if c.notnull or rng.random() < 0.95]
        rows = ",\n".join("(" + ", ".join(key + [c.value(rng) for c in columns]) + ")"
                          for key in self.keys(table, most))
        names = ", ".join(c.quoted for c in table.keys + columns)
        sql = f"INSERT INTO {table.quoted} ({names}) VALUES {rows}"
        kind = rng.random()
        if kind < 0.3 or self.schema.inserts_only:
            return f"{sql} ON CONFLICT ({table.key_list()}) DO NOTHING"
        if kind < 0.9 and columns:
            some = rng.sample(columns, rng.randint(1, len(columns)))
            sets = ", ".join(f"{c.quoted} = excluded.{c.quoted}" for c in some)
            return f"{sql} ON CONFLICT ({table.key_list()}) DO UPDATE SET {sets}"
        return sql

    def assignments(self, table):
        """Few columns mostly, all of them at times; large ones are mostly left alone."""
        rng = self.rng
        columns = [c for c in table.settable() if not c.type.large or rng.random() < 0.15]
        if not columns:
            return f"{table.keys[0].quoted} = {table.keys[0].quoted}"
        if rng.random() < 0.8:
            columns = rng.sample(columns, min(len(columns), rng.randint(1, 3)))
        return ", ".join(f"{c.quoted} = {c.value(rng)}" for c in columns)

    def where(self, table, keys):
        return f"({table.key_list()}) IN (" + ", ".join("(" + ", ".join(key) + ")" for key in keys) + ")"

    def update(self, table, most):
        return f"UPDATE {table.quoted} SET {self.assignments(table)} WHERE {self.where(table, self.keys(table, most))}"

    def delete(self, table, most):
        return f"DELETE FROM {table.quoted} WHERE {self.where(table, self.keys(table, most))}"

    def update_key(self, table, _most):
        """To a key that is free, as a rule; at times an equal one with another spelling."""
        rng, old, new = self.rng, self.index(table), self.index(table)
        last = table.keys[-1].type
        key = table.key(new)
        if last.respell and rng.random() < 0.3:
            new, key = old, table.key(old)
            if len(table.keys) == 1:
                key[-1] = literal(last.respell(old))
        sets = ", ".join(f"{c.quoted} = {value}" for c, value in zip(table.keys, key))
        if rng.random() < 0.5:
            sets += ", " + self.assignments(table) if self.assignable(table) else ""
        sql = f"UPDATE {table.quoted} SET {sets} WHERE {self.where(table, [table.key(old)])}"
        if new != old and rng.random() < 0.9:
            sql += f" AND NOT EXISTS (SELECT FROM {table.quoted} WHERE {self.where(table, [table.key(new)])})"
        return sql

    @staticmethod
    def assignable(table):
        return any(not c.type.large for c in table.settable())


class Log:
    """The statements of all sessions, if somebody wants them."""

    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8", errors="replace") if path else None
        self.lock = threading.Lock()

    def write(self, number, sql):
        if self.file:
            with self.lock:
                self.file.write(f"-- session {number}\n{sql};\n")

    def close(self):
        if self.file:
            self.file.close()


