"""What the tests of the sinks share."""

import base64
import os
import socket
import sys
import time
import traceback

from driver import Drive

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))

from teststand.certificates import make_certificates  # noqa: E402,F401
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


def made_up(names):
    """Environment of a driver for which these names exist."""
    return {"LD_PRELOAD": os.path.join(HERE, "build", "names.so"),
            "NAMES": names,
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=1"}


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
