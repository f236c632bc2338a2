"""Whole columns to Arrow: a fast way for clean values, a careful one for the rest.

The fast way handles a column whose values all have the form that a good client
sends; anything else makes it return None and the caller takes the careful way,
value by value. Both give the same result for values that both accept.
"""

import re
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from .coltypes import INT_RANGES
from .convert import Misfit, from_json, from_text

_NONE = type(None)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
_FLOAT_MAX = 3.4028234663852886e38

# Types whose JSON token text must survive the parser.
RAW_TYPES = {"DECIMAL", "JSON", "ARRAY"}


def staged_array(values, kind):
    """An Arrow array of values that are in staged form already."""
    arrow = kind.arrow()
    if kind.name == "DATE":
        return pa.array(values, pa.int32()).cast(arrow)
    if kind.name == "DATETIME":
        return pa.array(values, pa.int64()).cast(arrow)
    if kind.name == "ARRAY":
        return _nested(values, kind)
    return pa.array(values, arrow)


def _nested(values, kind):
    """Lists, built from their flattened items so that dates may be plain numbers."""
    offsets, items, total = [], [], 0
    for value in values:
        offsets.append(None if value is None else total)
        if value is not None:
            items.extend(value)
            total += len(value)
    offsets.append(total)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), staged_array(items, kind.element))


def _integers(values, kind):
    if not set(map(type, values)) <= {int, _NONE}:
        return None
    low, high = INT_RANGES[kind.name]
    if kind.name == "LARGEINT":
        if any(v is not None and not low <= v <= high for v in values):
            return None
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    try:
        array = pa.array(values, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        return None
    bounds = pc.min_max(array)
    if bounds["min"].is_valid and (bounds["min"].as_py() < low or bounds["max"].as_py() > high):
        return None
    return array


def _floats(values, kind):
    if not set(map(type, values)) <= {int, float, _NONE}:
        return None
    if any(type(v) is int and not -2**63 <= v < 2**64 for v in values):
        return None
    try:
        array = pa.array([None if v is None else float(v) for v in values], pa.float64())
    except OverflowError:
        return None
    if kind.name == "FLOAT":
        top = pc.max(pc.abs(array))
        if top.is_valid and top.as_py() > _FLOAT_MAX:
            return None
    return array


def _strings(values, kind):
    if not set(map(type, values)) <= {str, _NONE}:
        return None
    try:
        array = pa.array(values, pa.string())
    except (UnicodeError, pa.ArrowInvalid):
        return None
    longest = pc.max(pc.binary_length(array))
    if longest.is_valid and longest.as_py() > kind.length:
        return None
    return array


def _dates(values, kind):
    if not set(map(type, values)) <= {str, _NONE}:
        return None
    form, parse = (_DATE, date) if kind.name == "DATE" else (_DATETIME, datetime)
    form, parse = form.fullmatch, parse.fromisoformat
    try:
        out = [None if v is None else (parse(v) if form(v) else None) for v in values]
    except ValueError:
        return None
    array = pa.array(out, kind.arrow())
    return array if array.null_count == values.count(None) else None


_FAST = {"BOOLEAN": None, "FLOAT": _floats, "DOUBLE": _floats, "CHAR": _strings, "VARCHAR": _strings,
         "DATE": _dates, "DATETIME": _dates}
_FAST.update({name: _integers for name in INT_RANGES})


def fast_json(values, kind):
    """An array from parsed JSON values, or None if the careful way is needed."""
    if kind.name == "BOOLEAN":
        return pa.array(values, pa.bool_()) if set(map(type, values)) <= {bool, _NONE} else None
    func = _FAST.get(kind.name)
    return func(values, kind) if func else None


def fast_tokens(tokens, kind):
    """The same from raw tokens, for the types that need them."""
    if kind.name != "DECIMAL":
        return None
    whole, frac = kind.precision - kind.scale, kind.scale
    fraction = rb"(?:\.[0-9]{0,%d})?" % frac if frac else b""
    form = re.compile(rb'"?(-?[0-9]{1,%d}%s)"?' % (max(whole, 1), fraction)).fullmatch
    out = []
    for token in tokens:
        match = form(token)
        if match:
            out.append(match.group(1))
        elif token == b"null":
            out.append(None)
        else:
            return None
    if whole == 0 and any(t and t.lstrip(b"-0")[:1] not in (b".", b"") for t in out):
        return None
    return pa.array(out, pa.binary()).cast(pa.string())


def careful(values, kind, convert):
    """Convert value by value: (array, {row: message}); a misfit becomes NULL."""
    out, bad = [], {}
    for i, value in enumerate(values):
        try:
            out.append(convert(value, kind))
        except (Misfit, ValueError) as why:
            out.append(None)
            bad[i] = (str(why), value)
    return staged_array(out, kind), bad


def careful_json(tokens, kind):
    return careful(tokens, kind, from_json)


def careful_text(texts, kind):
    return careful(texts, kind, from_text)
