"""Starts the blackhole and asks it what it got."""

import json
import os
import signal
import subprocess
import urllib.request

from . import BenchError

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build(build_dir):
    source = os.path.join(HERE, "blackhole")
    result = subprocess.run(["make", "-s", "-C", source,
                             f"BUILD={build_dir}"], check=False)
    if result.returncode != 0:
        raise BenchError("the blackhole could not be built")
    return os.path.join(build_dir, "blackhole")


class Blackhole:
    def __init__(self, program, schemas):
        args = [program]
        for schema in schemas:
            args += ["--schema", schema]
        # it ends with us, also if we are killed
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE,
                                        text=True)
        words = self.process.stdout.readline().split()
        if len(words) != 3 or words[0] != "ready":
            raise BenchError("the blackhole did not start")
        self.fe_port = int(words[1].partition("=")[2])

    @property
    def pid(self):
        return self.process.pid

    @property
    def url(self):
        return f"http://127.0.0.1:{self.fe_port}"

    def _get(self, what, method="GET"):
        request = urllib.request.Request(f"{self.url}/_blackhole/{what}",
                                         method=method)
        # a proxy of the environment must not get in between
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return answer.read().decode()

    def stats(self):
        return json.loads(self._get("stats"))

    def reset(self):
        self._get("reset", "POST")

    def watch(self, column):
        """Keep the values of this integer column; "" stops it."""
        self._get(f"watch?column={column}", "POST")

    def loads(self):
        """By number: (table, ok, rows, bytes, fe_ns, head_ns, done_ns)."""
        found = {}
        for line in self._get("loads").splitlines()[1:]:
            words = line.split()
            found[int(words[0])] = (words[1], *map(int, words[2:]))
        return found

    def rows(self):
        """[(key, number of the load)] in the order of arrival."""
        return [tuple(map(int, line.split()))
                for line in self._get("rows").splitlines()[1:]]

    def freeze(self):
        """It neither reads nor answers, and its sockets stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
