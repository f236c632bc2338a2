"""One transaction with very many narrow rows: decoding has to spill."""

from benchlib import narrow
from benchlib.runner import Produced

NAME = "bigtx"
ORDER = 3
TITLE = "narrow inserts, all in one transaction"
PUBLICATION = "bench_bigtx"
TABLE = "bench_bigtx"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    rows = bench.size(5000000, 300000)
    bench.server.psql(f"INSERT INTO {TABLE} SELECT {narrow.values('i')} "
                      f"FROM generate_series(1, {rows}) i")
    return Produced(rows, 1)
