"""What somebody else's work loses to decoding: pgbench without any, beside a
bare walsender whose changes go to /dev/null, and beside dbmazz."""

import contextlib
import glob
import os
import re
import resource
import signal
import subprocess
import time

from benchlib import BenchError, dbmazz, wal, walsender
from benchlib import report as tables
from benchlib.arrival import summary

NAME = "pgbench"
ORDER = 7
TITLE = "pgbench, without decoding and beside it"
PUBLICATION = "bench_pgbench"
SLOT = "bench_pgbench"
# Here dbmazz is as it comes, though the server's settings may say otherwise.
DEFAULTS = ["flush_interval", "max_loads_per_minute"]
CONTENDERS = ["recvlogical", "http"]

CLIENTS = 4
SCALE = 10
TABLES = "pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history"
SCHEMAS = [
    "pgbench_accounts=aid:INT:key,bid:INT,abalance:INT,filler:STRING",
    "pgbench_branches=bid:INT:key,bbalance:INT,filler:STRING",
    "pgbench_tellers=tid:INT:key,bid:INT,tbalance:INT,filler:STRING",
    "pgbench_history=id:BIGINT:key,tid:INT,bid:INT,aid:INT,delta:INT,"
    "mtime:DATETIME,filler:STRING",
]

UPDATE = f"""\\set aid random(1, {100000 * SCALE})
\\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
"""

# The rows of one transaction that must reach the target at least: history's
# alone; or most of those updates, for few are of the same row.
SCRIPTS = {"tpcb": ("TPC-B-like", 1.0), "update": ("single-row updates", 0.9)}

NONE = "none"


def setup(server):
    server.run([server.program("pgbench"), "-i", "-q", "-s", str(SCALE)])
    server.psql("ALTER TABLE pgbench_history "
                "ADD COLUMN id bigserial PRIMARY KEY",
                f"CREATE PUBLICATION {PUBLICATION} FOR TABLE {TABLES} "
                # pgbench empties the history before each run
                "WITH (publish = 'insert, update, delete')")


def teardown(bench):
    bench.server.psql(f"DROP PUBLICATION {PUBLICATION}",
                      f"DROP TABLE {TABLES}")


# ---- who decodes meanwhile: contexts that give (processes, until) -----------

@contextlib.contextmanager
def nobody(_bench):
    yield {}, lambda lsn: None


@contextlib.contextmanager
def bare_walsender(bench):
    server = bench.server
    walsender.make_slot(server, SLOT, "pgoutput")
    slot = walsender.Slot(SLOT, {"proto_version": 1,
                                 "publication_names": PUBLICATION})
    # it takes the end by a signal for an error of the stream
    process = walsender.start(server, slot, stderr=subprocess.DEVNULL)
    sender = ("FROM pg_replication_slots s JOIN pg_stat_replication r "
              f"ON r.pid = s.active_pid WHERE s.slot_name = '{SLOT}'")
    try:
        server.wait_until(f"SELECT count(*) = 1 {sender}",
                          "the walsender did not start")
        yield {"pg_recvlogical": process.pid}, lambda lsn: server.wait_until(
            f"SELECT r.sent_lsn >= '{lsn}' {sender}",
            "the walsender did not catch up", bench.timeout)
    finally:
        process.send_signal(signal.SIGINT)
        walsender.wait(process, 30)
    walsender.check_decoded(server, SLOT)
    walsender.drop_slot(server, SLOT)


@contextlib.contextmanager
def pipeline(bench):
    mine = dbmazz.Pipeline(bench.server, SLOT, PUBLICATION, "starrocks",
                           dbmazz.own_defaults(bench.server, *DEFAULTS))
    mine.start()
    yield {}, lambda lsn: mine.wait_for(lsn, bench.timeout)
    mine.stop()
    mine.drop()


DECODING = {NONE: nobody, "recvlogical": bare_walsender, "http": pipeline}


# ---- one run ----------------------------------------------------------------

def pgbench(server, script, seconds):
    """(tps, latencies in ms, CPU seconds of pgbench itself)."""
    path = os.path.join(server.base, "update.pgbench")
    with open(path, "w", encoding="ascii") as file:
        file.write(UPDATE)
    os.chmod(path, 0o644)
    what = ["-b", "tpcb-like"] if script == "tpcb" else ["-f", path]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = server.run([server.program("pgbench"), "-M", "prepared",
                      "-c", str(CLIENTS), "-j", "2", "-T", str(seconds),
                      "-l", "--log-prefix", "guest", *what])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = []
    for log in glob.glob(os.path.join(server.base, "guest.*")):
        with open(log, encoding="ascii") as file:
            times += [int(line.split()[2]) / 1000 for line in file]
        os.unlink(log)
    tps = re.search(r"tps = ([0-9.]+)", out)
    if not tps or not times:
        raise BenchError("pgbench does not say how fast it was")
    return float(tps[1]), times, (after.ru_utime + after.ru_stime -
                                  before.ru_utime - before.ru_stime)


def check_rows(bench, name, script, transactions):
    rows = bench.blackhole.stats()["rows"]
    if name == "http" and rows < transactions * SCRIPTS[script][1]:
        raise BenchError(f"pgbench: {rows} rows arrived of {transactions} "
                         "transactions")


def once(bench, name, script, run):
    server, seconds = bench.server, bench.size(10, 2)
    with DECODING[name](bench) as (processes, until):
        # the pages that the run before has left dirty; and each run writes
        # the same full pages
        server.psql("CHECKPOINT")
        bench.blackhole.reset()
        first = server.end_of_wal()
        with bench.watch(**processes) as watch:
            tps, times, pgbench_cpu = pgbench(server, script, seconds)
            last = server.end_of_wal()
            begin = time.monotonic()
            until(last)
            behind = time.monotonic() - begin
        check_rows(bench, name, script, len(times))
        written = {} if name != "http" else wal.share(
            server, first, server.end_of_wal(), dbmazz.wal_files(server))
    cpu = {role: round(value, 3) for role, value in watch.cpu().items()
           if value >= 0.01}
    cpu["pgbench"] = round(pgbench_cpu, 3)
    return {
        "workload": NAME, "contender": name, "script": script, "run": run,
        "rows": len(times), "wall_s": seconds, "tps": round(tps, 1),
        **summary(times), "behind_s": round(behind, 3), "cpu_s": cpu,
        **{f"own_wal_{what}": value for what, value in written.items()},
        "peak_rss_mb": {},
    }


def measure(bench, contenders):
    setup(bench.server)
    names = [NONE] + [contender.NAME for contender in contenders]
    results = []
    for script in SCRIPTS:
        for run in range(1, bench.runs + 1):
            # another one begins in each run
            first = run % len(names)
            turn = {name: once(bench, name, script, run)
                    for name in names[first:] + names[:first]}
            if {"recvlogical", "http"} <= turn.keys():
                turn["http"]["tps_vs_walsender"] = round(
                    turn["http"]["tps"] / turn["recvlogical"]["tps"], 4)
            for result in turn.values():
                show(result)
            results += turn.values()
    return results


def show(result):
    cpu = ", ".join(f"{role} {value:.2f}" for role, value in
                    sorted(result["cpu_s"].items()))
    print(f"  {result['script']:8} {result['contender']:13} "
          f"{result['tps']:8.0f} tps, p99 {result['p99_ms']:.2f} ms; "
          f"cpu {cpu}; behind {result['behind_s']:.2f} s", flush=True)


# ---- what is said about it --------------------------------------------------

TITLES = {NONE: "no decoding", "recvlogical": "bare walsender",
          "http": "dbmazz to the blackhole"}

# in the order of a cell, and what they are called there
CPU = [("backend", "backends"), ("pgbench", "pgbench"),
       ("walsender", "walsender"), ("pg_recvlogical", "pg_recvlogical"),
       ("decoder", "decoder"), ("shipper", "shipper"),
       ("blackhole", "blackhole"), ("server", "server")]


DECODING_ROLES = ("walsender", "pg_recvlogical", "decoder", "shipper",
                  "blackhole")


def _each_cell(result):
    """What a transaction costs, and how much of it decoding does."""
    cpu = result["cpu_s"]
    decoding = sum(cpu.get(role, 0) for role in DECODING_ROLES)
    return (f"{sum(cpu.values()) / result['rows'] * 1e6:.0f}, "
            f"{decoding / result['rows'] * 1e6:.0f}")


def _cpu_cell(result):
    parts = [f"{title} {result['cpu_s'][role]:.1f}" for role, title in CPU
             if result["cpu_s"].get(role, 0) >= 0.05]
    return f"{sum(result['cpu_s'].values()):.1f}: " + ", ".join(parts)


def _lines(title, found):
    def line(what, cell):
        return [f"{title}: {what}"] + [cell(result) for result in found]

    def tps(result):
        part = result.get("tps_vs_walsender")
        return f"{result['tps']:,.0f}" + (
            f" ({part * 100:.1f} % of the walsender's)" if part else "")

    return [line("tps", tps),
            line("p50, p99, ms", lambda result: f"{result['p50_ms']:.2f}, "
                 f"{result['p99_ms']:.2f}"),
            line("CPU seconds", _cpu_cell),
            line("CPU µs a transaction, of which decoding and sending",
                 _each_cell),
            line("behind at the end, s", lambda result:
                 f"{result['behind_s']:.2f}")]


def report(middle):
    names = [name for name in TITLES
             if any(result["contender"] == name for result in middle)]
    lines = []
    for script, (title, _rows) in SCRIPTS.items():
        found = [result for name in names for result in middle
                 if (result["contender"], result["script"]) == (name, script)]
        lines += _lines(title, found)
    seconds, cores = middle[0]["wall_s"], len(os.sched_getaffinity(0))
    yield (f"Somebody else's work: pgbench, {CLIENTS} clients, scale {SCALE},"
           f" {seconds} s each. All processes share {cores} processors, that "
           f"is {cores * seconds} CPU seconds: where these are used up, what "
           "decoding takes is missing at the clients, whoever decodes. "
           "dbmazz has the settings that it comes with:")
    yield tables.table(["pgbench"] + [TITLES[name] for name in names], lines)
    for result in middle:
        if "own_wal_bytes" in result:
            yield (f"WAL written by dbmazz during "
                   f"{SCRIPTS[result['script']][0]}: "
                   + wal.sentence(result, seconds))
