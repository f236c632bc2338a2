"""(a) What every tool outside the server pays before it starts: a walsender
with pgoutput, read by pg_recvlogical, which throws everything away."""

import os
import subprocess
import threading
import time

from benchlib import BenchError
from benchlib.runner import Drained

NAME = "recvlogical"
ORDER = 1
TITLE = "(a) pg_recvlogical, pgoutput, to /dev/null"
NEEDS_DBMAZZ = False

# The process that decodes, then the one that takes over.
ROLES = ("walsender", "pg_recvlogical")


def prepare(bench, workload, name):
    bench.server.psql("SELECT pg_create_logical_replication_slot("
                      f"'{name}', 'pgoutput')")
    return name, workload.PUBLICATION


def drain(bench, handle, lsn):
    server = bench.server
    name, publication = handle
    args = [server.program("pg_recvlogical"), "-d", "bench", "--slot", name,
            "--start", "--no-loop", "--endpos", lsn, "-o", "proto_version=1",
            "-o", f"publication_names={publication}", "-f", "/dev/null"]
    begin = time.monotonic()
    process = subprocess.Popen(args, env=server.environment(),
                               **server.as_server_user())
    status, usage = wait(process, bench.timeout)
    wall = time.monotonic() - begin
    if status != 0:
        raise BenchError(f"pg_recvlogical ended with status {status}")
    check_decoded(server, name)
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
    deadline = time.monotonic() + 10
    query = ("SELECT total_txns > 0 AND total_bytes > 0 "
             f"FROM pg_stat_replication_slots WHERE slot_name = '{name}'")
    while server.value(query) != "t":
        if time.monotonic() > deadline:
            raise BenchError(f"nothing was decoded from slot {name}")
        time.sleep(0.1)


def discard(bench, handle):
    deadline = time.monotonic() + 10
    while True:
        active = bench.server.value(
            "SELECT active FROM pg_replication_slots "
            f"WHERE slot_name = '{handle[0]}'")
        if active != "t" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    bench.server.psql(f"SELECT pg_drop_replication_slot('{handle[0]}')")
