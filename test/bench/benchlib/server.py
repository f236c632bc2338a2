"""A throw-away PostgreSQL server for the length of a run."""

import os
import pwd
import re
import shutil
import subprocess
import time

from . import BenchError

# Nothing that runs by itself may run while something is measured, and a
# checkpoint only when the benchmark asks for one.
CONFIG = """
listen_addresses = ''
unix_socket_directories = '{base}'
wal_level = logical
max_wal_senders = 20
max_replication_slots = 60
max_worker_processes = 40
max_connections = 60
wal_sender_timeout = 0
shared_buffers = 256MB
max_wal_size = 40GB
min_wal_size = 1GB
checkpoint_timeout = 1h
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
log_checkpoints = off
log_min_messages = warning
fsync = {fsync}
"""


def pg_config(program, what):
    return subprocess.check_output([program, what], text=True).strip()


class Server:
    """Lives in 'base', a folder that is there already."""

    def __init__(self, pg_config_path, base, settings=None, fsync=True):
        self.pg_config = pg_config_path
        self.bindir = pg_config(pg_config_path, "--bindir")
        self.libdir = pg_config(pg_config_path, "--pkglibdir")
        self.version = pg_config(pg_config_path, "--version")
        self.major = re.search(r"\d+", self.version)[0]
        self.fsync = fsync
        self.settings = settings or {}
        self.base = base
        self.data = os.path.join(base, "data")
        self.user = None
        os.chmod(base, 0o755)
        if os.geteuid() == 0:
            # the server refuses to run as root
            self.user = pwd.getpwnam("postgres").pw_name
            shutil.chown(base, self.user)
        self.running = False

    # ---- programs ------------------------------------------------------

    def program(self, name):
        return os.path.join(self.bindir, name)

    def as_server_user(self):
        """Arguments for subprocess that make a child the server's user."""
        if self.user is None:
            return {"cwd": self.base}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid,
                "extra_groups": [], "cwd": self.base}

    def environment(self, **more):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("PG")}
        env.update(PGHOST=self.base, PGUSER="postgres", PGDATABASE="bench",
                   HOME=self.base, LC_ALL="C.UTF-8", **more)
        return env

    def run(self, args, timeout=600, **more):
        try:
            result = subprocess.run(
                args, env=self.environment(**more), text=True,
                timeout=timeout, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, check=False, **self.as_server_user())
        except subprocess.TimeoutExpired:
            raise BenchError(f"{os.path.basename(args[0])} took more than "
                             f"{timeout} s") from None
        if result.returncode != 0:
            raise BenchError(f"{os.path.basename(args[0])} failed: "
                             f"{result.stderr.strip()[-2000:]}")
        return result.stdout

    # ---- life ----------------------------------------------------------

    def start(self):
        self.run([self.program("initdb"), "-D", self.data, "-U", "postgres",
                  "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        with open(os.path.join(self.data, "postgresql.conf"), "a",
                  encoding="utf-8") as file:
            file.write(CONFIG.format(base=self.base,
                                     fsync="on" if self.fsync else "off"))
            for name, value in self.settings.items():
                quoted = str(value).replace("'", "''")
                file.write(f"{name} = '{quoted}'\n")
        self.launch()
        self.run([self.program("createdb"), "--maintenance-db=postgres",
                  "bench"])

    def launch(self):
        self.run([self.program("pg_ctl"), "-D", self.data, "-w", "-t", "60",
                  "-l", self.log_path(), "start"])
        self.running = True

    def log_path(self):
        return os.path.join(self.base, "log")

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid"),
                  encoding="utf-8") as file:
            return int(file.readline())

    def stop(self):
        if self.running:
            self.running = False
            try:
                self.run([self.program("pg_ctl"), "-D", self.data, "-m",
                          "immediate", "-w", "-t", "60", "stop"])
            except BenchError as error:
                print(f"the server did not stop: {error}")

    # ---- SQL -----------------------------------------------------------

    def psql(self, *statements, timeout=600, options=""):
        """Run statements in one session, each on its own; returns lines."""
        args = [self.program("psql"), "-X", "-A", "-t", "-q",
                "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            args += ["-c", statement]
        out = self.run(args, timeout=timeout, PGOPTIONS=options)
        return out.splitlines()

    def value(self, statement, **more):
        lines = self.psql(statement, **more)
        return lines[0] if lines else None

    def wait_until(self, condition, otherwise, timeout=30):
        """Until a query answers "true"; else that is the error."""
        deadline = time.monotonic() + timeout
        while self.value(condition) != "t":
            if time.monotonic() > deadline:
                raise BenchError(otherwise)
            time.sleep(0.05)

    def definition(self, table):
        """Statements that make the same table elsewhere."""
        dump = self.run([self.program("pg_dump"), "--schema-only",
                         "--no-publications", "-t", table, "bench"])
        # newer releases put commands of psql around it
        return ["\n".join(line for line in dump.splitlines()
                          if not line.startswith(("\\", "--")))]

    def end_of_wal(self):
        """Flush all WAL there is; returns where it ends."""
        # a commit waits for the flush only if its transaction wrote something
        return self.psql("SET synchronous_commit = on",
                         "SELECT pg_logical_emit_message(true, 'bench', '')",
                         "SELECT pg_current_wal_flush_lsn()")[-1]

    def log_tail(self, lines=20):
        """The last lines that say something went wrong."""
        try:
            with open(self.log_path(), encoding="utf-8",
                      errors="replace") as file:
                bad = [line for line in file
                       if re.search(r"(WARNING|ERROR|FATAL|PANIC|HINT): ",
                                    line)
                       and "due to administrator command" not in line]
        except OSError:
            return ""
        return "".join(bad[-lines:])


def second_server(first, name, settings):
    """Another one beside it, of the same programs; it runs."""
    base = os.path.join(first.base, name)
    os.mkdir(base)
    server = Server(first.pg_config, base, settings, fsync=first.fsync)
    server.start()
    return server
