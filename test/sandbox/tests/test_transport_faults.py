"""Faults of the BE's transport, slowness, and restarts of the server."""

import json
import signal
import threading
import time

import pytest
from client import Sandbox, Target, Wire, basic

ROW = [{"id": 1, "v": "a", "n": 1}]
BODY = json.dumps(ROW).encode()
JSON = {"format": "json", "strip_outer_array": "true", "Authorization": basic()}


@pytest.mark.parametrize("when", ["before_body", "during_body", "after_body"])
@pytest.mark.parametrize("reset", [True, False])
def test_cut_without_a_commit(t, when, reset):
    t.box.fault("be_cut", when=when, reset=reset, count=1, label="^a$")
    with pytest.raises((ConnectionError, EOFError)):
        t.json(ROW, label="a")
    t.box.wait(lambda: t.state("a") in ("ABORTED", "UNKNOWN"))
    assert t.rows() == [] and t.loads()[-1]["outcome"] == "CUT"
    assert t.json(ROW, label="a")["Status"] == "Success"


def test_cut_in_the_middle_of_a_large_body(t):
    t.box.fault("be_cut", when="during_body", bytes=1000000, count=1)
    rows = [{"id": i, "v": "x" * 20, "n": 1} for i in range(100000)]
    with pytest.raises((ConnectionError, EOFError)):
        t.json(rows, label="a")
    assert t.rows() == []


@pytest.mark.parametrize("status", [401, 500, 503])
def test_be_status(t, status):
    t.box.fault("be_status", status=status, body="busy", count=1)
    answer = t.put(BODY, headers=JSON, label="a")
    assert (answer.status, answer.body, answer.sent_body) == (status, b"busy", False)
    assert t.json(ROW, label="a")["Status"] == "Success"


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("fault", ["be_garbage", "be_truncate", "be_endless", "be_status"])
def test_unusable_answer(t, fault, commit):
    more = {"bytes": 1 << 20} if fault == "be_endless" else {}
    t.box.fault(fault, commit=commit, count=1, **more)
    with Wire(t.box.be) as wire:
        wire.head("PUT", t.path(), {**JSON, "label": "a", "Content-Length": str(len(BODY))})
        wire.send(BODY)
        got = b""
        try:
            while data := wire.sock.recv(1 << 16):
                got += data
        except ConnectionError:
            assert not commit
    with pytest.raises(ValueError):
        json.loads(got.partition(b"\r\n\r\n")[2])
        if fault == "be_status":
            raise ValueError
    t.box.wait(lambda: t.state("a") == ("VISIBLE" if commit else "UNKNOWN"))
    assert len(t.rows()) == (1 if commit else 0)


def test_late_continue(t):
    t.box.fault("be_no_continue", seconds=0.5, count=1)
    with Wire(t.box.be) as wire:
        wire.head("PUT", t.path(), {**JSON, "Expect": "100-continue", "Content-Length": str(len(BODY))})
        assert wire.silent(0.4)
        assert wire.read_head()[0] == 100
        wire.send(BODY)
        assert wire.read_answer().json()["Status"] == "Success"


def test_slow_read(t):
    t.box.fault("slow_read", bytes_per_second=100000, count=1)
    rows = [{"id": i, "v": "x" * 20, "n": 1} for i in range(1000)]
    start = time.monotonic()
    assert t.json(rows)["Status"] == "Success"
    assert 0.3 < time.monotonic() - start < 5


def test_slow_commit_does_not_hold_others_up(t, make):
    other = make()
    t.box.fault("slow_commit", ms=800, db=f"^{t.db}$", count=1)
    thread = threading.Thread(target=lambda: t.json(ROW, label="slow"))
    start = time.monotonic()
    thread.start()
    t.box.wait(lambda: t.state("slow") == "PREPARE")
    assert other.json(ROW)["Status"] == "Success"
    assert time.monotonic() - start < 0.7
    thread.join()
    assert time.monotonic() - start >= 0.8 and t.state("slow") == "VISIBLE"


def test_any_status(t):
    t.box.fault("fail", status="Sleepy", message="later", count=1)
    result = t.json(ROW, label="a")
    assert (result["Status"], result["Message"]) == ("Sleepy", "later")
    assert t.rows() == [] and t.state("a") == "ABORTED"


def test_probability(t):
    t.box.fault("fail", probability=0.5)
    answers = {t.json([{"id": i, "n": 1}])["Status"] for i in range(40)}
    assert answers == {"Success", "Fail"}


DDL = """CREATE TABLE t (id BIGINT NOT NULL, d DECIMAL(10,2), j JSON, b VARBINARY, a ARRAY<INT>, ts DATETIME,
    v VARCHAR(10) NOT NULL DEFAULT 'q') PRIMARY KEY (id) DISTRIBUTED BY HASH (id)"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_restart_keeps_rows_labels_and_tables(own, tmp_path, number):
    data = str(tmp_path / "kept")
    box = own("--user", "u:p", data=data)
    t = Target(box, "d", DDL)
    rows = [{"id": 1, "d": "1.5", "j": {"a": 1}, "b": "x", "a": [1], "ts": "2024-01-01 00:00:00.000001"}]
    assert t.json(rows, columns="id,d,j,b,a,ts", label="good")["Status"] == "Success"
    assert t.json(b"[{]", label="bad")["Status"] == "Fail"
    box.fault("publish_timeout", seconds=600, count=1)
    assert t.json([{"id": 2}], columns="id", label="published")["Status"] == "Publish Timeout"
    box.fault("hold", count=1)
    late = threading.Thread(target=lambda: _ignore(lambda: t.json([{"id": 3}], columns="id", label="held")))
    late.start()
    box.wait(lambda: box.admin("GET", "held").json()["held"])
    before = t.rows()
    code = box.stop(number)
    assert code == (0 if number == signal.SIGTERM else -9)
    late.join()
    t.box = own("--user", "u:p", data=data)
    assert t.rows() == before and len(before) == 2
    assert [t.state(x) for x in ("good", "bad", "published", "held")] == ["VISIBLE", "ABORTED", "VISIBLE", "UNKNOWN"]
    assert t.json(rows, label="good")["ExistingJobStatus"] == "FINISHED"
    assert t.json([{"id": 3}], columns="id", label="held")["Status"] == "Success"
    assert "DEFAULT \"q\"" in t.box.sql("SHOW CREATE TABLE d.t")[0][1]
    assert t.values("v") == [("q",)] * 3


def _ignore(func):
    try:
        func()
    except (OSError, EOFError):
        pass


def test_kill_under_load_loses_no_answered_load(tmp_path):
    """What was answered with Success is there afterwards, the rest wholly or not at all."""
    data = str(tmp_path / "killed")
    box = Sandbox(data).start()
    t = Target(box, "d", "CREATE TABLE t (id BIGINT, n INT) PRIMARY KEY (id)")
    done = []

    def work():
        for i in range(1000):
            t.json([{"id": i * 100 + k, "n": i} for k in range(100)], label=f"l{i}")
            done.append(i)

    thread = threading.Thread(target=lambda: _ignore(work))
    thread.start()
    box.wait(lambda: len(done) >= 10)
    box.stop(signal.SIGKILL)
    thread.join()
    t.box = box = Sandbox(data).start()
    try:
        counts = {}
        for row in t.rows():
            counts[row["n"]] = counts.get(row["n"], 0) + 1
        assert set(counts.values()) == {100}
        assert set(done) <= set(counts) and len(counts) <= len(done) + 1
        for i in range(len(done) + 1):
            assert t.state(f"l{i}") == ("VISIBLE" if i in counts else "UNKNOWN")
    finally:
        box.stop()
