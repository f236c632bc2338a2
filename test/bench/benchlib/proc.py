"""Processor time and memory of processes, from /proc.

A Watch samples the children of postmasters, and other processes by number,
in a thread.  What a process used before the watch began is not counted.  A
process that ends keeps its last sample; only a walsender does so within a
measurement, so it is sampled often and the others seldom, which keeps the
watch itself below half a percent of a processor.
"""

import os
import re
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")

# Titles of processes, and what they are called in the results.
ROLES = [
    (re.compile(r"dbmazz decoder"), "decoder"),
    (re.compile(r"dbmazz shipper"), "shipper"),
    (re.compile(r"dbmazz launcher"), "launcher"),
    (re.compile(r"dbmazz"), "dbmazz other"),
    (re.compile(r"walsender"), "walsender"),
    (re.compile(r"logical replication (apply )?worker"), "apply"),
    (re.compile(r"checkpointer|background writer|walwriter|autovacuum|stats|"
                r"logical replication launcher|archiver|logger|io worker"),
     "server"),
]


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def cpu_seconds(pid):
    """(total, user, system) of all threads, or None if it is gone.

    The scheduler's own sum is exact; the split into user and system is
    counted in clock ticks.
    """
    stat = _read(f"/proc/{pid}/stat")
    if not stat:
        return None
    fields = stat[stat.rindex(")") + 2:].split()
    user, system = int(fields[11]) / TICKS, int(fields[12]) / TICKS
    nthreads = int(fields[17])
    total = 0
    tasks = [pid]
    if nthreads > 1:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            return None
    for task in tasks:
        text = _read(f"/proc/{pid}/task/{task}/schedstat").split()
        if not text:
            return user + system, user, system
        total += int(text[0])
    # a thread that has ended is missing in the first sum only
    return max(total / 1e9, user + system - 1.0 / TICKS), user, system


def memory_mb(pid):
    """Highest and present memory: {"hwm", "anon", "shmem", "file"}."""
    names = {"VmHWM": "hwm", "RssAnon": "anon", "RssShmem": "shmem",
             "RssFile": "file"}
    found = {}
    for line in _read(f"/proc/{pid}/status").splitlines():
        name, _, value = line.partition(":")
        if name in names:
            found[names[name]] = int(value.split()[0]) / 1024
    return found


def children(pid):
    text = _read(f"/proc/{pid}/task/{pid}/children")
    if text or os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        return [int(word) for word in text.split()]
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _read(f"/proc/{name}/stat")
            if stat and int(stat[stat.rindex(")") + 2:].split()[1]) == pid:
                found.append(int(name))
    return found


def role_of(pid):
    title = _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    if not title.startswith("postgres:"):
        return None             # not yet: the fork has no title of its own
    for pattern, role in ROLES:
        if pattern.search(title):
            return role
    return "backend"


class _Process:
    def __init__(self, pid, role, base):
        self.pid = pid
        self.role = role
        self.base = base        # what it had used before
        self.cpu = base
        self.memory = {}

    def sample(self, full):
        cpu = cpu_seconds(self.pid)
        if cpu is None:
            return False
        self.cpu = cpu
        if full:
            for name, value in memory_mb(self.pid).items():
                self.memory[name] = max(value, self.memory.get(name, 0))
        return True


class Watch:
    """Use as a context; the results are there when it has ended."""

    INTERVAL = 0.01
    FULL_EVERY = 20             # rounds

    def __init__(self, postmasters=(), others=None):
        self.postmasters = postmasters
        self.processes = {}
        self.gone = []
        self.roles = {}         # of pids that are not the postmaster's
        for role, pid in (others or {}).items():
            self.roles[pid] = role
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self):
        self._discover(first=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._stop.set()
        self._thread.join()
        self._round(full=True)

    def _discover(self, first=False):
        pids = dict(self.roles)
        for postmaster in self.postmasters:
            for pid in children(postmaster):
                pids.setdefault(pid, None)
        for pid, role in pids.items():
            process = self.processes.get(pid)
            if process is None:
                base = (0.0, 0.0, 0.0)
                if first:
                    base = cpu_seconds(pid) or base
                process = _Process(pid, role, base)
                self.processes[pid] = process
            if process.role is None:
                process.role = role_of(pid)

    def _round(self, full):
        self._discover()
        for pid, process in list(self.processes.items()):
            if not full and process.role not in (None, "walsender"):
                continue
            if not process.sample(full):
                self.gone.append(self.processes.pop(pid))

    def _loop(self):
        turn = 0
        while not self._stop.is_set():
            self._round(turn % self.FULL_EVERY == 0)
            turn += 1
            time.sleep(self.INTERVAL)

    def _all(self):
        return self.gone + list(self.processes.values())

    def cpu(self):
        """Seconds by role, summed over the processes of a role."""
        sums = {}
        for process in self._all():
            role = process.role or "backend"
            used = process.cpu[0] - process.base[0]
            sums[role] = sums.get(role, 0.0) + used
        return sums

    def memory(self):
        """Peaks in MB by role: the largest process of a role."""
        peaks = {}
        for process in self._all():
            role = process.role or "backend"
            for name, value in process.memory.items():
                peak = peaks.setdefault(role, {})
                peak[name] = max(value, peak.get(name, 0))
        return peaks

    def usage(self, roles):
        """What a measurement says of these: "cpu_s" and "peak_rss_mb"."""
        cpu, memory = self.cpu(), self.memory()
        return {"cpu_s": {role: round(cpu.get(role, 0), 4) for role in roles},
                "peak_rss_mb": {role: memory.get(role, {}) for role in roles}}
