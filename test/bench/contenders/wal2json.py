"""(k) wal2json, an output plugin of others, read as (a): each change as a line
of JSON."""

import os

from benchlib import walsender
from benchlib.walsender import ROLES, Slot, discard, drain  # noqa: F401

NAME = "wal2json"
ORDER = 13
TITLE = "(k) pg_recvlogical, wal2json"
NEEDS_DBMAZZ = False
WORKLOADS = ["inserts", "single"]
MAX_RUNS = 1


def missing(server):
    if os.path.exists(os.path.join(server.libdir, "wal2json.so")):
        return None
    return ("wal2json is not installed (Debian: postgresql-"
            f"{server.major}-wal2json)")


def configure(server):
    """Newer minor releases load only those output plugins that are named."""
    names = server.value("SELECT setting FROM pg_settings "
                         "WHERE name = 'output_plugin_libraries'")
    if names is not None and "wal2json" not in names:
        server.psql("ALTER SYSTEM SET output_plugin_libraries = "
                    f"{names}, wal2json", "SELECT pg_reload_conf()")
        server.wait_until("SELECT setting LIKE '%wal2json%' FROM pg_settings "
                          "WHERE name = 'output_plugin_libraries'",
                          "output_plugin_libraries did not change")


def prepare(bench, workload, name):
    walsender.make_slot(bench.server, name, "wal2json")
    return Slot(name, {"format-version": 2,
                       "add-tables": f"public.{workload.TABLE}"})
