"""A proxy between the steps and a real localnet that misbehaves as public RPC nodes do."""

from __future__ import annotations

import base64
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from solders.transaction import VersionedTransaction


@dataclass
class Answer:
    """What is sent instead of the node's answer. body None: the connection is closed."""

    status: int = 200
    body: bytes | None = b""
    headers: dict[str, str] = field(default_factory=dict)


Rule = Callable[[str, list[Any], Callable[[], bytes]], Answer | None]
"""(method, params, a call that asks the node) → what to answer, None: what the node says."""


class Proxy:
    def __init__(self, target: str, rule: Rule) -> None:
        address = urlsplit(target)
        proxy = self
        self.calls: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                call = json.loads(raw)
                proxy.calls.append(call["method"])

                def ask() -> bytes:
                    node = HTTPConnection(address.hostname or "", address.port, timeout=10)
                    node.request("POST", "/", raw, {"Content-Type": "application/json"})
                    try:
                        return node.getresponse().read()
                    finally:
                        node.close()

                answer = rule(call["method"], call.get("params") or [], ask)
                answer = Answer(body=ask()) if answer is None else answer
                if answer.body is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                else:
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def drops(share: float, chance: random.Random) -> Rule:
    """Half of the lost ones are lost on the way there, half on the way back."""
    lock = threading.Lock()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        with lock:
            lost, back = chance.random() < share, chance.random() < 0.5
        if lost and back:
            ask()
        return Answer(body=None) if lost else None

    return rule


def limits(per_second: int, retry_after: str | None) -> Rule:
    """HTTP 429 for all but so many requests in a second."""
    window, lock = [0.0, 0], threading.Lock()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        with lock:
            if time.monotonic() - window[0] > 1:
                window[:] = [time.monotonic(), 0]
            window[1] += 1
            if window[1] <= per_second:
                return None
        return Answer(429, b"{}", {} if retry_after is None else {"Retry-After": retry_after})

    return rule


def legacy_only(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
    """A node that knows no transaction of version 1."""
    if method not in ("sendTransaction", "simulateTransaction"):
        return None
    if VersionedTransaction.from_bytes(base64.b64decode(params[0])).version() != 1:
        return None
    error = {"code": -32602, "message": "base64 encoded too large: max 1232 bytes"}
    return Answer(body=json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())


def cut_in_half(share: float, chance: random.Random) -> Rule:
    lock = threading.Lock()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        with lock:
            if chance.random() >= share:
                return None
        whole = ask()
        return Answer(body=whole[: len(whole) // 2], headers={"Content-Length": str(len(whole))})

    return rule


def swallows(count: int) -> Rule:
    """Says that it took a transaction and forgets it, for the first so many writes: they can only
    be signed anew when their blockhash has expired."""
    left, lock, forgotten = [count], threading.Lock(), set[str]()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        if method != "sendTransaction":
            return None
        wire = base64.b64decode(params[0])
        with lock:
            if params[0] not in forgotten:
                if len(wire) <= 1_232 or left[0] <= 0 or not params[1]["skipPreflight"]:
                    return None
                left[0] -= 1
                forgotten.add(params[0])
        return Answer(body=b'{"jsonrpc":"2.0","id":1,"result":"taken"}')

    return rule


def moody_statuses() -> Rule:
    """Of each transaction the status comes late, is then of an unconfirmed one, vanishes, and is
    repeated as it was, before the truth is told."""
    looks, lock = dict[str, int](), threading.Lock()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        if method != "getSignatureStatuses":
            return None
        answer = json.loads(ask())
        values = answer["result"]["value"]
        with lock:
            for at, signature in enumerate(params[0]):
                if values[at] is None:
                    continue
                looks[signature] = looks.get(signature, 0) + 1
                if looks[signature] in (1, 2, 4):
                    values[at] = None
                elif looks[signature] in (3, 5):
                    values[at]["confirmationStatus"] = "processed"
        return Answer(body=json.dumps(answer).encode())

    return rule


def behind(slots: int) -> Rule:
    """A node that has not seen the last so many slots: nothing of what happened in them."""

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        answer = json.loads(ask())
        result = answer.get("result")
        if method == "getSlot":
            answer["result"] = result - slots
        elif method == "getEpochInfo":
            result["absoluteSlot"] -= slots
            result["blockHeight"] -= slots
        elif isinstance(result, dict) and "context" in result:
            seen = result["context"]["slot"] = result["context"]["slot"] - slots
            if method == "getSignatureStatuses":
                result["value"] = [
                    None if one is None or one["slot"] > seen else one for one in result["value"]
                ]
            wanted = params[-1].get("minContextSlot", 0) if isinstance(params[-1], dict) else 0
            if seen < wanted:
                error = {"code": -32016, "message": "Minimum context slot has not been reached"}
                answer = {"jsonrpc": "2.0", "id": 1, "error": error}
        return Answer(body=json.dumps(answer).encode())

    return rule


def of_another_cluster(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
    if method != "getGenesisHash":
        return None
    genesis = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"
    return Answer(body=json.dumps({"jsonrpc": "2.0", "id": 1, "result": genesis}).encode())


def dies_after(requests: int) -> Rule:
    """Answers so many requests and then none."""
    left = itertools.count(requests, -1)

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        return None if next(left) > 0 else Answer(body=None)

    return rule


def at_write(number: int, happens: Callable[[], None]) -> Rule:
    """Something happens right before the n-th large transaction arrives; the first one makes the
    buffer."""
    seen, lock = itertools.count(1), threading.Lock()

    def rule(method: str, params: list[Any], ask: Callable[[], bytes]) -> Answer | None:
        if method == "sendTransaction" and len(base64.b64decode(params[0])) > 1_232:
            with lock:
                if next(seen) == number:
                    happens()
        return None

    return rule
