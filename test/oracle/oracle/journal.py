"""What the audit columns must say: the last change of each key, as PostgreSQL's own plugin hands it out.

A slot of pgoutput on the same publication is read by SQL.  Only keys are kept of what it tells.
"""

import struct
from dataclasses import dataclass

from .pipeline import PUBLICATION

SLOT = "journal"
AT_ONCE = 5000                              # changes, and the rest of a transaction
INSERT, UPDATE, DELETE = 0, 1, 2
_CHANGES = {"I": INSERT, "U": UPDATE, "D": DELETE}


@dataclass(frozen=True)
class Last:
    """The change that a key has seen last."""
    op: int
    version: int                            # LSN of its commit

    @property
    def gone(self):
        return self.op == DELETE


class Message:
    """A message of pgoutput, read from its begin."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        """The next values, in network order."""
        values = struct.unpack_from("!" + form, self.data, self.at)
        self.at += struct.calcsize("!" + form)
        return values if len(values) > 1 else values[0]

    def char(self):
        return self.take("c").decode()

    def name(self):
        end = self.data.index(0, self.at)
        text = self.data[self.at:end].decode()
        self.at = end + 1
        return text

    def row(self):
        """Texts; what is NULL or did not change is None."""
        values = []
        for _ in range(self.take("h")):
            size = self.take("i") if self.char() == "t" else None
            values.append(None if size is None else self.data[self.at:self.at + size].decode())
            self.at += size or 0
        return values


class Journal:
    def __init__(self, connection, schema):
        self.connection = connection
        connection.execute(f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
        # (schema, name) -> names of key columns; -> key -> Last
        self.keys = {relation: [c.name for c in table.keys] for table in schema.tables
                     for relation in table.relations(schema.via_root)}
        self.last = {relation: {} for relation in self.keys}
        self.relations = {}                 # oid -> ((schema, name), positions of the key)
        self.version = None

    def read(self):
        """All that is committed and flushed; the session's formats are those of the texts."""
        query = (f"SELECT data FROM pg_logical_slot_get_binary_changes('{SLOT}', NULL, {AT_ONCE},"
                 f" 'proto_version', '1', 'publication_names', '{PUBLICATION}')")
        while found := self.connection.execute(query, binary=True).fetchall():
            for (data,) in found:
                self._message(Message(data))

    def _message(self, message):
        kind = message.char()
        if kind == "B":
            self.version = message.take("q")
        elif kind == "R":
            self._relation(message)
        elif kind == "T":
            count, _ = message.take("ib")
            for _ in range(count):
                self.last[self.relations[message.take("I")][0]].clear()
        elif kind in _CHANGES:
            self._change(kind, message)

    def _relation(self, message):
        oid = message.take("I")
        relation = message.name(), message.name()
        message.char()
        columns = []
        for _ in range(message.take("h")):
            message.take("b")
            columns.append(message.name())
            message.take("Ii")
        # a leaf may be described before the root that its changes belong to
        if relation in self.keys:
            self.relations[oid] = relation, [columns.index(name) for name in self.keys[relation]]

    def _change(self, kind, message):
        relation, positions = self.relations[message.take("I")]
        old = new = None
        while message.at < len(message.data):
            is_new = message.char() == "N"  # K and O are the old row
            row = message.row()
            key = tuple(row[i] for i in positions)
            if is_new and old:
                # a key out of line that did not change is told with the old row only
                key = tuple(was if value is None else value for value, was in zip(key, old))
            old, new = (old, key) if is_new else (key, new)
        last, op = self.last[relation], _CHANGES[kind]
        if old and new and old != new:
            last[old] = Last(DELETE, self.version)
            op = INSERT
        last[new or old] = Last(op, self.version)
