"""The tables that change while things break, and what the target must hold of them."""

import json
from collections import Counter
from dataclasses import dataclass

from teststand.server import rows

LOG = "events"


@dataclass
class Table:
    name: str
    keys: list
    columns: list                       # the keys first
    ddl: str

    def source(self, connection):
        """All rows, as texts."""
        return Counter(map(tuple, rows(connection, f"SELECT {', '.join(self.columns)} FROM {self.name}")))

    def target(self, sandbox):
        return Counter(tuple(_text(row[column]) for column in self.columns)
                       for row in map(json.loads, sandbox.rows(self.name)))

    def differences(self, connection, sandbox):
        return compare(self.name, self.columns, self.source(connection), self.target(sandbox))


class Log(Table):
    """
    A table without a key, of whose changes the target has a log.  What came less what went is its content.  The
    position of a row names it: one that is there twice was sent twice.
    """

    once = False                        # must no row be repeated?

    def differences(self, connection, sandbox):
        found, seen, content = [], {}, Counter()
        for row in map(json.loads, sandbox.rows(self.name)):
            place = row["dbmazz_cdc_version"], row["dbmazz_cdc_sequence"]
            entry = tuple(_text(row[column]) for column in self.columns) + (row["dbmazz_is_deleted"],)
            if seen.setdefault(place, entry) != entry:
                found.append(f"{self.name}: {place} is {seen[place]} and {entry}")
            elif place not in content or self.once:
                content[place] += 1
        for place, count in content.items():
            if count > 1:
                found.append(f"{self.name}: {place} {seen[place]} is there {count} times")
        balance = Counter()
        for entry in seen.values():
            balance[entry[:-1]] += -1 if entry[-1] else 1
        return found + compare(self.name, self.columns, self.source(connection), balance)


def _text(value):
    return None if value is None else str(value)


def compare(name, columns, want, have):
    """The rows that are on one side more often than on the other."""
    out = []
    for row in want.keys() | have.keys():
        if want[row] != have[row]:
            shown = ", ".join(f"{column} {str(value)[:60]}" for column, value in zip(columns, row))
            out.append(f"{name}: {want[row]} in the source, {have[row]} in the target: {shown}")
    return sorted(out)


def make():
    """What the most can happen to."""
    return [
        # rows that move, come and go all the time
        Table("accounts", ["id"], ["id", "n", "note"],
              "CREATE TABLE accounts (id int PRIMARY KEY, n bigint NOT NULL, note text)"),
        # large values that most updates leave alone
        Table("docs", ["id", "part"], ["id", "part", "body", "n"],
              "CREATE TABLE docs (id int, part int, body text, n int NOT NULL, PRIMARY KEY (id, part));"
              "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL"),
        # the same with keys that change, so that rows are read again
        Table("pages", ["id"], ["id", "body", "extra", "n"],
              "CREATE TABLE pages (id text PRIMARY KEY, body text, extra text, n int NOT NULL);"
              "ALTER TABLE pages ALTER body SET STORAGE EXTERNAL, ALTER extra SET STORAGE EXTERNAL"),
        Table("full_pages", ["id"], ["id", "body", "n"],
              "CREATE TABLE full_pages (id int PRIMARY KEY, body text, n int NOT NULL);"
              "ALTER TABLE full_pages ALTER body SET STORAGE EXTERNAL; ALTER TABLE full_pages REPLICA IDENTITY FULL"),
        # a row a second
        Table("trickle", ["id"], ["id", "note"],
              "CREATE TABLE trickle (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text)"),
        # emptied now and then
        Table("emptied", ["id"], ["id", "n"], "CREATE TABLE emptied (id int PRIMARY KEY, n int NOT NULL)"),
        # without a key
        Log(LOG, [], ["id", "n", "note"],
            f"CREATE TABLE {LOG} (id int, n int, note text); ALTER TABLE {LOG} REPLICA IDENTITY FULL"),
    ]


def make_whole():
    """Tables of which every transaction can be sent as a whole."""
    return [table for table in make() if table.name in ("accounts", "trickle", LOG)] + [
        # what goes from one to the other; see Session.moves()
        Table("bank_left", ["id"], ["id", "n"], "CREATE TABLE bank_left (id int PRIMARY KEY, n bigint NOT NULL)"),
        Table("bank_right", ["id"], ["id", "n"], "CREATE TABLE bank_right (id int PRIMARY KEY, n bigint NOT NULL)"),
        Table("moves", ["id"], ["id", "amount"],
              "CREATE TABLE moves (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount bigint NOT NULL)"),
    ]
