"""Whose records are in the WAL."""

import os
import re

RECORD = re.compile(r"len \(rec/tot\):\s*(\d+)/\s*(\d+), tx:\s*(\d+),")
FILE = re.compile(r"rel \d+/(\d+/\d+) ")


def share(server, begin, end, files):
    """What transactions that touched these files have written between two
    positions: {"bytes", "page_bytes", "transactions"}, and "all_bytes" of
    everybody.  "page_bytes" are those of full pages, which are in no other."""
    out = server.run([server.program("pg_waldump"), "-p",
                      os.path.join(server.data, "pg_wal"),
                      "-s", begin, "-e", end])
    records, own = [], set()
    for line in out.splitlines():
        found = RECORD.search(line)
        if not found:
            continue
        length, total, xid = map(int, found.groups())
        touches = any(file in files for file in FILE.findall(line))
        records.append((length, total, xid, touches))
        if touches and xid:
            own.add(xid)
    # a record that belongs to no transaction: a page was pruned, say
    ours = [record for record in records if record[2] in own or
            record[2] == 0 and record[3]]
    return {"bytes": sum(record[0] for record in ours),
            "page_bytes": sum(record[1] - record[0] for record in ours),
            "transactions": len(own),
            "all_bytes": sum(record[0] for record in records)}


def sentence(result, seconds):
    size = result["own_wal_bytes"]
    return (f"{size:,.0f} bytes ({size / result['own_wal_all_bytes']:.2%} of "
            f"all) in {result['own_wal_transactions']:.0f} transactions, "
            f"{size / seconds * 3600 / 2**20:.1f} MB an hour; and "
            f"{result['own_wal_page_bytes'] / 1024:.0f} kB of full pages, "
            "which the server adds once after each of its checkpoints.")
