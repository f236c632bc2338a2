"""The transaction interface: begin, load, prepare, commit, rollback.

A transaction that is not prepared lives with the backend that was named at its
begin, so those calls go there; a prepared one is the frontend's, which answers
itself. Both parts are here, for they share the table of what is open.
"""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field

from . import loadspec, plan
from .app import log
from .errors import ConnectionCut, HeaderError, LabelExists, LoadError, SandboxError
from .loader import Loader, Staged, combine
from .misbehave import garbage, status_answer
from .txn import LIVE

CALL = re.compile(r"/api/transaction/(begin|load|prepare|commit|rollback)")
AT_BACKEND = ("begin", "load", "prepare")
NOT_FORWARDED = ("enclose", "escape", "skip_header", "trim_space", "log_rejected_record_num")
# What must be the same in all loads of a transaction.
PARAMETERS = (
    "columns", "where", "column_separator", "row_delimiter", "partitions", "temporary_partitions",
    "negative", "strict_mode", "timezone", "load_mem_limit", "jsonpaths", "json_root", "strip_outer_array",
    "partial_update", "partial_update_mode", "merge_condition", "format", "compression", "content-encoding")
PREPARED_SECONDS = 86400


class Refused(SandboxError):
    """The call ends with this Status."""

    def __init__(self, status, message, **more):
        super().__init__(message)
        self.status, self.more = status, more


@dataclass
class Open:
    """A transaction that the backend has in its memory."""

    txn: object
    table: str
    timeout: int
    idle: float | None
    used: float
    parameters: dict | None = None
    loader: object | None = None
    staged: list = field(default_factory=list)
    received: int = 0
    busy: bool = False


def is_call(path):
    return CALL.fullmatch(path) is not None


class Call:
    """One call, at the frontend or at the backend."""

    def __init__(self, app, conn, request, stage):
        headers = request.headers
        self.app, self.conn, self.request, self.stage = app, conn, request, stage
        self.name = CALL.fullmatch(request.path).group(1)
        self.db, self.label = headers.get("db", ""), headers.get("label", "")
        self.table = headers.get("table", "")
        self.subject = {"db": self.db, "table": self.table, "label": self.label}
        self.start = time.monotonic()
        self.error_url = None
        self.entry = None

    def fault(self, name, **wanted):
        return self.app.faults.take(name, self.subject, call=self.name, **wanted)

    @property
    def key(self):
        return self.db, self.label

    # -- the frontend ------------------------------------------------------

    def redirected(self):
        """Whether the frontend sends the client on to the backend; raises Refused."""
        if not self.db:
            raise self._ddl("No database selected.")
        if not self.label:
            raise self._ddl("Empty label.")
        if self.name == "begin":
            if not self.table:
                raise self._ddl("Empty table.")
            return True
        txn = self.app.txns.find(self.db, self.label)
        if txn is None:
            raise self._ddl(f"Can't find the transaction with db [{self.db}] and label [{self.label}]")
        return self.name in AT_BACKEND or txn.state == "PREPARE"

    @staticmethod
    def _ddl(text):
        return Refused("FAILED", f"class com.starrocks.common.DdlException: {text}")

    async def at_frontend(self):
        """commit or rollback of a transaction that the backend is not needed for."""
        await self.conn.read_body()
        txn = self.app.txns.find(self.db, self.label)
        if self.name == "commit":
            return await self._commit_prepared(txn)
        await self.app.txns.abort(txn, "user abort")
        if txn.state != "ABORTED":
            raise Refused("FAILED", f"transaction {txn.id} has already been committed, cannot be aborted",
                          Label=self.label, TxnId=txn.id)
        return {"Status": "OK", "Message": "OK", "Label": self.label, "TxnId": txn.id}

    async def _commit_prepared(self, txn):
        names = {"Label": self.label, "TxnId": txn.id}
        if txn.state == "ABORTED":
            raise Refused("FAILED", f"Can not commit ABORTED transaction {txn.id}, reason: {txn.reason}", **names)
        if txn.state not in LIVE:
            return {"Status": "OK", "Message": f"Transaction {txn.id} has already committed, label is {self.label}",
                    **names}
        late = await self._write(txn)
        if late:
            raise Refused("FAILED", "publish timeout: the transaction will be visible later", **names)
        return {"Status": "OK", "Message": "OK", **names}

    async def _write(self, txn, staged=None):
        """Commit; returns the fault that makes it visible late, if there is one."""
        slow = self.app.faults.take("slow_commit", self.subject)
        if slow:
            await asyncio.sleep(float(slow["ms"]) / 1000)
        late = self.app.faults.take("publish_timeout", self.subject)
        try:
            await self.app.txns.commit(txn, staged, float(late["seconds"]) if late else 0.0)
        except LoadError as why:
            raise Refused("FAILED", str(why), Label=self.label, TxnId=txn.id) from None
        return late

    # -- the backend -------------------------------------------------------

    async def at_backend(self):
        self._authenticated()
        if self.name != "load":
            await self.conn.read_body()
        if self.name == "begin":
            return self._begin()
        return await getattr(self, "_" + self.name)(self._find())

    def _authenticated(self):
        _, why = self.app.authenticate(self.request.headers)
        if why is not None:
            raise Refused("NOT_AUTHORIZED", f"{why} No valid Basic authorization")
        if self.app.faults.take("be_restart", self.subject):
            self.app.open.clear()
            for found in self.app.multi.values():
                found.lost = True

    def _find(self):
        """The transaction in the backend's memory."""
        found = self.app.open.get(self.key)
        if found is not None:
            live = self.app.txns.find(self.db, self.label) is found.txn and found.txn.state == "PREPARE"
            idle = found.idle is not None and time.monotonic() - found.used > found.idle
            if not live or idle:
                del self.app.open[self.key]
                if live:
                    self.app.background(self.app.txns.abort(found.txn, "idle transaction timeout"))
                found = None
        if found is None:
            raise Refused("TXN_NOT_EXISTS", f"Transaction with label {self.label} not exists")
        if found.busy:
            raise Refused("TXN_IN_PROCESSING", "Transaction in processing, please retry later")
        found.used = time.monotonic()
        return found

    def _begin(self):
        app, headers = self.app, self.request.headers
        try:
            loadspec.label_of(headers)
            timeout = loadspec.integer(headers, "timeout", 600, 1, loadspec.TIMEOUT_MAX, "Invalid timeout format")
            idle = loadspec.integer(headers, "idle_transaction_timeout", None, 1, loadspec.TIMEOUT_MAX,
                                    "Invalid idle_transaction_timeout format")
        except HeaderError as why:
            raise Refused("INVALID_ARGUMENT", str(why)) from None
        if self.db not in app.catalog.databases:
            raise Refused("ANALYSIS_ERROR", f"unknown database, database={self.db}")
        if app.catalog.table(self.db, self.table) is None:
            raise Refused("ANALYSIS_ERROR", f'unknown table "{self.db}.{self.table}"')
        try:
            if app.faults.take("too_many_txns", self.subject):
                raise app.txns.too_many(self.db, app.txns.max_running)
            txn = app.txns.begin(self.db, self.label, self.table, timeout)
        except LabelExists as why:
            raise Refused("LABEL_ALREADY_EXISTS", str(why), ExistingJobStatus=why.job_status) from None
        except LoadError as why:
            raise Refused("ANALYSIS_ERROR", str(why)) from None
        app.open[self.key] = Open(txn, self.table, timeout, idle, time.monotonic())
        return {"Status": "OK", "Message": "", "Label": self.label, "TxnId": txn.id, "BeginTxnTimeMs": 0}

    async def _load(self, found):
        if self.table != found.table:
            raise Refused("INVALID_ARGUMENT", f"Request table {self.table} not equal transaction table {found.table}")
        found.busy = True
        try:
            staged = await self._stage(found)
        except (LoadError, Refused) as why:
            await self._undo(found, str(why))
            raise self._failure(found, why) from None
        except ConnectionCut:
            await self._undo(found, "connection cut within the body")
            raise
        finally:
            found.busy = False
            found.used = time.monotonic()
        found.staged.append(staged)
        return {"Status": "OK", "Message": "", "Label": self.label, "TxnId": found.txn.id,
                "LoadBytes": self.conn.received, "StreamLoadPlanTimeMs": 0, "ReceivedDataTimeMs": 0}

    def _failure(self, found, why):
        status = why.status if isinstance(why, Refused) else "ANALYSIS_ERROR"
        return Refused(status, str(why), Label=self.label, TxnId=found.txn.id)

    async def _stage(self, found):
        """Take the body; what is wrong with rows is told by prepare or commit."""
        headers = {k: v for k, v in self.request.headers.items() if k not in NOT_FORWARDED}
        parameters = {k: headers[k] for k in PARAMETERS if k in headers}
        if found.parameters not in (None, parameters):
            raise Refused("INTERNAL_ERROR", "load request not equal last.")
        found.parameters = parameters
        spec = loadspec.parse(headers, self.label, self.app.config.max_body_bytes)
        table = self.app.catalog.table(self.db, self.table)
        if table is None:
            raise LoadError(f'unknown table "{self.db}.{self.table}"')
        reject = self.app.faults.take("reject_rows", self.subject)
        shuffle = self.app.faults.take("shuffle_equal_keys", self.subject) is not None
        found.loader = Loader(spec, plan.build(spec, table), table, shuffle, reject and reject["where"])
        if self.request.expects_continue:
            await self.conn.send_continue()
        seconds = max(found.txn.deadline_ms / 1000 - time.time(), 0.001)
        try:
            body = await asyncio.wait_for(self._read(), seconds)
        except TimeoutError:
            raise LoadError("timeout by txn manager") from None
        found.received += len(body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.app.loaders, self._loaded, found.loader, body)

    def _loaded(self, loader, body):
        try:
            return loader.run(body)
        except LoadError as why:
            return Staged(self.db, self.table, 0, False, failure=str(why))

    async def _read(self):
        parts, size = [], 0
        cut, slow = self.fault("txn_cut", when="during"), self.app.faults.take("slow_read", self.subject)
        while (chunk := await self.conn.read_chunk()) is not None:
            parts.append(chunk)
            size += len(chunk)
            if cut:
                self.conn.cut(cut["reset"])
                raise ConnectionCut("txn_cut during")
            if size > self.app.config.max_body_bytes:
                raise LoadError(f"body size {size} exceed limit: {self.app.config.max_body_bytes}")
            if slow:
                await asyncio.sleep(len(chunk) / float(slow["bytes_per_second"]))
        return b"".join(parts)

    async def _finished(self, found):
        """All bodies as one staged load; raises Refused, and then the transaction is gone."""
        if not found.staged:
            raise Refused("INTERNAL_ERROR", "no data was sent in the transaction",
                          Label=self.label, TxnId=found.txn.id)
        staged = combine(found.staged, found.loader)
        if staged.errors:
            self.error_url = self.app.write_error_log(uuid.uuid4().hex, staged.errors)
        if staged.failure:
            await self._undo(found, staged.failure)
            raise Refused("INTERNAL_ERROR", staged.failure, **self._counts(found, staged))
        return staged

    def _counts(self, found, staged):
        out = {"Label": self.label, "TxnId": found.txn.id,
               "NumberTotalRows": staged.total, "NumberLoadedRows": staged.loaded,
               "NumberFilteredRows": staged.filtered, "NumberUnselectedRows": staged.unselected,
               "LoadBytes": found.received, "LoadTimeMs": int((time.monotonic() - self.start) * 1000),
               "StreamLoadPlanTimeMs": 0, "ReceivedDataTimeMs": 0, "WriteDataTimeMs": 0,
               "CommitAndPublishTimeMs": 0}
        if self.error_url:
            out["ErrorURL"] = self.error_url
        return out

    async def _prepare(self, found):
        try:
            seconds = loadspec.integer(self.request.headers, "prepared_timeout", PREPARED_SECONDS, 1,
                                       loadspec.TIMEOUT_MAX, "Invalid prepared_timeout format")
        except HeaderError as why:
            raise Refused("INVALID_ARGUMENT", str(why)) from None
        staged = await self._finished(found)
        try:
            await self.app.txns.prepare(found.txn, staged, seconds)
        except LoadError as why:
            raise Refused("INTERNAL_ERROR", str(why)) from None
        self.app.open.pop(self.key, None)
        return {"Status": "OK", "Message": "", **self._counts(found, staged)}

    async def _commit(self, found):
        staged = await self._finished(found)
        late = await self._write(found.txn, staged)
        self.app.open.pop(self.key, None)
        if late:
            raise Refused("TIMEOUT", "publish timeout", Label=self.label, TxnId=found.txn.id)
        return {"Status": "OK", "Message": "", **self._counts(found, staged)}

    async def _rollback(self, found):
        await self._undo(found, "user abort")
        return {"Status": "OK", "Message": "", "Label": self.label, "TxnId": found.txn.id}

    async def _undo(self, found, reason):
        self.app.open.pop(self.key, None)
        await self.app.txns.abort(found.txn, reason)

    # -- both --------------------------------------------------------------

    async def run(self, func):
        """Carry the call out by func() and answer, or do what a fault says."""
        if await self._broken("before"):
            return
        self.entry = self.app.record(
            stage="txn", call=self.name, label=self.label, db=self.db, table=self.table, outcome="RUNNING",
            message="", rows=0, loaded=0, bytes=0, ms=0)
        try:
            failing = self.fault("txn_fail")
            if failing:
                raise await self._injected(failing)
            answer = await func()
        except Refused as why:
            answer = {"Status": why.status, "Message": str(why), **why.more}
        except ConnectionCut as why:
            self.entry.update(outcome="CUT", message=str(why))
            raise
        except Exception as why:            # a defect here must still answer like a server
            log.exception("%s failed", self.name)
            answer = {"Status": "INTERNAL_ERROR", "Message": f"internal error: {why}"}
        self.entry.update(
            outcome=answer["Status"], message=answer["Message"], bytes=self.conn.received,
            rows=answer.get("NumberTotalRows", 0), loaded=answer.get("NumberLoadedRows", 0),
            ms=int((time.monotonic() - self.start) * 1000))
        if not await self._broken("after"):
            unread = self.name == "load" and answer["Status"] != "OK"
            await self.conn.respond_json(answer, close=unread)

    async def _injected(self, fault):
        found = self.app.open.get(self.key)
        if found is not None and self.name in ("load", "prepare"):
            await self._undo(found, fault["message"])
        return Refused(fault["status"], fault["message"], Label=self.label)

    async def _broken(self, when):
        """Faults of the transport; True if there is no answer any more."""
        delay = self.fault("txn_delay", when=when)
        if delay:
            await asyncio.sleep(float(delay["seconds"]))
        if cut := self.fault("txn_cut", when=when):
            self.conn.cut(cut["reset"])
        elif fault := self.fault("txn_status", when=when):
            await status_answer(self.conn, fault)
        elif self.fault("txn_garbage", when=when):
            await garbage(self.conn)
        else:
            return False
        return True
