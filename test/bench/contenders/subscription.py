"""(l) The server's own replication: a subscription of a second server, which
really stores the rows.  Both servers are on this machine, so the apply worker
shares the processors with the walsender."""

import time

from benchlib import BenchError, walsender
from benchlib.runner import Drained
from benchlib.server import second_server

NAME = "subscription"
ORDER = 14
TITLE = "(l) built-in subscription, into a second server"
NEEDS_DBMAZZ = False
ROLES = ("walsender", "apply")
WORKLOADS = ["inserts", "single"]
MAX_RUNS = 1

SETTINGS = {
    # who is done says so sooner
    "wal_writer_delay": "10ms",
}


def prepare(bench, workload, name):
    """The table over there, and a subscription that does nothing yet."""
    if NAME not in bench.servers:
        bench.servers[NAME] = second_server(bench.server, NAME, SETTINGS)
    publisher, subscriber = bench.server, bench.servers[NAME]
    walsender.make_slot(publisher, name, "pgoutput")
    subscriber.psql(f"DROP TABLE IF EXISTS {workload.TABLE}",
                    *publisher.definition(workload.TABLE))
    subscriber.psql(
        f"CREATE SUBSCRIPTION {name} CONNECTION "
        f"'host={publisher.base} user=postgres dbname=bench' "
        f"PUBLICATION {workload.PUBLICATION} WITH (create_slot = false, "
        f"slot_name = {name}, copy_data = false, enabled = false)")
    return name, workload.TABLE


# The statistics of replication are those of the transaction's first look.
WAIT = """DO $$ BEGIN LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN EXISTS (SELECT FROM pg_stat_replication
        WHERE application_name = '{name}' AND replay_lsn >= '{lsn}');
    PERFORM pg_sleep(0.01);
END LOOP; END $$"""


def drain(bench, handle, lsn):
    name, table = handle
    subscriber = bench.servers[NAME]
    begin = time.monotonic()
    subscriber.psql(f"ALTER SUBSCRIPTION {name} ENABLE")
    bench.server.psql(WAIT.format(name=name, lsn=lsn),
                      timeout=bench.timeout)
    wall = time.monotonic() - begin
    rows = int(subscriber.value(f"SELECT count(*) FROM {table}"))
    if rows == 0:
        raise BenchError("nothing arrived at the subscriber")
    return Drained(wall, rows=rows)


def discard(bench, handle):
    name, table = handle
    subscriber = bench.servers[NAME]
    subscriber.psql(f"ALTER SUBSCRIPTION {name} DISABLE")
    # with the slot's name it would want to drop the slot over there itself
    subscriber.psql(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
    subscriber.psql(f"DROP SUBSCRIPTION {name}")
    subscriber.psql(f"TRUNCATE {table}")
    walsender.drop_slot(bench.server, name)
