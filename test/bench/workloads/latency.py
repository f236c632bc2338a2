"""From COMMIT's return in the client to the row's arrival at the target.

pgbench inserts at a steady rate and logs when each transaction was over; the
blackhole notes when the request that brought the row began and when all of it
was there.  Both read the same clock.  A row that arrives before its client has
been told of the commit has a negative latency.
"""

from benchlib import arrival, dbmazz, narrow, sent, wal

NAME = "latency"
ORDER = 5
TITLE = "COMMIT returned to row received, 1000 transactions a second"
PUBLICATION = "bench_latency"
TABLE = "bench_latency"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}
CONTENDERS = ["http"]

CLIENTS = 4
RATE = 1000
# pgbench connects and the caches fill: not counted
WARM_UP_S = 1.0


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def once(bench, contender, pipeline, run):
    server, seconds = bench.server, bench.size(10, 3)
    # ids begin again in every run
    server.psql(f"TRUNCATE {TABLE}")
    bench.blackhole.reset()
    bench.blackhole.watch("id")
    begin = server.end_of_wal()
    with bench.watch() as watch:
        server.run([server.program("pgbench"), "-n", "-M", "prepared",
                    "-c", str(CLIENTS), "-j", "2", "-R", str(RATE),
                    "-T", str(seconds + 1), "-D", "n=0", "-l",
                    "--log-prefix", "latency",
                    "-f", narrow.pgbench_script(server, TABLE)])
        pipeline.wait_for(server.end_of_wal())
    written = wal.share(server, begin, server.end_of_wal(),
                        dbmazz.wal_files(server))
    stats = bench.blackhole.stats()
    times = arrival.committed(server, "latency")
    rows = {client * 100000000 + number: when
            for (client, number), (_script, when) in times.items()}
    done, head = arrival.latencies(bench, rows, WARM_UP_S)
    bench.blackhole.watch("")
    return {
        "workload": NAME, "contender": contender.NAME, "run": run,
        "rows": len(rows), "wall_s": seconds + 1, "loads": stats["loads"],
        **sent.figures(stats),
        **arrival.summary(done), **arrival.summary(head, "head_"),
        **{f"own_wal_{name}": value for name, value in written.items()},
        **watch.usage(contender.ROLES),
    }


def measure(bench, contenders):
    results = []
    server = bench.server
    narrow.create(server, TABLE, PUBLICATION)
    # TRUNCATE between runs is no part of what is measured
    server.psql(f"ALTER PUBLICATION {PUBLICATION} "
                "SET (publish = 'insert, update, delete')")
    for contender in contenders:
        pipeline = dbmazz.Pipeline(server, "bench_latency", PUBLICATION,
                                   "starrocks", SETTINGS)
        pipeline.start()
        for run in range(1, bench.runs + 1):
            result = once(bench, contender, pipeline, run)
            results.append(result)
            print(f"  run {run}: {result['rows']} rows in {result['loads']} "
                  f"loads, p50 {result['p50_ms']:.2f} ms, "
                  f"p99 {result['p99_ms']:.2f} ms", flush=True)
        pipeline.stop()
        pipeline.drop()
    return results


def report(middle):
    for result in middle:
        seconds = result["wall_s"]
        cpu = ", ".join(f"{role} {value:.2f}" for role, value in
                        result["cpu_s"].items())
        yield ("Latency from COMMIT's return in the client to the complete "
               f"request at the target, 1000 transactions a second: "
               f"p50 {result['p50_ms']:.2f} ms, p90 {result['p90_ms']:.2f} "
               f"ms, p99 {result['p99_ms']:.2f} ms, worst "
               f"{result['max_ms']:.1f} ms (to the head of that request: "
               f"p50 {result['head_p50_ms']:.2f} ms, "
               f"p99 {result['head_p99_ms']:.2f} ms); "
               f"{result['rows'] / result['loads']:.1f} rows a load; CPU "
               f"seconds in {seconds} s: {cpu}.")
        yield sent.sentence(result)
        yield ("WAL written by dbmazz meanwhile: "
               + wal.sentence(result, seconds))
