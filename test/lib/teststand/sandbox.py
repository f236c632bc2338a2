"""A StarRocks sandbox of the run's own, as a child process."""

import base64
import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

from . import StandError

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "..", "..", "sandbox")


class Sandbox:
    """
    'database' is made there, and is the one that all is asked of.  The data, and the ports from the first start on,
    are kept over stop() and start().
    """

    def __init__(self, python, base, database, options=()):
        self.python, self.base, self.database = python, base, database
        self.options = list(options)
        self.log = open(os.path.join(base, "sandbox.log"), "ab")
        self.process, self.tls = None, None
        self.ports = {"fe": 0, "be": 0, "mysql": 0}
        try:
            self.start()
            self.sql(f"CREATE DATABASE {database}", database="")
        except BaseException:
            self.close()
            raise

    def start(self, *more):
        """'more' are options for this time."""
        environment = dict(os.environ, PYTHONPATH=PROGRAM)
        ports = [text for name, port in self.ports.items() for text in (f"--{name}-port", str(port))]
        self.process = subprocess.Popen(
            [self.python, "-m", "starrocks_sandbox", *ports, "--data", os.path.join(self.base, "sandbox"),
             *self.options, *more], stdout=subprocess.PIPE, stderr=self.log, env=environment)
        self.ports = json.loads(self._first_line(60))

    def _first_line(self, seconds):
        deadline, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not more:
                raise StandError("the sandbox did not start; see sandbox.log")
            line += more
        return line

    def trust(self, authority):
        """It speaks https, with a certificate of this authority."""
        self.tls = ssl.create_default_context(cafile=authority)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.ports['fe']}"

    def _ask(self, method, path, body=None):
        if self.tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.ports["fe"], timeout=300, context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["fe"], timeout=300)
        try:
            connection.request(method, "/_sandbox/" + path, body=body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise StandError(f"sandbox: {path}: {data[:2000].decode(errors='replace')}")
        return data

    def sql(self, text, database=None):
        database = self.database if database is None else database
        query = f"sql?db={urllib.parse.quote(database)}" if database else "sql"
        return json.loads(self._ask("POST", query, text.encode()))

    def rows(self, table):
        data = self._ask("GET", f"rows?db={self.database}&table={urllib.parse.quote(table)}")
        return data.decode().split("\n")[:-1]

    def count(self, table):
        return json.loads(self._ask("GET", f"count?db={self.database}&table={urllib.parse.quote(table)}"))["rows"]

    def fault(self, **fault):
        self._ask("POST", "faults", json.dumps(fault).encode())

    def clear_faults(self, name=None):
        self._ask("POST", "faults", json.dumps({"op": "clear"} | ({"fault": name} if name else {})).encode())

    def held(self):
        """The labels of loads that a fault holds."""
        return json.loads(self._ask("GET", "held"))["held"]

    def release(self):
        """What a fault holds goes on."""
        self._ask("POST", "release", b"{}")

    def kill(self, number=signal.SIGKILL):
        """SIGKILL leaves it to start(); SIGSTOP and SIGCONT freeze it for a while."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self._gone()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._gone()

    def _gone(self):
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def close(self):
        if self.process is not None:
            self.kill(signal.SIGCONT)
            self.stop()
        self.log.close()


def basic(user, password):
    """What a client says to authenticate itself, as it must never stand in a log."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def free_port():
    """One where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
