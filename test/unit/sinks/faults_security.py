"""What must not get into a request, out of it, or elsewhere."""

import base64
import json
import os
import ssl
import tempfile

from common import EXPECTED_AUTH, check, make_certificates, run_load
from driver import Drive
from faultserver import Server, StarRocks, column

# Every byte that a password can have; those of no character too.
EVERY_BYTE = bytes(range(1, 256))


def all_requests(*servers):
    return [r for sr in servers for r in sr.fe.requests + sr.be.requests]


# ---- credentials ----------------------------------------------------------

def test_passwords():
    for password in (EVERY_BYTE, b'a\r\nX-Evil: 1', b'a:b@c', b'', b' "\\%41'):
        with StarRocks() as sr:
            text = password.decode("utf-8", "surrogateescape")
            check(run_load(sr, password=text), "done")
            expected = b"Basic " + base64.b64encode(b"root:" + password)
            for request in all_requests(sr):
                assert request.headers["authorization"] == expected.decode()
                assert "x-evil" not in request.headers


def test_answers_with_credentials():
    """A target, or a proxy, shows what it was sent; also cut off."""
    with StarRocks() as sr:
        for filler in (0, *range(190, 260, 7)):
            text = "x" * filler + f" {EXPECTED_AUTH} or geheim and geheim "
            sr.redirect = lambda r, t=text: r.reply(
                {"Status": "FAILED", "Message": t}, close=True)
            done = run_load(sr)
            check(done, "retry")
            for secret in ("gehe", EXPECTED_AUTH[6:12]):
                assert secret not in str(done), done
        # what is so short stands everywhere
        sr.redirect = lambda r: r.reply(
            {"Status": "FAILED", "Message": "no example"}, close=True)
        check(run_load(sr, password="exa"), "retry", "no example")


def test_environment():
    """No proxy, no credentials and no settings of the process that starts us."""
    proxy = Server(lambda request: request.reply("", "502 Bad Gateway"))
    with tempfile.TemporaryDirectory() as home, StarRocks() as sr:
        with open(os.path.join(home, ".netrc"), "w", encoding="ascii") as file:
            file.write("machine 127.0.0.1 login thief password stolen\n")
        os.chmod(file.name, 0o600)
        with open(os.path.join(home, ".curlrc"), "w", encoding="ascii") as file:
            file.write(f"proxy = {proxy.address}\nnetrc\n")
        env = {name: proxy.url for name in
               ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                "all_proxy", "ALL_PROXY")}
        env.update(HOME=home, CURL_HOME=home, NETRC=file.name, no_proxy="")
        with Drive(env=env, **sr.options()) as drive:
            drive.table()
            drive.rows(3)
            check(drive.load("l"), "done")
        assert proxy.connections == 0
        for request in all_requests(sr):
            assert request.headers["authorization"] == EXPECTED_AUTH
    proxy.stop()


def test_no_cookies():
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        plain = sr.schema
        sr.schema = lambda request: request.reply(
            "", "307 Temporary Redirect",
            ["Set-Cookie: session=1; Path=/",
             f"Location: {sr.fe.url}/again/schema"]) \
            if "again" not in request.path else plain(request)
        drive.table()
        drive.rows(1)
        check(drive.load("a"), "done")
        check(drive.load("b"), "done")
        for request in all_requests(sr):
            assert "cookie" not in request.headers
            assert "referer" not in request.headers


# ---- where requests go ----------------------------------------------------

def test_redirects_to_other_schemes():
    """Of a question, as of a load; see test_bad_redirects for these."""
    with StarRocks() as sr:
        for location in ("file:///etc/passwd", "ftp://127.0.0.1/x",
                         "gopher://127.0.0.1:1/x", "dict://127.0.0.1:1/x",
                         f"http://thief:stolen@{sr.be.address}/schema",
                         f"{sr.be.url}/schema#fragment"):
            sr.schema = lambda r, l=location: r.reply(
                "", "307 Temporary Redirect", [f"Location: {l}"], close=True)
            done = run_load(sr)
            check(done, "retry")
            assert "stolen" not in str(done) and "root:" not in str(done)
        assert not sr.be.requests


def test_questions_are_not_led_around():
    """A few redirects, each with its answer; then it is enough."""
    with StarRocks() as sr:
        sr.schema = lambda request: request.reply(
            "", "307 Temporary Redirect",
            [f"Location: {sr.fe.url}{request.path}"])
        check(run_load(sr), "retry", "too many redirects")
        assert len(sr.fe.requests) == 3


def test_redirect_with_line_ends():
    """What libcurl or a server makes of it is not a header of ours."""
    with StarRocks() as sr:
        for tail in ("%0d%0aX-Evil:%201", "\tX-Evil: 1", "\x0bX-Evil: 1"):
            sr.redirect = lambda r, t=tail: r.reply(
                "", "307 Temporary Redirect",
                [f"Location: {sr.be.url}{r.path}?a={t}"], close=True)
            run_load(sr)
        for request in all_requests(sr):
            assert "x-evil" not in request.headers


# ---- names in requests ----------------------------------------------------

def split_columns(text):
    """The names in the header "columns", as StarRocks' parser takes them."""
    names = []
    i = 0
    while i < len(text):
        assert text[i] == "`", text
        name = ""
        i += 1
        while text[i] != "`" or text[i + 1:i + 2] == "`":
            name += text[i]
            i += 2 if text[i] == "`" else 1
        names.append(name)
        i += 1
        assert i == len(text) or text[i] == ",", text
        i += 1
    return names


def test_column_names():
    odd = ["a,b", "c`d", "e``", "`", "f=to_binary(id,'hex')", "g'h", 'i"j',
           "k\\", "l;m", "n:o", "%0d%0a", "p q", "r--s", "/*t*/", "é€",
           "u),(v", "{", "__OPx"]
    with StarRocks() as sr, Drive(**sr.options()) as drive:
        sr.columns = [column("id", "BIGINT", key=True),
                      *(column(name, "VARCHAR") for name in odd)]
        drive.table("t", ["id\x3a20\x3a2\x3akn",
                          *(f"{n}:25:0:" for n in odd if ":" not in n)])
        drive.row("U", '{"id":1,"__op":0},')
        check(drive.load("l"), "done")
        header = sr.loads_seen()[0].headers["columns"]
        header = header.encode("latin-1").decode("utf-8")
        assert split_columns(header) == \
            ["id", *(n for n in odd if ":" not in n)], header


def test_names_with_control_characters():
    for name in ("a\rX-Evil: 1", "a\x01", "a\x7f", "a\x0b"):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            drive.table("t", ["id:20:2:kn", f"{name.replace(':', '')}:25:0:"])
            drive.rows(1)
            check(drive.load("l"), "reject", "control character")
            assert not sr.be.requests
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            drive.table(name)
            drive.rows(1)
            check(drive.load("l"), "reject", "cannot be sent to a table")
            assert not all_requests(sr)


def test_table_names():
    for name in ("a/b", "..", ".", "../../_cancel"):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            drive.table(name)
            drive.rows(1)
            check(drive.load("l"), "reject", "cannot be sent to a table")
            assert not all_requests(sr)
    for name in ("a?b=c", "a#b", "a%2fb", "a b", "a&b", "a;b", "a\\b", "é"):
        with StarRocks() as sr, Drive(**sr.options()) as drive:
            drive.table(name)
            drive.rows(1)
            check(drive.load("l"), "done")
            for request in all_requests(sr):
                assert len(request.path.split("/")) in (5, 10), request.path
                assert "?" not in request.path and "#" not in request.path


def test_schema_by_sql_is_quoted():
    with StarRocks() as sr:
        asked = []

        def other(request):
            request.read_body()
            if request.method == "POST":
                asked.append(json.loads(request.body)["query"])
            request.reply("", "404 Not Found")
        sr.schema = lambda request: request.reply("", "404 Not Found")
        sr.other = other
        with Drive(**sr.options(database="d'; DROP TABLE x; --\\")) as drive:
            drive.table("t' OR '1'='1")
            drive.rows(1)
            drive.load("l")
        assert len(asked) == 1
        assert (r"TABLE_SCHEMA = 'd\'; DROP TABLE x; --\\' AND "
                r"TABLE_NAME = 't\' OR \'1\'=\'1' ORDER") in asked[0], asked


# ---- TLS ------------------------------------------------------------------

def test_certificates():
    """Refused before anything but the handshake is sent, and it says why."""
    with tempfile.TemporaryDirectory() as directory:
        make_certificates(directory)
        ca = os.path.join(directory, "ca.pem")
        for name, key, ca_file, reason in (
                ("expired.pem", "server.key", ca, "expired"),
                ("foreign.pem", "foreign.key", ca, "self"),
                ("server.pem", "server.key", None, "certificate")):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(directory, name),
                                    os.path.join(directory, key))
            with StarRocks(tls=context, be_tls=context) as sr:
                options = {"ca_file": ca_file} if ca_file else {}
                check(run_load(sr, **options), "retry", reason)
                assert not all_requests(sr), name
                check(run_load(sr, tls_verify="off"), "done")


def test_https_is_not_spoken_in_the_clear():
    """A frontend without TLS, or one that speaks HTTP, gets no request."""
    with StarRocks() as sr:
        url = sr.fe.url.replace("http://", "https://")
        for verify in ("on", "off"):
            check(run_load(sr, url=url, tls_verify=verify,
                           connect_timeout="500ms"), "retry")
        assert not all_requests(sr)
