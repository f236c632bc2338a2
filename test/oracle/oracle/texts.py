"""Random texts: all planes of Unicode, what somebody must escape, empty and longest ones."""

import string

PLAIN = string.ascii_letters + string.digits + " _-.,:;"
ESCAPES = "'\"\\`/{}[](),;:$%&#?=<>|~^*\t\n\r\b\f\v\x01\x07\x1b\x1f\x7f"
LETTERS = "äöüßÉñçøåŁžđΩλПриветשלוםसंस्कृत中文字漢テスト한글ไทย"
ODD = "\u0000\u0085\u00a0\u00ad\u0300\u200b\u200d\u200e\u202e\u2028\u2029\ufeff\ufffd\ufffe\uffff\ue000"[1:]
WORDS = ["", "null", "NULL", "\\N", "NaN", "true", "0", "-0", "{}", "[]", '""', "''", " ", "  x  ", "\\", "\\\\", '"',
         "\\x41", "\\u0000", '{"__op":1}', "},{", "a\tb\nc", "%s", "$1", "e\u0301", "\U0001f600", "\U0010ffff", "\r\n"]


def _char(rng):
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(PLAIN)
    if kind < 0.65:
        return rng.choice(ESCAPES)
    if kind < 0.8:
        return rng.choice(LETTERS)
    if kind < 0.87:
        return rng.choice(ODD)
    code = rng.randrange(0x80, 0x10000) if kind < 0.93 else rng.randrange(0x10000, 0x110000)
    return chr(code) if not 0xD800 <= code <= 0xDFFF else "\ud7ff"


def chars(rng, count):
    return "".join(_char(rng) for _ in range(count))


def text(rng, longest=60):
    """At most 'longest' characters; the empty one and the longest more often than by chance."""
    kind = rng.random()
    if kind < 0.12:
        return rng.choice(WORDS)[:longest]
    if kind < 0.2:
        return chars(rng, longest)
    if kind < 0.6:
        return "".join(rng.choices(PLAIN, k=rng.randint(0, min(longest, 24))))
    return chars(rng, rng.randint(0, min(longest, 40)))


def large(rng, most=20000):
    """Long enough to be kept out of line; some can be compressed, some cannot."""
    size = rng.choice([2100, 3000, 9000, most])
    if rng.random() < 0.3:
        piece = chars(rng, 40)
        return (piece * (size // len(piece) + 1))[:size]
    # random letters, of which few are drawn one by one
    start = "%x" % rng.getrandbits(4 * size)
    cut = rng.randrange(len(start))
    return start[:cut] + chars(rng, 30) + start[cut:]


def xml(rng):
    def escape(value):
        value = "".join(c for c in value if c >= " " and c not in "\x7f\ufffe\uffff\r")
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return f'<a b="{escape(text(rng, 20))}">{escape(text(rng, 40))}<c/></a>'


def json(rng, depth=0):
    """The text of a JSON value, with white space and escapes as people write them."""
    kind = rng.random()
    blank = rng.choice(["", "", " ", "\n  "])
    if depth < 4 and kind < 0.35:
        keys = {_json_string(rng) for _ in range(rng.randint(0, 4))}
        items = [f"{key}{blank}:{blank}{json(rng, depth + 1)}" for key in sorted(keys)]
        return "{" + f",{blank}".join(items) + blank + "}"
    if depth < 4 and kind < 0.5:
        return f"[{blank}" + f",{blank}".join(json(rng, depth + 1) for _ in range(rng.randint(0, 4))) + "]"
    if kind < 0.52:
        deep = rng.randint(5, 60)
        return "[" * deep + "1" + "]" * deep
    if kind < 0.7:
        return _json_string(rng)
    if kind < 0.8:
        return rng.choice(["null", "true", "false"])
    return rng.choice(["0", "-1", "1.50", "1e3", "-2.5E-7", "18446744073709551615", "0.1", "1e15",
                       str(rng.randrange(-10**6, 10**6)), f"{rng.uniform(-1e6, 1e6):.3f}",
                       "123456789012345678901234567890.123456789"])


def _json_string(rng):
    out = []
    for char in text(rng, 12):
        if char in '"\\' or char < " ":
            out.append("\\u%04x" % ord(char) if rng.random() < 0.5 or char not in '"\\' else "\\" + char)
        elif ord(char) > 0xFFFF and rng.random() < 0.5:
            code = ord(char) - 0x10000
            out.append("\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF)))
        elif char == "/" and rng.random() < 0.5:
            out.append("\\/")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def quote_item(value):
    """An element of an array or composite, in quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
