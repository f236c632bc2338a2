"""How long the server takes to end while the target does not answer."""

import os
import signal
import time

from benchlib import BenchError, dbmazz, narrow

NAME = "shutdown"
ORDER = 8
TITLE = "SIGTERM to the postmaster, until it has ended"
PUBLICATION = "bench_shutdown"
TABLE = "bench_shutdown"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}
CONTENDERS = ["http"]

NONE = "none"
ROWS = 1000
LIMIT_S = 60


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def gone(pid):
    """Also if nobody has asked for its status yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def seconds_to_end(server):
    """With SIGTERM, which ends the server as soon as no session is left."""
    server.psql("CHECKPOINT")
    pid = server.postmaster()
    begin = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    server.running = False
    while not gone(pid):
        if time.monotonic() - begin > LIMIT_S:
            server.running = True
            raise BenchError("the server did not end")
        time.sleep(0.001)
    return time.monotonic() - begin


def insert(server, first):
    server.psql(f"INSERT INTO {TABLE} SELECT {narrow.values('i')} FROM "
                f"generate_series({first}, {first + ROWS - 1}) i")


def frozen(bench, pipeline, run):
    """The target stops to answer while rows are on their way to it."""
    server = bench.server
    bench.blackhole.freeze()
    try:
        insert(server, run * 2 * ROWS)
        pipeline.wait_for_batches()
        ended = seconds_to_end(server)
    finally:
        bench.blackhole.thaw()
    server.launch()
    pipeline.wait_state("streaming")
    # nothing of it is lost
    pipeline.wait_for(server.end_of_wal())
    return ended


def measure(bench, contenders):
    server = bench.server
    narrow.create(server, TABLE, PUBLICATION)
    pipeline = dbmazz.Pipeline(server, "bench_shutdown", PUBLICATION,
                               "starrocks", SETTINGS)
    results = []
    for run in range(1, bench.runs + 1):
        ended = seconds_to_end(server)
        server.launch()
        results.append((NONE, run, ended))
        pipeline.start()
        insert(server, run * 2 * ROWS - ROWS)
        pipeline.wait_for(server.end_of_wal())
        results.append((contenders[0].NAME, run,
                        frozen(bench, pipeline, run)))
        pipeline.stop()
    pipeline.drop()
    for name, run, ended in results:
        print(f"  run {run}, {name}: {ended:.3f} s", flush=True)
    return [{"workload": NAME, "contender": name, "run": run, "rows": 0,
             "wall_s": round(ended, 4), "worst_s": round(max(
                 other[2] for other in results if other[0] == name), 4),
             "cpu_s": {}, "peak_rss_mb": {}} for name, run, ended in results]


def report(middle):
    found = {result["contender"]: result for result in middle}
    mine, none = found["http"], found[NONE]
    yield ("From SIGTERM of the postmaster to its end, while the target is "
           f"frozen and rows are on their way to it: {mine['wall_s']:.3f} s "
           f"(worst {mine['worst_s']:.3f} s); with no pipeline running: "
           f"{none['wall_s']:.3f} s.")
