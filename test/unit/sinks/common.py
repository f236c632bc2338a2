"""What the tests of the sinks share."""

import base64
import os
import socket
import subprocess
import time
import traceback

from driver import Drive

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED_AUTH = "Basic " + base64.b64encode(b"root:geheim").decode()


def run_load(target, rows=3, label="l", **options):
    """One load of a fresh driver; its completion."""
    with Drive(**target.options(**options)) as drive:
        drive.table()
        drive.rows(rows)
        return drive.load(label)


def check(done, outcome, *parts):
    text = " | ".join((done["message"], done["detail"], done["hint"]))
    assert done["outcome"] == outcome, done
    for part in parts:
        assert part in text, (part, done)
    assert "geheim" not in text, done


def dead_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "127.0.0.1:%d" % listener.getsockname()[1]


def make_certificates(directory):
    """An authority and a certificate for 127.0.0.1, and a foreign authority."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in ("ca", "foreign"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", f"/CN=test {name}", "-keyout", f"{name}.key", "-out",
                f"{name}.pem", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server",
            "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(directory, "ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
            "-out", "server.pem")


def run_tests(tests, wanted):
    """Run (name, function) pairs; returns the exit code of the program."""
    failed = []
    for name, function in tests:
        if wanted and not any(part in name for part in wanted):
            continue
        began = time.monotonic()
        try:
            function()
            print(f"ok     {name} ({time.monotonic() - began:.1f} s)",
                  flush=True)
        except Exception:
            traceback.print_exc()
            print(f"FAILED {name}", flush=True)
            failed.append(name)
    print(f"{len(failed)} failed" if failed else "all passed")
    return 1 if failed else 0
