"""Runs seeds; see README.md."""

import argparse
import os
import random
import subprocess
import sys
import time
import traceback

from . import OracleError, features, selftest
from .world import World

GOOD = "0 differences"


def seeds_of(text):
    """1-3,7 -> 1, 2, 3, 7"""
    out = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        out += range(int(first), int(last or first) + 1)
    return out


def parse(argv):
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=[], metavar="1-3,7")
    parser.add_argument("--minutes", type=float, default=0, metavar="M",
                        help="after the seeds, go on with others until this much time is over")
    parser.add_argument("--start", type=int, metavar="SEED", help="the first of those; default: any")
    parser.add_argument("--changes", type=int, default=20000, metavar="N", help="of each seed (20000)")
    parser.add_argument("--round", type=int, default=10000, metavar="N", help="compare after so many (10000)")
    parser.add_argument("--limit", type=float, default=30, metavar="M", help="minutes that one seed may take (30)")
    parser.add_argument("--features", type=features.parse, default="", metavar="+NAME,-NAME")
    parser.add_argument("--selftest", action="store_true", help="first show that each difference is found")
    parser.add_argument("--list", action="store_true", help="name the features, and end")
    parser.add_argument("--state", metavar="FILE", help="results of seeds; what is in there is not run again")
    parser.add_argument("--keep", action="store_true", help="keep files and a log of all statements")
    kept = os.environ.get("DBMAZZ_KEPT_IN")
    parser.add_argument("--keep-bad", action="store_true", default=bool(kept),
                        help="keep files and log of a seed that failed")
    parser.add_argument("--dir", help="where files go")
    parser.add_argument("--shown", metavar="DIR", default=kept, help="where the caller puts what is kept")
    parser.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    parser.add_argument("--sandbox-python", default=os.environ.get("DBMAZZ_SANDBOX_PYTHON"))
    options = parser.parse_args(argv)
    return options


def command(seed, options):
    """What repeats a seed."""
    chosen = options.features ^ features.parse("")
    items = ",".join(("+" if name in options.features else "-") + name for name in sorted(chosen))
    major = subprocess.check_output([options.pg_config, "--version"], text=True).split()[1].split(".")[0]
    return f"make oracle SEED={seed} CHANGES={options.changes} PG={major}" + (f" FEATURES={items}" if items else "")


def run_seed(seed, options, deadline=None):
    """Returns whether all was equal; without a deadline, all changes must have been made, too."""
    start = time.monotonic()
    repeat = command(seed, options)
    print(f"seed {seed}: {repeat}", flush=True)
    world, verdict, total, compared, trouble = World(options, seed), "error", 0, 0, {}
    try:
        with world:
            world.build()
            ready = time.monotonic()
            limit = ready + options.limit * 60
            total, compared, trouble = world.run(options.changes, min(deadline or limit, limit))
            took = time.monotonic() - ready
            verdict = f"{world.differences} differences"
            if not world.differences and not deadline and total < options.changes:
                verdict = f"not finished in {options.limit} minutes"
            world.good = verdict == GOOD
    except Exception:                       # pylint: disable=broad-except
        traceback.print_exc(file=sys.stdout)
        took = time.monotonic() - start
    events = ", ".join(f"{count} {name}" for name, count in sorted(trouble.items()))
    line = (f"seed {seed}: {verdict}; {total} changes, {compared} rows compared in {took:.1f} s, "
            f"{total / max(took, 0.001):.0f} changes/s; {', '.join(world.forms)}; {events or 'no trouble'}")
    print(line, flush=True)
    if not world.good:
        print(f"seed {seed}: repeat: {repeat}", flush=True)
    if options.state and (world.differences or world.good and total >= options.changes):
        with open(options.state, "a", encoding="utf-8") as file:
            file.write(f"{line}; {repeat}\n")
    return world.good


def finished(options):
    if not options.state or not os.path.exists(options.state):
        return set()
    with open(options.state, encoding="utf-8") as file:
        return {line.rpartition("; ")[2].strip() for line in file if f": {GOOD};" in line}


def run(options):
    """(passed, failed)"""
    done, good, bad = finished(options), 0, 0
    if options.selftest:
        good, bad = (1, 0) if selftest.run(options) else (0, 1)
    for seed in options.seeds:
        if command(seed, options) in done:
            print(f"seed {seed}: done before")
            good += 1
        elif run_seed(seed, options):
            good += 1
        else:
            bad += 1
    deadline = time.monotonic() + options.minutes * 60
    seed = options.start if options.start is not None else random.SystemRandom().randrange(1000, 10**6)
    while time.monotonic() < deadline:
        if run_seed(seed, options, deadline):
            good += 1
        else:
            bad += 1
        seed += 1
    return good, bad


def main():
    try:
        options = parse(sys.argv[1:])
        if isinstance(options.features, str):
            options.features = features.parse(options.features)
        if options.list:
            for name, what in features.ALL.items():
                print(f"{name:16} {what}{'  (off)' if name in features.OFF else ''}")
            return 0
        if os.geteuid() == 0:
            raise OracleError("PostgreSQL does not run as root; use make oracle or test/run --only oracle")
        if not options.sandbox_python:
            raise OracleError("DBMAZZ_SANDBOX_PYTHON is not set")
        options.bindir = subprocess.check_output([options.pg_config, "--bindir"], text=True).strip()
        good, bad = run(options)
    except OracleError as why:
        print(f"oracle: {why}", file=sys.stderr)
        return 2
    print(f"{good} passed, {bad} failed")
    return 1 if bad or not good else 0


sys.exit(main())
