"""Narrow rows, each in a transaction of its own, of four clients at a time."""

import os

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
# of each client's rows, which are an INT's
FIRST_ID = 100000000


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def script(server, each):
    """One statement, which commits after each row: to be asked for every
    transaction anew takes longer than the transaction."""
    path = os.path.join(server.base, f"{TABLE}.pgbench")
    row = narrow.values("i")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"\\set first :client_id * {FIRST_ID}\n"
                   f"DO $$ BEGIN FOR i IN :first + 1 .. :first + {each} LOOP "
                   f"INSERT INTO {TABLE} VALUES ({row}); COMMIT; "
                   "END LOOP; END $$;\n")
    os.chmod(path, 0o644)
    return path


def produce(bench):
    server = bench.server
    each = bench.size(250000, 7500)
    # the WAL is the same, it just does not wait for the disk
    server.run([server.program("pgbench"), "-n", "-c", str(CLIENTS),
                "-j", "2", "-t", "1", "-f", script(server, each)],
               PGOPTIONS="-c synchronous_commit=off")
    return Produced(CLIENTS * each, CLIENTS * each)
