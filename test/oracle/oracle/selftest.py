"""Can the comparison fail?  Rows of a target that is right are changed, one value at a time.

Each change must be reported, and nothing else.  Most are made between the sandbox and the comparison, so that
every column of every table has its turn; the last ones in the sandbox and in the subscriber themselves.
"""

import argparse
import json
import struct
import time

from . import OracleError, compare
from .policy import kind
from .schema import ident
from .world import World, settings_of

CHANGES = 600
SECONDS = 120
# what would make a table of many rows or columns, or a pipeline that is late
WITHOUT = {"wide", "big", "faults", "restarts", "terminations"}


class Altered:
    """A sandbox that gives other rows for a table."""

    def __init__(self, lines):
        self.lines = lines

    def rows(self, _table):
        return self.lines


def _next_float(number, form, bits):
    """The nearest other one."""
    found = struct.unpack(bits, struct.pack(form, number))[0]
    return struct.unpack(form, struct.pack(bits, found ^ 1))[0]


def other(base, value):
    """A value that differs from this one as little as one of its type can."""
    if value is None:
        return {"int": 0, "bool": False, "json": "0", "float4": 0.0, "float8": 0.0}.get(kind(base), "")
    if isinstance(value, bool):
        return not value
    if kind(base) in ("float4", "float8"):
        if value == 0:
            return -float(value)
        return _next_float(value, *(("<f", "<I") if kind(base) == "float4" else ("<d", "<Q")))
    if isinstance(value, int):
        return value + 1
    if kind(base) == "json":
        return json.dumps([json.loads(value)])
    return value[:-1] + ("1" if value[-1:] == "0" else "0")


class SelfTest:
    def __init__(self, world):
        self.world = world
        self.failures, self.changes = [], 0

    def check(self, what, comparison, sandbox, *wanted):
        """All that is reported must be one line, with all of 'wanted' in it."""
        found = []
        comparison.report = found.append
        comparison.run(sandbox, self.world.subscriber.connection)
        self.changes += 1
        if len(found) != 1 or not all(text in found[0] for text in wanted):
            self.failures.append(f"{what}: wanted one difference with {wanted}, found {found or 'none'}")

    def table(self, table, relation):
        comparison = compare.Comparison(self.world, table, relation, None)
        rows = [json.loads(line) for line in self.world.sandbox.rows(comparison.target)]
        alive = [row for row in rows if not row["dbmazz_is_deleted"]]
        marked = [row for row in rows if row["dbmazz_is_deleted"]]
        for kept, side in ((alive, "target"), (marked, "marked row of target")):
            if kept:
                self.rows(comparison, rows, kept, side)
        for row in alive[:1] + marked[:1]:
            for name, value in (("dbmazz_is_deleted", not row["dbmazz_is_deleted"]),
                                ("dbmazz_op_type", (row["dbmazz_op_type"] + 1) % 3),
                                ("dbmazz_op_type", None), ("dbmazz_cdc_version", row["dbmazz_cdc_version"] + 8),
                                ("dbmazz_cdc_version", None), ("dbmazz_synced_at", "1970-01-01 00:00:00.000000")):
                self.value(comparison, rows, row, name, value, "target")
        return bool(alive), bool(marked)

    def rows(self, comparison, rows, kept, side):
        """A row too few, one too many, and each column."""
        width = range(len(comparison.keys))
        name = comparison.keys[-1]
        first = kept[0]
        self.check(f"{side}: without a row", comparison, Altered([json.dumps(r) for r in rows if r is not first]),
                   f"{side} 'no row'")
        strange = dict(first)
        strange[name] = "no such key" if isinstance(first[name], str) else 9999999
        self.check("with another row", comparison, Altered([json.dumps(r) for r in rows + [strange]]),
                   "source 'no row', target [")
        self.check(f"{side}: a row twice", comparison, Altered([json.dumps(r) for r in rows + [first]]), "'two rows'")
        columns = comparison.columns[len(width):] if side == "target" or not comparison.forgets() else []
        for column in columns:
            # a value, if there is one
            row = next((r for r in kept if r[column] is not None), first)
            base = comparison.types[column][0]
            self.value(comparison, rows, row, column, other(base, row[column]), side)
            if row[column] is not None:
                self.value(comparison, rows, row, column, None, side)
        for column in comparison.hidden:
            if column in first:
                self.value(comparison, rows, first, column, "a secret", "target")

    def value(self, comparison, rows, row, column, value, side):
        changed = dict(row)
        changed[column] = value
        lines = [json.dumps(changed if r is row else r) for r in rows]
        self.check(f"{comparison.target} {side}: {column} {row[column]!r} -> {value!r}", comparison, Altered(lines),
                   f"column {column}:", f", {side} ")

    def everything(self):
        """Differences that are really there, not only in what is compared."""
        world = self.world
        alive, marked, relation = max(
            (*self.count(relation), relation) for table in world.schema.tables
            for relation in table.relations(world.schema.via_root))
        target, count = world.schema.target(*relation), alive + marked
        self.all("nothing is changed", 0, "")
        world.sandbox.sql(f"UPDATE `{target}` SET dbmazz_op_type = 7")
        self.all("another operation", count, "column dbmazz_op_type: ")
        world.sandbox.sql(f"TRUNCATE TABLE `{target}`")
        self.all("an empty target", count, "target 'no row'")
        name = ".".join(map(ident, relation))
        world.subscriber.connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER; DELETE FROM {name}")
        self.all("an empty subscriber", count + alive, " 'no row'")

    def count(self, relation):
        """(rows that are there, rows that are marked)"""
        lines = self.world.sandbox.rows(self.world.schema.target(*relation))
        marked = sum(json.loads(line)["dbmazz_is_deleted"] for line in lines)
        return len(lines) - marked, marked

    def all(self, what, count, text):
        found = []
        self.world.compare(found.append)
        self.changes += 1
        if len(found) != count or not all(text in line for line in found):
            self.failures.append(f"{what}: wanted {count} differences with {text!r}, found {len(found)}: {found[:5]}")

    def types(self):
        """A column of another type in the target."""
        world, found = self.world, []
        table = world.schema.tables[0]
        relation = table.relations(world.schema.via_root)[0]
        column = table.keys[-1].name.replace("`", "``")
        world.report = found.append
        world.check_types(table, relation, f"CREATE TABLE t (`{column}` TINYINT)")
        del world.report
        self.changes += 1
        if not any(f"column {table.keys[-1].name}: " in line for line in found):
            self.failures.append(f"type of a column: found {found}")


def run(options):
    """Returns whether each change was reported."""
    options = argparse.Namespace(**{**vars(options), "features": options.features - WITHOUT})
    seed, start = 1, time.monotonic()
    while not {("dbmazz.delete_mode", "soft"), ("unrepresentable", "clamp")} <= {
            pair for settings in settings_of(seed, options.features) for pair in settings.items()}:
        seed += 1
    with World(options, seed) as world:
        world.build()
        world.run(CHANGES, time.monotonic() + SECONDS)
        if world.differences:
            raise OracleError(f"selftest: seed {seed} has differences of its own")
        test = SelfTest(world)
        seen = [test.table(table, relation) for table in world.schema.tables
                for relation in table.relations(world.schema.via_root)]
        if not all(map(any, zip(*seen))):
            raise OracleError("selftest: no table has rows, or none has marked ones")
        test.types()
        test.everything()
        world.good = not test.failures
    for failure in test.failures:
        print(f"selftest: FAILED: {failure}")
    print(f"selftest: {test.changes} changes, {len(test.failures)} of them not found or not found alone, "
          f"in {time.monotonic() - start:.1f} s", flush=True)
    return not test.failures
