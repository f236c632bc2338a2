"""The parts of a row's way into a batch; see ../README.md."""

from benchlib import narrow

BEGIN, END = "<!-- rows:begin -->", "<!-- rows:end -->"
HEADER = ["Part", "ns a row"]

FUNCTION = """
CREATE FUNCTION time_row(query text, way text, nkeys int, rounds int)
RETURNS float8 AS '{}', 'time_row' LANGUAGE C STRICT
"""

SAMPLES = 1000
HOT = 1000

# What is shown; how time_row.c knows it; keys, if not one for each row; and what is
# not part of it: the way in which only a tuple is filled for each row.
PARTS = [
    ("hash of the key", "hash", 0, "nothing"),
    ("JSON: encoder alone", "json", 0, "nothing"),
    ("JSON: the same with the row directory", "json_batch", 0, "nothing"),
    ("CSV: can it carry the row", "csv_check", 0, "nothing"),
    ("CSV: encoder alone", "csv", 0, "nothing"),
    ("CSV: the same with the row directory", "csv_batch", 0, "nothing"),
    ("row to be read again, with the row directory", "keyrow_batch", 0, "nothing"),
    ("key noted, one batch of the table open", "note1", 0, "call"),
    ("key noted, two open, no key twice", "note2", 0, "call"),
    (f"key noted, two open, {HOT:,} hot keys", "note2", HOT, "call"),
    ("last row of each key found, no key twice", "dedup", 0, None),
    (f"last row of each key found, {HOT:,} hot keys", "dedup", HOT, None),
]


def measure(server, module, options, formats):
    """[part, ns] for each that is wanted; prints them."""
    server.psql(FUNCTION.format(module),
                f"CREATE TABLE narrow ({narrow.COLUMNS})",
                f"INSERT INTO narrow SELECT {narrow.values('g')} "
                f"FROM generate_series(1, {SAMPLES}) g")

    def time_row(way, nkeys=0):
        return float(server.value(
            f"SELECT time_row('TABLE narrow', '{way}', {nkeys}, "
            f"{options.rounds})", options=formats))

    lines = []
    empty = {None: 0}
    for name, way, nkeys, less in PARTS:
        if options.only is not None and options.only not in name:
            continue
        if less not in empty:
            empty[less] = time_row(less)
        ns = time_row(way, nkeys) - empty[less]
        lines.append([name, f"{ns:.1f}"])
        print(f"{name:48} {ns:7.1f}", flush=True)
    return lines
