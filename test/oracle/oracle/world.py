"""All that one seed needs: a server, a sandbox, a pipeline, a subscriber, and the rounds of changes."""

import os
import random
import shutil
import tempfile
import time

from teststand.sandbox import Sandbox
from teststand.server import DATABASE, Server, value

from . import OracleError, compare, dml, policy, schema as schemas
from .journal import Journal
from .pipeline import Pipeline, Subscriber, target_ddl
from .policy import FORMATS
from .trouble import Trouble

SHOWN = 20
SESSIONS = 4
SUFFERING = 6
# settings that a line about a seed should name
FORMS = ("unrepresentable", "starrocks_compression", "starrocks_format", "delete_mode", "audit_columns", "fast_path")


def settings_of(seed, features):
    """(of the server, of the pipeline): small batches and buffers, so that everything is cut somewhere."""
    rng = random.Random(f"{seed}/settings")
    server = {
        "logical_decoding_work_mem": rng.choice(["64kB", "64MB"]),
        "dbmazz.decoder_work_mem": rng.choice(["64kB", "1MB", "64MB"]),
        "dbmazz.restart_max_delay": "1s",
        "dbmazz.retry_min_delay": "10ms",
        "dbmazz.retry_max_delay": "200ms",
    }
    pipeline = {
        "flush_interval": rng.choice(["0", "20ms", "200ms", "1s"]),
        "batch_max_rows": rng.choice([20, 100, 1000, 100000]),
        "batch_max_bytes": rng.choice(["64kB", "1MB", "8MB"]),
        "pipeline_buffer_size": rng.choice(["2MB", "4MB", "16MB"]),
        "checkpoint_interval": rng.choice(["10ms", "100ms", "1s"]),
        "max_connections": rng.choice([1, 2, 4, 8]),
    }
    modes = rng.choice(["error", "error", "null", "clamp"])
    pipeline["unrepresentable"] = modes if "odd" in features else "error"
    compression = rng.choice(["none", "none", "gzip", "zstd", "lz4"])
    if "compression" in features:
        server["dbmazz.starrocks_compression"] = compression
    if rng.random() < 0.4 and "csv" in features:
        pipeline["starrocks_format"] = "csv"
    # of the server, so that target_ddl() knows them
    soft = rng.random() < 0.3 and "soft" in features
    if soft:
        server["dbmazz.delete_mode"] = "soft"
    if rng.random() < 0.3 and "audit" in features or soft:
        server["dbmazz.audit_columns"] = "on"
    fast = rng.choice(["on", "verify"])
    pipeline["fast_path"] = fast if "fast_path" in features else "off"
    pipeline["max_loads_per_minute"] = rng.choice(["0", "600"])
    return server, pipeline


class World:
    def __init__(self, options, seed):
        self.options, self.seed = options, seed
        self.base = tempfile.mkdtemp(prefix=f"dbmazz-oracle-{seed}-", dir=options.dir)
        self.server = self.sandbox = self.source = self.subscriber = self.journal = None
        self.differences, self.forms = 0, []
        self.good = False                   # until somebody says so
        self.kept = os.path.join(options.shown or os.path.dirname(self.base), os.path.basename(self.base))
        keeps = options.keep or options.keep_bad
        self.log = dml.Log(os.path.join(self.base, "statements.sql") if keeps else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for part in (self.source, self.subscriber and self.subscriber.connection):
            if part is not None:
                part.close()
        if self.server is not None:
            self.server.stop()
        if self.sandbox is not None:
            self.sandbox.close()
        self.log.close()
        if self.options.keep or (self.options.keep_bad and not self.good):
            print(f"seed {self.seed}: kept: {self.kept}", flush=True)
        else:
            shutil.rmtree(self.base, ignore_errors=True)

    def report(self, text):
        self.differences += 1
        self.log.write("comparison", f"-- {text}")
        if self.differences <= SHOWN:
            print(f"seed {self.seed}: DIFFERENCE: {text}", flush=True)

    # -- before ------------------------------------------------------------

    def build(self):
        options = self.options
        settings, own = settings_of(self.seed, options.features)
        self.mode = own["unrepresentable"]
        self.forms = [f"{name.rpartition('.')[2]}={setting}" for name, setting in {**settings, **own}.items()
                      if name.rpartition(".")[2] in FORMS]
        self.audit = "dbmazz.audit_columns" in settings
        self.soft = "dbmazz.delete_mode" in settings
        chosen = options.features - ({"odd"} if self.mode == "error" else set())
        self.sandbox = Sandbox(options.sandbox_python, self.base, "oracle")
        settings["dbmazz.starrocks_url"] = self.sandbox.url
        settings["dbmazz.starrocks_database"] = "oracle"
        settings["dbmazz.starrocks_mysql_address"] = f"127.0.0.1:{self.sandbox.ports['mysql']}"
        self.server = Server(options.bindir, self.base, settings)
        self.server.start()
        with self.server.connect("postgres") as first:
            first.execute(f"CREATE DATABASE {DATABASE}")
        self.source = source = self.server.connect()
        maker = schemas.Maker(self.seed, chosen, self.server.version)
        self.schema = maker.make()
        self.types = maker.basic + maker.more
        source.execute("CREATE EXTENSION dbmazz")
        for statement in self.schema.prepare:
            self.log.write("schema", statement)
            source.execute(statement)
        source.execute(f"ALTER DATABASE {DATABASE} SET dbmazz.table_name_template = '{self.schema.template}'")
        source.execute(f"SET dbmazz.table_name_template = '{self.schema.template}'")
        for table in self.schema.tables:
            self.create(table)
        source.execute(self.schema.publication())
        self.log.write("schema", self.schema.publication())
        if self.audit:
            self.journal = Journal(source, self.schema)
        if "subscriber" in options.features:
            self.subscriber = Subscriber(self.server, source, self.schema, self.soft)
        self.began = self.now()
        self.pipeline = Pipeline(source, own)

    def now(self):
        """The server's time, as the target writes it."""
        return value(self.source, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")

    def create(self, table):
        for statement in table.ddl() + table.reference():
            self.log.write("schema", statement)
            self.source.execute(statement)
        for relation in table.relations(self.schema.via_root):
            ddl = target_ddl(self.source, *relation)
            self.log.write("target", ddl)
            self.check_types(table, relation, ddl)
            self.sandbox.sql(ddl)

    def check_types(self, table, relation, ddl):
        """Has each column of the target the documented type?"""
        keys = {c.name for c in table.keys}
        for name, (base, typmod) in compare.base_types(self.source, *relation).items():
            want = policy.target_type(base, typmod, name in keys)
            if want and f"`{name.replace('`', '``')}` {want}" not in ddl.replace(", ", ","):
                if not any(c.generated and c.name == name for c in table.order):
                    self.report(f"{relation[1]} column {name}: {base} ({typmod}) should be {want} in: {ddl}")

    # -- the changes -------------------------------------------------------

    def run(self, changes, deadline):
        """Returns (changes, rows compared, counts of trouble)."""
        total, compared, trouble, part = 0, 0, {}, 0
        while total < changes and not self.differences:
            part += 1
            seed = f"{self.seed}/{part}"
            progress = dml.Progress(min(self.options.round, changes - total), deadline)
            sessions = [dml.Session(self.server, self.schema, self.options.features, seed, number, progress, self.log)
                        for number in range(SESSIONS)]
            bad = Trouble(self, self.schema, self.options.features, seed, progress, 100 * part)
            for thread in [*sessions, bad]:
                thread.start()
            for thread in sessions:
                thread.join()
            self.suffer(bad)
            bad.end()
            if progress.failed:
                raise OracleError(progress.failed)
            total += progress.done
            for name, count in bad.counts.items():
                trouble[name] = trouble.get(name, 0) + count
            # workers that were terminated a moment ago may still go, and the next ones send rows once more
            epoch = None
            while epoch != (epoch := self.pipeline.epoch(self.source)):
                found = []
                compared = self.compare(found.append)
            for text in found:
                self.report(text)
            if time.monotonic() > deadline:
                break
        return total, compared, trouble

    def suffer(self, bad):
        """What is not delivered yet has its trouble, too; but a large transaction must come to its end."""
        lsn = value(self.source, "SELECT pg_current_wal_insert_lsn()")
        deadline = time.monotonic() + SUFFERING
        while bad.is_alive() and time.monotonic() < deadline and not self.pipeline.delivered(self.source, lsn):
            time.sleep(0.1)

    def compare(self, report):
        lsn = value(self.source, "SELECT pg_current_wal_insert_lsn()")
        for problem in self.pipeline.wait(self.source, lsn):
            report(f"a table stopped, or is late: {problem}")
        if self.subscriber:
            self.subscriber.wait(self.source, lsn)
            self.subscriber.connection.execute(FORMATS)
        self.source.execute(FORMATS)
        if self.journal:
            self.journal.read()
        compared = 0
        for table in self.schema.tables:
            for relation in table.relations(self.schema.via_root):
                comparison = compare.Comparison(self, table, relation, report)
                compared += comparison.run(self.sandbox, self.subscriber and self.subscriber.connection)
        return compared
