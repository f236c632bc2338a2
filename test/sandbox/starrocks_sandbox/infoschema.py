"""The parts of information_schema that clients of the target read."""

import pyarrow as pa

_TABLES = ("TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE", "ENGINE", "TABLE_ROWS", "TABLE_COMMENT")
_COLUMNS = (
    "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "COLUMN_DEFAULT",
    "IS_NULLABLE", "DATA_TYPE", "CHARACTER_MAXIMUM_LENGTH", "NUMERIC_PRECISION", "NUMERIC_SCALE",
    "COLUMN_TYPE", "COLUMN_KEY", "EXTRA", "COLUMN_COMMENT")
_SCHEMATA = ("CATALOG_NAME", "SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME")
_CONFIG = ("TABLE_SCHEMA", "TABLE_NAME", "TABLE_ENGINE", "TABLE_MODEL", "PRIMARY_KEY")
_INTEGERS = {"ORDINAL_POSITION", "CHARACTER_MAXIMUM_LENGTH", "NUMERIC_PRECISION", "NUMERIC_SCALE", "TABLE_ROWS"}


def _schemata(catalog):
    for name in [*catalog.databases, "information_schema"]:
        yield "def", name, "utf8", "utf8_general_ci"


def _tables(catalog):
    for table in catalog.tables():
        yield "def", table.db, table.name, "BASE TABLE", "StarRocks", None, table.comment


def _config(catalog):
    models = {"PRIMARY": "PRIMARY_KEYS", "DUPLICATE": "DUP_KEYS", "UNIQUE": "UNIQUE_KEYS"}
    for table in catalog.tables():
        keys = ", ".join(f"`{c.name}`" for c in table.keys()) if table.upserts else None
        yield table.db, table.name, "OLAP", models[table.model], keys


_KEYS = {"PRIMARY": "PRI", "UNIQUE": "UNI", "DUPLICATE": "DUP"}
_PRECISION = {"TINYINT": 3, "SMALLINT": 5, "INT": 10, "BIGINT": 19, "LARGEINT": 39, "FLOAT": 7, "DOUBLE": 15}


def _columns(catalog):
    for table in catalog.tables():
        for position, column in enumerate(table.columns):
            kind = column.type
            name = {"LARGEINT": "bigint unsigned"}.get(kind.name, kind.name.lower())
            yield ("def", table.db, table.name, column.name, position + 1,
                   column.default if column.default is not None else column.default_expr,
                   "YES" if column.nullable else "NO", name, kind.length if kind.is_string() else None,
                   kind.precision or _PRECISION.get(kind.name),
                   kind.scale if kind.name == "DECIMAL" else 0 if kind.name in _PRECISION else None,
                   kind.sql(), _KEYS[table.model] if column.key else "",
                   "auto_increment" if column.auto_increment else "", column.comment)


VIEWS = {"schemata": (_SCHEMATA, _schemata), "tables": (_TABLES, _tables),
         "columns": (_COLUMNS, _columns), "tables_config": (_CONFIG, _config)}


def rows_of(catalog, view):
    """The rows of a view as an Arrow table."""
    names, func = VIEWS[view]
    rows = list(func(catalog))
    return pa.table({
        name: pa.array([row[i] for row in rows], pa.int64() if name in _INTEGERS else pa.string())
        for i, name in enumerate(names)
    })
