"""A running pipeline with nothing to do: what does it cost?"""

import time

from benchlib import dbmazz, narrow

NAME = "idle"
ORDER = 6
TITLE = "nothing to do"
PUBLICATION = "bench_idle"
TABLE = "bench_idle"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {}
CONTENDERS = ["http"]

# until what the server does after the last change is over
SETTLE_S = 20


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def wal_position(server):
    return int(server.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def measure(bench, contenders):
    results = []
    server, seconds = bench.server, bench.size(60, 5)
    narrow.create(server, TABLE, PUBLICATION)
    for contender in contenders:
        pipeline = dbmazz.Pipeline(server, "bench_idle", PUBLICATION,
                                   "starrocks", SETTINGS)
        pipeline.start()
        server.psql("CHECKPOINT")
        time.sleep(bench.size(SETTLE_S, 2))
        wal = wal_position(server)
        with bench.watch() as watch:
            time.sleep(seconds)
        written = wal_position(server) - wal
        result = {
            "workload": NAME, "contender": contender.NAME, "run": 1,
            "rows": 0, "wall_s": seconds, "wal_bytes": written,
            **watch.usage(("decoder", "shipper", "launcher")),
        }
        results.append(result)
        print(f"  {seconds} s: cpu {result['cpu_s']}, {written} bytes of WAL",
              flush=True)
        pipeline.stop()
        pipeline.drop()
    return results


def report(middle):
    for result in middle:
        cpu = ", ".join(f"{role} {value * 1000:.0f} ms" for role, value in
                        result["cpu_s"].items())
        yield (f"Idle for {result['wall_s']} s: CPU {cpu}; "
               f"{result['wal_bytes']} bytes of WAL written by the whole "
               "server.")
