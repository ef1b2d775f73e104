"""The migration runner on real servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.testbed.cut_line import CutLine

from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import Marker, record_marker, survey
from cbctl.clients.postgres.lock import KEY
from cbctl.clients.postgres.migrations import read_folder
from cbctl.clients.postgres.runner import migrate
from cbctl.clients.postgres.waiting import Patience
from cbctl.errors import CbctlError, Exit

MARKER = Marker("testing", "local")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes migrations: names without .up.sql and their content."""

    def write(**files: str) -> Path:
        for name, content in files.items():
            (tmp_path / f"{name.removeprefix('m')}.up.sql").write_text(content)
        return tmp_path

    return write


def job(database: Any, path: Path, **more: Any) -> Job:
    migrations = read_folder(path)
    patience = more.pop("patience", Patience(longest_pause=0.05))
    last = max((m.entry.version for m in migrations), default=0)
    return replace(
        Job(
            address=database.address,
            migrations=migrations,
            works_with=SchemaRange(0, last),
            marker=MARKER,
            token=1,
            create_marker=True,
            patience=patience,
        ),
        **more,
    )


def titles(done: Any) -> list[str]:
    return [entry.title for entry in done]


def test_fresh_then_nothing(database: Any, folder: Callable[..., Path]) -> None:
    path = folder(
        m0001_users="-- cbctl: phase=pre\ncreate table users (id int);",
        m0002_names="begin; alter table users add name text; commit;",
        m0004_drop="-- cbctl: phase=post\nalter table users drop name;",
    )
    (path / "0001_users.down.sql").write_text("drop table users;")
    assert titles(migrate(job(database, path, by="r1"))) == [
        "0001_users",
        "0002_names",
        "0004_drop",
    ]
    assert migrate(job(database, path)) == ()
    rows = database.rows(
        "select version, description, phase, length(checksum), applied_by, reversible,"
        " execution_ms >= 0 from schema_migrations order by version"
    )
    assert rows == [
        (1, "users", "pre", 64, "owner in run r1", True, True),
        (2, "names", "pre", 64, "owner in run r1", False, True),
        (4, "drop", "post", 64, "owner in run r1", False, True),
    ]
    assert database.rows("select platform, environment, building from cbctl_marker") == [
        ("testing", "local", False)
    ]


def test_later_deploys_leave_post_alone(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="create table a ();")
    migrate(job(one_database, path))
    folder(m2_b="-- cbctl: phase=post\ndrop table a;", m3_c="create table c ();")
    assert titles(migrate(job(one_database, path))) == ["0003_c"]
    assert migrate(job(one_database, path)) == ()
    assert titles(migrate(job(one_database, path, phase="post"))) == ["0002_b"]


def test_a_first_build_that_broke_off_still_runs_all_phases(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(
        m1_a="create table a ();", m2_b="select 1/0;", m3_c="-- cbctl: phase=post\ndrop table a;"
    )
    with pytest.raises(CbctlError) as caught:
        migrate(job(one_database, path))
    assert "0002_b" in str(caught.value)
    assert "1 before it stay" in caught.value.what
    assert caught.value.exit == Exit.NOT_UNDONE
    assert caught.value.where.endswith("2_b.up.sql")
    folder(m2_b="select 1;")
    assert titles(migrate(job(one_database, path))) == ["0002_b", "0003_c"]
    assert one_database.rows("select building from cbctl_marker") == [(False,)]


def test_error_names_the_line(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="create table a ();\n\ncreate table b (x nonsense);")
    with pytest.raises(CbctlError, match="nonsense") as caught:
        migrate(job(one_database, path))
    assert caught.value.where.endswith("1_a.up.sql:3")
    assert caught.value.exit == Exit.FAILED
    assert one_database.rows("select to_regclass('a')") == [(None,)]


def test_changed_checksum_is_refused(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="create table a ();", m2_b="create table b ();")
    migrate(job(one_database, path))
    folder(m1_a="create table a (); \r\n\r\n")  # white space is free
    assert migrate(job(one_database, path)) == ()
    folder(m1_a="create table a (x int);")
    with pytest.raises(CbctlError, match="0001_a") as caught:
        migrate(job(one_database, path))
    assert caught.value.exit == Exit.REFUSED


def test_out_of_order_is_refused(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="select 1;", m3_c="select 1;")
    migrate(job(one_database, path))
    folder(m2_b="select 1;")
    with pytest.raises(CbctlError, match=r"0002_b is not applied although later") as caught:
        migrate(job(one_database, path))
    assert caught.value.exit == Exit.REFUSED


def test_newer_schema_is_said_and_a_missing_file_refused(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="select 1;", m2_b="select 1;", m3_c="select 1;")
    migrate(job(one_database, path))
    (path / "3_c.up.sql").unlink()
    assert migrate(job(one_database, path)) == ()
    (path / "1_a.up.sql").unlink()
    with pytest.raises(CbctlError, match="0001_a is applied, but the folder has no such file"):
        migrate(job(one_database, path))


def test_lower_token_is_refused_higher_is_kept(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="select 1;")
    migrate(job(one_database, path, token=7))
    folder(m2_b="create table b ();")
    with pytest.raises(CbctlError, match="newer run") as caught:
        migrate(job(one_database, path, token=6))
    assert caught.value.exit == Exit.LOCKED
    assert one_database.rows("select token, to_regclass('b') from cbctl_fence") == [(7, None)]
    migrate(job(one_database, path, token=9))
    assert one_database.rows("select token from cbctl_fence") == [(9,)]


def test_foreign_marker_and_unmarked_database(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="select 1;")
    with pytest.raises(CbctlError, match="nothing in this database says"):
        migrate(job(one_database, path, create_marker=False))
    migrate(job(one_database, path))
    other = Marker("testing", "production")
    with pytest.raises(CbctlError, match="belongs to testing/local") as caught:
        migrate(job(one_database, path, marker=other))
    assert caught.value.exit == Exit.REFUSED
    one_database.do("drop table cbctl_marker")
    with pytest.raises(CbctlError, match="it is not empty"):
        migrate(job(one_database, path))


@pytest.mark.parametrize(
    ("columns", "said"),
    [("version bigint, dirty boolean", "golang-migrate"), ("version varchar", "another tool")],
)
def test_other_tools_tables_are_refused(
    one_database: Any, folder: Callable[..., Path], columns: str, said: str
) -> None:
    one_database.do(f"create table schema_migrations ({columns})")
    with pytest.raises(CbctlError, match=said) as caught:
        migrate(job(one_database, folder(m1_a="select 1;")))
    assert caught.value.exit == Exit.REFUSED
    assert "database of its own" in caught.value.fix


@pytest.mark.parametrize("runners", [5, pytest.param(20, marks=pytest.mark.nightly)])
def test_many_runners_run_each_migration_once(
    database: Any, folder: Callable[..., Path], runners: int
) -> None:
    path = folder(
        **{f"m{n}_t": f"create table t{n} (); select pg_sleep(0.03);" for n in range(1, 9)}
    )
    done: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: done.append(titles(migrate(job(database, path)))))
        for _ in range(runners)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, done)) == [0] * (runners - 1) + [8]


def test_the_holder_of_the_lock_is_named(one_database: Any, folder: Callable[..., Path]) -> None:
    said: list[str] = []
    patience = Patience(lock_wait=0.3, progress=lambda text, *_: said.append(text))
    with one_database.connect() as holder:
        holder.execute("select pg_advisory_lock(%s)", [KEY])
        pid = holder.info.backend_pid
        started = time.monotonic()
        with pytest.raises(CbctlError, match=f"session {pid} of owner") as caught:
            migrate(job(one_database, folder(m1_a="select 1;"), patience=patience))
        assert caught.value.exit == Exit.LOCKED
        assert time.monotonic() - started < 5
    assert said


def test_a_runner_that_loses_its_lock_gives_up_and_the_next_continues(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="create table a ();")
    migrate(job(one_database, path))
    folder(m2_b="create table b (); select pg_sleep(20);")
    lost: list[CbctlError] = []

    def first() -> None:
        try:
            migrate(job(one_database, path))
        except CbctlError as error:
            lost.append(error)

    runner = threading.Thread(target=first)
    runner.start()
    while not one_database.rows(
        "select 1 from pg_stat_activity where query like '%pg_sleep(20)%' "
        "and pid <> pg_backend_pid() and state = 'active'"
    ):
        time.sleep(0.01)
    one_database.do(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    folder(m2_b="create table b ();")
    assert titles(migrate(job(one_database, path))) == ["0002_b"]
    runner.join()
    assert lost[0].exit == Exit.LOCKED


def test_the_lock_is_looked_for_before_each_migration(
    database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(
        m1_a="create table a ();",
        m2_b="create table b (); select pg_terminate_backend(pid, 20000) from pg_locks"
        " where locktype = 'advisory' and database = "
        "(select oid from pg_database where datname = current_database());",
        m3_c="create table c ();",
    )
    with pytest.raises(CbctlError, match="the migration lock was lost") as caught:
        migrate(job(database, path))
    assert caught.value.exit == Exit.LOCKED
    assert database.rows("select max(version), to_regclass('c') from schema_migrations") == [
        (2, None)
    ]
    assert titles(migrate(job(database, path))) == ["0003_c"]


def test_a_migration_is_three_ways_to_the_server_and_back(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    def ways(**files: str) -> int:
        path = folder(**files)
        with CutLine(one_database.server.port) as line:
            migrate(job(one_database, path, address=replace(one_database.address, port=line.port)))
        return line.seen

    migrate(job(one_database, folder(m1_a="create table a ();")))
    one = ways(m2_b="create table b (); create table c ();")
    assert ways(m3_d="drop table b;", m4_e="drop table c;", m5_f="create table f ();") == one + 6


def test_a_blocked_alter_gives_up_and_names_the_blocker(
    database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="create table a (x int);")
    migrate(job(database, path))
    folder(m2_b="alter table a add y int;")
    patience = Patience(lock_timeout_ms=400, tries=3, longest_pause=0.1)
    with database.connect() as reader, reader.transaction():
        reader.execute("select * from a")
        pid = reader.info.backend_pid
        started = time.monotonic()
        with pytest.raises(CbctlError, match=f"in 3 tries, blocked by session {pid}") as caught:
            migrate(job(database, path, patience=patience))
        assert time.monotonic() - started < 10
    assert "idle in transaction" in str(caught.value)
    assert titles(migrate(job(database, path, patience=patience))) == ["0002_b"]


def test_readers_go_on_while_an_alter_waits(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="create table a (x int);")
    migrate(job(one_database, path))
    folder(m2_b="alter table a add y int;")
    longest = 0.0
    with one_database.connect() as reader, reader.transaction():
        reader.execute("select * from a")
        runner = threading.Thread(
            target=lambda: migrate(job(one_database, path, patience=Patience(longest_pause=0.3)))
        )
        runner.start()
        with one_database.connect() as other:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                started = time.monotonic()
                other.execute("select * from a")
                longest = max(longest, time.monotonic() - started)
                time.sleep(0.02)
    runner.join()
    assert 0.1 < longest < 2
    assert one_database.rows("select count(y) from a") == [(0,)]


INDEX = "-- cbctl: transaction=none\ncreate index concurrently a_x on a (x);"


def test_concurrent_index(database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="create table a (x int); insert into a values (1);", m2_i=INDEX)
    assert titles(migrate(job(database, path))) == ["0001_a", "0002_i"]
    assert database.rows("select unfinished_version from cbctl_fence") == [(None,)]
    folder(m3_d="-- cbctl: transaction=none\ndrop index concurrently a_x;")
    folder(m4_v="-- cbctl: transaction=none\nvacuum a;")
    assert titles(migrate(job(database, path))) == ["0003_d", "0004_v"]
    assert database.rows("select to_regclass('a_x')") == [(None,)]


def test_an_invalid_index_is_dropped_and_built_again(
    database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="create table a (x int); insert into a values (1), (1);")
    migrate(job(database, path))
    unique = INDEX.replace("create index", "create unique index").replace(
        "a_x on", "if not exists a_x on"
    )
    folder(m2_i=unique)
    with pytest.raises(CbctlError, match="could not create unique index"):
        migrate(job(database, path))
    assert database.rows("select indisvalid from pg_index where indexrelid = 'a_x'::regclass") == [
        (False,)
    ]
    database.do("delete from a")
    said: list[str] = []
    patience = Patience(progress=lambda text, *_: said.append(text))
    assert titles(migrate(job(database, path, patience=patience))) == ["0002_i"]
    assert database.rows("select indisvalid from pg_index where indexrelid = 'a_x'::regclass") == [
        (True,)
    ]
    assert any("invalid index" in text for text in said)


def test_a_statement_that_ended_unrecorded_is_not_repeated(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    """Killed between CREATE INDEX CONCURRENTLY and its row in schema_migrations."""
    path = folder(m1_a="create table a (x int);", m2_i=INDEX)
    checksum = read_folder(path)[1].entry.checksum
    (path / "2_i.up.sql").rename(path / "kept")
    migrate(job(one_database, path))
    (path / "kept").rename(path / "2_i.up.sql")
    one_database.do("create index a_x on a (x)")
    with pytest.raises(CbctlError, match="already exists"):
        migrate(job(one_database, path))  # no mark of ours: somebody else's index
    assert one_database.rows("select unfinished_version from cbctl_fence") == [(None,)]
    one_database.do(
        f"update cbctl_fence set unfinished_version = 2, unfinished_checksum = '{checksum}'"
    )
    assert titles(migrate(job(one_database, path))) == ["0002_i"]


def test_concurrent_index_while_another_runner_waits(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(
        m1_a="create table a (x int); insert into a select generate_series(1, 50000);",
        **{f"m{n}_i": INDEX.replace("a_x", f"a_x{n}") for n in range(2, 6)},
    )
    done: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: done.append(titles(migrate(job(one_database, path)))))
        for _ in range(3)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, done)) == [0, 0, 5]
    assert time.monotonic() - started < 20


def test_what_was_not_agreed_is_refused(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(m1_a="select 1;", m2_b="select 1;")
    with pytest.raises(CbctlError, match="0002_b was not in the plan"):
        migrate(job(one_database, path, agreed={"0001_a"}))
    assert one_database.rows("select to_regclass('schema_migrations')") == [(None,)]


def test_a_migration_may_change_the_session(one_database: Any, folder: Callable[..., Path]) -> None:
    path = folder(
        m1_a="select pg_catalog.set_config('search_path', '', false); create table public.a ();",
        m2_b="create table b (); do $$ begin perform 1; end; $$; notify somebody;",
    )
    assert len(migrate(job(one_database, path))) == 2
    with connect(one_database.address) as connection:
        found = survey(connection, one_database.address)
    assert found.schema == "public"
    assert [row.version for row in found.applied] == [1, 2]


def test_a_migration_sees_nothing_of_the_session_of_the_one_before(
    database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(
        m1_a="""
            create table a (n serial);
            insert into a default values;
            do $$ begin create role lesser; exception when duplicate_object then null; end $$;
            grant all on all tables in schema public to lesser;
            set session authorization lesser;
            set default_transaction_read_only = on;
            set lock_timeout = 7;
            set client_encoding = latin1;
            create temp table mine ();
            prepare kept as select 1;
            declare held cursor with hold for select 1;
            listen something;
            select pg_advisory_lock(7);
            reset session authorization;
        """,
        m2_b="""
            create table seen as select
                session_user::text, current_user::text, current_setting('lock_timeout'),
                current_setting('client_encoding') as encoding,
                to_regclass('mine') is null as no_temp,
                (select count(*) from pg_prepared_statements) as prepared,
                (select count(*) from pg_cursors where name = 'held') as cursors,
                (select count(*) from pg_listening_channels()) as channels,
                (select count(*) from pg_locks
                    where locktype = 'advisory' and pid = pg_backend_pid()) as locks;
            do $$ begin
                perform currval('a_n_seq');
                raise 'the sequence is remembered';
            exception when object_not_in_prerequisite_state then null; end $$;
        """,
    )
    assert len(migrate(job(database, path))) == 2
    assert database.rows("select * from seen") == [
        ("owner", "owner", "1s", "UTF8", True, 0, 0, 0, 0)
    ]


def test_an_error_of_our_own_statement_names_no_line_of_the_file(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    path = folder(m1_a="create table a ();\n\n\ndrop table schema_migrations;")
    with pytest.raises(CbctlError, match="schema_migrations") as caught:
        migrate(job(one_database, path))
    assert caught.value.where.endswith("1_a.up.sql")
    assert one_database.rows("select to_regclass('a'), count(*) from schema_migrations") == [
        (None, 0)
    ]


def test_copy_is_refused_without_hanging(one_database: Any, folder: Callable[..., Path]) -> None:
    with pytest.raises(CbctlError, match="COPY"):
        migrate(job(one_database, folder(m1_a="create table a (); copy a from stdin;")))


def test_a_role_without_rights_is_a_permission_error(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    one_database.do(
        "do $$ begin create role guest login password 'canary-guest'; "
        "exception when duplicate_object then null; end $$"
    )
    one_database.do("revoke create on schema public from public")
    guest = replace(
        one_database.address,
        user="guest",
        password=type(one_database.address.password)("canary-guest"),
    )
    with pytest.raises(CbctlError, match="permission denied") as caught:
        migrate(job(one_database, folder(m1_a="select 1;"), address=guest))
    assert caught.value.exit == Exit.CREDENTIALS


def test_a_database_that_was_marked_before_counts_as_new(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    record_marker(one_database.address, MARKER)
    record_marker(one_database.address, MARKER)
    with pytest.raises(CbctlError, match="belongs to testing/local"):
        record_marker(one_database.address, Marker("testing", "production"))
    assert migrate(job(one_database, folder(), create_marker=False)) == ()
    path = folder(m1_a="create table a ();", m2_b="-- cbctl: phase=post\ndrop table a;")
    assert len(migrate(job(one_database, path, create_marker=False))) == 2
    folder(m3_c="-- cbctl: phase=post\nselect 1;")
    assert migrate(job(one_database, path)) == ()


def test_a_used_database_can_be_taken_over_by_its_marker(
    one_database: Any, folder: Callable[..., Path]
) -> None:
    one_database.do("create table legacy ()")
    path = folder(m1_a="create table a ();", m2_b="-- cbctl: phase=post\ndrop table legacy;")
    with pytest.raises(CbctlError, match="not empty"):
        migrate(job(one_database, path))
    record_marker(one_database.address, MARKER)
    assert titles(migrate(job(one_database, path))) == ["0001_a"]
