"""Servers whose files are damaged, gone or somebody else's: what is told, and that it helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis as redis_client
from tests.testbed.context import FakeContext

from cbctl.engine.step import Changes, Nothing, Step, Verified
from cbctl.errors import CbctlError, Exit
from cbctl.local import postgres, probes, redis
from cbctl.local.services import Services
from cbctl.local.spec import read_order
from cbctl.local.state import State
from cbctl.steps.local import postgres as postgres_step
from cbctl.steps.local import redis as redis_step

AnyStep = Step[Any, Any, Any]
Spoil = Callable[[Path], object]


@pytest.fixture
def at(services: Services, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("CBCTL_STATE_DIR", str(services.state.path.parents[1]))
    return {"platform": "plat", "env": "local"}


def bring(step: AnyStep, inputs: Any) -> list[str]:
    """What a run does with a step; the changes it shows."""
    ctx = FakeContext()
    verdict = step.plan(inputs, step.observe(ctx, inputs).facts)
    if isinstance(verdict, Nothing):
        return []
    assert isinstance(verdict, Changes), verdict
    intent = step.identify(ctx, inputs, verdict.changes)
    step.apply(ctx, inputs, verdict.changes, intent)
    assert isinstance(step.verify(ctx, inputs), Verified)
    return [change.what for change in verdict.changes]


def follow_the_advice(error: CbctlError, folder: Path) -> Path:
    """Runs the command that the message names, word for word; where the damaged files are now."""
    found = re.search(r"mv (.+), then deploy again", error.fix)
    assert found, error.fix
    subprocess.run(["sh", "-c", f"mv {found[1]}"], check=True)
    assert not folder.exists()
    return folder.with_name(f"{folder.name}.damaged")


def ask(state: State, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(state.secret(postgres.URL), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def overwrite(path: str, content: bytes, at: int = 0) -> Spoil:
    def spoil(data: Path) -> None:
        (file,) = data.glob(path)
        before = file.read_bytes()
        file.write_bytes(before[:at] + content + before[at + len(content) :])

    return spoil


def empty(path: str) -> Spoil:
    return lambda data: [file.write_bytes(b"") for file in data.glob(path)]


def removed(path: str) -> Spoil:
    def spoil(data: Path) -> None:
        for file in list(data.glob(path)):
            file.unlink()

    return spoil


def nightly(*values: object) -> Any:
    return pytest.param(*values, marks=pytest.mark.nightly)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (overwrite("global/pg_control", b"\xff" * 64, at=100), "incorrect checksum in control"),
        nightly(empty("global/pg_control"), "could not read file"),
        nightly(removed("global/pg_control"), "could not find the database system"),
        nightly(removed("pg_wal/0*"), "could not locate a valid checkpoint record"),
        nightly(overwrite("postgresql.conf", b"= =\n"), "syntax error in file"),
    ],
)
def test_a_database_that_does_not_start(
    services: Services, at: dict[str, Any], spoil: Spoil, words: str
) -> None:
    step, inputs, data = postgres_step.STEP, postgres_step.Inputs(**at), _postgres_data(services)
    bring(step, inputs)
    ask(services.state, "create table kept as select 1 as a")
    services.stop("postgres")
    spoil(data)
    with pytest.raises(CbctlError, match=r"postgres did not start: .+ given up after 5") as caught:
        bring(step, inputs)
    error = caught.value
    assert error.exit is Exit.FAILED
    assert words in "\n".join(error.evidence["log"])
    assert "cbctl local logs postgres" in error.fix and "bring back a copy" in error.fix
    damaged = follow_the_advice(error, data)
    assert "database files" in bring(step, inputs)
    assert ask(services.state, "select to_regclass('kept')") == [(None,)]
    assert (damaged / "PG_VERSION").exists()
    assert bring(step, inputs) == []


@pytest.mark.nightly
def test_a_database_that_starts_and_never_gets_ready(
    services: Services, at: dict[str, Any]
) -> None:
    """Its sessions crash again and again; the server itself lives."""
    step, inputs, data = postgres_step.STEP, postgres_step.Inputs(**at), _postgres_data(services)
    bring(step, inputs)
    services.stop("postgres")
    removed("global/pg_filenode.map")(data)
    with pytest.raises(CbctlError, match="waited 60 s for postgres") as caught:
        bring(step, inputs)
    assert caught.value.exit is Exit.TIMEOUT
    assert "could not open file" in "\n".join(caught.value.evidence["log"])
    follow_the_advice(caught.value, data)
    assert "database files" in bring(step, inputs)


def _postgres_data(services: Services) -> Path:
    return postgres.data_folder(services.state)


def _a_file(data: Path) -> None:
    shutil.rmtree(data)
    data.write_text("somebody's notes")


@pytest.mark.parametrize(
    "spoil",
    [removed("PG_VERSION"), overwrite("PG_VERSION", b"\xff\xfe"), empty("PG_VERSION"), _a_file],
    ids=["missing", "garbage", "empty", "file"],
)
def test_what_is_no_data_of_postgres_is_not_replaced_unasked(
    services: Services, at: dict[str, Any], spoil: Spoil
) -> None:
    step, inputs, data = postgres_step.STEP, postgres_step.Inputs(**at), _postgres_data(services)
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    spoil(data)
    with pytest.raises(CbctlError, match="PG_VERSION is missing or") as caught:
        step.observe(FakeContext(), inputs)
    error = caught.value
    assert (error.exit, error.where) == (Exit.REFUSED, str(data))
    assert follow_the_advice(error, data).exists()
    verdict = step.plan(inputs, step.observe(FakeContext(), inputs).facts)
    assert isinstance(verdict, Changes) and verdict.changes[0].what == "database files"


def test_data_of_another_cluster_is_taken_over_with_what_is_in_it(
    services: Services, at: dict[str, Any]
) -> None:
    """As somebody does who copies a database folder from elsewhere."""
    step, inputs = postgres_step.STEP, postgres_step.Inputs(**at)
    bring(step, inputs)
    mine = services.state.secret(postgres.URL)
    other = Services(State.open("plat", "other"))
    try:
        bring(step, postgres_step.Inputs(platform="plat", env="other"))
        ask(other.state, "create table theirs as select 7 as a")
    finally:
        other.stop_all()
    services.stop("postgres")
    data = _postgres_data(services)
    shutil.rmtree(data)
    shutil.copytree(postgres.data_folder(other.state), data)
    assert postgres_step.ROLE in bring(step, inputs)
    assert services.state.secret(postgres.URL) == mine
    assert ask(services.state, "select a from theirs") == [(7,)]
    ask(services.state, "drop table theirs")
    assert bring(step, inputs) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (overwrite("appendonlydir/*incr.aof", b"not a command\r\n" * 9), "Bad file format"),
        nightly(overwrite("appendonlydir/*base*", b"no dump at all"), "Bad file format"),
        nightly(overwrite("appendonlydir/*manifest", b"\0garbage\n"), "AOF MANIFEST FILE ERROR"),
        nightly(removed("appendonlydir/*base*"), "No such file or directory"),
    ],
)
def test_a_cache_that_does_not_start(
    services: Services, at: dict[str, Any], spoil: Spoil, words: str
) -> None:
    step, inputs = redis_step.STEP, redis_step.Inputs(**at)
    bring(step, inputs)
    data = redis.data_folder(services.state)
    with redis_client.Redis.from_url(services.state.secret(redis.URL)) as client:
        client.set("kept", "1" * 100)
    services.stop("redis")
    spoil(data)
    with pytest.raises(CbctlError, match="redis did not start: it exited with code") as caught:
        bring(step, inputs)
    error = caught.value
    assert error.exit is Exit.FAILED
    assert words in "\n".join(error.evidence["log"])
    assert follow_the_advice(error, data).exists()
    assert "cache files" in bring(step, inputs)
    with redis_client.Redis.from_url(services.state.secret(redis.URL)) as client:
        assert client.get("kept") is None
    assert bring(step, inputs) == []


def test_a_cache_that_still_loads_its_data_is_not_ready(
    services: Services, at: dict[str, Any]
) -> None:
    """It answers before that, and whoever has not logged in is told nothing of it."""
    state, inputs = services.state, redis_step.Inputs(**at)
    bring(redis_step.STEP, inputs)
    with redis_client.Redis.from_url(state.secret(redis.URL)).pipeline() as pipe:
        for number in range(4000):  # it looks at its connections every 1024 commands
            pipe.set(f"kept {number}", "1")
        pipe.execute()
    order = read_order(state, "redis")
    assert order is not None
    ready = order.spec.ready
    assert ready is not None
    services.stop("redis")
    slow = ("--key-load-delay", "500")  # microseconds
    server = subprocess.Popen([*order.spec.argv, *slow], stdout=subprocess.DEVNULL)
    try:
        heard: list[str] = []
        while "" not in heard:
            assert server.poll() is None
            heard.append(probes.ask(ready, state))
        assert any("LOADING" in said for said in heard), heard
        with redis_client.Redis.from_url(state.secret(redis.URL)) as client:
            assert client.dbsize() == 4000
    finally:
        server.kill()
        server.wait()


def test_a_cache_whose_last_write_was_torn_starts_with_what_is_whole(
    services: Services, at: dict[str, Any]
) -> None:
    step, inputs = redis_step.STEP, redis_step.Inputs(**at)
    bring(step, inputs)
    with redis_client.Redis.from_url(services.state.secret(redis.URL)) as client:
        client.set("kept", "1")
        client.set("torn", "2" * 1000)
    services.stop("redis")
    (log,) = (redis.data_folder(services.state) / "appendonlydir").glob("*incr.aof")
    log.write_bytes(log.read_bytes()[:-500])
    assert bring(step, inputs) == ["redis"]
    with redis_client.Redis.from_url(services.state.secret(redis.URL)) as client:
        assert (client.get("kept"), client.get("torn")) == (b"1", None)
