"""(h) The same as (c), each row once: the transaction interface of StarRocks,
with four requests for a load instead of one, and a row of the checkpoint
between prepare and commit."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_once"
ORDER = 10
TITLE = "(h) dbmazz over HTTP, exactly once"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts", "single"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, delivery="exactly_once")
