"""Updates of rows with a large value, which every second one leaves alone.

An update that does not touch the large value has no copy of it in the WAL, so
it becomes a partial update, with other columns than a full one; the two must
not decay into loads of one row.
"""

from benchlib.runner import Produced

NAME = "toast"
ORDER = 4
TITLE = "updates of 10,000 keys, full and partial by turns"
PUBLICATION = "bench_toast"
TABLE = "bench_toast"
SCHEMAS = [f"{TABLE}=id:BIGINT:key,n:INT,note:STRING,doc:STRING"]
# 0 would cut a load whenever the target is ready for one, which the blackhole
# is at once; what is looked at here is how large loads become otherwise
SETTINGS = {"flush_interval": "100ms"}

KEYS = 10000
PER_TRANSACTION = 100
MIN_ROWS_PER_LOAD = 1000


def setup(bench):
    bench.server.psql(
        f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, n integer, note text, "
        "doc text)",
        # not compressed, so that its size is what it seems to be
        f"ALTER TABLE {TABLE} ALTER doc SET STORAGE EXTERNAL",
        f"INSERT INTO {TABLE} SELECT i, 0, md5(i::text), "
        f"repeat(md5(i::text), 96) FROM generate_series(1, {KEYS}) i",
        f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {TABLE}")


def teardown(bench):
    bench.server.psql(f"DROP PUBLICATION {PUBLICATION}", f"DROP TABLE {TABLE}")


def produce(bench):
    rounds = bench.size(20, 4)
    each = KEYS // PER_TRANSACTION
    # doc = doc keeps the stored value: unchanged in the WAL
    bench.server.psql(
        f"DO $$ BEGIN FOR r IN 1..{rounds} LOOP FOR t IN 0..{each - 1} LOOP "
        f"UPDATE {TABLE} SET n = r, doc = CASE WHEN (id + r) % 2 = 0 "
        "THEN repeat(md5((id * r)::text), 96) ELSE doc END "
        f"WHERE id > t * {PER_TRANSACTION} "
        f"AND id <= (t + 1) * {PER_TRANSACTION}; "
        "COMMIT; END LOOP; END LOOP; END $$",
        options="-c synchronous_commit=off -c enable_seqscan=off")
    changes = rounds * KEYS
    return Produced(changes, rounds * each, rows_min=KEYS,
                    loads_max=changes // MIN_ROWS_PER_LOAD)
