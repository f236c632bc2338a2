"""What is there while something is measured: a blackhole and a server."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile

from . import BenchError, dbmazz, runner
from .blackhole import Blackhole, build
from .build import private
from .server import Server


def add_options(parser):
    parser.add_argument("--pg-config",
                        default=os.environ.get("PG_CONFIG", "pg_config"))
    parser.add_argument("--installed", action="store_true",
                        help="take dbmazz as it is installed, instead of "
                        "building it from this tree")
    parser.add_argument("--set", action="append", default=[],
                        metavar="NAME=VALUE",
                        help="a server setting for the run, as "
                        "dbmazz.buffer_size=128MB")
    parser.add_argument("--timeout", type=int, default=600, metavar="S",
                        help="for a single measurement (default 600)")
    parser.add_argument("--dir", help="where the server's files go")
    parser.add_argument("--no-fsync", action="store_true")
    parser.add_argument("--keep", action="store_true",
                        help="leave the server's files behind")


def _find_pg_config(wanted):
    found = shutil.which(wanted)
    if found is None:
        for version in (18, 17, 16, 15):
            path = f"/usr/lib/postgresql/{version}/bin/pg_config"
            if os.path.exists(path):
                return path
        raise BenchError(f"{wanted} was not found")
    return found


def _start_blackhole(workloads):
    program = build(os.path.join(runner.HERE, "build"))
    return Blackhole(program, [schema for workload in workloads
                               for schema in workload.SCHEMAS])


def _create_server(options, root, needs_dbmazz, blackhole, base):
    settings, pg_config = {}, _find_pg_config(options.pg_config)
    if needs_dbmazz:
        if not options.installed:
            print("building dbmazz", flush=True)
            pg_config = private(root, pg_config, base)
        settings = dbmazz.server_settings(blackhole)
    for setting in options.set:
        name, _, value = setting.partition("=")
        settings[name] = value
    return Server(pg_config, base, settings, fsync=not options.no_fsync)


def _on_signal(signo, _frame):
    raise BenchError(f"ended by signal {signo}")


@contextlib.contextmanager
def opened(options, root, workloads, contenders):
    """Gives a Bench whose server runs; all is removed at the end."""
    signal.signal(signal.SIGTERM, _on_signal)
    needs_dbmazz = any(contender.NEEDS_DBMAZZ for contender in contenders)
    blackhole = _start_blackhole(workloads)
    base = tempfile.mkdtemp(prefix="dbmazz-bench-", dir=options.dir)
    bench = None
    try:
        bench = runner.Bench(
            _create_server(options, root, needs_dbmazz, blackhole, base),
            blackhole, options.runs, options.quick, options.timeout)
        bench.server.start()
        if needs_dbmazz:
            bench.server.psql("CREATE EXTENSION dbmazz")
        yield bench
    except BenchError:
        if bench:
            sys.stderr.write(bench.server.log_tail())
        raise
    finally:
        if bench:
            bench.stop_servers()
        blackhole.stop()
        if options.keep:
            print(f"kept: {base}")
        else:
            shutil.rmtree(base, ignore_errors=True)
