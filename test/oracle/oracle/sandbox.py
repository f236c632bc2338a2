"""A StarRocks sandbox of the run's own, as a child process."""

import http.client
import json
import os
import select
import subprocess
import time
import urllib.parse

from . import OracleError

DATABASE = "oracle"


class Sandbox:
    def __init__(self, python, path, base):
        self.log = open(os.path.join(base, "sandbox.log"), "ab")
        environment = dict(os.environ, PYTHONPATH=path)
        self.process = subprocess.Popen(
            [python, "-m", "starrocks_sandbox", "--fe-port", "0", "--be-port", "0", "--mysql-port", "0",
             "--data", os.path.join(base, "sandbox")], stdout=subprocess.PIPE, stderr=self.log, env=environment)
        try:
            self.ports = json.loads(self._first_line(60))
        except BaseException:
            self.stop()
            raise
        self.sql(f"CREATE DATABASE {DATABASE}", database="")

    def _first_line(self, seconds):
        deadline, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not more:
                raise OracleError("the sandbox did not start; see sandbox.log")
            line += more
        return line

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['fe']}"

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["fe"], timeout=300)
        try:
            connection.request(method, "/_sandbox/" + path, body=body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise OracleError(f"sandbox: {path}: {data[:2000].decode(errors='replace')}")
        return data

    def sql(self, text, database=DATABASE):
        query = f"sql?db={urllib.parse.quote(database)}" if database else "sql"
        return json.loads(self._ask("POST", query, text.encode()))

    def rows(self, table):
        data = self._ask("GET", f"rows?db={DATABASE}&table={urllib.parse.quote(table)}")
        return data.decode().split("\n")[:-1]

    def fault(self, **fault):
        self._ask("POST", "faults", json.dumps(fault).encode())

    def clear_faults(self):
        self._ask("POST", "faults", b'{"op": "clear"}')

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
