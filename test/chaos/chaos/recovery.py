"""How long it takes from the end of a worker until a row that is committed then is in the target."""

import time

import psycopg

from teststand.server import value, wait_until

from .world import NAME, World

ROLES = ("decoder", "shipper", "launcher")
# what users have
DEFAULTS = ("dbmazz.flush_interval", "dbmazz.batch_max_rows", "dbmazz.checkpoint_interval", "dbmazz.retry_min_delay",
            "dbmazz.retry_max_delay", "dbmazz.restart_max_delay", "dbmazz.starrocks_connect_timeout",
            "dbmazz.starrocks_request_timeout", "dbmazz.starrocks_expect_timeout", "dbmazz.starrocks_load_timeout",
            "dbmazz.starrocks_low_speed_time", "dbmazz.decoder_work_mem")
LIMIT = 5.0


def measure(options):
    """Prints the figures; returns whether all of them are within the limit."""
    with World(options, "recovery", quiet=True) as world:
        for name in DEFAULTS:
            world.settings.pop(name)
        good = True
        for role in ROLES:
            times = sorted(once(world, role, number) for number in range(options.recovery))
            p50, p99 = (times[min(len(times) - 1, int(len(times) * part))] for part in (0.5, 0.99))
            print(f"{role} terminated, {len(times)} times: p50 {p50:.2f} s, p99 {p99:.2f} s, longest {times[-1]:.2f} s",
                  flush=True)
            good = good and p99 < LIMIT
    world.remove()
    return good


def once(world, role, number):
    with world.connect() as connection:
        wait_until("the pipeline to stream", 60, lambda: world.state(connection) == "streaming")
        pid = int(wait_until(f"the {role}", 60, lambda: value(
            connection, f"SELECT pid FROM pg_stat_activity WHERE backend_type = 'dbmazz {role}'") or 0))
        start = time.monotonic()
        connection.execute(f"SELECT pg_terminate_backend({pid})")
        connection.execute(f"INSERT INTO accounts VALUES ({number}, 0, '{role}') ON CONFLICT (id)"
                           " DO UPDATE SET note = excluded.note")
        wait_until("another worker", 60, lambda: value(
            connection, f"SELECT pid <> {pid} FROM pg_stat_activity WHERE backend_type = 'dbmazz {role}'") == "t")
        connection.execute(f"UPDATE accounts SET n = n + 1 WHERE id = {number}")
        lsn = value(connection, "SELECT pg_current_wal_insert_lsn()")
        try:
            arrived = value(connection, f"SELECT dbmazz.wait_for('{NAME}', '{lsn}', '60s')")
        except psycopg.Error as why:
            raise SystemExit(f"recovery: {why}") from why
        if arrived != "t":
            raise SystemExit(f"recovery: not there after 60 s: {world.describe(connection)}")
        return time.monotonic() - start
