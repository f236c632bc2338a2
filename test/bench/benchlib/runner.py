"""Runs contenders on workloads and collects measurements.

The method for throughput: every contender has one slot per run, made before
the data is produced, so that all read the same WAL; nothing decodes while it
is produced; then each drains its slot, one at a time, in turns (first run of
all, second run of all …), so that a drift of the machine meets all alike.
"""

import importlib.util
import os
import time
from dataclasses import dataclass, field

from . import BenchError
from .proc import Watch

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass
class Bench:
    """What workloads and contenders work with."""

    server: object
    blackhole: object
    runs: int = 3
    quick: bool = False
    timeout: int = 600
    # further ones that contenders have made, by name
    servers: dict = field(default_factory=dict)

    def size(self, full, quick):
        return quick if self.quick else full

    def watch(self, **others):
        servers = [self.server, *self.servers.values()]
        return Watch([server.postmaster() for server in servers],
                     {"blackhole": self.blackhole.pid, **others})

    def runs_of(self, workload, contender):
        """Those that take long are not run as often as the others."""
        return min(self.runs, *(getattr(module, "MAX_RUNS", self.runs)
                                for module in (workload, contender)))

    def stop_servers(self):
        for server in [*self.servers.values(), self.server]:
            server.stop()


@dataclass
class Produced:
    """What a workload has put into the WAL."""

    changes: int
    transactions: int
    # rows that may reach the target: fewer than changes only where several
    # changes of a key may become one row
    rows_min: int = None
    rows_max: int = None
    loads_max: int = None       # more loads than this are a failure

    def __post_init__(self):
        if self.rows_min is None:
            self.rows_min = self.changes
        if self.rows_max is None:
            self.rows_max = self.changes


@dataclass
class Drained:
    """What a contender says about one run."""

    wall_s: float
    rows: int = None            # received at the far end, if that is known
    loads: int = None
    checksum: str = None
    sent: dict = field(default_factory=dict)    # see sent.py
    cpu_s: dict = field(default_factory=dict)   # exact, instead of sampled


def load_modules(folder):
    """The files of a folder as modules, in their ORDER."""
    modules = []
    for name in sorted(os.listdir(os.path.join(HERE, folder))):
        if not name.endswith(".py") or name.startswith("_"):
            continue
        path = os.path.join(HERE, folder, name)
        spec = importlib.util.spec_from_file_location(
            f"{folder}_{name[:-3]}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        modules.append(module)
    return sorted(modules, key=lambda module: module.ORDER)


def pick(folder, wanted):
    """Those of a folder with these names; all if "wanted" is None."""
    modules = load_modules(folder)
    known = [module.NAME for module in modules]
    for name in wanted or []:
        if name not in known:
            raise BenchError(f"no such thing in {folder}: {name}; there are "
                             f"{', '.join(known)}")
    return [module for module in modules
            if wanted is None or module.NAME in wanted]


def check(contender, produced, drained):
    """Refuse a measurement of something that did not do its work."""
    if drained.rows is not None and \
            not produced.rows_min <= drained.rows <= produced.rows_max:
        raise BenchError(f"{contender.NAME}: {drained.rows} rows arrived, "
                         f"expected {produced.rows_min} to "
                         f"{produced.rows_max}")
    if drained.loads and produced.loads_max and \
            drained.loads > produced.loads_max:
        raise BenchError(f"{contender.NAME}: {drained.loads} loads for "
                         f"{drained.rows} rows, at most "
                         f"{produced.loads_max} were to be")


def measurement(workload, contender, watch, drained, produced, run):
    """One object of results.json."""
    cpu = {**watch.cpu(), **drained.cpu_s}
    memory = watch.memory()
    keep = set(contender.ROLES) | {"launcher"}
    result = {
        "workload": workload.NAME,
        "contender": contender.NAME,
        "run": run,
        "rows": produced.changes,
        "transactions": produced.transactions,
        "wall_s": round(drained.wall_s, 4),
        "cpu_s": {role: round(value, 4) for role, value in cpu.items()
                  if role in keep or value >= 0.01},
        "peak_rss_mb": {role: {kind: round(mb, 1) for kind, mb in
                               memory[role].items()}
                        for role in memory if role in keep},
    }
    for name in ("loads", "checksum"):
        if getattr(drained, name) is not None:
            result[name] = getattr(drained, name)
    result.update(drained.sent)
    if drained.rows is not None:
        result["rows_received"] = drained.rows
        if drained.loads:
            result["rows_per_load"] = round(drained.rows / drained.loads, 1)
    return result


def same_rows(results):
    """Runs of one contender on one workload must have sent the same rows."""
    seen = {}
    for result in results:
        # several changes of a key may have become one row in one run and
        # two in another
        if result.get("rows_received") != result["rows"] or \
                "checksum" not in result:
            continue
        key = result["workload"], result["contender"]
        if seen.setdefault(key, result["checksum"]) != result["checksum"]:
            raise BenchError(f"{key[1]} sent other rows in another run of "
                             f"{key[0]}")


def spilled(server, slot):
    """What did not fit into the memory for decoding."""
    for line in server.psql("SELECT spill_bytes, spill_count "
                            "FROM pg_stat_replication_slots WHERE "
                            f"slot_name = '{slot}' AND spill_count > 0"):
        size, count = map(int, line.split("|"))
        return {"spill_bytes": size, "spill_count": count}
    return {}


def slot_name(contender, run):
    return f"bench_{contender.NAME}_{run}"


def turns(bench, workload, contenders):
    """First runs of all, then second runs, and so on."""
    return [(run, contender) for run in range(1, bench.runs + 1)
            for contender in contenders
            if run <= bench.runs_of(workload, contender)]


def drain_all(bench, workload, contenders, handles, produced, lsn):
    results = []
    for run, contender in turns(bench, workload, contenders):
        handle = handles[contender.NAME, run]
        bench.blackhole.reset()
        with bench.watch() as watch:
            drained = contender.drain(bench, handle, lsn)
        check(contender, produced, drained)
        result = measurement(workload, contender, watch, drained, produced,
                             run)
        result.update(spilled(bench.server, slot_name(contender, run)))
        results.append(result)
        show(result)
        contender.discard(bench, handle)
    same_rows(results)
    return results


def backlog(bench, workload, contenders):
    """The method described above, for one workload."""
    workload.setup(bench)
    handles = {(contender.NAME, run): contender.prepare(
        bench, workload, slot_name(contender, run))
        for run, contender in turns(bench, workload, contenders)}
    begin = time.time()
    produced = workload.produce(bench)
    lsn = bench.server.end_of_wal()
    # what is dirty is written now, not while somebody is measured
    bench.server.psql("CHECKPOINT")
    print(f"  {produced.changes} changes produced in "
          f"{time.time() - begin:.1f} s, up to {lsn}", flush=True)
    return drain_all(bench, workload, contenders, handles, produced, lsn)


def show(result):
    cpu = ", ".join(f"{role} {value:.2f}" for role, value in
                    sorted(result["cpu_s"].items()))
    more = "".join(f", {name.replace('_', ' ')} {result[name]}" for name in
                   ("rows_per_load", "p50_ms", "p99_ms", "wal_bytes",
                    "spill_bytes") if name in result)
    print(f"  {result['workload']:8} {result['contender']:13} "
          f"{result['wall_s']:8.3f} s; cpu {cpu}{more}", flush=True)


def present(bench, contenders):
    """Those whose programs are there; what is missing is said."""
    found = []
    for contender in contenders:
        reason = getattr(contender, "missing", lambda _: None)(bench.server)
        if reason:
            print(f"{contender.NAME} is left out: {reason}", flush=True)
            continue
        getattr(contender, "configure", lambda _: None)(bench.server)
        found.append(contender)
    return found


def run_all(bench, workloads, contenders):
    results = []
    contenders = present(bench, contenders)
    for workload in workloads:
        wanted = getattr(workload, "CONTENDERS", None)
        takers = [contender for contender in contenders
                  if (wanted is None or contender.NAME in wanted) and
                  workload.NAME in getattr(contender, "WORKLOADS",
                                           [workload.NAME])]
        if not takers:
            continue
        print(f"{workload.NAME}: {workload.TITLE}", flush=True)
        method = getattr(workload, "measure", None)
        if method:
            results += method(bench, takers)
        else:
            results += backlog(bench, workload, takers)
        workload.teardown(bench)
    return results
