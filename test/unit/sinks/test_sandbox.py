"""The StarRocks sink against the sandbox.

usage: test_sandbox.py [part of a test's name...]   (see run_sandbox.sh)
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

import pymysql

from common import (HERE, check, dead_address, make_certificates,
                    run_tests)
from driver import Drive
import sandbox_misfits
import sandbox_mysql_tls
import sandbox_prepared
import sandbox_truncate

SANDBOX = os.path.join(HERE, "..", "..", "sandbox")


class Sandbox:
    def __init__(self, *arguments, tls_ca=None, host="127.0.0.1"):
        self.data = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "starrocks_sandbox", "--fe-port", "0",
             "--be-port", "0", "--mysql-port", "0", "--data", self.data.name,
             "--user", "root:geheim", "--host", host, *arguments],
            cwd=SANDBOX, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the sandbox did not start")
        self.ports = json.loads(line)
        self.scheme = "https" if tls_ca else "http"
        self.tls = ssl.create_default_context(cafile=tls_ca) if tls_ca \
            else None
        self.fe = f"{self.scheme}://{host}:{self.ports['fe']}"
        self.mysql = pymysql.connect(
            host=host, port=self.ports["mysql"], user="root",
            password="geheim", autocommit=True)
        self.run("CREATE DATABASE d")

    def run(self, statement):
        with self.mysql.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.fe + path, data,
                                    context=self.tls) as answer:
            return answer.read()

    def rows(self, table="t"):
        text = self.ask(f"/_sandbox/rows?db=d&table={table}")
        return [json.loads(line) for line in text.splitlines()]

    def loads(self):
        return json.loads(self.ask("/_sandbox/loads"))["loads"]

    def txns(self):
        return json.loads(self.ask("/_sandbox/txns?db=d"))["txns"]

    def forget_loads(self):
        urllib.request.urlopen(urllib.request.Request(
            self.fe + "/_sandbox/loads", method="DELETE"),
            context=self.tls).close()

    def fault(self, fault, **more):
        self.ask("/_sandbox/faults", {"op": "set", "fault": fault, **more})

    def clear(self):
        self.ask("/_sandbox/faults", {"op": "clear"})

    def wait(self, what):
        """Wait until something holds."""
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def held(self):
        return json.loads(self.ask("/_sandbox/held"))["statements"]

    def held_loads(self):
        return json.loads(self.ask("/_sandbox/held"))["held"]

    def held_requests(self):
        return json.loads(self.ask("/_sandbox/held"))["requests"]

    def release(self):
        self.ask("/_sandbox/release", {})

    @staticmethod
    def beside(other):
        """One more, with the same MySQL port at another address."""
        return Sandbox("--mysql-port", str(other.ports["mysql"]),
                       host="127.0.0.2")

    def mysql_options(self, **more):
        port = self.ports["mysql"]
        return self.options(**{"mysql_address": f"127.0.0.1:{port}", **more})

    def options(self, **more):
        return {"url": self.fe, "database": "d", "password": "geheim", **more}

    def fresh(self, columns="id BIGINT NOT NULL, v STRING NULL", key="id"):
        self.clear()
        self.run("DROP TABLE IF EXISTS d.t")
        self.run(f"CREATE TABLE d.t ({columns}) PRIMARY KEY ({key}) "
                 f"DISTRIBUTED BY HASH ({key})")

    def stop(self):
        self.mysql.close()
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        self.data.cleanup()


counter = iter(range(1000000))


def new_label():
    return f"l{next(counter)}"


def one_load(box, n=3, label=None, **options):
    with Drive(**box.options(**options)) as drive:
        drive.table()
        drive.rows(n)
        return drive.load(label or new_label())


def expected(n):
    return [{"id": i, "v": f"value {i}"} for i in range(1, n + 1)]


# ---- loads ----------------------------------------------------------------

def test_load(box):
    box.fresh()
    check(one_load(box), "done")
    assert box.rows() == expected(3)


def test_large_load(box):
    box.fresh()
    check(one_load(box, 200000), "done")
    count = json.loads(box.ask("/_sandbox/count?db=d&table=t"))["rows"]
    assert count == 200000


METHODS = ("gzip", "zstd", "lz4")


def test_compressed(box):
    for method in METHODS:
        for n in (1, 3, 100000):
            box.fresh()
            done = one_load(box, n, compression=method)
            check(done, "done")
            assert box.loads()[-1]["bytes"] == done["bytes"]
            if n > 3:
                assert done["bytes"] < n * 20, done
                count = json.loads(
                    box.ask("/_sandbox/count?db=d&table=t"))["rows"]
                assert count == n
            else:
                assert box.rows() == expected(n)


def test_compressed_and_cut(box):
    for method in METHODS:
        for when, then, rows in (("during_body", "retry", 0),
                                 ("after_commit", "done", 200000)):
            box.fresh()
            box.fault("be_cut", when=when, bytes=100000, count=1)
            label = new_label()
            with Drive(**box.options(compression=method)) as drive:
                drive.table()
                drive.rows(200000)
                check(drive.load(label), "doubt")
                done = drive.ask("resolve_load", label)
                for _ in range(50):
                    if done["outcome"] != "doubt":
                        break
                    time.sleep(0.1)
                    done = drive.ask("resolve_load", label)
                check(done, then)
                count = json.loads(
                    box.ask("/_sandbox/count?db=d&table=t"))["rows"]
                assert count == rows, (when, count)
                check(drive.load(label), "done")
                count = json.loads(
                    box.ask("/_sandbox/count?db=d&table=t"))["rows"]
                assert count == 200000


TYPES = [
    ("id:20:2:kn", "7"), ("i2:21:2:n", "-5"), ("i4:23:2:n", "123"),
    ("n:1700:3:n", "12.5"), ("f4:700:10:n", "1.5"), ("f8:701:4:n", "2.25"),
    ("bo:16:1:n", "true"), ("tx:25:0:n", '"a \\"b\\" \\n"'),
    ("vc:1043:0:n", '"x"'), ("da:1082:5:n", '"2024-02-29"'),
    ("ts:1114:6:n", '"2024-02-29 12:34:56.789012"'),
    ("tz:1184:7:n", '"2024-02-29 12:34:56"'), ("by:17:8:n", '"00ff10"'),
    ("js:3802:9:n", '{"a":[1,null]}'), ("uu:2950:0:n", '"0-0-0"'),
    ("iv:1186:0:n", '"1 day"')]


def test_types_ddl_and_delete_filler(box):
    """The sink's own DDL, a row of every type, and its deletion."""
    box.fresh()
    box.run("DROP TABLE d.t")
    with Drive(**box.options()) as drive:
        drive.table("t", [t for t, _ in TYPES])
        ddl = drive.ask("ddl")["ddl"]
        box.run("USE d")
        box.run(ddl)
        row = "{" + ",".join(f'"{t.split(":")[0]}":{v}' for t, v in TYPES)
        drive.row("U", row + ',"__op":0},')
        drive.row("U", row.replace('"id":7', '"id":8') + ',"__op":0},')
        check(drive.load(new_label()), "done")
        rows = box.rows()
        assert len(rows) == 2
        assert rows[0]["by"] == "00ff10", rows
        assert rows[0]["ts"] == "2024-02-29 12:34:56.789012"
        assert json.loads(rows[0]["js"]) == {"a": [1, None]}
        assert rows[0]["tx"] == 'a "b" \n'
        drive.tell("clear")
        drive.row("D", '{"id":7')
        check(drive.load(new_label()), "done")
        assert [r["id"] for r in box.rows()] == [8]


def test_partial_update(box):
    box.fresh("id BIGINT NOT NULL, v STRING NULL, n INT NOT NULL")
    box.run("INSERT INTO d.t VALUES (1, 'keep', 1), (2, 'keep', 2)")
    with Drive(**box.options()) as drive:
        drive.table("t", ["id:20:2:kn", "n:23:2:n"], partial=True)
        drive.row("U", '{"id":1,"n":10,"__op":0},')
        check(drive.load(new_label()), "done")
    assert box.rows() == [{"id": 1, "v": "keep", "n": 10},
                          {"id": 2, "v": "keep", "n": 2}]


def test_bad_rows(box):
    box.fresh("id BIGINT NOT NULL, v STRING NOT NULL")
    with Drive(**box.options()) as drive:
        drive.table()
        drive.rows(2)
        drive.row("U", '{"id":9,"v":null,"__op":0},')
        done = drive.load(new_label())
        check(done, "reject", "too many filtered rows", "'v'")
        assert done["status"] == 5
        assert box.rows() == []


# ---- the target does not fit ----------------------------------------------

def test_missing_column(box):
    box.fresh()
    with Drive(**box.options()) as drive:
        drive.table("t", ["id:20:2:kn", "v:25:0:", "w:1700:3:n"])
        drive.row("U", '{"id":1,"v":"a","w":1.5,"__op":0},')
        done = drive.load(new_label())
        check(done, "reject", 'no column "w"')
        statement = done["hint"].partition(": ")[2].rstrip(";")
        assert statement.startswith("ALTER TABLE `d`.`t` ADD COLUMN"), done
        box.run(statement)
        check(drive.load(new_label()), "done")
        assert len(box.rows()) == 1


def test_unknown_table_and_database(box):
    box.fresh()
    box.run("DROP TABLE d.t")
    done = one_load(box)
    check(done, "reject", "Create it: CREATE TABLE `d`.`t`")
    box.run(done["hint"].partition(": ")[2].rstrip(";"))
    check(one_load(box), "done")
    check(one_load(box, database="nosuch"), "reject",
          "CREATE DATABASE `nosuch`")


def test_not_a_primary_key_table(box):
    box.fresh()
    box.run("DROP TABLE d.t")
    box.run("CREATE TABLE d.t (id BIGINT, v STRING) DUPLICATE KEY (id) "
            "DISTRIBUTED BY HASH (id)")
    check(one_load(box), "reject", "not a Primary Key table")


def test_other_key(box):
    box.fresh("id BIGINT NOT NULL, v STRING NOT NULL", "id, v")
    check(one_load(box), "reject", "primary key of target table")


def test_schema_by_sql(box):
    box.fresh("id BIGINT NOT NULL, v STRING NULL, n INT NOT NULL")
    box.fault("fe_status", endpoint="schema", status=404, body="")
    with Drive(**box.options()) as drive:
        drive.table("t", ["id:20:2:kn", "v:25:0:", "n:23:2:n"])
        drive.row("U", '{"id":1,"v":"a","n":1,"__op":0},')
        drive.row("D", '{"id":2')
        check(drive.load(new_label()), "done")
    box.clear()


# ---- doubt ----------------------------------------------------------------

def test_cut_and_resolve(box):
    for when, first, then, rows in (
            ("before_body", "retry", "retry", 0),
            ("during_body", "doubt", "retry", 0),
            ("after_body", "doubt", "retry", 0),
            ("after_commit", "doubt", "done", 20000)):
        for reset in (True, False):
            box.fresh()
            box.fault("be_cut", when=when, bytes=100000, reset=reset, count=1)
            label = new_label()
            with Drive(**box.options()) as drive:
                drive.table()
                drive.rows(20000)
                done = drive.load(label)
                check(done, first)
                for _ in range(50):
                    done = drive.ask("resolve_load", label)
                    if done["outcome"] != "doubt":
                        break
                    time.sleep(0.1)
                check(done, then)
                count = json.loads(
                    box.ask("/_sandbox/count?db=d&table=t"))["rows"]
                assert count == rows, (when, count)
                # the same again, under the same label
                check(drive.load(label), "done")
                count = json.loads(
                    box.ask("/_sandbox/count?db=d&table=t"))["rows"]
                assert count == 20000


def test_senseless_answers(box):
    for fault in ("be_garbage", "be_truncate", "be_endless"):
        for commit in (True, False):
            box.fresh()
            box.fault(fault, commit=commit, count=1)
            label = new_label()
            with Drive(**box.options()) as drive:
                drive.table()
                drive.rows(3)
                done = drive.load(label)
                # without a commit the answer comes before the rows
                check(done, "doubt" if commit else "retry")
                done = drive.ask("resolve_load", label)
                check(done, "done" if commit else "retry")
                check(drive.load(label), "done")
                assert box.rows() == expected(3)


def test_status_unknown(box):
    for committed in (True, False):
        box.fresh()
        box.fault("txn_status_unknown", committed=committed, count=1)
        label = new_label()
        with Drive(**box.options()) as drive:
            drive.table()
            drive.rows(3)
            check(drive.load(label), "doubt", "status unknown")
            check(drive.ask("resolve_load", label),
                  "done" if committed else "retry")


def test_publish_timeout(box):
    box.fresh()
    box.fault("publish_timeout", count=1)
    check(one_load(box), "done")
    assert box.rows() == expected(3)


def test_label_used(box):
    box.fresh()
    label = new_label()
    check(one_load(box, label=label), "done")
    # by whom, and with which columns?
    done = one_load(box, label=label)
    check(done, "retry")
    assert done["send_anew"]
    box.fault("label_used_as_fail")
    check(one_load(box, label=label), "doubt", "already been used")
    box.clear()
    assert box.rows() == expected(3)


def test_settle(box):
    """A process dies while its load is under way; the next one cleans up."""
    box.fresh()
    box.fault("hold", count=1)
    held, done = new_label(), new_label()
    with Drive(**box.options()) as drive:
        drive.table()
        drive.rows(3)
        victim = Drive(**box.options())
        victim.table()
        victim.rows(3)
        victim.tell("load", held)
        for _ in range(200):
            if held in box.ask("/_sandbox/held").decode():
                break
            time.sleep(0.05)
        victim.process.kill()
        victim.process.wait()
        check(drive.ask("resolve", held), "doubt")
        check(drive.load(done), "done")
        check(drive.ask("settle", done, held, "never-used"), "done")
        check(drive.ask("resolve", held), "retry")
    box.ask("/_sandbox/release", {})
    states = [x["outcome"] for x in box.loads() if x["label"] == held]
    assert "COMMITTED" not in states and "Success" not in states, states


# ---- refusals -------------------------------------------------------------

def test_access(box):
    box.fresh()
    for options in ({"password": "wrong"}, {"user": "nobody"}):
        done = one_load(box, **options)
        check(done, "retry", "user and password")
        assert done["slow_down"]
        assert "wrong" not in json.dumps(done)
    with Drive(**box.options(password="wrong")) as drive:
        check(drive.ask("resolve", "x"), "doubt", "user and password")


def test_overload(box):
    box.fresh()
    for fault in ("too_many_versions", "memory_limit", "too_many_txns"):
        box.fault(fault, count=1)
        done = one_load(box)
        check(done, "retry")
        assert done["slow_down"], done
    check(one_load(box), "done")


def test_frontend_faults(box):
    box.fresh()
    for fault, more in (("fe_cut", {}), ("fe_cut", {"reset": False}),
                        ("fe_status", {"status": 503}),
                        ("fe_status", {"status": 500}),
                        ("fe_garbage", {}), ("fe_truncate", {}),
                        ("fe_endless", {}), ("fe_no_backend", {})):
        box.fault(fault, count=1, **more)
        check(one_load(box), "retry")
    for fault in ("fe_cut", "fe_garbage", "fe_truncate", "fe_endless"):
        box.fault(fault, count=1, endpoint="get_load_state")
        with Drive(**box.options()) as drive:
            check(drive.ask("resolve", "x"), "doubt")
        box.clear()
    box.fault("fe_reset_after_body", seconds=1, count=1)
    check(one_load(box), "done")
    box.fault("fe_delay", seconds=1, count=1)
    check(one_load(box, expect_timeout="200ms"), "done")
    assert not [x for x in box.loads() if x["stage"] == "fe"]


def test_slow_backend(box):
    box.fresh()
    box.fault("be_no_continue", seconds=1, count=1)
    check(one_load(box), "done")
    box.fault("slow_commit", ms=1000, count=1)
    check(one_load(box), "done")
    box.fault("slow_commit", ms=3000, count=1)
    check(one_load(box, load_timeout="1s", connect_timeout="100ms"), "doubt")


def test_addresses(box):
    box.fresh()
    url = f"http://{dead_address()},{box.fe}"
    check(one_load(box, url=url), "done")
    box.fault("fe_location", location="http://10.255.255.1:8040/api/d/t/"
              "_stream_load")
    check(one_load(box, connect_timeout="300ms"), "retry")
    check(one_load(box, be_address=f"127.0.0.1:{box.ports['be']}"), "done")


def test_many_at_once(box):
    box.fresh()
    with Drive(**box.options()) as drive:
        drive.table()
        drive.rows(1000)
        labels = [new_label() for _ in range(30)]
        for i, label in enumerate(labels):
            drive.ask("start", label, i + 1)
        for _ in labels:
            check(drive.ask("wait"), "done")


def check_tls():
    with tempfile.TemporaryDirectory() as directory:
        make_certificates(directory)
        ca = os.path.join(directory, "ca.pem")
        box = Sandbox("--tls-cert", os.path.join(directory, "server.pem"),
                      "--tls-key", os.path.join(directory, "server.key"),
                      tls_ca=ca)
        try:
            box.fresh()
            check(one_load(box, 50000, ca_file=ca), "done")
            check(one_load(box), "retry", "certificate")
            check(one_load(box, tls_verify="off"), "done")
        finally:
            box.stop()


def main():
    box = Sandbox()
    try:
        tests = [(name, lambda f=f: f(box))
                 for name, f in [*globals().items(),
                                 *vars(sandbox_misfits).items(),
                                 *vars(sandbox_prepared).items(),
                                 *vars(sandbox_truncate).items()]
                 if name.startswith("test_")]
        tests.append(("test_tls", check_tls))
        tests.append(("test_mysql_tls",
                      lambda: sandbox_mysql_tls.check_all(Sandbox)))
        return run_tests(tests, sys.argv[1:])
    finally:
        box.stop()


if __name__ == "__main__":
    sys.exit(main())
