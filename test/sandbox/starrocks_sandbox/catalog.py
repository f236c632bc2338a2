"""Databases, tables and columns as the target knows them.

Database and table names are case-sensitive, column names are not, as in the
real system. Each table is stored under a number, so that the storage engine's
own rules about names never show.
"""

from dataclasses import dataclass, field

from .coltypes import ColType

OP_COLUMN = "__op"


@dataclass
class Column:
    name: str
    type: ColType
    nullable: bool = True
    key: bool = False
    default: str | None = None          # text of a constant
    default_expr: str | None = None     # CURRENT_TIMESTAMP and the like
    auto_increment: bool = False
    comment: str = ""
    number: int = -1                    # never used again in its table

    def has_default(self):
        return self.default is not None or self.default_expr is not None or self.auto_increment

    def to_dict(self):
        out = dict(self.__dict__)
        out["type"] = self.type.to_dict()
        return out

    @staticmethod
    def from_dict(data):
        return Column(**{**data, "type": ColType.from_dict(data["type"])})


@dataclass
class Table:
    id: int
    db: str
    name: str
    model: str                              # PRIMARY, DUPLICATE, UNIQUE
    columns: list = field(default_factory=list)
    comment: str = ""
    distributed: str = ""
    properties: dict = field(default_factory=dict)
    reordered: bool = False                 # the stored columns are in another order
    numbers: int = 0                        # that its columns have used

    @property
    def physical(self):
        return f"t{self.id}"

    @property
    def upserts(self):
        return self.model in ("PRIMARY", "UNIQUE")

    def number(self, column):
        column.number = self.numbers
        self.numbers += 1

    def unique_id(self, column):
        """What the schema tells of that: nothing where columns are not altered by it."""
        slow = self.properties.get("fast_schema_evolution", "true").lower() == "false"
        return -1 if slow else column.number

    def keys(self):
        return [c for c in self.columns if c.key]

    def find(self, name):
        """The column of that name in any case, or None."""
        wanted = name.lower()
        for column in self.columns:
            if column.name.lower() == wanted:
                return column
        return None

    def to_dict(self):
        out = dict(self.__dict__)
        out["columns"] = [c.to_dict() for c in self.columns]
        return out

    @staticmethod
    def from_dict(data):
        data = dict(data)
        data["columns"] = [Column.from_dict(c) for c in data["columns"]]
        return Table(**data)


class Catalog:
    """The in-memory copy; the store keeps the durable one."""

    def __init__(self):
        self.databases = {}

    def table(self, db, name):
        return self.databases.get(db, {}).get(name)

    def add(self, table):
        self.databases.setdefault(table.db, {})[table.name] = table

    def remove(self, table):
        self.databases[table.db].pop(table.name, None)

    def tables(self):
        for tables in self.databases.values():
            yield from tables.values()


def quote(name):
    """An identifier for the storage engine."""
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    """A string constant for the storage engine."""
    return "'" + text.replace("'", "''") + "'"


def default_sql(column, physical):
    """The value of a column that a row leaves out, as a storage expression.

    A NOT NULL column without a default becomes zero or empty: a partial update
    that creates a row does the same, silently.
    """
    target = column.type.duck()
    if column.auto_increment:
        return f"nextval('{physical}_auto')"
    if column.default_expr is not None:
        return f"CAST(now() AS {target})"
    if column.default is not None:
        return f"CAST({literal(column.default)} AS {target})"
    if column.nullable:
        return f"CAST(NULL AS {target})"
    return f"CAST({literal(_ZERO.get(column.type.name, '0'))} AS {target})"


_ZERO = {
    "CHAR": "", "VARCHAR": "", "VARBINARY": "", "JSON": "{}", "ARRAY": "[]",
    "BOOLEAN": "false", "DATE": "1970-01-01", "DATETIME": "1970-01-01 00:00:00",
}
