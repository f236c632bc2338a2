"""TLS at the MySQL port, against a sandbox with https and peers by hand.

A made-up name stands for 127.0.0.1: what goes to this host by its number is not
encrypted.
"""

import os
import socket
import tempfile
import threading
import time

from common import check, made_up, make_certificates
from driver import Drive

NAMES = "fe.test=127.0.0.1;other.test=127.0.0.1"


class Peer:
    """Greets as a MySQL server, then only listens."""

    def __init__(self, tls):
        flags = 0x00088201 | (0x800 if tls else 0)
        body = (b"\x0a8.0.33\0" + b"\1\0\0\0" + b"a" * 8 + b"\0"
                + (flags & 0xffff).to_bytes(2, "little") + b"\x21\2\0"
                + (flags >> 16).to_bytes(2, "little") + b"\x15" + b"\0" * 10
                + b"b" * 12 + b"\0" + b"mysql_native_password\0")
        self.greeting = len(body).to_bytes(3, "little") + b"\0" + body
        self.received = b""
        self.has_data = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"fe.test:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with self.listener.accept()[0] as peer:
            peer.sendall(self.greeting)
            try:
                while data := peer.recv(65536):
                    self.received += data
                    self.has_data.set()
            except ConnectionError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thread.join(60)
        self.listener.close()


def drive(box, address, **options):
    return Drive(env=made_up(NAMES), **box.options(
        **{"mysql_address": address, **options}))


def check_encrypted(box, ca):
    address = f"fe.test:{box.ports['mysql']}"
    other = f"other.test:{box.ports['mysql']}"

    def truncate(where, **options):
        with drive(box, where, **options) as sink:
            sink.table()
            return sink.ask("truncate", "c1")

    box.run("INSERT INTO d.t VALUES (1, 'a')")
    check(truncate(address), "retry", "MySQL port failed", "certificate")
    check(truncate(other, ca_file=ca), "retry", "MySQL port failed")
    check(truncate(address, ca_file="/nowhere"), "retry", "MySQL port failed")
    assert len(box.rows()) == 1
    check(truncate(address, ca_file=ca), "done")
    assert box.rows() == []
    check(truncate(other, tls_verify="off"), "done")
    check(truncate(address, ca_file=ca, password="falsch"), "retry",
          "ccess denied")
    check(truncate(f"127.0.0.1:{box.ports['mysql']}", ca_file=ca), "done")

    # what hangs is given up, in the session as before it
    box.fault("mysql_hold", count=1, statement="TRUNCATE")
    with drive(box, address, ca_file=ca, request_timeout="300ms") as sink:
        sink.table()
        check(sink.ask("truncate", "c2"), "doubt")
        check(sink.ask("settle", "c2"), "done")
    assert not box.held()
    box.fault("mysql_list", rows=5000, count=1)
    with drive(box, address, ca_file=ca) as sink:
        sink.table()
        check(sink.ask("settle", "c2"), "done")


def check_no_tls(box, ca):
    """Not even the name of the user goes to a server without TLS."""
    for options in ({"ca_file": ca}, {"tls_verify": "off"}):
        with Peer(tls=False) as peer:
            with drive(box, peer.address, connect_timeout="2s",
                       **options) as sink:
                sink.table()
                check(sink.ask("truncate", "c1"), "retry", "MySQL port failed")
        assert peer.received == b"", peer.received


def check_silent(box, ca):
    """One that does not go on with the handshake delays nothing else."""
    with Peer(tls=True) as peer:
        with drive(box, peer.address, ca_file=ca,
                   connect_timeout="500ms") as sink:
            sink.table()
            done = sink.ask("truncate", "c1")
            check(done, "retry", "no answer in time")
            assert done["ms"] >= 400, done
    assert b"root" not in peer.received
    with Peer(tls=True) as peer:
        sink = drive(box, peer.address, ca_file=ca, connect_timeout="1h")
        sink.table()
        sink.ask("begin_truncate", "c1", "5")
        while not peer.has_data.is_set():
            sink.ask("pump", "20")
        sink.rows(3)
        check(sink.load("l1"), "done")
        began = time.monotonic()
        sink.close()
        assert time.monotonic() - began < 60


def check_all(start):
    with tempfile.TemporaryDirectory() as directory:
        make_certificates(directory)
        ca = os.path.join(directory, "ca.pem")
        box = start("--tls-cert", os.path.join(directory, "server.pem"),
                    "--tls-key", os.path.join(directory, "server.key"),
                    tls_ca=ca)
        try:
            box.fresh()
            check_encrypted(box, ca)
            check_no_tls(box, ca)
            check_silent(box, ca)
        finally:
            box.stop()
