"""A PostgreSQL of the run's own: a cluster in a new directory, reached through a socket there."""

import os
import shutil
import subprocess
import time

import psycopg

from . import OracleError

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
SUBSCRIBER = "subscriber"
# with which the decoder writes values
FORMATS = ("SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;"
           " SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET search_path = ''")


class Server:
    """Lives in 'base'; 'settings' are written into postgresql.conf."""

    def __init__(self, bindir, base, settings):
        self.bindir, self.base = bindir, base
        self.data = os.path.join(base, "data")
        self.log = os.path.join(base, "server.log")
        self.running = False
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(CONFIG.format(base=base))
            for name, value in settings.items():
                file.write(f"{name} = '{value}'\n")

    def _run(self, program, *args, timeout=120):
        result = subprocess.run([os.path.join(self.bindir, program), *args], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        if result.returncode != 0:
            raise OracleError(f"{program}: {result.stdout.decode(errors='replace')[-2000:]}")

    def start(self):
        with open(self.log, "ab") as log:
            command = [os.path.join(self.bindir, "pg_ctl"), "-D", self.data, "-w", "-t", "60", "-l", self.log, "start"]
            result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=90, check=False)
        if result.returncode != 0:
            raise OracleError(f"the server did not start; see {self.log}")
        self.running = True

    def stop(self):
        if self.running:
            self.running = False
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "-t", "60", "stop")

    def conninfo(self, database):
        return f"host={self.base} user=postgres dbname={database}"

    def connect(self, database=DATABASE, name="oracle"):
        connection = psycopg.connect(self.conninfo(database), autocommit=True, application_name=name)
        connection.prepare_threshold = None
        return connection

    @property
    def version(self):
        with open(os.path.join(self.data, "PG_VERSION"), encoding="ascii") as file:
            return int(file.read())

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


def value(connection, query):
    """The only value of a query, as text, or None."""
    result = connection.execute(query).pgresult
    got = result.get_value(0, 0) if result.ntuples else None
    return None if got is None else got.decode()


def wait_until(what, seconds, question):
    """Poll until question() is true."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise OracleError(f"timed out after {seconds} s waiting for {what}")
        time.sleep(0.02)
    return answer
