"""How long rows take: from pgbench's logs and the blackhole's notes."""

import glob
import os
import statistics

from . import BenchError


def committed(server, prefix):
    """
    {(client, number of its transaction from 1 on): (script, time of the
    commit's return in ns)}, from pgbench's logs, which are removed.
    """
    times = {}
    for path in glob.glob(os.path.join(server.base, prefix + ".*")):
        with open(path, encoding="ascii") as file:
            for line in file:
                words = line.split()
                when = int(words[4]) * 10**9 + int(words[5]) * 1000
                times[int(words[0]), int(words[1])] = int(words[3]), when
        os.unlink(path)
    # numbers of transactions begin with 0 or 1, depending on the release
    first = min(number for _client, number in times)
    return {(client, number - first + 1): found
            for (client, number), found in times.items()}


def latencies(bench, sent, warm_up_s):
    """
    Lists of ms, for {row id: time in ns}: until all of the row's request was
    there, and until the head of that request was.  The blackhole must have
    watched the column "id".
    """
    loads = bench.blackhole.loads()
    done, head = [], []
    begin = min(sent.values()) + warm_up_s * 1e9
    received = dict(bench.blackhole.rows())
    missing = len(sent.keys() - received.keys())
    if missing:
        raise BenchError(f"{missing} of {len(sent)} rows are missing")
    for key, when in sent.items():
        if when < begin:
            continue
        load = loads[received[key]]
        done.append((load[6] - when) / 1e6)
        head.append((load[5] - when) / 1e6)
    return done, head


def percentile(values, percent):
    return statistics.quantiles(values, n=1000,
                                method="inclusive")[round(percent * 10) - 1]


def summary(values, prefix=""):
    return {prefix + name: round(value, 4) for name, value in (
        ("p50_ms", percentile(values, 50)), ("p90_ms", percentile(values, 90)),
        ("p99_ms", percentile(values, 99)), ("max_ms", max(values)))}
