"""Rule 55: transactions of several tables."""

import signal

import pytest
from calls import ROW, Calls
from client import Target, Wire, basic, request

OTHER = "CREATE TABLE u (id BIGINT NOT NULL, w INT) PRIMARY KEY (id)"


class MultiCalls(Calls):
    def __init__(self, t):
        super().__init__(t, transaction_type="multi")

    def begin(self, label, **headers):
        return self.call("begin", label, **headers)

    def both(self, label, number=1):
        """Begin, and a row for each of the two tables."""
        for answer in (self.begin(label), self.load(label, [{"id": number, "v": "a", "n": 1}]),
                       self.load(label, [{"id": number, "w": 1}], table="u")):
            assert answer["Status"] == "OK", answer


@pytest.fixture
def m(t):
    t.box.run(OTHER, t.db)
    return MultiCalls(t)


def status(answer):
    return answer["Status"]


def counts(t):
    """Rows of both tables, as one statement sees them."""
    return [int(n) for n in t.box.run("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)", t.db)[0]]


def test_rule_55_all_tables_at_once(t, m):
    m.both("a")
    assert counts(t) == [0, 0]
    answer = m.commit("a")
    assert (status(answer), answer["Label"]) == ("OK", "a")
    assert counts(t) == [1, 1]
    assert t.state("a") == "VISIBLE"


def test_rule_55_no_half_is_ever_seen(t, m):
    """One statement that reads both tables, before and after each commit."""
    for i in range(20):
        m.both(f"a{i}", i)
        before = counts(t)
        m.commit(f"a{i}")
        assert (before, counts(t)) == ([i, i], [i + 1, i + 1])


def test_rule_55_who_answers(t, m):
    assert m.raw("begin", "a").json()["Status"] == "OK"
    answer = m.raw("load", "a", table="t")
    assert (answer.status, answer.continued) == (307, False)
    assert answer.headers["location"] == f"http://127.0.0.1:{t.box.be}/api/transaction/load"
    assert m.raw("commit", "a").status == 200
    m.begin("b")                        # and no load of it was sent on by the FE
    for name in ("begin", "load", "prepare", "commit", "rollback"):
        assert status(m.raw(name, "b", b"[]", port=t.box.be, table="t").json()) == "INVALID_ARGUMENT", name


def test_rule_55_prepare_does_not_exist(t, m):
    m.both("a")
    answer = m.prepare("a")
    assert status(answer) == "FAILED" and "Unsupported operation: prepare" in answer["Message"]
    assert status(m.commit("a")) == "OK"


def test_rule_55_the_header_is_needed_everywhere(t, m):
    m.both("a")
    plain = Calls(t)
    for answer in (plain.load("a", [{"id": 2, "n": 1}]), plain.commit("a")):
        assert status(answer) in ("FAILED", "TXN_NOT_EXISTS")
    assert counts(t) == [0, 0]
    assert status(m.commit("a")) == "OK"


def test_rule_55_names(t, m):
    for headers, text in (({"label": ""}, "Empty label."), ({"db": ""}, "No database selected.")):
        answer = request(t.box.fe, "POST", "/api/transaction/begin",
                         {"db": t.db, "label": "a", "transaction_type": "multi", **headers}).json()
        assert (status(answer), answer["Message"].endswith(text)) == ("FAILED", True)
    assert m.raw("begin", "a", Authorization="Basic eDp5").status == 401
    assert status(m.begin("a b")) == "FAILED"
    assert status(m.begin("a", db="nope")) == "FAILED"
    m.begin("a")
    assert status(m.load("a", table="nope")) == "FAILED"
    t.box.wait(lambda: t.state("a") == "ABORTED")


def test_rule_55_what_may_follow_what(t, m):
    for name in ("load", "commit", "rollback"):
        assert status(m.call(name, "never", table="t")) == "FAILED", name
    m.both("done")
    assert status(m.begin("done")) == "LABEL_ALREADY_EXISTS"
    assert status(m.commit("done")) == "OK"
    again = m.commit("done")
    assert status(again) == "OK" and "has already committed" in again["Message"]
    assert status(m.rollback("done")) == "FAILED"
    assert status(m.load("done")) == "FAILED"
    assert status(m.begin("done")) == "LABEL_ALREADY_EXISTS"
    m.both("undone", 2)
    assert [status(m.rollback("undone")) for _ in range(2)] == ["OK", "OK"]
    assert status(m.commit("undone")) == "FAILED"
    assert status(m.load("undone")) == "FAILED"
    assert status(m.begin("undone")) == "LABEL_ALREADY_EXISTS"     # not free again, unlike that of one table
    assert counts(t) == [1, 1]


def test_rule_55_commit_of_nothing(t, m):
    m.begin("a")
    assert status(m.commit("a")) == "OK"
    assert counts(t) == [0, 0]


def test_rule_55_a_failed_load_undoes_all(t, m):
    m.both("a")
    assert status(m.load("a", table="u", partial_update="maybe")) == "FAILED"
    assert t.state("a") == "ABORTED"
    assert status(m.commit("a")) == "FAILED"
    assert counts(t) == [0, 0]


def test_rule_55_one_form_of_loads_per_table(t, m):
    m.begin("a")
    m.load("a", [{"id": 1, "n": 1}], columns="id,n")
    assert status(m.load("a", [{"id": 2, "n": 2}], columns="id,n")) == "OK"
    assert status(m.load("a", [{"id": 1, "w": 1}], table="u", columns="id,w")) == "OK"
    assert status(m.commit("a")) == "OK"
    assert counts(t) == [2, 1]
    m.begin("b")
    m.load("b", [{"id": 3, "n": 1}], columns="id,n")
    answer = m.load("b", [{"id": 3, "v": "x"}], columns="id,v", partial_update="true")
    assert (status(answer), answer["Message"]) == ("FAILED", "load request not equal last.")
    assert status(m.commit("b")) == "FAILED"
    assert counts(t) == [2, 1]


def test_rule_55_bad_rows_are_told_by_commit(t, m):
    m.begin("a")
    assert status(m.load("a", [{"id": 1, "n": 1}])) == "OK"
    assert status(m.load("a", [{"id": None, "w": 1}], table="u")) == "OK"
    answer = m.commit("a")
    assert (status(answer), answer["Message"]) == ("FAILED", "too many filtered rows")
    assert (t.state("a"), counts(t)) == ("ABORTED", [0, 0])


def test_rule_55_before_its_commit_no_label_is_known(t, m):
    m.both("a")
    assert t.state("a") == "UNKNOWN"
    assert request(t.box.fe, "POST", f"/api/{t.db}/t/_cancel?label=a").status == 500
    assert t.json(ROW, label="a")["Status"] == "Label Already Exists"


def test_rule_55_two_loads_of_a_table_at_once(t, m):
    m.begin("a")
    headers = {"db": t.db, "label": "a", "table": "t", "format": "json", "strip_outer_array": "true",
               "strict_mode": "true", "transaction_type": "multi"}
    assert m.raw("load", "a", table="t").status == 307
    with Wire(t.box.be) as wire:
        wire.head("PUT", "/api/transaction/load",
                  {**headers, "Authorization": basic(), "Content-Length": "2", "Expect": "100-continue"})
        assert wire.read_head()[0] == 100
        assert status(m.load("a")) == "TXN_IN_PROCESSING"
        assert status(m.commit("a")) == "FAILED"
        assert status(m.load("a", [{"id": 1, "w": 1}], table="u")) == "OK"
        wire.send(b"[]")
        assert wire.read_answer().json()["Status"] == "OK"


def test_rule_55_broken_body_undoes_all(t, m):
    m.begin("a")
    m.load("a")
    t.box.fault("txn_cut", call="load", when="during", count=1)
    with pytest.raises((EOFError, ConnectionError)):
        m.load("a", [{"id": 1, "w": 1}], table="u")
    t.box.wait(lambda: t.state("a") == "ABORTED")
    assert status(m.commit("a")) == "FAILED"
    assert counts(t) == [0, 0]


def test_rule_55_lost_answer_of_commit(t, m):
    for when, expected in (("before", "UNKNOWN"), ("after", "VISIBLE")):
        m.both(when)
        t.box.fault("txn_cut", call="commit", when=when, count=1)
        with pytest.raises((EOFError, ConnectionError)):
            m.commit(when)
        t.box.wait(lambda: t.state(when) == expected)
    assert counts(t) == [1, 1]


def test_rule_55_publish_timeout(t, m):
    m.both("a")
    t.box.fault("publish_timeout", seconds=30, count=1)
    answer = m.commit("a")
    assert status(answer) == "FAILED" and answer["Message"].startswith("publish timeout")
    assert t.state("a") == "COMMITTED"
    assert status(m.commit("a")) == "OK"


def test_rule_55_an_ok_that_is_none(t, m):
    m.both("a")
    t.box.fault("commit_undone", count=1)
    assert status(m.commit("a")) == "OK"
    assert (t.state("a"), counts(t)) == ("ABORTED", [0, 0])
    assert status(m.commit("a")) == "FAILED"


def test_rule_55_time_limit(t, m):
    m.begin("a", timeout="1")
    t.box.wait(lambda: t.state("a") == "ABORTED")
    assert status(m.commit("a")) == "FAILED"


def test_rule_55_restarts_of_the_servers(t, m):
    m.both("be")
    t.box.fault("be_restart", count=1)
    m.load("be", [{"id": 9, "n": 1}])
    assert status(m.commit("be")) == "FAILED"
    m.both("fe")
    t.box.fault("fe_restart", count=1)
    assert status(m.commit("fe")) == "FAILED"
    assert counts(t) == [0, 0]


def test_rule_55_committed_ones_survive(own):
    box = own()
    t = Target(box, "d", "CREATE TABLE t (id BIGINT NOT NULL, v VARCHAR(20), n INT) PRIMARY KEY (id)")
    box.run(OTHER, "d")
    m = MultiCalls(t)
    m.both("open", 1)
    m.both("done", 2)
    m.commit("done")
    box.stop(signal.SIGKILL)
    box.start()
    assert (t.state("open"), t.state("done")) == ("UNKNOWN", "VISIBLE")
    assert status(m.commit("open")) == "FAILED"
    assert counts(t) == [1, 1]


def test_rule_55_servers_before_4_0(t, m):
    t.box.fault("no_multi")
    answer = m.begin("a")
    assert status(answer) == "FAILED" and answer["Message"].endswith("Empty table.")
    assert m.raw("begin", "a", table="t").status == 307
