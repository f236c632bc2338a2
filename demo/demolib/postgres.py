"""A throw-away PostgreSQL that listens on a socket in the demo's directory."""

import os
import subprocess

from . import DemoError

SETTINGS = """
port = 54329
listen_addresses = ''
unix_socket_directories = '{base}'
shared_preload_libraries = 'dbmazz'
wal_level = logical
max_worker_processes = 16
shared_buffers = 128MB
fsync = off
log_line_prefix = '%m [%p] %b '
dbmazz.starrocks_url = '{url}'
dbmazz.starrocks_database = '{database}'
dbmazz.starrocks_user = '{user}'
dbmazz.starrocks_password = '{password}'
dbmazz.max_loads_per_minute = 300
"""


class Postgres:
    """One instance below the demo's directory."""

    def __init__(self, base, pg_config):
        self.base = base
        self.bindir = os.path.dirname(pg_config)
        self.data = os.path.join(base, "data")
        self.log = os.path.join(base, "postgresql.log")
        self.env = dict(os.environ, PGHOST=base, PGPORT="54329",
                        PGUSER="postgres", PGDATABASE="postgres",
                        PGOPTIONS="-c client_min_messages=warning")

    def program(self, name):
        """The path of one of the server's programs."""
        return os.path.join(self.bindir, name)

    def _run(self, args, **kwargs):
        result = subprocess.run(args, env=self.env, text=True, check=False,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **kwargs)
        if result.returncode != 0:
            raise DemoError(f"{os.path.basename(args[0])}: {result.stdout}")
        return result.stdout

    def start(self, url, database, user, password):
        """initdb, write the settings, start."""
        self._run([self.program("initdb"), "-D", self.data, "-U", "postgres",
                   "-A", "trust", "-E", "UTF8", "--no-locale"])
        quoted = {name: value.replace("'", "''") for name, value in
                  {"base": self.base, "url": url, "database": database,
                   "user": user, "password": password}.items()}
        conf = os.path.join(self.data, "postgresql.conf")
        with open(conf, "a", encoding="utf-8") as file:
            file.write(SETTINGS.format(**quoted))
        # not a pipe for the server's output: it would stay open
        with open(self.log, "a", encoding="utf-8") as log:
            result = subprocess.run(
                [self.program("pg_ctl"), "-D", self.data, "-w", "-l", self.log,
                 "start"], env=self.env, stdout=log, stderr=log, check=False)
        if result.returncode != 0:
            raise DemoError(f"PostgreSQL did not start, see {self.log}")

    def stop(self):
        """Stop it, if it runs."""
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            subprocess.run([self.program("pg_ctl"), "-D", self.data, "-w",
                            "-m", "fast", "stop"], env=self.env, check=False,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    def sql(self, text):
        """Run statements; returns the output without decoration."""
        return self._run([self.program("psql"), "-XqAt", "-v",
                          "ON_ERROR_STOP=1", "-f", "-"], input=text).rstrip("\n")

    def rows(self, query):
        """The lines of a query's output."""
        out = self.sql(query)
        return out.split("\n") if out else []

    def traffic(self, script, clients, rate):
        """Start pgbench without an end; the caller terminates it."""
        log = open(os.path.join(self.base, "traffic.log"), "w",
                   encoding="utf-8")
        with log:
            return subprocess.Popen(
                [self.program("pgbench"), "-n", "-f", script, "-c",
                 str(clients), "-R", str(rate), "-T", "86400"],
                env=self.env, stdout=log, stderr=log, start_new_session=True)
