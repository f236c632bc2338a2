"""A small HTTP client on raw sockets, a curl wrapper, and the sandbox as a process."""

import base64
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pymysql

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT = 120                    # for what always comes, on a busy machine too


@dataclass
class Answer:
    status: int
    reason: str
    headers: dict
    body: bytes
    continued: bool = False              # a 100 came before the final answer
    sent_body: bool = False

    def json(self):
        return json.loads(self.body)


def basic(user="root", password=""):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Wire:
    """One connection whose every byte the test decides."""

    def __init__(self, port, ssl=None):
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        if ssl:
            self.sock = ssl.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def head(self, method, path, headers, version="1.1"):
        lines = [f"{method} {path} HTTP/{version}", "Host: sandbox"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def silent(self, seconds):
        """Whether nothing arrives for that long."""
        return not self.buffer and not select.select([self.sock], [], [], seconds)[0]

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("connection closed")
        self.buffer += data

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        _, status, *reason = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(status), "".join(reason), headers

    def read_answer(self):
        status, reason, headers = self.read_head()
        continued = False
        if status == 100:
            continued = True
            status, reason, headers = self.read_head()
        need = int(headers.get("content-length", 0))
        while len(self.buffer) < need:
            self._fill()
        body, self.buffer = self.buffer[:need], self.buffer[need:]
        return Answer(status, reason, headers, body, continued)

    def closed(self):
        """Whether the peer ends the connection."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True


def request(port, method, path, headers=None, body=b"", expect=False, version="1.1"):
    """One request; with expect the body is sent only after a 100."""
    headers = {"Authorization": basic(), **(headers or {})}
    headers = {k: v for k, v in headers.items() if v is not None}
    if "Transfer-Encoding" not in headers and (body or method in ("PUT", "POST")):
        headers.setdefault("Content-Length", str(len(body)))
    if expect:
        headers["Expect"] = "100-continue"
    with Wire(port) as wire:
        wire.head(method, path, headers, version)
        if not expect:
            wire.send(body)
            return wire.read_answer()
        status, reason, got = wire.read_head()
        if status != 100:
            wire.buffer = _head_again(status, reason, got) + wire.buffer
            return wire.read_answer()
        wire.send(body)
        answer = wire.read_answer()
        answer.continued = answer.sent_body = True
        return answer


def _head_again(status, reason, headers):
    lines = [f"HTTP/1.1 {status} {reason}"] + [f"{k}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Sandbox:
    """A running sandbox."""

    data: str
    args: list = field(default_factory=list)
    process: object = None
    fe: int = 0
    be: int = 0
    mysql: int = 0

    def start(self):
        command = [sys.executable, "-m", "starrocks_sandbox", "--fe-port", "0", "--be-port", "0",
                   "--mysql-port", "0", "--data", self.data, *self.args]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=os.path.dirname(HERE))
        ports = json.loads(self.process.stdout.readline())
        self.fe, self.be, self.mysql = ports["fe"], ports["be"], ports["mysql"]
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT)
        self.process.stdout.close()
        self.process = None
        return code

    def connect(self, user="root", password="", database=None):
        return pymysql.connect(host="127.0.0.1", port=self.mysql, user=user, password=password,
                               database=database, autocommit=True)

    def sql(self, *statements, database=None):
        """Run statements; the rows of the last."""
        connection = self.connect(database=database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def run(self, text, db=""):
        """Statements over HTTP, which is quicker than a MySQL connection."""
        answer = request(self.fe, "POST", f"/_sandbox/sql?db={db}", {"Authorization": None}, text.encode())
        assert answer.status == 200, answer.body
        return answer.json()["rows"]

    def admin(self, method, path, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        return request(self.fe, method, f"/_sandbox/{path}", {"Authorization": None}, body)

    def fault(self, name, **params):
        answer = self.admin("POST", "faults", {"op": "set", "fault": name, **params})
        assert answer.status == 200, answer.body
        return answer.json()

    def clear(self):
        self.admin("POST", "faults", {"op": "clear"})

    def wait(self, check, seconds=TIMEOUT):
        """The first true value of check()."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := check():
                return value
            time.sleep(0.02)
        raise AssertionError("not reached in time")


class Target:
    """A table of its own for one test, with short names for what tests do."""

    def __init__(self, sandbox, db, ddl):
        self.box, self.db, self.table = sandbox, db, "t"
        sandbox.run(f"CREATE DATABASE {db}")
        if ddl:
            sandbox.run(ddl, db)

    def path(self, table=None):
        return f"/api/{self.db}/{table or self.table}/_stream_load"

    def put(self, body, label=None, expect=True, table=None, headers=None, port=None, **more):
        """A load straight to the BE; keyword arguments are headers."""
        out = dict(headers or {})
        if label is not None:
            out["label"] = label
        out.update({k: v for k, v in more.items() if v is not None})
        return request(port or self.box.be, "PUT", self.path(table), out, body, expect)

    def json(self, rows, **more):
        """A JSON array load, strict, whose answer is returned as a dictionary."""
        body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        headers = {"format": "json", "strip_outer_array": "true", "strict_mode": "true"}
        headers.update(more.pop("headers", {}))
        answer = self.put(body, headers=headers, **more)
        assert answer.status == 200
        return answer.json()

    def csv(self, text, **more):
        body = text if isinstance(text, bytes) else text.encode()
        answer = self.put(body, **more)
        assert answer.status == 200
        return answer.json()

    def rows(self, table=None):
        answer = self.box.admin("GET", f"rows?db={self.db}&table={table or self.table}")
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    def values(self, *names):
        """Rows as tuples of the given columns."""
        return [tuple(row[n] for n in names) for row in self.rows()]

    def state(self, label):
        answer = request(self.box.fe, "GET", f"/api/{self.db}/get_load_state?label={label}")
        assert answer.status == 200, answer.body
        return answer.json()["state"]

    def loads(self):
        return self.box.admin("GET", f"loads?db={self.db}").json()["loads"]

    def errors(self, result):
        """The text behind the ErrorURL of a result."""
        path = result["ErrorURL"].partition("/api/")[2]
        return request(self.box.be, "GET", "/api/" + path, {"Authorization": None}).body.decode()


def curl(*args, body=None):
    """(exit code, standard output, standard error) of curl."""
    done = subprocess.run(["curl", "-sS", "--max-time", str(TIMEOUT), *args], input=body, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
