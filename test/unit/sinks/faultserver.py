"""Frontend and backend on plain sockets, whose every byte a test decides.

Not a stand-in for StarRocks (test/sandbox is one): a server that misbehaves in
ways that need control over single bytes, connections and delays.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
import time


class Closed(Exception):
    """The client has closed the connection."""


class Request:
    def __init__(self, server, connection, number, head):
        lines = head.decode("latin-1").split("\r\n")
        self.server = server
        self.connection = connection
        self.number = number            # of the connection, from 0
        self.method, self.path, _ = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.length = int(self.headers.get("content-length", "0"))
        self.chunked = self.headers.get("transfer-encoding") == "chunked"
        self.body = b""

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.connection.sendall(data)

    def receive(self, size, timeout=20.0):
        """At most 'size' more bytes of the body."""
        self.connection.settimeout(timeout)
        data = self.server.take(self.connection, size)
        self.body += data
        return data

    def read_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.server.take(self.connection, 1)
        return line[:-2]

    def read_chunks(self):
        while (left := int(self.read_line(), 16)) > 0:
            while left > 0:
                left -= len(self.receive(left))
            self.read_line()
        self.read_line()

    def read_body(self):
        if self.chunked:
            self.read_chunks()
        while len(self.body) < self.length:
            self.receive(min(self.length - len(self.body), 1 << 20))

    def arrived(self, seconds):
        """Bytes of the body that come within that time, unasked."""
        end = time.monotonic() + seconds
        while len(self.body) < self.length and time.monotonic() < end:
            try:
                self.receive(1 << 20, max(end - time.monotonic(), 0.01))
            except (socket.timeout, ssl.SSLWantReadError):
                break
        return len(self.body)

    def reply(self, body, status="200 OK", headers=(), close=False):
        if not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}",
                 "Content-Type: application/json", *headers]
        if close:
            lines.append("Connection: close")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        if close:
            self.close()

    def close(self):
        raise Closed

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        raise Closed


class Server:
    """Calls self.handle(request) for each request, in a thread a connection."""

    def __init__(self, handle, tls=None):
        self.handle = handle
        self.tls = tls
        self.requests = []
        self.connections = 0
        self.buffers = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = ("https://" if tls else "http://") + self.address
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            number = self.connections
            self.connections += 1
            threading.Thread(target=self.serve, daemon=True,
                             args=(connection, number)).start()

    def take(self, connection, size):
        held = self.buffers.get(connection, b"")
        if held:
            self.buffers[connection] = held[size:]
            return held[:size]
        data = connection.recv(size)
        if not data:
            raise Closed
        return data

    def serve(self, connection, number):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while True:
                connection.settimeout(60)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += self.take(connection, 65536)
                head, rest = head.split(b"\r\n\r\n", 1)
                self.buffers[connection] = (
                    rest + self.buffers.get(connection, b""))
                request = Request(self, connection, number, head)
                self.requests.append(request)
                self.handle(request)
        except (Closed, OSError):
            pass
        finally:
            self.buffers.pop(connection, None)
            connection.close()

    def stop(self):
        # Without shutdown() the accepting thread keeps the port open.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join()


def column(name, kind, key=False, null=True, default="NULL"):
    return {"name": name, "primitiveType": kind, "isKey": key,
            "isAllowNull": null and not key, "defaultValueType": default}


class StarRocks:
    """A frontend and a backend that behave; tests replace single answers."""

    def __init__(self, tls=None, be_tls=None):
        self.columns = [column("id", "BIGINT", key=True),
                        column("v", "VARCHAR")]
        self.states = {}                # label: state
        self.be = Server(self.on_backend, be_tls)
        self.fe = Server(self.on_frontend, tls)
        self.location = self.be.url
        self.loads = []                 # (label, rows) in order
        # What a test may replace; each gets the request.
        self.schema = self.give_schema
        self.redirect = self.give_redirect
        self.state = self.give_state
        self.cancel = self.do_cancel
        self.rollback = self.do_rollback
        self.load = self.do_load
        self.other = lambda request: request.reply("", "404 Not Found")

    def stop(self):
        self.fe.stop()
        self.be.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def options(self, **more):
        return {"url": self.fe.url, "database": "d", "password": "geheim",
                **more}

    def on_frontend(self, request):
        if request.path.endswith("/schema"):
            self.schema(request)
        elif request.path.endswith("/_stream_load"):
            self.redirect(request)
        elif "/get_load_state" in request.path:
            self.state(request)
        elif "/_cancel" in request.path:
            self.cancel(request)
        elif request.path == "/api/transaction/rollback":
            self.rollback(request)
        else:
            self.other(request)

    def on_backend(self, request):
        if request.path.endswith("/_stream_load"):
            self.load(request)
        else:
            self.other(request)

    def give_schema(self, request):
        request.reply({"status": "OK", "code": "0", "message": "OK",
                       "result": {"keysType": "PRIMARY_KEYS",
                                  "columns": self.columns}})

    def give_redirect(self, request):
        request.reply("", "307 Temporary Redirect",
                      [f"Location: {self.location}{request.path}"], close=True)

    def give_state(self, request):
        label = request.path.partition("label=")[2]
        request.reply({"status": "OK", "msg": "Success", "message": "OK",
                       "state": self.states.get(label, "UNKNOWN")})

    def do_cancel(self, request):
        label = request.path.partition("label=")[2]
        self.states[label] = "ABORTED"
        request.reply({"status": "OK", "msg": "Success"})

    def do_rollback(self, request):
        self.states[request.headers["label"]] = "ABORTED"
        request.reply({"Status": "OK", "Message": ""})

    def do_load(self, request):
        request.send("HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body()
        self.commit(request)

    def commit(self, request):
        body = request.body
        if request.headers.get("compression") == "gzip":
            body = gzip.decompress(body)
        rows = json.loads(body)
        label = request.headers["label"]
        self.states[label] = "VISIBLE"
        self.loads.append((label, rows))
        request.reply(self.result(request, rows=len(rows)))

    @staticmethod
    def result(request, status="Success", message="OK", rows=0, **more):
        return {"TxnId": 1, "Label": request.headers["label"],
                "Status": status, "Message": message,
                "NumberTotalRows": rows, "NumberLoadedRows": rows,
                "NumberFilteredRows": 0, "NumberUnselectedRows": 0, **more}

    def loads_seen(self):
        return [r for r in self.be.requests if "_stream_load" in r.path]
