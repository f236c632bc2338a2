"""Contenders behind a walsender: a slot of their own, read by pg_recvlogical,
which throws everything away."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field

from . import BenchError
from .runner import Drained

# The process that decodes, then the one that takes over.
ROLES = ("walsender", "pg_recvlogical")


@dataclass
class Slot:
    name: str
    options: dict               # of the plugin
    settings: dict = field(default_factory=dict)    # of the walsender


def make_slot(server, name, plugin):
    server.psql("SELECT pg_create_logical_replication_slot("
                f"'{name}', '{plugin}')")


def prepare(bench, workload, name, settings=None, **options):
    """A slot with pgoutput."""
    make_slot(bench.server, name, "pgoutput")
    return Slot(name, {"proto_version": 1,
                       "publication_names": workload.PUBLICATION, **options},
                settings or {})


def start(server, slot, *more, **streams):
    args = [server.program("pg_recvlogical"), "-d", "bench", "--slot",
            slot.name, "--start", "--no-loop", "-f", "/dev/null", *more]
    for option, value in slot.options.items():
        args += ["-o", f"{option}={value}"]
    settings = " ".join(f"-c {name}={value}"
                        for name, value in slot.settings.items())
    return subprocess.Popen(args, env=server.environment(PGOPTIONS=settings),
                            **streams, **server.as_server_user())


def drain(bench, slot, lsn):
    begin = time.monotonic()
    process = start(bench.server, slot, "--endpos", lsn)
    status, usage = wait(process, bench.timeout)
    wall = time.monotonic() - begin
    if status != 0:
        raise BenchError(f"pg_recvlogical ended with status {status}")
    check_decoded(bench.server, slot.name)
    return Drained(wall, cpu_s={
        "pg_recvlogical": usage.ru_utime + usage.ru_stime})


def wait(process, timeout):
    """(status, resource usage) of a child; ends it if it takes too long."""
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, usage
    finally:
        timer.cancel()
        if process.returncode is None:
            process.kill()
            process.wait()


def check_decoded(server, name):
    """It cannot say what it read; the statistics of the slot can."""
    server.wait_until("SELECT total_txns > 0 AND total_bytes > 0 "
                      "FROM pg_stat_replication_slots "
                      f"WHERE slot_name = '{name}'",
                      f"nothing was decoded from slot {name}")


def discard(bench, slot):
    drop_slot(bench.server, slot.name)


def drop_slot(server, name):
    """As soon as who had it has left."""
    server.wait_until("SELECT NOT active FROM pg_replication_slots "
                      f"WHERE slot_name = '{name}'",
                      f"slot {name} is still in use")
    server.psql(f"SELECT pg_drop_replication_slot('{name}')")
