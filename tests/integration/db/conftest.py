"""Real Postgres servers, one of each kind per session, and an empty database per test."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from tests.testbed.beds import need
from tests.testbed.forked import Forked
from tests.testbed.postgres import ANY, BINARIES, PostgresServer

from cbctl.clients.postgres.address import Address
from cbctl.config.reference import Secret

PASSWORD = "canary-" + secrets.token_hex(8)


class Server(PostgresServer):
    def address(self, database: str = "postgres") -> Address:
        return Address("127.0.0.1", self.port, database, self.user, Secret(self.password))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    running: dict[str, Server] = {}

    def get(kind: str) -> Server:
        if kind not in BINARIES:
            need("postgres-15", f"no Postgres of the kind `{kind}` on this machine")
        if kind not in running:
            folder = tmp_path_factory.mktemp(f"postgres-{kind}")
            running[kind] = Server(folder, user="owner", password=PASSWORD, kind=kind)
            running[kind].start()
        return running[kind]

    yield get
    for server in running.values():
        server.stop()


@pytest.fixture(params=["system", "wheel"])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """Both servers, one after the other."""
    return servers(request.param)


@pytest.fixture
def one_server(servers: Callable[[str], Server]) -> Server:
    """Any server, for what does not depend on its version."""
    return servers(ANY)


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
        self.server.execute(self.name, sql)


def new_database(server: Server) -> Database:
    name = "t" + secrets.token_hex(6)
    server.execute("postgres", f"create database {name} template template0")
    return Database(server, name)


@pytest.fixture
def database(server: Server) -> Database:
    return new_database(server)


@pytest.fixture
def one_database(one_server: Server) -> Database:
    return new_database(one_server)


@pytest.fixture
def pgbouncer(
    one_database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[int]:
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    need("pgbouncer", "" if binary else "pgbouncer is not on PATH")
    assert binary is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    password = one_database.address.password.reveal()
    users, settings = tmp_path / "users", tmp_path / "pgbouncer.ini"
    users.write_text(f'"owner" "{password}"\n')
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={one_database.address.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\n"
        f"pool_mode = {request.param}\nignore_startup_parameters = options\n"
    )
    command = [binary, str(settings)]
    if os.getuid() == 0:
        command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", *command]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    """Runs cbctl, imports made beforehand."""
    server = Forked()
    yield server
    server.close()
