"""What the target must hold for a value of the source: README.md, "Types", told once more.

Nothing here is taken from the code that is tested.  expected() is given a value as PostgreSQL writes
it with DateStyle = ISO, IntervalStyle = postgres, TimeZone = UTC, bytea_output = hex, and the column's
base type; it returns what observed() makes of the same value in a row of the sandbox.
"""

import json
import re
import struct

# with which the decoder writes values
FORMATS = ("SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;"
           " SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET search_path = ''")
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
# all others, those that are not built in too, are the longest VARCHAR
_STRING = {"time", "timetz", "interval", "money", "inet", "cidr", "macaddr", "macaddr8", "point", "line", "lseg",
           "box", "circle", "name", "tid", "pg_lsn", "xid8", "regtype"}
_DOUBLE_MAX = 1.7976931348623157e308
_FLOAT_MAX = 3.4028234663852886e38


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
        return "DECIMAL(%d,%d)" % bounds if bounds else f"VARCHAR({_LONG})"
    if is_key and base in ("float4", "float8"):
        return "VARCHAR(32)"
    if is_key and base == "numeric":
        return None if typmod >= 4 else "VARCHAR(128)"
    if is_key and (base == "bytea" or base in _STRING or known in (None, f"VARCHAR({_LONG})")):
        return _KEY
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


def _rounded(text):
    """A number as StarRocks has it: an integer from -2^63 to 2^64-1, or the nearest DOUBLE."""
    if re.fullmatch(r"-?\d+", text) and -2**63 <= int(text) < 2**64:
        return int(text)
    return max(-_DOUBLE_MAX, min(_DOUBLE_MAX, float(text)))


def document(text, number=Number):
    """A JSON text as a value: order and repeated keys count, white space and escapes do not."""
    return json.loads(text, parse_float=number, parse_int=number, object_pairs_hook=lambda pairs: ("object", *pairs))


def _fits(value):
    """Can the target hold all of a document?"""
    if isinstance(value, Number):
        if re.fullmatch(r"-?\d+", value):
            return -2**63 <= int(value) < 2**64
        return abs(float(value)) <= _DOUBLE_MAX
    if isinstance(value, (tuple, list)):
        return all(map(_fits, value))
    return not isinstance(value, str) or not re.search("[\0\ud800-\udfff]", value)


def _clamped(value):
    if isinstance(value, str):
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_clamped, value))
    return value


def _json(mode, text):
    value = document(text)
    if mode == "clamp":
        return _clamped(document(text, _rounded))
    if not _fits(value):
        raise Unfit(text)
    return value


def expected(base, typmod, is_key, mode, text):
    """'mode' is dbmazz.unrepresentable."""
    if text is None:
        return None
    try:
        return _exact(base, typmod, is_key, mode, text)
    except Unfit:
        if mode == "error" or is_key:
            raise
        return _nearest(kind(base), text) if mode == "clamp" else None


def _exact(base, typmod, is_key, mode, text):
    what = kind(base)
    # numbers that are keys are a VARCHAR there, with PostgreSQL's own text
    if is_key and what in ("float4", "float8", "numeric") or what == "text":
        return text
    if what == "numeric":
        if decimal(typmod) and text == "NaN":
            raise Unfit(text)
        return text
    if what in ("float4", "float8"):
        if text.lstrip("-") in ("NaN", "Infinity"):
            raise Unfit(text)
        return _float4(text) if what == "float4" else float(text)
    if what in ("date", "timestamp", "timestamptz"):
        return _calendar(what, text)
    if what == "bytea":
        return text[2:]
    if what == "int":
        return int(text)
    if what == "bool":
        return text == "t"
    return _json(mode, text)


def _nearest(what, text):
    """What is sent with 'clamp'."""
    if text == "NaN":
        return None
    if what in ("float4", "float8"):
        most = _FLOAT_MAX if what == "float4" else _DOUBLE_MAX
        return -most if text[0] == "-" else most
    early = text == "-infinity" or text.endswith(" BC")
    if what == "date":
        return "0001-01-01" if early else "9999-12-31"
    return "0001-01-01 00:00:00.000000" if early else "9999-12-31 23:59:59.999999"


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


def observed(base, is_key, mode, value):
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
        return document(value, _rounded if mode == "clamp" else Number)
    return value
