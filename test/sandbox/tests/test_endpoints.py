"""Rule 53, the SQL ports, users, TLS, the sandbox's own endpoints."""

import json
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from client import Wire, basic, curl, request

WIDE = """CREATE TABLE t (a INT COMMENT 'the key', b DECIMAL(20,3) NOT NULL DEFAULT '1', c VARCHAR(9),
    d DATETIME DEFAULT CURRENT_TIMESTAMP, e VARBINARY) PRIMARY KEY (a) COMMENT 'x' DISTRIBUTED BY HASH (a) BUCKETS 2"""


def get(t, path, **headers):
    return request(t.box.fe, "GET", path, headers)


def test_rule_53_schema(make):
    t = make(WIDE)
    answer = get(t, f"/api/{t.db}/t/_schema")
    assert answer.status == 200 and answer.json()["status"] == 200
    properties = answer.json()["properties"]
    assert properties[0] == {"name": "a", "type": "INT", "comment": "the key"}
    assert properties[1] == {"name": "b", "type": "DECIMAL128", "comment": "", "precision": "20", "scale": "3"}
    missing = get(t, f"/api/{t.db}/x/_schema")
    assert missing.status == 404
    assert missing.json() == {"status": 404, "exception": "Table [x] does not exists"}
    assert get(t, f"/api/{t.db}/t/_schema", Authorization=basic("a", "b")).status == 401


def test_rule_53_schema_v2(make):
    t = make(WIDE)
    path = f"/api/v2/catalogs/default_catalog/databases/{t.db}/tables"
    body = get(t, path + "/t/schema").json()
    assert body["code"] == "0" and body["result"]["keysType"] == "PRIMARY_KEYS"
    columns = {c["name"]: c for c in body["result"]["columns"]}
    assert list(columns) == ["a", "b", "c", "d", "e"]
    a, b, c, d = (columns[n] for n in "abcd")
    assert (a["isKey"], a["isAllowNull"], a["primitiveType"]) == (True, False, "INT")
    assert (b["precision"], b["scale"], b["isAllowNull"]) == (20, 3, False)
    assert (b["defaultValueType"], b["defaultValue"]) == ("CONST", "1")
    assert (c["columnSize"], c["defaultValueType"], c["isKey"]) == (9, "NULL", False)
    assert d["defaultValueType"] == "VARY"
    assert get(t, path + "/x/schema").status == 404
    t.box.sql("ALTER TABLE t ADD COLUMN f INT", database=t.db)
    assert get(t, path + "/t/schema").json()["result"]["columns"][-1]["name"] == "f"


def test_rule_53_numbers_of_columns(make):
    """One that is added again is another one; a table made anew, too."""
    def schema():
        path = f"/api/v2/catalogs/default_catalog/databases/{t.db}/tables/t/schema"
        result = get(t, path).json()["result"]
        return result["id"], {c["name"]: c["uniqueId"] for c in result["columns"]}

    t = make("CREATE TABLE t (a INT, b INT, c INT) PRIMARY KEY (a)")
    first, columns = schema()
    assert columns == {"a": 0, "b": 1, "c": 2}
    t.box.sql("ALTER TABLE t DROP COLUMN c", "ALTER TABLE t ADD COLUMN c INT",
              "ALTER TABLE t RENAME COLUMN b TO d", "ALTER TABLE t MODIFY COLUMN d BIGINT", database=t.db)
    assert schema() == (first, {"a": 0, "d": 1, "c": 3})
    t.box.sql("DROP TABLE t", 'CREATE TABLE t (a INT, b INT) PRIMARY KEY (a) '
              'PROPERTIES ("fast_schema_evolution" = "false")', database=t.db)
    assert schema() == (first + 1, {"a": -1, "b": -1})


def test_altered_during_a_load(make):
    """Values stay with their columns; those of a dropped one are gone, though it is there again."""
    t = make("CREATE TABLE t (a INT, b INT, c INT) PRIMARY KEY (a)")
    t.box.fault("hold", count=1)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(t.json, [{"a": 1, "b": 2, "c": 3}])
        t.box.wait(lambda: t.box.admin("GET", "held").json()["held"])
        t.box.sql("ALTER TABLE t DROP COLUMN c", "ALTER TABLE t ADD COLUMN c INT",
                  "ALTER TABLE t RENAME COLUMN b TO d", database=t.db)
        t.box.admin("POST", "release", {})
        assert load.result()["Status"] == "Success"
    assert t.rows() == [{"a": 1, "d": 2, "c": None}]


def test_held_requests(t):
    t.box.fault("fe_hold", endpoint="schema", count=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, t, f"/api/{t.db}/t/_schema")
        t.box.wait(lambda: t.box.admin("GET", "held").json()["requests"])
        assert not answer.done()
        assert t.box.admin("POST", "release", {}).json()["released"] == ["schema"]
        assert answer.result().status == 200
    assert t.box.admin("GET", "held").json()["requests"] == []


def test_rule_53_health_needs_no_password(t):
    answer = get(t, "/api/health", Authorization=None)
    assert answer.json() == {"total_backend_num": 1, "online_backend_num": 1, "status": "OK"}


def test_rule_53_error_url(t):
    result = t.json([{"id": "x", "n": 1}])
    assert result["ErrorURL"].startswith(f"http://127.0.0.1:{t.box.be}/api/_load_error_log?file=error_log_")
    answer = request(t.box.be, "GET", result["ErrorURL"].split(str(t.box.be), 1)[1], {"Authorization": None})
    assert answer.headers["content-type"] == "text/plain" and b'{"id": "x", "n": 1}' in answer.body
    assert request(t.box.be, "GET", "/api/_load_error_log?file=../sandbox.duckdb").status == 404


def http_sql(t, query, db=None):
    path = "/api/v1/catalogs/default_catalog" + (f"/databases/{db}" if db else "") + "/sql"
    return request(t.box.fe, "POST", path, {"Content-Type": "application/json"},
                   json.dumps({"query": query}).encode())


def test_http_sql(t):
    t.json([{"id": 1, "v": "é", "n": 2, "x": 0.5}])
    answer = http_sql(t, "SELECT id, v, x, count(*) c FROM t GROUP BY 1, 2, 3", t.db)
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert isinstance(lines[0]["connectionId"], int)
    assert [c["name"] for c in lines[1]["meta"]] == ["id", "v", "x", "c"]
    assert lines[2]["data"] == [1, "é", 0.5, 1]
    assert lines[3]["statistics"]["returnRows"] == 1
    assert b'"t"' in http_sql(t, f"SHOW TABLES FROM {t.db}").body
    assert b"VARCHAR" in http_sql(
        t, "SELECT upper(DATA_TYPE) FROM information_schema.columns WHERE TABLE_NAME = 't'").body
    refused = http_sql(t, "DROP TABLE t", t.db)
    assert refused.status == 500 and "only support SELECT" in refused.json()["msg"]
    assert http_sql(t, "SELECT 1", "nowhere").status == 500


def test_sql_as_plain_text(t):
    def post(text):
        return request(t.box.fe, "POST", f"/_sandbox/sql?db={t.db}", {"Authorization": None}, text.encode())

    answer = post("CREATE TABLE u (a INT, b VARBINARY) PRIMARY KEY (a); INSERT INTO u VALUES (1, NULL);"
                  "SELECT a, b, 'x;y' AS c FROM u")
    assert answer.json() == {"status": "OK", "columns": ["a", "b", "c"], "rows": [[1, None, "x;y"]]}
    assert post("").json()["rows"] == []
    answer = post("DROP TABLE nothing")
    assert answer.status == 400 and "nothing" in answer.json()["message"]


def test_mysql_users(box):
    assert box.connect("loader", "secret")
    for user, password in (("loader", ""), ("loader", "x"), ("root", "x"), ("nobody", "")):
        with pytest.raises(pymysql.err.OperationalError):
            box.connect(user, password)


def test_sql_statements(make):
    t = make("CREATE TABLE IF NOT EXISTS t (a INT, b VARCHAR(5), c INT DEFAULT '3') PRIMARY KEY (a)")
    def sql(*statements):
        return t.box.sql(*statements, database=t.db)

    sql("CREATE TABLE IF NOT EXISTS t (a INT) PRIMARY KEY (a)")
    sql("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (1, 'z')")
    assert sql("SELECT * FROM t ORDER BY a") == [(1, "z", 3), (2, "y", 3)]
    sql("INSERT INTO t SELECT a + 10, b, c FROM t WHERE a = 2", "UPDATE t SET b = 'u' WHERE a = 2",
        "DELETE FROM t WHERE a = 1")
    assert sql(f"SELECT x.a, x.b FROM {t.db}.t AS x ORDER BY 1") == [(2, "u"), (12, "y")]
    assert t.box.run("SELECT count(*), max(b.a) AS m, a.a FROM t a, t b GROUP BY a.a ORDER BY a.a LIMIT 1", t.db)
    assert sql("SHOW TABLES") == [("t",)]
    assert (t.db,) in sql("SHOW DATABASES")
    assert [r[0] for r in sql("DESC t")] == ["a", "b", "c"]
    assert "PRIMARY KEY(`a`)" in sql("SHOW CREATE TABLE t")[0][1]
    sql("TRUNCATE TABLE t")
    assert sql("SELECT count(*) FROM t") == [(0,)]
    sql("DROP TABLE t", "DROP TABLE IF EXISTS t", f"DROP DATABASE {t.db} FORCE", f"DROP DATABASE IF EXISTS {t.db}")
    assert (t.db,) not in t.box.sql("SHOW DATABASES")


@pytest.mark.parametrize("statement, number", [
    ("SELECT * FROM nothing", 1051), ("CREATE DATABASE {db}", 1007), ("CREATE TABLE t (a INT)", 1050),
    ("DROP TABLE nothing", 1051), ("USE nothing", 1049), ("SELEC 1", None), ("ALTER TABLE t DROP COLUMN id", None),
    ("CREATE TABLE u (v INT, k INT) PRIMARY KEY (k)", None), ("ALTER TABLE t ADD COLUMN V INT", 1060)])
def test_sql_errors(t, statement, number):
    with pytest.raises(pymysql.err.Error) as info:
        t.box.sql(statement.format(db=t.db), database=t.db)
    if number:
        assert info.value.args[0] == number


def test_alter_table(t):
    def sql(*statements):
        return t.box.sql(*statements, database=t.db)

    t.json([{"id": 1, "v": "a", "n": 1}])
    sql("ALTER TABLE t ADD COLUMN d INT NOT NULL DEFAULT '5' AFTER v, ADD COLUMN e VARCHAR(9)")
    assert list(t.rows()[0]) == ["id", "v", "d", "n", "x", "e"]
    assert sql("SELECT * FROM t") == [(1, "a", 5, 1, None, None)]
    assert sql("SHOW ALTER TABLE COLUMN")[-1][-1] == "FINISHED"
    t.json([{"id": 2, "n": 1, "e": "new"}], columns="id,n,e")
    assert t.values("id", "d", "e") == [(1, 5, None), (2, 5, "new")]
    sql("ALTER TABLE t DROP COLUMN e, MODIFY COLUMN d BIGINT")
    assert t.json([{"id": 3, "n": 1, "d": 2**40, "e": "gone"}], columns="id,n,d,e")["Status"] == "Success"
    assert t.values("id", "d")[-1] == (3, 2**40)


def test_alter_during_a_load(t):
    import threading

    t.box.fault("hold", count=1)
    thread = threading.Thread(target=lambda: t.json([{"id": 1, "v": "a", "n": 1}], label="h"))
    thread.start()
    t.box.wait(lambda: t.box.admin("GET", "held").json()["held"])
    t.box.sql("ALTER TABLE t ADD COLUMN d INT NOT NULL DEFAULT '5', DROP COLUMN v", database=t.db)
    t.box.admin("POST", "release", {})
    thread.join()
    assert t.state("h") == "VISIBLE"
    assert t.values("id", "n", "d") == [(1, 1, 5)]


def test_names_of_results(t):
    body = request(t.box.fe, "POST", f"/_sandbox/sql?db={t.db}", {}, b"SELECT count(*), id + 1, v FROM t GROUP BY 2, 3")
    assert body.json()["columns"] == ["count(*)", "id + 1", "v"]
    assert t.box.run("SELECT id FROM t UNION ALL SELECT 1", t.db) == [[1]]
    assert t.box.run("WITH q AS (SELECT count(*) AS c FROM t) SELECT c FROM q", t.db) == [[0]]


def test_duplicate_key_table_keeps_all_rows(make):
    t = make("CREATE TABLE t (a INT, b INT) DUPLICATE KEY (a) DISTRIBUTED BY RANDOM")
    for _ in range(2):
        t.json([{"a": 1, "b": 2}, {"a": 1, "b": 1}])
    assert t.values("a", "b") == [(1, 1), (1, 1), (1, 2), (1, 2)]


def test_faults_endpoint(t):
    def post(value):
        return t.box.admin("POST", "faults", value)

    ident = post({"op": "set", "fault": "fail", "message": "m", "count": 2, "label": "^a", "skip": 1}).json()["ids"][0]
    listed = t.box.admin("GET", "faults").json()
    assert listed["faults"][0]["id"] == ident and "fe_delay" in listed["known"]
    row = [{"id": 1, "n": 1}]
    assert [t.json(row, label=x)["Message"] for x in ("a1", "b1", "a2", "a3", "a4")] == ["OK", "OK", "m", "m", "OK"]
    post([{"fault": "fail"}, {"fault": "hold"}])
    assert post({"op": "clear", "fault": "hold"}).json()["faults"][0]["fault"] == "fail"
    assert post({"op": "clear"}).json()["faults"] == []
    for bad in ({"fault": "nope"}, {"fault": "fail", "nope": 1}, {"op": "x"}, {"fault": "fail", "label": "("}, [1],
                {"fault": "be_cut", "when": "never"}):
        assert post(bad).status == 400
    assert t.box.admin("GET", "nothing").status == 404


def test_log_of_loads(t):
    t.json([{"id": 1, "v": "a", "n": 1}], label="one", columns="id,v,n", partial_update="true")
    t.json([{"id": 1, "v": "a", "n": None}], label="two")
    one, two = t.loads()
    assert (one["label"], one["table"], one["outcome"], one["loaded"]) == ("one", "t", "Success", 1)
    assert (one["headers"]["columns"], one["headers"]["partial_update"]) == ("id,v,n", "true")
    assert one["bytes"] > 0 and abs(one["time"] - time.time()) < 60 and one["user"] == "root"
    assert (two["outcome"], two["filtered"], two["message"]) == ("Fail", 1, "too many filtered rows")
    newer = t.box.admin("GET", f"loads?since={one['seq']}&db={t.db}").json()
    assert [e["label"] for e in newer["loads"]] == ["two"]


def test_rows_of_a_large_table(t):
    n = 50000
    t.json([{"id": i, "v": f"v{i}", "n": i} for i in reversed(range(n))])
    start = time.monotonic()
    rows = t.rows()
    assert time.monotonic() - start < 5
    assert [r["id"] for r in rows] == list(range(n))
    assert t.box.admin("GET", f"count?db={t.db}&table=t").json()["rows"] == n
    assert t.box.admin("GET", f"rows?db={t.db}&table=nothing").status == 400


def test_ready(t):
    body = t.box.admin("GET", "ready").json()
    assert body["status"] == "OK" and t.db in body["databases"]


def test_tls(own, tmp_path):
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    box = own("--tls-cert", cert, "--tls-key", key)
    box.sql("CREATE DATABASE d", "CREATE TABLE d.t (id INT) PRIMARY KEY (id)")
    code, out, err = curl("--cacert", cert, "-u", "root:", "--location-trusted", "-XPUT", "-H",
                          "Expect: 100-continue", "-H", "format: json", "-H", "strip_outer_array: true",
                          "--data-binary", '[{"id": 1}]', f"https://localhost:{box.fe}/api/d/t/_stream_load")
    assert code == 0 and json.loads(out)["Status"] == "Success", (out, err)
    context = ssl.create_default_context(cafile=cert)
    with Wire(box.fe, context) as wire:
        wire.head("GET", "/api/health", {})
        assert wire.read_answer().status == 200
