"""One HTTP/1.1 server connection with the control that Stream Load needs.

The handler decides when the 100 is sent, whether the body is read at all and
how the connection ends; a framework would do these by itself.
"""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from .errors import ConnectionCut

READ_SIZE = 256 * 1024
DRAIN_SECONDS = 0.3
_REASONS = {200: b"OK", 307: b"Temporary Redirect", 400: b"Bad Request", 401: b"Unauthorized",
            404: b"Not Found", 405: b"Method Not Allowed", 500: b"Internal Server Error",
            503: b"Service Unavailable"}


@dataclass
class Request:
    method: str
    target: str
    path: str
    query: dict
    headers: dict                 # names in lower case
    version: str
    head_size: int = 0            # bytes of the header lines

    @property
    def expects_continue(self):
        return self.headers.get("expect", "").strip().lower() == "100-continue"


def _text(raw):
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class HttpConn:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        self.closed = False
        self.received = 0            # body bytes of the current request

    async def _feed(self):
        try:
            data = await self.reader.read(READ_SIZE)
        except (OSError, asyncio.IncompleteReadError):
            data = b""
        self.h11.receive_data(data)
        return data

    async def next_request(self):
        """The next request, or None when the peer is done."""
        while True:
            try:
                event = self.h11.next_event()
            except h11.RemoteProtocolError:
                return None
            if event is h11.NEED_DATA:
                await self._feed()
            elif isinstance(event, h11.Request):
                self.received = 0
                return self._request(event)
            else:
                return None

    @staticmethod
    def _request(event):
        target = event.target.decode("latin-1")
        parts = urlsplit(target)
        return Request(
            method=event.method.decode(), target=target, path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={k.decode(): _text(v) for k, v in event.headers},
            version=event.http_version.decode(),
            head_size=sum(len(k) + len(v) + 4 for k, v in event.headers))

    async def read_chunk(self):
        """The next piece of the body, None at its end; ConnectionCut if it is torn."""
        while True:
            try:
                event = self.h11.next_event()
            except h11.RemoteProtocolError as why:
                raise ConnectionCut(str(why)) from None
            if event is h11.NEED_DATA:
                await self._feed()
            elif isinstance(event, h11.Data):
                self.received += len(event.data)
                return bytes(event.data)
            else:
                return None

    async def read_body(self, limit=1 << 30):
        parts, size = [], 0
        if self.h11.they_are_waiting_for_100_continue:
            await self.send_continue()
        while (chunk := await self.read_chunk()) is not None:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise ConnectionCut("body too large")
        return b"".join(parts)

    async def send_continue(self):
        await self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    async def _send(self, event):
        data = self.h11.send(event)
        if data:
            self.writer.write(data)
            try:
                await self.writer.drain()
            except OSError as why:
                raise ConnectionCut(str(why)) from None

    async def respond(self, status, body=b"", ctype="application/json", headers=(), close=False):
        """Send a whole answer; the connection goes on unless close is asked for."""
        out = [("Content-Type", ctype), ("Content-Length", str(len(body))), *headers]
        if close:
            out.append(("Connection", "close"))
        await self._send(h11.Response(status_code=status, headers=out, reason=_REASONS.get(status, b"")))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())
        if close:
            await self.finish()

    async def respond_json(self, value, status=200, headers=(), close=False):
        body = json.dumps(value, indent=4, ensure_ascii=False).encode()
        await self.respond(status, body, headers=headers, close=close)

    async def send_raw(self, data):
        """Bytes outside the protocol machine, for faults and streamed answers."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as why:
            raise ConnectionCut(str(why)) from None

    def next_cycle(self):
        """Whether another request may follow on this connection."""
        if self.closed or self.h11.our_state is not h11.DONE or self.h11.their_state is not h11.DONE:
            return False
        self.h11.start_next_cycle()
        return True

    async def finish(self):
        """End the sending side, swallow for a moment what still comes, close.

        Closing at once with unread bytes would make the kernel send a reset,
        which can destroy an answer that the client has not read yet.
        """
        if self.closed:
            return
        self.closed = True
        try:
            if self.writer.can_write_eof():
                self.writer.write_eof()
            await asyncio.wait_for(self._swallow(), DRAIN_SECONDS)
        except (TimeoutError, OSError):
            pass
        self.writer.close()

    async def _swallow(self):
        while await self.reader.read(READ_SIZE):
            pass

    def cut(self, reset=True):
        """Drop the connection now, by a reset or by a plain close."""
        self.closed = True
        sock = self.writer.get_extra_info("socket")
        if reset and sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if reset:
            self.writer.transport.abort()
        else:
            self.writer.close()


class HttpServer:
    """A listener; every request goes to handler(conn, request)."""

    def __init__(self, handler, log):
        self.handler, self.log = handler, log
        self.server = None
        self.tasks = set()

    async def start(self, host, port, ssl=None):
        self.server = await asyncio.start_server(
            self._serve, host, port, ssl=ssl, limit=READ_SIZE, backlog=1024)
        return self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        conn = HttpConn(reader, writer)
        sock = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while not conn.closed:
                request = await conn.next_request()
                if request is None:
                    break
                await self.handler(conn, request)
                if not conn.next_cycle():
                    break
        except (ConnectionCut, OSError, h11.LocalProtocolError) as why:
            self.log.debug("connection ended: %s", why)
        except asyncio.CancelledError:
            pass
        except Exception:
            self.log.exception("request failed")
        finally:
            self.tasks.discard(task)
            if not conn.closed:
                conn.closed = True
                writer.close()

    async def stop(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=2)
