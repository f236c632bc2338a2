"""Transactions of several tables: begin, load for each table, commit, rollback.

The frontend has them in its memory and answers all calls but load, which it sends to
a backend that it has told about the table before. Until its commit such a
transaction is not among those that labels can be asked for.
"""

import time
from dataclasses import dataclass, field

from . import loadspec
from .errors import ConnectionCut, HeaderError, LabelExists, LoadError
from .loader import combine
from .transaction import Call, Open, Refused

DEFAULT_TIMEOUT = 20


@dataclass
class Multi:
    """A transaction of several tables in the frontend's memory, kept after its end."""

    txn: object
    timeout: int
    tables: dict = field(default_factory=dict)      # name -> Open
    sent_on: set = field(default_factory=set)       # tables that the backend was told about
    is_cancelled: bool = False                      # a frontend that was restarted says so, whatever became of it
    lost: bool = False                          # the backend has forgotten the rows

    @property
    def hidden(self):
        return self.txn.state == "PREPARE"


class MultiCall(Call):
    """One call with transaction_type: multi."""

    # -- the frontend ------------------------------------------------------

    def redirected(self):
        if not self.db:
            raise self._ddl("No database selected.")
        if not self.label:
            raise self._ddl("Empty label.")
        if self.name != "load":
            return False
        self._take_part(self._found())
        return True

    async def at_frontend(self):
        await self.conn.read_body()
        if self.app.faults.take("fe_restart", self.subject):
            for found in self.app.multi.values():
                await self.app.txns.abort(found.txn, "cancelled after FE restart")
                found.is_cancelled = True
        if self.name == "prepare":
            raise Refused("FAILED", "class com.starrocks.common.StarRocksException: Unsupported operation: prepare")
        if self.name == "begin":
            return self._begin_multi()
        return await (self._commit_multi if self.name == "commit" else self._rollback_multi)(self._found())

    def _found(self):
        found = self.app.multi.get(self.key)
        if found is None:
            raise Refused("FAILED", f"stream load task {self.label} does not exist")
        self.app.txns.settle(found.txn)
        return found

    def _names(self, found):
        return {"Label": self.label, "TxnId": found.txn.id}

    def _begin_multi(self):
        app = self.app
        try:
            loadspec.label_of(self.request.headers)
            timeout = loadspec.integer(self.request.headers, "timeout", DEFAULT_TIMEOUT, 1, loadspec.TIMEOUT_MAX,
                                       "Invalid timeout format")
        except HeaderError as why:
            raise Refused("FAILED", str(why)) from None
        if self.db not in app.catalog.databases:
            raise Refused("FAILED", f"unknown database, database={self.db}")
        old = app.multi.get(self.key)
        if old is not None:
            raise Refused("LABEL_ALREADY_EXISTS", f"Label [{self.label}] has already been used.",
                          ExistingJobStatus="RUNNING" if old.hidden else "FINISHED")
        try:
            if app.faults.take("too_many_txns", self.subject):
                raise app.txns.too_many(self.db, app.txns.max_running)
            txn = app.txns.begin(self.db, self.label, "", timeout)
        except LabelExists as why:
            raise Refused("LABEL_ALREADY_EXISTS", str(why), ExistingJobStatus=why.job_status) from None
        except LoadError as why:
            raise Refused("FAILED", str(why)) from None
        found = app.multi[self.key] = Multi(txn, timeout)
        return {"Status": "OK", "Message": "", **self._names(found)}

    def _take_part(self, found):
        """What the frontend looks at before it names a backend for a table's rows."""
        if not found.hidden:
            raise Refused("FAILED", f"stream load task {self.label} has already been {found.txn.state}: "
                          f"{found.txn.reason}")
        if self.app.catalog.table(self.db, self.table) is None:
            self.app.background(self.app.txns.abort(found.txn, f"no table {self.table}"))
            raise Refused("FAILED", "class com.starrocks.common.MetaNotFoundException: "
                          f"Failed to find table {self.table} in db {self.db}")
        part = found.tables.get(self.table)
        if part is not None and part.busy:
            raise Refused("TXN_IN_PROCESSING", "Transaction in processing, please retry later")
        found.sent_on.add(self.table)

    async def _commit_multi(self, found):
        txn, names = found.txn, self._names(found)
        if txn.state in ("COMMITTED", "VISIBLE"):
            return {"Status": "OK", "Message": f"Transaction {txn.id} has already committed, label is {self.label}",
                    **names}
        if txn.state == "ABORTED":
            raise Refused("FAILED", f"Can not commit CANCELLED transaction {txn.id}, label is {self.label}", **names)
        if txn.committing or any(part.busy for part in found.tables.values()):
            raise Refused("FAILED", f"Transaction {txn.id} is already committing, label is {self.label}", **names)
        if self.app.faults.take("commit_undone", self.subject):
            await self.app.txns.abort(txn, "commit failed: injected failure")
            return {"Status": "OK", "Message": "", **names}
        loads = []
        failure = "coordinator of the load is gone" if found.lost else None
        for part in found.tables.values():
            if part.staged and not failure:
                loads.append(combine(part.staged, part.loader))
                failure = loads[-1].failure
        if failure:
            await self.app.txns.abort(txn, f"commit failed: {failure}")
            raise Refused("FAILED", failure, **names)
        late = await self._write(txn, loads)
        found.tables.clear()
        if late:
            raise Refused("FAILED", "publish timeout: the transaction will be visible later", **names)
        return {"Status": "OK", "Message": "", **names}

    async def _rollback_multi(self, found):
        txn, names = found.txn, self._names(found)
        if found.is_cancelled or txn.state == "ABORTED":
            # after a restart so are those that were committed: their end is not in the journal
            return {"Status": "OK", "Message": f"stream load task {self.label} has already aborted", **names}
        if txn.state in ("COMMITTED", "VISIBLE"):
            raise Refused("FAILED", f"Can not abort VISIBLE transaction {txn.id}, label is {self.label}", **names)
        if txn.committing:
            raise Refused("FAILED", f"Can not abort transaction {txn.id} during committing, label is {self.label}",
                          **names)
        await self.app.txns.abort(txn, "manual abort")
        return {"Status": "OK", "Message": f"stream load {self.label} abort", **names}

    # -- the backend -------------------------------------------------------

    async def at_backend(self):
        self._authenticated()
        found = self.app.multi.get(self.key)
        if self.name != "load" or found is None or self.table not in found.sent_on:
            if self.name != "load":
                await self.conn.read_body()
            raise Refused("INVALID_ARGUMENT", "Multi-statement transaction requests can only be sent to FE nodes, "
                          "not BE nodes")
        found.sent_on.discard(self.table)
        part = found.tables.setdefault(self.table, Open(found.txn, self.table, found.timeout, None, time.monotonic()))
        if part.busy:
            raise Refused("TXN_IN_PROCESSING", "Transaction in processing, please retry later")
        part.busy = True
        try:
            staged = await self._stage(part)
        except (LoadError, Refused) as why:
            await self.app.txns.abort(found.txn, f"LOAD exception: {why}")
            raise Refused("FAILED", str(why), **self._names(found)) from None
        except ConnectionCut:
            await self.app.txns.abort(found.txn, "connection cut within the body")
            raise
        finally:
            part.busy = False
        if not found.hidden:
            raise Refused("FAILED", f"stream load task {self.label} is gone: {found.txn.reason}")
        part.staged.append(staged)
        return {"Status": "OK", "Message": "", **self._names(found), "LoadBytes": self.conn.received}

    async def _injected(self, fault):
        found = self.app.multi.get(self.key)
        if found is not None and self.name in ("load", "commit"):
            await self.app.txns.abort(found.txn, fault["message"])
        return Refused(fault["status"], fault["message"], Label=self.label)


def call_of(app, conn, request, stage):
    """The call that a request is; a server before 4.0 knows nothing of several tables."""
    if request.headers.get("transaction_type", "").lower() == "multi" and not app.faults.take("no_multi", {}):
        return MultiCall(app, conn, request, stage)
    return Call(app, conn, request, stage)
