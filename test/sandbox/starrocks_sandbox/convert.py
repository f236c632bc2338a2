"""Conversion of one value to its staged form, by the rules for each type.

`from_text` takes what a CSV field or an expression gives, `from_json` a raw
JSON token, so that numbers keep their text. Both return the staged value and
raise ValueError for a value that does not fit; None always stays None.
"""

import calendar
import json
import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

import msgspec

from .coltypes import INT_RANGES

_INT = re.compile(r"[ \t\n\r\f\v]*[+-]?[0-9]+[ \t\n\r\f\v]*")
_FLOAT = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_SPECIAL = re.compile(r"\s*([+-]?)(inf|nan)", re.IGNORECASE)
_DATE = re.compile(
    r"\s*(?:(\d{4}|\d{2})-(\d{1,2})-(\d{1,2})|(\d{4})(\d{2})(\d{2}))"
    r"(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?)?"
    r"(?:Z|\s?[+-]\d{1,2}(?::?\d{2}){0,2})?\s*")
_FLOAT_MAX = 3.4028234663852886e38
_JSON_MAX = 16 << 20
_JSON_DEPTH = 1022              # the parser's 1024 without the array of rows and the row
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[0-9]{19}|[0-9][eE][+]?[0-9]{3}")
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NUMBERS = re.compile(rb"-?[0-9][0-9.eE+-]*")
_BRACKETS = re.compile(rb"[\[\]{}]")
_DECIMALS = Context(prec=120, rounding=ROUND_HALF_UP)
_format = msgspec.json.format
_decode = msgspec.json.decode


class Misfit(ValueError):
    """A value that its column cannot take."""


def _boolean(text):
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if _INT.fullmatch(text):
        return int(text) != 0
    raise Misfit("not a boolean")


def _integer(text, kind):
    if not _INT.fullmatch(text):
        raise Misfit("not an integer")
    low, high = INT_RANGES[kind.name]
    value = int(text)
    if not low <= value <= high:
        raise Misfit("out of range")
    return str(value) if kind.name == "LARGEINT" else value


def _double(text, kind):
    special = _SPECIAL.match(text)
    if special:
        return float(special.group(1) + special.group(2))
    if not _FLOAT.fullmatch(text):
        raise Misfit("not a number")
    value = float(text)
    if value in (float("inf"), float("-inf")) or (kind.name == "FLOAT" and abs(value) > _FLOAT_MAX):
        raise Misfit("out of range")
    return value


def _decimal(text, kind):
    if not _FLOAT.fullmatch(text):
        raise Misfit("not a number")
    try:
        number = Decimal(text.strip())
        if number.adjusted() > 60:
            raise Misfit("out of range")
        value = number.quantize(Decimal(1).scaleb(-kind.scale), context=_DECIMALS)
    except InvalidOperation:
        raise Misfit("out of range") from None
    if value.copy_abs() >= Decimal(10) ** (kind.precision - kind.scale):
        raise Misfit("out of range")
    return format(value, "f")


def days_from_civil(year, month, day):
    """Days since 1970-01-01; also for the year 0, which Python's date lacks."""
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def _split_date(text):
    """Days and microseconds of a date with an optional time; offsets are dropped."""
    match = _DATE.fullmatch(text)
    if not match:
        raise Misfit("not a date")
    year, month, day = (int(g) for g in (match.group(1, 2, 3) if match.group(1) else match.group(4, 5, 6)))
    if match.group(1) and len(match.group(1)) == 2:
        year += 2000 if year < 70 else 1900
    leap = calendar.isleap(year)
    if not 1 <= month <= 12 or not 1 <= day <= calendar.mdays[month] + (month == 2 and leap):
        raise Misfit("no such day")
    micros = 0
    if match.group(7):
        hour, minute, second = (int(g) for g in match.group(7, 8, 9))
        if hour > 23 or minute > 59 or second > 59:
            raise Misfit("no such time")
        fraction = (match.group(10) or "0")[:6].ljust(6, "0")
        micros = (hour * 3600 + minute * 60 + second) * 1000000 + int(fraction)
    return days_from_civil(year, month, day), micros


def _string(text, kind):
    if len(text) * 4 > kind.length and len(text.encode()) > kind.length:
        raise Misfit(f"String '{text[:64]}'(length={len(text.encode())}) is too long. "
                     f"The max length is {kind.length}")
    return text


def _json_number(text):
    """Integers of a document must be from -2^63 to 2^64-1, others be finite as DOUBLE."""
    if _INT.fullmatch(text):
        if not -2**63 <= int(text) < 2**64:
            raise Misfit("a number in the document is out of range")
    elif float(text) in (float("inf"), float("-inf")):
        raise Misfit("a number in the document is out of range")
    return 0


def _check_document(raw):
    """What only a parser that makes values of a document finds."""
    if len(raw) <= 2 * _JSON_DEPTH and not _SUSPECT.search(raw):
        return
    depth, deepest = 0, 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b'', raw)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > _JSON_DEPTH:
        raise Misfit("the document is nested too deeply")
    text = "".join(json.loads(string) for string in _STRINGS.findall(raw))
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise Misfit("a string in the document has an escape that is no character")
    for number in _NUMBERS.findall(_STRINGS.sub(b'""', raw)):
        _json_number(number.decode())


def _json_text(raw):
    if len(raw) > _JSON_MAX:
        raise Misfit("JSON value is too large")
    _check_document(raw)
    try:
        return _format(raw, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeError):
        raise Misfit("not JSON") from None


def _binary(raw, kind):
    if len(raw) > kind.byte_limit():
        raise Misfit(f"binary of {len(raw)} bytes is too long")
    return raw


def _csv_array(text, kind):
    """`[1,null,"a""b"]`: quotes are doubled inside, arrays may be nested."""
    value, end = _array_items(text, kind, 0)
    if text[end:].strip():
        raise Misfit("not an array")
    return value


_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,\[\]"]*))\s*')


def _array_items(text, kind, pos):
    if pos >= len(text) or text[pos] != "[":
        raise Misfit("not an array")
    items, pos = [], pos + 1
    if text[pos:pos + 1] == "]":
        return items, pos + 1
    while True:
        if kind.element.name == "ARRAY" and text[pos:pos + 1] == "[":
            item, pos = _array_items(text, kind.element, pos)
        else:
            match = _ITEM.match(text, pos)
            quoted, plain = match.group(1), match.group(2)
            pos = match.end()
            if quoted is None and plain.strip() == "null":
                item = None
            else:
                item = from_text(plain.strip() if quoted is None else quoted.replace('""', '"'), kind.element)
        items.append(item)
        if text[pos:pos + 1] == "]":
            return items, pos + 1
        if text[pos:pos + 1] != ",":
            raise Misfit("not an array")
        pos += 1


def from_text(text, kind):
    """The staged value of a text."""
    if text is None:
        return None
    name = kind.name
    if name in ("CHAR", "VARCHAR"):
        return _string(text, kind)
    if name in INT_RANGES:
        return _integer(text, kind)
    if name == "BOOLEAN":
        return _boolean(text)
    if name in ("FLOAT", "DOUBLE"):
        return _double(text, kind)
    if name == "DECIMAL":
        return _decimal(text, kind)
    if name in ("DATE", "DATETIME"):
        days, micros = _split_date(text)
        return days if name == "DATE" else days * 86400000000 + micros
    if name == "JSON":
        return _json_text(text.encode())
    if name == "ARRAY":
        return _csv_array(text, kind)
    return _binary(text.encode(), kind)


def token_text(token):
    """A scalar JSON token as text: strings unquoted, booleans as 1 and 0."""
    first = token[:1]
    if first == b'"':
        return _decode(token)
    if token == b"true":
        return "1"
    if token == b"false":
        return "0"
    if first in (b"{", b"["):
        return _format(token, indent=-1).decode()
    return token.decode()


def from_json(token, kind):
    """The staged value of a raw JSON token."""
    if token == b"null":
        return None
    name, first = kind.name, token[:1]
    if name == "JSON":
        return _json_text(token)
    if name == "ARRAY":
        if first != b"[":
            raise Misfit("not an array")
        return [from_json(bytes(item), kind.element) for item in _decode(token, type=list[msgspec.Raw])]
    if name in ("CHAR", "VARCHAR"):
        return _string(token_text(token), kind)
    if first in (b"{", b"["):
        raise Misfit("an object or array is no value of this type")
    if name == "VARBINARY":
        if first != b'"':
            raise Misfit("not a string")
        return _binary(_decode(token).encode(), kind)
    if name == "BOOLEAN":
        return _json_boolean(token)
    if token in (b"true", b"false"):
        raise Misfit("a boolean is no value of this type")
    text = token_text(token)
    if name in ("FLOAT", "DOUBLE") and first != b'"' and _INT.fullmatch(text):
        return _integer_as_float(text)
    if name in INT_RANGES and first != b'"' and not _INT.fullmatch(text):
        return _truncated(text, kind)
    return from_text(text, kind)


def _integer_as_float(text):
    """An integer is read as one first: -0 has no sign, and 64 bits must do."""
    if not -2**63 <= int(text) < 2**64:
        raise Misfit("out of range")
    return float(int(text))


def _json_boolean(token):
    if token in (b"true", b"false"):
        return token == b"true"
    if token[:1] == b'"':
        return _boolean(_decode(token))
    return float(token) != 0.0


def _truncated(text, kind):
    """A JSON number with a fraction loses it in an integer column."""
    number = Decimal(text)
    if number.adjusted() > 60:
        raise Misfit("out of range")
    return _integer(str(int(number)), kind)
