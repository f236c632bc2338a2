"""Targets that do not fit, against the sandbox: found before, or in the answer."""

import time

from common import check
from driver import Drive

# id BIGINT key, v VARCHAR, n NUMERIC(10,2), d TIMESTAMP, f FLOAT8, i INT
WIDE = ["id:20:2:kn", "v:25:0:", "n:1700:3:", "d:1114:6:", "f:701:4:", "i:23:2:"]
GOOD = ("id BIGINT NOT NULL, v VARCHAR(20) NULL, n VARCHAR(100) NULL, "
        "d DATETIME NULL, f DOUBLE NULL, i INT NULL")
ROW = ('{"id":7,"v":"x","n":1.25,"d":"2024-01-01 10:00:00.5","f":0.1,"i":3,'
       '"__op":0},')


def send(box, row=ROW, columns=None, **options):
    with Drive(**box.options(**options)) as sink:
        sink.table(columns=columns or WIDE)
        sink.row("U", row)
        return sink.load(f"m{time.monotonic_ns()}")


def refused(box, target, row, *parts, **more):
    box.fresh(target)
    check(send(box, row, **more), "reject", *parts)
    assert box.rows() == []


def test_misfit_none(box):
    box.fresh(GOOD)
    check(send(box), "done")
    assert box.rows() == [{"id": 7, "v": "x", "n": "1.25", "f": 0.1, "i": 3,
                           "d": "2024-01-01 10:00:00.500000"}]


def test_misfit_silent(box):
    """What StarRocks would change without a word is not sent at all."""
    for old, new, name, text in (
            ("n VARCHAR(100)", "n DECIMAL(10,1)", "n", "rounds numbers"),
            ("n VARCHAR(100)", "n INT", "n", "cuts off fractions"),
            ("d DATETIME", "d DATE", "d", "time of day"),
            ("f DOUBLE", "f FLOAT", "f", "rounds"),
            ("i INT", "i BOOLEAN", "i", "true"),
            ("v VARCHAR(20)", "v INT", "v", "another type")):
        refused(box, GOOD.replace(old, new), ROW, f'column "{name}"',
                "would change values", text,
                f"ALTER TABLE `d`.`t` MODIFY COLUMN `{name}` ")
        for ways in (1, 2):             # older servers are asked otherwise
            box.clear()
            box.fault("fe_status", endpoint="schema", status=404, count=1,
                      body='{"msg":"Not Found"}')
            if ways == 2:
                box.fault("fe_status", endpoint="sql", status=404, count=1,
                          body='{"msg":"Not Found"}')
            check(send(box), "reject", "would change values")
    # a type that nobody knows, an enum perhaps, is a text like others
    enum = [c.replace("v:25:", "v:16385:") for c in WIDE]
    for new in "INT", "DECIMAL(10,2)", "DOUBLE", "DATE", "DATETIME", "ARRAY<INT>":
        refused(box, GOOD.replace("v VARCHAR(20)", f"v {new}"),
                ROW.replace('"x"', '"20240101"'), 'column "v"',
                "another type", columns=enum)


def test_misfit_by_value(box):
    """What it refuses is reported with row, column and statement."""
    modify = "ALTER TABLE `d`.`t` MODIFY COLUMN"
    refused(box, GOOD, ROW.replace('"x"', '"%s"' % ("y" * 21)),
            "too many filtered rows", "Row with key (id)=(7)", "too long",
            "'v'", f"{modify} `v` ")
    refused(box, GOOD.replace("i INT", "i TINYINT"), ROW.replace('"i":3', '"i":300'),
            "too many filtered rows", "Row with key (id)=(7)", "i)",
            f"{modify} `i` INT NULL")
    refused(box, GOOD.replace("i INT NULL", "i INT NOT NULL"),
            ROW.replace('"i":3', '"i":null'), "Row with key (id)=(7)",
            "non-nullable column 'i'", f"{modify} `i` INT NULL")


def test_misfit_key(box):
    columns = ["a:25:0:kn", "b:25:0:kn", "v:25:0:"]
    box.fresh("a VARCHAR(1000) NOT NULL, b VARCHAR(1000) NOT NULL, v STRING",
              "a, b")
    row = '{"a":"%s","b":"%s","v":"x","__op":0},'
    check(send(box, row % ("k" * 63, "k" * 63), columns), "done")
    check(send(box, row % ("k" * 64, "k" * 64), columns), "reject",
          "primary key size exceed", "128 bytes", "primary_key_limit_size", "a new pipeline only")
    box.fresh("a VARCHAR(1000) NOT NULL, b VARCHAR(1000) NULL, v STRING", "a")
    check(send(box, row % ("a", "b"), columns), "reject",
          "primary key of target table", 'The key is "a" in the target and '
          '"a", "b" in the source', "CREATE TABLE `d`.`t`")


def test_misfit_table(box):
    for model in ("DUPLICATE", "UNIQUE"):
        box.fresh()
        box.run("DROP TABLE d.t")
        box.run(f"CREATE TABLE d.t ({GOOD}) {model} KEY (id)")
        check(send(box), "reject", "is not a Primary Key table",
              "CREATE TABLE `d`.`t`")
    refused(box, GOOD + ", more INT NOT NULL", ROW, 'wants a value for column '
            '"more"', "ALTER TABLE `d`.`t` DROP COLUMN `more`;")
    refused(box, GOOD.replace("i INT NULL", "j INT NULL"), ROW,
            'has no column "i"', "ALTER TABLE `d`.`t` ADD COLUMN `i` INT NULL")
    columns = [*WIDE[:2], "V:25:0:"]
    refused(box, GOOD, '{"id":1,"v":"a","V":"b","__op":0},',
            'columns "v" and "V"', "are one in StarRocks", columns=columns)


def test_misfit_auto_increment(box):
    box.fresh(GOOD.replace("i INT NULL", "i BIGINT NOT NULL AUTO_INCREMENT"))
    check(send(box), "done")
    check(send(box, ROW.replace('"i":3', '"i":null')), "reject",
          "auto increment")


def test_misfit_dropped_column(box):
    """One dropped between two loads: the second is not done without its values."""
    box.fresh(GOOD)
    with Drive(**box.options()) as sink:
        sink.table(columns=WIDE)
        sink.row("U", ROW)
        check(sink.load("drop1"), "done")
        box.run("ALTER TABLE d.t DROP COLUMN i")
        done = sink.load("drop2")
        check(done, "retry", 'has no column "i"')
        assert done["send_anew"], done
        assert "i" not in box.rows()[0]
        check(sink.load("drop3"), "reject", 'has no column "i"',
              "The target was altered after rows had been loaded",
              "load the table anew")
        # one that has never fitted has lost nothing
        check(again := sink.load("drop3"), "reject", 'has no column "i"')
        assert "was altered" not in str(again), again
        box.run("ALTER TABLE d.t ADD COLUMN i INT")
        check(sink.load("drop3"), "done")
        assert box.rows()[0]["i"] == 3


def during(box, sink, label, *statements):
    """Alter the target while a load is planned and not yet committed."""
    box.fault("hold", count=1)
    sink.tell("start", label, 7)
    assert sink.read() == {"started": label}
    sink.tell("wait")
    box.wait(box.held_loads)
    for statement in statements:
        box.run(statement)
    box.release()
    return sink.read()


def test_misfit_altered_during_a_load(box):
    """The load is planned by a table that is not there any more when it commits."""
    renamed = "ALTER TABLE d.t RENAME COLUMN i TO j"
    drop = "ALTER TABLE d.t DROP COLUMN i"
    add = "ALTER TABLE d.t ADD COLUMN i INT"
    box.fresh(GOOD)
    with Drive(**box.options()) as sink:
        sink.table(columns=WIDE)
        sink.row("U", ROW)
        for n, (statements, message, repair) in enumerate((
                ([drop], 'has no column "i"', add),
                ([renamed], 'has no column "i"', "ALTER TABLE d.t RENAME COLUMN j TO i"),
                ([drop, add], "was altered while rows were sent", None))):
            done = during(box, sink, f"during{n}", *statements)
            check(done, "retry", message)
            assert done["send_anew"], done
            if repair:
                check(sink.load(f"then{n}"), "reject", message)
                box.run(repair)
            else:
                assert box.rows()[0]["i"] is None
            check(sink.load(f"then{n}"), "done")
            assert box.rows()[0]["i"] == 3
        # the same name and number: nothing is lost
        check(during(box, sink, "both", renamed, "ALTER TABLE d.t RENAME COLUMN j TO i"), "done")
        assert box.rows()[0]["i"] == 3
        # a table that is gone takes the load with it
        done = during(box, sink, "gone", "DROP TABLE d.t",
                      f"CREATE TABLE d.t ({GOOD}) PRIMARY KEY (id)")
        check(done, "reject", "unknown table")
        check(sink.load("gone2"), "done")
        assert len(box.rows()) == 1
        # one that is made anew behind the load is empty, and it is told
        box.fault("fe_hold", endpoint="schema", count=1)
        sink.tell("start", "anew", 8)
        assert sink.read() == {"started": "anew"}
        sink.tell("wait")
        box.wait(box.held_requests)
        box.run("DROP TABLE d.t")
        box.run(f"CREATE TABLE d.t ({GOOD}) PRIMARY KEY (id)")
        box.release()
        check(sink.read(), "retry", "was altered while rows were sent")
        check(sink.load("anew2"), "done")
        assert len(box.rows()) == 1
