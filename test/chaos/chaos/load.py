"""Sessions that change rows, whatever becomes of the server meanwhile."""

import random
import threading
import time

import psycopg

SESSIONS = 3
BIG = 3000
# of conflicts with other sessions
EXPECTED = {"23505", "40P01", "55P03"}
# of a server that goes, is away, or comes
GONE = {"57P01", "57P02", "57P03", "57P05", "08000", "08001", "08003", "08006", "53300", None}


# statements and their weights
KINDS = {"accounts": 10, "docs": 6, "pages": 6, "full_pages": 3, "emptied": 2, "events": 4}
# of which whole transactions are made that are sent as such
WHOLE_KINDS = {"accounts": 6, "events": 4, "moves": 12}


class Session(threading.Thread):
    """At most 'rate' transactions a second, of statements of these kinds."""

    def __init__(self, server, seed, number, rate=25, kinds=None):
        super().__init__(name=f"session {number}", daemon=True)
        self.server, self.rate, self.kinds = server, rate, kinds or KINDS
        self.rng = random.Random(f"{seed}/session/{number}")
        self.ended = threading.Event()
        self.connection, self.failed = None, None
        self.changes = self.pending = 0

    def run(self):
        try:
            while not self.ended.is_set():
                start = time.monotonic()
                self.attempt()
                self.ended.wait(max(0, 1 / self.rate - (time.monotonic() - start)))
        except BaseException as why:        # pylint: disable=broad-except
            self.failed = f"{self.name}: {why}"
        finally:
            self.leave()

    def end(self):
        self.ended.set()
        self.join(60)
        if self.is_alive():
            self.failed = f"{self.name} does not end"

    def leave(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def attempt(self):
        """One transaction; what it was is forgotten if the server does not live to see its end."""
        self.pending = 0
        try:
            if self.connection is None:
                self.connection = self.server.connect(name=self.name)
                self.execute("SET lock_timeout = '500ms'; SET synchronous_commit = "
                             + self.rng.choice(["on", "off"]))
            self.transaction()
            self.changes += self.pending
        except psycopg.Error as why:
            if why.sqlstate not in EXPECTED | GONE:
                raise
            self.recover()

    def recover(self):
        """After an error, with which the server may be gone."""
        try:
            if self.connection is not None:
                self.connection.rollback()
        except psycopg.Error:
            self.leave()

    def execute(self, sql):
        self.pending += max(0, self.connection.execute(sql).rowcount)

    def transaction(self):
        kind = self.rng.random()
        if kind < 0.005:
            self.execute(self.big())
        elif kind < 0.5:
            self.execute(self.statement())
        else:
            self.execute("BEGIN")
            for _ in range(self.rng.randint(1, 5)):
                self.part()
            self.execute("COMMIT" if self.rng.random() < 0.9 else "ROLLBACK")

    def part(self):
        """A statement, at times in a savepoint that is rolled back or released."""
        statement = self.statement()
        if self.rng.random() < 0.7:
            self.execute(statement)
            return
        self.execute("SAVEPOINT s")
        try:
            self.execute(statement)
            self.execute(self.rng.choice(["ROLLBACK TO s", "RELEASE s"]))
        except psycopg.Error as why:
            if why.sqlstate not in EXPECTED - {"40P01"}:
                raise
            self.execute("ROLLBACK TO s")

    # -- statements --------------------------------------------------------

    def statement(self):
        return getattr(self, self.rng.choices(list(self.kinds), list(self.kinds.values()))[0])()

    def text(self, most):
        """Random, so that it cannot be compressed."""
        return "%x" % self.rng.getrandbits(4 * self.rng.randint(1, most))

    def accounts(self):
        rng = self.rng
        a = rng.randint(1, 300)
        kind = rng.randrange(10)
        if kind == 0:
            return f"DELETE FROM accounts WHERE id BETWEEN {a} AND {a + 3}"
        if kind == 1:
            return f"UPDATE accounts SET id = id + 1000 WHERE id BETWEEN {a} AND {a + 1}"
        if kind == 2:
            return f"UPDATE accounts SET id = id - 1000 WHERE id BETWEEN {a + 1000} AND {a + 1001}"
        if kind == 3:
            return f"UPDATE accounts SET n = n + 1 WHERE id BETWEEN {a} AND {a + 100}"
        if kind == 4:
            return "UPDATE accounts SET n = n + 1, note = NULL WHERE id < 5"
        return (f"INSERT INTO accounts SELECT g, 0, '{self.text(40)}' FROM generate_series({a}, {a + 6}) g"
                " ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1, note = excluded.note")

    def big(self):
        """More than fits into the decoder's memory, and many batches."""
        first, count = self.rng.randint(2000, 4000), self.rng.randint(BIG // 3, BIG)
        if self.rng.random() < 0.3:
            return f"DELETE FROM accounts WHERE id BETWEEN {first} AND {first + count}"
        return (f"INSERT INTO accounts SELECT g, 1, '{self.text(60)}' FROM generate_series({first}, {first + count}) g"
                " ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1")

    def docs(self):
        rng = self.rng
        a = rng.randint(1, 60)
        kind = rng.randrange(8)
        if kind == 0:
            return f"DELETE FROM docs WHERE id = {a}"
        if kind < 5:
            return f"UPDATE docs SET n = n + 1 WHERE id BETWEEN {a} AND {a + 8}"
        return (f"INSERT INTO docs SELECT {a}, g, '{self.text(6000)}', 0 FROM generate_series(1, 2) g"
                " ON CONFLICT (id, part) DO UPDATE SET body = excluded.body, n = docs.n + 1")

    def pages(self):
        rng = self.rng
        a, b = rng.randint(1, 40), rng.randint(1, 40)
        kind = rng.randrange(8)
        if kind == 0:
            return f"DELETE FROM pages WHERE id = 'page {a}'"
        if kind < 3:
            return f"UPDATE pages SET id = 'page {b}' WHERE id = 'page {a}'"
        if kind < 5:
            return f"UPDATE pages SET n = n + 1 WHERE id IN ('page {a}', 'page {b}')"
        if kind == 5:
            return f"UPDATE pages SET extra = '{self.text(5000)}', n = n + 1 WHERE id = 'page {a}'"
        return (f"INSERT INTO pages VALUES ('page {a}', '{self.text(6000)}', '{self.text(5000)}', 0)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body, n = pages.n + 1")

    def full_pages(self):
        rng = self.rng
        a, b = rng.randint(1, 30), rng.randint(1, 30)
        kind = rng.randrange(6)
        if kind == 0:
            return f"DELETE FROM full_pages WHERE id = {a}"
        if kind < 3:
            return f"UPDATE full_pages SET id = {b}, n = n + 1 WHERE id = {a}"
        return (f"INSERT INTO full_pages VALUES ({a}, '{self.text(6000)}', 0)"
                " ON CONFLICT (id) DO UPDATE SET n = full_pages.n + 1")

    def emptied(self):
        a = self.rng.randint(1, 100)
        if self.rng.random() < 0.04:
            return "TRUNCATE emptied"
        return (f"INSERT INTO emptied SELECT g, 0 FROM generate_series({a}, {a + 5}) g"
                " ON CONFLICT (id) DO UPDATE SET n = emptied.n + 1")

    def events(self):
        rng = self.rng
        a = rng.randint(1, 500)
        kind = rng.randrange(10)
        if kind == 0:
            return f"DELETE FROM events WHERE id = {a}"
        if kind < 3:
            return f"UPDATE events SET n = n + 1 WHERE id = {a}"
        return f"INSERT INTO events SELECT {a}, g, '{self.text(30)}' FROM generate_series(1, {rng.randint(1, 4)}) g"

    def moves(self):
        """The sums that Reader looks at are the same behind each of these statements."""
        rng = self.rng
        a, b, n = rng.randint(1, 50), rng.randint(1, 50), rng.randint(-20, 20)
        kind = rng.randrange(6)
        if kind == 0:
            return (f"WITH gone AS (DELETE FROM bank_right WHERE id = {a} RETURNING n), came AS (INSERT INTO bank_left"
                    f" SELECT {b}, n FROM gone ON CONFLICT (id) DO UPDATE SET n = bank_left.n + excluded.n)"
                    " INSERT INTO moves (amount) SELECT -n FROM gone")
        if kind == 1:
            return f"UPDATE bank_left SET id = -id WHERE id IN ({a}, {-a}, {b}, {-b})"
        return (f"WITH one AS (INSERT INTO bank_left VALUES ({a}, {-n}) ON CONFLICT (id) DO UPDATE"
                f" SET n = bank_left.n + excluded.n), other AS (INSERT INTO bank_right VALUES ({b}, {n})"
                " ON CONFLICT (id) DO UPDATE SET n = bank_right.n + excluded.n)"
                f" INSERT INTO moves (amount) VALUES ({n} - 1), (1)")


class Trickle(Session):
    """A row a second."""

    def __init__(self, server, seed):
        super().__init__(server, seed, "trickle", rate=1)

    def transaction(self):
        self.execute(f"INSERT INTO trickle (note) VALUES ('{self.text(20)}')")
