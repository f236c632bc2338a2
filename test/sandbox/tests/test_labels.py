"""Rules 14 to 19, 43 to 47: labels, outcomes that are in doubt, cancelling."""

import json
import threading
import time

import pytest
from client import Wire, basic, request

ROW = [{"id": 1, "v": "a", "n": 1}]
JSON = {"format": "json", "strip_outer_array": "true", "Authorization": basic()}


def in_background(func):
    """Run func in a thread; the result is read with .join() and .result."""
    thread = threading.Thread(target=lambda: setattr(thread, "result", func()))
    thread.start()
    return thread


def hold(t, label, rows=ROW, **more):
    """A load that waits in PREPARE."""
    t.box.fault("hold", label=f"^{label}$", count=1)
    thread = in_background(lambda: t.json(rows, label=label, **more))
    t.box.wait(lambda: label in held(t))
    return thread


def held(t):
    return [h["label"] for h in t.box.admin("GET", "held").json()["held"]]


def release(t, label=""):
    return t.box.admin("POST", "release", {"label": label}).json()["released"]


def cancel(t, path, label=None):
    tail = f"?label={label}" if label else ""
    return request(t.box.fe, "POST", f"/api/{t.db}/{path}/_cancel{tail}").json()


def assert_used(result, job):
    assert result["Status"] == "Label Already Exists"
    assert result["ExistingJobStatus"] == job
    assert result["TxnId"] == -1
    assert "has already been used." in result["Message"]


def test_rule_14_label_of_a_finished_load(t):
    assert t.json(ROW, label="a")["Status"] == "Success"
    assert_used(t.json([{"id": 2, "n": 1}], label="a"), "FINISHED")
    assert t.values("id") == [(1,)]


def test_rule_14_label_of_a_committed_load(t):
    t.box.fault("publish_timeout", seconds=30, count=1)
    t.json(ROW, label="a")
    assert t.state("a") == "COMMITTED"
    assert_used(t.json(ROW, label="a"), "FINISHED")


def test_rule_15_label_of_a_running_load(t):
    thread = hold(t, "a")
    assert t.state("a") == "PREPARE"
    assert_used(t.json(ROW, label="a"), "RUNNING")
    assert release(t, "^a$") == ["a"]
    thread.join()
    assert thread.result["Status"] == "Success"


def test_rule_16_label_of_an_aborted_load(t):
    assert t.json(b"[{]", label="a")["Status"] == "Fail"
    assert t.state("a") == "ABORTED"
    assert t.json(ROW, label="a")["Status"] == "Success"


def test_rule_17_labels_belong_to_the_database(t, make):
    t.box.sql("CREATE TABLE u (id BIGINT NOT NULL) PRIMARY KEY (id)", database=t.db)
    assert t.json(ROW, label="a")["Status"] == "Success"
    assert_used(t.json([{"id": 1}], label="a", table="u"), "FINISHED")
    assert make().json(ROW, label="a")["Status"] == "Success"


def test_rule_18_retention_by_count(t):
    t.box.fault("label_retention", max_num=3)
    for i in range(5):
        t.json([{"id": i, "n": 1}], label=f"l{i}")
    assert [t.state(f"l{i}") for i in range(5)] == ["UNKNOWN", "UNKNOWN", "VISIBLE", "VISIBLE", "VISIBLE"]
    assert t.json([{"id": 0, "n": 2}], label="l0")["Status"] == "Success"
    assert t.values("id", "n")[0] == (0, 2)


def test_rule_18_retention_by_age(t):
    t.json(ROW, label="old")
    t.box.fault("label_retention", max_age=0.2)
    t.box.wait(lambda: t.state("old") == "UNKNOWN")
    assert t.json(ROW, label="old")["Status"] == "Success"


def test_rule_18_retention_by_command_line(own):
    box = own("--label-keep-max-num", "1")
    from client import Target

    t = Target(box, "d", "CREATE TABLE t (id BIGINT NOT NULL) PRIMARY KEY (id)")
    t.json([{"id": 1}], label="a")
    t.json([{"id": 1}], label="b")
    assert (t.state("a"), t.state("b")) == ("UNKNOWN", "VISIBLE")


def test_rule_19_used_label_answered_as_fail(t):
    t.json(ROW, label="a")
    t.box.fault("label_used_as_fail", count=1)
    result = t.json(ROW, label="a")
    assert result["Status"] == "Fail" and "ExistingJobStatus" not in result
    assert result["Message"] == "Label [a] has already been used."
    assert_used(t.json(ROW, label="a"), "FINISHED")


def test_rule_43_publish_timeout(t):
    t.box.fault("publish_timeout", seconds=0.5, count=1)
    result = t.json(ROW, label="a")
    assert result["Status"] == "Publish Timeout"
    assert t.state("a") == "COMMITTED"
    t.box.wait(lambda: t.state("a") == "VISIBLE")
    assert t.values("id") == [(1,)]


@pytest.mark.parametrize("reset", [True, False])
def test_rule_44_connection_cut_after_the_commit(t, reset):
    t.box.fault("be_cut", when="after_commit", reset=reset, count=1)
    with pytest.raises((ConnectionError, EOFError)):
        t.json(ROW, label="a")
    assert t.state("a") == "VISIBLE" and t.values("id") == [(1,)]
    assert_used(t.json(ROW, label="a"), "FINISHED")


@pytest.mark.parametrize("seconds", [0, 0.4])
@pytest.mark.parametrize("committed", [True, False])
def test_rule_45_transaction_status_unknown(t, committed, seconds):
    t.box.fault("txn_status_unknown", committed=committed, seconds=seconds, count=1)
    result = t.json(ROW, label="a")
    assert result["Status"] == "Fail" and "Transaction status unknown" in result["Message"]
    if seconds:
        assert t.state("a") == "PREPARE"
        assert_used(t.json(ROW, label="a"), "RUNNING")
    wanted = "VISIBLE" if committed else "ABORTED"
    t.box.wait(lambda: t.state("a") == wanted)
    assert len(t.rows()) == (1 if committed else 0)


@pytest.mark.parametrize("fault, text", [
    ("too_many_versions", "too many versions"),
    ("too_many_txns", "current running txns on db"),
    ("memory_limit", "exceed limit")])
def test_rule_46_overload(t, fault, text):
    t.box.fault(fault, count=1)
    result = t.json(ROW, label="a")
    assert result["Status"] == "Fail" and text in result["Message"]
    assert t.rows() == []
    assert t.json(ROW, label="a")["Status"] == "Success"


def test_rule_46_running_transactions_are_counted(own):
    from client import Target

    t = Target(own("--max-running-txns", "1"), "d", "CREATE TABLE t (id BIGINT NOT NULL) PRIMARY KEY (id)")
    thread = hold(t, "a", [{"id": 1}])
    result = t.json([{"id": 2}], label="b")
    assert "current running txns on db d is 1, larger than limit 1" in result["Message"]
    release(t)
    thread.join()
    assert t.json([{"id": 2}], label="b")["Status"] == "Success"


def test_rule_47_state_of_an_unknown_label(t):
    answer = request(t.box.fe, "GET", f"/api/{t.db}/get_load_state?label=nobody")
    assert answer.status == 200
    body = answer.json()
    assert (body["state"], body["status"], body["code"]) == ("UNKNOWN", "OK", "0")


def test_rule_47_state_needs_a_password(t):
    path = f"/api/{t.db}/get_load_state?label=x"
    assert request(t.box.fe, "GET", path, {"Authorization": None}).status == 401
    assert request(t.box.fe, "GET", path, {"Authorization": basic("loader", "x")}).status == 401


def test_rule_47_state_without_label_or_database(t):
    answer = request(t.box.fe, "GET", f"/api/{t.db}/get_load_state")
    assert answer.status == 500 and answer.json()["msg"] == "No label selected."
    answer = request(t.box.fe, "GET", "/api/nowhere/get_load_state?label=x")
    assert "unknown database" in answer.json()["msg"]


@pytest.mark.parametrize("old_form", [False, True])
def test_cancel_of_a_held_load(t, old_form):
    thread = hold(t, "a")
    answer = cancel(t, "a") if old_form else cancel(t, "t", "a")
    assert answer["status"] == "OK"
    thread.join()
    assert thread.result["Status"] == "Fail"
    assert t.state("a") == "ABORTED" and t.rows() == []
    assert t.json(ROW, label="a")["Status"] == "Success"


def test_cancel_while_the_body_is_sent(t):
    body = json.dumps(ROW).encode()
    with Wire(t.box.be) as wire:
        wire.head("PUT", t.path(), {**JSON, "label": "a", "Expect": "100-continue",
                                    "Content-Length": str(len(body))})
        assert wire.read_head()[0] == 100
        assert cancel(t, "t", "a")["status"] == "OK"
        wire.send(body)
        assert wire.read_answer().json()["Status"] == "Fail"
    assert t.rows() == []


def test_cancel_of_a_finished_load(t):
    t.json(ROW, label="a")
    assert cancel(t, "t", "a")["status"] == "FAILED"
    assert cancel(t, "t", "nobody")["status"] == "FAILED"
    assert t.values("id") == [(1,)]


def test_hold_outlives_the_client(t):
    body = json.dumps(ROW).encode()
    t.box.fault("hold", count=1)
    with Wire(t.box.be) as wire:
        wire.head("PUT", t.path(), {**JSON, "label": "late", "Content-Length": str(len(body))})
        wire.send(body)
        t.box.wait(lambda: held(t) == ["late"])
    time.sleep(0.1)
    assert t.state("late") == "PREPARE"
    assert t.json([{"id": 1, "v": "newer", "n": 2}], label="next")["Status"] == "Success"
    assert release(t) == ["late"]
    t.box.wait(lambda: t.state("late") == "VISIBLE")
    assert t.values("id", "v") == [(1, "a")]


def test_hold_ends_with_the_timeout(t):
    thread = hold(t, "a", timeout="1")
    thread.join()
    assert thread.result["Status"] == "Fail"
    assert t.state("a") == "ABORTED" and t.rows() == []
