"""
All that can break.  Each fault is a method of Faults that breaks something at once; what it returns, if anything,
ends it later.
"""

import resource
import signal
import time

import psycopg

from .world import FROZEN, UP

POINTS = ["batch_sealed", "label_covered", "request_started", "answer_received", "checkpoint_committed",
          "lsn_published", "slot_confirmed", "epoch_raised", "before_reread", "rows_read", "truncate_started",
          "truncated", "life_begun", "life_ended"]

# the same for loads that are prepared
ONCE_POINTS = ["load_prepared", "load_decided", "commit_started", "load_committed"]

# the same for loads of several tables
GROUP_POINTS = ["group_begun", "group_started", "group_loaded"]

# what the sandbox does to some requests (a number of them, or all for a while)
TARGET = {
    "cut before the body": {"fault": "be_cut", "when": "before_body"},
    "cut in the body": {"fault": "be_cut", "when": "during_body", "bytes": 200},
    "cut after the body": {"fault": "be_cut", "when": "after_body"},
    "closed after the body": {"fault": "be_cut", "when": "after_body", "reset": False},
    "cut after the commit": {"fault": "be_cut", "when": "after_commit"},
    "401": {"fault": "fe_status", "status": 401, "endpoint": "any"},
    "500": {"fault": "be_status", "status": 500},
    "500, committed": {"fault": "be_status", "status": 500, "commit": True},
    "503": {"fault": "fe_status", "status": 503, "endpoint": "any"},
    "503 of schemas": {"fault": "fe_status", "status": 503, "endpoint": "schema"},
    "503 of label states": {"fault": "fe_status", "status": 503, "endpoint": "get_load_state"},
    "garbage": {"fault": "be_garbage", "commit": False},
    "garbage, committed": {"fault": "be_garbage", "commit": True},
    "garbage of the frontend": {"fault": "fe_garbage", "endpoint": "any"},
    "endless": {"fault": "be_endless", "commit": True},
    "endless of the frontend": {"fault": "fe_endless", "endpoint": "any"},
    "truncated": {"fault": "be_truncate", "commit": True},
    "truncated, not committed": {"fault": "be_truncate", "commit": False},
    "truncated of the frontend": {"fault": "fe_truncate", "endpoint": "any"},
    "frontend gone": {"fault": "fe_cut", "endpoint": "any"},
    "frontend late": {"fault": "fe_delay", "seconds": 0.5, "endpoint": "any"},
    "backend gone": {"fault": "fe_location", "location": "http://127.0.0.1:1/"},
    "backend without an address": {"fault": "fe_location", "location": "http://nowhere.invalid:8040/"},
    "no 100-continue": {"fault": "be_no_continue", "seconds": 1.0},
    "no backend": {"fault": "fe_no_backend"},
    "too many versions": {"fault": "too_many_versions"},
    "running txns": {"fault": "too_many_txns"},
    "memory limit": {"fault": "memory_limit"},
    "unknown failure": {"fault": "fail"},
    "publish timeout": {"fault": "publish_timeout", "seconds": 0.3},
    "status unknown": {"fault": "txn_status_unknown", "committed": False, "seconds": 0.2},
    "status unknown, committed": {"fault": "txn_status_unknown", "committed": True, "seconds": 0.2},
    "used label is Fail": {"fault": "label_used_as_fail"},
    "equal keys in any order": {"fault": "shuffle_equal_keys"},
    "slow commit": {"fault": "slow_commit", "ms": 300},
    "slow target": {"fault": "slow_read", "bytes_per_second": 5000},
    "a row a second": {"fault": "slow_read", "bytes_per_second": 100, "table": "^trickle$"},
    "mysql gone": {"fault": "mysql_cut", "when": "connect"},
    "mysql cut before": {"fault": "mysql_cut", "when": "before"},
    "mysql cut after": {"fault": "mysql_cut", "when": "after"},
    "mysql error": {"fault": "mysql_error"},
}
# at calls of the transaction interface
CALL_TARGET = {
    "call cut before": {"fault": "txn_cut", "when": "before"},
    "call cut after": {"fault": "txn_cut", "when": "after"},
    "load cut in the body": {"fault": "txn_cut", "when": "during", "call": "load"},
    "500 before a call": {"fault": "txn_status", "when": "before"},
    "500 after a call": {"fault": "txn_status", "when": "after"},
    "garbage before a call": {"fault": "txn_garbage", "when": "before"},
    "garbage after a call": {"fault": "txn_garbage", "when": "after"},
    "late call": {"fault": "txn_delay", "when": "before", "seconds": 0.5},
    "late answer": {"fault": "txn_delay", "when": "after", "seconds": 4},
    "call refused": {"fault": "txn_fail"},
    "backend forgets": {"fault": "be_restart"},
    "follower": {"fault": "fe_follower"},
}
CALLS = ["begin", "load", "prepare", "commit", "rollback", "any"]
GROUP_TARGET = CALL_TARGET | {
    "late commit": {"fault": "txn_delay", "when": "before", "call": "commit", "seconds": 4},
    "frontend forgets": {"fault": "fe_restart"},
    "OK without a commit": {"fault": "commit_undone"},
}
# there is no prepare
GROUP_CALLS = ["begin", "load", "commit", "rollback", "any"]
# settings of which SIGHUP changes some, to others that are good
SETTINGS = {
    "dbmazz.batch_max_rows": ["10", "50", "100000"],
    "dbmazz.batch_max_bytes": ["64kB", "8MB"],
    "dbmazz.flush_interval": ["0", "50ms", "500ms"],
    "dbmazz.max_loads_per_minute": ["0", "60", "600"],
    "dbmazz.max_connections": ["1", "2", "8"],
    "dbmazz.checkpoint_interval": ["10ms", "1s"],
    "dbmazz.starrocks_compression": ["none", "gzip", "zstd", "lz4"],
    "dbmazz.starrocks_format": ["json", "csv"],
    "dbmazz.retry_max_delay": ["20ms", "1s"],
    "dbmazz.starrocks_request_timeout": ["1s", "10s"],
}
# settings with which nothing arrives
WRONG = [
    {"dbmazz.starrocks_be_address": "nowhere.invalid:8040"},
    {"dbmazz.starrocks_be_address": "127.0.0.1:1"},
    {"dbmazz.starrocks_mysql_address": "127.0.0.1:1"},
    {"dbmazz.starrocks_password": "wrong"},
    {"dbmazz.starrocks_user": "nobody"},
    # refused with https
    {"dbmazz.starrocks_mysql_address": "nowhere.invalid:9030"},
]
SPILL_LIMIT = 128 * 1024


class Faults:
    """'rng' decides about their details."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.tag = 0
        self.changed = {}
        self.every = []                     # called again and again
        self.weights = {
            "target": 30, "hold": 4, "old_load": 10, "label_evicted": 2, "hold_truncate": 2,
            "freeze_target": 3, "kill_target": 2, "expired_certificate": 8,
            "terminate": 8, "kill_process": 3, "error_at_point": 6, "kill_at_point": 4,
            "restart_server": 4, "kill_postmaster": 2,
            "reload": 6, "wrong_setting": 3, "restart_pipeline": 4, "disk_full": 3, "other_database": 2,
        }
        if not world.https:
            del self.weights["expired_certificate"]
        self.faults, self.points, self.calls = TARGET, POINTS, []
        self.settings = list(SETTINGS)
        if world.options.delivery != "at_least_once":
            self.weights["target"] += 20
            self.settings.remove("dbmazz.starrocks_format")     # it needs JSON
        if world.options.delivery == "exactly_once":
            self.faults, self.points, self.calls = TARGET | CALL_TARGET, POINTS + ONCE_POINTS, CALLS
        elif world.options.delivery == "atomic":
            self.faults, self.points, self.calls = TARGET | GROUP_TARGET, POINTS + GROUP_POINTS, GROUP_CALLS

    def draw(self):
        """(name for the record, function)"""
        name = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
        return getattr(self, name)()

    # -- the target ----------------------------------------------------------

    def target(self):
        name = self.rng.choice(list(self.faults))
        fault = dict(self.faults[name])
        if self.rng.random() < 0.6:
            fault["count"] = self.rng.randint(1, 4)
        else:
            fault["probability"] = self.rng.choice([0.3, 1])
        if name in CALL_TARGET and fault["fault"].startswith("txn_"):
            fault.setdefault("call", self.rng.choice(self.calls))

        def begin():
            self.needs_target()
            self.world.sandbox.fault(**fault)
            return lambda: self.end_fault(fault["fault"])
        return name, begin

    def needs_target(self):
        if self.world.target != UP:
            raise NotNow("the target is away")

    def end_fault(self, name):
        if self.world.target == UP:
            self.world.sandbox.clear_faults(name)

    def hold(self):
        count = self.rng.randint(1, 3)

        def begin():
            self.needs_target()
            self.world.sandbox.fault(fault="hold", count=count)
            return self.release
        return "loads are held", begin

    def old_load(self):
        """A load that ends only when another life of the pipeline is there."""
        role, number = self.rng.choice(["decoder", "shipper"]), self.rng.choice([signal.SIGTERM, signal.SIGKILL])
        table = self.rng.choice(["accounts", "docs", "pages", "emptied"])
        if self.world.whole:
            table = "accounts"
        # what it overwrites then nobody writes once more
        until_the_end = self.rng.random() < 0.6

        def begin():
            self.needs_target()
            self.world.sandbox.fault(fault="hold", count=1, table=f"^{table}$")
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline and not self.world.sandbox.held():
                time.sleep(0.02)
            for pid in self.world.workers(role):
                self.world.kill_worker(pid, number)
            return None if until_the_end else self.release
        return f"a load outlives its {role}", begin

    def hold_truncate(self):
        deaf = self.rng.random() < 0.5

        def begin():
            self.needs_target()
            self.world.sandbox.fault(fault="mysql_hold", statement="TRUNCATE", count=1, deaf=deaf)
            return self.release
        return "a TRUNCATE is held", begin

    def release(self):
        if self.world.target == UP:
            self.world.sandbox.clear_faults("hold")
            self.world.sandbox.clear_faults("mysql_hold")
            self.world.sandbox.release()

    def label_evicted(self):
        most = self.rng.choice([0, 1, 3])

        def begin():
            self.needs_target()
            self.world.sandbox.fault(fault="label_retention", max_num=most)
            return lambda: self.end_fault("label_retention")
        return "labels forgotten", begin

    def freeze_target(self):
        def begin():
            self.needs_target()
            self.world.target = FROZEN
            self.world.sandbox.kill(signal.SIGSTOP)
            return self.thaw
        return "target frozen", begin

    def thaw(self):
        if self.world.target == FROZEN:
            self.world.sandbox.kill(signal.SIGCONT)
            self.world.target = UP

    def kill_target(self):
        def begin():
            self.needs_target()
            self.world.stop_sandbox()
            return self.world.start_sandbox
        return "target killed", begin

    def expired_certificate(self):
        def begin():
            self.needs_target()
            self.world.stop_sandbox()
            self.world.start_sandbox("expired")
            return self.new_certificate
        return "certificate expired", begin

    def new_certificate(self):
        self.world.stop_sandbox()
        self.world.start_sandbox()

    # -- our processes -------------------------------------------------------

    def terminate(self):
        role = self.rng.choice(["decoder", "shipper", "launcher"])

        def begin():
            for pid in self.world.workers(role):
                self.world.kill_worker(pid, signal.SIGTERM)
        return f"{role} terminated", begin

    def kill_process(self):
        role = self.rng.choice(["decoder", "shipper", "launcher", "checkpointer", "session"])

        def begin():
            for pid in self.world.workers(role)[:1]:
                self.world.kill_worker(pid, signal.SIGKILL)
        return f"{role} killed", begin

    def error_at_point(self):
        return self.at_point("error")

    def kill_at_point(self):
        return self.at_point("kill")

    def at_point(self, action):
        point = self.rng.choice(self.points)
        self.tag += 1
        setting = f"{point}:{action}:{self.tag}.{self.rng.randrange(10**9)}"

        def begin():
            return self.change({"dbmazz.debug_point": setting})
        return f"{action} at {point}", begin

    def restart_server(self):
        mode = self.rng.choice(["fast", "fast", "immediate"])
        pause = self.rng.choice([0, 0, 0.5])

        def begin():
            self.world.stop_server(mode)
            time.sleep(pause)
            self.world.server.start()
        return f"{mode} restart", begin

    def kill_postmaster(self):
        def begin():
            self.world.server.crash()
            self.world.server.start()
        return "postmaster killed", begin

    def disk_full(self):
        """Files of the decoder cannot grow beyond a limit; and here is a transaction that needs more."""
        first = self.rng.randint(2000, 4000)

        def limit():
            for pid in self.world.workers("decoder"):
                _limit(pid, SPILL_LIMIT)

        def begin():
            self.every.append(limit)
            limit()
            try:
                with self.world.connect() as connection:
                    connection.execute("SET lock_timeout = '500ms'")
                    connection.execute(
                        f"INSERT INTO accounts SELECT g, 2, 'big' FROM generate_series({first}, {first + 2000}) g"
                        " ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1")
            except psycopg.Error:
                pass                        # sessions have big ones, too
            return end

        def end():
            self.every.remove(limit)
            for pid in self.world.workers("decoder"):
                _limit(pid, resource.RLIM_INFINITY)
        return "no space to spill", begin

    # -- what people do ------------------------------------------------------

    def change(self, settings):
        """As ALTER SYSTEM and pg_reload_conf(); the function that it returns takes it back."""
        self.changed.update(settings)
        self.world.server.change(self.changed)

        def back():
            for name in settings:
                if self.changed.get(name) == settings[name]:
                    del self.changed[name]
            self.world.server.change(self.changed)
        return back

    def reload(self):
        settings = {name: self.rng.choice(SETTINGS[name]) for name in self.rng.sample(self.settings, 3)}
        return "settings changed", lambda: self.change(settings)

    def wrong_setting(self):
        settings = self.rng.choice(WRONG[:-1] if self.world.https else WRONG)
        return "wrong " + ", ".join(settings), lambda: self.change(settings)

    def restart_pipeline(self):
        waits = self.rng.random() < 0.5

        def begin():
            with self.world.connect() as connection:
                self.world.stop_pipeline(connection)
                deadline = time.monotonic() + 1
                while waits and time.monotonic() < deadline and self.world.state(connection) != "stopped":
                    time.sleep(0.02)
                self.world.start_pipeline(connection)
        return "pipeline restarted", begin

    def other_database(self):
        """Both need an answer of every process."""
        def begin():
            with self.world.server.connect("postgres", name="chaos") as connection:
                connection.execute("SET statement_timeout = '20s'")
                connection.execute("DROP DATABASE IF EXISTS other")
                connection.execute("CREATE DATABASE other TEMPLATE template0 STRATEGY file_copy")
                connection.execute("DROP DATABASE other")
        return "other database", begin


class NotNow(Exception):
    """This cannot be broken now."""


def _limit(pid, size):
    try:
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    except (ProcessLookupError, PermissionError):
        pass
