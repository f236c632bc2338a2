"""Switchable faults: which exist, which are set, which one applies now."""

import random
import re
from dataclasses import dataclass, field

from .errors import SandboxError

# name -> parameters with their defaults; the README explains each.
KNOWN = {
    # FE, before or instead of the redirect
    "fe_delay": {"seconds": 2.0, "endpoint": "stream_load"},
    "fe_hold": {"endpoint": "stream_load"},
    "fe_reset_after_body": {"seconds": 5.0},
    "fe_status": {"status": 503, "body": "", "endpoint": "stream_load"},
    "fe_garbage": {"endpoint": "stream_load"},
    "fe_endless": {"endpoint": "stream_load", "bytes": 1 << 30},
    "fe_truncate": {"endpoint": "stream_load"},
    "fe_cut": {"endpoint": "stream_load", "reset": True},
    "fe_no_backend": {},
    "fe_location": {"location": "http://127.0.0.1:1/"},
    # BE, the transport
    "be_status": {"status": 500, "body": "", "commit": False},
    "be_garbage": {"commit": True},
    "be_endless": {"bytes": 1 << 30, "commit": True},
    "be_truncate": {"commit": True},
    "be_cut": {"when": "before_body", "bytes": 1, "reset": True},
    "be_no_continue": {"seconds": 5.0},
    "slow_read": {"bytes_per_second": 1048576},
    "slow_commit": {"ms": 1000},
    # BE, the outcome
    "publish_timeout": {"seconds": 1.0},
    "txn_status_unknown": {"committed": True, "seconds": 0.0},
    "too_many_versions": {},
    "too_many_txns": {},
    "memory_limit": {},
    "fail": {"message": "injected failure", "status": "Fail"},
    "label_used_as_fail": {},
    "hold": {},
    "shuffle_equal_keys": {},
    "reject_rows": {"where": "true"},
    # the transaction interface, wherever the call is answered
    "txn_cut": {"call": "any", "when": "before", "reset": True},
    "txn_delay": {"call": "any", "when": "before", "seconds": 2.0},
    "txn_status": {"call": "any", "when": "before", "status": 500, "body": ""},
    "txn_garbage": {"call": "any", "when": "before"},
    "txn_fail": {"call": "any", "status": "INTERNAL_ERROR", "message": "injected failure"},
    "be_restart": {},
    "fe_follower": {"endpoint": "any"},
    "fe_restart": {},
    "commit_undone": {},
    "no_multi": {},
    # MySQL port, statements
    "mysql_hold": {"deaf": False, "begun": False, "unlisted": False},
    "mysql_list": {"rows": 0, "bytes": 0},
    "mysql_cut": {"when": "before", "reset": True},
    "mysql_error": {"code": 1064, "message": "injected failure"},
    # FE, the labels
    "label_retention": {"max_num": None, "max_age": None},
}

MOMENTS = {"be_cut": ("before_body", "during_body", "after_body", "after_commit"),
        "mysql_cut": ("connect", "before", "after"),
        "txn_cut": ("before", "during", "after"), "txn_delay": ("before", "after"),
        "txn_status": ("before", "after"), "txn_garbage": ("before", "after")}
_PATTERNS = ("db", "table", "label", "statement")
_COMMON = ("count", "skip", "probability", *_PATTERNS)


@dataclass
class Fault:
    id: int
    name: str
    params: dict = field(default_factory=dict)
    count: int | None = None          # fires that are left
    skip: int = 0                        # matches to let pass first
    probability: float = 1.0
    patterns: dict = field(default_factory=dict)
    fired: int = 0

    def __getitem__(self, name):
        return self.params[name]

    def matches(self, subject):
        return all(rx.search(subject.get(k) or "") for k, rx in self.patterns.items())

    def to_dict(self):
        out = {"id": self.id, "fault": self.name, **self.params, "fired": self.fired}
        if self.count is not None:
            out["count"] = self.count
        out.update({k: rx.pattern for k, rx in self.patterns.items()})
        return out


class Faults:
    def __init__(self):
        self.active = []
        self._next = 1

    def set(self, spec):
        """Add a fault from its JSON form; raises SandboxError for a bad one."""
        spec = dict(spec)
        spec.pop("op", None)
        name = spec.pop("fault", None)
        if name not in KNOWN:
            raise SandboxError(f"unknown fault {name!r}; known: {', '.join(sorted(KNOWN))}")
        unknown = set(spec) - set(KNOWN[name]) - set(_COMMON)
        if unknown:
            known = ", ".join([*KNOWN[name], *_COMMON])
            raise SandboxError(f"unknown parameter {sorted(unknown)[0]!r} of {name}; known: {known}")
        params = {k: spec.get(k, v) for k, v in KNOWN[name].items()}
        if name in MOMENTS and params["when"] not in MOMENTS[name]:
            raise SandboxError(f"{name}: when must be one of {', '.join(MOMENTS[name])}")
        try:
            patterns = {k: re.compile(spec[k]) for k in _PATTERNS if spec.get(k)}
            fault = Fault(self._next, name, params, spec.get("count"), int(spec.get("skip", 0)),
                          float(spec.get("probability", 1.0)), patterns)
        except (re.error, TypeError, ValueError) as why:
            raise SandboxError(f"bad fault: {why}") from None
        self._next += 1
        self.active.append(fault)
        return fault

    def clear(self, name=None, ident=None):
        before = len(self.active)
        self.active = [
            f for f in self.active
            if (name is not None and f.name != name) or (ident is not None and f.id != ident)
        ]
        return before - len(self.active)

    def take(self, name, subject, **wanted):
        """The fault of that name that applies to a request, counted as fired, or None.

        `wanted` are parameters that must have the given value.
        """
        for fault in self.active:
            if fault.name != name or not fault.matches(subject):
                continue
            if any(fault.params.get(k) not in (v, "any") for k, v in wanted.items()):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1.0 and random.random() >= fault.probability:
                continue
            fault.fired += 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self.active.remove(fault)
            return fault
        return None
