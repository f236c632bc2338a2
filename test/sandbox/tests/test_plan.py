"""Rules 20 to 26: unknown tables, headers, columns, partial update, operations."""

import json

import pytest

ROW = [{"id": 1, "v": "a", "n": 1}]


def fails(result, text):
    assert result["Status"] == "Fail", result
    assert text in result["Message"], result


def test_rule_20_unknown_table_and_database(t):
    fails(t.json(ROW, table="nowhere"), f'unknown table "{t.db}.nowhere"')
    t.db = "nodb"
    fails(t.json(ROW), "unknown database, database=nodb")


def test_rule_20_table_names_are_case_sensitive(t):
    fails(t.json(ROW, table="T"), "unknown table")


@pytest.mark.parametrize("header, value, text", [
    ("format", "xml", "unknown data format, format=xml"),
    ("strict_mode", "yes", "Invalid strict mode format. Must be bool type"),
    ("partial_update", "1", "Invalid partial update flag format. Must be bool type"),
    ("trim_space", "x", "Invalid trim space format. Must be bool type"),
    ("timeout", "0", "Invalid timeout format"),
    ("timeout", "259201", "Invalid timeout format"),
    ("timeout", "ten", "Invalid timeout format"),
    ("max_filter_ratio", "1.5", "ratio"),
    ("max_filter_ratio", "x", "ratio"),
    ("skip_header", "-1", "skip header"),
    ("log_rejected_record_num", "-2", "log_rejected_record_num"),
    ("load_mem_limit", "-1", "load mem limit"),
    ("compression", "rar", "Unsupported compression type: rar"),
    ("column_separator", "\\x0", "column_separator"),
    ("row_delimiter", "x" * 51, "row_delimiter"),
    ("jsonpaths", "{", "Invalid json path"),
])
def test_rule_21_bad_header_values(t, header, value, text):
    fails(t.json(ROW, headers={header: value}), text)
    assert t.rows() == []


def test_rule_21_two_compressions(t):
    fails(t.json(ROW, headers={"compression": "gzip", "Content-Encoding": "gzip"}),
          "Only one of http header content-encoding and compression can be set")


def test_rule_21_negative_load_of_a_primary_key_table(t):
    fails(t.json(ROW, negative="true"), "Primary key table does not support negative load")


def test_rule_21_values_in_any_case(t):
    assert t.json(ROW, headers={"format": "JSON", "strict_mode": "TRUE"})["Status"] == "Success"


@pytest.mark.parametrize("partial", [None, "true"])
def test_rule_22_unknown_names_are_dropped_silently(t, partial):
    row = {"id": 1, "v": "a", "n": 1, "new_column": 5, "other": {"deep": [1]}}
    result = t.json([row], columns="id,v,n,new_column", partial_update=partial)
    assert result["Status"] == "Success"
    assert t.values("id", "v", "n") == [(1, "a", 1)]


def test_rule_22_unknown_name_in_csv(t):
    assert t.csv("1\tjunk\ta\n", columns="id,junk,v")["Status"] == "Success"
    assert t.values("id", "v", "n") == [(1, "a", 7)]


def test_rule_22_column_names_in_any_case_and_backticks(t):
    assert t.json([{"ID": 1, "V": "a"}], columns="`ID`, `V`")["Status"] == "Success"
    assert t.values("id", "v") == [(1, "a")]


def test_rule_22_backticks_within_backticks(make):
    t = make("CREATE TABLE t (id INT NOT NULL, `a``,b` INT) PRIMARY KEY (id)")
    assert t.json([{"id": 1, "a`,b": 2}], columns="id, `a``,b`")["Status"] == "Success"
    assert t.values("id", "a`,b") == [(1, 2)]
    fails(t.json([{"id": 1}], columns="id, `a``"), "parse columns header failed: `a``")


def test_names_with_quotes_and_backslashes(make):
    t = make(r'CREATE TABLE t (id INT NOT NULL, `q"u` STRING, `b\s` DECIMAL(10,2)) PRIMARY KEY (id)')
    rows = [{"id": 1, 'q"u': "x", "b\\s": 1.5}, {"id": 2, "b\\s": "2.25"}]
    assert t.json(rows, columns='`id`,`q"u`,`b\\s`')["Status"] == "Success"
    assert t.values("id", 'q"u', "b\\s") == [(1, "x", "1.50"), (2, None, "2.25")]


def test_the_name_of_the_operation_is_reserved(make):
    for name in ("__op", "__OP"):
        with pytest.raises(Exception, match="system reserved name"):
            make(f"CREATE TABLE t (id INT NOT NULL, `{name}` INT) PRIMARY KEY (id)")


def test_rule_23_omitted_column_without_default(make):
    t = make("CREATE TABLE t (id INT NOT NULL, a INT NOT NULL, b INT, c INT NOT NULL DEFAULT '3') PRIMARY KEY (id)")
    fails(t.json([{"id": 1}], columns="id,b"), "Column has no default value. column: a")
    fails(t.json([{"a": 1}], columns="a"), "Column has no default value. column: id")
    assert t.json([{"id": 1, "a": 2}], columns="id,a")["Status"] == "Success"
    assert t.values("id", "a", "b", "c") == [(1, 2, None, 3)]


def test_rule_24_partial_update_without_a_key_column(make):
    t = make("CREATE TABLE t (a INT, b INT, c INT) PRIMARY KEY (a, b)")
    fails(t.json([{"a": 1, "c": 1}], columns="a,c", partial_update="true"),
          "key column b not in partial update columns")


def test_partial_update_of_rows_that_exist_and_do_not(t):
    t.json([{"id": 1, "v": "a", "n": 1, "x": 1.5}])
    result = t.json([{"id": 1, "v": "b"}, {"id": 2, "v": "c"}], columns="id,v", partial_update="true")
    assert result["Status"] == "Success"
    assert t.values("id", "v", "n", "x") == [(1, "b", 1, 1.5), (2, "c", 7, None)]


def test_partial_update_overwrites_with_null_for_a_missing_key(t):
    t.json([{"id": 1, "v": "a", "n": 1, "x": 1.5}])
    t.json([{"id": 1, "x": 2}], columns="id,v,x", partial_update="true")
    assert t.values("v", "n", "x") == [(None, 1, 2.0)]


def test_partial_update_fills_not_null_columns_of_a_new_row(make):
    t = make("CREATE TABLE t (id INT, s VARCHAR(5) NOT NULL, i INT NOT NULL, v INT) PRIMARY KEY (id)")
    assert t.json([{"id": 1, "v": 2}], columns="id,v", partial_update="true")["Status"] == "Success"
    assert t.values("id", "s", "i", "v") == [(1, "", 0, 2)]


def test_partial_update_with_deletes(t):
    t.json([{"id": i, "v": "a", "n": 1} for i in (1, 2)])
    rows = [{"id": 1, "__op": 1}, {"id": 2, "v": "b", "__op": 0}]
    assert t.json(rows, columns="id,v,__op", partial_update="true")["NumberLoadedRows"] == 2
    assert t.values("id", "v", "n") == [(2, "b", 1)]


def test_rule_25_not_a_primary_key_table(make):
    t = make("CREATE TABLE t (id INT, v INT) DUPLICATE KEY (id)")
    fails(t.json([{"id": 1}], columns="id", partial_update="true"),
          "Only primary key table support partial update")
    fails(t.json([{"id": 1}], columns="id,__op"), "__op")
    fails(t.csv("1\n", columns="id,__op='delete'"), "__op")
    assert t.json([{"id": 1, "__op": 1}, {"id": 1}])["Status"] == "Success"
    assert t.values("id") == [(1,), (1,)]


def test_rule_26_csv_operations(t):
    t.csv("1\ta\n2\tb\n3\tc\n", columns="id,v")
    assert [r["id"] for r in t.rows()] == [1, 2, 3]
    t.csv("1\tz\t0\n2\tz\t1\n", columns="id,v,__op")
    assert t.values("id", "v") == [(1, "z"), (3, "c")]
    t.csv("3\tz\t1\n4\td\t0\n", columns="id,v,tmp,__op=tmp")
    assert t.values("id", "v") == [(1, "z"), (4, "d")]
    t.csv("1\n", columns="id,__op='DELETE'")
    assert t.values("id") == [(4,)]
    t.csv("5\n", columns="id,__op='upsert'")
    assert t.values("id") == [(4,), (5,)]


@pytest.mark.parametrize("expression, text", [
    ("'remove'", "load op type string not supported: remove"),
    ("2", "const load op type column should only be upsert(0)/delete(1)")])
def test_rule_26_bad_constant_operation(t, expression, text):
    fails(t.csv("1\n", columns=f"id,__op={expression}"), text)


@pytest.mark.parametrize("columns", [None, "id,v,n", "id,v,n,__op"])
def test_rule_26_json_operations(t, columns):
    t.json([{"id": i, "v": "a", "n": 1} for i in (1, 2, 3)])
    rows = [{"id": 1, "v": "b", "n": 1}, {"id": 2, "v": "", "n": 0, "__op": 1},
            {"id": 3, "v": "c", "n": 1, "__op": 0}, {"id": 99, "n": 0, "__op": 1}]
    result = t.json(rows, columns=columns)
    assert result["NumberLoadedRows"] == 4
    assert t.values("id", "v") == [(1, "b"), (3, "c")]
    assert t.loads()[-1]["deletes"] == 2


def test_rule_26_json_operation_as_string_and_null(t):
    t.json(ROW)
    assert t.json([{"id": 1, "n": 0, "__op": "1"}, {"id": 2, "n": 0, "__op": None}])["Status"] == "Success"
    assert t.values("id") == [(2,)]


def test_expressions_in_columns(t):
    result = t.json([{"id": 1, "a": "x", "b": "y"}], columns="id,a,b,v=concat(a,b),n=length(a)+41")
    assert result["Status"] == "Success"
    assert t.values("v", "n") == [("xy", 42)]
    fails(t.json([{"id": 1}], columns="id,v=upper(nothing)"), "nothing")


def test_where(t):
    result = t.json([{"id": i, "n": i} for i in range(5)], where="n % 2 = 0")
    assert (result["NumberTotalRows"], result["NumberLoadedRows"], result["NumberUnselectedRows"]) == (5, 3, 2)
    assert t.values("id") == [(0,), (2,), (4,)]


def test_merge_condition(t):
    t.json([{"id": 1, "v": "a", "n": 5}, {"id": 2, "v": "a", "n": 5}])
    t.json([{"id": 1, "v": "b", "n": 4}, {"id": 2, "v": "b", "n": 6}], merge_condition="n")
    assert t.values("id", "v", "n") == [(1, "a", 5), (2, "b", 6)]
    fails(t.json(ROW, merge_condition="v"), "merge condition")


def test_jsonpaths_and_root(t):
    body = json.dumps({"data": [{"k": {"id": 1}, "w": ["a", "b"], "op": 0}]}).encode()
    result = t.json(body, headers={"json_root": "$.data", "jsonpaths": '["$.k.id", "$.w[1]", "$.op"]'},
                    columns="id,v,__op")
    assert result["Status"] == "Success"
    assert t.values("id", "v") == [(1, "b")]


def test_auto_increment(make):
    t = make("CREATE TABLE t (id BIGINT, seq BIGINT NOT NULL AUTO_INCREMENT, v INT) PRIMARY KEY (id)")
    assert t.json([{"id": 1, "v": 1}, {"id": 2, "v": 1}], columns="id,v")["Status"] == "Success"
    first = [r["seq"] for r in t.rows()]
    assert len(set(first)) == 2
    t.json([{"id": 1, "v": 2}], columns="id,v", partial_update="true")
    assert [r["seq"] for r in t.rows()] == first
    fails(t.json([{"id": 3, "seq": None}]), "NULL value in auto increment column")
