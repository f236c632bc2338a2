"""(c) dbmazz to the blackhole: all of it, over HTTP."""

from benchlib.http import ROLES, discard, drain, prepare  # noqa: F401

NAME = "http"
ORDER = 3
TITLE = "(c) dbmazz, Stream Load over HTTP"
NEEDS_DBMAZZ = True
