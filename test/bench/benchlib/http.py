"""Contenders that send to the blackhole: what they have in common."""

from . import dbmazz, sent
from .runner import Drained

ROLES = ("decoder", "shipper", "blackhole")


def prepare(bench, workload, name, **settings):
    pipeline = dbmazz.Pipeline(bench.server, name, workload.PUBLICATION,
                               "starrocks", {**workload.SETTINGS, **settings})
    pipeline.make_slot()
    return pipeline


def drain(bench, handle, lsn):
    wall = handle.start_and_wait(lsn, bench.timeout)
    stats = bench.blackhole.stats()
    return Drained(wall, rows=stats["rows"], loads=stats["loads"],
                   checksum=stats["checksum"], sent=sent.figures(stats))


def discard(_bench, handle):
    handle.stop()
    handle.drop()
