"""Compressed bodies, whose size nobody knows in advance."""

import base64
import random
import threading

from common import check, run_load
from driver import Drive
from faultserver import StarRocks


def rows(n):
    return [{"id": i, "v": f"value {i}", "__op": 0} for i in range(1, n + 1)]


def test_wire_format_compressed():
    with StarRocks() as sr:
        check(run_load(sr, 3, compression="none"), "done")
        assert "compression" not in sr.loads_seen()[0].headers
        done = run_load(sr, 20000, "b", compression="gzip")
        check(done, "done")
        fe = [r for r in sr.fe.requests if r.path.endswith("_stream_load")][1]
        be = sr.loads_seen()[1]
        assert be.headers["compression"] == "gzip"
        assert be.headers["format"] == "json"
        for r in (fe, be):
            assert r.headers["expect"] == "100-continue"
            assert "content-encoding" not in r.headers
        # nothing is announced to the frontend, which gets no rows
        assert fe.length == 0 and not fe.chunked
        assert be.chunked and "content-length" not in be.headers
        assert done["bytes"] == len(be.body)
        assert sr.loads[1][1] == rows(20000)


def test_names_of_methods():
    with StarRocks() as sr:
        for option, header in (("zstd", "zstd"), ("lz4", "lz4_frame")):
            sr.load = lambda request: request.reply(
                sr.result(request, "Fail", "not today"), close=True)
            check(run_load(sr, compression=option), "retry", "not today")
            assert sr.loads_seen()[-1].headers["compression"] == header


def test_connection_is_kept():
    with StarRocks() as sr, Drive(**sr.options(compression="gzip")) as drive:
        drive.table()
        drive.rows(5000)
        for i in range(5):
            check(drive.load(f"l{i}"), "done")
        assert sr.be.connections == 1, sr.be.connections
        check_all(sr, 5, 5000)


def check_all(sr, loads, n):
    assert len(sr.loads) == loads
    for _, got in sr.loads:
        assert got == rows(n)


def test_setting_changes():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(100)
        check(drive.load("a"), "done")
        options = sr.options(compression="gzip")
        assert drive.ask("set", *(f"{k}={v}" for k, v in options.items())) \
            == {"set": "ok"}
        check(drive.load("b"), "done")
        assert [r.chunked for r in sr.loads_seen()] == [False, True]
        check_all(sr, 2, 100)


def test_same_bytes_again():
    """After a break in the middle the next attempt sends what the first did."""
    with StarRocks() as sr, Drive(**sr.options(compression="gzip")) as drive:
        seen = []

        def cut(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_line()
            while len(request.body) < 20000:
                request.receive(20000 - len(request.body))
            seen.append(request.body)
            request.reset()
        sr.load = cut
        drive.table()
        drive.rows(200000)
        check(drive.load("a"), "doubt")
        check(drive.ask("resolve", "a"), "retry")
        check(drive.load("a"), "doubt")
        assert seen[0] == seen[1]
        sr.load = sr.do_load
        check(drive.load("a"), "done")
        assert sr.loads_seen()[-1].body.startswith(seen[0][:1000])
        assert sr.loads[0][1] == rows(200000)


def test_kept_connection_dies():
    """libcurl begins anew on another connection, with a rewound body."""
    with StarRocks() as sr, Drive(**sr.options(compression="gzip")) as drive:
        def second(request):
            if request.number == 0 and len(sr.loads) == 1:
                request.close()
            sr.do_load(request)
        sr.load = second
        drive.table()
        drive.rows(300)
        check(drive.load("a"), "done")
        done = drive.load("b")
        if done["outcome"] == "retry":
            done = drive.load("b")
        check(done, "done")
        check_all(sr, 2, 300)


def test_early_answer_compressed():
    """The backend has seen enough, answers and closes: it is no success."""
    with StarRocks() as sr:
        for status, outcomes in (("Fail", ("reject", "doubt")),
                                 ("Success", ("doubt",))):
            def enough(request, status=status):
                request.send("HTTP/1.1 100 Continue\r\n\r\n")
                request.read_line()
                request.receive(1000)
                request.reply(sr.result(request, status, "illegal json",
                                        rows=300000), close=True)
            sr.load = enough
            done = run_load(sr, 300000, compression="gzip")
            assert done["outcome"] in outcomes, done


def test_old_server():
    """One that knows no compression: nothing is loaded, and the hint says why."""
    with StarRocks() as sr:
        def old(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            assert request.body[:1] not in (b"{", b"[")
            request.reply(sr.result(request, "Fail", "illegal json started "
                                    "with " + chr(request.body[0])))
        sr.load = old
        check(run_load(sr, compression="gzip"), "reject", "3.2.7")


def test_stalled_compressed_body():
    with StarRocks() as sr:
        released = threading.Event()

        def stall(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            released.wait(30)
        sr.load = stall
        with Drive(**sr.options(compression="gzip",
                                low_speed_time="700ms")) as drive:
            noise = base64.b64encode(random.Random(1).randbytes(45000))
            drive.table()
            for i in range(400):
                drive.row("U", '{"id":%d,"v":"%d%s","__op":0},' % (
                    i, i, noise.decode()[i:]))
            done = drive.load("a")
            released.set()
        check(done, "doubt", "stopped reading")
        assert 600 < done["ms"] < 8000, done
