"""Rules 32 to 34: CSV."""

import pytest

DDL = "CREATE TABLE t (id INT, s VARCHAR(50), w VARCHAR(50)) PRIMARY KEY (id)"


@pytest.fixture
def c(make):
    return make(DDL)


@pytest.mark.parametrize("line, actual", [("2\tx", 2), ("2\tx\ty\tz", 4)])
@pytest.mark.parametrize("more", [{}, {"enclose": '"'}])
def test_rule_32_wrong_field_count(c, line, actual, more):
    text = f"1\ta\tb\n{line}\n"
    result = c.csv(text, headers=more)
    assert result["Status"] == "Fail" and result["NumberFilteredRows"] == 1
    assert (f"Target column count: 3 doesn't match source value column count: {actual}. "
            "Column separator: '\\t', Row delimiter: '\\n'") in c.errors(result)
    result = c.csv(text, headers=more, max_filter_ratio="0.5")
    assert (result["Status"], result["NumberTotalRows"], result["NumberFilteredRows"]) == ("Success", 2, 1)
    assert c.values("id") == [(1,)]


def test_rule_32_at_most_fifty_lines_in_the_error_log(c):
    result = c.csv("1\n" * 80)
    assert result["NumberFilteredRows"] == 80
    assert len(c.errors(result).splitlines()) == 50


def test_rule_33_null_and_empty(c):
    assert c.csv("1\t\\N\t\n2\tx\\N\tNULL\n")["Status"] == "Success"
    assert c.values("s", "w") == [(None, ""), ("x\\N", "NULL")]


def test_rule_33_enclosed_null_is_null(c):
    c.csv('1\t"\\N"\t""\n', enclose='"')
    assert c.values("s", "w") == [(None, "")]


def test_rule_33_escape_takes_the_backslash(c):
    c.csv("1\t\\N\t\\\\N\n", escape="\\")
    assert c.values("s", "w") == [("N", None)]


def test_rule_33_empty_number_is_a_conversion_failure(t):
    assert t.csv("\ta\t1\t1\n")["Status"] == "Fail"
    t.csv("1\ta\t1\t\n")
    assert t.values("x") == [(None,)]
    assert t.csv("2\ta\t1\t\n", strict_mode="true")["Status"] == "Fail"


def test_rule_34_enclosed_fields(c):
    c.csv('1,"say ""hi""","a,b\nc"\n2,"""x""",plain "q"\n3,,"\n"\n', enclose='"', column_separator=",")
    assert c.values("id", "s", "w") == [
        (1, 'say "hi"', "a,b\nc"), (2, '"x"', 'plain "q"'), (3, "", "\n")]


def test_rule_34_escape_inside_and_outside(c):
    c.csv('1,"a\\"b","c\\\\d"\n2,e\\,f,g\\nh\n', enclose='"', escape="\\", column_separator=",")
    assert c.values("s", "w") == [('a"b', "c\\d"), ("e,f", "gnh")]


def test_rule_34_without_enclose_a_quote_is_data(c):
    c.csv('1,"a","b\n', column_separator=",")
    assert c.values("s", "w") == [('"a"', '"b')]


def test_rule_34_torn_last_row(c):
    assert c.csv('1,a,b\n2,"x', enclose='"', column_separator=",")["NumberLoadedRows"] == 1
    assert c.csv("3,a,b\n4,a,b", column_separator=",")["NumberLoadedRows"] == 2


def test_separators_in_hexadecimal(c):
    c.csv(b"1\x01a\x01b\x02\n\x02" + b"2\x01c\x01d\x02\n\x02", column_separator="\\x01", row_delimiter="\\x020A02")
    assert c.values("id", "s", "w") == [(1, "a", "b"), (2, "c", "d")]


def test_skip_header_trim_and_blank_rows(c):
    c.csv("id,s,w\n\n1, a ,b \n\n", column_separator=",", skip_header="1", trim_space="true")
    assert c.values("id", "s", "w") == [(1, "a", "b")]


def test_row_that_is_not_utf8(c):
    result = c.csv(b"1\t\xff\tb\n2\ta\tb\n", max_filter_ratio="0.5")
    assert result["NumberFilteredRows"] == 1 and "Invalid UTF-8 row" in c.errors(result)


def test_array_and_binary_in_csv(make):
    t = make("CREATE TABLE t (id INT, a ARRAY<VARCHAR(9)>, n ARRAY<ARRAY<INT>>, b VARBINARY) PRIMARY KEY (id)")
    result = t.csv('1|[x,null,"a""b"]|[[1,2],[],[3]]|0aff\n2|[]|\\N|zz\n', column_separator="|",
                   columns="id,a,n,tmp,b=to_binary(tmp,'hex')")
    assert result["Status"] == "Success"
    assert t.values("a", "n", "b") == [(["x", None, 'a"b'], [[1, 2], [], [3]], "0aff"), ([], None, "")]
