"""The narrow table of most workloads, and how it is filled."""

import os

COLUMNS = ("id bigint PRIMARY KEY, a integer, b text, ts timestamptz, "
           "amount numeric(12,2)")

TARGET = ("id:BIGINT:key,a:INT,b:STRING,ts:DATETIME,amount:DECIMAL(12,2)")

# A row for the number in 'i': 40 characters of text.
VALUES = ("{i}, {i} % 1000, md5(({i})::text) || 'abcdefgh', "
          "timestamptz '2024-01-01 00:00:00+00' + ({i}) * interval '1 ms', "
          "({i}) % 1000000 / 100.0")


def schema(table):
    """For the blackhole."""
    return f"{table}={TARGET}"


def values(i):
    return VALUES.format(i=i)


def create(server, table, publication):
    server.psql(f"CREATE TABLE {table} ({COLUMNS})",
                f"CREATE PUBLICATION {publication} FOR TABLE {table}")


def drop(server, table, publication):
    server.psql(f"DROP PUBLICATION {publication}", f"DROP TABLE {table}")


def pgbench_script(server, table):
    """One insert; the id says which client's how manyth row it is."""
    path = os.path.join(server.base, f"{table}.pgbench")
    row = values(":id::bigint")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"\\set n :n + 1\n"
                   f"\\set id :client_id * 100000000 + :n\n"
                   f"INSERT INTO {table} VALUES ({row});\n")
    os.chmod(path, 0o644)
    return path
