"""The systems around cbapi, real where it matters: Postgres, Redis, the service's own process.

The chain is a small HTTP server, because these tests are about its errors.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tests.testbed import waiting
from tests.testbed.postgres import PostgresServer as PostgresServer
from tests.testbed.postgres import children as children
from tests.testbed.redis import RedisServer as RedisServer
from tests.testbed.waiting import T, free_port

ROOT = Path(__file__).parents[3]
PROGRAM_ID = "Vote111111111111111111111111111111111111111"
PASSWORD = "pw-canary-7Q"
RPC_KEY = "rpc-canary-9Z"


def wait_for(probe: Callable[[], T | None], seconds: float = 10.0, what: str = "it") -> T:
    """The first true value of `probe`; exceptions of a connection count as not yet."""
    return waiting.wait_for(probe, seconds, what, passing=(OSError, httpx.HTTPError, psycopg.Error))


@dataclass
class FakeChain:
    """Answers getHealth and getAccountInfo; tests set what."""

    account: bytes | None = None
    owner: str = PROGRAM_ID
    slot: int = 100
    delay: float = 0.0
    raw: bytes | None = None
    status: int = 200
    calls: list[str] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}/{RPC_KEY}"

    def start(self) -> None:
        chain = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                chain.calls.append(request["method"])
                time.sleep(chain.delay)
                body = chain.raw or json.dumps(chain.answer(request)).encode()
                try:
                    self.send_response(chain.status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the caller's time limit passed

            def log_message(self, format: str, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        result: Any = "ok"
        if request["method"] == "getAccountInfo":
            value = None
            if self.account is not None:
                data = [base64.b64encode(self.account).decode(), "base64"]
                value = {"lamports": 1, "owner": self.owner, "data": data, "executable": False}
            result = {"context": {"slot": self.slot}, "value": value}
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}


class Service:
    """`python -m cbapi` from a copy of its tree, with nothing but environment variables."""

    def __init__(self, tree: Path, environ: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self._log = log
        # Nothing is inherited: PATH for the interpreter's own sake.
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(tree),
            "PORT": str(self.port),
            **environ,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    def start(self) -> Service:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "cbapi"]
            self.process = subprocess.Popen(
                command, env=self.environ, cwd=self._log.parent, stderr=log, stdout=log
            )
        wait_for(lambda: self.http.get("/health").status_code == 200, what="/health")
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(40)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.http.close()

    def ready(self) -> tuple[int, str, dict[str, Any]]:
        """(HTTP status, overall status, check by service)."""
        answer = self.http.get("/ready")
        body = answer.json()
        checks = {check["service"]: check for check in body["checks"]}
        return answer.status_code, body["status"], checks

    def log_text(self) -> str:
        return self._log.read_text()

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_text().splitlines()]

    def metric(self, name: str) -> float:
        """The value of the first sample whose name and labels start with `name`."""
        for line in self.http.get("/metrics").text.splitlines():
            if line.startswith(name):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")
