"""Servers that break off, talk nonsense, are slow, or send us elsewhere."""

import time

from common import check, dead_address, run_load
from driver import Drive
from faultserver import StarRocks


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
            end, n = time.monotonic() + 20, 0
            while not other.fe.requests:
                assert time.monotonic() < end
                n += 1
                check(drive.load(f"b{n}"), "done")


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
        check(run_load(sr), "retry", "redirect of the StarRocks frontend",
              "there was one before", "be_address")
        assert len(sr.be.requests) == 1


def test_second_redirect():
    """A backend keeps what it gets: whoever is named by it gets nothing."""
    with StarRocks() as sr, StarRocks() as other:
        sr.load = lambda request: request.reply(
            "", "307 Temporary Redirect",
            [f"Location: {other.be.url}{request.path}"], close=True)
        check(run_load(sr), "retry", "there was one before")
        assert not other.be.requests and not other.fe.requests


def test_redirect_in_pieces():
    with StarRocks() as sr:
        def slow(request):
            request.send("HTTP/1.1 307 Temporary Redirect\r\n"
                         "Content-Length: 0\r\n")
            time.sleep(0.3)
            request.send(f"Location: {sr.be.url}{request.path}\r\n\r\n")
            time.sleep(0.3)
        sr.redirect = slow
        check(run_load(sr), "done")
        assert len(sr.loads) == 1


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
