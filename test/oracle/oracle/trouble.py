"""What happens to a pipeline while rows change: restarts, ends of workers, a bad target, new columns."""

import random
import threading

import psycopg

from teststand.server import wait_until

from . import policy
from .compare import base_types
from .pipeline import NAME
from .schema import Column

FAULTS = [
    {"fault": "be_cut", "when": "after_commit"}, {"fault": "be_cut", "when": "during_body"},
    {"fault": "be_cut", "when": "before_body"}, {"fault": "fe_cut"}, {"fault": "fe_status", "status": 503},
    {"fault": "be_status", "status": 500}, {"fault": "be_truncate"}, {"fault": "publish_timeout", "seconds": 0.2},
    {"fault": "txn_status_unknown", "committed": True}, {"fault": "txn_status_unknown", "committed": False},
    {"fault": "too_many_versions"}, {"fault": "slow_commit", "ms": 200},
]


class Trouble(threading.Thread):
    def __init__(self, world, schema, features, seed, progress, first):
        self.first = first                  # number of the first new column
        super().__init__(name="trouble", daemon=True)
        self.rng = random.Random(f"{seed}/trouble")
        self.world, self.schema, self.progress = world, schema, progress
        self.connection = world.server.connect(name=self.name)
        self.ended = threading.Event()
        self.added = 0
        self.counts = {}
        self.actions = []
        for feature, action, weight in (("restarts", self.restart, 2), ("terminations", self.terminate, 3),
                                        ("faults", self.fault, 3), ("columns", self.add_column, 2),
                                        ("rewrites", self.rewrite, 1)):
            if feature in features:
                self.actions += [action] * weight

    def run(self):
        try:
            while self.actions and not self.ended.wait(self.rng.uniform(0.2, 2)):
                action = self.rng.choice(self.actions)
                action()
                self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        except BaseException as why:        # pylint: disable=broad-except
            self.progress.failed = self.progress.failed or f"trouble: {why}"
        finally:
            self.connection.close()

    def end(self):
        self.ended.set()
        self.join(120)
        self.world.sandbox.clear_faults()

    def restart(self):
        self.world.pipeline.restart(self.connection)

    def terminate(self):
        which = self.rng.choice(["decoder_pid", "shipper_pid"])
        self.connection.execute(f"SELECT pg_terminate_backend({which}) FROM dbmazz.stat_pipeline"
                                f" WHERE name = '{NAME}' AND {which} IS NOT NULL")

    def fault(self):
        self.world.sandbox.fault(**self.rng.choice(FAULTS), count=self.rng.randint(1, 3))

    def rewrite(self):
        """Rows move to another file, and are no change."""
        self.try_alter(f"VACUUM FULL {self.rng.choice(self.schema.tables).quoted}")

    def add_column(self):
        """The target's tables first, then the subscriber's, then ours: as the README says."""
        table = self.rng.choice(self.schema.tables)
        kind = self.rng.choice(self.world.types)
        self.added += 1
        column = Column(f"added {self.first + self.added}", kind, published=not table.has_list)
        column.fill(self.rng, ())
        if self.added > 12 or len(table.columns) > 290:
            return
        base, typmod = self.base_type(kind.sql)
        for relation in table.relations(self.schema.via_root):
            # the name in backquotes, as in MySQL
            self.world.sandbox.sql(f"ALTER TABLE `{self.schema.target(*relation)}` "
                                   f"ADD COLUMN `{column.name}` {policy.target_type(base, typmod, False)} NULL")
        sql = f"ALTER TABLE {table.quoted} ADD COLUMN {column.ddl()}"
        if self.world.subscriber:
            self.world.subscriber.connection.execute(sql)
        wait_until("a lock to add a column", 60, lambda: self.try_alter(sql))
        self.world.log.write("trouble", sql)
        table.order = table.order + [column]
        table.columns = table.columns + [column]

    def try_alter(self, sql):
        try:
            self.connection.execute("SET lock_timeout = '500ms'")
            self.connection.execute(sql)
            return True
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            return False
        finally:
            self.connection.execute("RESET lock_timeout")

    def base_type(self, declared):
        """(base type, typmod) of a column of the type."""
        with self.connection.transaction():
            self.connection.execute(f"CREATE TABLE public.oracle_probe (c {declared})")
            found = base_types(self.connection, "public", "oracle_probe")["c"]
            self.connection.execute("DROP TABLE public.oracle_probe")
        return found


