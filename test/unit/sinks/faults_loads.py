"""Loads as they should be: format, connections, Expect, schema, settings."""

import base64
import os
import queue
import select
import socket
import ssl
import tempfile
import threading
import time

from common import (EXPECTED_AUTH, HERE, check, make_certificates, run_load)
from driver import Drive
from faultserver import Closed, StarRocks, column


# ---- the usual way --------------------------------------------------------

def test_wire_format():
    with StarRocks() as sr:
        done = run_load(sr, 3, "lab-1", load_timeout="90500ms")
        check(done, "done")
        fe = [r for r in sr.fe.requests if r.path.endswith("_stream_load")][0]
        be = sr.loads_seen()[0]
        assert fe.method == be.method == "PUT"
        assert fe.path == be.path == "/api/d/t/_stream_load"
        assert fe.length == 0 and "transfer-encoding" not in fe.headers
        assert be.length == done["bytes"] == len(be.body)
        for r in (fe, be):
            h = r.headers
            assert h["expect"] == "100-continue"
            assert h["authorization"] == EXPECTED_AUTH
            assert h["label"] == "lab-1"
            assert "partial_update" not in h
        about = {"format": "json", "strip_outer_array": "true",
                 "ignore_json_size": "true", "strict_mode": "true",
                 "max_filter_ratio": "0", "timeout": "91",
                 "columns": "`id`,`v`"}
        for name, value in about.items():
            assert be.headers[name] == value
            # the frontend only chooses a backend, and limits headers
            assert name not in fe.headers
        assert sr.loads[0][1] == [
            {"id": i, "v": f"value {i}", "__op": 0} for i in (1, 2, 3)]


def test_partial_and_deletes():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        sr.columns.append(column("n", "INT", null=False, default="CONST"))
        drive.table("t", ["id:20:2:kn", "n:23:2:"], partial=True)
        drive.row("U", '{"id":1,"n":5,"__op":0},')
        check(drive.load("a"), "done")
        headers = sr.loads_seen()[-1].headers
        assert headers["partial_update"] == "true"
        assert headers["partial_update_mode"] == "row"
        assert headers["columns"] == "`id`,`n`"
        drive.table("t", ["id:20:2:kn", "v:25:0:", "n:23:2:"])
        drive.row("D", '{"id":1')
        drive.row("U", '{"id":2,"v":null,"n":7,"__op":0},')
        drive.row("D", '{"id":3')
        check(drive.load("b"), "done")
        assert sr.loads[-1][1] == [
            {"id": 1, "n": 0, "__op": 1},
            {"id": 2, "v": None, "n": 7, "__op": 0},
            {"id": 3, "n": 0, "__op": 1}]


def asked(sr):
    """How often the frontend was asked for a backend."""
    return sum(r.method == "PUT" for r in sr.fe.requests)


def load_until(drive, condition):
    """How many loads it took."""
    end, n = time.monotonic() + 20, 0
    while time.monotonic() < end:
        n += 1
        check(drive.load(f"l{n}-{time.monotonic()}"), "done")
        if condition():
            return n
    raise AssertionError("it did not happen")


def test_connections():
    """The backend's connection is kept, the frontend's for PUT is not."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(2)
        n = load_until(drive, lambda: asked(sr) == 3)
        assert sr.be.connections == 1, sr.be.connections
        puts = {r.number for r in sr.fe.requests if r.method == "PUT"}
        assert len(puts) == 3
        schemas = [r for r in sr.fe.requests if r.path.endswith("/schema")]
        # one before all of them and one behind each, all over one connection
        assert len(schemas) == n + 1
        assert len({r.connection for r in schemas}) == 1


def test_backend_serves_again():
    """A backend serves other loads, too, but not for long."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(1)
        before = 0

        def was_not_asked():
            nonlocal before
            before, last = asked(sr), before
            return before == last
        load_until(drive, was_not_asked)
        load_until(drive, lambda: asked(sr) > before)
        # another table's rows, too
        drive.table("other")
        drive.rows(1)
        load_until(drive, was_not_asked)
        assert sr.be.requests[-1].path == "/api/d/other/_stream_load"
        # what was named under other settings is not used
        before = asked(sr)
        drive.ask("set", *(f"{k}={v}" for k, v in
                           sr.options(load_timeout="61s").items()))
        check(drive.load("new"), "done")
        assert asked(sr) == before + 1


def test_backends_side_by_side():
    """Loads at the same time go where the frontends want each to go."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        go = threading.Event()

        def wait(request):
            go.wait(20)
            sr.do_load(request)
        drive.table()
        drive.rows(1)
        check(drive.load("first"), "done")
        before = asked(sr)
        sr.load = wait
        for i in range(3):
            drive.ask("start", f"l{i}", i + 1)
        while len(sr.be.requests) < 4:
            drive.ask("pump", 10)
        # one of them may have the backend of the first load
        assert asked(sr) - before in (2, 3), (asked(sr), before)
        go.set()
        for _ in range(3):
            check(drive.ask("wait"), "done")


def test_backend_named_earlier_is_gone():
    """Nothing was sent to it: the load goes where a frontend says now."""
    with StarRocks() as sr, StarRocks() as other:
        with Drive(**sr.options()) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "done")
            sr.location = other.be.url
            sr.load = lambda request: request.close()
            check(drive.load("b"), "done")
            assert [label for label, _ in other.loads] == ["b"]
            assert asked(sr) == 2


def test_large_body():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(300000)
        done = drive.load("big")
        check(done, "done")
        assert len(sr.loads[0][1]) == 300000


def test_parallel():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def slow(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            time.sleep(0.3)
            sr.commit(request)
        sr.load = slow
        drive.table()
        drive.rows(10)
        began = time.monotonic()
        for i in range(20):
            drive.ask("start", f"l{i}", i + 1)
        done = [drive.ask("wait") for _ in range(20)]
        assert sorted(d["id"] for d in done) == list(range(1, 21))
        for d in done:
            check(d, "done")
        assert time.monotonic() - began < 4


def test_cancel_and_close():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def hang(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            time.sleep(20)
        sr.load = hang
        drive.table()
        drive.rows(10)
        drive.ask("start", "a", 1)
        drive.ask("start", "b", 2)
        drive.ask("cancel", 1)
        sr.load = sr.do_load
        done = drive.load("c")
        check(done, "done")
        drive.ask("start", "d", 3)
        # close() with two requests under way; the sanitizer looks for leaks


def test_name_resolution():
    with StarRocks() as sr:
        url = f"http://localhost:{sr.fe.port}"
        check(run_load(sr, url=url), "done")
        done = run_load(sr, url="http://no-such-host.invalid:8030")
        check(done, "retry", "no-such-host.invalid")


def test_slow_name_resolution():
    """Neither the end of a request nor close() waits for the resolver."""
    library = os.path.join(HERE, "build", "slow_resolver.so")
    env = {"LD_PRELOAD": library,
           "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    began = time.monotonic()
    with Drive(env=env, url="http://slow.example:8030", database="d",
               connect_timeout="300ms") as drive:
        drive.table()
        drive.rows(1)
        done = drive.load("l")
        check(done, "retry", "timed out")
        assert done["ms"] < 1500, done
    assert time.monotonic() - began < 3


# ---- Expect ---------------------------------------------------------------

def test_body_waits_for_continue():
    with StarRocks() as sr:
        def late(request):
            assert request.arrived(1.5) == 0
            sr.do_load(request)
        sr.load = late
        check(run_load(sr), "done")


def test_no_body_unasked():
    """A backend that hangs must not find rows in its socket when it comes back."""
    with StarRocks() as sr:
        def never(request):
            time.sleep(1.5)
            sr.found = has_data(request)
        sr.load = never
        done = run_load(sr, expect_timeout="400ms")
        check(done, "retry", "did not ask for the body")
        assert 300 < done["ms"] < 1400, done


def test_slow_frontend_gets_no_body():
    with StarRocks() as sr:
        def slow(request):
            time.sleep(1.5)
            sr.connection_bytes = request.connection.recv(
                1, socket.MSG_DONTWAIT) if has_data(request) else b""
            sr.give_redirect(request)
        sr.redirect = slow
        check(run_load(sr, expect_timeout="100ms"), "done")
        assert sr.connection_bytes == b""


def has_data(request):
    return bool(select.select([request.connection], [], [], 0)[0])


def test_early_answer_instead_of_continue():
    """No body goes out, and the connection is not used again."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def refuse(request):
            request.reply(sr.result(request, "Fail", "too many versions"))
            assert request.arrived(0.3) == 0
            request.read_body()
        sr.load = refuse
        drive.table()
        drive.rows(5)
        done = drive.load("a")
        check(done, "retry", "too many versions")
        assert done["slow_down"] and done["bytes"] == 0
        sr.load = sr.do_load
        check(drive.load("b"), "done")
        assert sr.be.connections == 2


def test_early_answer_in_pieces():
    with StarRocks() as sr:
        pauses = queue.Queue()

        def pieces(request):
            body = b'{"Status":"Fail","Message":"too many versions"}'
            request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                         % len(body))
            longest, last = 0, time.monotonic()
            try:
                for i in range(len(body)):
                    request.send(body[i:i + 1])
                    now = time.monotonic()
                    longest, last = max(longest, now - last), now
            finally:
                pauses.put(max(longest, time.monotonic() - last))
            assert request.arrived(0.3) == 0
        sr.load = pieces
        done = run_load(sr)
        # A machine that stands still makes pauses, which may end the answer.
        while "not ended" in done["message"] and pauses.get(timeout=60) > 1:
            done = run_load(sr)
        check(done, "retry", "too many versions")

        gone = threading.Event()

        def no_length(request):
            request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                         b"\r\n\r\n2f\r\n"
                         b'{"Status":"Fail","Message":"too many versions"}'
                         b"\r\n0\r\n\r\n")
            try:
                assert request.arrived(60) == 0
            except Closed:
                gone.set()
                raise
        sr.load = no_length
        check(run_load(sr), "retry", "too many versions")
        assert gone.wait(60), "the client waits for the server"

        def success(request):
            request.reply(sr.result(request, rows=3))
        sr.load = success
        check(run_load(sr), "retry")


def test_417():
    with StarRocks() as sr:
        sr.load = lambda request: request.reply(
            "", "417 Expectation Failed", close=True)
        check(run_load(sr), "retry", "417")


# ---- schema ---------------------------------------------------------------

def test_missing_column_and_repair():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table("t", ["id:20:2:kn", "v:25:0:", "w:20:2:"])
        drive.row("U", '{"id":1,"v":"a","w":5,"__op":0},')
        done = drive.load("a")
        check(done, "reject", 'has no column "w"',
              "ALTER TABLE `d`.`t` ADD COLUMN `w` BIGINT NULL")
        assert not sr.be.requests
        sr.columns.append(column("w", "BIGINT"))
        check(drive.load("a"), "done")


def test_new_description_is_compared():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(1)
        check(drive.load("a"), "done")
        time.sleep(1.2)
        sr.columns.append(column("w", "BIGINT"))
        drive.table("t", ["id:20:2:kn", "v:25:0:", "w:20:2:"])
        drive.row("U", '{"id":1,"v":"a","w":5,"__op":0},')
        check(drive.load("b"), "done")
        check(drive.load("c"), "done")
        schemas = [r for r in sr.fe.requests if r.path.endswith("/schema")]
        # before a and b, and behind each of them
        assert len(schemas) == 5


def test_unknown_table():
    with StarRocks() as sr:
        sr.schema = lambda request: request.reply(
            {"code": "404", "message": "Unknown table 't'"}, "404 Not Found")
        check(run_load(sr), "reject", "Unknown table", "CREATE TABLE `d`.`t`")


def test_rejection_reads_the_schema_again():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(1)
        check(drive.load("a"), "done")
        sr.load = lambda request: request.reply(
            sr.result(request, "Fail",
                      "Column has no default value. column: n"))
        check(drive.load("b"), "reject", "no default value")
        sr.load = sr.do_load
        check(drive.load("b"), "done")
        schemas = [r for r in sr.fe.requests if r.path.endswith("/schema")]
        # before a, behind it, before b again, and behind it
        assert len(schemas) == 4


def sql_rows(request):
    request.read_body()
    assert b"TABLE_NAME = 't'" in request.body, request.body
    assert request.headers["content-type"] == "application/json"
    lines = ['{"connectionId":1}', '{"meta":[]}',
             '{"data":["id","bigint","NO","PRI",null,""]}',
             '{"data":["v","varchar","NO","",null,""]}',
             '{"statistics":{}}']
    request.reply("\n".join(lines) + "\n")


def test_schema_fallbacks():
    with StarRocks() as sr:
        sr.schema = lambda request: request.reply("", "404 Not Found")
        sr.other = sql_rows
        with Drive(**sr.options()) as drive:
            drive.table()
            drive.row("D", '{"id":1')
            check(drive.load("a"), "done")
            assert sr.loads[-1][1] == [{"id": 1, "v": "", "__op": 1}]

        def only_old(request):
            request.read_body()
            if not request.path == "/api/d/t/_schema":
                request.reply("", "404 Not Found")
                return
            request.reply({"status": 200, "properties": [
                {"name": "id", "type": "BIGINT"},
                {"name": "v", "type": "VARCHAR"}]})
        sr.other = only_old
        check(run_load(sr), "done")
        sr.other = lambda request: request.reply("", "404 Not Found")
        check(run_load(sr), "retry", "404")


# ---- settings -------------------------------------------------------------

def test_reconfigure():
    with StarRocks() as sr, StarRocks() as other:
        with Drive(**sr.options()) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "done")
            assert "error" in drive.ask("set", "url=nonsense", "database=d")
            check(drive.load("b"), "done")
            drive.ask("set", f"url={other.fe.url}", "database=e",
                      "password=new")
            check(drive.load("c"), "done")
            assert len(sr.loads) == 2 and len(other.loads) == 1
            assert [r.path for r in other.fe.requests][1:2] == ["/api/e/t/_stream_load"]
            expected = "Basic " + base64.b64encode(b"root:new").decode()
            assert other.loads_seen()[0].headers["authorization"] == expected


def test_names_with_special_characters():
    with StarRocks() as sr:
        sr.columns = [column("id", "BIGINT", key=True),
                      column("v", "VARCHAR")]
        with Drive(**sr.options(database="d/é ?")) as drive:
            drive.table("t%t&x")
            drive.rows(1)
            check(drive.load("a"), "done")
            path = "/api/d%2F%C3%A9%20%3F/t%25t%26x/_stream_load"
            assert sr.loads_seen()[0].path == path


# ---- TLS ------------------------------------------------------------------

def test_tls():
    with tempfile.TemporaryDirectory() as directory:
        make_certificates(directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "server.pem"),
                                os.path.join(directory, "server.key"))
        ca = os.path.join(directory, "ca.pem")
        foreign = os.path.join(directory, "foreign.pem")
        with StarRocks(tls=context, be_tls=context) as sr:
            check(run_load(sr, 200000, ca_file=ca), "done")
            check(run_load(sr, tls_verify="off"), "done")
            check(run_load(sr), "retry", "certificate")
            check(run_load(sr, ca_file=foreign), "retry", "certificate")
            check(run_load(sr, ca_file="/no/such/file"), "retry",
                  "/no/such/file")
            url = f"https://localhost:{sr.fe.port}"
            check(run_load(sr, url=url, ca_file=ca), "retry", "localhost")
            n = len(sr.be.requests)

            # never from https to http, unless the way is named with https
            sr.location = f"http://127.0.0.1:{sr.be.port}"
            check(run_load(sr, ca_file=ca), "retry", "from https to http",
                  "be_address")
            check(run_load(sr, ca_file=ca, be_address=sr.be.address),
                  "retry", "from https to http")
            assert len(sr.be.requests) == n
            check(run_load(sr, ca_file=ca,
                           be_address=f"https://{sr.be.address}"), "done")
            sr.state = lambda request: request.reply(
                "", "307 Temporary Redirect",
                [f"Location: {sr.location}{request.path}"], close=True)
            with Drive(**sr.options(ca_file=ca)) as drive:
                check(drive.ask("resolve", "l"), "doubt",
                      "from https to http")
