"""TRUNCATE over the MySQL port, against the sandbox."""

import socket
import tempfile
import threading
import time

from common import check, dead_address, made_up
from driver import Drive


def drive(box, env=None, **options):
    return Drive(env=env, **box.mysql_options(**options))


def filled(box, **more):
    """A table with rows."""
    box.fresh(**more)
    box.run("INSERT INTO d.t VALUES (1, 'a'), (2, 'b')")


def truncate(box, label="c1", table="t", **options):
    with drive(box, **options) as sink:
        sink.table(table)
        return sink.ask("truncate", label)


def settle(box, *labels, **options):
    with drive(box, **options) as sink:
        sink.table()
        return sink.ask("settle", *labels)


def abandoned(box, label, **options):
    """A TRUNCATE whose client is gone while the server holds it."""
    sink = drive(box, request_timeout="200ms", **options)
    sink.table()
    done = sink.ask("truncate", label)
    sink.close()
    assert box.held() == [f"/* dbmazz {label} */ TRUNCATE TABLE `d`.`t`"]
    return done


def sessions(box):
    return [row for row in box.run("SHOW FULL PROCESSLIST")
            if row[8] != "SHOW FULL PROCESSLIST"]


def test_truncate(box):
    filled(box)
    check(truncate(box), "done")
    assert box.rows() == []
    check(truncate(box), "done")
    box.wait(lambda: not sessions(box))


def test_truncate_by_name(box):
    """A name is looked up without waiting for it."""
    filled(box)
    done = truncate(box, mysql_address=f"localhost:{box.ports['mysql']}")
    check(done, "done")
    assert box.rows() == []
    done = truncate(box, mysql_address="no-such-host.invalid:9030")
    check(done, "retry", "MySQL port", "no-such-host.invalid:9030")


def test_truncate_names(box):
    box.fresh()
    name = "a`b;Ü"
    box.run("DROP TABLE IF EXISTS d.`a``b;Ü`")
    box.run("CREATE TABLE d.`a``b;Ü` (id BIGINT) PRIMARY KEY (id)")
    box.run("INSERT INTO d.`a``b;Ü` VALUES (1)")
    check(truncate(box, table=name), "done")
    assert box.run("SELECT * FROM d.`a``b;Ü`") in ([], ())


def test_truncate_without_address(box):
    box.fresh()
    with Drive(**box.options()) as sink:
        sink.table()
        check(sink.ask("truncate", "c1"), "reject", "cannot be truncated",
              "dbmazz.starrocks_mysql_address", "truncate_mode",
              "TRUNCATE TABLE `d`.`t`;")


def test_truncate_unknown(box):
    box.fresh()
    check(truncate(box, table="nowhere"), "reject", "Unknown table", "nowhere",
          "target_ddl")
    check(truncate(box, database="nodb"), "reject", "Unknown database",
          "CREATE DATABASE `nodb`;")


def test_truncate_denied(box):
    filled(box)
    done = truncate(box, password="falsch")
    check(done, "retry", "ccess denied", "user and password")
    assert done["slow_down"] and "falsch" not in str(done)
    box.fault("mysql_error", code=5203, count=1, statement="TRUNCATE",
              message="Access denied; you need the DROP privilege(s)")
    check(truncate(box), "reject", "Access denied", "DROP privilege", '"t"')
    assert len(box.rows()) == 2


def test_truncate_refused(box):
    """Before the statement has left: nothing has happened."""
    filled(box)
    check(truncate(box, mysql_address=dead_address()), "retry",
          "MySQL port failed")
    box.fault("mysql_cut", when="connect", count=1)
    check(truncate(box), "doubt")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        check(truncate(box, mysql_address=f"127.0.0.1:{port}",
                       connect_timeout="300ms"), "retry", "no answer in time")
        assert 0.2 < time.monotonic() - began < 10
    assert len(box.rows()) == 2


def test_truncate_no_mysql_server(box):
    """Something else listens there."""
    filled(box)
    with socket.create_server(("127.0.0.1", 0)) as other:
        def answer():
            with other.accept()[0] as peer:
                peer.sendall(b"SSH-2.0-no\r\n" * 100)
        thread = threading.Thread(target=answer)
        thread.start()
        port = other.getsockname()[1]
        check(truncate(box, mysql_address=f"127.0.0.1:{port}",
                       connect_timeout="2s"), "retry", "MySQL port failed")
        thread.join()


def test_truncate_cut(box):
    """Lost behind the statement: it may have happened, or not."""
    filled(box)
    box.fault("mysql_cut", when="before", count=1, statement="TRUNCATE")
    check(truncate(box), "doubt", "did not tell")
    assert len(box.rows()) == 2
    box.fault("mysql_cut", when="after", count=1, statement="TRUNCATE")
    check(truncate(box), "doubt", "did not tell")
    assert box.rows() == []
    check(settle(box, "c1"), "done")


def test_truncate_error(box):
    """What is not known does not count as the end of the statement."""
    filled(box)
    box.fault("mysql_error", count=1, statement="TRUNCATE",
              message="forward to master failed, rpc timeout")
    check(truncate(box), "doubt", "rpc timeout")
    box.fault("mysql_error", count=1, statement="TRUNCATE", message="odd")
    check(truncate(box), "doubt", "odd")


def test_truncate_late(box):
    """One that is held would come over newer rows; SETTLE ends it."""
    filled(box)
    box.fault("mysql_hold", count=1, statement="TRUNCATE")
    done = abandoned(box, "c7")
    check(done, "doubt", "request_timeout")
    check(settle(box, "c6", "c70"), "done")
    assert box.held()
    check(settle(box, "c6", "c7", "c8"), "done")
    assert not box.held()
    box.release()
    assert len(box.rows()) == 2


def test_truncate_deaf(box):
    """It cannot be killed: SETTLE must not say that it is over before it is."""
    filled(box)
    box.fault("mysql_hold", deaf=True, count=1, statement="TRUNCATE")
    check(abandoned(box, "c9"), "doubt")
    check(settle(box, "c9", request_timeout="700ms"), "retry",
          "not yet ended", "SHOW PROCESSLIST")
    with drive(box) as sink:
        sink.table()
        timer = threading.Timer(0.5, box.release)
        timer.start()
        check(sink.ask("settle", "c9"), "done")
        timer.join()
    assert box.rows() == []


def test_settle_waits_for_idle(box):
    """A session that may not have read its statement yet gets a second."""
    box.fresh()
    with drive(box) as sink:
        sink.table()
        done = sink.ask("settle", "c1")
        check(done, "done")
        assert done["ms"] >= 900, done      # box.mysql is an idle one of root's
        sink.tell("place", "")              # no TRUNCATE was sent
        done = sink.ask("settle", "c2")
        check(done, "done")
        assert done["ms"] < 900, done


def test_settle_without_port(box):
    """It is not known, so it must not be taken for settled."""
    box.fresh()
    check(settle(box, "c1", mysql_address=dead_address()), "retry",
          "MySQL port failed")
    box.fault("mysql_error", count=1, statement="PROCESSLIST", message="no")
    check(settle(box, "c1"), "retry", "no")
    box.fault("mysql_hold", count=1, statement="TRUNCATE")
    abandoned(box, "c3")
    box.fault("mysql_error", count=1, statement="KILL", message="no thread")
    check(settle(box, "c3"), "done")
    assert not box.held()


def test_truncate_cancelled(box):
    """Requests that are given up leave nothing behind (see the sanitizers)."""
    filled(box)
    box.fault("mysql_hold", count=2, statement="TRUNCATE")
    with drive(box) as sink:
        sink.table()
        sink.ask("begin_truncate", "c11", "5")
        while not box.held():
            assert sink.ask("pump", "20") == {"pumped": "20"}
        sink.ask("cancel", "5")
        sink.ask("begin_truncate", "c12", "6")
        sink.ask("pump", "1")
    box.release()


# ---- where it was sent ----------------------------------------------------

def test_settle_after_address_is_gone(box):
    """What was sent is looked for where it was sent, whatever is set now."""
    filled(box)
    box.fault("mysql_hold", deaf=True, count=1, statement="TRUNCATE")
    place = f"127.0.0.1:{box.ports['mysql']}"
    abandoned(box, "c1")
    for changed in ({}, {"mysql_address": dead_address()}):
        with Drive(**box.options(request_timeout="700ms", **changed)) as sink:
            sink.table()
            sink.tell("place", place)
            check(sink.ask("settle", "c1"), "retry", "not yet ended")
    box.release()
    with Drive(**box.options()) as sink:
        sink.table()
        sink.tell("place", place)
        check(sink.ask("settle", "c1"), "done")
        dead = dead_address()
        sink.tell("place", dead)
        check(sink.ask("settle", "c1"), "retry", "MySQL port failed", dead)
        sink.tell("place", "nonsense")
        check(sink.ask("settle", "c1"), "retry", "not valid")


def test_settle_every_address(box):
    """A name of several frontends: all are looked at, in any order."""
    filled(box)
    other = box.beside(box)
    port = box.ports["mysql"]
    try:
        box.fault("mysql_hold", deaf=True, count=1, statement="TRUNCATE")
        abandoned(box, "c1")
        for numbers in ("127.0.0.1,127.0.0.2", "127.0.0.2,127.0.0.1",
                        "127.0.0.3,127.0.0.2,127.0.0.1"):
            env = made_up(f"fe.test={numbers}")
            with drive(box, env, mysql_address=f"fe.test:{port}",
                       request_timeout="700ms") as sink:
                sink.table()
                check(sink.ask("settle", "c1"), "retry", "not yet ended")
        box.release()
        with drive(box, env, mysql_address=f"fe.test:{port}") as sink:
            sink.table()
            check(sink.ask("settle", "c1"), "done")     # .3 has nobody
            check(sink.ask("truncate", "c2"), "reject")     # .2 has no table
        with socket.create_server(("127.0.0.4", port)):     # does not answer
            env = made_up("fe.test=127.0.0.2,127.0.0.4")
            with drive(box, env, mysql_address=f"fe.test:{port}",
                       connect_timeout="300ms") as sink:
                sink.table()
                check(sink.ask("settle", "c1"), "retry", "no answer in time")
        many = ",".join(f"127.0.0.{i}" for i in range(1, 20))
        with drive(box, made_up(f"fe.test={many}"),
                   mysql_address=f"fe.test:{port}") as sink:
            sink.table()
            check(sink.ask("settle", "c1"), "retry", "too many addresses")
    finally:
        other.stop()


def test_settle_address_of_before(box):
    """The name stands for another frontend by now."""
    filled(box)
    other = box.beside(box)
    port = box.ports["mysql"]
    try:
        box.fault("mysql_hold", deaf=True, count=1, statement="TRUNCATE")
        with tempfile.NamedTemporaryFile("w") as names:
            def stands_for(number):
                names.seek(0)
                names.truncate()
                names.write(f"fe.test={number}")
                names.flush()
            stands_for("127.0.0.1")
            with drive(box, made_up("@" + names.name),
                       mysql_address=f"fe.test:{port}",
                       request_timeout="700ms") as sink:
                sink.table()
                check(sink.ask("truncate", "c1"), "doubt")
                stands_for("127.0.0.2")
                check(sink.ask("settle", "c1"), "retry", "not yet ended")
                check(sink.ask("settle", "c0"), "done")
                box.release()
                check(sink.ask("settle", "c1"), "done")
    finally:
        other.stop()


def test_truncate_overtaken(box):
    """A follower has passed it on, and shows it no more: the next one wins."""
    filled(box)
    box.fault("mysql_hold", begun=True, deaf=True, unlisted=True, count=1,
              statement="TRUNCATE")
    check(abandoned(box, "c1"), "doubt")
    check(settle(box, "c1"), "done")
    check(truncate(box, "c1"), "done")
    box.run("INSERT INTO d.t VALUES (3, 'newer')")
    box.release()
    box.wait(lambda: not box.held())
    assert [row["id"] for row in box.rows()] == [3]


# ---- answers that are too long ---------------------------------------------

def test_settle_long_list(box):
    """Neither more rows nor larger ones than there can be are taken."""
    filled(box)
    for wanted, outcome, text in (({"rows": 5000}, "done", ""),
                                  ({"rows": 70000}, "retry", "too many rows"),
                                  ({"rows": 1, "bytes": 1 << 20}, "retry",
                                   "MySQL port failed")):
        box.fault("mysql_list", count=1, **wanted)
        check(settle(box, "c1"), outcome, text)
