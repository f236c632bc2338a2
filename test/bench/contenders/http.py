"""(c) dbmazz to the blackhole: all of it, over HTTP."""

from benchlib import dbmazz
from benchlib.runner import Drained

NAME = "http"
ORDER = 3
TITLE = "(c) dbmazz, Stream Load over HTTP"
NEEDS_DBMAZZ = True
ROLES = ("decoder", "shipper", "blackhole")


def prepare(bench, workload, name):
    pipeline = dbmazz.Pipeline(bench.server, name, workload.PUBLICATION,
                               "starrocks", workload.SETTINGS)
    pipeline.make_slot()
    return pipeline


def drain(bench, handle, lsn):
    wall = handle.start_and_wait(lsn, bench.timeout)
    stats = bench.blackhole.stats()
    return Drained(wall, rows=stats["rows"], loads=stats["loads"],
                   checksum=stats["checksum"])


def discard(_bench, handle):
    handle.stop()
    handle.drop()
