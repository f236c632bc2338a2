"""Samples of what processes do, taken by perf."""

import bisect
import collections
import os
import re
import shutil
import subprocess

from . import BenchError

SAMPLE = re.compile(r"\s*(\d+)\s+([0-9a-f]+)\s+(.*?)\s+\((.*)\)$")


def check():
    """Refuse early where there is no perf, or where it may not look."""
    if shutil.which("perf") is None:
        raise BenchError("perf is not installed (Debian: linux-perf)")
    result = subprocess.run(
        ["perf", "record", "-q", "-o", os.devnull, "true"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False)
    if result.returncode != 0:
        raise BenchError("perf may not take samples here (see "
                         "kernel.perf_event_paranoid): "
                         f"{result.stderr.strip()[:500]}")


class Recording:
    """A context: samples a process and all that it forks meanwhile.

    perf takes hardware counters where the kernel has them, and else a timer.
    """

    HERTZ = 4000

    def __init__(self, pid, path):
        self.path = path
        self.control, ours = os.pipe()
        self.ack, theirs = os.pipe()
        self.process = subprocess.Popen(
            ["perf", "record", "-q", "-F", str(self.HERTZ), "-D", "-1",
             "--control", f"fd:{self.control},{theirs}", "-p", str(pid),
             "-o", path], pass_fds=(self.control, theirs),
            stdout=subprocess.DEVNULL)
        os.close(theirs)
        self.ours = ours

    def __enter__(self):
        os.write(self.ours, b"enable\n")
        # its answer; or nothing, if it has ended
        if not os.read(self.ack, 16).startswith(b"ack"):
            self.process.wait()
            raise BenchError("perf could not begin")
        return self

    def __exit__(self, *_exc):
        self.process.terminate()
        self.process.wait()
        for fd in (self.ours, self.ack, self.control):
            os.close(fd)

    def event(self):
        """What a sample is one of."""
        out = subprocess.run(["perf", "evlist", "-i", self.path],
                             stdout=subprocess.PIPE, text=True, check=False)
        return out.stdout.split()[0]

    def samples(self, pids):
        """{pid: Counter of (function, object)} of processes, which must still
        be there."""
        result = subprocess.run(
            ["perf", "script", "-i", self.path, "-F", "pid,ip,sym,dso"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        if result.returncode != 0:
            raise BenchError(f"perf script: {result.stderr.strip()[:500]}")
        found = {pid: collections.Counter() for pid in pids}
        names = {pid: _Neighbours(pid) for pid in pids}
        for line in result.stdout.splitlines():
            match = SAMPLE.match(line)
            if not match or int(match[1]) not in found:
                continue
            pid, function, where = int(match[1]), match[3], match[4]
            if function == "[unknown]":
                function = names[pid].name(int(match[2], 16), where)
            found[pid][function, _short(where)] += 1
        return found


class _Neighbours:
    """Static functions of a stripped program have no names; but they stand
    behind those of the same source file that are exported."""

    def __init__(self, pid):
        self.symbols = {}
        self.maps = []
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            for line in file:
                words = line.split()
                if len(words) == 6 and "x" in words[1]:
                    start, end = (int(word, 16) for word in
                                  words[0].split("-"))
                    self.maps.append((start, end, int(words[2], 16),
                                      words[5]))

    def _exported(self, path):
        if path not in self.symbols:
            found = []
            if shutil.which("nm"):
                out = subprocess.run(
                    ["nm", "-D", "--defined-only", path],
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    text=True, check=False).stdout
                for line in out.splitlines():
                    words = line.split()
                    if len(words) == 3 and words[1] in "TtWi":
                        found.append((int(words[0], 16),
                                      words[2].partition("@")[0]))
            self.symbols[path] = sorted(found)
        return self.symbols[path]

    def name(self, address, path):
        for start, end, offset, mapped in self.maps:
            if start <= address < end and mapped == path:
                exported = self._exported(path)
                # code of common linkers lies in memory as in the file
                at = bisect.bisect(exported, (address - start + offset, "~"))
                if at > 0:
                    return f"(static, behind {exported[at - 1][1]})"
        return "(without a name)"


def _short(where):
    """The file of an object, without its folder; all of the kernel as one."""
    if where.startswith("[kernel") or where.endswith(".ko"):
        return "kernel"
    return os.path.basename(where)


def lines(samples, percent):
    """A text: how much which object took, then functions from this part on."""
    total = sum(samples.values())
    objects = collections.Counter()
    for (_function, where), count in samples.items():
        objects[where] += count
    yield ", ".join(f"{where} {count / total * 100:.0f} %"
                    for where, count in objects.most_common()
                    if count / total >= 0.005)
    rest = 0
    for (function, where), count in samples.most_common():
        if count / total * 100 < percent:
            rest += count
            continue
        yield f"{count / total * 100:6.1f} %  {function:44} {where}"
    yield f"{rest / total * 100:6.1f} %  (below {percent:g} % each)"
