"""Random tables: their columns, keys, partitions, and what of them is published."""

import random
from dataclasses import dataclass, field, replace

from . import values
from .values import Type

RESERVED = ["select", "order", "user", "table", "default", "key", "from", "primary", "group"]
ODD_NAMES = ["Mixed Case", "tàblé_日本", "we\"ird", "a.b?d&e=f%41#g", "sp ace", "dollar$1", "comma,name",
             "semi;colon", "back\\slash", "per%cent", "colon:x", "single'quote", "-dash", "1digit", "Ünï", "plus+",
             "(paren)"]
# StarRocks wants names of databases and tables from a smaller alphabet
ODD_TABLES = ["Mixed Case", "tàblé_日本", "Orders", "ÜBER", "_under", "T" * 63, "ñ" * 31]

REFERENCE = "refers to"


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@dataclass
class Column:
    name: str
    type: Type
    notnull: bool = False
    generated: str | None = None
    published: bool = True
    storage: str | None = None
    pool: list = field(default_factory=list)

    @property
    def quoted(self):
        return ident(self.name)

    def ddl(self):
        text = f"{self.quoted} {self.type.sql}"
        if self.generated:
            return f"{text} GENERATED ALWAYS AS ({self.generated}) STORED"
        return text + (" NOT NULL" if self.notnull else "")

    def fill(self, rng, features):
        """The values that this column's rows get, most of them."""
        if self.generated:
            return
        count = 12 if self.type.large else 120
        self.pool = [self.type.make(rng) for _ in range(count)]
        # null would be sent for some of them
        if "odd" in features and self.type.odd and not self.notnull:
            self.pool += [self.type.odd(rng) for _ in range(count // 10 + 1)]
        if not self.notnull:
            self.pool += [None] * (count // 8)

    def width(self):
        return max((len(value.encode()) for value in self.pool if value), default=0)

    def text(self, rng):
        if rng.random() < 0.03 and not self.type.large:
            return self.type.make(rng)
        return rng.choice(self.pool)

    def value(self, rng):
        return literal(self.text(rng))


@dataclass
class Table:
    schema: str
    name: str
    keys: list                          # Columns
    columns: list                       # all but the keys
    space: int                          # how many keys there are
    identity: str = "DEFAULT"           # FULL, INDEX, NOTHING
    partition: dict | None = None       # see _partition
    filter: str | None = None
    has_list: bool = False
    large: bool = False
    key_updates: bool = True
    order: list = field(default_factory=list)   # all columns as they are declared
    parent: "Table | None" = None       # of a foreign key, all of whose values are NULL
    referenced: bool = False

    @property
    def quoted(self):
        return f"{ident(self.schema)}.{ident(self.name)}"

    def key_texts(self, i):
        """The i-th key."""
        out = []
        for position, column in enumerate(self.keys):
            last = position == len(self.keys) - 1
            size = min(column.type.keys, 7)
            out.append(column.type.key(i if last else i % size))
            if not last:
                i //= size
        return out

    def key(self, i):
        """The literals of the i-th key; to compare domains with, they need their types."""
        return [literal(text) + (f"::{c.type.sql}" if c.type.sql.startswith("public.") else "")
                for c, text in zip(self.keys, self.key_texts(i))]

    def loses_values(self):
        """May a change that brings a row into the filter come without the row's large values?"""
        return bool(self.filter) and self.large and self.identity != "FULL"

    def settable(self):
        return [c for c in self.columns if not c.generated]

    def key_list(self):
        return ", ".join(c.quoted for c in self.keys)

    def relations(self, via_root):
        """(schema, name) of the tables that are published under their own names."""
        if self.partition is None or via_root:
            return [(self.schema, self.name)]
        return [(self.schema, leaf) for leaf in self.partition["leaves"]]

    def ddl(self):
        """The statements that make it."""
        columns = ",\n\t".join(c.ddl() for c in self.order)
        suffix = ""
        if self.identity != "INDEX":
            columns += f",\n\tPRIMARY KEY ({self.key_list()})"
        if self.partition:
            suffix = f" PARTITION BY {self.partition['by']}"
        out = [f"CREATE TABLE {self.quoted} (\n\t{columns}\n){suffix}"]
        if self.partition:
            out += self._leaves()
        for schema, name in self._physical():
            table = f"{ident(schema)}.{ident(name)}"
            if self.identity == "INDEX":
                index = ident("ri " + name[:20])
                out.append(f"CREATE UNIQUE INDEX {index} ON {table} ({self.key_list()})")
                out.append(f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {index}")
            elif self.identity != "DEFAULT":
                out.append(f"ALTER TABLE {table} REPLICA IDENTITY {self.identity}")
            for column in self.columns:
                if column.storage:
                    out.append(f"ALTER TABLE {table} ALTER {column.quoted} SET STORAGE {column.storage}")
        return out

    def reference(self):
        """The statement for the foreign key; a subscriber would refuse to truncate what the publisher may."""
        if not self.parent:
            return []
        return [f"ALTER TABLE {self.quoted} ADD FOREIGN KEY ({ident(REFERENCE)}) "
                f"REFERENCES {self.parent.quoted} ({self.parent.key_list()})"]

    def _physical(self):
        leaves = [(self.schema, leaf) for leaf in self.partition["leaves"]] if self.partition else []
        return [(self.schema, self.name)] + leaves

    def _leaves(self):
        """Every other one is made on its own, with columns in another order, and attached."""
        out = []
        for number, (leaf, bound) in enumerate(self.partition["leaves"].items()):
            name = f"{ident(self.schema)}.{ident(leaf)}"
            if number % 2 == 0:
                out.append(f"CREATE TABLE {name} PARTITION OF {self.quoted} {bound}")
                continue
            columns = ", ".join(["dropped int", *(c.ddl() for c in reversed(self.order) if not c.generated),
                                 *(c.ddl() for c in self.order if c.generated)])
            # what the primary key of the parent demands
            out += [f"CREATE TABLE {name} ({columns})", f"ALTER TABLE {name} DROP COLUMN dropped",
                    f"ALTER TABLE {self.quoted} ATTACH PARTITION {name} {bound}"]
        return out

    def published_as(self):
        """This table's item of the publication."""
        text = self.quoted
        if self.has_list:
            listed = [c for c in self.order if c.published and not c.generated]
            text += " (" + ", ".join(c.quoted for c in listed) + ")"
        if self.filter:
            text += f" WHERE ({self.filter})"
        return text


@dataclass
class Schema:
    prepare: list                       # statements: schemas, types, extensions
    tables: list
    via_root: bool
    inserts_only: bool
    template: str

    def publication(self):
        options = [f"publish_via_partition_root = {str(self.via_root).lower()}"]
        if self.inserts_only:
            options.append("publish = 'insert'")
        tables = ", ".join(t.published_as() for t in self.tables)
        return f"CREATE PUBLICATION oracle FOR TABLE {tables} WITH ({', '.join(options)})"

    def target(self, schema, name):
        return self.template.replace("{schema}", schema).replace("{table}", name)


class Maker:
    def __init__(self, seed, features, version):
        self.version = version
        self.rng = random.Random(f"{seed}/schema")
        self.features = features
        self.prepare = []
        self.basic = values.basic()
        self.more = []
        self.names = set()

    def on(self, feature, chance=1.0):
        """Drawn in any case, so that a feature takes nothing from the others."""
        drawn = self.rng.random() < chance
        return drawn and feature in self.features

    # -- types -------------------------------------------------------------

    def types(self):
        if "extensions" in self.features:
            for name, kind in values.extensions().items():
                self.prepare.append(f"CREATE EXTENSION {name} SCHEMA public")
                self.more.append(kind)
        if "enums" in self.features:
            labels = ["sad", "so so", "it's \"fine\"", "a,b{}", "ÄÖ\U0001f600", "back\\slash", "NULL", "x" * 63]
            self.prepare.append(f"CREATE TYPE public.mood AS ENUM ({', '.join(map(literal, labels))})")
            self.more.append(Type("public.mood", lambda rng: rng.choice(labels), key=lambda i: labels[i], keys=8))
        if "domains" in self.features:
            self._domains()
        if "composites" in self.features:
            self._composites()
        if "arrays" in self.features:
            usable = [t for t in self.basic + self.more if t.element]
            self.more += [values.array_of(t) for t in self.rng.sample(usable, 12)]
        if "deep" in self.features:
            self._deep()

    def _deep(self):
        """Types over types over types."""
        statement, ranges = values.own_range()
        self.prepare.append(statement)
        self.more += ranges + [values.array_of(t) for t in ranges]
        for number in range(2):
            base = self.rng.choice([t for t in self.more if t.element])
            name = f"public.deep{number}"
            self.prepare.append(f"CREATE DOMAIN {name} AS {base.sql}")
            domain = replace(base, sql=name, key=None, respell=None, hashable=False)
            members = self.rng.sample(self.more, 2) + [domain]
            body = ", ".join(f"m{i} {m.sql}" for i, m in enumerate(members))
            self.prepare.append(f"CREATE TYPE public.tree{number} AS ({body})")
            tree = values.composite(f"public.tree{number}", members)
            self.more += [domain, tree, values.array_of(domain), values.array_of(tree)]

    def _domains(self):
        for number in range(4):
            base = self.rng.choice(self.basic + self.more)
            name = f'public."Domain {number}"'
            self.prepare.append(f"CREATE DOMAIN {name} AS {base.sql}")
            # the operators of ranges and enums are not found for a domain over one
            made = replace(base, sql=name)
            if "range" in base.sql or base.sql == "public.mood":
                made = replace(made, key=None, respell=None, hashable=False)
            self.more.append(made)
            if number % 2:
                self.prepare.append(f"CREATE DOMAIN public.nested{number} AS {name} CHECK (VALUE IS NULL OR true)")
                self.more.append(replace(made, sql=f"public.nested{number}"))

    def _composites(self):
        for number in range(2):
            members = self.rng.sample(self.basic + self.more, 3)
            body = ", ".join(f"m{i} {m.sql}" for i, m in enumerate(members))
            self.prepare.append(f"CREATE TYPE public.pair{number} AS ({body})")
            self.more.append(values.composite(f"public.pair{number}", members))

    # -- names -------------------------------------------------------------

    def name(self, prefix, number, odd_names):
        """A name that is new in any case: the target's columns have no case."""
        name = f"{prefix}{number}"
        if self.on("names", 0.3):
            name = self.rng.choice(odd_names + RESERVED)
        while name.lower() in self.names:
            name = f"{name[:40]}_{number}"
        while len(name.encode()) > 63:
            name = name[:-1]
        self.names.add(name.lower())
        return name

    # -- tables ------------------------------------------------------------

    def make(self):
        self.types()
        via_root = self.on("via_root", 0.5)
        inserts_only = self.on("nothing", 0.1)
        schemas = ["public"]
        if self.on("names", 0.4):
            schemas.append("Other schema")
            self.prepare.append('CREATE SCHEMA "Other schema"')
        tables, seen = [], set()
        for number in range(self.rng.randint(4, 6)):
            self.names = seen
            name = self.name("t", number, ODD_TABLES)
            self.names = set()
            tables.append(self.table(self.rng.choice(schemas), name, number, via_root, inserts_only))
        self.add_references(tables)
        template = "{schema}_{table}" if self.rng.random() < 0.3 else "{table}"
        return Schema(self.prepare, tables, via_root, inserts_only, template)

    def table(self, schema, name, number, via_root, inserts_only):
        keys = self.keys()
        count = self.rng.randint(3, 14)
        if self.on("wide", 0.12):
            count = self.rng.choice([64, 65, 70, 130, 300])
        columns = [self.column(i) for i in range(count)]
        space = self.rng.choice([50, 300, 1500])
        table = Table(schema, name, keys, columns, space)
        if self.on("toast", 0.4):
            self.add_large(table)
        for column in table.columns:
            column.fill(self.rng, self.features)
        # any value of a row that is too long for a page may be moved out of line
        table.large = sum(c.width() for c in table.columns) > 1500
        self.add_identity(table, inserts_only)
        if self.on("partitions", 0.3):
            self.add_partitions(table, number)
        if table.partition is None or via_root:
            self.add_filter(table)
            self.add_list(table)
        # since 18, an identity must not hold what is not published
        if self.on("generated", 0.3) and (table.identity != "FULL" or self.version < 18):
            table.columns.append(Column(self.name("g", 0, ODD_NAMES), Type("bigint", None), generated="17 + 4"))
        table.key_updates = "keys" in self.features and (
            not table.large or table.identity == "FULL" or "keys_toast" in self.features)
        table.order = table.keys + table.columns
        self.rng.shuffle(table.order)
        # a generated column that depends on others may stand before them
        for column in table.columns:
            if column.generated:
                self.generate(table, column)
        return table

    def generate(self, table, column):
        ints = [c for c in table.settable() if c.type.sql in ("integer", "smallint")]
        if ints:
            column.generated = f"{ints[0].quoted}::bigint * 2"

    def keys(self):
        able = [t for t in self.basic + self.more if t.key]
        chosen = [self.rng.choice(able)]
        if self.rng.random() < 0.5:
            chosen = [self.basic[3]] if self.rng.random() < 0.5 else [self.basic[2]]
        if self.rng.random() < 0.4:
            chosen = [self.rng.choice(able) for _ in range(self.rng.randint(1, 3))] + chosen
        # the last one has the most
        chosen.sort(key=lambda t: t.keys)
        if chosen[-1].keys < 1 << 15:
            chosen.append(self.basic[2])
        # the target's limit is 128 bytes
        while sum(len(t.key(min(t.keys, 9999) - 1).encode()) + 4 for t in chosen) > 110:
            del chosen[0]
        return [Column(self.name("k", i, ODD_NAMES), t, notnull=True) for i, t in enumerate(chosen)]

    def column(self, number):
        kind = self.rng.choice(self.more if self.more and self.rng.random() < 0.35 else self.basic)
        return Column(self.name("c", number, ODD_NAMES), kind, notnull=self.rng.random() < 0.15)

    def add_large(self, table):
        for number in range(self.rng.randint(1, 3)):
            column = Column(self.name("big", number, ODD_NAMES), self.rng.choice(values.large_types()))
            if column.type.sql in ("text", "bytea", "varchar") and self.rng.random() < 0.5:
                column.storage = "EXTERNAL"
            table.columns.append(column)

    def add_references(self, tables):
        """For TRUNCATE with CASCADE; the columns are NULL, so that changes are as free as before.

        The server refuses foreign keys that are arrays of varchar."""
        parent = next((t for t in tables if len(t.keys) == 1 and t.partition is None
                       and not t.keys[0].type.sql.endswith("[]")), tables[-1])
        for table in tables[tables.index(parent) + 1:]:
            if self.on("truncate", 0.5):
                table.parent = parent
                parent.referenced = True
                column = Column(REFERENCE, Type(parent.keys[0].type.sql, lambda rng: None))
                column.fill(self.rng, ())
                table.columns.append(column)
                table.order.append(column)

    def add_identity(self, table, inserts_only):
        if inserts_only:
            table.identity = "NOTHING"
        elif self.on("full", 0.25):
            table.identity = "FULL"
        elif self.on("index", 0.25):
            table.identity = "INDEX"

    def add_partitions(self, table, number):
        """Hash, list or range by the first key that can; leaf name -> bound."""
        column = next((c for c in table.keys if c.type.hashable), None)
        if column is None:
            return
        key, leaves = column.quoted, {}
        if column.type.sql in ("boolean", "public.mood"):
            by = f"LIST ({key})"
            leaves = {f"leaf{number}_0": f"FOR VALUES IN ({literal(column.type.key(0))})",
                      f"leaf{number}_1": "DEFAULT"}
        elif column.type.sql in ("integer", "bigint", "date", "numeric") and self.rng.random() < 0.6:
            by = f"RANGE ({key})"
            cuts = ["MINVALUE", *(literal(column.type.key(i)) for i in (5, 40)), "MAXVALUE"]
            leaves = {f"leaf{number}_{i}": f"FOR VALUES FROM ({cuts[i]}) TO ({cuts[i + 1]})" for i in range(3)}
        else:
            by = f"HASH ({key})"
            leaves = {f"Leaf{number} {i}": f"FOR VALUES WITH (modulus 3, remainder {i})" for i in range(3)}
        table.partition = {"by": by, "leaves": leaves}

    def add_filter(self, table):
        if not self.on("filters", 0.25):
            return
        # an UPDATE that becomes an INSERT
        if table.identity != "FULL" and (table.large and "filters_toast" not in self.features):
            return
        if table.identity == "FULL":
            column = Column(self.name("filtered", 0, ODD_NAMES), self.basic[2])
            column.fill(self.rng, self.features)
            table.columns.append(column)
            table.filter = f"{column.quoted} % 3 <> 0"
        elif table.keys[-1].type.sql in ("integer", "bigint"):
            table.filter = f"{table.keys[-1].quoted} % 3 <> 0"

    def add_list(self, table):
        """Without some of the columns; FULL publishes all or nothing."""
        if not self.on("lists", 0.2) or table.identity == "FULL":
            return
        table.has_list = True
        for column in table.columns:
            if not column.notnull and self.rng.random() < 0.4:
                column.published = False


def make(seed, features, version):
    return Maker(seed, features, version).make()
