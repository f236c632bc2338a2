"""(a) What every tool outside the server pays before it starts: a walsender
with pgoutput, read by pg_recvlogical, which throws everything away."""

from benchlib.walsender import (  # noqa: F401
    ROLES, discard, drain, prepare)

NAME = "recvlogical"
ORDER = 1
TITLE = "(a) pg_recvlogical, pgoutput, to /dev/null"
NEEDS_DBMAZZ = False
