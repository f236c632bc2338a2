"""(i) The same as (b) without the fast path: each change goes through
pgoutput."""

from contenders import null
from contenders.null import ROLES, discard, drain  # noqa: F401

NAME = "null_pgoutput"
ORDER = 11
TITLE = "(i) dbmazz, null sink, fast_path = off"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts", "single"]


def prepare(bench, workload, name):
    return null.prepare(bench, workload, name, fast_path="off")
