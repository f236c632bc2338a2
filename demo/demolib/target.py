"""The target: the sandbox, or a StarRocks that somebody named."""

import json
import os
import subprocess
import sys
import time

import pymysql

from . import DemoError


class Target:
    """Where the rows go; spoken to over the MySQL protocol."""

    def __init__(self, url, mysql, user, password, database):
        self.url, self.database = url, database
        self.user, self.password = user, password
        host, _, port = mysql.rpartition(":")
        self.host, self.port = host or mysql, int(port or 9030)
        self.process = None
        self.connection = None

    def connect(self):
        """Open the connection; makes the database if need be."""
        try:
            self.connection = pymysql.connect(
                host=self.host, port=self.port, user=self.user,
                password=self.password, autocommit=True, connect_timeout=10)
        except pymysql.Error as error:
            raise DemoError(f"no answer from {self.host}:{self.port}: "
                            f"{error}") from error
        self.sql(f"CREATE DATABASE IF NOT EXISTS `{self.database}`")
        self.sql(f"USE `{self.database}`")

    def sql(self, text):
        """Run one statement; returns its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() or ()

    def count(self, table):
        """How many rows a table has."""
        return self.sql(f"SELECT count(*) FROM `{self.database}`.`{table}`")[0][0]

    def stop(self):
        """End the sandbox, if it is ours."""
        if self.connection is not None:
            self.connection.close()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


def start_sandbox(base, database):
    """Start the stand-in on free ports and wait until it is ready."""
    data = os.path.join(base, "sandbox")
    os.makedirs(data, exist_ok=True)
    with open(os.path.join(base, "sandbox.log"), "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "starrocks_sandbox", "--fe-port", "0",
             "--be-port", "0", "--mysql-port", "0", "--data", data],
            stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True)     # Ctrl-C is not for it
    with open(os.path.join(base, "pids", "sandbox"), "w",
              encoding="utf-8") as file:
        file.write(str(process.pid))
    started = time.monotonic()
    line = process.stdout.readline()
    if not line or time.monotonic() - started > 60:
        raise DemoError("the sandbox did not start, see sandbox.log")
    ports = json.loads(line)
    target = Target(f"http://127.0.0.1:{ports['fe']}",
                    f"127.0.0.1:{ports['mysql']}", "root", "", database)
    target.process = process
    return target
