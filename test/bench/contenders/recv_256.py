"""(m) The same as (a), with four times the memory for decoding."""

from benchlib import walsender
from benchlib.walsender import ROLES, discard, drain  # noqa: F401

NAME = "recv_256"
ORDER = 15
TITLE = "(m) pg_recvlogical, logical_decoding_work_mem = 256MB"
NEEDS_DBMAZZ = False
WORKLOADS = ["bigtx"]


def prepare(bench, workload, name):
    return walsender.prepare(bench, workload, name, settings={
        "logical_decoding_work_mem": "256MB"})
