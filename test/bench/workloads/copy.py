"""The narrow rows as COPY writes them: many rows in one record of the WAL."""

import os

from benchlib import narrow
from benchlib.runner import Produced

NAME = "copy"
ORDER = 2.1
TITLE = "narrow rows by COPY, 10,000 a transaction"
PUBLICATION = "bench_copy"
TABLE = "bench_copy"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}

PER_TRANSACTION = 10000


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    transactions = bench.size(100, 10)
    path = os.path.join(bench.server.base, "copy.data")
    # a statement that cannot have parameters
    rows = (f"SELECT {narrow.values('i')} FROM generate_series("
            f"#t# * {PER_TRANSACTION} + 1, (#t# + 1) * {PER_TRANSACTION}) i")
    bench.server.psql(
        f"DO $$ BEGIN FOR t IN 0..{transactions - 1} LOOP "
        f"EXECUTE replace($q$COPY ({rows}) "
        f"TO '{path}'$q$, '#t#', t::text); "
        f"COPY {TABLE} FROM '{path}'; COMMIT; END LOOP; END $$",
        options="-c synchronous_commit=off")
    os.unlink(path)
    return Produced(transactions * PER_TRANSACTION, transactions)
