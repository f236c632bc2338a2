"""Runs rounds; see README.md."""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback

from teststand import StandError

from . import load, recovery, selftest, soak
from .reader import Reader
from .schedule import Schedule
from .world import DELIVERY, World

# rounds that share a server: numbers 10-14, 15-19, ...
BLOCK = 5
SHOWN = 20
TAIL = 40


def parse(argv):
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the first; the next ones follow (default: any)")
    parser.add_argument("--seconds", type=float, default=4, metavar="N", help="for which things break in a round (4)")
    parser.add_argument("--limit", type=float, default=0, metavar="MINUTES", help="begin no round after that")
    parser.add_argument("--patience", type=float, default=60, metavar="N",
                        help="seconds that it may take until all is well again (60)")
    parser.add_argument("--delivery", default="at_least_once", choices=list(DELIVERY),
                        help="atomic is at_least_once with dbmazz.atomic = transaction")
    parser.add_argument("--selftest", action="store_true", help="first show that what is wrong is found")
    parser.add_argument("--recovery", type=int, default=0, metavar="N",
                        help="instead of rounds, end each worker N times and measure how long it takes to recover")
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES",
                        help="instead of rounds, a steady load without faults: does the memory of the processes grow?")
    parser.add_argument("--state", metavar="FILE", help="rounds that are done; they are not run again")
    parser.add_argument("--keep", action="store_true", help="keep files")
    parser.add_argument("--keep-bad", action="store_true", help="keep files of rounds that failed")
    parser.add_argument("--dir", help="where files go")
    parser.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    parser.add_argument("--sandbox-python", default=os.environ.get("DBMAZZ_SANDBOX_PYTHON"))
    return parser.parse_args(argv)


class Runner:
    def __init__(self, options):
        self.options = options
        self.world, self.block = None, None
        self.good = self.bad = 0

    def command(self, seed):
        """What repeats a round."""
        options = self.options
        text = f"make chaos ROUNDS=1 SEED={seed} PG={options.major}"
        if options.seconds != 4:
            text += f" LENGTH={options.seconds:g}"
        return text + (f" DELIVERY={options.delivery}" if options.delivery != "at_least_once" else "")

    def run(self):
        options = self.options
        done = self.finished()
        deadline = time.monotonic() + options.limit * 60 if options.limit else None
        for seed in range(options.seed, options.seed + options.rounds):
            if self.command(seed) in done:
                print(f"round {seed}: done before")
                self.good += 1
            elif deadline and time.monotonic() > deadline:
                print(f"after {options.limit:g} minutes no round is begun any more", flush=True)
                break
            elif self.round(seed):
                self.good += 1
            else:
                self.bad += 1
        self.leave(keep=False)

    def finished(self):
        if not self.options.state or not os.path.exists(self.options.state):
            return set()
        with open(self.options.state, encoding="utf-8") as file:
            return {line.rpartition("; ")[2].strip() for line in file if ": ok; " in line}

    def enter(self, seed):
        """The world of the block of this round, as the last round has left it or anew."""
        block = seed // BLOCK
        if self.world is None or self.block != block:
            self.leave(keep=False)
            self.block = block
            self.world = World(self.options, block)
            self.world.__enter__()
        elif random.Random(f"{seed}/pipeline").random() < 0.3:
            self.world.new_pipeline()
        return self.world

    def leave(self, keep):
        if self.world is not None:
            self.world.__exit__()
            if self.options.keep or keep and self.options.keep_bad:
                print(f"kept: {self.world.base}", flush=True)
            else:
                self.world.remove()
        self.world = None

    def round(self, seed):
        """One round, and a line about it."""
        start = time.monotonic()
        problems, schedule, readers, changes, crashes, healed = [], None, [], 0, 0, start
        try:
            world = self.enter(seed)
            kinds = load.WHOLE_KINDS if world.whole else load.KINDS
            sessions = [load.Session(world.server, seed, number, kinds=kinds) for number in range(load.SESSIONS)]
            sessions.append(load.Trickle(world.server, seed))
            schedule = Schedule(world, seed)
            readers = [Reader(world.sandbox)] if world.whole else []
            for thread in [*sessions, schedule, *readers]:
                thread.start()
            schedule.join(self.options.seconds)
            schedule.end()
            for session in sessions:
                session.end()
            changes = sum(session.changes for session in sessions)
            healed = time.monotonic()
            world.heal()
            problems = [thread.failed for thread in [*sessions, schedule] if thread.failed]
            problems += schedule.errors + world.compare()
            for reader in readers:
                problems += reader.problems()
            found, crashes = world.log_problems()
            problems += found
        except Exception as why:            # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
            problems.append(f"{type(why).__name__}: {why}")
        for reader in readers:
            reader.ended.set()
        looks = f", {sum(reader.looks for reader in readers)} looks at them" if readers else ""
        self.report(seed, problems, schedule.counts if schedule else {}, f"{changes} changes{looks}", crashes, start,
                    healed)
        if problems:
            self.leave(keep=True)
        return not problems

    def report(self, seed, problems, counts, changes, crashes, start, healed):
        for problem in problems[:SHOWN]:
            print(f"round {seed}: PROBLEM: {problem}", flush=True)
        if problems and self.world and self.world.server:
            print(self.world.log.tail(TAIL), flush=True)
        now = time.monotonic()
        broken = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in sorted(counts.items()))
        kinds = f" ({', '.join(self.world.kinds)})" if self.world else ""
        stop = f", slowest stop {self.world.slowest_stop:.1f} s" if self.world and self.world.slowest_stop else ""
        verdict = f"{len(problems)} problems" if problems else "ok"
        line = (f"round {seed}{kinds}: {verdict}; {sum(counts.values())} faults: {broken}; {crashes} crashes{stop};"
                f" {changes}; {now - start:.1f} s,"
                f" {now - healed:.1f} of them until all was well; {self.command(seed)}")
        print(line, flush=True)
        if self.options.state:
            with open(self.options.state, "a", encoding="utf-8") as file:
                file.write(line + "\n")


def main():
    options = parse(sys.argv[1:])
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1000, 10**6)
    if options.selftest and not selftest.run():
        return 1
    try:
        if os.geteuid() == 0:
            raise StandError("PostgreSQL does not run as root; use make chaos or test/run --only chaos")
        if not options.sandbox_python:
            raise StandError("DBMAZZ_SANDBOX_PYTHON is not set")
        options.bindir = subprocess.check_output([options.pg_config, "--bindir"], text=True).strip()
        options.major = subprocess.check_output([options.pg_config, "--version"], text=True).split()[1].split(".")[0]
        with tempfile.TemporaryDirectory(prefix="dbmazz-chaos-", dir=options.dir) as directory:
            options.template = os.path.join(directory, "data")
            if options.recovery:
                return 0 if recovery.measure(options) else 1
            if options.soak:
                return 0 if soak.soak(options) else 1
            runner = Runner(options)
            runner.run()
    except StandError as why:
        print(f"chaos: {why}", file=sys.stderr)
        return 2
    print(f"{runner.good} passed, {runner.bad} failed")
    return 1 if runner.bad or not runner.good else 0


sys.exit(main())
