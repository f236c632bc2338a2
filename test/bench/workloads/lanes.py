"""Many small tables beside a large one: what does each lane cost?

500 tables get ten rows a second each, in transactions of ten rows for ten
tables; another one gets 20,000 rows a second, 1000 in a transaction.  The
latency is that of the small tables' rows.
"""

import os

from benchlib import arrival, dbmazz, narrow

NAME = "lanes"
ORDER = 5.5
TITLE = "500 tables with 10 rows a second each, one with 20,000"
PUBLICATION = "bench_lanes"
TABLES = 500
LARGE = "bench_lanes_large"
SCHEMAS = [narrow.schema(LARGE).replace("id:", "large_id:", 1)] + [
    f"bench_lane_{i}=id:BIGINT:key,note:STRING" for i in range(TABLES)]
SETTINGS = {"flush_interval": "0", "pipeline_buffer_size": "64MB"}
CONTENDERS = ["http"]
# loads a minute: none, and the default
LIMITS = ["0", "60"]

CLIENTS = 4
SMALL_RATE, LARGE_RATE = 500, 20
PER_TRANSACTION, LARGE_ROWS = 10, 1000
SECONDS_OF_WARM_UP = 3.0


def setup(bench):
    bench.server.psql(
        f"CREATE TABLE {LARGE} "
        f"({narrow.COLUMNS.replace('id ', 'large_id ', 1)})",
        f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {LARGE}",
        f"DO $$ BEGIN FOR i IN 0..{TABLES - 1} LOOP "
        "EXECUTE format('CREATE TABLE bench_lane_%s "
        "(id bigint PRIMARY KEY, note text)', i); END LOOP; END $$",
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER PUBLICATION "
        f"{PUBLICATION} ADD TABLE ' || string_agg('bench_lane_' || i, ', ') "
        f"FROM generate_series(0, {TABLES - 1}) i); END $$",
        # a row for each of some neighbours
        "CREATE FUNCTION bench_lanes_put(first int, id bigint) RETURNS void "
        "LANGUAGE plpgsql AS $$ BEGIN "
        f"FOR i IN 0..{PER_TRANSACTION - 1} LOOP EXECUTE "
        f"'INSERT INTO bench_lane_' || (first + i) % {TABLES} || "
        "' VALUES ($1, $2)' USING id + i, 'note ' || id; END LOOP; END $$")


def teardown(bench):
    bench.server.psql(
        f"DROP PUBLICATION IF EXISTS {PUBLICATION}",
        "DROP FUNCTION IF EXISTS bench_lanes_put",
        f"DROP TABLE IF EXISTS {LARGE}",
        *(f"DROP TABLE IF EXISTS bench_lane_{i}" for i in range(TABLES)))


def scripts(server):
    """Paths of pgbench scripts: the small tables', the large one's."""
    paths = [os.path.join(server.base, f"lanes_{name}.pgbench")
             for name in ("small", "large")]
    row = narrow.values("(:id::bigint + i)")
    texts = [f"SELECT bench_lanes_put(:first, :id::bigint);\n",
             f"INSERT INTO {LARGE} SELECT {row} "
             f"FROM generate_series(0, {LARGE_ROWS - 1}) i;\n"]
    for path, text in zip(paths, texts):
        with open(path, "w", encoding="utf-8") as file:
            # a transaction's ids begin with a number of its own
            file.write("\\set n :n + 1\n"
                       "\\set id :run + "
                       "(:client_id * 1000000 + :n) * 1000\n"
                       f"\\set first random(0, {TABLES - 1})\n{text}")
        os.chmod(path, 0o644)
    return paths


def once(bench, contender, pipeline, limit, run, first_id):
    server, seconds = bench.server, bench.size(15, 5)
    small, large = scripts(server)
    bench.blackhole.reset()
    bench.blackhole.watch("id")
    with bench.watch() as watch:
        server.run([server.program("pgbench"), "-n", "-M", "prepared",
                    "-c", str(CLIENTS), "-j", "2",
                    "-R", str(SMALL_RATE + LARGE_RATE),
                    "-T", str(seconds), "-D", "n=0", "-D", f"run={first_id}",
                    "-l", "--log-prefix", "lanes",
                    "-f", f"{small}@{SMALL_RATE}",
                    "-f", f"{large}@{LARGE_RATE}"])
        pipeline.wait_for(server.end_of_wal())
    times = arrival.committed(server, "lanes")
    sent = {first_id + (client * 1000000 + number) * 1000 + i: when
            for (client, number), (script, when) in times.items()
            if script == 0 for i in range(PER_TRANSACTION)}
    nlarge = sum(script == 1 for script, _when in times.values())
    done, _head = arrival.latencies(bench, sent, SECONDS_OF_WARM_UP)
    bench.blackhole.watch("")
    stats = bench.blackhole.stats()
    return {
        "workload": NAME, "contender": f"{contender.NAME}/{limit}",
        "run": run, "rows": len(sent) + nlarge * LARGE_ROWS,
        "wall_s": seconds, "loads": stats["loads"],
        "loads_per_s": round(stats["loads"] / seconds, 1),
        **arrival.summary(done),
        **watch.usage(contender.ROLES),
    }


def measure(bench, contenders):
    results = []
    server = bench.server
    setup(bench)
    first_id = 0
    for contender in contenders:
        for limit in LIMITS:
            pipeline = dbmazz.Pipeline(
                server, "bench_lanes", PUBLICATION, "starrocks",
                {**SETTINGS, "max_loads_per_minute": limit})
            pipeline.start()
            for run in range(1, bench.runs + 1):
                first_id += 10**11
                result = once(bench, contender, pipeline, limit, run,
                              first_id)
                results.append(result)
                print(f"  {contender.NAME}, {limit} loads a minute, run "
                      f"{run}: {result['loads_per_s']:.0f} loads/s, cpu "
                      f"{result['cpu_s']}, p50 {result['p50_ms']:.1f} ms, "
                      f"p99 {result['p99_ms']:.1f} ms", flush=True)
            pipeline.stop()
            pipeline.drop()
    return results


def report(middle):
    for result in middle:
        contender, _, limit = result["contender"].partition("/")
        cpu = ", ".join(f"{role} {value:.2f}" for role, value in
                        result["cpu_s"].items())
        yield (f"{TABLES} tables with 10 rows a second each beside one with "
               f"20,000 ({contender}, max_loads_per_minute = {limit}): "
               f"{result['loads_per_s']:.0f} loads a second; latency of the "
               f"small tables' rows p50 {result['p50_ms']:.1f} ms, p99 "
               f"{result['p99_ms']:.1f} ms; CPU seconds in "
               f"{result['wall_s']} s: {cpu}.")
