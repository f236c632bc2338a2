"""Answers that a broken or overloaded server gives: the transport faults."""

import asyncio

from .errors import ConnectionCut

GARBAGE = b"\x00\xff\xfe{]]not json<html>\x80\r\n\r\n" * 8
CHUNK = b"x" * 65536


async def status_answer(conn, fault):
    body = (fault["body"] or f'{{"status":"FAILED","code":"1","msg":"injected {fault["status"]}"}}').encode()
    await conn.respond(int(fault["status"]), body, close=True)


async def garbage(conn):
    """A well-framed answer whose content is no JSON."""
    await conn.respond(200, GARBAGE, close=True)


async def raw_garbage(conn):
    """Bytes that are not even HTTP."""
    await conn.send_raw(GARBAGE)
    conn.cut(reset=False)


async def endless(conn, size):
    """An answer of about `size` bytes; the client is expected to give up."""
    await conn.send_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < size:
            await conn.send_raw(b"%x\r\n" % len(CHUNK) + CHUNK + b"\r\n")
            sent += len(CHUNK)
            await asyncio.sleep(0)
        await conn.send_raw(b"0\r\n\r\n")
    except ConnectionCut:
        pass
    conn.cut(reset=False)


async def truncated(conn):
    """An answer that promises more than it sends."""
    await conn.send_raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        b'Content-Length: 1000\r\n\r\n{\n    "TxnId": 1,\n    "Label": "')
    conn.cut(reset=False)


async def fe_fault(app, conn, subject, endpoint):
    """Apply the FE faults of an endpoint; True if the request was answered or cut."""
    def take(name):
        return app.faults.take(name, subject, endpoint=endpoint)

    if take("fe_hold"):
        await app.hold_request({"endpoint": endpoint, **subject})
    delay = take("fe_delay")
    if delay:
        await asyncio.sleep(float(delay["seconds"]))
    cut = take("fe_cut")
    if cut:
        conn.cut(cut["reset"])
        return True
    if fault := take("fe_status"):
        await status_answer(conn, fault)
    elif take("fe_garbage"):
        await raw_garbage(conn)
    elif fault := take("fe_endless"):
        await endless(conn, int(fault["bytes"]))
    elif take("fe_truncate"):
        await truncated(conn)
    else:
        return False
    return True


async def be_early(load):
    """Faults that act before anything of a load happened; True if it is over."""
    cut = load.fault("be_cut", when="before_body")
    if cut:
        load.conn.cut(cut["reset"])
        load.close_entry("CUT", "be_cut before_body")
        return True
    for name in ("be_status", "be_garbage", "be_endless", "be_truncate"):
        fault = load.fault(name, commit=False)
        if fault:
            load.close_entry(name)
            await _be_broken(load.conn, name, fault)
            return True
    return False


async def _be_broken(conn, name, fault):
    if name == "be_status":
        await status_answer(conn, fault)
    elif name == "be_garbage":
        await garbage(conn)
    elif name == "be_endless":
        await endless(conn, int(fault["bytes"]))
    else:
        await truncated(conn)


async def be_answer(load, status, message, job_status, early):
    """Send the result of a load, or what a fault makes of it."""
    result = load.result(status, message, job_status)
    for name in ("be_status", "be_garbage", "be_endless", "be_truncate"):
        fault = load.fault(name, commit=True)
        if fault:
            await _be_broken(load.conn, name, fault)
            return
    await load.conn.respond_json(result, close=early)
