"""The BE listener: Stream Load itself, and the error logs."""

import asyncio
import os
import re
import time
import uuid

from . import loadspec, multi, plan, transaction
from .app import log
from .errors import ConnectionCut, LabelExists, LoadError
from .loader import Loader, Staged
from .misbehave import be_answer, be_early

LOGGED_HEADERS = (
    "columns", "format", "partial_update", "partial_update_mode", "strict_mode", "max_filter_ratio",
    "strip_outer_array", "ignore_json_size", "timeout", "content-length", "transfer-encoding",
    "compression", "content-encoding", "expect", "where", "merge_condition", "user-agent",
)
STREAM_LOAD = re.compile(r"/api/([^/]+)/([^/]+)/_stream_load")
SMALL_BODY = 16384
LIMIT_TEXT = ("Failed to load data into tablet 10001, because of too many versions, current/limit: "
              "1001/1000. You can reduce the loading job concurrency, or increase loading data batch size.")
UNKNOWN_TEXT = ("Commit transaction fail cause {why}, Transaction status unknown, "
                "you can retry with same label.")


def handler(app):
    async def handle(conn, request):
        match = STREAM_LOAD.fullmatch(request.path)
        if match and request.method == "PUT":
            await StreamLoad(app, conn, request, match.group(1), match.group(2)).run()
        elif transaction.is_call(request.path) and request.method in ("PUT", "POST"):
            call = multi.call_of(app, conn, request, "be")
            await call.run(call.at_backend)
        elif request.path == "/api/_load_error_log" and request.method == "GET":
            await conn.read_body()
            await _error_log(app, conn, request)
        elif request.path == "/api/health":
            await conn.read_body()
            await conn.respond_json({"status": "OK", "msg": "To Be Added"})
        else:
            await conn.respond(404, b"Not Found", "text/plain", close=True)

    return handle


async def _error_log(app, conn, request):
    name = request.query.get("file", "")
    path = os.path.join(app.errors, name)
    if not re.fullmatch(r"error_log_[-\w]+", name) or not os.path.exists(path):
        await conn.respond(404, b"file does not exist\n", "text/plain")
        return
    with open(path, "rb") as file:
        await conn.respond(200, file.read(), "text/plain")


def _ms(since):
    return int((time.monotonic() - since) * 1000)


class StreamLoad:
    """One request, from its headers to its answer."""

    def __init__(self, app, conn, request, db, table):
        self.app, self.conn, self.request = app, conn, request
        self.db, self.table = db, table
        headers = request.headers
        self.label = headers.get("label", "")
        self.subject = {"db": db, "table": table, "label": self.label}
        self.start = time.monotonic()
        self.times = {}
        self.txn = self.staged = None
        self.error_url = None
        self.entry = app.record(
            stage="be", label=self.label, db=db, table=table, user=None,
            headers={k: headers[k] for k in LOGGED_HEADERS if k in headers},
            outcome="RUNNING", message="", txn_id=-1, rows=0, loaded=0, deletes=0, filtered=0,
            bytes=0, ms=0)

    def fault(self, name, **wanted):
        return self.app.faults.take(name, self.subject, **wanted)

    async def run(self):
        try:
            if await be_early(self):
                return
            status = await self._guarded()
        except ConnectionCut as why:
            self.close_entry("CUT", str(why))
            await self._abort(str(why) or "connection cut")
            raise
        if status is not None:
            await be_answer(self, *status)

    async def _guarded(self):
        """Carry the load out; returns (status, message, job status, early) for the answer."""
        early = True
        try:
            self._headers()
            early = False
            await self._continue()
            body = await self._body()
            await self._load(body)
            return await self._commit()
        except LabelExists as why:
            if self.fault("label_used_as_fail"):
                return "Fail", str(why), None, True
            return "Label Already Exists", str(why), why.job_status, True
        except LoadError as why:
            await self._abort(str(why))
            return why.status, str(why), None, early
        except ConnectionCut:
            raise
        except Exception as why:            # a defect here must still answer like a server
            log.exception("load failed")
            await self._abort(str(why))
            return "Fail", f"internal error: {why}", None, early

    # -- phases ------------------------------------------------------------

    def _headers(self):
        """Everything that is decided before the body: raises LoadError."""
        app = self.app
        user, why = app.authenticate(self.request.headers)
        self.entry["user"] = user
        if why is not None:
            if user is None:
                raise LoadError("no valid Basic authorization")
            raise LoadError(why)
        self.label = self.entry["label"] = self.subject["label"] = loadspec.label_of(self.request.headers)
        self.spec = loadspec.parse(self.request.headers, self.label, app.config.max_body_bytes)
        if self.db not in app.catalog.databases:
            raise LoadError(f"unknown database, database={self.db}")
        table = app.catalog.table(self.db, self.table)
        if table is None:
            raise LoadError(f'unknown table "{self.db}.{self.table}"')
        if self.fault("too_many_txns"):
            raise app.txns.too_many(self.db, app.txns.max_running)
        self.txn = app.txns.begin(self.db, self.label, self.table, self.spec.timeout)
        self.times["begin"] = _ms(self.start)
        self.entry["txn_id"] = self.txn.id
        self.plan = plan.build(self.spec, table)
        self.shuffle = self.fault("shuffle_equal_keys") is not None
        reject = self.fault("reject_rows")
        self.loader = Loader(self.spec, self.plan, table, self.shuffle, reject and reject["where"])

    async def _continue(self):
        if self.request.expects_continue:
            late = self.fault("be_no_continue")
            if late:
                await asyncio.sleep(float(late["seconds"]))
            await self.conn.send_continue()

    async def _body(self):
        """The whole body; a torn one aborts the load."""
        seconds = max(self.txn.deadline_ms / 1000 - time.time(), 0.001)
        try:
            return await asyncio.wait_for(self._read(), seconds)
        except TimeoutError:
            raise LoadError("timeout by txn manager") from None
        except ConnectionCut:
            if self.conn.closed:
                raise
            expected = self.spec.content_length
            raise LoadError(
                f"receive body don't equal with body bytes, body_bytes={expected}, "
                f"receive_bytes={self.conn.received}, id={self.txn.id}") from None
        finally:
            self.entry["bytes"] = self.conn.received
            self.times["read"] = _ms(self.start)

    async def _read(self):
        slow, cut = self.fault("slow_read"), self.fault("be_cut", when="during_body")
        conn, parts, size = self.conn, [], 0
        while (chunk := await conn.read_chunk()) is not None:
            parts.append(chunk)
            size += len(chunk)
            if cut and size >= int(cut["bytes"]):
                conn.cut(cut["reset"])
                raise ConnectionCut("be_cut during_body")
            if size > self.app.config.max_body_bytes:
                raise LoadError(f"body size {size} exceed limit: {self.app.config.max_body_bytes}")
            if slow:
                await asyncio.sleep(len(chunk) / float(slow["bytes_per_second"]))
        cut = self.fault("be_cut", when="after_body")
        if cut:
            conn.cut(cut["reset"])
            raise ConnectionCut("be_cut after_body")
        return b"".join(parts)

    async def _load(self, body):
        for name, text in (("too_many_versions", LIMIT_TEXT),
                           ("memory_limit", "Memory of process exceed limit. Mem usage has exceed the limit of BE")):
            if self.fault(name):
                raise LoadError(text)
        failing = self.fault("fail")
        if failing:
            raise LoadError(failing["message"], failing["status"])
        if len(body) < SMALL_BODY:
            staged = self.loader.run(body)       # quicker than a change of threads
        else:
            loop = asyncio.get_running_loop()
            staged = await loop.run_in_executor(self.app.loaders, self.loader.run, body)
        self.staged = staged
        self.times["write"] = _ms(self.start)
        if staged.errors:
            self.error_url = self.app.write_error_log(uuid.uuid4().hex, staged.errors)
        if staged.failure:
            raise LoadError(staged.failure)

    async def _hold(self):
        """Stay in PREPARE until released, cancelled or timed out; the client may be gone."""
        if not self.fault("hold"):
            return
        self.txn.waiter = asyncio.Event()
        self.entry["outcome"] = "HELD"
        try:
            await asyncio.wait_for(self.txn.waiter.wait(), max(self.txn.deadline_ms / 1000 - time.time(), 0))
        except TimeoutError:
            pass
        finally:
            self.txn.waiter = None

    async def _commit(self):
        await self._hold()
        slow = self.fault("slow_commit")
        if slow:
            await asyncio.sleep(float(slow["ms"]) / 1000)
        unknown = self.fault("txn_status_unknown")
        if unknown:
            return await self._unknown(unknown)
        late = self.fault("publish_timeout")
        await self.app.txns.commit(self.txn, self.staged, float(late["seconds"]) if late else 0.0)
        cut = self.fault("be_cut", when="after_commit")
        if cut:
            self.conn.cut(cut["reset"])
            self.close_entry("COMMITTED", "be_cut after_commit")
            return None
        if late:
            return "Publish Timeout", "transaction commit successfully, BUT data will be visible later", None, False
        return "Success", "OK", None, False

    async def _unknown(self, fault):
        """Answer before the outcome is known; it settles at once or later."""

        async def settle(seconds):
            await asyncio.sleep(seconds)
            if fault["committed"]:
                await self.app.txns.commit(self.txn, self.staged)
            else:
                await self.app.txns.abort(self.txn, "commit failed")

        seconds = float(fault["seconds"])
        if seconds > 0:
            self.app.background(settle(seconds))
        else:
            await settle(0)
        return "Fail", UNKNOWN_TEXT.format(why="rpc failed"), None, False

    async def _abort(self, reason):
        if self.txn is not None:
            await self.app.txns.abort(self.txn, reason)

    # -- the answer --------------------------------------------------------

    def close_entry(self, outcome, message=""):
        staged = self.staged or Staged(self.db, self.table, 0, False)
        self.entry.update(
            outcome=outcome, message=message, rows=staged.total, loaded=staged.loaded,
            deletes=staged.deletes, filtered=staged.filtered, ms=_ms(self.start))

    def result(self, status, message, job_status):
        """The JSON of the answer, with its fields in the order of the real one."""
        staged = self.staged or Staged(self.db, self.table, 0, False)
        out = {
            "TxnId": -1 if self.txn is None else self.txn.id,
            "Label": self.label, "Status": status,
        }
        if job_status:
            out["ExistingJobStatus"] = job_status
        self.close_entry(status, message)
        out.update({
            "Message": message, "NumberTotalRows": staged.total, "NumberLoadedRows": staged.loaded,
            "NumberFilteredRows": staged.filtered, "NumberUnselectedRows": staged.unselected,
            "LoadBytes": self.conn.received, "LoadTimeMs": _ms(self.start),
            "BeginTxnTimeMs": self.times.get("begin", 0), "StreamLoadPlanTimeMs": 0,
            "ReadDataTimeMs": self.times.get("read", 0), "WriteDataTimeMs": self.times.get("write", 0),
            "CommitAndPublishTimeMs": 0,
        })
        if self.error_url:
            out["ErrorURL"] = self.error_url
        return out
