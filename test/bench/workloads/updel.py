"""Updates of all rows of a table, and deletes of every second one."""

from benchlib import narrow
from benchlib.runner import Produced

NAME = "updel"
ORDER = 2.2
TITLE = "2 narrow updates, then 1 delete; 1000 rows a transaction"
PUBLICATION = "bench_updel"
TABLE = "bench_updel"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}

PER_TRANSACTION = 1000


def keys(bench):
    return bench.size(1000000, 100000)


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)
    bench.server.psql(f"INSERT INTO {TABLE} SELECT {narrow.values('i')} "
                      f"FROM generate_series(1, {keys(bench)}) i")


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    """Two transactions of updates, then one that deletes every second row of
    the two: a key is changed and deleted within the same 3000 changes."""
    rounds = keys(bench) // (2 * PER_TRANSACTION)
    update = (f"UPDATE {TABLE} SET a = a + 1, b = reverse(b), "
              "amount = amount + 1 WHERE id > {first} AND id <= {last}; "
              "COMMIT; ")
    first = f"t * {2 * PER_TRANSACTION}"
    bench.server.psql(
        f"DO $$ BEGIN FOR t IN 0..{rounds - 1} LOOP "
        + update.format(first=first, last=f"{first} + {PER_TRANSACTION}")
        + update.format(first=f"{first} + {PER_TRANSACTION}",
                        last=f"{first} + {2 * PER_TRANSACTION}")
        + f"DELETE FROM {TABLE} WHERE id > {first} "
        f"AND id <= {first} + {2 * PER_TRANSACTION} AND id % 2 = 0; "
        "COMMIT; END LOOP; END $$",
        options="-c synchronous_commit=off -c enable_seqscan=off")
    # a key that is deleted in the batch of its update is sent once
    return Produced(3 * rounds * PER_TRANSACTION, 3 * rounds,
                    rows_min=2 * rounds * PER_TRANSACTION)
