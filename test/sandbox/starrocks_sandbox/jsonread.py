"""A JSON body as columns.

Every field that a column needs is decoded once; values whose token text counts
(DECIMAL, JSON, ARRAY) are kept raw. A column with an unusual value is decoded a
second time with all its tokens raw, so 12.30 never becomes a double.
"""

import json
import re
from functools import lru_cache
from types import SimpleNamespace

import msgspec

from .columnar import RAW_TYPES, careful_json, fast_json, fast_tokens
from .convert import token_text
from .errors import LoadError

_NULL = msgspec.Raw(b"null")
_BLANK = b" \t\r\n\v\f"


@lru_cache(maxsize=512)
def _decoder(keys, raw):
    """A decoder for arrays of objects that reads only the given keys."""
    fields = [
        (f"f{i}", msgspec.Raw, _NULL) if i in raw else (f"f{i}", object, None)
        for i in range(len(keys))
    ]
    rename = {f"f{i}": key for i, key in enumerate(keys)}
    try:
        row = msgspec.defstruct("Row", fields, rename=rename, gc=False)
    except ValueError:
        return _SlowDecoder(keys, raw)
    return msgspec.json.Decoder(list[row])


class _SlowDecoder:
    """The same for names that msgspec cannot rename a field to (quotes, backslashes)."""

    def __init__(self, keys, raw):
        self.fields = [(f"f{i}", key, i in raw) for i, key in enumerate(keys)]
        self.objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])

    def decode(self, body):
        return [SimpleNamespace(**{name: self._value(row.get(key, _NULL), is_raw)
                                   for name, key, is_raw in self.fields})
                for row in self.objects.decode(body)]

    @staticmethod
    def _value(token, is_raw):
        return token if is_raw else msgspec.json.decode(token)


def _joined_objects(body):
    """Objects one after the other as one array."""
    try:
        rows = msgspec.json.Decoder(msgspec.Raw).decode_lines(body)
        return b"[" + b",".join(bytes(r) for r in rows) + b"]"
    except msgspec.DecodeError:
        pass
    text, pos, scan = body.decode(), 0, json.JSONDecoder(strict=False).raw_decode
    parts = []
    while pos < len(text):
        if text[pos].isspace():
            pos += 1
            continue
        try:
            _, end = scan(text, pos)
        except ValueError as why:
            raise LoadError(f"Failed to parse string to json. {why}") from None
        parts.append(text[pos:end])
        pos = end
    return ("[" + ",".join(parts) + "]").encode()


def _as_array(body, spec):
    """The body as one JSON array, after the checks of its outer form."""
    start = body.lstrip(_BLANK)[:1] if len(body) < 4096 else body[:4096].lstrip(_BLANK)[:1]
    if not start:
        return b"[]"
    if start not in (b"{", b"["):
        raise LoadError(f"illegal json started with {start.decode('latin-1')}")
    if spec.json_root:
        body = _rooted(body, spec.json_root)
        start = body[:1]
    if spec.strip_outer_array and start == b"{":
        raise LoadError("the value should be array type with strip_outer_array=true")
    if not spec.strip_outer_array and start == b"[":
        raise LoadError("The value is array type in json document stream, you can set "
                        "strip_outer_array=true to parse each element of the array as individual rows")
    return body if start == b"[" else _joined_objects(body)


def _steps(path):
    """`$.a.b[0]` as a list of keys and indexes."""
    match = re.fullmatch(r"\$((?:\.(?:\w+|\"[^\"]*\")|\[\d+\])*)", path.strip())
    if not match:
        raise LoadError(f"Invalid json path: {path}")
    found = re.findall(r"\.(?:(\w+)|\"([^\"]*)\")|\[(\d+)\]", match.group(1))
    return [int(index) if index else plain or quoted for plain, quoted, index in found]


def _walk(token, steps):
    for step in steps:
        try:
            if isinstance(step, int):
                token = bytes(msgspec.json.decode(token, type=list[msgspec.Raw])[step])
            else:
                token = bytes(msgspec.json.decode(token, type=dict[str, msgspec.Raw])[step])
        except (msgspec.ValidationError, IndexError, KeyError):
            return b"null"
    return token


def _rooted(body, root):
    try:
        return _walk(body.strip(_BLANK), _steps(root))
    except msgspec.DecodeError as why:
        raise LoadError(f"Failed to parse string to json. {why}") from None


class JsonSource:
    """The rows of a JSON body; columns are asked for one by one."""

    def __init__(self, body, spec, plan):
        self.body = _as_array(body, spec)
        self.paths = [_steps(p) for p in spec.jsonpaths] if spec.jsonpaths else None
        self.keys = tuple(plan.sources)
        if len(set(self.keys)) != len(self.keys):
            raise LoadError("Duplicate column name in columns header")
        wanted = {i: c.type for c, i in plan.direct}
        self.raw = frozenset(i for i, t in wanted.items() if t.name in RAW_TYPES)
        self.rejected = []
        self.tokens = {}
        if self.paths is None:
            self.rows = self._decode(self.raw)
        else:
            self.rows = self._decode_raw_rows()
        self.count = len(self.rows)

    def _decode(self, raw):
        try:
            return _decoder(self.keys, raw).decode(self.body)
        except msgspec.ValidationError as why:
            if "out of range" in str(why) and len(raw) < len(self.keys):
                self.raw = frozenset(range(len(self.keys)))
                return self._decode(self.raw)
            raise LoadError(f"Failed to iterate document stream as object. {why}") from None
        except (msgspec.DecodeError, UnicodeError) as why:
            raise LoadError(f"Failed to parse string to json. {why}") from None

    def _decode_raw_rows(self):
        try:
            return msgspec.json.decode(self.body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeError) as why:
            raise LoadError(f"Failed to parse string to json. {why}") from None

    def _tokens(self, index):
        """The raw tokens of a field."""
        if index in self.tokens:
            return self.tokens[index]
        if self.paths is not None:
            steps = self.paths[index] if index < len(self.paths) else None
            out = [b"null" if steps is None else _walk(bytes(row), steps) for row in self.rows]
        else:
            rows, name = self.rows, f"f{index}"
            if index not in self.raw:
                rows = self._decode(frozenset((index,)))
            out = [bytes(getattr(row, name)) for row in rows]
        self.tokens[index] = out
        return out

    def texts(self, index):
        """The field as VARCHAR text, for expressions."""
        if self.paths is None and index not in self.raw:
            values = [getattr(row, f"f{index}") for row in self.rows]
            if set(map(type, values)) <= {str, type(None)}:
                return values
        return [None if t == b"null" else token_text(t) for t in self._tokens(index)]

    def staged(self, index, kind):
        """(array, {row: (message, value)}) of a field for a column type."""
        if self.paths is None and index not in self.raw:
            name = f"f{index}"
            array = fast_json([getattr(row, name) for row in self.rows], kind)
            if array is not None:
                return array, {}
        tokens = self._tokens(index)
        array = fast_tokens(tokens, kind)
        return (array, {}) if array is not None else careful_json(tokens, kind)

    def row_text(self, row):
        rows = msgspec.json.decode(self.body, type=list[msgspec.Raw])
        return bytes(rows[row])[:1024].decode("utf-8", "replace")
