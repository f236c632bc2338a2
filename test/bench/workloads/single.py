"""Narrow rows, each in a transaction of its own, by pgbench."""

from benchlib import narrow
from benchlib.runner import Produced

NAME = "single"
ORDER = 2
TITLE = "narrow inserts, one row a transaction"
PUBLICATION = "bench_single"
TABLE = "bench_single"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}

CLIENTS = 4


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    server = bench.server
    each = bench.size(75000, 7500)
    # the WAL is the same, it just does not wait for the disk
    server.run([server.program("pgbench"), "-n", "-M", "prepared",
                "-c", str(CLIENTS), "-j", "2", "-t", str(each), "-D", "n=0",
                "-f", narrow.pgbench_script(server, TABLE)],
               PGOPTIONS="-c synchronous_commit=off")
    return Produced(CLIENTS * each, CLIENTS * each)
