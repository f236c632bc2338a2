"""(n) The same as (c), with four times the memory for decoding."""

from benchlib import http
from benchlib.http import ROLES, discard, drain  # noqa: F401

NAME = "http_256"
ORDER = 16
TITLE = "(n) dbmazz over HTTP, decoder_work_mem = 256MB"
NEEDS_DBMAZZ = True
WORKLOADS = ["bigtx"]


def prepare(bench, workload, name):
    return http.prepare(bench, workload, name, decoder_work_mem="256MB")
