"""Labels and their states, bad rows, and the small sinks."""

import os
import tempfile

from common import EXPECTED_AUTH, check, run_load
from driver import Drive
from faultserver import StarRocks


# ---- labels ---------------------------------------------------------------

def test_resolve():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        for state, outcome in (("VISIBLE", "done"), ("COMMITTED", "done"),
                               ("PREPARE", "doubt"), ("PREPARED", "doubt"),
                               ("ABORTED", "retry"), ("UNKNOWN", "retry"),
                               ("NEW_STATE", "doubt")):
            sr.states["l"] = state
            assert drive.ask("resolve", "l")["outcome"] == outcome, state
        for answer in ("", "{", "[]", '{"status":"OK"}', "x" * 200000):
            sr.state = lambda request, a=answer: request.reply(a)
            check(drive.ask("resolve", "l"), "doubt")
        sr.state = lambda request: request.reset()
        check(drive.ask("resolve", "l"), "doubt")
        sr.state = lambda request: request.reply("", "401 Unauthorized")
        done = drive.ask("resolve", "l")
        check(done, "doubt", "user and password")
        assert done["slow_down"]


def test_follower_redirects_to_the_leader():
    with StarRocks() as sr, StarRocks() as leader:
        leader.states["l"] = "VISIBLE"
        sr.state = lambda request: request.reply(
            "", "307 Temporary Redirect",
            [f"Location: {leader.fe.url}{request.path}"], close=True)
        with Drive(**sr.options()) as drive:
            check(drive.ask("resolve", "l"), "done")
            asked = leader.fe.requests[0]
            assert asked.path == "/api/d/get_load_state?label=l"
            assert asked.headers["authorization"] == EXPECTED_AUTH
            sr.state = lambda request: request.reply(
                "", "307 Temporary Redirect",
                [f"Location: {sr.fe.url}{request.path}"], close=True)
            check(drive.ask("resolve", "l"), "doubt", "too many redirects")


def test_settle():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        sr.states.update(a="VISIBLE", b="PREPARE", c="ABORTED", e="PREPARED")
        check(drive.ask("settle", "a", "b", "c", "d", "e"), "done")
        ended = [(r.path, r.headers.get("label")) for r in sr.fe.requests
                 if r.method == "POST"]
        assert ended == [("/api/d/t/_cancel?label=b", None),
                         ("/api/transaction/rollback", "e")], ended
        assert sr.states["e"] == "ABORTED"
        # one that was committed while it was being cancelled
        sr.states["f"] = "PREPARE"

        def too_late(request):
            sr.states["f"] = "VISIBLE"
            request.reply({"status": "FAILED", "msg": "already committed"})
        sr.cancel = too_late
        check(drive.ask("settle", "f"), "done")
        # one that does not end, on any path
        sr.states["g"] = "PREPARE"
        sr.cancel = lambda request: request.reply({"status": "OK"})
        check(drive.ask("settle", "a", "g"), "retry", "label is g")
        assert sr.fe.requests[-2].path == "/api/d/g/_cancel"
        sr.state = lambda request: request.reply("?")
        check(drive.ask("settle", "a"), "retry")


def test_label_exists():
    with StarRocks() as sr:
        for job, outcome in (("FINISHED", "done"), ("RUNNING", "doubt")):
            with Drive(**sr.options()) as drive:
                drive.table()
                drive.rows(3)
                sr.load = lambda request: request.reset()
                check(drive.load("l"), "retry")
                sr.load = lambda request, j=job: request.reply(sr.result(
                    request, "Label Already Exists",
                    "Label [l] has already been used.", ExistingJobStatus=j))
                check(drive.load("l"), outcome)


def test_publish_timeout():
    with StarRocks() as sr:
        for state, outcome in (("COMMITTED", "done"), ("VISIBLE", "done"),
                               ("PREPARE", "doubt"), ("UNKNOWN", "doubt")):
            def load(request, state=state):
                request.send("HTTP/1.1 100 Continue\r\n\r\n")
                request.read_body()
                sr.states["l"] = state
                request.reply(sr.result(request, "Publish Timeout", "slow",
                                        rows=3))
            sr.load = load
            check(run_load(sr), outcome)


# ---- bad rows -------------------------------------------------------------

def filtered(sr, url):
    def load(request):
        request.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body()
        request.reply(sr.result(request, "Fail", "too many filtered rows",
                                ErrorURL=url))
    sr.load = load


def test_error_log():
    with StarRocks() as sr:
        log = []

        def other(request):
            log.append(request)
            request.reply("Error: NULL value in non-nullable column 'n'. "
                          "Row: ['secret value']\n" * 1000)
        sr.other = other
        url = f"{sr.be.url}/api/_load_error_log?file=error_log_1"
        filtered(sr, url)
        done = run_load(sr)
        check(done, "reject", "too many filtered rows", "column 'n'")
        assert done["status"] == 5      # DBMAZZ_ERR_UNREPRESENTABLE
        assert "secret value" not in done["detail"]
        assert log[0].path == "/api/_load_error_log?file=error_log_1"
        assert "authorization" not in log[0].headers

        # through the rewritten address
        sr.location = "http://be-internal.invalid:8040"
        filtered(sr, f"{sr.location}/api/_load_error_log?file=2")
        done = run_load(sr, be_address=sr.be.address)
        check(done, "reject", "column 'n'")
        assert log[-1].path == "/api/_load_error_log?file=2"


def test_error_log_elsewhere():
    with StarRocks() as sr, StarRocks() as foreign:
        filtered(sr, foreign.be.url.replace("127.0.0.1", "127.0.0.2") + "/x")
        check(run_load(sr), "reject", "too many filtered rows", "127.0.0.2")
        for url in ("file:///etc/passwd", "http://", "x", "\r\n"):
            filtered(sr, url)
            check(run_load(sr), "reject", "too many filtered rows")
        sr.other = lambda request: request.reset()
        filtered(sr, f"{sr.be.url}/log")
        check(run_load(sr), "reject", "too many filtered rows")
        assert not foreign.be.requests


# ---- the small sinks ------------------------------------------------------

def test_null_sink():
    with Drive("null", delay_ms="300ms") as drive:
        drive.table()
        drive.rows(10)
        done = drive.load("a")
        check(done, "done")
        assert done["ms"] >= 290 and done["bytes"] > 0
        drive.ask("start", "b", 1)
        drive.ask("start", "c", 2)
        drive.ask("cancel", 1)
        assert drive.ask("wait")["id"] == 2
        assert "error" in drive.ask("set", "delay_ms=x")
        assert "error" in drive.ask("set", "other=1")
        assert "error" not in drive.ask("set", "delay_ms=0")
        assert drive.load("d")["ms"] < 200


def test_file_sink():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "out")
        first = os.path.join(path, "t.ndjson")
        with Drive("file", path=path) as drive:
            drive.table()
            drive.rows(2)
            drive.row("D", '{"id":7')
            check(drive.load("a"), "done")
            with open(first) as file:
                text = file.read()
            assert text == ('{"id":1,"v":"value 1","__op":0}\n'
                            '{"id":2,"v":"value 2","__op":0}\n'
                            '{"id":7,"__op":1}\n')
            # a torn line, as a crash leaves it
            with open(first, "a") as file:
                file.write('{"id":8,"v":"torn' + "x" * 200000)
            check(drive.load("b"), "done")
            with open(first) as file:
                assert file.read() == text + text
            drive.table("../.x/y %")
            drive.rows(1)
            check(drive.load("c"), "done")
            assert sorted(os.listdir(path)) == ["%2E.%2F.x%2Fy%20%25.ndjson",
                                                "t.ndjson"]
            check(drive.ask("resolve", "c"), "retry")
            check(drive.ask("settle", "c"), "done")
        # where nothing can be written
        os.mkdir(os.path.join(directory, "ro"))
        os.mkdir(os.path.join(directory, "ro", "t.ndjson"))
        with Drive("file", path=os.path.join(directory, "ro")) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "retry", "could not open")
        os.symlink("/dev/full", os.path.join(path, "full.ndjson"))
        with Drive("file", path=path) as drive:
            drive.table("full")
            drive.rows(1)
            check(drive.load("a"), "retry", "could not")
