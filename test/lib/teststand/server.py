"""A PostgreSQL of the run's own: a cluster in a new directory, reached through a socket there."""

import glob
import os
import shutil
import signal
import subprocess
import time

import psycopg

from . import StandError

CONFIG = """
listen_addresses = ''
unix_socket_directories = '{base}'
shared_preload_libraries = 'dbmazz'
wal_level = logical
fsync = off
full_page_writes = off
shared_buffers = 64MB
max_wal_size = 4GB
max_connections = 60
max_worker_processes = 24
max_wal_senders = 10
max_replication_slots = 10
max_prepared_transactions = 20
max_locks_per_transaction = 256
deadlock_timeout = 50ms
wal_receiver_status_interval = 1s
jit = off
log_line_prefix = '%m [%p] %b %q%a '
log_checkpoints = off
log_min_messages = warning
log_min_error_statement = fatal
log_error_verbosity = terse
"""
DATABASE = "source"


class Server:
    """
    Lives in 'base'.  'settings' are written into postgresql.conf; change() sets others later.  'template' is where
    a fresh data directory is kept for servers to come.
    """

    def __init__(self, bindir, base, settings, initdb=(), template=None):
        self.bindir, self.base = bindir, base
        self.data = os.path.join(base, "data")
        self.log = os.path.join(base, "server.log")
        self.changed = os.path.join(self.data, "changed.conf")
        self.running = False
        self._make(initdb, template)
        self.change({})
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(CONFIG.format(base=base) + _lines(settings) + "include 'changed.conf'\n")

    def _make(self, options, template):
        made = template or self.data
        if not os.path.exists(made):
            self._run("initdb", "-D", made, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", *options)
        if template:
            shutil.copytree(template, self.data)
            os.chmod(self.data, 0o700)

    def _run(self, program, *args, timeout=120):
        result = subprocess.run([os.path.join(self.bindir, program), *args], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        if result.returncode != 0:
            raise StandError(f"{program}: {result.stdout.decode(errors='replace')[-2000:]}")

    def start(self):
        with open(self.log, "ab") as log:
            # silent: its dots would stand in front of lines of the server's
            command = [os.path.join(self.bindir, "pg_ctl"), "-D", self.data, "-s", "-w", "-t", "60", "-l", self.log,
                       "start"]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90, check=False)
        if result.returncode != 0:
            raise StandError(f"the server did not start; see {self.log}")
        self.running = True

    def stop(self, mode="immediate"):
        if self.running:
            self.running = False
            self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "60", "stop")

    @property
    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
            return int(file.readline())

    def crash(self):
        """Kill the postmaster, and wait until its children have noticed; its pid file stays behind."""
        pid, directory = self.postmaster, os.path.realpath(self.data)
        os.kill(pid, signal.SIGKILL)
        self.running = False
        wait_until("the server's processes to leave", 60,
                   lambda: not any(_directory(path) == directory for path in glob.glob("/proc/[0-9]*/cwd")))

    def change(self, settings):
        """These settings instead of the last ones that were changed."""
        with open(self.changed + ".new", "w", encoding="utf-8") as file:
            file.write(_lines(settings))
        os.replace(self.changed + ".new", self.changed)
        if self.running:
            os.kill(self.postmaster, signal.SIGHUP)

    def conninfo(self, database):
        return f"host={self.base} user=postgres dbname={database}"

    def connect(self, database=DATABASE, name="test"):
        connection = psycopg.connect(self.conninfo(database), autocommit=True, application_name=name)
        connection.prepare_threshold = None
        return connection

    @property
    def version(self):
        with open(os.path.join(self.data, "PG_VERSION"), encoding="ascii") as file:
            return int(file.read())

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


def _lines(settings):
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def _directory(link):
    try:
        return os.readlink(link)
    except OSError:
        return None


def value(connection, query):
    """The only value of a query, as text, or None."""
    result = connection.execute(query).pgresult
    got = result.get_value(0, 0) if result.ntuples else None
    return None if got is None else got.decode()


def rows(connection, query):
    """The texts of all values of a query."""
    result = connection.execute(query).pgresult
    width = range(result.nfields)
    get = result.get_value
    for number in range(result.ntuples):
        yield [None if (one := get(number, i)) is None else one.decode() for i in width]


def wait_until(what, seconds, question):
    """Poll until question() is true."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise StandError(f"timed out after {seconds} s waiting for {what}")
        time.sleep(0.02)
    return answer
