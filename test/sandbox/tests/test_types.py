"""Rules 39 and 40: what each type takes, and what becomes of the rest."""

import json

import pytest

NULL = "null"


def make_one(make, kind, null="NULL"):
    return make(f"CREATE TABLE t (id INT, c {kind} {null}) PRIMARY KEY (id)")


def token_body(tokens):
    rows = ",".join(f'{{"id": {i}, "c": {t}}}' for i, t in enumerate(tokens))
    return f"[{rows}]".encode()


# (type, JSON token, canonical value)
GOOD = [
    ("BOOLEAN", "true", True), ("BOOLEAN", '"FALSE"', False), ("BOOLEAN", "0", False), ("BOOLEAN", "17", True),
    ("BOOLEAN", '"1"', True),
    ("TINYINT", "-128", -128), ("SMALLINT", "32767", 32767), ("INT", '" +12 "', 12), ("INT", "1.9", 1),
    ("INT", "-1.9", -1), ("INT", "1e3", 1000), ("BIGINT", "-9223372036854775808", -(2**63)),
    ("BIGINT", '"9223372036854775807"', 2**63 - 1),
    ("LARGEINT", "170141183460469231731687303715884105727", str(2**127 - 1)),
    ("LARGEINT", '"-170141183460469231731687303715884105728"', str(-(2**127))), ("LARGEINT", "5", "5"),
    ("FLOAT", "0.1", 0.1), ("FLOAT", '"1e10"', 1e10), ("DOUBLE", "0.1", 0.1), ("DOUBLE", "1", 1.0),
    ("DOUBLE", '"-1.5e-300"', -1.5e-300), ("DOUBLE", "-0.0", -0.0), ("DOUBLE", '"NaN"', "NaN"),
    ("DOUBLE", '"-Infinity"', "-Infinity"),
    ("DECIMAL(10,2)", "12.30", "12.30"), ("DECIMAL(10,2)", '"12.305"', "12.31"), ("DECIMAL(10,2)", "-12.304", "-12.30"),
    ("DECIMAL(10,2)", "1.5e3", "1500.00"), ("DECIMAL(10,2)", "99999999.99", "99999999.99"),
    ("DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    ("DECIMAL(3,3)", "0.125", "0.125"), ("DECIMAL(38,0)", '"' + "9" * 38 + '"', "9" * 38),
    ("DATE", '"2024-02-29"', "2024-02-29"), ("DATE", '"20240229"', "2024-02-29"), ("DATE", "20240229", "2024-02-29"),
    ("DATE", '"24-1-2"', "2024-01-02"), ("DATE", '"0000-01-01"', "0000-01-01"), ("DATE", '"9999-12-31"', "9999-12-31"),
    ("DATETIME", '"2024-01-01 10:00:00.123456"', "2024-01-01 10:00:00.123456"),
    ("DATETIME", '"2024-01-01T10:00:00.1Z"', "2024-01-01 10:00:00.100000"),
    ("DATETIME", '"2024-01-01"', "2024-01-01 00:00:00.000000"),
    ("DATETIME", '"2024-01-01 10:00:00.123456789"', "2024-01-01 10:00:00.123456"),
    ("DATETIME", '"0000-01-01 00:00:00"', "0000-01-01 00:00:00.000000"),
    ("DATETIME", '"9999-12-31 23:59:59.999999"', "9999-12-31 23:59:59.999999"),
    ("CHAR(3)", '"abc"', "abc"), ("VARCHAR(30)", '"a\\u00e9\\"\\n\\ud83d\\ude00"', 'aé"\n😀'),
    ("VARCHAR(30)", "12.30", "12.30"), ("VARCHAR(30)", "true", "1"), ("VARCHAR(30)", "false", "0"),
    ("VARCHAR(30)", '{"a": [1, 2]}', '{"a":[1,2]}'),
    ("VARCHAR(30)", "12345678901234567890123", "12345678901234567890123"),
    ("STRING", '""', ""),
    ("JSON", '{"b": 1.10, "a": [null, "x y"]}', '{"b":1.10,"a":[null,"x y"]}'), ("JSON", '"{}"', '"{}"'),
    ("JSON", "5", "5"), ("JSON", "[ ]", "[]"),
    ("JSON", "[18446744073709551615,-9223372036854775808,1e308]", "[18446744073709551615,-9223372036854775808,1e308]"),
    ("JSON", '"\\ud83d\\ude00 \\\\u0000 1e999"', '"\\ud83d\\ude00 \\\\u0000 1e999"'),
    ("JSON", "[" * 1022 + "]" * 1022, "[" * 1022 + "]" * 1022),
    ("DOUBLE", "-0.0", -0.0), ("FLOAT", "3.4028234663852886e+38", 3.4028235e38), ("DOUBLE", "5e-324", 5e-324),
    ("ARRAY<INT>", "[1, null, 3]", [1, None, 3]), ("ARRAY<INT>", "[]", []),
    ("ARRAY<VARCHAR(5)>", '["a", 1]', ["a", "1"]), ("ARRAY<DECIMAL(5,1)>", "[1.25, 1]", ["1.3", "1.0"]),
    ("ARRAY<ARRAY<DATE>>", '[["2024-01-01"], [], null]', [["2024-01-01"], [], None]),
    ("ARRAY<DATETIME>", '["2024-01-01 00:00:01"]', ["2024-01-01 00:00:01.000000"]),
    ("VARBINARY", '"a\\u00e9"', "61c3a9"), ("VARBINARY", '""', ""), ("VARBINARY(3)", '"abc"', "616263"),
]


@pytest.mark.parametrize("kind, token, value", GOOD)
def test_values_that_fit(make, kind, token, value):
    t = make_one(make, kind)
    result = t.json(token_body([token, NULL]))
    assert result["Status"] == "Success", t.errors(result)
    assert t.values("id", "c") == [(0, value), (1, None)]


# (type, JSON token): failures of the conversion
BAD = [
    ("BOOLEAN", '"t"'), ("BOOLEAN", '"f"'), ("BOOLEAN", '"yes"'), ("BOOLEAN", '""'), ("BOOLEAN", "[]"),
    ("TINYINT", "128"), ("SMALLINT", "-32769"), ("INT", "2147483648"), ("BIGINT", "9223372036854775808"),
    ("INT", "true"), ("INT", '"1.5"'), ("INT", '"x"'), ("INT", '""'), ("INT", "{}"), ("BIGINT", "1e300"),
    ("LARGEINT", "170141183460469231731687303715884105728"),
    ("FLOAT", "1e39"), ("FLOAT", '"1,5"'), ("DOUBLE", '"1e400"'), ("DOUBLE", "1e400"), ("DOUBLE", "true"),
    ("DECIMAL(10,2)", "100000000"), ("DECIMAL(10,2)", "99999999.995"), ("DECIMAL(10,2)", '"NaN"'),
    ("DECIMAL(10,2)", '"Infinity"'), ("DECIMAL(10,2)", '"1,5"'), ("DECIMAL(10,2)", "1e99999"),
    ("DECIMAL(3,3)", "1.000"),
    ("DATE", '"infinity"'), ("DATE", '"0044-03-15 BC"'), ("DATE", '"2024-02-30"'), ("DATE", '"10000-01-01"'),
    ("DATE", '"2023-02-29"'), ("DATE", '""'),
    ("DATETIME", '"2024-01-01 24:00:00"'), ("DATETIME", '"-infinity"'), ("DATETIME", '"0044-03-15 10:00:00 BC"'),
    ("DATETIME", '"2024-13-01 00:00:00"'), ("DATETIME", '"2024-01-01 10:60:00"'),
    ("FLOAT", "3.4028235e+38"), ("DOUBLE", "18446744073709551616"),
    ("JSON", "18446744073709551616"), ("JSON", "[1,-9223372036854775809]"), ("JSON", '{"a":1e400}'),
    ("JSON", '"\\u0000"'), ("JSON", '{"\\u0000":1}'),
    ("JSON", "[" * 1023 + "]" * 1023),
    ("ARRAY<INT>", '"[1]"'), ("ARRAY<INT>", '["x"]'), ("ARRAY<INT>", "{}"),
    ("VARBINARY", "5"), ("VARBINARY(3)", '"abcd"'),
]


@pytest.mark.parametrize("kind, token", BAD)
def test_rule_39_conversion_failure(make, kind, token):
    t = make_one(make, kind)
    result = t.json(token_body([token, NULL]), max_filter_ratio="0.5")
    assert (result["Status"], result["NumberFilteredRows"]) == ("Success", 1)
    assert t.values("id", "c") == [(1, None)]
    if "VARBINARY(3)" not in kind:
        result = t.json(token_body([token]), strict_mode="false")
        assert result["Status"] == "Success", result
        assert t.values("id", "c") == [(0, None), (1, None)]


@pytest.mark.parametrize("token", ['["\\ud800"]', '{"\\ude00\\ud83d":1}'])
def test_rule_36_half_of_a_surrogate_pair(make, token):
    t = make_one(make, "JSON")
    assert t.json(token_body([token, NULL]))["Status"] == "Fail"
    assert t.values("id", "c") == []


def test_an_integer_minus_zero_has_no_sign(make):
    t = make_one(make, "DOUBLE")
    assert t.json(token_body(["-0", "-0.0", NULL]))["Status"] == "Success"
    assert [str(v) for _, v in t.values("id", "c")] == ["0.0", "-0.0", "None"]


def test_rule_39_not_null_column_filters_in_both_modes(make):
    t = make_one(make, "INT", "NOT NULL")
    for strict in ("true", "false"):
        result = t.json(token_body(['"x"', "1"]), strict_mode=strict)
        assert (result["Status"], result["NumberFilteredRows"]) == ("Fail", 1)


@pytest.mark.parametrize("kind, text, value", [
    ("BOOLEAN", "True", True), ("INT", " -5 ", -5), ("DOUBLE", "inf", "Infinity"), ("DECIMAL(5,1)", "1.25", "1.3"),
    ("DATETIME", "2024-01-01 10:00:00+08", "2024-01-01 10:00:00.000000"), ("JSON", '{"a": 1}', '{"a":1}'),
    ("BOOLEAN", "t", None), ("INT", "1.5", None), ("DATE", "infinity", None), ("DECIMAL(5,1)", "NaN", None)])
def test_rule_39_csv(make, kind, text, value):
    t = make_one(make, kind)
    assert t.csv(f"1\t{text}\n")["Status"] == "Success"
    assert t.values("c") == [(value,)]
    assert t.csv(f"1\t{text}\n", strict_mode="true")["Status"] == ("Fail" if value is None else "Success")


def test_rule_39_message_of_a_decimal(make):
    t = make_one(make, "DECIMAL(10,2)")
    result = t.json(token_body(["123456789.5"]))
    assert "Decimal '123456789.5' is out of range. The type of 'c' is decimal(10, 2)" in t.errors(result)


@pytest.mark.parametrize("suffix", ["+08", "+00:00", "-03:30", "Z", " +05:30:10"])
def test_rule_40_offset_is_dropped(make, suffix):
    t = make_one(make, "DATETIME")
    t.json(token_body([json.dumps("2024-01-01 10:00:00.5" + suffix)]), headers={"timezone": "Asia/Tokyo"})
    assert t.values("c") == [("2024-01-01 10:00:00.500000",)]


@pytest.mark.parametrize("kind, texts", [
    ("BOOLEAN", ["t", "f"]), ("DATETIME", ["2024-01-01 24:00:00", "infinity", "0044-03-15 00:00:00 BC"]),
    ("DATE", ["-infinity", "0044-03-15 BC"])])
def test_rule_40_forms_of_postgresql_that_fail(make, kind, texts):
    t = make_one(make, kind)
    for text in texts:
        assert t.json(token_body([json.dumps(text)]))["Status"] == "Fail"


@pytest.mark.parametrize("form, texts, values", [
    ("hex", ["00FFab", "", "zz", "abc", None], ["00ffab", "", "", "", None]),
    ("encode64", ["AP+r", "", "*", None], ["00ffab", "", "", None]),
    ("utf8", ["é"], ["c3a9"])])
def test_to_binary(make, form, texts, values):
    t = make_one(make, "VARBINARY")
    rows = [{"id": i, "c": text} for i, text in enumerate(texts)]
    assert t.json(rows, columns=f"id,c,c=to_binary(c,'{form}')")["Status"] == "Success"
    assert [v for (v,) in t.values("c")] == values


def test_defaults_of_all_kinds(make):
    t = make("""CREATE TABLE t (id INT, a DECIMAL(5,2) NOT NULL DEFAULT '1.5', b DATETIME DEFAULT CURRENT_TIMESTAMP,
        c VARCHAR(9) DEFAULT 'it''s', d BOOLEAN DEFAULT 'true', e DATE DEFAULT '2024-01-01') PRIMARY KEY (id)""")
    t.json([{"id": 1}], columns="id")
    row = t.rows()[0]
    assert (row["a"], row["c"], row["d"], row["e"]) == ("1.50", "it's", True, "2024-01-01")
    assert row["b"] > "2024"
    t.json([{"id": 2, "a": 1}])
    assert t.rows()[1]["c"] is None


@pytest.mark.parametrize("kind", ["DECIMAL(10,2)", "DOUBLE", "JSON", "VARBINARY", "ARRAY<INT>", "FLOAT"])
def test_types_that_are_no_key(box, make, kind):
    with pytest.raises(Exception, match="key column"):
        make(f"CREATE TABLE t (k {kind}) PRIMARY KEY (k)")


@pytest.mark.parametrize("kind, keys", [
    ("BOOLEAN", ["false", "true"]), ("LARGEINT", ["-5", "170141183460469231731687303715884105727"]),
    ("DATE", ['"0000-01-01"', '"2024-01-01"']), ("CHAR(3)", ['"B"', '"a"']),
    ("DATETIME", ['"2024-01-01 00:00:00"', '"2024-01-01 00:00:00.000001"'])])
def test_types_of_keys(make, kind, keys):
    t = make(f"CREATE TABLE t (k {kind}, v INT) PRIMARY KEY (k)")
    for value in (1, 2):
        rows = ",".join(f'{{"k": {k}, "v": {value}}}' for k in reversed(keys))
        assert t.json(f"[{rows}]".encode())["Status"] == "Success"
    assert [r["v"] for r in t.rows()] == [2, 2]
    order = [r["k"] for r in t.rows()]
    body = f'[{{"k": {keys[0]}, "v": 0, "__op": 1}}]'.encode()
    assert t.json(body)["Status"] == "Success"
    assert [r["k"] for r in t.rows()] == order[1:]
