"""The terminal display."""

import sys
import time

from .shop import TABLES

STATUS = """
SELECT state || '|' || coalesce(rows, 0) || '|' || coalesce(lag_bytes, 0) || '|' ||
       round(coalesce(extract(epoch FROM lag), 0)::numeric, 2) || '|' ||
       coalesce(batches, 0) || '|' || coalesce(retries, 0) || '|' ||
       coalesce(last_error, '')
FROM dbmazz.stat_pipeline WHERE name = 'shop';
"""


def _counts(postgres, target):
    text = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
    source = postgres.sql(f"SELECT concat_ws('|', {text});").split("|")
    return {table: (int(n), target.count(table))
            for table, n in zip(TABLES, source)}


class Screen:
    """Draws the state of things over itself, a few times a second."""

    def __init__(self, postgres, target, psql_line):
        self.postgres, self.target, self.psql_line = postgres, target, psql_line
        self.last_rows, self.last_time = None, None

    def _rate(self, rows):
        now = time.monotonic()
        rate = 0.0
        if self.last_rows is not None:
            rate = (rows - self.last_rows) / max(now - self.last_time, 1e-3)
        self.last_rows, self.last_time = rows, now
        return max(rate, 0.0)

    def draw(self):
        """One picture."""
        state, rows, lag_bytes, lag, batches, retries, error = \
            self.postgres.sql(STATUS).split("|", 6)
        lines = [
            "dbmazz demo: PostgreSQL → StarRocks "
            f"({self.target.url}/{self.target.database})",
            "",
            f"  state      {state}",
            f"  rows/s     {self._rate(int(rows)):>10.0f}   rows shipped "
            f"{int(rows):>10}   loads {batches}   retries {retries}",
            f"  lag        {int(lag_bytes) // 1024:>7} kB   {lag} s",
            f"  last error {error[:60] or 'none'}",
            "",
            f"  {'table':<12} {'source':>10} {'target':>10}",
        ]
        counts = _counts(self.postgres, self.target)
        for table, (source, sink) in counts.items():
            lines.append(f"  {table:<12} {source:>10} {sink:>10}")
        same = all(a == b for a, b in counts.values())
        lines += ["", "  counts are equal" if same else
                  "  the target is catching up", "",
                  "  play with it:", f"  {self.psql_line}",
                  "  Ctrl-C stops the traffic and compares every row"]
        sys.stdout.write("\x1b[H\x1b[2J" + "\n".join(lines) + "\n")
        sys.stdout.flush()

    def run(self):
        """Draw until Ctrl-C."""
        try:
            while True:
                self.draw()
                time.sleep(0.5)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
