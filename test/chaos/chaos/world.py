"""A server, a sandbox and a pipeline between them, for a few rounds."""

import glob
import os
import random
import shutil
import signal
import tempfile
import time

import psycopg

from teststand import StandError
from teststand.certificates import make_certificates
from teststand.sandbox import Sandbox, basic, free_port
from teststand.server import DATABASE, Server, value, wait_until

from . import tables
from .serverlog import ServerLog

NAME = "chaos"
SECRET = "Never-to-be-seen-7f3a"
UP, FROZEN, DOWN = "up", "frozen", "down"
# what processes are called
TITLES = {role: f"postgres: {title}" for role, title in (
    ("decoder", "dbmazz decoder"), ("shipper", "dbmazz shipper"), ("launcher", "dbmazz launcher"),
    ("checkpointer", "checkpointer"), ("session", f"postgres {DATABASE}"))}

# quick retries, small batches: much happens in a short time
SETTINGS = {
    "log_line_prefix": "%m [%p] %e %b %q%a ",
    "logical_decoding_work_mem": "64kB",
    "restart_after_crash": "on",
    "dbmazz.decoder_work_mem": "64kB",
    "dbmazz.flush_interval": "10ms",
    "dbmazz.max_loads_per_minute": "0",
    "dbmazz.batch_max_rows": "200",
    "dbmazz.checkpoint_interval": "50ms",
    "dbmazz.retry_min_delay": "20ms",
    "dbmazz.retry_max_delay": "300ms",
    "dbmazz.restart_max_delay": "1s",
    "dbmazz.starrocks_connect_timeout": "1s",
    "dbmazz.starrocks_request_timeout": "3s",
    "dbmazz.starrocks_expect_timeout": "3s",
    "dbmazz.starrocks_load_timeout": "15s",
    "dbmazz.starrocks_low_speed_time": "3s",
    "dbmazz.starrocks_password": SECRET,
    "dbmazz.audit_columns": "on",
    "dbmazz.change_log": "keyless",
    "dbmazz.debug_point": "",
}
# what is in force for each mode of delivery
DELIVERY = {
    "at_least_once": {},
    "exactly_once": {"dbmazz.delivery": "exactly_once"},
    "atomic": {"dbmazz.atomic": "transaction"},
}
# of which one is drawn: (dbmazz.buffer_size, dbmazz.pipeline_buffer_size), the smallest among them
BUFFERS = [("1MB", "1MB"), ("1MB", "512kB"), ("4MB", "2MB"), ("64MB", "16MB")]


class World:
    """'settings' are added to those above; what is in 'kinds' may be drawn."""

    def __init__(self, options, seed, settings=None, quiet=False):
        self.options = options
        self.rng = random.Random(f"{seed}/world")
        self.base = tempfile.mkdtemp(prefix="dbmazz-chaos-", dir=options.dir)
        self.server = self.sandbox = None
        self.target = UP                    # how the sandbox is
        self.stopped = False                # did the schedule stop the pipeline?
        self.killed = set()
        self.slowest_stop = 0
        self.kinds = []
        self.settings = dict(SETTINGS) | DELIVERY[options.delivery]
        if not quiet:
            self._draw()
        self.settings.update(settings or {})
        self.tables = tables.make_whole() if self.whole else tables.make()
        for table in self.tables:
            if isinstance(table, tables.Log):
                table.once = options.delivery == "exactly_once"

    def _draw(self):
        rng, settings = self.rng, self.settings
        settings["dbmazz.buffer_size"], settings["dbmazz.pipeline_buffer_size"] = rng.choice(BUFFERS)
        self.https = rng.random() < 0.25
        # a frontend that does not answer, and one whose name nobody knows
        self.others = rng.choice([[], [], ["127.0.0.1:{port}"], ["nowhere.invalid:8030"],
                                  ["nowhere.invalid:8030", "127.0.0.1:{port}"]])
        if rng.random() < 0.25 and self.options.delivery == "at_least_once":
            settings["dbmazz.starrocks_format"] = "csv"
        self.whole = self.options.delivery == "atomic" and rng.random() < 0.6
        if self.whole:
            settings["dbmazz.buffer_size"], settings["dbmazz.pipeline_buffer_size"] = BUFFERS[-1]
        self.kinds = [name for name, is_so in (
            ("https", self.https), (f"buffer {settings['dbmazz.buffer_size']}", True),
            ("dead frontends", self.others), ("csv", "dbmazz.starrocks_format" in settings),
            ("all whole", self.whole)) if is_so]

    https, others = False, ()
    whole = False                       # is every transaction one that is sent as a whole?

    # -- beginning and end ---------------------------------------------------

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.server is not None:
            self.server.stop()
        if self.sandbox is not None:
            self.sandbox.close()

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)

    def build(self):
        options = self.options
        self.sandbox = Sandbox(options.sandbox_python, self.base, "chaos", ["--user", f"root:{SECRET}"])
        if self.https:
            make_certificates(self.base)
            self.sandbox.stop()
            self.sandbox.trust(self.file("ca.pem"))
            self.sandbox.start(*self.certificate("server"))
            self.settings["dbmazz.starrocks_ca_file"] = self.file("ca.pem")
        url = self.sandbox.url
        scheme = url.partition(":")[0]
        others = [f"{scheme}://{name.format(port=free_port())}" for name in self.others]
        self.server = Server(options.bindir, self.base, self.settings | {
            "dbmazz.starrocks_url": ",".join([*others, url]),
            "dbmazz.starrocks_database": self.sandbox.database,
            "dbmazz.starrocks_mysql_address": f"127.0.0.1:{self.sandbox.ports['mysql']}",
        }, template=options.template)
        self.log = ServerLog(self.server.log, [SECRET, basic("root", SECRET)],
                             ["a transaction is not sent as a whole"] if self.whole else [])
        self.server.start()
        with self.server.connect("postgres") as first:
            first.execute(f"CREATE DATABASE {DATABASE}")
        with self.connect() as connection:
            self._check_build(connection)
            connection.execute("CREATE EXTENSION dbmazz")
            for table in self.tables:
                connection.execute(table.ddl)
                self.sandbox.sql(value(connection, f"SELECT dbmazz.target_ddl('{table.name}')"))
            connection.execute("CREATE PUBLICATION chaos FOR TABLE " + ", ".join(t.name for t in self.tables))
            self.create_pipeline(connection)

    @staticmethod
    def _check_build(connection):
        """Of names that it does not know the server only warns."""
        for name in ("dbmazz.debug_point", "dbmazz.delivery", "dbmazz.atomic"):
            if value(connection, f"SELECT setting FROM pg_settings WHERE name = '{name}'") is None and \
                    value(connection, f"SELECT name FROM pg_file_settings WHERE name = '{name}'") is not None:
                raise StandError(f"dbmazz was built without {name}")

    def file(self, name):
        return os.path.join(self.base, name)

    def certificate(self, name):
        if not self.https:
            return []
        return ["--tls-cert", self.file(f"{name}.pem"), "--tls-key", self.file("server.key")]

    # -- the pipeline --------------------------------------------------------

    def connect(self):
        return self.server.connect(name="chaos")

    def create_pipeline(self, connection):
        connection.execute(f"SELECT dbmazz.create_pipeline('{NAME}', publication => 'chaos', copy => false)")
        self.start_pipeline(connection)
        # it sends what is committed after it has got its slot
        wait_until("the pipeline to stream", self.options.patience, lambda: self.state(connection) == "streaming")

    def start_pipeline(self, connection):
        connection.execute(f"SELECT dbmazz.start_pipeline('{NAME}')")
        self.stopped = False

    def stop_pipeline(self, connection):
        self.stopped = True
        connection.execute(f"SELECT dbmazz.stop_pipeline('{NAME}')")

    def new_pipeline(self):
        """At a moment when source and target are the same."""
        with self.connect() as connection:
            self.stop_pipeline(connection)
            wait_until("the pipeline to stop", self.options.patience, lambda: self.state(connection) == "stopped")
            connection.execute(f"SELECT dbmazz.drop_pipeline('{NAME}')")
            self.create_pipeline(connection)

    @staticmethod
    def state(connection):
        return value(connection, f"SELECT state FROM dbmazz.stat_pipeline WHERE name = '{NAME}'")

    # -- processes -----------------------------------------------------------

    def workers(self, role):
        """The processes of a role, without asking the server."""
        try:
            parent = self.server.postmaster
        except (OSError, ValueError):
            return []
        return [pid for pid in children(parent) if title_of(pid).startswith(TITLES[role])]

    def kill_worker(self, pid, number):
        if number == signal.SIGKILL:
            self.killed.add(pid)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def stop_server(self, mode):
        start = time.monotonic()
        self.server.stop(mode)
        self.slowest_stop = max(self.slowest_stop, time.monotonic() - start)

    def stop_sandbox(self):
        """It comes back with start_sandbox()."""
        self.sandbox.kill()
        self.target = DOWN

    def start_sandbox(self, certificate="server"):
        self.sandbox.start(*self.certificate(certificate))
        self.target = UP if certificate == "server" else DOWN

    # -- after a round -------------------------------------------------------

    def heal(self):
        """Nothing is broken any more; what is left to do the pipeline must do by itself."""
        if self.target == FROZEN:
            self.sandbox.kill(signal.SIGCONT)
        elif self.target == DOWN:
            if self.sandbox.process is not None:
                self.stop_sandbox()
            self.start_sandbox()
        self.target = UP
        self.sandbox.clear_faults()
        self.sandbox.release()
        self.server.change({})
        if not self.server.running:
            self.server.start()
        if self.stopped:
            wait_until("the pipeline to be started again", self.options.patience, self._started)
        wait_until("the server to answer", self.options.patience, self._nowhere_is_forgotten)

    def _started(self):
        try:
            with self.connect() as connection:
                self.start_pipeline(connection)
            return True
        except psycopg.errors.ObjectInUse:
            self.stopped = False            # it runs: a crash came before the stop was committed
            return True
        except psycopg.Error:
            return False

    def _nowhere_is_forgotten(self):
        """A TRUNCATE was to go to a name that is none, and then a crash came: what the manual says of such places."""
        where = "WHERE truncate_place LIKE 'nowhere.invalid:%'"
        try:
            with self.connect() as connection:
                if value(connection, f"SELECT EXISTS (SELECT FROM dbmazz.pipeline_tables {where})") != "t":
                    return True
                self.stop_pipeline(connection)
                wait_until("the pipeline to stop", self.options.patience, lambda: self.state(connection) == "stopped")
                connection.execute(f"UPDATE dbmazz.pipeline_tables SET truncate_place = NULL {where}")
                self.start_pipeline(connection)
            return True
        except psycopg.OperationalError:        # it recovers
            return False

    def wait_idle(self):
        """
        Until the target has everything and the pipeline streams; returns what is wrong, and its epoch.  However slow
        it is, as long as it goes on, but not for ever.
        """
        begin = went_on = time.monotonic()
        seen, lsn, before = "no connection", None, None
        while time.monotonic() < min(went_on + self.options.patience, begin + 5 * self.options.patience):
            try:
                with self.connect() as connection:
                    lsn = lsn or value(connection, "SELECT pg_current_wal_insert_lsn()")
                    seen = self.describe(connection)
                    now = value(connection, f"SELECT (batches, position_lsn) FROM dbmazz.stat_pipeline"
                                            f" WHERE name = '{NAME}' AND state IN ('streaming', 'retrying')")
                    if now and now != before:
                        before, went_on = now, time.monotonic()
                    if value(connection, f"SELECT dbmazz.wait_for('{NAME}', '{lsn}', '1s')") == "t" and \
                            self.state(connection) == "streaming":
                        return self.idle_problems(connection), self.epoch(connection)
            except psycopg.Error as why:
                seen = str(why)
            time.sleep(0.1)
        return [f"not idle after {time.monotonic() - begin:.0f} s: {seen}"], None

    @staticmethod
    def epoch(connection):
        return value(connection, f"SELECT epoch FROM dbmazz.stat_pipeline WHERE name = '{NAME}'")

    @staticmethod
    def describe(connection):
        return "; ".join(str(row[0]) for row in connection.execute(
            "SELECT row_to_json(p) FROM dbmazz.stat_pipeline p UNION ALL"
            " SELECT row_to_json(t) FROM dbmazz.stat_table t WHERE state = 'stopped'").fetchall())

    @staticmethod
    def idle_problems(connection):
        found = [f"stopped: {row}" for row in connection.execute(
            "SELECT relation, error, detail FROM dbmazz.stat_table WHERE state = 'stopped'").fetchall()]
        slots = connection.execute("SELECT count(*) FROM pg_replication_slots").fetchone()[0]
        return found + ([f"{slots} slots"] if slots != 1 else [])

    def compare(self):
        """All that is wrong now; a life that begins meanwhile sends rows once more, so look again then."""
        for _ in range(10):
            problems, epoch = self.wait_idle()
            if problems:
                break
            with self.connect() as connection:
                for table in self.tables:
                    problems += table.differences(connection, self.sandbox)
                if self.epoch(connection) == epoch:
                    break
        return problems

    def log_problems(self):
        problems, crashes = self.log.check(self.killed)
        return problems, crashes


def children(parent):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                words = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            found.append(int(path.split("/")[2]))
    return found


def title_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
