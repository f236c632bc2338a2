"""The MySQL port: users, sessions, and its faults."""

import threading

import pymysql
import pytest


def statement(t, sql):
    with t.box.connect(database=t.db) as session, session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def filled(t):
    t.box.sql("INSERT INTO t (id, n) VALUES (1, 1), (2, 2)", database=t.db)
    return lambda: len(t.rows())


def in_background(t, sql):
    """Run it in a session of its own; the thread ends when it is answered or lost."""
    def work():
        try:
            statement(t, sql)
        except pymysql.err.MySQLError:
            pass
    thread = threading.Thread(target=work)
    thread.start()
    t.box.wait(lambda: t.box.admin("GET", "held").json()["statements"] == [sql])
    return thread


def listed(t):
    return {row[8]: int(row[0]) for row in statement(t, "SHOW FULL PROCESSLIST")}


def test_truncate(t):
    count = filled(t)
    assert count() == 2
    statement(t, "TRUNCATE TABLE t /* why */")
    assert count() == 0
    with pytest.raises(pymysql.err.MySQLError, match="Unknown table"):
        statement(t, "TRUNCATE TABLE x")


def test_wrong_password(box):
    with pytest.raises(pymysql.err.MySQLError):
        box.connect(password="wrong")
    with pytest.raises(pymysql.err.MySQLError):
        box.connect(user="nobody")


def test_processlist_and_kill(t):
    count = filled(t)
    sql = "TRUNCATE TABLE t /* " + "x" * 200 + " */"
    t.box.fault("mysql_hold", count=1, statement="x{200}")
    thread = in_background(t, sql)
    assert sql in listed(t)
    short = [row[8] for row in statement(t, "SHOW PROCESSLIST")]
    assert sql[:100] in short and sql not in short
    statement(t, f"KILL {listed(t)[sql]}")
    thread.join()
    t.box.wait(lambda: sql not in listed(t))
    t.box.admin("POST", "release", {})
    assert count() == 2


def test_held_without_its_client(t):
    count = filled(t)
    sql = "TRUNCATE TABLE t"
    t.box.fault("mysql_hold", count=1, statement="TRUNCATE")
    session = t.box.connect(database=t.db)
    session._execute_command(3, sql)     # COM_QUERY, and the answer is not read
    t.box.wait(lambda: t.box.admin("GET", "held").json()["statements"] == [sql])
    session._force_close()
    assert sql in listed(t) and count() == 2
    t.box.admin("POST", "release", {"label": "TRUNC"})
    t.box.wait(lambda: count() == 0)


def test_deaf_to_kill(t):
    count = filled(t)
    sql = "TRUNCATE TABLE t"
    t.box.fault("mysql_hold", deaf=True, count=1, statement="TRUNCATE")
    thread = in_background(t, sql)
    number = listed(t)[sql]
    statement(t, f"KILL QUERY {number}")
    assert sql in listed(t) and count() == 2
    statement(t, f"KILL {number}")
    assert sql not in listed(t) and count() == 2
    t.box.admin("POST", "release", {})
    thread.join()
    assert count() == 0


def test_overtaken(t):
    """A TRUNCATE that has begun does not come over what another one has left."""
    count = filled(t)
    sql = "TRUNCATE TABLE t /* 1 */"
    t.box.fault("mysql_hold", begun=True, unlisted=True, count=1, statement=r"/\* 1 \*/")
    thread = in_background(t, sql)
    assert sql not in listed(t)
    statement(t, "TRUNCATE TABLE t")
    statement(t, "INSERT INTO t (id) VALUES (1)")
    t.box.admin("POST", "release", {})
    thread.join()
    assert count() == 1


def test_kill_query(t):
    count = filled(t)
    sql = "TRUNCATE TABLE t"
    t.box.fault("mysql_hold", count=1, statement="TRUNCATE")
    thread = in_background(t, sql)
    statement(t, f"KILL QUERY {listed(t)[sql]}")
    thread.join()
    t.box.wait(lambda: sql not in listed(t))
    assert count() == 2


@pytest.mark.parametrize(("when", "left"), [("before", 2), ("after", 0)])
def test_cut(t, when, left):
    count = filled(t)
    t.box.fault("mysql_cut", when=when, count=1, statement="TRUNCATE")
    with pytest.raises(pymysql.err.OperationalError):
        statement(t, "TRUNCATE TABLE t")
    assert count() == left


def test_cut_at_connect(t):
    t.box.fault("mysql_cut", when="connect", count=1)
    with pytest.raises(pymysql.err.OperationalError):
        statement(t, "SELECT 1")
    assert statement(t, "SELECT 1")


def test_error(t):
    count = filled(t)
    t.box.fault("mysql_error", code=5203, message="Access denied; no", count=1, statement="TRUNCATE")
    with pytest.raises(pymysql.err.MySQLError, match="Access denied; no"):
        statement(t, "TRUNCATE TABLE t")
    assert count() == 2
