"""(j) The same as (a), values in the binary form of their types: no output
functions, but send functions."""

from benchlib import walsender
from benchlib.walsender import ROLES, discard, drain  # noqa: F401

NAME = "recv_binary"
ORDER = 12
TITLE = "(j) pg_recvlogical, pgoutput, binary"
NEEDS_DBMAZZ = False
WORKLOADS = ["inserts", "single", "wide"]
MAX_RUNS = 1


def prepare(bench, workload, name):
    return walsender.prepare(bench, workload, name, binary="true")
