"""What a run may do.  A feature that is off takes nothing from the seed of the others.

Each is on unless it is named in OFF; --features=+name,-name changes that.
"""

from . import OracleError

ALL = {
    "arrays": "arrays of all types",
    "domains": "domains, nested ones too",
    "enums": "enums",
    "composites": "composite types",
    "extensions": "types of extensions: hstore, citext, ltree, cube",
    "deep": "domains and composites over arrays, domains and composites, and arrays of them; own ranges",
    "toast": "large values, which updates mostly leave alone",
    "wide": "tables with more than 64 columns",
    "names": "names that must be quoted",
    "full": "REPLICA IDENTITY FULL",
    "index": "REPLICA IDENTITY USING INDEX",
    "nothing": "REPLICA IDENTITY NOTHING, in publications of inserts",
    "partitions": "partitioned tables",
    "via_root": "publish_via_partition_root",
    "lists": "column lists",
    "filters": "row filters",
    "generated": "generated columns",
    "keys": "updates of keys",
    "keys_toast": "updates of keys of tables with large values",
    "filters_toast": "row filters on tables with large values and without REPLICA IDENTITY FULL",
    "truncate": "TRUNCATE, of several tables and of partitions, with CASCADE",
    "odd": "values that the target cannot hold, if dbmazz.unrepresentable is null or clamp",
    "compression": "compressed loads",
    "csv": "rows as CSV",
    "audit": "audit columns",
    "soft": "soft deletes, which need audit columns",
    "fast_path": "the fast path, half of the time compared with pgoutput change by change; else it is off",
    "savepoints": "savepoints, released and rolled back",
    "subtransactions": "many of them in a transaction, and exceptions",
    "prepared": "prepared transactions",
    "copy": "COPY",
    "big": "transactions of 10,000 rows",
    "columns": "ALTER TABLE ADD COLUMN while changes go on",
    "rewrites": "VACUUM FULL while changes go on",
    "restarts": "stop_pipeline and start_pipeline while changes go on",
    "terminations": "workers are terminated",
    "faults": "the target cuts connections and answers with errors",
    "subscriber": "PostgreSQL's own logical replication beside it",
}

OFF = set()


def parse(text):
    """The set of features that are on."""
    chosen = set(ALL) - OFF
    for item in filter(None, text.split(",")):
        name = item.lstrip("+-")
        if name == "all":
            chosen = set() if item[0] == "-" else set(ALL)
        elif name not in ALL:
            raise OracleError(f"no such feature: {name}; there are {', '.join(ALL)}")
        elif item[0] == "-":
            chosen.discard(name)
        else:
            chosen.add(name)
    return chosen
