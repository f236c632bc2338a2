"""Updates of few keys, over and over, as counters and balances have them.

Of the changes of a key in one load only the last one is sent, so the target
gets a small part of what was written: see the column of rows per change.
"""

from benchlib.runner import Produced

NAME = "hotkeys"
ORDER = 4.1
TITLE = "updates of 1,000 hot keys, 100 a transaction"
PUBLICATION = "bench_hotkeys"
TABLE = "bench_hotkeys"
SCHEMAS = [f"{TABLE}=id:BIGINT:key,n:INT,note:STRING,at:DATETIME"]
# with 0 a load would be as small as the target is quick
SETTINGS = {"flush_interval": "100ms"}

KEYS = 1000
PER_TRANSACTION = 100
MAX_ROWS_PER_CHANGE = 0.5


def setup(bench):
    bench.server.psql(
        f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, n integer, note text, "
        "at timestamptz) WITH (fillfactor = 50)",
        f"INSERT INTO {TABLE} SELECT i, 0, md5(i::text), now() "
        f"FROM generate_series(1, {KEYS}) i",
        f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {TABLE}")


def teardown(bench):
    bench.server.psql(f"DROP PUBLICATION {PUBLICATION}", f"DROP TABLE {TABLE}")


def produce(bench):
    transactions = bench.size(5000, 500)
    parts = KEYS // PER_TRANSACTION
    bench.server.psql(
        f"DO $$ BEGIN FOR t IN 1..{transactions} LOOP "
        f"UPDATE {TABLE} SET n = n + 1, at = clock_timestamp() "
        f"WHERE id > (t % {parts}) * {PER_TRANSACTION} "
        f"AND id <= (t % {parts} + 1) * {PER_TRANSACTION}; "
        "COMMIT; END LOOP; END $$",
        options="-c synchronous_commit=off -c enable_seqscan=off")
    changes = transactions * PER_TRANSACTION
    return Produced(changes, transactions, rows_min=KEYS,
                    rows_max=int(changes * MAX_ROWS_PER_CHANGE))
