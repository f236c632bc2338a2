"""Rules 35 to 38: the JSON document and its mapping to columns."""

import json

import pytest


def fails(result, text):
    assert result["Status"] == "Fail" and text in result["Message"], result


ONE = b'{"id": 1, "n": 1}'


def test_rule_35_first_byte(t):
    fails(t.json(b'"id"'), 'illegal json started with "')
    fails(t.json(b"  id"), "illegal json started with i")


def test_rule_35_strip_outer_array_mismatch(t):
    fails(t.json(ONE), "the value should be array type with strip_outer_array=true")
    fails(t.json(b"[" + ONE + b"]", strip_outer_array="false"),
          "The value is array type in json document stream, you can set strip_outer_array=true")
    fails(t.json(b"[" + ONE + b"]", strip_outer_array="1"), "The value is array type")


@pytest.mark.parametrize("glue", [b"\n", b"", b" \n\n "])
def test_rule_35_objects_one_after_the_other(t, glue):
    body = glue.join([ONE, b'{"id":\n 2, "n": 2, "v": "}{"}', b'{"id": 3, "n": 3}'])
    assert t.json(body, strip_outer_array="false")["NumberLoadedRows"] == 3
    assert t.values("id", "v") == [(1, None), (2, "}{"), (3, None)]


@pytest.mark.parametrize("body", [
    b'[{"id": 1, "n": 1}, {"id": 2, "n": 2', b'[{"id": 1, "n": NaN}]', b'[{"id": 1, "n": 1,}]',
    b"[{'id': 1}]", b'[{"id": 1, "n": 1}] x', b'[{"id": 1, "n": 01}]', b'[{"id": 1, "n": 1}, {"id" 2}]'])
def test_rule_36_syntax_error_fails_the_whole_load(t, body):
    fails(t.json(body, max_filter_ratio="1"), "json")
    assert t.rows() == []


def test_rule_37_batch_size_by_content_length(t):
    from client import Wire, basic

    for ignore in (None, "true"):
        headers = {"format": "json", "Authorization": basic(), "Expect": "100-continue",
                   "Content-Length": "104857601"}
        if ignore:
            headers["ignore_json_size"] = ignore
        with Wire(t.box.be) as wire:
            wire.head("PUT", t.path(), headers)
            if ignore:
                assert wire.read_head()[0] == 100
                continue
            result = wire.read_answer().json()
            fails(result, "The size of this batch exceed the max size [104857600]  of json type data"
                          "  data [ 104857601 ]. Set ignore_json_size")


def test_rule_38_keys_are_case_sensitive(t):
    t.json([{"id": 1, "n": 1, "V": "x", "unknown": [1, {"v": 2}]}, {"id": 2, "n": 1, "v": None}])
    assert t.values("id", "v") == [(1, None), (2, None)]
    assert t.json([{"ID": 1, "n": 1}])["Status"] == "Fail"


def test_rule_38_missing_key_is_null_and_not_the_default(t):
    assert t.json([{"id": 1}])["Status"] == "Fail"
    assert t.json([{"id": 1}], columns="id")["Status"] == "Success"
    assert t.values("n") == [(7,)]


def test_rule_38_keys_with_escapes_and_unicode(make):
    t = make("CREATE TABLE t (id INT, `größe` INT) PRIMARY KEY (id)")
    t.json(json.dumps([{"id": 1, "größe": 5}]).encode())
    assert t.values("größe") == [(5,)]
    t.json(json.dumps([{"id": 1, "größe": 6}], ensure_ascii=False).encode(), columns="id,größe")
    assert t.values("größe") == [(6,)]


def test_rule_38_keys_with_quotes_and_backslashes(make):
    t = make('CREATE TABLE t (id INT, `we"ird` DECIMAL(5,2), `back\\slash` VARCHAR(9)) PRIMARY KEY (id)')
    result = t.json([{"id": 1, 'we"ird': 1.5, "back\\slash": "x"}, {"id": 2, "back\\slash": None}])
    assert result["Status"] == "Success"
    assert t.values('we"ird', "back\\slash") == [("1.50", "x"), (None, None)]
    assert t.json([{"id": "no number", "back\\slash": "y"}])["NumberFilteredRows"] == 1


def test_row_that_is_no_object(t):
    assert t.json(b'[{"id": 1, "n": 1}, 5]')["Status"] == "Fail"
    assert t.rows() == []


def test_many_rows_of_all_forms(t):
    """The fast way and the careful way give the same."""
    plain = [{"id": i, "v": f"v{i}", "n": i, "x": i / 4} for i in range(3000)]
    mixed = [{"id": str(i), "v": f"v{i}", "n": float(i), "x": str(i / 4)} for i in range(3000)]
    t.json(plain)
    first = t.rows()
    t.json(mixed)
    assert t.rows() == first and len(first) == 3000
