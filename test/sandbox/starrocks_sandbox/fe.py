"""The FE listener: redirects, label state, schemas, health, SQL over HTTP."""

import asyncio
import re
from urllib.parse import quote as url_quote

from . import multi, transaction
from .admin import admin
from .app import log, ndjson
from .errors import SandboxError
from .misbehave import fe_fault

STREAM_LOAD = re.compile(r"/api/([^/]+)/([^/]+)/_stream_load")
LOAD_STATE = re.compile(r"/api/([^/]+)/get_load_state")
SCHEMA = re.compile(r"/api/([^/]+)/([^/]+)/_schema")
SCHEMA_V2 = re.compile(r"/api/v2/catalogs/([^/]+)/databases/([^/]+)/tables/([^/]+)/schema")
CANCEL = re.compile(r"/api/([^/]+)/([^/]+)/_cancel")
SQL = re.compile(r"/api/v1/catalogs/([^/]+)(?:/databases/([^/]+))?/sql")
HEAD_LIMIT = 32768              # http_max_header_size
CODES = {"OK": "0", "FAILED": "1", "LABEL_ALREADY_EXISTS": "2"}


def handler(app):
    fe = FrontEnd(app)

    async def handle(conn, request):
        await fe.route(conn, request)

    return handle


def rest(status, message):
    """The FE's general answer."""
    text = "Success" if status == "OK" and message == "OK" else message
    return {"status": status, "code": CODES[status], "msg": text, "message": message}


class FrontEnd:
    def __init__(self, app):
        self.app = app
        self.routes = (
            (STREAM_LOAD, "stream_load", self._stream_load, ("PUT",)),
            (LOAD_STATE, "get_load_state", self._load_state, ("GET",)),
            (SCHEMA_V2, "schema", self._schema_v2, ("GET",)),
            (SCHEMA, "schema", self._schema, ("GET",)),
            (CANCEL, "cancel", self._cancel, ("POST",)),
            (SQL, "sql", self._sql, ("POST",)),
        )

    async def route(self, conn, request):
        if request.path.startswith("/_sandbox/"):
            await admin(self.app, conn, request)
            return
        if request.head_size > HEAD_LIMIT:
            await conn.respond(400, f"Bad Request. <br/> HTTP header is larger than {HEAD_LIMIT} bytes.".encode(),
                               "text/html", close=True)
            return
        if request.path == "/api/health":
            await conn.read_body()
            if not await fe_fault(self.app, conn, {}, "health"):
                await conn.respond_json({"total_backend_num": 1, "online_backend_num": 1, "status": "OK"})
            return
        if transaction.is_call(request.path):
            await self._transaction(conn, request)
            return
        for pattern, endpoint, func, methods in self.routes:
            match = pattern.fullmatch(request.path)
            if not match:
                continue
            if request.method not in methods:
                await conn.respond_json({"status": "FAILED", "msg": "Not implemented"}, close=True)
            elif endpoint == "stream_load":
                await func(conn, request, *match.groups())
            else:
                await self._plain(conn, request, endpoint, func, match.groups())
            return
        await conn.respond(404, b"Not Found", "text/plain", close=True)

    async def _authorised(self, conn, request):
        _, why = self.app.authenticate(request.headers)
        if why is None:
            return True
        await conn.respond_json(rest("FAILED", why), status=401,
                                headers=[("WWW-Authenticate", 'Basic realm=""')], close=True)
        return False

    async def _plain(self, conn, request, endpoint, func, groups):
        """An endpoint whose body, if any, is read at once."""
        body = await conn.read_body()
        subject = {"label": request.query.get("label", "")}
        if endpoint in ("schema", "cancel"):
            subject.update(db=groups[-2], table=groups[-1])
        elif endpoint == "get_load_state":
            subject["db"] = groups[0]
        if await fe_fault(self.app, conn, subject, endpoint):
            return
        if not await self._authorised(conn, request) or await self._follower(conn, request, subject, endpoint):
            return
        try:
            await func(conn, request, body, *groups)
        except SandboxError as why:
            await conn.respond_json(rest("FAILED", str(why)), status=500)

    # -- stream load -------------------------------------------------------

    async def _stream_load(self, conn, request, db, table):
        """Redirect to the BE; the body is never read and no 100 is ever sent."""
        subject = {"db": db, "table": table, "label": request.headers.get("label", "")}
        if await fe_fault(self.app, conn, subject, "stream_load"):
            return
        if not await self._authorised(conn, request):
            return
        if request.version != "1.0" and not request.expects_continue:
            await self._refuse(conn, "There is no 100-continue header")
            return
        if self.app.faults.take("fe_no_backend", subject):
            await self._refuse(conn, "No backend alive.")
            return
        waiting = self.app.faults.take("fe_reset_after_body", subject)
        early = await self._body_bytes(conn, float(waiting["seconds"]) if waiting else 0.001)
        await self._redirect(conn, request, subject, self.app.be_address)
        if early or await self._body_bytes(conn, 0.02):
            # The client did not wait: like the real server, close on unread data.
            self.app.record(stage="fe", outcome="BODY_BEFORE_REDIRECT", **subject)
            conn.cut(reset=True)
        else:
            await conn.finish()

    async def _redirect(self, conn, request, subject, where):
        scheme = "https" if self.app.config.tls else "http"
        location = f"{scheme}://{where}{url_quote(request.path)}"
        _, mark, query = request.target.partition("?")
        other = self.app.faults.take("fe_location", subject)
        if other:
            location = other["location"]
        await conn.respond(307, b"", "text/html", headers=[
            ("Location", location + mark + query), ("Connection", "close")])

    @staticmethod
    async def _body_bytes(conn, seconds):
        """Whether the client sends something within that time."""
        if conn.h11.trailing_data[0]:
            return True
        try:
            return bool(await asyncio.wait_for(conn.reader.read(1), seconds))
        except (TimeoutError, OSError):
            return False

    @staticmethod
    async def _refuse(conn, text):
        await conn.respond_json(
            {"Status": "FAILED", "Message": f"class com.starrocks.common.DdlException: {text}"}, close=True)

    async def _follower(self, conn, request, subject, endpoint):
        """A follower does not know labels: it sends the client to the leader."""
        if endpoint not in ("get_load_state", "cancel", "transaction") or \
                not self.app.faults.take("fe_follower", subject, endpoint=endpoint):
            return False
        await self._redirect(conn, request, subject, self.app.fe_address)
        await conn.finish()
        return True

    # -- transactions ------------------------------------------------------

    async def _transaction(self, conn, request):
        if request.method not in ("PUT", "POST"):
            await conn.respond_json({"status": "FAILED", "msg": "Not implemented"}, close=True)
            return
        call = multi.call_of(self.app, conn, request, "fe")
        if await fe_fault(self.app, conn, call.subject, call.name):
            return
        if not await self._authorised(conn, request) or \
                await self._follower(conn, request, call.subject, "transaction"):
            return
        try:
            away = call.redirected()
        except transaction.Refused as why:
            await conn.respond_json({"Status": why.status, "Message": str(why)}, close=True)
            return
        if not away:
            await call.run(call.at_frontend)
            return
        await self._redirect(conn, request, call.subject, self.app.be_address)
        if await self._body_bytes(conn, 0.02) and call.name == "load":
            self.app.record(stage="fe", outcome="BODY_BEFORE_REDIRECT", **call.subject)
            conn.cut(reset=True)
        else:
            await conn.finish()

    # -- labels ------------------------------------------------------------

    def _database(self, db):
        if db not in self.app.catalog.databases:
            raise SandboxError(f"unknown database, database={db}")

    def _known(self, db, label):
        """The transaction of a label, unless it is one of several tables before its commit."""
        txn, found = self.app.txns.find(db, label), self.app.multi.get((db, label))
        return None if found is not None and found.txn is txn and found.hidden else txn

    async def _load_state(self, conn, request, _body, db):
        label = request.query.get("label", "")
        if not label:
            raise SandboxError("No label selected.")
        self._database(db)
        txn = self._known(db, label)
        state, reason = (txn.state, txn.reason) if txn else ("UNKNOWN", "")
        await conn.respond_json({**rest("OK", "OK"), "state": state, "reason": reason})

    async def _cancel(self, conn, request, _body, db, second):
        """The second part of the path is a table, or in older servers the label."""
        self._database(db)
        label = request.query.get("label") or second
        txn = self._known(db, label)
        if txn is None:
            raise SandboxError(f"transaction not found, label={label}")
        if txn.state != "PREPARE" or txn.committing:
            raise SandboxError(f"transaction state is {txn.state}, cannot be aborted, label={label}")
        await self.app.txns.abort(txn, "user cancel")
        log.info("label %s cancelled", label)
        await conn.respond_json(rest("OK", "OK"))

    # -- schemas -----------------------------------------------------------

    async def _schema(self, conn, _request, _body, db, name):
        table = self.app.catalog.table(db, name)
        if table is None:
            await conn.respond_json(
                {"status": 404, "exception": f"Table [{name}] does not exists"}, status=404)
            return
        properties = []
        for column in table.columns:
            entry = {"name": column.name, "type": column.type.primitive()[0], "comment": column.comment}
            if column.type.name == "DECIMAL":
                entry.update(precision=str(column.type.precision), scale=str(column.type.scale))
            properties.append(entry)
        await conn.respond_json({"status": 200, "properties": properties})

    async def _schema_v2(self, conn, _request, _body, catalog, db, name):
        if catalog != "default_catalog" or db not in self.app.catalog.databases:
            await self._v2_error(conn, f"Database [{db}] does not exist")
            return
        table = self.app.catalog.table(db, name)
        if table is None:
            await self._v2_error(conn, f"Table [{name}] does not exist")
            return
        await conn.respond_json({"code": "0", "message": "OK", "result": {
            "id": table.id, "name": table.name, "tableType": "OLAP", "keysType": f"{table.model}_KEYS"
            if table.model != "DUPLICATE" else "DUP_KEYS", "comment": table.comment, "createTime": 0,
            "columns": [_v2_column(table, c) for c in table.columns],
            "indexMetas": [], "partitionInfo": {}, "properties": table.properties}})

    @staticmethod
    async def _v2_error(conn, text):
        await conn.respond_json({"code": "1", "message": text, "result": None}, status=404)

    # -- SQL ---------------------------------------------------------------

    async def _sql(self, conn, request, body, catalog, db):
        if catalog != "default_catalog":
            raise SandboxError(f"Unknown catalog {catalog}")
        result = await self.app.engine.http_query(body, db)
        lines = [{"connectionId": self.app.engine.next_connection()},
                 {"meta": [{"name": n, "type": t} for n, t in result.columns]}]
        lines += [{"data": row} for row in result.text_rows()]
        lines.append({"statistics": {"scanRows": 0, "scanBytes": 0, "returnRows": len(result.rows)}})
        await conn.respond(200, ndjson(lines), "application/x-ndjson")


def _v2_column(table, column):
    kind = column.type
    primitive, size = kind.primitive()
    default_kind = "NULL"
    if column.default is not None:
        default_kind = "CONST"
    elif column.default_expr is not None:
        default_kind = "VARY"
    return {
        "name": column.name, "primitiveType": primitive, "primitiveTypeSize": size,
        "columnSize": kind.length if kind.length is not None else size,
        "precision": kind.precision or 0, "scale": kind.scale or 0,
        "aggregationType": None, "isKey": column.key, "isAllowNull": column.nullable,
        "isAutoIncrement": column.auto_increment, "defaultValueType": default_kind,
        "defaultValue": column.default, "defaultExpr": column.default_expr,
        "comment": column.comment, "uniqueId": table.unique_id(column),
    }
