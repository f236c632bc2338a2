"""The StarRocks sink against servers that misbehave.

usage: test_faults.py [part of a test's name...]
"""

import base64
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

from driver import Drive
from faultserver import Server, StarRocks, column

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED_AUTH = "Basic " + base64.b64encode(b"root:geheim").decode()


def run_load(target, rows=3, label="l", **options):
    """One load of a fresh driver; its completion."""
    with Drive(**target.options(**options)) as drive:
        drive.table()
        drive.rows(rows)
        return drive.load(label)


def check(done, outcome, *parts):
    text = " | ".join((done["message"], done["detail"], done["hint"]))
    assert done["outcome"] == outcome, done
    for part in parts:
        assert part in text, (part, done)
    assert "geheim" not in text, done


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
            assert h["format"] == "json"
            assert h["strip_outer_array"] == "true"
            assert h["ignore_json_size"] == "true"
            assert h["strict_mode"] == "true"
            assert h["max_filter_ratio"] == "0"
            assert h["timeout"] == "91"
            assert h["columns"] == "`id`,`v`"
            assert "partial_update" not in h
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


def test_connections():
    """The backend's connection is kept, the frontend's for PUT is not."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(2)
        for i in range(5):
            check(drive.load(f"l{i}"), "done")
        assert sr.be.connections == 1, sr.be.connections
        puts = {r.number for r in sr.fe.requests if r.method == "PUT"}
        assert len(puts) == 5
        schemas = [r for r in sr.fe.requests if r.path.endswith("/schema")]
        assert len(schemas) == 1


def test_large_body():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(1000000)
        done = drive.load("big")
        check(done, "done")
        assert len(sr.loads[0][1]) == 1000000


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


def test_environment_proxy_is_not_used():
    with StarRocks() as sr:
        proxy = {"http_proxy": "http://127.0.0.1:1",
                 "all_proxy": "http://127.0.0.1:1"}
        with Drive(env=proxy, **sr.options()) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("l"), "done")


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


def test_body_is_sent_after_expect_timeout():
    with StarRocks() as sr:
        def never(request):
            request.read_body()
            sr.commit(request)
        sr.load = never
        done = run_load(sr, expect_timeout="400ms")
        check(done, "done")
        assert 300 < done["ms"] < 3000


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
    import select
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
        def pieces(request):
            body = b'{"Status":"Fail","Message":"too many versions"}'
            request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                         % len(body))
            for i in range(len(body)):
                request.send(body[i:i + 1])
            assert request.arrived(0.3) == 0
        sr.load = pieces
        check(run_load(sr), "retry", "too many versions")

        def no_length(request):
            request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                         b"\r\n\r\n2f\r\n"
                         b'{"Status":"Fail","Message":"too many versions"}'
                         b"\r\n0\r\n\r\n")
            assert request.arrived(5) == 0
        sr.load = no_length
        done = run_load(sr)
        check(done, "retry", "too many versions")
        assert done["ms"] < 4000, done

        def success(request):
            request.reply(sr.result(request, rows=3))
        sr.load = success
        check(run_load(sr), "retry")


def test_417():
    with StarRocks() as sr:
        sr.load = lambda request: request.reply(
            "", "417 Expectation Failed", close=True)
        check(run_load(sr), "retry", "417")


# ---- connections that break ----------------------------------------------

def test_frontend_breaks():
    with StarRocks() as sr:
        sr.redirect = lambda request: request.close()
        check(run_load(sr), "retry")
        sr.redirect = lambda request: request.reset()
        check(run_load(sr), "retry")
        sr.redirect = lambda request: request.send("garbage\r\n\r\n") \
            or request.close()
        check(run_load(sr), "retry")
        sr.redirect = lambda request: request.send(
            "HTTP/1.1 307 Temporary Redi") or request.close()
        check(run_load(sr), "retry")
        assert not sr.be.requests


def test_schema_breaks():
    with StarRocks() as sr:
        for answer in ("", "{", "[]", "null", '{"result":{"columns":[{}]}}',
                       '{"result":{"columns":[1,2]}}'):
            sr.schema = lambda request, a=answer: request.reply(a)
            done = run_load(sr)
            assert done["outcome"] in ("retry", "reject"), done
        sr.schema = lambda request: request.reset()
        check(run_load(sr), "retry")
        assert not sr.be.requests


def test_backend_is_dead():
    with StarRocks() as sr:
        sr.be.stop()
        check(run_load(sr), "retry", str(sr.be.port))


def test_cut_before_the_body():
    with StarRocks() as sr:
        sr.load = lambda request: request.reset()
        check(run_load(sr), "retry")
        sr.load = lambda request: request.close()
        check(run_load(sr), "retry")


def test_cut_in_the_body():
    with StarRocks() as sr:
        def cut(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.receive(100000)
            request.reset()
        sr.load = cut
        done = run_load(sr, 500000)
        check(done, "doubt")
        assert done["bytes"] > 0


def test_cut_after_the_body():
    with StarRocks() as sr:
        def cut(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            request.reset()
        sr.load = cut
        check(run_load(sr), "doubt")


def test_cut_in_the_answer():
    with StarRocks() as sr:
        def cut(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            request.send('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n'
                         '{"Status": "Success", "NumberLoadedRows": 3')
            request.close()
        sr.load = cut
        check(run_load(sr), "doubt")


def test_whole_answer_but_sending_failed():
    """The backend has seen enough, answers and closes."""
    outcomes = {}
    with StarRocks() as sr:
        def enough(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.receive(1000)
            request.reply(sr.result(request, "Fail", "illegal json"),
                          close=True)
        sr.load = enough
        for i in range(10):
            done = run_load(sr, 300000)
            outcomes[done["outcome"]] = outcomes.get(done["outcome"], 0) + 1
            assert done["outcome"] in ("reject", "doubt"), done
    print("      ", outcomes)
    assert outcomes.get("reject", 0) > 0


def test_kept_connection_has_died():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def last(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            sr.commit(request)
            request.close()
        sr.load = last
        drive.table()
        drive.rows(3)
        check(drive.load("a"), "done")
        time.sleep(0.2)
        check(drive.load("b"), "done")
        assert sr.be.connections == 2


def test_kept_connection_dies_under_the_request():
    """libcurl begins anew on another connection, with a rewound body."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def second(request):
            if request.number == 0 and len(sr.loads) == 1:
                request.close()
            sr.do_load(request)
        sr.load = second
        drive.table()
        drive.rows(3)
        check(drive.load("a"), "done")
        check(drive.load("b"), "done")
        assert len(sr.loads[1][1]) == 3


# ---- answers that make no sense ------------------------------------------

def answer_with(sr, data):
    def load(request):
        request.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body()
        request.send(data)
        request.close()
    sr.load = load


def test_garbage():
    with StarRocks() as sr:
        for data in (b"\x00\xff\xfe garbage", b"HTTP/1.1 200 OK\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\n\r\nhello",
                     b"HTTP/1.1 999\r\n\r\n", b"SSH-2.0-OpenSSH\r\n",
                     b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"zz\r\n",
                     b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
                     b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
                     b"HTTP/0.9\r\n", b"\r\n" * 1000):
            answer_with(sr, data)
            check(run_load(sr), "doubt")


def test_chunked_answer():
    with StarRocks() as sr:
        def load(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            body = (b'{"Status":"Success","Label":"l",'
                    b'"NumberLoadedRows":3}')
            request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                         "\r\n\r\n")
            for i in range(len(body)):
                request.send(b"1\r\n" + body[i:i + 1] + b"\r\n")
            request.send(b"0\r\n\r\n")
        sr.load = load
        check(run_load(sr), "done")


def endless(request, head, piece):
    request.send(head)
    while True:
        request.send(piece * 10000)


def test_endless_answer():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(3)
        check_memory = drive.ask("rss")["rss"]
        for head, piece in (
                (b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 10),
                (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                 b'"aaaaaaaaaaa",'),
                (b"HTTP/1.1 200 OK\r\n", b"X-Header: aaaaaaaaa\r\n"),
                (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 10),
                (b"HTTP/1.1 100 Continue\r\n\r\n", b"x")):
            def load(request, head=head, piece=piece):
                request.send("HTTP/1.1 100 Continue\r\n\r\n")
                request.read_body()
                endless(request, head, piece)
            sr.load = load
            done = drive.load("l")
            check(done, "doubt")
            assert done["ms"] < 10000, done
        assert drive.ask("rss")["rss"] < check_memory + 60000


def test_endless_frontend():
    with StarRocks() as sr:
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        sr.redirect = lambda request: endless(request, head, b"x" * 10)
        check(run_load(sr), "retry", "too large")
        sr.schema = lambda request: endless(request, head, b" " * 10)
        check(run_load(sr), "retry", "too large")


def test_row_counts():
    with StarRocks() as sr:
        def load(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            request.reply(sr.result(request, rows=2))
        sr.load = load
        check(run_load(sr), "reject", "loaded 2 rows of the 3")


def test_answer_for_another_label():
    with StarRocks() as sr:
        def load(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            request.reply(dict(sr.result(request, rows=3), Label="other"))
        sr.load = load
        check(run_load(sr), "doubt", "another label")


# ---- time -----------------------------------------------------------------

def test_stalled_body():
    with StarRocks() as sr:
        def stall(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(20)
        sr.load = stall
        done = run_load(sr, 900000, low_speed_time="700ms")
        check(done, "doubt", "stopped reading")
        assert 600 < done["ms"] < 5000, done


def test_no_answer_in_time():
    with StarRocks() as sr:
        def hang(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            time.sleep(20)
        sr.load = hang
        done = run_load(sr, load_timeout="1s", connect_timeout="200ms",
                        low_speed_time="100ms")
        check(done, "doubt", "timed out")
        assert 1000 < done["ms"] < 4000, done


def test_frontend_does_not_answer():
    with StarRocks() as sr:
        sr.redirect = lambda request: time.sleep(20)
        done = run_load(sr, request_timeout="500ms")
        check(done, "retry", "timed out")
        assert 400 < done["ms"] < 4000, done


# ---- frontends and redirects ----------------------------------------------

def dead_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "127.0.0.1:%d" % listener.getsockname()[1]


def test_first_frontend_is_dead():
    with StarRocks() as sr:
        url = f"http://{dead_address()},{sr.fe.url}"
        with Drive(**sr.options(url=url)) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "done")
            check(drive.load("b"), "done")


def test_frontend_in_trouble():
    with StarRocks() as sr, StarRocks() as ill:
        ill.redirect = lambda r: r.reply("", "503 Unavailable", close=True)
        ill.schema = ill.redirect
        url = f"{ill.fe.url},{sr.fe.url}"
        with Drive(**sr.options(url=url)) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "done")
        assert ill.fe.requests and not ill.be.requests


def test_frontend_goes_away():
    with StarRocks() as sr, StarRocks() as other:
        other.location = sr.be.url
        url = f"{sr.fe.url},{other.fe.url}"
        with Drive(**sr.options(url=url)) as drive:
            drive.table()
            drive.rows(1)
            check(drive.load("a"), "done")
            assert not other.fe.requests
            sr.fe.stop()
            sr.on_frontend = lambda request: request.close()
            check(drive.load("b"), "done")
            assert other.fe.requests


def test_all_frontends_are_dead():
    with StarRocks() as sr:
        url = f"http://{dead_address()},http://{dead_address()}"
        done = run_load(sr, url=url)
        check(done, "retry", "127.0.0.1")


def test_bad_redirects():
    with StarRocks() as sr:
        for location in ("ftp://127.0.0.1/x", "http://root:pw@127.0.0.1:1/x",
                         "http://127.0.0.1:99999/x", "http://", "//",
                         "http://127.0.0.1:80:80/x", "javascript:1",
                         "http://a b/", "file:///etc/passwd"):
            sr.redirect = lambda r, l=location: r.reply(
                "", "307 Temporary Redirect", [f"Location: {l}"], close=True)
            done = run_load(sr, connect_timeout="500ms")
            check(done, "retry")
        sr.redirect = lambda r: r.reply("", "307 Temporary Redirect")
        check(run_load(sr), "retry", "redirect")
        for status in ("301 Moved", "302 Found", "303 See Other",
                       "308 Permanent Redirect"):
            sr.redirect = lambda r, s=status: r.reply(
                "", s, [f"Location: {sr.be.url}{r.path}"], close=True)
            check(run_load(sr), "retry", status[:3])
        assert not sr.be.requests


def test_redirect_loop():
    with StarRocks() as sr:
        def again(request):
            request.reply("", "307 Temporary Redirect",
                          [f"Location: {sr.be.url}{request.path}"])
        sr.load = again
        check(run_load(sr), "retry", "too many redirects")
        assert len(sr.be.requests) <= 4


def test_second_redirect():
    with StarRocks() as sr, StarRocks() as leader:
        sr.load = lambda request: request.reply(
            "", "307 Temporary Redirect",
            [f"Location: {leader.be.url}{request.path}"], close=True)
        check(run_load(sr), "done")
        assert len(leader.loads) == 1


def test_be_address():
    with StarRocks() as sr:
        sr.location = "http://be-internal.invalid:8040"
        check(run_load(sr), "retry")
        check(run_load(sr, be_address=sr.be.address), "done")
        sr.location = f"http://be-internal.invalid:{sr.be.port}"
        check(run_load(sr, be_address="127.0.0.1"), "done")


def test_frontend_answers_like_a_backend():
    with StarRocks() as sr:
        sr.redirect = lambda request: request.reply(
            sr.result(request, "Fail", "all partitions have no load data"))
        check(run_load(sr), "retry", "must name frontends")
        sr.redirect = lambda request: request.reply(sr.result(request))
        assert run_load(sr)["outcome"] == "retry"


def test_frontend_errors():
    with StarRocks() as sr:
        text = "class com.starrocks.common.DdlException: "
        sr.redirect = lambda request: request.reply(
            {"Status": "FAILED", "Message": text + "No backend alive."},
            close=True)
        check(run_load(sr), "retry", "No backend alive")
        sr.redirect = lambda request: request.reply(
            {"status": "FAILED", "code": "1", "msg": "Access denied for root"},
            "401 Unauthorized", ['WWW-Authenticate: Basic realm=""'])
        done = run_load(sr)
        check(done, "retry", "Access denied", "user and password")
        assert done["slow_down"]


def test_access_at_the_backend():
    with StarRocks() as sr:
        sr.load = lambda request: request.reply(
            sr.result(request, "Fail", "Access denied"))
        done = run_load(sr)
        check(done, "retry", "user and password")
        assert done["slow_down"]


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
        assert len(schemas) == 2


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
        assert len(schemas) == 2


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
        cancelled = [r.path for r in sr.fe.requests if r.method == "POST"]
        assert cancelled == ["/api/d/t/_cancel?label=b",
                             "/api/d/t/_cancel?label=e"], cancelled
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
            sr.load = lambda request, j=job: request.reply(sr.result(
                request, "Label Already Exists",
                "Label [l] has already been used.", ExistingJobStatus=j))
            check(run_load(sr), outcome)


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
        check(run_load(sr), "reject", "too many filtered rows")
        for url in ("file:///etc/passwd", "http://", "x", "\r\n"):
            filtered(sr, url)
            check(run_load(sr), "reject", "too many filtered rows")
        sr.other = lambda request: request.reset()
        filtered(sr, f"{sr.be.url}/log")
        check(run_load(sr), "reject", "too many filtered rows")
        assert not foreign.be.requests


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
            assert other.fe.requests[-1].path == "/api/e/t/_stream_load"
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

def make_certificates(directory):
    """An authority and a certificate for 127.0.0.1, and a foreign authority."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in ("ca", "foreign"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", f"/CN=test {name}", "-keyout", f"{name}.key", "-out",
                f"{name}.pem", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server",
            "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(directory, "ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
            "-out", "server.pem")


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


def main():
    wanted = sys.argv[1:]
    failed = []
    for name, function in list(globals().items()):
        if not name.startswith("test_"):
            continue
        if wanted and not any(part in name for part in wanted):
            continue
        began = time.monotonic()
        try:
            function()
            print(f"ok     {name} ({time.monotonic() - began:.1f} s)",
                  flush=True)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
            failed.append(name)
    print(f"{len(failed)} failed" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
