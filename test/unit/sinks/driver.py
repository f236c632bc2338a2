"""Talks to the driver program of a sink (drive.c)."""

import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

# id BIGINT key, v VARCHAR, as the command "rows" makes them
TABLE = ["id:20:2:kn", "v:25:0:"]


class Drive:
    def __init__(self, sink="starrocks", env=None, **options):
        arguments = [f"{k}={v}" for k, v in options.items()]
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1")
        environment.update(env or {})
        self.process = subprocess.Popen(
            [os.path.join(HERE, "build", f"drive_{sink}"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.first = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the driver ended: {self.process.wait()}")
        return json.loads(line)

    def tell(self, *words):
        line = "\t".join(str(word) for word in words) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()

    def ask(self, *words):
        self.tell(*words)
        return self.read()

    def table(self, name="t", columns=None, partial=False):
        self.tell("table", name, *(["partial"] if partial else []),
                  *(columns or TABLE))

    def rows(self, n, start=1):
        self.tell("rows", n, start)

    def row(self, op, text):
        self.tell("row", op, text)

    def load(self, label):
        return self.ask("load", label)

    def close(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        code = self.process.wait(60)
        assert code == 0, f"the driver ended with {code}: {rest[-500:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.wait()
