"""(i) The same as (b) without the fast path: each change goes through
pgoutput."""

from benchlib import dbmazz
from contenders.null import ROLES, discard, drain  # noqa: F401

NAME = "null_pgoutput"
ORDER = 11
TITLE = "(i) dbmazz, null sink, fast_path = off"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts", "single"]


def prepare(bench, workload, name):
    pipeline = dbmazz.Pipeline(bench.server, name, workload.PUBLICATION,
                               "null", {**workload.SETTINGS,
                                        "fast_path": "off"})
    pipeline.make_slot()
    return pipeline
