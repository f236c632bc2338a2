"""Rows with many columns, of the types that tables are made of."""

from benchlib.runner import Produced

NAME = "wide"
ORDER = 2.3
TITLE = "inserts of 60 columns of many types, 1000 rows a transaction"
PUBLICATION = "bench_wide"
TABLE = "bench_wide"
SETTINGS = {"flush_interval": "0"}

PER_TRANSACTION = 1000
EACH = 5

# type at the source, type at the target, value for row i and column {c}
TYPES = [
    ("smallint", "SMALLINT", "((i + {c}) % 30000)::smallint"),
    ("integer", "INT", "i + {c}"),
    ("bigint", "BIGINT", "i * 1000003::bigint * {c}"),
    ("double precision", "DOUBLE", "i / 7.0 + {c}"),
    ("numeric(18,4)", "DECIMAL(18,4)", "(i * 31 + {c}) / 100.0"),
    ("boolean", "BOOLEAN", "(i + {c}) % 3 = 0"),
    ("text", "STRING", "'note ' || i || ' of ' || {c}"),
    ("varchar(40)", "STRING", "md5((i + {c})::text)"),
    ("date", "DATE", "date '2020-01-01' + (i + {c}) % 1000"),
    ("timestamptz", "DATETIME",
     "timestamptz '2024-01-01 00:00:00+00' + (i + {c}) * interval '1 ms'"),
    ("uuid", "STRING", "md5((i * {c})::text)::uuid"),
    # every fifth one is null
    ("text", "STRING", "CASE WHEN (i + {c}) % 5 > 0 THEN 'x' || i END"),
]

COLUMNS = [(f"c{EACH * number + c}", *kind)
           for number, kind in enumerate(TYPES) for c in range(EACH)]

SCHEMAS = [f"{TABLE}=id:BIGINT:key," + ",".join(
    f"{name}:{target}" for name, _source, target, _value in COLUMNS)]


def setup(bench):
    columns = ", ".join(f"{name} {source}" for name, source, _target, _value
                        in COLUMNS)
    bench.server.psql(
        f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, {columns})",
        f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {TABLE}")


def teardown(bench):
    bench.server.psql(f"DROP PUBLICATION {PUBLICATION}", f"DROP TABLE {TABLE}")


def produce(bench):
    transactions = bench.size(100, 10)
    values = ", ".join(value.format(c=c) for c, (*_names, value)
                       in enumerate(COLUMNS))
    bench.server.psql(
        f"DO $$ BEGIN FOR t IN 0..{transactions - 1} LOOP "
        f"INSERT INTO {TABLE} SELECT i, {values} "
        f"FROM generate_series(t * {PER_TRANSACTION} + 1, "
        f"(t + 1) * {PER_TRANSACTION}) i; COMMIT; END LOOP; END $$",
        options="-c synchronous_commit=off")
    return Produced(transactions * PER_TRANSACTION, transactions)
