"""The calls of the transaction interface, by a plain HTTP client."""

import json

from client import request

ROW = [{"id": 1, "v": "a", "n": 1}]


class Calls:
    """The calls of one client: to the frontend, and from there where it says."""

    def __init__(self, t, **always):
        self.t, self.always = t, always

    def raw(self, name, label, body=b"", port=None, method=None, **headers):
        out = {"db": self.t.db, "label": label, **self.always,
               **{k: v for k, v in headers.items() if v is not None}}
        method = method or ("PUT" if name == "load" else "POST")
        return request(port or self.t.box.fe, method, f"/api/transaction/{name}", out, body, expect=name == "load")

    def call(self, name, label, body=b"", **headers):
        answer = self.raw(name, label, body, **headers)
        if answer.status == 307:
            assert not answer.sent_body
            port = int(answer.headers["location"].split("/api/")[0].rpartition(":")[2])
            answer = self.raw(name, label, body, port=port, **headers)
        assert answer.status == 200, answer.body
        return answer.json()

    def begin(self, label, **headers):
        return self.call("begin", label, **{"table": "t", **headers})

    def load(self, label, rows=ROW, **headers):
        body = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
        return self.call("load", label, body, **{"table": "t", "format": "json", "strip_outer_array": "true",
                                                 "strict_mode": "true", **headers})

    def prepare(self, label, **headers):
        return self.call("prepare", label, **headers)

    def commit(self, label):
        return self.call("commit", label)

    def rollback(self, label):
        return self.call("rollback", label)

    def prepared(self, label, rows=ROW, **headers):
        """Begin, load and prepare."""
        for answer in (self.begin(label), self.load(label, rows, **headers), self.prepare(label)):
            assert answer["Status"] == "OK", answer
        return answer
