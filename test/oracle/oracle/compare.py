"""Reads source, subscriber and target, and compares every value."""

import json

from teststand.server import rows

from . import marks, policy
from .schema import ident

_COLUMNS = """
WITH RECURSIVE base AS (
    SELECT attnum, attname, atttypid AS typid, atttypmod AS typmod FROM pg_catalog.pg_attribute
    WHERE attrelid = '{table}'::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT attnum, attname, t.typbasetype, t.typtypmod FROM base JOIN pg_catalog.pg_type t ON t.oid = typid
    WHERE t.typtype = 'd')
SELECT attname, t.typname, base.typmod, t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
FROM base JOIN pg_catalog.pg_type t ON t.oid = typid WHERE t.typtype <> 'd' ORDER BY attnum
"""
SHOWN = 160


def base_types(connection, schema, name):
    """column -> (name of the type under all domains, its typmod)"""
    found = {}
    table = f"{ident(schema)}.{ident(name)}".replace("'", "''")
    for column, base, typmod, builtin in rows(connection, _COLUMNS.format(table=table)):
        found[column] = (base if builtin == "t" else "of an extension", int(typmod))
    return found


class Comparison:
    """One published table on all sides; differences are texts."""

    def __init__(self, world, table, relation, report):
        self.world, self.table, self.report = world, table, report
        self.mode = world.mode              # dbmazz.unrepresentable
        self.source = world.source
        self.relation = self.namespace, self.name = relation
        self.target = world.schema.target(*relation)
        self.types = base_types(world.source, *relation)
        self.keys = [c.name for c in table.keys]
        published = [c for c in table.order if c.published and not c.generated]
        self.columns = self.keys + [c.name for c in published if c.name not in self.keys]
        self.hidden = [c.name for c in table.order if not c.published]
        self.last = self._journal() if world.journal else {}
        self.now = world.now()

    def differ(self, side, key, column, want, have):
        self.report(f"{self.namespace}.{self.name} ({self.target}) key {_short(key)} column {column}: "
                    f"source {_short(want)}, {side} {_short(have)}")

    def read(self, connection, where=None):
        """key -> values, as texts"""
        columns = ", ".join(ident(name) for name in self.columns)
        query = f"SELECT {columns} FROM {ident(self.namespace)}.{ident(self.name)}"
        found = {}
        width = len(self.keys)
        for row in rows(connection, query + (f" WHERE {where}" if where else "")):
            found[tuple(row[:width])] = row
        return found

    def run(self, sandbox, subscriber):
        """Returns the number of rows that were compared."""
        source = self.read(self.source, self.table.filter)
        if subscriber is not None:
            self._same(source, self._complete(source, self.read(subscriber)), "subscriber",
                       range(len(self.columns)))
        want = self._expected(source)
        have, marked = self._observed(sandbox)
        self._same(want, have, "target", range(len(self.columns)))
        gone = self._gone(source, subscriber) if self.world.soft else {}
        known = subscriber is not None and not self.forgets()
        self._same(gone, marked, "marked row of target", range(len(self.columns if known else self.keys)))
        return len(source) + len(gone)

    def _gone(self, source, subscriber):
        """The rows that should be marked; without a subscriber just their keys."""
        if subscriber is None:
            return {key: list(key) for key, last in self.last.items() if last.gone}
        gone = {tuple(row.get(name) for name in self.keys): [row.get(name) for name in self.columns]
                for row in marks.gone(subscriber, self.relation)}
        return self._expected({key: row for key, row in gone.items() if key not in source})

    def _complete(self, source, have):
        """
        PostgreSQL's own subscriber stores NULL for a large value that did not change when the row came into the
        filter by that update (slot_store_data() of the server takes "unchanged" in an INSERT for NULL): no measure.
        """
        if self.table.loses_values():
            for key, row in have.items():
                want = source.get(key, row)
                have[key] = [want[i] if value is None else value for i, value in enumerate(row)]
        return have

    def forgets(self):
        """May values of a deleted row be unknown to the target, because nobody had them any more?"""
        reread = self.table.key_updates or self.table.filter
        return self.table.large and self.table.identity != "FULL" and reread

    def _same(self, want, have, side, columns):
        for key, row in want.items():
            other = have.get(key)
            if other is None:
                self.differ(side, key, "(all)", row, "no row")
            elif repr(row) != repr(other):
                # 0, -0.0 and False are equal only to Python
                for i in columns:
                    if repr(row[i]) != repr(other[i]):
                        self.differ(side, key, self.columns[i], row[i], other[i])
        for key in have.keys() - want.keys():
            self.differ(side, key, "(all)", "no row", have[key])

    def _expected(self, source):
        forms = [(*self.types[name], name in self.keys) for name in self.columns]
        want = {}
        for texts in source.values():
            row = []
            for (base, typmod, is_key), text in zip(forms, texts):
                try:
                    row.append(policy.expected(base, typmod, is_key, self.mode, text))
                except policy.Unfit:
                    row.append(f"(cannot be represented: {text})")
            want[tuple(row[:len(self.keys)])] = row
        return want

    def _journal(self):
        """key at the target -> its last change"""
        names = self.keys
        found = {}
        for key, last in self.world.journal.last[self.relation].items():
            found[tuple(policy.expected(*self.types[name], True, self.mode, text)
                        for name, text in zip(names, key))] = last
        return found

    def _observed(self, sandbox):
        forms = [(name, self.types[name][0], name in self.keys) for name in self.columns]
        have, marked = {}, {}
        for line in sandbox.rows(self.target):
            found = json.loads(line)
            row = [policy.observed(base, is_key, self.mode, found.get(name)) for name, base, is_key in forms]
            key = tuple(row[:len(self.keys)])
            if key in have or key in marked:
                self.differ("target", key, "(all)", "one row", "two rows")
            if self._audited(key, found):
                marked[key] = row
            else:
                have[key] = row
            for name in self.hidden:
                if found.get(name) is not None:
                    self.differ("target", key, name, "not published", found[name])
        return have, marked

    def _audited(self, key, found):
        """Compares the audit columns; returns whether the row should be marked as deleted."""
        last = self.last.get(key)
        if last is None or last.gone and not self.world.soft:
            # no audit columns, or a row that should not be there
            return False
        want = {"dbmazz_op_type": last.op, "dbmazz_is_deleted": last.gone, "dbmazz_cdc_version": last.version}
        for name, value in want.items():
            if found[name] != value or type(found[name]) is not type(value):
                self.differ("target", key, name, value, found[name])
        at = found["dbmazz_synced_at"]
        if at is None or not self.world.began <= at <= self.now:
            self.differ("target", key, "dbmazz_synced_at", f"a time after {self.world.began}", at)
        return last.gone


def _short(value):
    if isinstance(value, list):
        return "[" + ", ".join(_short(v) for v in value[:6]) + (", ..." if len(value) > 6 else "") + "]"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"
