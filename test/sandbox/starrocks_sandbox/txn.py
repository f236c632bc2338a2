"""Load transactions and their labels, with the target's retention rules.

A transaction in PREPARE lives in memory only and is gone after a restart, as
in the real system; a prepared one is durable, and so is a finished one, which is
forgotten by age and by count. All methods run on the event loop.
"""

import asyncio
import time
from dataclasses import dataclass

from .errors import LabelExists, LoadError

LIVE = ("PREPARE", "PREPARED")
PURGE_BATCH = 200


def now_ms():
    return int(time.time() * 1000)


@dataclass
class Txn:
    id: int
    db: str
    label: str
    table: str
    state: str
    reason: str = ""
    begin_ms: int = 0
    finish_ms: int = 0
    visible_ms: int = 0
    deadline_ms: int = 0
    waiter: object | None = None        # a held load: event set by release or cancel
    committing: bool = False               # the write is under way: too late to abort

    def row(self):
        return (self.id, self.db, self.label, self.table, self.state, self.reason,
                self.begin_ms, self.finish_ms, self.visible_ms)


class TxnManager:
    def __init__(self, store, keep_seconds, keep_num, max_running):
        self.store = store
        self.keep_seconds = keep_seconds
        self.keep_num = keep_num
        self.max_running = max_running
        self._labels = {}                   # db -> {label: Txn}, finished ones in order of finish
        self._stale = []
        self._next = int(time.time()) % 100000 + 1000
        for row in store.load_txns():
            txn = Txn(*row)
            if txn.state == "COMMITTED":
                txn.state = "VISIBLE"       # a restart publishes what was committed
            self._labels.setdefault(txn.db, {})[txn.label] = txn
            self._next = max(self._next, txn.id + 1)
        for ident, deadline in store.load_prepared():
            for txn in self._all():
                if txn.id == ident:
                    txn.deadline_ms = deadline

    def _all(self):
        return (t for labels in self._labels.values() for t in labels.values())

    def begin(self, db, label, table, timeout):
        """Start a transaction; raises LabelExists or LoadError."""
        old = self.find(db, label)
        if old is not None and old.state != "ABORTED":
            raise LabelExists(label, "RUNNING" if old.state in LIVE else "FINISHED")
        running = sum(1 for t in self._labels.get(db, {}).values() if self.settle(t).state in LIVE)
        if running >= self.max_running:
            raise self.too_many(db, running)
        start = now_ms()
        txn = Txn(self._next, db, label, table, "PREPARE", begin_ms=start,
                  deadline_ms=start + timeout * 1000)
        self._next += 1
        if old is not None:
            self._forget(old)
        self._labels.setdefault(db, {})[label] = txn
        return txn

    def too_many(self, db, running):
        return LoadError(f"current running txns on db {db} is {running}, larger than limit {self.max_running}")

    def find(self, db, label):
        """The transaction of a label after retention and timeouts, or None."""
        self._expire(db)
        txn = self._labels.get(db, {}).get(label)
        return None if txn is None else self.settle(txn)

    def of_db(self, db):
        self._expire(db)
        return [self.settle(t) for t in self._labels.get(db, {}).values()]

    def held(self):
        return [t for t in self._all() if t.waiter is not None]

    async def prepare(self, txn, load, seconds):
        """Make the rows durable, but not yet visible."""
        self.settle(txn)
        if txn.state != "PREPARE":
            raise LoadError(f"transaction is already {txn.state}. abort reason: {txn.reason}")
        done = Txn(**{**txn.__dict__, "waiter": None})
        done.state, done.deadline_ms = "PREPARED", now_ms() + seconds * 1000
        txn.committing = True
        try:
            await self.store.save_prepared(load, done.row(), done.deadline_ms)
            txn.state, txn.deadline_ms = done.state, done.deadline_ms
        finally:
            txn.committing = False

    async def commit(self, txn, load, visible_after=0.0):
        """Write rows and label together; VISIBLE at once or later.

        The rows of a prepared transaction are in the store already.
        """
        self.settle(txn)
        while txn.committing:                   # another call was quicker
            await asyncio.sleep(0.005)
        if txn.state in ("COMMITTED", "VISIBLE"):
            return
        if txn.state not in LIVE:
            raise LoadError(f"transaction is already aborted. abort reason: {txn.reason}")
        txn.committing = True
        finish = now_ms()
        done = Txn(**{**txn.__dict__, "waiter": None})
        done.state = "COMMITTED" if visible_after else "VISIBLE"
        done.finish_ms, done.visible_ms = finish, finish + int(visible_after * 1000)
        try:
            await self.store.apply_load(load, done.row(), txn.state == "PREPARED")
            txn.state, txn.finish_ms, txn.visible_ms = done.state, finish, done.visible_ms
        finally:
            txn.committing = False
        await self._finished(txn)

    async def abort(self, txn, reason):
        """Abort a live transaction; no effect on a finished one."""
        if txn.state not in LIVE or txn.committing:
            return
        txn.state, txn.reason, txn.finish_ms = "ABORTED", reason, now_ms()
        if txn.waiter is not None:
            txn.waiter.set()
        await self.store.save_txn(txn.row(), True)
        await self._finished(txn)

    def drop_database(self, db):
        self._labels.pop(db, None)

    async def _finished(self, txn):
        labels = self._labels.get(txn.db)
        if labels is not None and labels.get(txn.label) is txn:
            del labels[txn.label]           # to the end: the dict is in order of finish
            labels[txn.label] = txn
        self._expire(txn.db)
        if len(self._stale) >= PURGE_BATCH:
            stale, self._stale = self._stale, []
            await self.store.forget_txns(stale)

    def settle(self, txn):
        """Apply what time alone changes: publication and timeout."""
        now = now_ms()
        if txn.state == "COMMITTED" and now >= txn.visible_ms:
            txn.state = "VISIBLE"
        elif txn.state in LIVE and not txn.committing and now > txn.deadline_ms:
            txn.state, txn.reason, txn.finish_ms = "ABORTED", "timeout by txn manager", now
            if txn.waiter is not None:
                txn.waiter.set()
        return txn

    def _forget(self, txn):
        labels = self._labels.get(txn.db, {})
        if labels.get(txn.label) is txn:
            del labels[txn.label]
        self._stale.append(txn.id)

    def _expire(self, db):
        finished = [t for t in self._labels.get(db, {}).values() if t.state not in LIVE]
        oldest = now_ms() - self.keep_seconds * 1000
        surplus = len(finished) - self.keep_num
        for i, txn in enumerate(finished):
            if i >= surplus and txn.finish_ms >= oldest:
                break
            self._forget(txn)
