"""Narrow rows, inserted 1000 per transaction."""

from benchlib import narrow, sent
from benchlib.runner import Produced

NAME = "inserts"
ORDER = 1
TITLE = "narrow inserts, 1000 rows a transaction"
PUBLICATION = "bench_inserts"
TABLE = "bench_inserts"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}

PER_TRANSACTION = 1000


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    transactions = bench.size(2000, 200)
    bench.server.psql(
        f"DO $$ BEGIN FOR t IN 0..{transactions - 1} LOOP "
        f"INSERT INTO {TABLE} SELECT {narrow.values('i')} "
        f"FROM generate_series(t * {PER_TRANSACTION} + 1, "
        f"(t + 1) * {PER_TRANSACTION}) i; COMMIT; END LOOP; END $$",
        options="-c synchronous_commit=off")
    return Produced(transactions * PER_TRANSACTION, transactions)


# their requests are counted in a sentence
DELIVERIES = ["http", "http_once"]


def report(middle):
    if any("bytes_sent" in result for result in middle):
        yield f"What was sent for {TITLE}, by format and compression:"
        yield sent.table(middle)
    for result in middle:
        if result["contender"] in DELIVERIES:
            yield sent.sentence(result)
