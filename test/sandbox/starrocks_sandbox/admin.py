"""The sandbox's own endpoints under /_sandbox/, for tests; they need no password."""

import json
import re

from .catalog import quote
from .errors import SandboxError
from .faults import KNOWN

PAGE = 20000


async def admin(app, conn, request):
    body = await conn.read_body()
    name = request.path[len("/_sandbox/"):]
    func = _ROUTES.get((request.method, name))
    if func is None:
        known = ", ".join(f"{m} /_sandbox/{n}" for m, n in sorted(_ROUTES))
        await conn.respond_json({"status": "FAILED", "message": f"no such endpoint; known: {known}"}, status=404)
        return
    try:
        await func(app, conn, request, body if name == "sql" else _json(body))
    except SandboxError as why:
        await conn.respond_json({"status": "FAILED", "message": str(why)}, status=400)


def _json(body):
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except ValueError as why:
        raise SandboxError(f"body is not JSON: {why}") from None
    return value


async def _ready(app, conn, _request, _body):
    await conn.respond_json({"status": "OK", "be": app.be_address, "databases": sorted(app.catalog.databases)})


async def _list_faults(app, conn, _request, _body):
    await conn.respond_json({"status": "OK", "faults": [f.to_dict() for f in app.faults.active],
                             "known": KNOWN})


async def _post_faults(app, conn, _request, body):
    """One operation or a list of them; all faults are checked before the answer."""
    ids = []
    for item in body if isinstance(body, list) else [body]:
        if not isinstance(item, dict):
            raise SandboxError("an operation must be an object")
        op = item.get("op", "set")
        if op == "set":
            ids.append(app.faults.set(item).id)
        elif op == "clear":
            app.faults.clear(item.get("fault"), item.get("id"))
        elif op != "list":
            raise SandboxError(f"unknown op {op!r}; known: set, clear, list")
    app.apply_retention()
    out = {"status": "OK", "faults": [f.to_dict() for f in app.faults.active]}
    if ids:
        out["ids"] = ids
    await conn.respond_json(out)


async def _release(app, conn, _request, body):
    """Let held loads go on to their commit, and held statements and requests."""
    pattern = re.compile(body.get("label") or "")
    released = []
    for txn in app.txns.held():
        if pattern.search(txn.label):
            txn.waiter.set()
            released.append(txn.label)
    for session in app.sessions.values():
        if session.held and pattern.search(session.statement):
            session.held.set()
            released.append(session.statement)
    for what, event in app.requests:
        if pattern.search(what.get("label", "")):
            event.set()
            released.append(what["endpoint"])
    await conn.respond_json({"status": "OK", "released": released})


async def _held(app, conn, _request, _body):
    await conn.respond_json({"status": "OK", "held": [
        {"db": t.db, "table": t.table, "label": t.label, "txn_id": t.id} for t in app.txns.held()],
        "statements": [s.statement for s in app.sessions.values() if s.held],
        "requests": [what for what, _ in app.requests]})


async def _loads(app, conn, request, _body):
    query = request.query
    since = int(query.get("since", "0"))
    pattern = re.compile(query.get("label", ""))
    out = [e for e in app.loads
           if e["seq"] > since and pattern.search(e.get("label") or "")
           and query.get("table") in (None, e.get("table"))
           and query.get("db") in (None, e.get("db"))
           and query.get("stage") in (None, e.get("stage"))]
    await conn.respond_json({"status": "OK", "last": app.sequence, "loads": out[-PAGE:]})


async def _clear_loads(app, conn, _request, _body):
    app.loads.clear()
    await conn.respond_json({"status": "OK", "last": app.sequence})


async def _txns(app, conn, request, _body):
    db = request.query.get("db", "")
    await conn.respond_json({"status": "OK", "txns": [
        {"txn_id": t.id, "label": t.label, "table": t.table, "state": t.state, "reason": t.reason}
        for t in app.txns.of_db(db)]})


async def _rows(app, conn, request, _body):
    """All rows of a table in key order, one JSON document a line."""
    db, name = request.query.get("db", ""), request.query.get("table", "")
    table = app.catalog.table(db, name)
    if table is None:
        raise SandboxError(f'unknown table "{db}.{name}"')
    data = await app.store.read(dump_rows, table)
    await conn.respond(200, data, "application/x-ndjson")


async def _count(app, conn, request, _body):
    db, name = request.query.get("db", ""), request.query.get("table", "")
    table = app.catalog.table(db, name)
    if table is None:
        raise SandboxError(f'unknown table "{db}.{name}"')
    rows = await app.store.read(lambda c: c.execute(f"SELECT count(*) FROM {table.physical}").fetchone())
    await conn.respond_json({"status": "OK", "rows": rows[0]})


async def _sql(app, conn, request, body):
    """Any statements as plain text, for clients without the MySQL protocol."""
    text, result = body.decode("utf-8", "replace"), None
    for node in app.engine.parse(text):
        result = await app.engine.execute(node, text, request.query.get("db"))
    columns = [name for name, _ in result.columns] if result else []
    await conn.respond_json({"status": "OK", "columns": columns, "rows": result.text_rows() if result else []})


def canonical(value, kind):
    """A storage expression that gives the one text form of a value."""
    name = kind.name
    if name == "DECIMAL" and kind.precision == kind.scale:
        # The storage engine leaves out a zero before the point.
        return f"regexp_replace(CAST({value} AS VARCHAR), '^(-?)\\.', '\\10.')"
    if name in ("DECIMAL", "LARGEINT", "JSON"):
        return f"CAST({value} AS VARCHAR)"
    if name in ("FLOAT", "DOUBLE"):
        # JSON has no NaN; a FLOAT goes through its text to keep the short form.
        number = value if name == "DOUBLE" else f"CAST(CAST({value} AS VARCHAR) AS DOUBLE)"
        return (f"CASE WHEN isfinite({value}) THEN to_json({number}) WHEN isnan({value}) THEN '\"NaN\"'::JSON"
                f" WHEN {value} > 0 THEN '\"Infinity\"'::JSON WHEN {value} < 0 THEN '\"-Infinity\"'::JSON END")
    if name == "DATE":
        return f"strftime({value}, '%Y-%m-%d')"
    if name == "DATETIME":
        return f"strftime({value}, '%Y-%m-%d %H:%M:%S.%f')"
    if name == "VARBINARY":
        return f"lower(hex({value}))"
    if name == "ARRAY":
        return f"list_transform({value}, lambda e: {canonical('e', kind.element)})"
    return value


def dump_rows(cursor, table):
    """NDJSON of a table; the text is made by the storage engine, for speed."""
    fields = ", ".join(f"{quote(c.name)} := {canonical(quote(c.name), c.type)}" for c in table.columns)
    order = ", ".join(quote(c.name) for c in (table.keys() if table.upserts else table.columns))
    cursor.execute(f"SELECT to_json(struct_pack({fields}))::VARCHAR FROM {table.physical} ORDER BY {order}")
    parts = []
    while rows := cursor.fetchmany(20000):
        parts.append("\n".join(row[0] for row in rows) + "\n")
    return "".join(parts).encode()


_ROUTES = {
    ("GET", "ready"): _ready,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _post_faults,
    ("POST", "release"): _release,
    ("GET", "held"): _held,
    ("GET", "loads"): _loads,
    ("DELETE", "loads"): _clear_loads,
    ("GET", "txns"): _txns,
    ("GET", "rows"): _rows,
    ("GET", "count"): _count,
    ("POST", "sql"): _sql,
}
