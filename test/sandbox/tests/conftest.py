"""Fixtures: one sandbox for most tests, a database of its own for each."""

import itertools

import pytest
from client import Sandbox, Target

_names = itertools.count(1)

DDL = """CREATE TABLE t (id BIGINT NOT NULL, v VARCHAR(20), n INT NOT NULL DEFAULT '7', x DOUBLE)
PRIMARY KEY (id) DISTRIBUTED BY HASH (id) PROPERTIES ("replication_num" = "1")"""


@pytest.fixture(scope="session")
def box(tmp_path_factory):
    sandbox = Sandbox(str(tmp_path_factory.mktemp("sandbox")), ["--user", "loader:secret"]).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make(box):
    """make(ddl) gives a Target in a new database; faults are cleared afterwards."""
    yield lambda ddl=DDL: Target(box, f"db{next(_names)}", ddl)
    box.clear()


@pytest.fixture
def t(make):
    """The usual table: id, v, n NOT NULL DEFAULT 7, x."""
    return make()


@pytest.fixture
def own(tmp_path):
    """A function that starts a sandbox with options; all are stopped at the end."""
    started = []

    def start(*args, data=None):
        sandbox = Sandbox(data or str(tmp_path / f"data{len(started)}"), list(args)).start()
        started.append(sandbox)
        return sandbox

    yield start
    for sandbox in started:
        sandbox.stop()
