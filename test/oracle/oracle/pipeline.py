"""dbmazz itself, by its SQL functions, and PostgreSQL's subscription beside it."""

import time

from teststand.server import DATABASE, value, wait_until

from . import OracleError, marks

NAME = "oracle"
PUBLICATION = "oracle"
SUBSCRIBER = "subscriber"
PATIENCE = 60


class Pipeline:
    def __init__(self, connection, settings):
        items = ", ".join(f"'{name}={setting}'" for name, setting in settings.items())
        connection.execute(f"SELECT dbmazz.create_pipeline('{NAME}', publication => '{PUBLICATION}', slot => '{NAME}',"
                           f" copy => false, settings => ARRAY[{items}]::text[])")
        self.start(connection)

    def state(self, connection):
        return value(connection, f"SELECT state FROM dbmazz.stat_pipeline WHERE name = '{NAME}'")

    @staticmethod
    def epoch(connection):
        return value(connection, f"SELECT epoch FROM dbmazz.stat_pipeline WHERE name = '{NAME}'")

    @staticmethod
    def delivered(connection, lsn):
        return value(connection, f"SELECT position_lsn >= '{lsn}' FROM dbmazz.stat_pipeline"
                                 f" WHERE name = '{NAME}'") == "t"

    def _wait(self, connection, states):
        def reached():
            state = self.state(connection)
            if state == "failed":
                raise OracleError("the pipeline failed: " + value(
                    connection, f"SELECT last_error FROM dbmazz.stat_pipeline WHERE name = '{NAME}'"))
            return state in states
        wait_until(f"pipeline to be {states}", PATIENCE, reached)

    def start(self, connection):
        connection.execute(f"SELECT dbmazz.start_pipeline('{NAME}')")
        self._wait(connection, ("streaming", "retrying"))

    def restart(self, connection):
        connection.execute(f"SELECT dbmazz.stop_pipeline('{NAME}')")
        self._wait(connection, ("stopped",))
        connection.execute(f"SELECT dbmazz.start_pipeline('{NAME}')")

    def wait(self, connection, lsn):
        """Until the target has all; returns what tables have stopped, and why.

        However slow it is, as long as it goes on.
        """
        deadline, before = 0.0, None
        while value(connection, f"SELECT dbmazz.wait_for('{NAME}', '{lsn}', '1s')") != "t":
            stopped = self.stopped(connection)
            now = value(connection, f"SELECT (batches, position_lsn) FROM dbmazz.stat_pipeline WHERE name = '{NAME}'")
            if now != before:
                deadline, before = time.monotonic() + PATIENCE, now
            if stopped or time.monotonic() > deadline:
                return stopped or [f"nothing went on for {PATIENCE} s: " + value(
                    connection, f"SELECT row_to_json(s) FROM dbmazz.stat_pipeline s WHERE name = '{NAME}'")]
        return self.stopped(connection)

    @staticmethod
    def stopped(connection):
        result = connection.execute("SELECT relation, error, detail, hint FROM dbmazz.stat_table"
                                    " WHERE state = 'stopped'")
        return [" / ".join(filter(None, row)) for row in result.fetchall()]


class Subscriber:
    """A second database of the same server, with the same tables."""

    def __init__(self, server, source, schema, soft):
        source.execute(f"CREATE DATABASE {SUBSCRIBER}")
        self.server = server
        self.connection = server.connect(SUBSCRIBER)
        for statement in schema.prepare + [s for table in schema.tables for s in table.ddl()]:
            self.connection.execute(statement)
        for table in schema.tables:
            # see compare.py about rows that come into a filter
            if table.loses_values():
                for column in table.settable():
                    if column.notnull:
                        self.connection.execute(f"ALTER TABLE {table.quoted} ALTER {column.quoted} DROP NOT NULL")
        if soft:
            marks.watch(self.connection, schema)
        # made here, for the command would wait for its own transaction
        source.execute("SELECT pg_create_logical_replication_slot('subscriber', 'pgoutput')")
        # not streamed: with parallel apply, the default of 18, its worker was seen to hang, and to crash in the path
        # of a fileset that it had not made (18.6)
        self.connection.execute(
            f"CREATE SUBSCRIPTION subscriber CONNECTION '{server.conninfo(DATABASE)}' PUBLICATION {PUBLICATION}"
            " WITH (create_slot = false, slot_name = 'subscriber', copy_data = false, streaming = off)")

    def wait(self, source, lsn):
        """However slow it is, as long as it goes on."""
        deadline, before = time.monotonic() + PATIENCE, None
        while value(source, f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots"
                            " WHERE slot_name = 'subscriber'") != "t":
            now = value(self.connection, "SELECT received_lsn FROM pg_stat_subscription WHERE relid IS NULL")
            if now != before:
                deadline, before = time.monotonic() + PATIENCE, now
            if time.monotonic() > deadline:
                raise OracleError(f"the subscriber did not go on for {PATIENCE} s; see the server's log")
            time.sleep(0.02)


def target_ddl(connection, schema, name):
    quoted = connection.execute("SELECT format('%%I.%%I', %s::text, %s::text)", (schema, name)).fetchone()[0]
    return connection.execute("SELECT dbmazz.target_ddl(%s::regclass)", (quoted,)).fetchone()[0]


