"""(h) The same as (c), each row once: the transaction interface of StarRocks,
with begin, prepare and commit around each load, and a row of the checkpoint
between the last two."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_once"
ORDER = 10
TITLE = "(h) dbmazz over HTTP, exactly once"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts", "single"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, delivery="exactly_once")
