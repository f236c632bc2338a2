"""PREPARE, COMMIT, and what becomes of such loads, against the sandbox."""

from common import check
from driver import Drive


def prepared(box, label, rows=3, start=1, **options):
    """One PREPARE of a fresh driver; its completion."""
    with Drive(**box.options(**options)) as sink:
        sink.table()
        sink.rows(rows, start)
        return sink.ask("prepare", label)


def ask(box, *words, **options):
    with Drive(**box.options(**options)) as sink:
        sink.table()
        return sink.ask(*words)


def state(box, label):
    for txn in box.txns():
        if txn["label"] == label:
            return txn["state"]
    return "UNKNOWN"


def ids(box):
    return [row["id"] for row in box.rows()]


def calls(box):
    return [entry["call"] for entry in box.loads() if entry["stage"] == "txn"]


def test_prepared(box):
    box.fresh()
    box.forget_loads()
    done = prepared(box, "p1")
    check(done, "done")
    assert done["bytes"] > 20, done
    assert (state(box, "p1"), ids(box)) == ("PREPARED", [])
    check(ask(box, "commit", "p1"), "done")
    assert (state(box, "p1"), ids(box)) == ("VISIBLE", [1, 2, 3])
    check(ask(box, "commit", "p1"), "done")
    assert calls(box) == ["begin", "load", "prepare", "commit", "commit"]


def test_prepared_names(box):
    name = "bestellung_ä"
    box.run(f"DROP TABLE IF EXISTS d.`{name}`")
    box.run(f"CREATE TABLE d.`{name}` (id BIGINT NOT NULL, v STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)")
    with Drive(**box.options()) as sink:
        sink.table(name)
        sink.rows(2)
        check(sink.ask("prepare", "p2"), "done")
        check(sink.ask("commit", "p2"), "done")
    box.run(f"DROP TABLE d.`{name}`")


def test_prepared_compressed(box):
    box.fresh()
    for i, compression in enumerate(("gzip", "zstd", "lz4")):
        check(prepared(box, f"pz{i}", start=10 * i, compression=compression), "done")
        check(ask(box, "commit", f"pz{i}"), "done")
    assert len(ids(box)) == 9


def test_prepared_rolled_back(box):
    """SETTLE ends what is prepared and what is only begun."""
    box.fresh()
    check(prepared(box, "p3"), "done")
    box.fault("txn_cut", call="load", when="after", count=1)
    check(prepared(box, "p4"), "doubt")
    assert (state(box, "p3"), state(box, "p4")) == ("PREPARED", "PREPARE")
    check(ask(box, "settle", "p3", "p4", "p5"), "done")
    assert (state(box, "p3"), state(box, "p4")) == ("ABORTED", "ABORTED")
    check(ask(box, "commit", "p3"), "doubt", "ABORTED")
    check(ask(box, "commit", "p5"), "doubt", "Can't find the transaction")
    assert ids(box) == []


def test_prepared_resolved(box):
    box.fresh()
    check(prepared(box, "p6"), "done")
    done = ask(box, "resolve", "p6")
    check(done, "doubt", "not finished")
    assert not done["aborted"] and not done["forgotten"], done
    check(ask(box, "commit", "p6"), "done")
    check(ask(box, "resolve", "p6"), "done")
    done = ask(box, "resolve", "p7")
    check(done, "retry", "does not know")
    assert done["forgotten"] and not done["aborted"], done
    check(prepared(box, "p8"), "done")
    check(ask(box, "settle", "p8"), "done")
    done = ask(box, "resolve", "p8")
    check(done, "retry", "aborted the load")
    assert done["aborted"] and not done["forgotten"], done


def test_prepared_without_a_column(box):
    """What is prepared without its values is in doubt, so that it is rolled back."""
    box.fresh("id BIGINT NOT NULL, v STRING, w STRING")
    with Drive(**box.options()) as sink:
        sink.table()
        sink.rows(3)
        check(sink.ask("prepare", "w1"), "done")
        check(sink.ask("commit", "w1"), "done")
        box.run("ALTER TABLE d.t DROP COLUMN v")
        done = sink.ask("prepare", "w2")
        check(done, "doubt", 'has no column "v"')
        assert not done["send_anew"], done
        assert state(box, "w2") == "PREPARED"
        check(sink.ask("settle", "w2"), "done")
        assert state(box, "w2") == "ABORTED"
        box.forget_loads()
        check(sink.ask("prepare", "w3"), "reject", 'has no column "v"')
        assert calls(box) == [], "it was found before"
        box.run("ALTER TABLE d.t ADD COLUMN v STRING")
        check(sink.ask("prepare", "w3"), "done")
        # no schema, no prepared load
        box.fault("fe_status", endpoint="schema", status=503)
        check(sink.ask("prepare", "w4"), "doubt", "503")
        box.clear()
        check(sink.ask("settle", "w4"), "done")
        check(sink.ask("commit", "w3"), "done")
        assert ids(box) == [1, 2, 3]


def test_prepared_lost_answers(box):
    """What may have been begun is in doubt; a COMMIT always is.

    Twice, for libcurl tries again where a connection that it uses again is
    closed without an answer.
    """
    box.fresh()
    number = 0
    for fault in ("txn_cut", "txn_status", "txn_garbage"):
        for call in ("begin", "load", "prepare", "commit"):
            for when in ("before", "after"):
                number += 1
                label = f"q{number}"
                if call == "commit":
                    check(prepared(box, label), "done")
                box.fault(fault, call=call, when=when, count=2)
                done = ask(box, "commit", label) if call == "commit" else prepared(box, label)
                box.clear()
                check(done, "doubt")
                if call != "commit":
                    check(ask(box, "settle", label), "done")
                    assert state(box, label) in ("ABORTED", "UNKNOWN")
                else:
                    assert state(box, label) == ("VISIBLE" if when == "after" else "PREPARED")
                    check(ask(box, "commit", label), "done")
    assert ids(box) == [1, 2, 3]


def test_prepared_frontends(box):
    box.fresh()
    box.fault("fe_cut", endpoint="begin", count=2)
    check(prepared(box, "r1"), "retry")
    box.fault("fe_status", endpoint="begin", status=401, count=1)
    done = prepared(box, "r2")
    check(done, "retry", "injected 401", "password")
    assert done["slow_down"], done
    check(prepared(box, "r3", password="falsch"), "retry", "Access denied")
    box.fault("fe_follower", count=1, endpoint="transaction")
    check(prepared(box, "r4"), "done")
    box.fault("fe_follower", count=1, endpoint="transaction")
    check(ask(box, "commit", "r4"), "done")
    check(ask(box, "commit", "r4", password="falsch"), "doubt")
    assert ids(box) == [1, 2, 3]


def test_prepared_be_address(box):
    """It replaces the leader's address, too: a backend begins by itself what is sent to it."""
    backend = f"127.0.0.1:{box.ports['be']}"
    box.fresh()
    box.fault("fe_follower", count=1, endpoint="transaction")
    check(prepared(box, "b1", be_address=backend), "done")
    check(ask(box, "commit", "b1"), "done")
    assert ids(box) == [1, 2, 3]


def test_prepared_refused(box):
    box.fresh()
    box.fault("too_many_txns", count=1)
    done = prepared(box, "s1")
    check(done, "retry", "current running txns on db")
    assert done["slow_down"], done
    check(prepared(box, "s2"), "done")
    check(prepared(box, "s2"), "doubt", "has already been used")
    check(ask(box, "settle", "s2"), "done")
    box.fault("be_restart", count=1, label="^s3$", skip=1)
    check(prepared(box, "s3"), "doubt", "not exists")
    box.fault("txn_fail", call="prepare", status="MEM_LIMIT_EXCEEDED",
              message="Memory of process exceed limit", count=1)
    done = prepared(box, "s4")
    check(done, "doubt", "exceed limit")
    assert done["slow_down"], done
    box.fault("reject_rows", where="id = 2", count=1)
    check(prepared(box, "s5"), "reject", "too many filtered rows")
    assert state(box, "s5") == "ABORTED"
    box.fault("publish_timeout", seconds=1, count=1)
    check(prepared(box, "s6"), "done")
    check(ask(box, "commit", "s6"), "doubt", "publish timeout")
    check(ask(box, "commit", "s6"), "done")


def test_prepared_unknown_table(box):
    with Drive(**box.options()) as sink:
        sink.table("nowhere")
        sink.rows(1)
        check(sink.ask("prepare", "t1"), "reject", "nowhere", "CREATE TABLE")
