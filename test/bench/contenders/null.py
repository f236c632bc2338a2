"""(b) dbmazz with the sink that accepts everything: decoding, encoding,
batches and the hand-over between the two processes, without a network."""

from benchlib import dbmazz
from benchlib.runner import Drained

NAME = "null"
ORDER = 2
TITLE = "(b) dbmazz, null sink"
NEEDS_DBMAZZ = True
ROLES = ("decoder", "shipper")


def prepare(bench, workload, name, **settings):
    pipeline = dbmazz.Pipeline(bench.server, name, workload.PUBLICATION,
                               "null", {**workload.SETTINGS, **settings})
    pipeline.make_slot()
    return pipeline


def drain(bench, handle, lsn):
    wall = handle.start_and_wait(lsn, bench.timeout)
    return Drained(wall, rows=handle.shipped_rows())


def discard(_bench, handle):
    handle.stop()
    handle.drop()
