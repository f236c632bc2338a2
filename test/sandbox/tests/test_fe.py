"""Rules 1 to 6: the FE."""

import json
import time

import pytest
from client import Wire, basic, curl, request


def put_fe(t, headers=None, **more):
    return request(t.box.fe, "PUT", t.path(), headers, **more)


def hop(wire, t, extra=None):
    """Ask the FE like a client that waits; only the head is sent."""
    wire.head("PUT", t.path(), {"Authorization": basic(), "Expect": "100-continue",
                                "Content-Length": "100", **(extra or {})})


@pytest.mark.parametrize("auth", [None, basic("root", "wrong"), basic("nobody"), "Bearer x", "Basic !!"])
def test_rule_01_fe_without_good_credentials(t, auth):
    answer = put_fe(t, {"Authorization": auth}, expect=True)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm=""'
    body = answer.json()
    assert body["status"] == "FAILED" and body["code"] == "1"
    assert body["msg"] and body["message"]


def test_rule_01_fe_with_a_users_password(t):
    answer = put_fe(t, {"Authorization": basic("loader", "secret")}, expect=True)
    assert answer.status == 307


def test_rule_02_fe_without_expect(t):
    with Wire(t.box.fe) as wire:
        wire.head("PUT", t.path(), {"Authorization": basic(), "Content-Length": "0"})
        answer = wire.read_answer()
        assert answer.status == 200
        body = answer.json()
        assert body["Status"] == "FAILED"
        assert body["Message"].endswith("There is no 100-continue header")
        assert answer.headers["connection"] == "close" and wire.closed()


def test_rule_02_http_1_0_needs_no_expect(t):
    assert put_fe(t, version="1.0").status == 307


def test_rule_03_redirect(t):
    with Wire(t.box.fe) as wire:
        wire.head("PUT", t.path() + "?a=b%20c", {"Authorization": basic(), "Expect": "100-continue",
                                                 "Transfer-Encoding": "chunked"})
        answer = wire.read_answer()
        assert answer.status == 307 and answer.reason == "Temporary Redirect"
        assert answer.headers["location"] == f"http://127.0.0.1:{t.box.be}{t.path()}?a=b%20c"
        assert answer.headers["content-length"] == "0"
        assert answer.headers["connection"] == "close"
        assert not answer.continued
        assert wire.closed()


def test_rule_03_the_fe_looks_up_no_label_and_no_table(t):
    path = f"/api/{t.db}/no_such_table/_stream_load"
    assert request(t.box.fe, "PUT", path, {"label": "bad label"}, expect=True).status == 307


def test_rule_03_the_fe_refuses_large_headers(t):
    columns = ",".join(f"`{'c' * 60}{i}`" for i in range(600))
    answer = put_fe(t, {"columns": columns}, expect=True)
    assert answer.status == 400 and b"larger than 32768 bytes" in answer.body
    assert put_fe(t, {"columns": columns[:32000]}, expect=True).status == 307


def test_rule_03_curl_follows_with_the_body(t):
    body = json.dumps([{"id": 1, "v": "é", "n": 1}]).encode()
    code, out, err = curl("-u", "root:", "--location-trusted", "-XPUT", "-H", "Expect: 100-continue",
                          "-H", "format: json", "-H", "strip_outer_array: true", "--data-binary", "@-",
                          f"http://127.0.0.1:{t.box.fe}{t.path()}", body=body)
    assert code == 0, err
    assert json.loads(out)["Status"] == "Success"
    assert t.values("id", "v") == [(1, "é")]


def test_rule_04_body_before_the_redirect_is_reset(t):
    t.box.fault("fe_reset_after_body", seconds=5, count=1)
    with Wire(t.box.fe) as wire:
        hop(wire, t)
        assert wire.silent(0.2)
        wire.send(b"x" * 100)
        with pytest.raises((ConnectionError, EOFError)):
            assert wire.read_answer().status == 307
            wire.sock.send(b"y")
            time.sleep(0.05)
            wire.sock.send(b"y")
            raise EOFError
    assert any(e["outcome"] == "BODY_BEFORE_REDIRECT" for e in t.loads())


def test_rule_04_a_waiting_client_is_redirected(t):
    t.box.fault("fe_reset_after_body", seconds=0.3, count=1)
    assert put_fe(t, expect=True).status == 307
    assert t.loads() == []


def test_rule_04_body_without_waiting_is_noticed_without_a_fault(t):
    with Wire(t.box.fe) as wire:
        hop(wire, t)
        wire.send(b"x" * 100)
        t.box.wait(lambda: [e for e in t.loads() if e["outcome"] == "BODY_BEFORE_REDIRECT"])


def test_rule_05_delay_before_the_redirect(t):
    t.box.fault("fe_delay", seconds=0.7, count=1)
    start = time.monotonic()
    with Wire(t.box.fe) as wire:
        hop(wire, t)
        assert wire.silent(0.5)
        answer = wire.read_answer()
    assert answer.status == 307 and not answer.continued
    assert time.monotonic() - start >= 0.7
    assert put_fe(t, expect=True).status == 307


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_rule_06_other_methods(t, method):
    answer = request(t.box.fe, method, t.path(), {"Expect": "100-continue"})
    assert answer.json() == {"status": "FAILED", "msg": "Not implemented"}


@pytest.mark.parametrize("status", [401, 500, 503])
def test_fault_fe_status(t, status):
    t.box.fault("fe_status", status=status, count=1)
    assert put_fe(t, expect=True).status == status
    assert put_fe(t, expect=True).status == 307


def test_fault_fe_cut(t):
    t.box.fault("fe_cut", count=1)
    with pytest.raises((ConnectionError, EOFError)):
        put_fe(t, expect=True)


def test_fault_fe_garbage(t):
    t.box.fault("fe_garbage", count=1)
    with Wire(t.box.fe) as wire:
        hop(wire, t)
        assert not wire.sock.recv(1000).startswith(b"HTTP")


def test_fault_fe_truncate(t):
    t.box.fault("fe_truncate", count=1)
    with pytest.raises(EOFError):
        put_fe(t, expect=True)


def test_fault_fe_endless(t):
    t.box.fault("fe_endless", bytes=4 << 20, count=1)
    with Wire(t.box.fe) as wire:
        hop(wire, t)
        size = 0
        while data := wire.sock.recv(1 << 20):
            size += len(data)
    assert size >= 4 << 20


def test_fault_fe_location(t):
    t.box.fault("fe_location", location="http://127.0.0.1:9/x", count=1)
    assert put_fe(t, expect=True).headers["location"] == "http://127.0.0.1:9/x"


def test_fault_fe_for_one_endpoint_only(t):
    t.box.fault("fe_status", status=503, endpoint="get_load_state")
    assert put_fe(t, expect=True).status == 307
    assert request(t.box.fe, "GET", f"/api/{t.db}/get_load_state?label=x").status == 503


def test_rule_46_no_backend(t):
    t.box.fault("fe_no_backend", count=1)
    answer = put_fe(t, expect=True)
    assert answer.status == 200 and answer.json()["Status"] == "FAILED"
    assert "No backend alive." in answer.json()["Message"]


def test_be_advertise(own):
    box = own("--be-advertise", "be.example:1234")
    answer = request(box.fe, "PUT", "/api/a/b/_stream_load", expect=True)
    assert answer.headers["location"] == "http://be.example:1234/api/a/b/_stream_load"
