"""Rules 48 to 51: the transaction interface, and what a restart leaves of it."""

import json
import signal
import threading
import time

import pytest
from calls import ROW, Calls
from client import Target, Wire, basic, request

DUPLICATE = "CREATE TABLE t (id BIGINT NOT NULL, v VARCHAR(20)) DUPLICATE KEY (id)"


@pytest.fixture
def x(t):
    return Calls(t)


def status(answer):
    return answer["Status"]


# -- 48: the follower ----------------------------------------------------------


def test_rule_48_follower_sends_to_the_leader(t, x):
    x.prepared("a")
    for endpoint, path in (("transaction", "/api/transaction/commit"),
                           ("get_load_state", f"/api/{t.db}/get_load_state?label=a")):
        t.box.fault("fe_follower", endpoint=endpoint, count=1)
        method = "POST" if endpoint == "transaction" else "GET"
        answer = request(t.box.fe, method, path, {"db": t.db, "label": "a"})
        assert answer.status == 307
        assert answer.headers["location"] == f"http://127.0.0.1:{t.box.fe}{path}"
    assert t.state("a") == "PREPARED"


# -- 49: the calls ---------------------------------------------------------------


def test_rule_49_way_of_a_transaction(t, x):
    answer = x.begin("a")
    assert status(answer) == "OK" and answer["Label"] == "a"
    assert t.state("a") == "PREPARE"
    assert x.load("a")["TxnId"] == answer["TxnId"]
    prepared = x.prepare("a")
    assert (status(prepared), prepared["NumberLoadedRows"]) == ("OK", 1)
    assert (t.state("a"), t.rows()) == ("PREPARED", [])
    assert status(x.commit("a")) == "OK"
    assert (t.state("a"), t.values("id")) == ("VISIBLE", [(1,)])


def test_rule_49_commit_without_prepare(t, x):
    x.begin("a")
    x.load("a")
    answer = x.commit("a")
    assert (status(answer), answer["NumberTotalRows"]) == ("OK", 1)
    assert t.values("id") == [(1,)]


def test_rule_49_who_answers(t, x):
    """Calls of a transaction that is not prepared are the backend's, the others the frontend's."""
    for name in ("begin", "load", "prepare", "commit", "rollback"):
        if name != "begin":
            x.begin(name)
        answer = x.raw(name, name, table="t")
        assert (answer.status, answer.continued) == (307, False), name
        assert answer.headers["location"] == f"http://127.0.0.1:{t.box.be}/api/transaction/{name}"
    x.prepared("a")
    assert x.raw("commit", "a").status == 200
    assert x.raw("rollback", "a").json()["Status"] == "FAILED"


def test_rule_49_password_and_names(t, x):
    assert x.raw("begin", "a", table="t", Authorization="Basic eDp5").status == 401
    assert x.raw("begin", "a", port=t.box.be, table="t", Authorization="").json()["Status"] == "NOT_AUTHORIZED"
    for headers, text in (({"label": ""}, "Empty label."), ({"db": ""}, "No database selected."),
                          ({"table": ""}, "Empty table.")):
        answer = request(t.box.fe, "POST", "/api/transaction/begin",
                         {"db": t.db, "label": "a", "table": "t", **headers}).json()
        assert (status(answer), answer["Message"].endswith(text)) == ("FAILED", True)
    assert request(t.box.fe, "GET", "/api/transaction/begin").json()["msg"] == "Not implemented"
    assert status(x.begin("a", table="nope")) == "ANALYSIS_ERROR"
    assert status(x.begin("a", db="nope")) == "ANALYSIS_ERROR"
    assert status(x.begin("a b")) == "INVALID_ARGUMENT"
    assert status(x.raw("begin", "a", port=t.box.be, table="t", transaction_type="multi").json()) == \
        "INVALID_ARGUMENT"


def test_rule_49_begin_twice(t, x):
    x.begin("a")
    answer = x.begin("a")
    assert (status(answer), answer["ExistingJobStatus"]) == ("LABEL_ALREADY_EXISTS", "RUNNING")
    x.load("a")
    x.commit("a")
    answer = x.begin("a")
    assert (status(answer), answer["ExistingJobStatus"]) == ("LABEL_ALREADY_EXISTS", "FINISHED")


def test_rule_49_calls_without_begin(x):
    for name in ("load", "prepare", "commit", "rollback"):
        assert status(x.call(name, "a", table="t")) == "FAILED"


def test_rule_49_commit_without_data(t, x):
    x.begin("a")
    assert status(x.prepare("a")) == "INTERNAL_ERROR"
    answer = x.commit("a")
    assert (status(answer), "no data" in answer["Message"]) == ("INTERNAL_ERROR", True)
    assert t.state("a") == "PREPARE"


def test_rule_49_a_body_that_is_read_too_slowly(t, x):
    x.begin("a", timeout=1)
    t.box.fault("slow_read", bytes_per_second=10000, count=1)
    answer = x.load("a", [{"id": i, "v": "x" * 20, "n": 1} for i in range(1000)])
    assert "timeout by txn manager" in answer["Message"]
    assert t.state("a") == "ABORTED" and t.rows() == []


def test_rule_49_commit_and_rollback_again(t, x):
    x.prepared("a")
    assert status(x.commit("a")) == "OK"
    again = x.commit("a")
    assert (status(again), "has already committed, label is a" in again["Message"]) == ("OK", True)
    assert status(x.rollback("a")) == "FAILED"
    assert status(x.load("a")) == "TXN_NOT_EXISTS"
    assert t.values("id") == [(1,)]


def test_rule_49_rollback(t, x):
    x.begin("open")
    x.prepared("ready")
    for label in ("open", "ready"):
        assert status(x.rollback(label)) == "OK"
        assert t.state(label) == "ABORTED"
        assert status(x.rollback(label)) == "OK"
        assert status(x.commit(label)) == "FAILED"
        assert status(x.load(label)) == "TXN_NOT_EXISTS"
        assert status(x.begin(label)) == "OK"
    assert t.rows() == []


def test_rule_49_load_that_does_not_fit(t, x):
    x.begin("a")
    assert status(x.load("a", table="u")) == "INVALID_ARGUMENT"
    assert status(x.load("a", columns="v")) == "ANALYSIS_ERROR"
    assert t.state("a") == "ABORTED"
    assert status(x.load("a")) == "TXN_NOT_EXISTS"
    assert status(x.commit("a")) == "FAILED"


def test_rule_49_rows_that_do_not_fit(t, x):
    """What is wrong with the rows is told when all of them are there."""
    for label, rows in (("a", [{"id": 1, "v": "x" * 30}]), ("b", b"[{]")):
        x.begin(label)
        assert status(x.load(label, rows)) == "OK"
        answer = x.prepare(label)
        assert status(answer) == "INTERNAL_ERROR"
        assert t.state(label) == "ABORTED"
    x.begin("c")
    x.load("c", [{"id": 1, "v": "x" * 30}])
    answer = x.prepare("c")
    assert (answer["Message"], answer["NumberFilteredRows"]) == ("too many filtered rows", 1)
    assert "too long" in t.errors(answer)


def test_rule_49_loads_of_one_transaction_are_one(t, x):
    x.begin("a")
    x.load("a", [{"id": 1, "v": "old", "n": 1}, {"id": 2, "n": 1}])
    x.load("a", [{"id": 1, "v": "new", "n": 1}, {"id": 2, "n": 1, "__op": 1}])
    assert x.commit("a")["NumberTotalRows"] == 4
    assert t.values("id", "v") == [(1, "new")]


def test_rule_49_parameters_stay(t, x):
    x.begin("a")
    x.load("a")
    answer = x.load("a", strict_mode="false")
    assert (status(answer), answer["Message"]) == ("INTERNAL_ERROR", "load request not equal last.")
    assert t.state("a") == "ABORTED"


def test_rule_49_two_loads_at_a_time(t, x):
    x.begin("a")
    headers = {"db": t.db, "label": "a", "table": "t", "format": "json", "strip_outer_array": "true"}
    with Wire(t.box.be) as wire:
        wire.head("PUT", "/api/transaction/load",
                  {**headers, "Authorization": basic(), "Content-Length": "2", "Expect": "100-continue"})
        assert wire.read_head()[0] == 100
        assert status(x.load("a")) == "TXN_IN_PROCESSING"
        assert status(x.prepare("a")) == "TXN_IN_PROCESSING"
        wire.send(b"[]")
        assert wire.read_answer().json()["Status"] == "OK"


def test_rule_49_time_limits(t, x):
    x.begin("limit", timeout="1")
    x.begin("late")
    x.load("late")
    x.prepare("late", prepared_timeout="1")
    t.box.wait(lambda: t.state("limit") == t.state("late") == "ABORTED")
    assert status(x.commit("late")) == "FAILED"
    assert t.rows() == []


def test_rule_49_idle_transaction_is_undone(t, x):
    x.begin("idle", idle_transaction_timeout="1")
    time.sleep(1.1)                     # the time limit itself is what is tested
    assert status(x.load("idle")) == "TXN_NOT_EXISTS"
    t.box.wait(lambda: t.state("idle") == "ABORTED")


def test_rule_49_cancel_knows_no_prepared_ones(t, x):
    x.begin("open")
    x.prepared("ready")
    assert request(t.box.fe, "POST", f"/api/{t.db}/t/_cancel?label=open").status == 200
    assert request(t.box.fe, "POST", f"/api/{t.db}/t/_cancel?label=ready").status == 500
    assert (t.state("open"), t.state("ready")) == ("ABORTED", "PREPARED")


def test_rule_49_publish_timeout(t, x):
    x.prepared("a")
    t.box.fault("publish_timeout", seconds=30, count=1)
    answer = x.commit("a")
    assert status(answer) == "FAILED" and answer["Message"].startswith("publish timeout")
    assert t.state("a") == "COMMITTED"
    assert status(x.commit("a")) == "OK"


def test_rule_49_limit_of_transactions(t, x):
    t.box.fault("too_many_txns", count=1)
    answer = x.begin("a")
    assert status(answer) == "ANALYSIS_ERROR" and "current running txns on db" in answer["Message"]


def test_rule_49_broken_calls(t, x):
    """Cut before: nothing happened; cut after: it did."""
    for i, (name, before, after) in enumerate((
            ("begin", "UNKNOWN", "PREPARE"), ("prepare", "PREPARE", "PREPARED"),
            ("commit", "PREPARED", "VISIBLE"), ("rollback", "PREPARED", "ABORTED"))):
        for when, expected in (("before", before), ("after", after)):
            label = f"{name}_{when}"
            rows = [{"id": i, "n": 1}]
            if name == "prepare":
                x.begin(label)
                x.load(label, rows)
            elif name != "begin":
                x.prepared(label, rows)
            t.box.fault("txn_cut", call=name, when=when, count=1)
            with pytest.raises((EOFError, ConnectionError)):
                x.call(name, label, table="t")
            assert t.state(label) == expected


def test_rule_49_broken_load(t, x):
    for when, expected in (("before", "PREPARE"), ("during", "ABORTED"), ("after", "PREPARE")):
        x.begin(when)
        t.box.fault("txn_cut", call="load", when=when, count=1)
        with pytest.raises((EOFError, ConnectionError)):
            x.load(when)
        t.box.wait(lambda: t.state(when) == expected)
    assert status(x.prepare("before")) == "INTERNAL_ERROR"
    assert status(x.prepare("after")) == "OK"


def test_rule_49_other_faults(t, x):
    x.begin("a")
    t.box.fault("txn_status", call="load", status=503, count=1)
    assert x.raw("load", "a", b"[]", port=t.box.be, table="t").status == 503
    t.box.fault("txn_garbage", call="load", count=1)
    assert b"not json" in x.raw("load", "a", b"[]", port=t.box.be, table="t").body
    t.box.fault("txn_fail", call="load", status="MEM_LIMIT_EXCEEDED", message="Memory of x", count=1)
    assert status(x.load("a")) == "MEM_LIMIT_EXCEEDED"
    assert t.state("a") == "ABORTED"


# -- 50: what loads of a transaction do not know -----------------------------------


def test_rule_50_quotes_are_data(t, x):
    x.begin("a")
    x.call("load", "a", b'1,"a"\n', table="t", columns="id,v", column_separator=",", enclose='"')
    assert status(x.commit("a")) == "OK"
    assert t.values("id", "v") == [(1, '"a"')]


def test_rule_50_first_lines_are_data(t, x):
    x.begin("a")
    x.call("load", "a", b"1\ta\n2\tb\n", table="t", columns="id,v", skip_header="1")
    assert x.commit("a")["NumberLoadedRows"] == 2


# -- 51: restarts ------------------------------------------------------------------


def test_rule_51_prepared_ones_survive(own, tmp_path):
    data = str(tmp_path / "kept")
    box = own(data=data)
    t = Target(box, "d", DUPLICATE)
    x = Calls(t)
    rows = [{"id": 1, "v": "a"}, {"id": 1, "v": None}]
    for label in ("a", "b", "c"):
        x.prepared(label, rows)
    x.begin("open")
    x.load("open", rows)
    x.commit("c")
    box.stop(signal.SIGKILL)
    box.start()
    assert [t.state(label) for label in ("a", "b", "c", "open")] == ["PREPARED", "PREPARED", "VISIBLE", "UNKNOWN"]
    assert len(t.rows()) == 2
    assert status(x.commit("a")) == "OK"
    assert status(x.rollback("b")) == "OK"
    assert status(x.commit("open")) == "FAILED"
    box.stop(signal.SIGKILL)
    box.start()
    assert [t.state(label) for label in ("a", "b")] == ["VISIBLE", "ABORTED"]
    assert status(x.commit("a")) == "OK"
    assert len(t.rows()) == 4


def test_rule_51_time_limit_goes_on(own):
    box = own()
    t = Target(box, "d", DUPLICATE)
    x = Calls(t)
    x.begin("a")
    x.load("a", [{"id": 1}])
    x.prepare("a", prepared_timeout="2")
    box.stop(signal.SIGKILL)
    box.start()
    box.wait(lambda: t.state("a") == "ABORTED")
    assert status(x.commit("a")) == "FAILED"


def test_rule_51_backend_forgets_what_is_not_prepared(t, x):
    x.begin("open")
    x.load("open")
    x.prepared("ready", [{"id": 2, "n": 1}])
    t.box.fault("be_restart", count=1)
    assert status(x.prepare("open")) == "TXN_NOT_EXISTS"
    assert t.state("open") == "PREPARE"
    assert status(x.commit("ready")) == "OK"
    assert t.values("id") == [(2,)]


def test_rule_51_commits_at_once_are_one(t, x):
    x.prepared("a")
    t.box.fault("slow_commit", ms=300, count=1)
    results = []
    threads = [threading.Thread(target=lambda: results.append(status(x.commit("a")))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["OK", "OK"]
    assert t.values("id") == [(1,)]
