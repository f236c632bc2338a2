"""The part of dbmazz's SQL surface that the benchmark uses.

Everything that knows how a pipeline is created, started and looked at is here.
"""

import json
import time

from . import BenchError


def server_settings(blackhole):
    """What the server must be started with."""
    return {
        "shared_preload_libraries": "dbmazz",
        "dbmazz.starrocks_url": blackhole.url,
        "dbmazz.starrocks_database": "bench",
        "dbmazz.starrocks_user": "root",
        "dbmazz.starrocks_password": "",
        # what is measured is how fast it is, not how well it waits
        "dbmazz.max_loads_per_minute": "0",
    }


def wal_files(server):
    """Tables and indexes of dbmazz itself, as pg_waldump names them:
    database/file."""
    lines = server.psql("""
        WITH own AS (SELECT oid, reltoastrelid FROM pg_class
                     WHERE relnamespace = 'dbmazz'::regnamespace),
        toast AS (SELECT reltoastrelid AS oid FROM own
                  WHERE reltoastrelid <> 0)
        SELECT substr(pg_relation_filepath(oid), length('base/') + 1)
        FROM (SELECT oid FROM own UNION SELECT oid FROM toast UNION
              SELECT indexrelid FROM pg_index JOIN toast ON indrelid = oid) r
        WHERE pg_relation_filepath(oid) IS NOT NULL""")
    return set(lines)


def own_defaults(server, *names):
    """What dbmazz has for these settings if nobody sets them; of those that
    this version knows."""
    return dict(line.split("=", 1) for line in server.psql(
        "SELECT substr(name, length('dbmazz.') + 1) || '=' || boot_val "
        "FROM pg_settings WHERE name IN ("
        + ", ".join(f"'dbmazz.{name}'" for name in names) + ")"))


def _array(settings):
    body = ",".join(json.dumps(f"{k}={v}") for k, v in settings.items())
    return "'{" + body.replace("'", "''") + "}'::text[]"


class Pipeline:
    def __init__(self, server, name, publication, sink, settings):
        self.server = server
        self.name = name
        server.psql(f"SELECT dbmazz.create_pipeline('{name}', "
                    f"publication => '{publication}', slot => '{name}', "
                    f"sink => '{sink}', copy => false, "
                    f"settings => {_array(settings)})")

    def status(self):
        line = self.server.value(
            "SELECT row_to_json(s) FROM dbmazz.stat_pipeline s "
            f"WHERE name = '{self.name}'")
        return json.loads(line) if line else {}

    def wait_state(self, wanted, timeout=60):
        deadline = time.time() + timeout
        while True:
            status = self.status()
            if status.get("state") == wanted:
                return status
            if status.get("state") == "failed" or time.time() > deadline:
                raise BenchError(
                    f"pipeline {self.name} is {status.get('state')}, not "
                    f"{wanted}: {status.get('last_error')}")
            time.sleep(0.02)

    def start(self):
        self.server.psql(f"SELECT dbmazz.start_pipeline('{self.name}')")
        return self.wait_state("streaming")

    def stop(self):
        self.server.psql(f"SELECT dbmazz.stop_pipeline('{self.name}')")
        deadline = time.time() + 60
        while time.time() < deadline:
            status = self.status()
            if not status.get("decoder_pid") and \
                    not status.get("shipper_pid"):
                return
            time.sleep(0.02)
        raise BenchError(f"pipeline {self.name} did not stop")

    def make_slot(self):
        """The slot is made by a worker, at the first start."""
        self.start()
        self.stop()

    def wait_for_batches(self):
        """Until there is something to send."""
        self.server.wait_until(
            "SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline "
            f"WHERE name = '{self.name}'", "there is nothing to send")

    def start_and_wait(self, lsn, timeout):
        """Seconds from the start until all up to 'lsn' is in the target."""
        clock = "SELECT extract(epoch FROM clock_timestamp())"
        out = self.server.psql(
            clock, f"SELECT dbmazz.start_pipeline('{self.name}')",
            f"SELECT dbmazz.wait_for('{self.name}', '{lsn}', "
            f"'{timeout} seconds')", clock, timeout=timeout + 30)
        self._check_arrived(out[-2], timeout)
        return float(out[-1]) - float(out[0])

    def wait_for(self, lsn, timeout=60):
        self._check_arrived(self.server.value(
            f"SELECT dbmazz.wait_for('{self.name}', '{lsn}', "
            f"'{timeout} seconds')", timeout=timeout + 30), timeout)

    def _check_arrived(self, answer, timeout):
        if answer != "t":
            raise BenchError(f"pipeline {self.name} was not done after "
                             f"{timeout} s: {self.status()}")

    def shipped_rows(self):
        """Rows that the sink has taken, as the pipeline itself counts."""
        status = self.status()
        for name in ("rows_shipped", "shipped_rows", "rows"):
            if name in status:
                return status[name]
        return None

    def drop(self):
        self.server.psql(f"SELECT dbmazz.drop_pipeline('{self.name}')")
