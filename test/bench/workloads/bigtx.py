"""One transaction with very many narrow rows: decoding has to spill."""

from benchlib import narrow, report as tables
from benchlib.runner import Produced

NAME = "bigtx"
ORDER = 3
TITLE = "narrow inserts, all in one transaction"
PUBLICATION = "bench_bigtx"
TABLE = "bench_bigtx"
SCHEMAS = [narrow.schema(TABLE)]
SETTINGS = {"flush_interval": "0"}
MAX_RUNS = 1                    # it takes long, and differs little
CONTENDERS = ["recvlogical", "http", "recv_256", "http_256"]


def setup(bench):
    narrow.create(bench.server, TABLE, PUBLICATION)


def teardown(bench):
    narrow.drop(bench.server, TABLE, PUBLICATION)


def produce(bench):
    rows = bench.size(5000000, 300000)
    bench.server.psql(f"INSERT INTO {TABLE} SELECT {narrow.values('i')} "
                      f"FROM generate_series(1, {rows}) i")
    return Produced(rows, 1)


# Contenders with other memory for decoding than the default.
MEMORY = {"recv_256": "256 MB", "http_256": "256 MB"}


def report(middle):
    lines = []
    for result in middle:
        peaks = result["peak_rss_mb"]
        peak = (peaks.get("walsender") or peaks["decoder"])["anon"]
        lines.append([
            result["contender"], MEMORY.get(result["contender"], "64 MB"),
            f"{result['wall_s']:.1f}",
            f"{result.get('spill_bytes', 0) / 1e6:,.0f}",
            f"{result.get('spill_count', 0):,}", f"{peak:.0f}"])
    yield "One large transaction, by the memory that decoding may take:"
    yield tables.table(
        ["Contender", "Memory for decoding", "Wall s", "MB spilled to disk",
         "Times", "Private memory of the decoding process, MB"], lines)
