"""Who looks at the target all the time, and must never see a part of a transaction."""

import http.client
import threading

from teststand import StandError
from teststand.server import wait_until

# one statement sees one state of all tables
LOOK = ("SELECT (SELECT sum(n) FROM bank_left), (SELECT sum(n) FROM bank_right), (SELECT sum(amount) FROM moves),"
        " (SELECT count(*) FROM moves)")
EVERY = 0.02
LEAST = 20
SHOWN = 3


class Reader(threading.Thread):
    def __init__(self, sandbox):
        super().__init__(name="reader", daemon=True)
        self.sandbox = sandbox
        self.ended = threading.Event()
        self.looks, self.broken = 0, []
        self.states = set()

    def run(self):
        while not self.ended.wait(EVERY):
            try:
                self.look(*self.sandbox.sql(LOOK)["rows"][0])
            except (OSError, http.client.HTTPException, StandError):
                pass                        # the target is away; problems() tells if it always was

    def look(self, left, right, moved, count):
        left, right, moved = (int(part or 0) for part in (left, right, moved))
        self.looks += 1
        self.states.add(count)
        if left + right != 0 or right != moved:
            self.broken.append(f"a reader saw a part of a transaction: left {left}, right {right}, moved {moved}"
                               f" in {count}")

    def problems(self):
        """When all is well again; nothing seen is a problem, too."""
        wait_until("the reader to look", 60, lambda: self.looks >= LEAST)
        self.ended.set()
        if self.ident:
            self.join(60)
        if len(self.states) < 2:
            return [f"a reader has looked {self.looks} times, and always saw the same"]
        return self.broken[:SHOWN]
