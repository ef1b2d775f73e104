from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.integration.cbapi.support import (
    PASSWORD,
    PROGRAM_ID,
    ROOT,
    FakeChain,
    PostgresServer,
    RedisServer,
    Service,
)
from tests.unit.cbapi.accounts import account_bytes

MakeService = Callable[..., Service]

_MIGRATIONS = """
CREATE TABLE schema_migrations (
    version bigint PRIMARY KEY, description text, phase text, applied_at timestamptz
)
"""
_numbers = count(1)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parent of a copy of cbapi, as cbctl makes it: nothing else of the project is there."""
    parent = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "cbapi", parent / "cbapi", ignore=ignore)
    return parent


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"), user="app", password=PASSWORD)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A new database with all migrations applied; its name."""
    name = f"cbapi{next(_numbers)}"
    postgres.execute("postgres", f"CREATE DATABASE {name}")
    postgres.execute(name, _MIGRATIONS)
    for path in sorted((ROOT / "src/cbapi/migrations").glob("*.up.sql")):
        version = int(path.name.partition("_")[0])
        postgres.execute(
            name,
            path.read_text(),
            f"INSERT INTO schema_migrations VALUES ({version}, '', 'pre', now())",
        )
    return name


@pytest.fixture
def chain() -> Iterator[FakeChain]:
    fake = FakeChain(account=account_bytes())
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def make_service(
    tree: Path,
    postgres: PostgresServer,
    redis: RedisServer,
    database: str,
    chain: FakeChain,
    tmp_path: Path,
) -> Iterator[MakeService]:
    redis.send("FLUSHALL")
    made: list[Service] = []

    def make(**environ: str) -> Service:
        settings = {
            "DATABASE_URL": postgres.url(database),
            "REDIS_URL": redis.url,
            "SOLANA_RPC_URL": chain.url,
            "PROGRAM_ID": PROGRAM_ID,
        }
        log = tmp_path / f"service-{len(made)}.log"
        service = Service(tree, settings | environ, log)
        made.append(service)
        return service

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(make_service: MakeService) -> Service:
    return make_service().start()
