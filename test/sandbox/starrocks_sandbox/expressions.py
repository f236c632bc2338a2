"""Expressions of the target's SQL dialect, for loads and queries."""

import base64
import binascii

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .columnar import staged_array
from .errors import LoadError

_BINARY_FORMS = ("hex", "encode64", "utf8")


def _decode(text, form):
    """Binary of a text; what is not valid gives an empty value, not an error."""
    try:
        if form == "hex":
            return bytes.fromhex(text)
        if form == "encode64":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return text.encode()


def _to_binary(expression):
    """(field name, form) of to_binary(field[, 'form']), or None."""
    name, args = None, []
    if isinstance(expression, exp.Anonymous):
        name, args = expression.name.lower(), expression.expressions
    elif isinstance(expression, exp.ToBinary):
        name, args = "to_binary", [expression.this, expression.args.get("format")]
    if name != "to_binary" or not args or not isinstance(args[0], exp.Column):
        return None
    form = args[1].name.lower() if len(args) > 1 and args[1] is not None else "hex"
    if form not in _BINARY_FORMS:
        raise LoadError(f"to_binary: unknown format '{form}'")
    return args[0].name.lower(), form


def fast_binary(expression, sources, source, kind):
    """(array, misfits) of to_binary over one field, or None for anything else."""
    found = _to_binary(expression)
    if found is None:
        return None
    if kind.name != "VARBINARY":
        raise LoadError("to_binary needs a VARBINARY column")
    name, form = found
    texts = source.texts([s.lower() for s in sources].index(name))
    values = [None if t is None else _decode(t, form) for t in texts]
    bad, limit = {}, kind.byte_limit()
    for i, value in enumerate(values):
        if value is not None and len(value) > limit:
            bad[i] = (f"binary of {len(value)} bytes is too long", texts[i])
            values[i] = None
    return staged_array(values, kind) if values else pa.array([], pa.binary()), bad


def duck_sql(expression):
    """An expression, as text or parsed, for the storage engine."""
    try:
        if isinstance(expression, str):
            expression = sqlglot.parse_one(expression, read="starrocks")
        return expression.sql(dialect="duckdb")
    except SqlglotError as why:
        raise LoadError(f"parse expression failed: {str(why).splitlines()[0]}") from None
