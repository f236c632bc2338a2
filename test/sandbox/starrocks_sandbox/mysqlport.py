"""The MySQL protocol port: users, and a session over the SQL engine."""

import asyncio
import logging
import time

from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, ResultColumn, ResultSet, User
from mysql_mimic.charset import CharacterSet
from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.session import Session as MimicSession
from mysql_mimic.stream import ConnectionClosed
from mysql_mimic.types import ColumnType
from sqlglot import exp

from .ddl import TRUNCATING
from .errors import SqlError
from .sql import as_text

logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.ERROR)     # streams warn at the end of every TLS session

_TLS_REQUEST = 36                        # bytes

_TYPES = {
    "boolean": ColumnType.TINY, "tinyint(4)": ColumnType.TINY, "smallint(6)": ColumnType.SHORT,
    "int(11)": ColumnType.LONG, "bigint(20)": ColumnType.LONGLONG, "bigint": ColumnType.LONGLONG,
    "float": ColumnType.FLOAT, "double": ColumnType.DOUBLE, "date": ColumnType.DATE,
    "datetime": ColumnType.DATETIME, "varbinary": ColumnType.BLOB, "largeint(40)": ColumnType.VAR_STRING,
}


class Users(IdentityProvider):
    def __init__(self, users):
        self.users = users

    def get_plugins(self):
        return [NativePasswordAuthPlugin()]

    async def get_user(self, username):
        password = self.users.get(username)
        if password is None:
            return None
        secret = NativePasswordAuthPlugin.create_auth_string(password) if password else None
        return User(name=username, auth_string=secret, auth_plugin=NativePasswordAuthPlugin.name)


def _column(name, kind):
    charset = CharacterSet.binary if kind == "varbinary" else CharacterSet.utf8mb4
    return ResultColumn(name, _TYPES.get(kind, ColumnType.VAR_STRING), charset, text_encoder=_text_encoder)


def _text_encoder(column, value):
    text = as_text(value)
    return text if isinstance(text, bytes) else text.encode()


class Session(MimicSession):
    dialect = "starrocks"

    def __init__(self, app):
        super().__init__()
        self.app = app
        self.started = self.since = time.time()
        self.statement = None            # what is being carried out
        self.held = None                 # the event that a held statement waits for
        self.listed = True
        self.passed_on = False           # to a frontend whose list does not have it
        # SHOW, DESCRIBE and information_schema are the engine's, not the library's.
        self.middlewares = [
            self._variables, self._set_middleware, self._use_middleware, self._kill_middleware,
            self._begin_middleware, self._commit_middleware, self._rollback_middleware,
        ]

    async def _variables(self, query):
        """Put values for @@variables; not in DDL, where CURRENT_TIMESTAMP must stay."""
        if isinstance(query.expression, (exp.Select, exp.SetOperation)):
            return await self._set_var_middleware(query)
        return await query.next()

    async def _kill_middleware(self, query):
        """KILL takes a session out of the list at once, whatever it is still doing; KILL QUERY does not."""
        kill = query.expression
        if isinstance(kill, exp.Kill) and kill.text("kind").upper() != "QUERY":
            if session := self.app.sessions.get(int(kill.this.name)):
                session.listed = False
        return await super()._kill_middleware(query)

    async def init(self, connection):
        await super().init(connection)
        if hasattr(connection.stream.writer.transport, "max_size"):
            connection.stream.writer.transport.max_size = 1 << 18
        # As the library would only say, in its answer, that the password is wrong.
        if self.username is None or self._fault("mysql_cut", when="connect"):
            self._cut(reset=False)
            return
        self.app.sessions[connection.connection_id] = self

    async def close(self):
        self.app.sessions.pop(self.connection.connection_id, None)
        await super().close()

    def _fault(self, name, **wanted):
        return self.app.faults.take(name, {"statement": self.statement or ""}, **wanted)

    def _cut(self, reset):
        transport = self.connection.stream.writer.transport
        if reset:
            transport.abort()
        else:
            transport.close()

    async def handle_query(self, sql, attrs):
        self.statement, self.since = sql, time.time()
        try:
            return await self._handle(sql, attrs)
        finally:
            self.statement, self.since = None, time.time()

    async def _handle(self, sql, attrs):
        """A statement between the faults; those wait, cut and answer in this order."""
        if fault := self._fault("mysql_cut", when="before"):
            self._cut(fault["reset"])
            raise ConnectionClosed()
        if fault := self._fault("mysql_error"):
            raise MysqlError(fault["message"], code=int(fault["code"]))
        if fault := self._fault("mysql_hold"):
            self.passed_on = fault["unlisted"]
            if fault["begun"]:
                TRUNCATING.set(lambda: self._hold(fault["deaf"]))
            else:
                await self._hold(fault["deaf"])
        try:
            result = await super().handle_query(sql, attrs)
        finally:
            self.passed_on = False
            TRUNCATING.set(None)
        if fault := self._fault("mysql_cut", when="after"):
            self._cut(fault["reset"])
        return result

    async def _hold(self, deaf):
        """Wait for the release, whether or not the client is still there.

        KILL ends the wait and the statement is not carried out; but one that is
        deaf is carried out to its end, as a TRUNCATE of the real server is.
        """
        self.held = asyncio.Event()
        try:
            while not self.held.is_set():
                try:
                    await self.held.wait()
                except asyncio.CancelledError:
                    if not deaf:
                        raise
        finally:
            self.held = None

    async def use(self, database):
        if database not in self.app.catalog.databases and database != "information_schema":
            raise MysqlError(f"Unknown database '{database}'", code=1049)
        self.database = database

    def _parse(self, sql):
        try:
            return self.app.engine.parse(sql)
        except SqlError as why:
            raise MysqlError(str(why), code=ErrorCode.PARSE_ERROR) from None

    async def query(self, expression, sql, attrs):
        if isinstance(expression, exp.Show) and expression.name.upper() == "VARIABLES":
            return self._show_variables(expression)
        if isinstance(expression, exp.Show) and expression.name.upper() == "PROCESSLIST":
            return self._show_processlist(expression.args.get("full"))
        try:
            result = await self.app.engine.execute(expression, sql, self.database)
        except SqlError as why:
            raise MysqlError(str(why), code=why.code) from None
        columns = [_column(name, kind) for name, kind in result.columns]
        return ResultSet(rows=result.rows, columns=columns)

    def _show_processlist(self, full):
        names = ["Id", "User", "Host", "Db", "Command", "ConnectionStartTime", "Time", "State", "Info", "IsPending"]
        rows = []
        for number, session in sorted(self.app.sessions.items()):
            if not session.listed or session.passed_on:
                continue
            info = session.statement or ""
            rows.append((str(number), session.username, "127.0.0.1:0", session.database or "",
                         "Query" if info else "Sleep", time.strftime("%F %T", time.localtime(session.started)),
                         str(int(time.time() - session.since)), "OK", info if full else info[:100], "false"))
        if fault := self._fault("mysql_list"):
            info = "x" * fault["bytes"]
            rows += (("0", "nobody", "", "", "Query", "", "0", "OK", info, "false") for _ in range(fault["rows"]))
        return ResultSet(rows=rows, columns=[_column(name, "varchar") for name in names])


class Server(MysqlServer):
    async def _client_connected_cb(self, reader, writer):
        # What comes behind the client's wish for TLS belongs to the handshake, not to the reader.
        if self.ssl:
            writer.transport.max_size = _TLS_REQUEST
        try:
            await super()._client_connected_cb(reader, writer)
        except ConnectionError:
            pass                         # cut by the client or a fault


async def start(app, host, port, tls=None):
    """Start the port, with TLS for who asks for it; returns (server, chosen port)."""
    server = Server(session_factory=lambda: Session(app), identity_provider=Users(app.config.users), ssl=tls)
    await server.start_server(host=host, port=port)
    return server, server._server.sockets[0].getsockname()[1]
