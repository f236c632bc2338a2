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
    """A column dropped while rows flow is seen within seconds."""
    box.fresh(GOOD)
    with Drive(**box.options()) as sink:
        sink.table(columns=WIDE)
        sink.row("U", ROW)
        check(sink.load("drop1"), "done")
        box.run("ALTER TABLE d.t DROP COLUMN i")
        deadline = time.monotonic() + 20
        n = 2
        while (done := sink.load(f"drop{n}"))["outcome"] == "done":
            assert time.monotonic() < deadline, "never seen"
            n += 1
        check(done, "reject", 'has no column "i"',
              "The target was altered in the last ", "load the table anew")
        assert time.monotonic() < deadline - 10
        # what StarRocks took meanwhile has no value there, and no load said so
        assert n > 2 and "i" not in box.rows()[0]
        # one that has never fitted has lost nothing
        check(again := sink.load("again"), "reject", 'has no column "i"')
        assert "was altered" not in str(again), again
