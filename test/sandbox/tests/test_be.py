"""Rules 7 to 13 and 54: the BE's protocol."""

import gzip
import json
import time
import uuid

import lz4.frame
import pytest
import zstandard
from client import Wire, basic

ROW = json.dumps([{"id": 1, "v": "a", "n": 1}]).encode()
JSON = {"format": "json", "strip_outer_array": "true", "Authorization": basic()}


def start(wire, t, headers=None, length=None):
    out = {**JSON, **(headers or {})}
    if length is not None:
        out["Content-Length"] = str(length)
    wire.head("PUT", t.path(), out)


@pytest.mark.parametrize("auth", [None, "Basic !!!", "Digest x"])
def test_rule_07_be_without_authorization(t, auth):
    answer = t.put(ROW, headers={**JSON, "Authorization": auth})
    assert answer.status == 200 and not answer.sent_body
    assert answer.json()["Status"] == "Fail"
    assert "no valid Basic authorization" in answer.json()["Message"]


def test_rule_07_be_with_a_wrong_password(t):
    answer = t.put(ROW, headers={**JSON, "Authorization": basic("root", "x")})
    assert answer.status == 200
    assert answer.json()["Status"] == "Fail" and "Access denied" in answer.json()["Message"]


def test_rule_08_failure_in_the_headers_comes_at_once(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {"Expect": "100-continue", "strict_mode": "perhaps"}, 1000)
        answer = wire.read_answer()
    assert not answer.continued and answer.status == 200
    assert answer.json()["Status"] == "Fail" and answer.json()["TxnId"] == -1
    assert answer.headers["content-type"].startswith("application/json")
    assert t.loads()[-1]["bytes"] == 0


def test_rule_08_used_label_and_unknown_table_need_no_body(t):
    assert t.json([{"id": 1, "n": 1}], label="once")["Status"] == "Success"
    assert not t.put(ROW, label="once", headers=JSON).sent_body
    assert not t.put(ROW, table="nowhere", headers=JSON).sent_body


def test_rule_09_continue_then_content_length(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {"Expect": "100-continue"}, len(ROW))
        assert wire.read_head()[0] == 100
        assert wire.silent(0.1)
        for i in range(len(ROW)):
            wire.send(ROW[i:i + 1])
        assert wire.read_answer().json()["Status"] == "Success"
    assert t.values("id", "v") == [(1, "a")]


def test_rule_09_continue_then_chunked(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {"Expect": "100-continue", "Transfer-Encoding": "chunked"})
        assert wire.read_head()[0] == 100
        for part in (ROW[:5], ROW[5:]):
            wire.send(b"%x\r\n" % len(part) + part + b"\r\n")
        wire.send(b"0\r\n\r\n")
        assert wire.read_answer().json()["LoadBytes"] == len(ROW)
    assert t.values("id", "v") == [(1, "a")]


def test_rule_09_without_expect_no_continue(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {}, len(ROW))
        wire.send(ROW)
        answer = wire.read_answer()
    assert not answer.continued and answer.json()["Status"] == "Success"


def test_rule_09_the_connection_is_kept(t):
    with Wire(t.box.be) as wire:
        for i in range(3):
            body = json.dumps([{"id": i, "n": 0}]).encode()
            start(wire, t, {"Expect": "100-continue"}, len(body))
            assert wire.read_head()[0] == 100
            wire.send(body)
            assert wire.read_answer().json()["Status"] == "Success"
    assert len(t.rows()) == 3


def test_rule_10_body_shorter_than_content_length(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {"label": "short", "Expect": "100-continue"}, len(ROW) + 5)
        assert wire.read_head()[0] == 100
        wire.send(ROW)
        wire.sock.shutdown(1)
        result = wire.read_answer().json()
    assert result["Status"] == "Fail"
    assert "receive body don't equal with body bytes" in result["Message"]
    assert t.state("short") == "ABORTED" and t.rows() == []


@pytest.mark.parametrize("chunked", [False, True])
def test_rule_11_broken_connection(t, chunked):
    with Wire(t.box.be) as wire:
        more = {"Transfer-Encoding": "chunked"} if chunked else {}
        start(wire, t, {"label": "torn", "Expect": "100-continue", **more}, None if chunked else 5000)
        assert wire.read_head()[0] == 100
        assert t.state("torn") == "PREPARE"
        wire.send(b"%x\r\n" % 5000 + ROW if chunked else ROW)
    t.box.wait(lambda: t.state("torn") == "ABORTED")
    assert t.rows() == []
    assert t.json([{"id": 1, "n": 1}], label="torn")["Status"] == "Success"
    assert t.state("torn") == "VISIBLE"


def test_rule_12_a_label_is_made(t):
    result = t.json([{"id": 1, "n": 1}])
    assert uuid.UUID(result["Label"]) and result["Status"] == "Success"
    assert t.state(result["Label"]) == "VISIBLE"


@pytest.mark.parametrize("label", ["x" * 129, "a b", "a.b", "é", "a/b"])
def test_rule_13_illegal_label(t, label):
    result = t.json([{"id": 1, "n": 1}], label=label)
    assert result["Status"] == "Fail" and result["TxnId"] == -1
    assert t.rows() == []


def test_rule_13_longest_label(t):
    assert t.json([{"id": 1, "n": 1}], label="-_aZ09" + "x" * 122)["Status"] == "Success"


def test_rule_54_success_and_failure_have_status_200(t):
    for body, wanted in ((ROW, "Success"), (b"[{]", "Fail"), (b"", "Fail")):
        answer = t.put(body, headers=JSON)
        assert (answer.status, answer.json()["Status"]) == (200, wanted)


def test_rule_54_fields_of_the_answer(t):
    result = t.json([{"id": 1, "n": 1}], label="fields")
    assert list(result) == [
        "TxnId", "Label", "Status", "Message", "NumberTotalRows", "NumberLoadedRows", "NumberFilteredRows",
        "NumberUnselectedRows", "LoadBytes", "LoadTimeMs", "BeginTxnTimeMs", "StreamLoadPlanTimeMs",
        "ReadDataTimeMs", "WriteDataTimeMs", "CommitAndPublishTimeMs"]
    assert result["TxnId"] > 0 and result["Message"] == "OK"


def test_unknown_path_on_the_be(t):
    from client import request

    assert request(t.box.be, "GET", "/nothing").status == 404


@pytest.mark.parametrize("name, pack", [
    ("gzip", gzip.compress), ("zstd", zstandard.compress), ("lz4_frame", lz4.frame.compress)])
@pytest.mark.parametrize("header", ["compression", "Content-Encoding"])
def test_compressed_json(t, name, pack, header):
    body = pack(json.dumps([{"id": i, "n": 1, "v": "x" * 20} for i in range(1000)]).encode())
    result = t.json(body, headers={header: name})
    assert result["Status"] == "Success" and result["NumberLoadedRows"] == 1000
    assert result["LoadBytes"] == len(body)


def test_compressed_body_that_is_damaged(t):
    assert t.json(gzip.compress(ROW)[:-9], compression="gzip")["Status"] == "Fail"
    assert t.json(ROW, compression="zstd")["Status"] == "Fail"
    assert t.rows() == []


def test_compressed_csv_by_its_format(t):
    assert t.csv(gzip.compress(b"1\ta\t2\t3\n"), format="gzip")["Status"] == "Success"
    assert t.values("id", "v", "n", "x") == [(1, "a", 2, 3.0)]


def test_timeout_of_a_load(t):
    with Wire(t.box.be) as wire:
        start(wire, t, {"label": "slow", "timeout": "1", "Expect": "100-continue"}, 1000)
        assert wire.read_head()[0] == 100
        wire.send(ROW)
        begin = time.monotonic()
        assert "timeout" in wire.read_answer().json()["Message"]
        assert time.monotonic() - begin < 5
    assert t.state("slow") == "ABORTED"
