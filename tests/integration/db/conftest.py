"""Real Postgres servers, one of each kind per session, and an empty database per test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    """Runs cbctl, imports made beforehand."""
    server = Forked()
    yield server
    server.close()
