"""What FE, BE and the MySQL port share: storage, labels, users, faults, the log."""

import asyncio
import base64
import binascii
import json
import logging
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .faults import Faults
from .store import Store
from .txn import TxnManager

log = logging.getLogger("starrocks_sandbox")
LOG_SIZE = 20000


@dataclass
class Config:
    data: str
    users: dict = field(default_factory=lambda: {"root": ""})
    advertise: str = ""
    tls: bool = False
    label_keep_seconds: int = 259200
    label_keep_num: int = 1000
    max_running_txns: int = 1000
    max_body_bytes: int = 10240 << 20
    threads: int = 1
    memory: str = "1GB"


class App:
    def __init__(self, config):
        self.config = config
        self.store = Store(config.data, config.threads, config.memory)
        self.txns = TxnManager(self.store, config.label_keep_seconds, config.label_keep_num,
                               config.max_running_txns)
        self.faults = Faults()
        self.loads = deque(maxlen=LOG_SIZE)
        self.sequence = 0
        self.connections = 0
        self.tasks = set()
        self.sessions = {}               # of the MySQL port, by their number
        self.requests = []               # that the FE keeps: (what, event)
        self.open = {}                   # (db, label) -> what transaction.py has of it
        self.multi = {}                  # the same, what multi.py has
        self.engine = None               # the SQL engine, set by the starter
        self.loaders = ThreadPoolExecutor(2, thread_name_prefix="loader")
        self.be_address = config.advertise
        self.fe_address = ""
        self.errors = os.path.join(config.data, "errors")
        os.makedirs(self.errors, exist_ok=True)

    @property
    def catalog(self):
        return self.store.catalog

    def close(self):
        self.loaders.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    def background(self, coroutine):
        """Run something beside the request that asked for it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)             # the loop itself holds tasks only weakly
        task.add_done_callback(self.tasks.discard)

    async def hold_request(self, what):
        """Keep a request until it is released, whatever becomes of the client."""
        entry = (what, asyncio.Event())
        self.requests.append(entry)
        try:
            await entry[1].wait()
        finally:
            self.requests.remove(entry)

    # -- users -------------------------------------------------------------

    def authenticate(self, headers):
        """(user, None) for good credentials, else (user or None, why not)."""
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None, "Need auth information."
        try:
            user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None, "Need auth information."
        if not colon:
            return None, "Need auth information."
        if self.config.users.get(user) != password:
            return user, f"Access denied for {user}@127.0.0.1"
        return user, None

    # -- the log of loads --------------------------------------------------

    def record(self, **entry):
        """Append an entry to the log and return it; it may be filled in later."""
        self.sequence += 1
        entry = {"seq": self.sequence, "time": time.time(), **entry}
        self.loads.append(entry)
        return entry

    def write_error_log(self, ident, lines):
        """Keep the lines behind an ErrorURL; returns the URL."""
        name = f"error_log_{ident}"
        with open(os.path.join(self.errors, name), "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        return f"http://{self.be_address}/api/_load_error_log?file={name}"

    def apply_retention(self):
        """Take the labels' retention from the faults, else from the command line."""
        self.txns.keep_num = self.config.label_keep_num
        self.txns.keep_seconds = self.config.label_keep_seconds
        for fault in self.faults.active:
            if fault.name == "label_retention":
                if fault["max_num"] is not None:
                    self.txns.keep_num = int(fault["max_num"])
                if fault["max_age"] is not None:
                    self.txns.keep_seconds = float(fault["max_age"])


def ndjson(values):
    """One JSON document per line."""
    return "".join(json.dumps(v, ensure_ascii=False) + "\n" for v in values).encode()
