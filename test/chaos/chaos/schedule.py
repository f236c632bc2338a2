"""Breaks things one after the other, and several at a time."""

import random
import threading
import time
from collections import Counter

import psycopg

from teststand import StandError

from .faults import Faults, NotNow

# a server that goes, is away, or comes
AWAY = {"57P01", "57P02", "57P03", None}
LONGEST = 2.5


class Schedule(threading.Thread):
    def __init__(self, world, seed):
        super().__init__(name="schedule", daemon=True)
        self.rng = random.Random(f"{seed}/schedule")
        self.faults = Faults(world, self.rng)
        self.ended = threading.Event()
        self.ends = []                      # (when, function)
        self.counts, self.failed = Counter(), None
        self.errors = []

    def run(self):
        try:
            while not self.ended.is_set():
                for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
                    self.break_something()
                self.wait(self.rng.uniform(0.05, 0.7))
        except BaseException as why:        # pylint: disable=broad-except
            self.failed = f"schedule: {type(why).__name__} {why}"

    def break_something(self):
        # all is drawn before anything is looked at: chance does not depend on how things go
        name, begin = self.faults.draw()
        lasts = self.rng.uniform(0.1, LONGEST)
        if not self.ended.is_set() and (end := self.attempt(name, begin)) is not None:
            self.ends.append((time.monotonic() + lasts, end))

    def attempt(self, name, begin):
        try:
            end = begin()
        except NotNow:
            return None
        except psycopg.Error as why:
            # 57014 would be one that was not served in time
            if why.sqlstate == "57014":
                raise StandError(f"{name} took too long") from why
            if why.sqlstate not in AWAY:
                self.errors.append(f"{name}: {why}")
            return None
        self.counts[name] += 1
        return end

    def wait(self, seconds):
        """Meanwhile what was broken for a while becomes whole."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            for item in [item for item in self.ends if item[0] <= now]:
                self.ends.remove(item)
                item[1]()
            for again in self.faults.every:
                again()
            if now >= deadline or self.ended.wait(0.03):
                return

    def end(self):
        """Everything is whole again, but what only World.heal() can do."""
        self.ended.set()
        self.join(180)
        if self.is_alive():
            raise StandError("the schedule does not end")
        for _, end in self.ends:
            end()
        self.ends = []
