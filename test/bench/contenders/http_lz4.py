"""(e) The same as (c), compressed by lz4."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_lz4"
ORDER = 5
TITLE = "(e) dbmazz over HTTP, compressed by lz4"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, starrocks_compression="lz4")
