"""The type matrix: for each type random values, extreme ones, and keys.

A Type has the text that declares it, make(rng) for the text of a value, and, if it can be a key,
key(i) for the i-th of at most 'keys' different ones.
"""

import datetime
import ipaddress
import math
import struct
import uuid
from dataclasses import dataclass
from typing import Callable

from . import texts


@dataclass
class Type:
    sql: str
    make: Callable
    key: Callable | None = None
    keys: int = 1 << 15                 # how many different ones key() has
    odd: Callable | None = None         # values that the target cannot hold
    large: bool = False                 # values are kept out of line
    hashable: bool = True
    element: bool = True                # there are arrays of it
    delimiter: str = ","                # between elements of those
    respell: Callable | None = None     # another text of an equal key


def _one_of(*values):
    return lambda rng: rng.choice(values)


def _mostly(func, *extremes):
    return lambda rng: rng.choice(extremes) if rng.random() < 0.3 else func(rng)


def _integer(low, high):
    return _mostly(lambda rng: str(rng.randint(low, high)), str(low), str(high), "0", "-1" if low < 0 else "1")


def _float8(rng):
    while True:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if math.isfinite(value):
            return repr(value)


def _float4(rng):
    while True:
        value = struct.unpack("<f", rng.randbytes(4))[0]
        if math.isfinite(value):
            return repr(value)


def _digits(rng, count):
    return str(rng.randrange(10 ** count)) if count else "0"


def numeric(precision, scale):
    def make(rng):
        whole = _digits(rng, rng.randint(0, precision - scale))
        sign = rng.choice(["", "-"])
        return sign + whole + ("." + _digits(rng, scale).zfill(scale)[:rng.randint(1, scale)] if scale else "")
    nines = "9" * (precision - scale) + ("." + "9" * scale if scale else "")
    tiny = "0." + "0" * (scale - 1) + "1" if scale else "1"
    return Type(f"numeric({precision},{scale})", _mostly(make, nines, "-" + nines, tiny, "-" + tiny, "0"),
                key=lambda i: str(i) if not scale else f"{i / 10:.1f}",
                keys=min(1 << 15, 10 ** (precision - scale)), odd=_one_of("NaN"))


def _numeric_any(rng):
    kind = rng.random()
    if kind < 0.1:
        return _digits(rng, 900) + "." + _digits(rng, 90)
    if kind < 0.3:
        return f"{rng.randrange(1, 10**9)}e{rng.randint(-100, 100)}"
    return rng.choice(["", "-"]) + _digits(rng, rng.randint(1, 40)) + "." + _digits(rng, rng.randint(1, 20))


_DAY0 = datetime.date(2000, 1, 1)


def _date(rng):
    return datetime.date.fromordinal(rng.randint(1, 3652059)).isoformat()


def _time(rng):
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}" + _fraction(rng)


def _fraction(rng):
    return rng.choice(["", f".{rng.randrange(10**6):06}", ".5", ".000001", ".100000"])


def _stamp(rng):
    return f"{_date(rng)} {_time(rng)}"


def _zone(rng):
    return f"{rng.choice('+-')}{rng.randrange(13):02}:{rng.choice(['00', '30', '45'])}"


def _stamptz(rng):
    # a day from the ends, so that no zone leads out of what the target can hold
    return f"{datetime.date.fromordinal(rng.randint(3, 3652057)).isoformat()} {_time(rng)}{_zone(rng)}"


def _interval(rng):
    return (f"{rng.randint(-1000, 1000)} years {rng.randint(-30, 30)} mons {rng.randint(-400, 400)} days "
            f"{rng.choice(['', '-'])}{_time(rng)}")


def _stamp_key(i):
    return f"{_DAY0 + datetime.timedelta(days=i % 3000)} {i % 24:02}:00:{i % 60:02}.{i:06}"


def _bits(rng, count):
    return "".join(rng.choices("01", k=count))


def _bytes(rng, most=60):
    return "\\x" + rng.randbytes(rng.choice([0, 1, rng.randint(0, most)])).hex()


def _inet(rng):
    if rng.random() < 0.5:
        return f"{ipaddress.IPv4Address(rng.getrandbits(32))}/{rng.randint(0, 32)}"
    return f"{ipaddress.IPv6Address(rng.getrandbits(128))}/{rng.randint(0, 128)}"


def _cidr(rng):
    return str(ipaddress.ip_network(_inet(rng), strict=False))


def _point(rng):
    return f"({rng.choice([0, 1.5, -2, rng.uniform(-1e6, 1e6)])},{rng.choice([0, 1e-300, rng.uniform(-1, 1)])})"


def _points(count):
    return lambda rng: "(" + ",".join(_point(rng) for _ in range(count)) + ")"


def _path(rng):
    return rng.choice(["[{}]", "({})"]).format(",".join(_point(rng) for _ in range(3)))


def _tsvector(rng):
    words = {"".join(rng.choices("abcdefghäö'", k=rng.randint(1, 6))) for _ in range(rng.randint(0, 6))}
    return " ".join("'" + word.replace("'", "''") + "'" + rng.choice(["", ":1", ":3A,7B", ":16383"])
                    for word in sorted(words))


def _range(make, sort):
    """Ranges of all forms; bounds are made in order."""
    def one(rng):
        if rng.random() < 0.15:
            return "empty"
        low, high = sorted([make(rng), make(rng)], key=sort)
        if rng.random() < 0.2:
            low = ""
        if rng.random() < 0.2:
            high = ""
        return rng.choice("[(") + (f'"{low}"' if low else "") + "," + (f'"{high}"' if high else "") + rng.choice("])")
    return one


def _multirange(one):
    return lambda rng: "{" + ",".join(one(rng) for _ in range(rng.randint(0, 3))) + "}"


def _hstore(rng):
    pairs = {texts.text(rng, 8): texts.text(rng, 12) for _ in range(rng.randint(0, 4))}
    return ", ".join(f"{texts.quote_item(k)}=>{'NULL' if rng.random() < 0.2 else texts.quote_item(v)}"
                     for k, v in pairs.items())


def _numbers():
    small = lambda rng: str(rng.randint(-10**6, 10**6))
    return [
        Type("boolean", _one_of("t", "f"), key=lambda i: "tf"[i], keys=2),
        Type("smallint", _integer(-2**15, 2**15 - 1), key=lambda i: str(i - 16384), keys=1 << 15),
        Type("integer", _integer(-2**31, 2**31 - 1), key=lambda i: str(i * 131 - 70000)),
        Type("bigint", _integer(-2**63, 2**63 - 1), key=lambda i: str((i - 100) * 2**40 + i)),
        Type("oid", _integer(0, 2**32 - 1), key=lambda i: str(2**32 - 1 - i)),
        Type("real", _mostly(_float4, "0", "-0", "1e-45", "3.4028235e38", "0.1", "16777217"),
             odd=_one_of("NaN", "Infinity", "-Infinity"), key=lambda i: f"{i}.25"),
        Type("double precision",
             _mostly(_float8, "0", "-0", "5e-324", "1.7976931348623157e308", "0.1", "9007199254740993", "1e23"),
             odd=_one_of("NaN", "Infinity", "-Infinity"), key=lambda i: f"{i / 8!r}e-5"),
        Type("numeric", _mostly(_numeric_any, "0", "0.00", "1.10", "1e-100", "-1e100"), key=lambda i: f"{i}.0",
             odd=_one_of("NaN", "Infinity", "-Infinity"), respell=lambda i: f"{i}.00"),
        numeric(5, 2), numeric(10, 0), numeric(18, 18), numeric(38, 10), numeric(38, 0), numeric(39, 3),
        numeric(100, 50),
        Type("numeric(3,5)", lambda rng: f"{rng.choice(['', '-'])}0.00{rng.randrange(1000):03}"),
        # 999950 would be rounded to 10^6, which is out of its range
        Type("numeric(4,-2)", _integer(-999949, 999949), key=lambda i: str(i * 100), keys=9000),
        Type("money", _mostly(small, "-92233720368547758.08", "92233720368547758.07", "0.01"), key=lambda i: str(i),
             hashable=False),
        Type("int4range", _range(small, float), key=lambda i: f"[{i},{i + 5})"),
        Type("int8range", _range(_integer(-2**62, 2**62), float)), Type("numrange", _range(small, float)),
        Type("int8multirange", _multirange(_range(small, float))),
        Type("int4multirange", _multirange(_range(small, float))),
        Type("nummultirange", _multirange(_range(small, float))),
        Type("xid", _integer(0, 2**32 - 1), hashable=True), Type("xid8", _integer(0, 2**64 - 1)),
        Type("pg_lsn", _one_of("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"), key=lambda i: f"{i:X}/{i * 3:X}"),
        Type("tid", lambda rng: f"({rng.randrange(1000)},{rng.randrange(200)})"),
        Type("oidvector", lambda rng: " ".join(_digits(rng, 5) for _ in range(rng.randint(0, 5))), element=False),
        Type("int2vector", lambda rng: " ".join(_digits(rng, 4) for _ in range(rng.randint(0, 5))), element=False),
    ]


_ODD_JSON = ['"a\\u0000b"', '{"\\ud800": "\\udc00x"}', '[1, "\\ud83dx\\ude00"]', '{"a": 1e400}']
_ODD_JSONB = ["12345678901234567890123", '{"n": [-9223372036854775809]}', "18446744073709551616", '[1e400, "x"]']


def _strings():
    def sized(declared, longest):
        return Type(f"{declared}({longest})", lambda rng: texts.text(rng, longest),
                    key=lambda i: f"{i}"[:longest], keys=min(1 << 15, 10 ** longest))
    word = lambda i: f"k\U0001f600é\"\\{i}"
    return [
        Type("text", texts.text, key=word), Type("varchar", texts.text, key=lambda i: f"'{i}\t"),
        sized("varchar", 1), sized("varchar", 40), sized("varchar", 3000),
        sized("char", 1), sized("char", 20), sized("char", 7), Type("bpchar", texts.text),
        Type("name", lambda rng: texts.text(rng, 15), key=lambda i: f"Name {i}"),
        Type('"char"', lambda rng: rng.choice(" azAZ09'\"\\~{"), key=lambda i: chr(65 + i), keys=26),
        Type("uuid", lambda rng: str(uuid.UUID(int=rng.getrandbits(128))),
             key=lambda i: str(uuid.uuid5(uuid.NAMESPACE_URL, str(i)))),
        Type("bytea", _bytes, key=lambda i: f"\\x00ff{i:04x}"),
        Type("xml", texts.xml, hashable=False),
        Type("json", texts.json, odd=_one_of(*_ODD_JSON, *_ODD_JSONB), hashable=False),
        Type("jsonb", texts.json, odd=_one_of(*_ODD_JSONB)),
        Type("bit", _one_of("0", "1"), hashable=False),
        Type("bit(8)", lambda rng: _bits(rng, 8), key=lambda i: f"{i:08b}", keys=256, hashable=False),
        Type("bit varying(70)", lambda rng: _bits(rng, rng.randint(0, 70)), key=lambda i: f"{i:b}", hashable=False),
        Type("varbit", lambda rng: _bits(rng, rng.randint(0, 200)), hashable=False),
        Type("inet", _inet, key=lambda i: str(ipaddress.IPv4Address(2**31 + i))),
        Type("cidr", _cidr, key=lambda i: f"{ipaddress.IPv6Address(2**120 + i)}/128"),
        Type("macaddr", lambda rng: rng.randbytes(6).hex(":"),
             key=lambda i: f"08:00:2b:01:{i >> 8:02x}:{i & 255:02x}"),
        Type("macaddr8", lambda rng: rng.randbytes(8).hex(":")),
        Type("tsvector", _tsvector, hashable=False),
        Type("tsquery", _one_of("'a' & !'b'", "'x':*AB | 'y'", "", "'ä' <-> 'ö' <2> 'z'"), hashable=False),
        Type("jsonpath", _one_of("$", "$.a[*] ? (@ > 5)", "strict $.\"b c\".**"), hashable=False),
        Type("regtype", _one_of("integer", "text[]", "timestamp with time zone", "0")),
        Type("pg_snapshot", _one_of("10:20:10,14,15", "1:1:")),
    ]


def _times():
    far = _one_of("infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "5874897-12-31")
    far_stamp = _one_of("infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01 00:00:00",
                        "294276-12-30 12:00:00.5")
    day = lambda i: str(_DAY0 + datetime.timedelta(days=i))
    first, last = "0001-01-01", "9999-12-31"
    return [
        Type("date", _mostly(_date, first, last, "2024-02-29"), key=day, odd=far),
        Type("timestamp", _mostly(_stamp, first, last + " 23:59:59.999999", "1970-01-01 00:00:00"),
             key=_stamp_key, odd=far_stamp),
        Type("timestamp(3)", _mostly(lambda rng: _stamptz(rng)[:19] + ".5009", first), odd=far_stamp),
        Type("timestamptz", _mostly(_stamptz, first + " 00:00+00", last + " 23:59:59.999999+00",
                                    "2024-03-31 01:30:00+00"), key=lambda i: _stamp_key(i) + "+00", odd=far_stamp),
        Type("timestamptz(0)", lambda rng: _stamptz(rng), odd=far_stamp),
        Type("time", _mostly(_time, "24:00:00", "00:00:00"), key=lambda i: f"{i % 24:02}:00:00.{i:06}"),
        Type("time(2)", _time),
        Type("timetz", _mostly(lambda rng: _time(rng) + _zone(rng), "24:00:00-15:59", "00:00:00+15:59"),
             key=lambda i: f"{i % 24:02}:00:00.{i:06}+05:30"),
        Type("interval", _mostly(_interval, "0", "-178000000 years", "178000000 years", "-1 day +23:59:59.999999"),
             key=lambda i: f"{i} days"),
        Type("interval day to second(3)", lambda rng: f"{rng.randint(-9, 9)} days {_time(rng)}"),
        Type("daterange", _range(_date, str)), Type("tsrange", _range(_stamp, str)),
        Type("tstzrange", _range(lambda rng: _stamp(rng) + "+00", str)),
        Type("datemultirange", _multirange(_range(_date, str))),
        Type("tsmultirange", _multirange(_range(_stamp, str))),
        Type("tstzmultirange", _multirange(_range(lambda rng: _stamp(rng) + "+00", str))),
        Type("timestamp(0)", lambda rng: _stamptz(rng)[:19], odd=far_stamp),
        Type("timetz(3)", lambda rng: _time(rng) + _zone(rng)),
        Type("interval year to month", lambda rng: f"{rng.randint(-900, 900)} years {rng.randint(0, 11)} mons"),
    ]


def _shapes():
    return [
        Type("point", _point, hashable=False), Type("box", _points(2), hashable=False, delimiter=";"),
        Type("lseg", lambda rng: f"[{_point(rng)},{_point(rng)}]", hashable=False),
        Type("polygon", _points(4), hashable=False), Type("path", _path, hashable=False),
        Type("line", lambda rng: f"{{{rng.randint(1, 9)},{rng.uniform(-5, 5)},{rng.randint(0, 3)}}}", hashable=False),
        Type("circle", lambda rng: f"<{_point(rng)},{rng.randint(0, 50)}>", hashable=False),
    ]


def large_types():
    """Values that PostgreSQL keeps out of line."""
    return [
        Type("text", texts.large, large=True), Type("varchar", texts.large, large=True),
        Type("bytea", lambda rng: "\\x" + rng.randbytes(rng.choice([2500, 9000])).hex(), large=True),
        Type("jsonb", lambda rng: '{"n": 1, "big": "%x"}' % rng.getrandbits(rng.choice([12000, 48000])), large=True),
        Type("text[]", lambda rng: "{" + ",".join("%x" % rng.getrandbits(4000) for _ in range(9)) + "}", large=True),
        Type("numeric(1000,0)", lambda rng: _digits(rng, 1000)),
    ]


def basic():
    return _numbers() + _strings() + _times() + _shapes()


def array_of(element):
    """One and more dimensions, own lower bounds, NULL, empty.  Arrays of domains over it have its delimiter, too."""
    between = element.delimiter

    def items(rng, count):
        return "{" + between.join("NULL" if rng.random() < 0.15 else texts.quote_item(element.make(rng))
                                  for _ in range(count)) + "}"

    def make(rng):
        kind = rng.random()
        if kind < 0.15:
            return "{}"
        count = rng.randint(1, 5)
        if kind < 0.3:
            return "{" + between.join(items(rng, count) for _ in range(rng.randint(1, 3))) + "}"
        if kind < 0.45:
            low = rng.randint(-3, 9)
            return f"[{low}:{low + count - 1}]={items(rng, count)}"
        return items(rng, count)
    key = None
    if element.key and element.hashable:
        key = lambda i: "{" + texts.quote_item(element.key(i)) + "}"
    return Type(element.sql + "[]", make, key=key, keys=element.keys, hashable=element.hashable, delimiter=between)


def composite(sql, members):
    def make(rng):
        items = ("" if rng.random() < 0.2 else texts.quote_item(member.make(rng)) for member in members)
        return "(" + ",".join(items) + ")"
    return Type(sql, make, hashable=all(m.hashable for m in members))


def own_range():
    """Statement and types: a range of texts, and its multirange."""
    word = lambda rng: "".join(rng.choices("abÄ\u65e5 z", k=rng.randint(1, 5)))
    one = _range(word, str.encode)
    return ('CREATE TYPE public.span AS RANGE (subtype = text, collation = "C", multirange_type_name = public.spans)',
            [Type("public.span", one, hashable=False), Type("public.spans", _multirange(one), hashable=False)])


def _cube(rng):
    return ",".join(f"({rng.randint(-9, 9)}, {rng.uniform(-9, 9)})" for _ in range(rng.randint(1, 2)))


def extensions():
    labels = lambda rng: ".".join(rng.choices(["Top", "a_1", "Z9"], k=rng.randint(0, 5)))
    return {
        "ltree": Type("public.ltree", labels, hashable=False),
        "cube": Type("public.cube", _cube, hashable=False),
        "hstore": Type("public.hstore", _hstore),
        "citext": Type("public.citext", texts.text, key=lambda i: f"Cit{i}", respell=lambda i: f"cIT{i}"),
    }
