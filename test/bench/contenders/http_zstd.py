"""(f) The same as (c), compressed by zstd."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_zstd"
ORDER = 6
TITLE = "(f) dbmazz over HTTP, compressed by zstd"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, starrocks_compression="zstd")
