"""Column types: their StarRocks text, their DuckDB storage, their staging form.

Staging is the Arrow table between the converters and DuckDB. A type whose
exact value Arrow or Python cannot hold cheaply (LARGEINT, DECIMAL, JSON) is
staged as text and cast by DuckDB, so no value ever passes through a double.
"""

from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from .errors import SqlError

MAX_VARCHAR = 1048576
MAX_BINARY = 1048576
STRING_LENGTH = 65533

INT_RANGES = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INT": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "LARGEINT": (-(2**127), 2**127 - 1),
}

_DUCK = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INT": "INTEGER",
    "BIGINT": "BIGINT",
    "LARGEINT": "HUGEINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "DATE": "DATE",
    "DATETIME": "TIMESTAMP",
    "CHAR": "VARCHAR",
    "VARCHAR": "VARCHAR",
    "JSON": "JSON",
    "VARBINARY": "BLOB",
}

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int64(),
    "SMALLINT": pa.int64(),
    "INT": pa.int64(),
    "BIGINT": pa.int64(),
    "LARGEINT": pa.string(),
    "FLOAT": pa.float64(),
    "DOUBLE": pa.float64(),
    "DECIMAL": pa.string(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "CHAR": pa.string(),
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "VARBINARY": pa.binary(),
}

# Names of information_schema and the v2 endpoint, with the storage size.
_PRIMITIVE = {
    "BOOLEAN": ("BOOLEAN", 1),
    "TINYINT": ("TINYINT", 1),
    "SMALLINT": ("SMALLINT", 2),
    "INT": ("INT", 4),
    "BIGINT": ("BIGINT", 8),
    "LARGEINT": ("LARGEINT", 16),
    "FLOAT": ("FLOAT", 4),
    "DOUBLE": ("DOUBLE", 8),
    "DATE": ("DATE", 4),
    "DATETIME": ("DATETIME", 8),
    "CHAR": ("CHAR", 16),
    "VARCHAR": ("VARCHAR", 16),
    "JSON": ("JSON", 16),
    "ARRAY": ("ARRAY", 16),
    "VARBINARY": ("VARBINARY", 16),
}

KEY_TYPES = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "LARGEINT",
    "CHAR", "VARCHAR", "DATE", "DATETIME",
}

# Encoded width of the fixed-size key types; strings count their bytes.
KEY_WIDTH = {
    "BOOLEAN": 1, "TINYINT": 1, "SMALLINT": 2, "INT": 4, "BIGINT": 8,
    "LARGEINT": 16, "DATE": 4, "DATETIME": 8,
}


@dataclass(frozen=True)
class ColType:
    name: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    element: "ColType | None" = None

    def sql(self):
        """The type as SHOW and DESC print it."""
        if self.name == "DECIMAL":
            return f"decimal({self.precision}, {self.scale})"
        if self.name == "LARGEINT":
            return "largeint(40)"
        if self.name in ("CHAR", "VARCHAR"):
            return f"{self.name.lower()}({self.length})"
        if self.name == "ARRAY":
            return f"array<{self.element.sql()}>"
        if self.name == "VARBINARY" and self.length is not None:
            return f"varbinary({self.length})"
        return self.name.lower()

    def duck(self):
        """The type of the stored column."""
        if self.name == "DECIMAL":
            return f"DECIMAL({self.precision},{self.scale})"
        if self.name == "ARRAY":
            return self.element.duck() + "[]"
        return _DUCK[self.name]

    def arrow(self):
        """The type of the staged column."""
        if self.name == "ARRAY":
            return pa.list_(self.element.arrow())
        return _ARROW[self.name]

    def needs_cast(self):
        """Whether the staged form differs from the stored one."""
        return self.name not in ("BOOLEAN", "BIGINT", "DOUBLE", "DATE", "CHAR", "VARCHAR", "VARBINARY")

    def primitive(self):
        """Name and size for the v2 schema endpoint."""
        if self.name == "DECIMAL":
            if self.precision <= 9:
                return "DECIMAL32", 4
            return ("DECIMAL64", 8) if self.precision <= 18 else ("DECIMAL128", 16)
        return _PRIMITIVE[self.name]

    def byte_limit(self):
        if self.name == "VARBINARY":
            return self.length if self.length is not None else MAX_BINARY
        return self.length

    def is_string(self):
        return self.name in ("CHAR", "VARCHAR")

    def to_dict(self):
        out = {"name": self.name}
        for field in ("precision", "scale", "length"):
            if getattr(self, field) is not None:
                out[field] = getattr(self, field)
        if self.element:
            out["element"] = self.element.to_dict()
        return out

    @staticmethod
    def from_dict(data):
        data = dict(data)
        element = data.pop("element", None)
        return ColType(**data, element=ColType.from_dict(element) if element else None)


_SIMPLE = {
    exp.DType.BOOLEAN: "BOOLEAN",
    exp.DType.TINYINT: "TINYINT",
    exp.DType.SMALLINT: "SMALLINT",
    exp.DType.INT: "INT",
    exp.DType.BIGINT: "BIGINT",
    exp.DType.INT128: "LARGEINT",
    exp.DType.FLOAT: "FLOAT",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.DATE: "DATE",
    exp.DType.DATETIME: "DATETIME",
    exp.DType.TIMESTAMP: "DATETIME",
    exp.DType.JSON: "JSON",
}


def _params(kind):
    return [int(p.name) for p in kind.expressions if isinstance(p, exp.DataTypeParam)]


def _decimal(params):
    precision = params[0] if params else 10
    scale = params[1] if len(params) > 1 else 0
    if not 1 <= precision <= 38 or not 0 <= scale <= precision:
        raise SqlError(f"Invalid decimal precision or scale: decimal({precision}, {scale})")
    return ColType("DECIMAL", precision=precision, scale=scale)


def _string(name, length, limit):
    if not 1 <= length <= limit:
        raise SqlError(f"{name} size must be in [1, {limit}]: {length}")
    return ColType(name, length=length)


def from_ast(kind):
    """Translate a parsed data type; raises SqlError for one the sandbox lacks."""
    tag = kind.this
    params = _params(kind)
    if tag in _SIMPLE:
        return ColType(_SIMPLE[tag])
    if tag == exp.DType.DECIMAL:
        return _decimal(params)
    if tag == exp.DType.CHAR:
        return _string("CHAR", params[0] if params else 1, 255)
    if tag == exp.DType.VARCHAR:
        return _string("VARCHAR", params[0] if params else 1, MAX_VARCHAR)
    if tag == exp.DType.TEXT:
        return ColType("VARCHAR", length=STRING_LENGTH)
    if tag in (exp.DType.VARBINARY, exp.DType.BINARY):
        return ColType("VARBINARY", length=params[0] if params else None)
    if tag == exp.DType.ARRAY:
        return ColType("ARRAY", element=from_ast(kind.expressions[0]))
    raise SqlError(f"Unsupported data type: {kind.sql('starrocks')}")
