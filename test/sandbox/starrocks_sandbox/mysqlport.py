"""The MySQL protocol port: users, and a session over the SQL engine."""

import logging

from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, ResultColumn, ResultSet, User
from mysql_mimic.charset import CharacterSet
from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.session import Session as MimicSession
from mysql_mimic.types import ColumnType
from sqlglot import exp

from .errors import SqlError
from .sql import as_text

logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)

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
        try:
            result = await self.app.engine.execute(expression, sql, self.database)
        except SqlError as why:
            raise MysqlError(str(why), code=why.code) from None
        columns = [_column(name, kind) for name, kind in result.columns]
        return ResultSet(rows=result.rows, columns=columns)


async def start(app, host, port):
    """Start the port; returns (server, chosen port)."""
    server = MysqlServer(session_factory=lambda: Session(app), identity_provider=Users(app.config.users))
    await server.start_server(host=host, port=port)
    return server, server._server.sockets[0].getsockname()[1]
