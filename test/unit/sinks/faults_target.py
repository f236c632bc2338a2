"""The target's schema behind a load: whether its values can be there."""

import time

from common import check
from driver import Drive
from faultserver import StarRocks, column


def schemas(sr):
    return [r for r in sr.fe.requests if r.path.endswith("/schema")]


def numbered(sr, table=1000):
    """Let the frontend tell numbers, as newer ones do."""
    sr.table = table
    for i, entry in enumerate(sr.columns):
        entry["uniqueId"] = i
    sr.schema = lambda request: request.reply(
        {"status": "OK", "result": {"id": sr.table, "columns": sr.columns,
                                    "keysType": "PRIMARY_KEYS"}})


def meanwhile(sr, action):
    """Something happens between the commit of the next load and its answer."""
    def load(request):
        sr.load = sr.do_load
        request.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body()
        action()
        sr.commit(request)
    sr.load = load


def again(done, *parts):
    check(done, "retry", *parts)
    assert done["send_anew"], done


def drop(sr, name="v"):
    sr.columns = [c for c in sr.columns if c["name"] != name]


def test_column_lost_meanwhile():
    """Not done; the next attempt says how to go on, and goes on."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        columns = sr.columns
        meanwhile(sr, lambda: drop(sr))
        again(drive.load("b"), 'has no column "v"', "ADD COLUMN `v` ")
        check(drive.load("c"), "reject", 'has no column "v"',
              "ADD COLUMN `v` ", "was altered after rows had been")
        sr.columns = columns
        check(drive.load("c"), "done")
        assert [label for label, _ in sr.loads] == ["a", "b", "c"]
        drop(sr)
        check(drive.load("d"), "retry", 'has no column "v"')


def test_table_lost_meanwhile():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def unknown(request):
            request.reply({"code": "404", "message": "Unknown table 't'"},
                          "404 Not Found")

        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        meanwhile(sr, lambda: setattr(sr, "schema", unknown))
        again(drive.load("b"), "Unknown table")
        check(drive.load("c"), "reject", "Unknown table")
        sr.schema = sr.give_schema
        check(drive.load("c"), "done")


def test_column_of_another_kind():
    """Rows were sent for the type that the column had."""
    for kind, text in (("BIGINT", "would change values"),
                       ("VARBINARY", "was altered while rows were sent")):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            # a BYTEA goes into texts as it is, and into bytes by a function
            drive.table(columns=["id:20:2:kn",
                                 "v:17:8:" if kind == "VARBINARY" else "v:25:0:"])
            drive.row("U", '{"id":1,"v":"00ff","__op":0},')
            meanwhile(sr, lambda: sr.columns[1].update(primitiveType=kind))
            again(drive.load("a"), text)
            if kind == "VARBINARY":
                check(drive.load("b"), "done")
                heads = [r.headers["columns"] for r in sr.loads_seen()]
                assert heads == ["`id`,`v`", "`id`,`v`,`v`=to_binary(`v`,'hex')"]


def test_column_added_again():
    """It looks the same, but is another one."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        numbered(sr)
        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        meanwhile(sr, lambda: sr.columns[1].update(uniqueId=2))
        again(drive.load("b"), "was altered while rows were sent", "sent again")
        check(drive.load("c"), "done")
        meanwhile(sr, lambda: setattr(sr, "table", 1001))
        again(drive.load("d"), "was altered while rows were sent")
        check(drive.load("e"), "done")
        assert [label for label, _ in sr.loads] == ["a", "b", "c", "d", "e"]

        # an answer without numbers says nothing about that
        give = sr.schema
        meanwhile(sr, lambda: setattr(sr, "schema", sr.give_schema))
        sr.columns[1]["uniqueId"] = 7
        check(drive.load("f"), "done")
        sr.schema = give
        check(drive.load("g"), "done")
        meanwhile(sr, lambda: sr.columns[1].update(uniqueId=8))
        again(drive.load("h"))


def test_frontends_of_several_versions():
    """Behind one address; one of them does not tell the numbers of columns."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        numbered(sr)
        give = sr.schema

        def older(request):
            columns = [{k: v for k, v in c.items() if k != "uniqueId"}
                       for c in sr.columns]
            request.reply({"status": "OK", "result": {
                "id": sr.table, "columns": columns, "keysType": "PRIMARY_KEYS"}})

        drive.table()
        drive.rows(2)
        for i, way in enumerate((older, give, older, give)):
            meanwhile(sr, lambda w=way: setattr(sr, "schema", w))
            check(drive.load(f"a{i}"), "done")
        # those that are told count all the same
        meanwhile(sr, lambda: sr.columns[1].update(uniqueId=7))
        again(drive.load("b"), "was altered while rows were sent")
        # and the table's number does where the columns' are not known
        sr.schema = older
        check(drive.load("c"), "done")
        meanwhile(sr, lambda: setattr(sr, "table", 1001))
        again(drive.load("d"), "was altered while rows were sent")


def sql(sr):
    """As a frontend answers that knows SQL only."""
    def rows(request):
        request.read_body()
        request.reply("\n".join((
            '{"meta":[]}', '{"data":["id","bigint","NO","PRI",null,""]}',
            '{"data":["v","varchar","YES","",null,""]}', '{"statistics":{}}')) + "\n")

    sr.schema = lambda request: request.reply("", "404 Not Found")
    sr.other = rows


def test_frontend_of_an_older_way():
    """It has answered once, in a way without numbers: the others are asked as before."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        numbered(sr)
        give = sr.schema
        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        meanwhile(sr, lambda: sql(sr))
        check(drive.load("b"), "done")

        def altered():
            sr.schema = give
            sr.columns[1]["uniqueId"] = 2
        meanwhile(sr, altered)
        again(drive.load("c"), "was altered while rows were sent")


def test_better_way_is_found():
    """Where it was not open at first, although rows flow all the time."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        numbered(sr)
        give = sr.schema
        sql(sr)
        drive.table()
        drive.rows(2)
        end = time.monotonic() + 5.5    # longer than what was read counts
        n = 0
        while time.monotonic() < end:
            check(drive.load(f"a{n}"), "done")
            sr.schema = give
            n += 1
            time.sleep(0.3)
        meanwhile(sr, lambda: sr.columns[1].update(uniqueId=2))
        again(drive.load("b"), "was altered while rows were sent")


def test_other_columns_do_not_matter():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        numbered(sr)
        sr.columns.append(column("w", "BIGINT"))
        drive.table()
        drive.rows(2)
        meanwhile(sr, lambda: drop(sr, "w"))
        check(drive.load("a"), "done")
        meanwhile(sr, lambda: sr.columns.append(column("x", "INT")))
        check(drive.load("b"), "done")
        before = len(schemas(sr))
        check(drive.load("c"), "done")
        assert len(schemas(sr)) == before + 1


def test_schema_behind_cannot_be_read():
    """Nothing is done before it could be read, whatever the label's state is."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def out_of_order(request):
            request.reply("", "503 Service Unavailable")

        def no_access(request):
            request.reply({"status": "FAILED", "msg": "Access denied"},
                          "401 Unauthorized")

        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        meanwhile(sr, lambda: setattr(sr, "schema", out_of_order))
        check(drive.load("b"), "doubt", "503")
        for _ in range(3):
            check(drive.ask("resolve_load", "b"), "doubt", "503")
        # a load that was prepared was looked at when it was
        check(drive.ask("resolve", "b"), "done")
        for broken in (no_access,
                       lambda request: request.reply("{", close=True),
                       lambda request: request.reset()):
            sr.schema = broken
            check(drive.ask("resolve_load", "b"), "doubt")
        sr.schema = sr.give_schema
        check(drive.ask("resolve_load", "b"), "done")
        assert len(sr.loads) == 2
        check(drive.load("c"), "done")


def test_schema_behind_a_doubt():
    """A load whose answer was lost is looked at when its state is known."""
    for altered in (False, True):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            numbered(sr)
            drive.table()
            drive.rows(2)
            check(drive.load("a"), "done")

            def lose(request):
                sr.load = sr.do_load
                request.send("HTTP/1.1 100 Continue\r\n\r\n")
                request.read_body()
                sr.states["b"] = "VISIBLE"
                if altered:
                    sr.columns[1]["uniqueId"] = 2
                request.reset()
            sr.load = lose
            check(drive.load("b"), "doubt")
            sr.states["b"] = "PREPARE"
            check(drive.ask("resolve_load", "b"), "doubt")
            sr.states["b"] = "COMMITTED"
            done = drive.ask("resolve_load", "b")
            if not altered:
                check(done, "done")
                continue
            again(done, "was altered while rows were sent")
            check(drive.load("c"), "done")

    # nobody knows what it was sent by: once more does no harm
    with StarRocks() as sr:
        sr.states["a"] = "VISIBLE"
        with Drive(**sr.options()) as drive:
            drive.table()
            drive.rows(1)
            again(drive.ask("resolve_load", "a"))


def test_publish_timeout_is_looked_at():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        def late(request):
            request.send("HTTP/1.1 100 Continue\r\n\r\n")
            request.read_body()
            sr.states[request.headers["label"]] = "COMMITTED"
            drop(sr)
            request.reply(sr.result(request, "Publish Timeout", rows=2))

        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        sr.load = late
        again(drive.load("b"), 'has no column "v"')


def used(sr, request):
    request.reply(sr.result(request, "Label Already Exists",
                            ExistingJobStatus="FINISHED"))


def lose(sr, label, drive):
    """An attempt whose answer is lost, and which the target has not begun."""
    sr.load = lambda request: request.reset()
    check(drive.load(label), "retry")


def test_used_label_is_looked_at():
    for dropped in (True, False):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            drive.table()
            drive.rows(2)
            lose(sr, "b", drive)

            def load(request):
                if dropped:
                    drop(sr)
                used(sr, request)
            sr.load = load
            if dropped:
                again(drive.load("b"), 'has no column "v"')
            else:
                check(drive.load("b"), "done")

    # an attempt that is not known: nobody knows what it was sent by
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(2)
        sr.load = lambda request: used(sr, request)
        again(drive.load("b"))
        # nor when the settings have changed in between
        lose(sr, "c", drive)
        options = sr.options(load_timeout="100s")
        assert drive.ask("set", *(f"{k}={v}" for k, v in options.items())) \
            == {"set": "ok"}
        sr.load = lambda request: used(sr, request)
        again(drive.load("c"))


def test_first_attempt_counts():
    """It is loaded late, and a column of its rows was not there for a while."""
    for answered in (True, False):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            numbered(sr)
            drive.table()
            drive.rows(2)
            lose(sr, "b", drive)
            check(drive.ask("resolve_load", "b"), "retry")

            # the second one is made by a schema that has the new column
            sr.columns[1]["uniqueId"] = 2
            time.sleep(5.1)     # nothing but its age makes a schema too old
            before = len(schemas(sr))
            sr.states["b"] = "VISIBLE"
            if answered:
                sr.load = lambda request: used(sr, request)
                again(drive.load("b"), "was altered while rows were sent")
            else:
                sr.load = lambda request: (
                    request.send("HTTP/1.1 100 Continue\r\n\r\n"),
                    request.read_body(), request.reset())
                check(drive.load("b"), "doubt")
                again(drive.ask("resolve_load", "b"),
                      "was altered while rows were sent")
            assert len(schemas(sr)) == before + 2
            sr.load = sr.do_load
            check(drive.load("c"), "done")


def test_older_ways_behind():
    """Once a way is known, it is the first that is tried behind a load."""
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        asked = []
        names = ["id", "v"]

        def old(request):
            request.read_body()
            asked.append(request.path)
            if request.path.endswith("/_schema"):
                request.reply({"status": 200, "properties": [
                    {"name": n, "type": "BIGINT" if n == "id" else "VARCHAR"}
                    for n in names]})
            else:
                request.reply("", "404 Not Found")

        def unknown(request):
            asked.append(request.path)
            request.reply("", "404 Not Found")

        sr.schema = unknown
        sr.other = old
        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        assert len(asked) == 4 and len(set(asked[2:])) == 1, asked
        check(drive.load("b"), "done")
        assert len(asked) == 5, asked
        names.remove("v")
        again(drive.load("c"), 'has no column "v"')


def test_rejected_rows_are_not_looked_at():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        drive.table()
        drive.rows(2)
        check(drive.load("a"), "done")
        before = len(schemas(sr))
        sr.load = lambda request: request.reply(
            sr.result(request, "Fail", "too many filtered rows"))
        check(drive.load("b"), "reject", "too many filtered rows")
        assert len(schemas(sr)) == before
