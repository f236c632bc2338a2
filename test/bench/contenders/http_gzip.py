"""(g) The same as (c), compressed by gzip."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_gzip"
ORDER = 7
TITLE = "(g) dbmazz over HTTP, compressed by gzip"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, starrocks_compression="gzip")
