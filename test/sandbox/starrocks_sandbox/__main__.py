"""Command line: start the FE, BE and MySQL listeners and run until told to stop."""

import argparse
import asyncio
import gc
import json
import logging
import signal
import ssl
import sys

import duckdb

from . import be, fe, mysqlport
from .app import App, Config, log
from .httpconn import HttpServer
from .sql import Engine


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="starrocks_sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--fe-port", type=int, default=8030, help="0 chooses a free port")
    parser.add_argument("--be-port", type=int, default=8040)
    parser.add_argument("--mysql-port", type=int, default=9030)
    parser.add_argument("--data", required=True, help="directory of the database")
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD")
    parser.add_argument("--be-advertise", default="", metavar="HOST:PORT", help="BE address in redirects")
    parser.add_argument("--tls-cert", help="certificate: FE and BE speak https, the MySQL port TLS too")
    parser.add_argument("--tls-key")
    parser.add_argument("--label-keep-max-second", type=int, default=259200)
    parser.add_argument("--label-keep-max-num", type=int, default=1000)
    parser.add_argument("--max-running-txns", type=int, default=1000)
    parser.add_argument("--streaming-load-max-mb", type=int, default=10240)
    parser.add_argument("--threads", type=int, default=1, help="threads of the storage engine")
    parser.add_argument("--memory", default="1GB", help="memory limit of the storage engine")
    parser.add_argument("--log-level", default="WARNING")
    return parser.parse_args(argv)


def _config(args):
    users = {"root": ""}
    for entry in args.user:
        name, _, password = entry.partition(":")
        users[name] = password
    return Config(
        data=args.data, users=users, advertise=args.be_advertise, tls=bool(args.tls_cert),
        label_keep_seconds=args.label_keep_max_second, label_keep_num=args.label_keep_max_num,
        max_running_txns=args.max_running_txns, max_body_bytes=args.streaming_load_max_mb << 20,
        threads=args.threads, memory=args.memory)


def _tls(args):
    if not args.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.tls_cert, args.tls_key)
    return context


async def serve(args):
    sys.setrecursionlimit(5000)  # documents are nested up to 1024 levels
    app = App(_config(args))
    app.engine = Engine(app)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tls = _tls(args)
    front, back = HttpServer(fe.handler(app), log), HttpServer(be.handler(app), log)
    be_port = await back.start(args.host, args.be_port, tls)
    reachable = "127.0.0.1" if args.host in ("0.0.0.0", "") else args.host
    app.be_address = args.be_advertise or f"{reachable}:{be_port}"
    fe_port = await front.start(args.host, args.fe_port, tls)
    app.fe_address = f"{reachable}:{fe_port}"
    mysql, mysql_port = await mysqlport.start(app, args.host, args.mysql_port, tls)
    print(json.dumps({"fe": fe_port, "be": be_port, "mysql": mysql_port}), flush=True)
    await stop.wait()
    mysql.close()
    await front.stop()
    await back.stop()
    app.close()


def main(argv=None):
    args = _arguments(argv)
    logging.basicConfig(level=args.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # Batches make many short-lived objects and no cycles; fewer collections help.
    gc.set_threshold(50000, 20, 50)
    try:
        asyncio.run(serve(args))
    except (OSError, duckdb.IOException) as why:
        sys.exit(f"starrocks_sandbox: {str(why).splitlines()[0]}")


if __name__ == "__main__":
    main()
