"""Runs the demo; called by demo/run."""

import argparse
import os
import signal
import sys
import time

from . import DemoError, shop
from .postgres import Postgres
from .screen import Screen
from .target import Target, start_sandbox

CLIENTS = 3
RATE = 250                      # transactions a second
CATCH_UP_SECONDS = 120


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="demo/start")
    parser.add_argument("--base", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--pg-config", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--dev", action="store_true",
                        help="no traffic; leave all running")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--starrocks-url")
    parser.add_argument("--starrocks-mysql")
    parser.add_argument("--starrocks-user", default="root")
    parser.add_argument("--starrocks-database", default="dbmazz_demo")
    args = parser.parse_args()
    if bool(args.starrocks_url) != bool(args.starrocks_mysql):
        parser.error("--starrocks-url and --starrocks-mysql go together")
    return args


def open_target(args):
    """The sandbox, or what the command line names."""
    if args.starrocks_url:
        target = Target(args.starrocks_url, args.starrocks_mysql,
                        args.starrocks_user,
                        os.environ.get("STARROCKS_PASSWORD", ""),
                        args.starrocks_database)
    else:
        target = start_sandbox(args.base, args.starrocks_database)
    target.connect()
    return target


def wait_for_state(postgres, wanted):
    """Wait until the pipeline is in a state."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = postgres.sql("SELECT state FROM dbmazz.stat_pipeline "
                             "WHERE name = 'shop';")
        if found == wanted:
            return
        if found == "failed":
            break
        time.sleep(0.1)
    raise DemoError("the pipeline does not stream: " + postgres.sql(
        "SELECT concat_ws(': ', state, last_error, last_error_hint) "
        "FROM dbmazz.stat_pipeline;"))


def set_up(postgres, target):
    """Tables on both sides, and a pipeline between them."""
    postgres.sql("CREATE EXTENSION dbmazz;" + shop.SCHEMA)
    for table in shop.TABLES:
        ddl = postgres.sql(f"SELECT dbmazz.target_ddl('{table}');")
        target.sql(f"DROP TABLE IF EXISTS `{target.database}`.`{table}`")
        target.sql(ddl.rstrip().rstrip(";"))
    postgres.sql("SELECT dbmazz.create_pipeline('shop', copy => false);"
                 "SELECT dbmazz.start_pipeline('shop');")
    wait_for_state(postgres, "streaming")


def drain(postgres):
    """Wait until the target has all that is committed."""
    done = postgres.sql(
        "SELECT dbmazz.wait_for('shop', pg_current_wal_insert_lsn(), "
        f"'{CATCH_UP_SECONDS} s');")
    if done != "t":
        raise DemoError("the target did not catch up: " + postgres.sql(
            "SELECT concat_ws(': ', state, last_error) "
            "FROM dbmazz.stat_pipeline;"))


def run(args, postgres, target):
    """Traffic, display or not, then the comparison; True if all is equal."""
    script = os.path.join(args.base, "traffic.sql")
    with open(script, "w", encoding="utf-8") as file:
        file.write(shop.TRAFFIC)
    traffic = postgres.traffic(script, CLIENTS, RATE)
    with open(os.path.join(args.base, "pids", "traffic"), "w",
              encoding="utf-8") as file:
        file.write(str(traffic.pid))
    try:
        if args.once:
            print(f"{args.seconds} s of traffic...")
            time.sleep(args.seconds)
        else:
            psql = f"psql -h {args.base} -p 54329 -U postgres postgres"
            Screen(postgres, target, psql).run()
        if traffic.poll() is not None:
            raise DemoError("the traffic ended early, see traffic.log")
    finally:
        traffic.send_signal(signal.SIGINT)
        traffic.wait(30)
    print("draining...")
    drain(postgres)
    print(postgres.sql(
        "SELECT '  ' || rows || ' rows in ' || batches || ' loads, ' || retries "
        "|| ' retries' FROM dbmazz.stat_pipeline;"))
    equal = shop.compare(postgres, target)
    print("source equals target" if equal else
          "SOURCE AND TARGET DIFFER")
    return equal


def show_dev(args, postgres):
    """What a developer wants to know of the running server."""
    postgres.sql("ALTER SYSTEM SET log_min_messages = debug1; "
                 "SELECT pg_reload_conf();")
    print(f"{postgres.program('psql')} -h {args.base} -p 54329 "
          "-U postgres postgres")
    print(postgres.sql("SELECT pid || '  ' || backend_type FROM "
                       "pg_stat_activity WHERE backend_type LIKE 'dbmazz%';"))
    print(f"log: {postgres.log}")
    return 0


def main():
    """Everything, in order."""
    args = arguments()
    os.makedirs(os.path.join(args.base, "pids"), exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    postgres = Postgres(args.base, args.pg_config)
    target = None
    keep = False
    try:
        print("starting PostgreSQL and the target...")
        target = open_target(args)
        postgres.start(target.url, target.database, target.user,
                       target.password)
        set_up(postgres, target)
        if args.dev:
            keep = True
            return show_dev(args, postgres)
        equal = run(args, postgres, target)
        keep = not args.once
        if keep:
            print("PostgreSQL and the sandbox go on running; "
                  "demo/stop removes everything.")
        return 0 if equal else 1
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            postgres.stop()
            if target is not None:
                target.stop()


if __name__ == "__main__":
    sys.exit(main())
