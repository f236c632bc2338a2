"""CREATE, ALTER, DROP and TRUNCATE on the catalog and the storage."""

import copy
from contextvars import ContextVar

from sqlglot import exp

from . import coltypes
from .catalog import OP_COLUMN, Column, Table, default_sql, quote
from .errors import SqlError
from .store import check_database

# What a TRUNCATE waits for when it has seen the partitions, before it replaces them.
TRUNCATING = ContextVar("truncating", default=None)

_MODELS = {
    exp.PrimaryKey: "PRIMARY",
    exp.DuplicateKeyProperty: "DUPLICATE",
    exp.UniqueKeyProperty: "UNIQUE",
}


def column_from_ast(node):
    """A Column of a parsed definition."""
    if node.this.name.lower() == OP_COLUMN:
        raise SqlError(f"Column name [{node.this.name}] is a system reserved name.")
    column = Column(node.this.name, coltypes.from_ast(node.args["kind"]))
    for constraint in node.args.get("constraints") or []:
        kind = constraint.kind
        if isinstance(kind, exp.NotNullColumnConstraint):
            column.nullable = bool(kind.args.get("allow_null"))
        elif isinstance(kind, exp.DefaultColumnConstraint):
            _set_default(column, kind.this)
        elif isinstance(kind, exp.CommentColumnConstraint):
            column.comment = kind.this.name
        elif isinstance(kind, exp.AutoIncrementColumnConstraint):
            if column.type.name != "BIGINT":
                raise SqlError(f"The AUTO_INCREMENT column must be BIGINT: {column.name}")
            column.auto_increment, column.nullable = True, False
        else:
            raise SqlError(f"Unsupported column attribute of {column.name}: {constraint.sql('starrocks')}")
    return column


def _set_default(column, value):
    if isinstance(value, exp.Null):
        return
    if isinstance(value, exp.Literal):
        column.default = value.name
    elif isinstance(value, exp.Neg):
        column.default = "-" + value.this.name
    elif isinstance(value, (exp.CurrentTimestamp, exp.Paren)):
        column.default_expr = "CURRENT_TIMESTAMP"
    elif isinstance(value, exp.Boolean):
        column.default = "true" if value.this else "false"
    else:
        raise SqlError(f"Unsupported default of {column.name}: {value.sql('starrocks')}")


def _key_clause(node):
    """(model, key names) of a CREATE TABLE."""
    schema = node.this
    properties = node.args.get("properties")
    candidates = list(schema.expressions) + (list(properties.expressions) if properties else [])
    for candidate in candidates:
        for kind, model in _MODELS.items():
            if isinstance(candidate, kind):
                return model, [e.name for e in candidate.expressions]
        if isinstance(candidate, exp.AggregateKeyProperty):
            raise SqlError("Aggregate key tables are not supported by this server")
    return "DUPLICATE", []


def table_from_ast(node, db):
    """A Table of a parsed CREATE TABLE; raises SqlError for what the target refuses."""
    schema = node.this
    if not isinstance(schema, exp.Schema):
        raise SqlError("CREATE TABLE needs a column list")
    columns = [column_from_ast(e) for e in schema.expressions if isinstance(e, exp.ColumnDef)]
    model, keys = _key_clause(node)
    table = Table(0, db, schema.this.name, model, columns)
    seen = set()
    for column in columns:
        if column.name.lower() in seen:
            raise SqlError(f"Duplicate column name '{column.name}'", 1060)
        seen.add(column.name.lower())
        table.number(column)
    _mark_keys(table, keys)
    _read_properties(table, node.args.get("properties"))
    return table


def _mark_keys(table, keys):
    if not keys and table.upserts:
        raise SqlError("A primary key needs at least one column")
    if not keys:
        first = next((c for c in table.columns if c.type.name in coltypes.KEY_TYPES), None)
        keys = [first.name] if first else []
    for position, name in enumerate(keys):
        column = table.find(name)
        if column is None:
            raise SqlError(f"Key column({name}) doesn't exist.", 1072)
        if position >= len(table.columns) or table.columns[position] is not column:
            raise SqlError("Key columns must be the first few columns of the schema and the order "
                           " of the key columns must be consistent with the order of the schema")
        if table.upserts and column.type.name not in coltypes.KEY_TYPES:
            raise SqlError(f"Invalid data type of key column '{column.name}': '{column.type.sql()}'")
        column.key = True
        if table.model == "PRIMARY":
            column.nullable = False


def _read_properties(table, properties):
    for item in properties.expressions if properties else []:
        if isinstance(item, exp.DistributedByProperty):
            table.distributed = item.sql(dialect="starrocks")
            for name in item.expressions:
                if table.find(name.name) is None:
                    raise SqlError(f"Distribution column({name.name}) doesn't exist.")
        elif isinstance(item, exp.SchemaCommentProperty):
            table.comment = item.this.name
        elif type(item) is exp.Property:
            name = item.this.name if isinstance(item.this, exp.Expression) else str(item.this)
            table.properties[name] = item.args["value"].name


class Ddl:
    """Carries statements out; names are resolved by the caller's current database."""

    def __init__(self, app):
        self.app = app
        self.truncated = {}              # how often, by the table's number

    @property
    def catalog(self):
        return self.app.catalog

    def resolve(self, node, current):
        """(db, table name) of a parsed table reference."""
        db = node.db or current
        if not db:
            raise SqlError("No database selected", 1046)
        check_database(self.catalog, db)
        return db, node.name

    def find(self, node, current):
        db, name = self.resolve(node, current)
        table = self.catalog.table(db, name)
        if table is None:
            raise SqlError(f"Unknown table '{db}.{name}'", 1051)
        return table

    async def create(self, node, current):
        kind = (node.args.get("kind") or "").upper()
        if kind in ("DATABASE", "SCHEMA"):
            await self._create_database(node.this.name, node.args.get("exists"))
        elif kind == "TABLE":
            await self._create_table(node, current)
        else:
            raise SqlError(f"CREATE {kind} is not supported by this server")

    async def _create_database(self, name, exists):
        if name in self.catalog.databases:
            if exists:
                return
            raise SqlError(f"Can't create database '{name}'; database exists", 1007)
        await self.app.store.create_database(name)

    async def _create_table(self, node, current):
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        db, name = self.resolve(target, current)
        if self.catalog.table(db, name):
            if node.args.get("exists"):
                return
            raise SqlError(f"Table '{name}' already exists", 1050)
        await self.app.store.create_table(table_from_ast(node, db))

    async def drop(self, node, current):
        kind = (node.args.get("kind") or "").upper()
        exists = node.args.get("exists")
        targets = [node.this] if node.this else node.args.get("tables") or []
        for target in targets:
            if kind in ("DATABASE", "SCHEMA"):
                await self._drop_database(target.name, exists)
            elif kind == "TABLE":
                await self._drop_table(target, current, exists)
            else:
                raise SqlError(f"DROP {kind} is not supported by this server")

    async def _drop_database(self, name, exists):
        if name in self.catalog.databases:
            await self.app.store.drop_database(name)
            self.app.txns.drop_database(name)
        elif not exists:
            raise SqlError(f"Can't drop database '{name}'; database doesn't exist", 1008)

    async def _drop_table(self, target, current, exists):
        db, name = self.resolve(target, current)
        table = self.catalog.table(db, name)
        if table is not None:
            await self.app.store.drop_table(table)
        elif not exists:
            raise SqlError(f"Unknown table '{db}.{name}'", 1051)

    async def truncate(self, node, current):
        """Partitions are made anew and put in the place of those that were there at the begin.

        Where another TRUNCATE has done the same in between, these are gone.
        """
        for target in node.expressions:
            table = self.find(target, current)
            before = self.truncated.get(table.id, 0)
            if wait := TRUNCATING.get():
                await wait()
            if self.truncated.get(table.id, 0) != before:
                raise SqlError(f"Partition [{table.name}] is changed during truncating table, please retry", 1064)
            self.truncated[table.id] = before + 1
            await self.app.store.write(lambda con, t=table: con.execute(f"DELETE FROM {t.physical}"))

    # -- ALTER -------------------------------------------------------------

    async def alter(self, node, current):
        old = self.find(node.this, current)
        new, statements = copy.deepcopy(old), []
        actions = list(node.args.get("actions") or [])
        if not actions:
            raise SqlError(f"Unsupported ALTER: {node.sql('starrocks')}")
        for action in actions:
            self._action(new, action, statements)
        await self.app.store.replace_table(old, new, statements)

    def _action(self, table, action, statements):
        if isinstance(action, exp.ColumnDef):
            self._add_column(table, action, statements)
        elif isinstance(action, exp.Drop):
            for target in [action.this] if action.this else action.args.get("tables") or []:
                self._drop_column(table, target.name, statements)
        elif isinstance(action, exp.ModifyColumn):
            self._modify_column(table, action.this, statements)
        elif isinstance(action, exp.RenameColumn):
            column = self._column(table, action.this.name)
            new = action.args["to"].name
            statements.append(f"ALTER TABLE {table.physical} RENAME COLUMN {quote(column.name)} TO {quote(new)}")
            column.name = new
        elif isinstance(action, exp.AlterRename):
            if self.catalog.table(table.db, action.this.name):
                raise SqlError(f"Table '{action.this.name}' already exists", 1050)
            table.name = action.this.name
        else:
            raise SqlError(f"Unsupported ALTER action: {action.sql('starrocks')}")

    @staticmethod
    def _column(table, name):
        column = table.find(name)
        if column is None:
            raise SqlError(f"Column does not exists: {name}")
        return column

    def _add_column(self, table, node, statements):
        column = column_from_ast(node)
        if column.auto_increment:
            raise SqlError(f"Can not add AUTO_INCREMENT column: {column.name}")
        if table.find(column.name):
            raise SqlError(f"Can not add column which already exists in base table: {column.name}", 1060)
        place = node.args.get("position")
        index = len(table.columns)
        if place is not None:
            index = 0
            if place.this is not None:
                index = table.columns.index(self._column(table, place.this.name)) + 1
            if index < len(table.keys()):
                raise SqlError("Can not add value column before key columns")
            table.reordered = True
        table.columns.insert(index, column)
        table.number(column)
        name = f"{table.physical}.{quote(column.name)}"
        statements.append(f"ALTER TABLE {table.physical} ADD COLUMN {quote(column.name)} {column.type.duck()}")
        if column.has_default() or not column.nullable:
            value = default_sql(column, table.physical)
            statements.append(f"UPDATE {table.physical} SET {quote(column.name)} = {value} WHERE {name} IS NULL")

    def _drop_column(self, table, name, statements):
        column = self._column(table, name)
        if column.key:
            raise SqlError(f"Can not drop key column in {table.model.lower()} key table: {name}")
        table.columns.remove(column)
        statements.append(f"ALTER TABLE {table.physical} DROP COLUMN {quote(column.name)}")

    def _modify_column(self, table, node, statements):
        new = column_from_ast(node)
        old = self._column(table, new.name)
        new.name, new.key, new.number = old.name, old.key, old.number
        if old.key and new.type != old.type:
            raise SqlError(f"Can not modify key column: {old.name}")
        new.nullable = new.nullable and not old.key
        table.columns[table.columns.index(old)] = new
        if new.type.duck() != old.type.duck():
            statements.append(f"ALTER TABLE {table.physical} ALTER COLUMN {quote(old.name)} TYPE {new.type.duck()}")


def create_text(table):
    """The SHOW CREATE TABLE form."""
    lines = []
    for column in table.columns:
        line = f"  `{column.name}` {column.type.sql()} {'NULL' if column.nullable else 'NOT NULL'}"
        if column.auto_increment:
            line += " AUTO_INCREMENT"
        if column.default is not None:
            line += f' DEFAULT "{column.default}"'
        elif column.default_expr is not None:
            line += f" DEFAULT {column.default_expr}"
        lines.append(line + f' COMMENT "{column.comment}"')
    keys = ", ".join(f"`{c.name}`" for c in table.keys())
    out = f"CREATE TABLE `{table.name}` (\n" + ",\n".join(lines) + "\n) ENGINE=OLAP"
    if keys:
        out += f"\n{table.model} KEY({keys})"
    if table.distributed:
        out += f"\n{table.distributed}"
    if table.properties:
        pairs = ",\n".join(f'"{k}" = "{v}"' for k, v in table.properties.items())
        out += f"\nPROPERTIES (\n{pairs}\n)"
    return out + ";"
