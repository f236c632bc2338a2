"""Rules 27 to 31, 41, 42 and 52: filtering, equal keys, all or nothing."""

import threading

import pytest

ROWS = [{"id": i, "v": f"r{i}", "n": i} for i in range(10)]


def test_rule_27_null_in_a_not_null_column(t):
    result = t.json([*ROWS, {"id": 10, "v": "x", "n": None}, {"id": 11, "v": "x"}])
    assert result["Status"] == "Fail" and result["NumberFilteredRows"] == 2
    assert "NULL value in non-nullable column 'n'" in t.errors(result)
    assert t.rows() == []


def test_rule_27_deletes_need_not_null_values_too(t):
    t.json(ROWS)
    result = t.json([{"id": 1, "__op": 1}])
    assert result["Status"] == "Fail" and result["NumberFilteredRows"] == 1
    assert "NULL value in non-nullable column 'n'" in t.errors(result)
    assert t.json([{"id": 1, "n": 0, "__op": 1}])["Status"] == "Success"
    assert len(t.rows()) == 9


def test_rule_27_null_key(t):
    assert t.json([{"id": None, "n": 1}])["Status"] == "Fail"


def test_rule_28_last_row_of_a_key_wins(t):
    rows = [{"id": 1, "v": "a", "n": 1}, {"id": 2, "v": "b", "n": 1}, {"id": 1, "v": "c", "n": 1},
            {"id": 2, "n": 0, "__op": 1}, {"id": 3, "n": 0, "__op": 1}, {"id": 3, "v": "d", "n": 1}]
    result = t.json(rows)
    assert result["NumberLoadedRows"] == 6
    assert t.values("id", "v") == [(1, "c"), (3, "d")]


def test_rule_28_several_key_columns(make):
    t = make("CREATE TABLE t (a INT, b VARCHAR(5), c INT) PRIMARY KEY (a, b)")
    t.json([{"a": 1, "b": "x", "c": 1}, {"a": 1, "b": "y", "c": 2}, {"a": 1, "b": "x", "c": 3}])
    assert t.values("a", "b", "c") == [(1, "x", 3), (1, "y", 2)]


def test_rule_28_shuffled(t):
    t.box.fault("shuffle_equal_keys", count=1)
    t.json([{"id": 1, "v": "first", "n": 1}, {"id": 1, "v": "last", "n": 1}, {"id": 2, "v": "only", "n": 1}])
    assert t.values("id", "v") == [(1, "first"), (2, "only")]


def test_rule_29_too_many_filtered_rows(t):
    result = t.json([*ROWS, {"id": "x", "n": 1}], max_filter_ratio="0.05")
    assert result["Status"] == "Fail" and result["Message"] == "too many filtered rows"
    assert (result["NumberTotalRows"], result["NumberFilteredRows"]) == (11, 1)
    assert "Error: " in t.errors(result)
    assert t.rows() == []


def test_rule_29_unselected_rows_do_not_count(t):
    rows = [*ROWS, {"id": "x", "v": "r5", "n": 100}]
    assert t.json(rows, where="n >= 8", max_filter_ratio="0.3")["Status"] == "Fail"
    assert t.json(rows, where="n >= 8", max_filter_ratio="0.34")["Status"] == "Success"


def test_rule_30_within_the_ratio(t):
    result = t.json([*ROWS, {"id": "x", "n": 1}], max_filter_ratio="0.1")
    assert result["Status"] == "Success"
    assert (result["NumberLoadedRows"], result["NumberFilteredRows"]) == (10, 1)
    assert "ErrorURL" in result and len(t.rows()) == 10


@pytest.mark.parametrize("body", [b"", b"[]", b"  \n"])
def test_rule_31_nothing_to_load(t, body):
    result = t.json(body, label="empty")
    assert result["Status"] == "Fail"
    assert "all partitions have no load data" in result["Message"]
    assert t.state("empty") == "ABORTED"


def test_rule_31_everything_filtered_or_unselected(t):
    assert "no load data" in t.json([{"id": "x", "n": 1}], max_filter_ratio="1")["Message"]
    assert "no load data" in t.json(ROWS, where="id > 100")["Message"]


def test_rule_31_empty_csv(t):
    assert "no load data" in t.csv("")["Message"]


@pytest.mark.parametrize("ddl, key, over", [
    ("a VARCHAR(200)", {"a": "x" * 128}, {"a": "x" * 129}),
    ("a VARCHAR(200)", {"a": "é" * 64}, {"a": "é" * 64 + "x"}),
    ("a BIGINT, b VARCHAR(200)", {"a": 1, "b": "x" * 120}, {"a": 1, "b": "x" * 121}),
    ("a VARCHAR(200), b INT", {"a": "x" * 122, "b": 1}, {"a": "x" * 123, "b": 1})])
def test_rule_41_size_of_the_key(make, ddl, key, over):
    names = ", ".join(p.split()[0] for p in ddl.split(", "))
    t = make(f"CREATE TABLE t ({ddl}, v INT) PRIMARY KEY ({names})")
    assert t.json([key])["Status"] == "Success"
    result = t.json([over])
    assert result["Status"] == "Fail" and "primary key size exceed the limit" in result["Message"]
    assert len(t.rows()) == 1


def test_rule_42_varchar_counts_bytes(make):
    t = make("CREATE TABLE t (id INT, v VARCHAR(6), c CHAR(4)) PRIMARY KEY (id)")
    assert t.json([{"id": 1, "v": "ééé", "c": "éé"}])["Status"] == "Success"
    result = t.json([{"id": 2, "v": "éééx"}])
    assert result["Status"] == "Fail" and "is too long. The max length of 'v' is 6" in t.errors(result)
    assert t.json([{"id": 2, "c": "ééx"}])["Status"] == "Fail"
    assert t.json([{"id": 2, "v": "éééx"}], strict_mode="false")["Status"] == "Fail"
    assert t.csv("3\téééx\tx\n")["Status"] == "Success"
    assert t.values("id", "v") == [(1, "ééé"), (3, None)]
    assert t.csv("4\téééx\tx\n", strict_mode="true")["Status"] == "Fail"


def test_rule_52_a_failed_load_leaves_nothing(t):
    t.json(ROWS[:3])
    before = t.rows()
    bad = [{"id": i, "v": "new", "n": 1} for i in range(2000)] + [{"id": 5000, "n": None}]
    assert t.json(bad)["Status"] == "Fail"
    assert t.json([{"id": 1, "v": "new", "n": 1}, {"id": "x" * 200, "n": 1}])["Status"] == "Fail"
    t.box.fault("fail", message="no", count=1)
    assert t.json(ROWS)["Message"] == "no"
    assert t.rows() == before


def test_reject_rows_by_a_predicate(t):
    t.box.fault("reject_rows", where="id = 3 OR v LIKE 'r7%'", table="^t$", count=1)
    result = t.json(ROWS)
    assert result["Status"] == "Fail" and result["NumberFilteredRows"] == 2
    assert t.json(ROWS)["Status"] == "Success"


COMPLEX = """CREATE TABLE t (id LARGEINT, k DATE, a ARRAY<DECIMAL(5,1)>, j JSON, b VARBINARY, d DECIMAL(38,9),
    v VARCHAR(1048576) NOT NULL, f FLOAT) PRIMARY KEY (id, k)"""


def test_partial_update_of_complex_types(make):
    t = make(COMPLEX)
    key = {"id": 2**100, "k": "0000-02-29"}
    full = {**key, "a": [1, 2.5], "j": {"x": [1, "é"]}, "b": "00ff", "d": "12345678901234567890123456789.123456789",
            "v": "kept" * 50000, "f": 0.1}
    binary = "b=to_binary(b,'hex')"
    assert t.json([full], columns=f"id,k,a,j,b,d,v,f,{binary}")["Status"] == "Success"
    before = t.rows()[0]
    assert (before["id"], before["k"], before["a"]) == (str(2**100), "0000-02-29", ["1.0", "2.5"])
    change = {**key, "a": None, "j": [], "b": "ab", "d": 1}
    assert t.json([change], columns=f"id,k,a,j,b,d,{binary}", partial_update="true")["Status"] == "Success"
    after = {**before, "a": None, "j": "[]", "b": "ab", "d": "1.000000000"}
    assert t.rows() == [after]
    assert t.json([{**key, "__op": 1}], columns="id,k,__op", partial_update="true")["Status"] == "Success"
    assert t.rows() == []


def test_loads_of_several_tables_at_once(make):
    tables = [make() for _ in range(6)]
    failures = []

    def work(t):
        for i in range(10):
            rows = [{"id": k, "v": f"{i}", "n": i} for k in range(i, i + 50)]
            if t.json(rows, label=f"l{i}")["Status"] != "Success":
                failures.append((t.db, i))

    threads = [threading.Thread(target=work, args=(t,)) for t in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for t in tables:
        assert t.values("id", "n") == [(k, min(k, 9)) for k in range(59)]


def test_loads_of_one_table_at_once_are_all_or_nothing(t):
    def work(i):
        t.json([{"id": k, "v": str(i), "n": 1} for k in range(200)])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        rows = t.values("v")
        assert len(set(rows)) <= 1 and len(rows) in (0, 200)
    for thread in threads:
        thread.join()
    assert len(set(t.values("v"))) == 1


def test_json_value_over_16_mb(make):
    t = make("CREATE TABLE t (id INT, j JSON) PRIMARY KEY (id)")
    assert t.json([{"id": 1, "j": "x" * (17 << 20)}])["Status"] == "Fail"
    assert t.json([{"id": 1, "j": "x" * (15 << 20)}])["Status"] == "Success"
