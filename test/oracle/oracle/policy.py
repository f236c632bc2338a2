"""What the target must hold for a value of the source: README.md, "Types", told once more.

Nothing here is taken from the code that is tested.  expected() is given a value as PostgreSQL writes
it with DateStyle = ISO, IntervalStyle = postgres, TimeZone = UTC, bytea_output = hex, and the column's
base type; it returns what observed() makes of the same value in a row of the sandbox.
"""

import json
import re
import struct

# base type -> class, type at the target
_TYPES = {
    "int2": ("int", "SMALLINT"), "int4": ("int", "INT"), "int8": ("int", "BIGINT"), "oid": ("int", "BIGINT"),
    "xid": ("int", "BIGINT"), "cid": ("int", "BIGINT"),
    "bool": ("bool", "BOOLEAN"), "float4": ("float4", "FLOAT"), "float8": ("float8", "DOUBLE"),
    "numeric": ("numeric", None), "bpchar": ("text", None), "varchar": ("text", None), "bit": ("text", None),
    "varbit": ("text", None), "text": ("text", "VARCHAR(1048576)"), "char": ("text", "VARCHAR(4)"),
    "bytea": ("bytea", "VARBINARY"), "date": ("date", "DATE"), "timestamp": ("timestamp", "DATETIME"),
    "timestamptz": ("timestamptz", "DATETIME"), "uuid": ("text", "VARCHAR(36)"), "json": ("json", "JSON"),
    "jsonb": ("json", "JSON"),
}
_LONG = 1048576
_KEY = "VARCHAR(65533)"
# fixed or bounded: STRING; all others, those that are not built in too, are the longest VARCHAR
_STRING = {"time", "timetz", "interval", "money", "inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg",
           "box", "circle", "name", "tid", "oidvector", "int2vector", "pg_lsn", "xid8", "pg_snapshot", "jsonpath",
           "regtype"}


class Unfit(ValueError):
    """The target cannot hold the value."""


def kind(base):
    return _TYPES.get(base, ("text", None))[0]


def decimal(typmod):
    """(precision, scale) of a numeric that becomes a DECIMAL, or None."""
    if typmod < 4:
        return None
    precision, scale = (typmod - 4) >> 16, (((typmod - 4) & 0x7FF) ^ 1024) - 1024
    return (precision, scale) if precision <= 38 and 0 <= scale <= precision else None


def target_type(base, typmod, is_key):
    """The type that target_ddl() writes, or None where the README leaves it open."""
    known = _TYPES.get(base, ("text", None))[1]
    if base in ("varchar", "bpchar") and typmod >= 4:
        return f"VARCHAR({min(4 * (typmod - 4), _LONG)})"
    if base in ("bit", "varbit") and typmod > 0:
        return f"VARCHAR({min(typmod, _LONG)})"
    if base == "numeric" and not is_key:
        bounds = decimal(typmod)
        return "DECIMAL(%d,%d)" % bounds if bounds else "STRING"
    if is_key and (base in ("numeric", "float4", "float8", "bytea") or base in _STRING or known in (None, "VARCHAR(1048576)")):
        return None if base in ("numeric", "float4", "float8") else _KEY
    return known or ("STRING" if base in _STRING else f"VARCHAR({_LONG})")


_STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d+))?$")


def _stamp(text):
    match = _STAMP.match(text)
    if not match:
        raise Unfit(text)
    return f"{match.group(1)}.{(match.group(2) or '').ljust(6, '0')}"


def _float4(text):
    return struct.unpack("<f", struct.pack("<f", float(text)))[0]


class Number(str):
    """A number in a JSON document: its text, which must not be rounded."""

    def __repr__(self):
        return str(self)


def document(text):
    """A JSON text as a value: order and repeated keys count, white space and escapes do not."""
    return json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=lambda pairs: ("object", *pairs))


def expected(base, typmod, is_key, text):
    if text is None:
        return None
    what = kind(base)
    if what in ("float4", "float8", "numeric") and text.lstrip("-") in ("NaN", "Infinity"):
        raise Unfit(text)
    if what in ("date", "timestamp", "timestamptz"):
        return _calendar(what, text)
    if what == "bytea":
        return text[2:]
    # numbers that are keys are a VARCHAR there, with PostgreSQL's own text
    if is_key and what in ("float4", "float8", "numeric") or what in ("text", "numeric"):
        return text
    if what == "int":
        return int(text)
    if what == "bool":
        return text == "t"
    if what == "float8":
        return float(text)
    if what == "float4":
        return _float4(text)
    return document(text)


def _calendar(what, text):
    if what == "timestamptz":
        if not text.endswith("+00"):
            raise Unfit(text)
        text = text[:-3]
    if what == "date":
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise Unfit(text)
        return text
    return _stamp(text)


def observed(base, is_key, value):
    """A value of the sandbox's canonical row in the form of expected()."""
    if value is None:
        return None
    what = kind(base)
    if is_key and what in ("float4", "float8", "numeric"):
        return value
    if what == "float4" and not isinstance(value, str):
        return _float4(value)
    if what == "float8" and not isinstance(value, str):
        return float(value)
    if what == "json":
        return document(value)
    return value
