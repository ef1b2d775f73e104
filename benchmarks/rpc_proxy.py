"""A proxy in front of a JSON-RPC: adds latency, limits the rate, and counts what is sent."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WINDOW = 10.0  # seconds of the limit


class Proxy:
    """
    latency  seconds between a request and its answer, beside what the node takes
    limit    requests in WINDOW; beyond it HTTP 429 with Retry-After
    """

    def __init__(self, port: int, latency: float = 0.0, limit: int | None = None) -> None:
        self.latency, self.limit = latency, limit
        self.requests = self.refused = self.sends = self.sent_bytes = 0
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()
        proxy, local = self, threading.local()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(proxy.latency)
                wait = proxy.count(raw)
                if wait:
                    self.answer(429, b"{}", wait)
                    return
                if not hasattr(local, "node"):
                    local.node = HTTPConnection("127.0.0.1", port, timeout=60)
                local.node.request("POST", "/", raw, {"Content-Type": "application/json"})
                self.answer(200, local.node.getresponse().read(), 0)

            def answer(self, status: int, body: bytes, wait: int) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if wait:
                    self.send_header("Retry-After", str(wait))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that was killed is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def count(self, raw: bytes) -> int:
        """Seconds to wait; 0: it goes on to the node."""
        calls = json.loads(raw)
        with self._lock:
            now = time.monotonic()
            while self._recent and now - self._recent[0] > WINDOW:
                self._recent.popleft()
            if self.limit is not None and len(self._recent) >= self.limit:
                self.refused += 1
                return max(1, -int(-(WINDOW - (now - self._recent[0])) // 1))
            self._recent.append(now)
            self.requests += 1
            for call in calls if isinstance(calls, list) else [calls]:
                if call["method"] == "sendTransaction":
                    self.sends += 1
                    self.sent_bytes += _size(call["params"])
        return 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _size(params: list[Any]) -> int:
    """Bytes of the transaction; base58 text has 1.37 characters a byte."""
    options = params[1] if len(params) > 1 else {}
    if options.get("encoding") == "base64":
        return len(base64.b64decode(params[0]))
    return round(len(params[0]) / 1.3657)
