"""(d) The same as (c), rows as CSV."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_csv"
ORDER = 4
TITLE = "(d) dbmazz over HTTP, rows as CSV"
NEEDS_DBMAZZ = True
WORKLOADS = ["inserts"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, starrocks_format="csv")
