"""The rules of ours for migrations, and exceptions to any rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbctl.clients.postgres.lint import lint
from cbctl.clients.postgres.migrations import read_folder


def found(folder: Path, up: str, down: str = "") -> list[tuple[int, str, str]]:
    (folder / "0001_a.up.sql").write_text(up)
    if down:
        (folder / "0001_a.down.sql").write_text(down)
    return [(one.line, one.rule, one.what) for one in lint(read_folder(folder), None)]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("drop table a", "drops"),
        ("DROP MATERIALIZED VIEW IF EXISTS a", "drops"),
        ("alter table a drop b", "drops a column"),
        ("alter table only a add c int, drop column if exists b cascade", "drops a column"),
        ("alter table a rename to b", "renames"),
        ('alter table "a b"."c" rename column d to e', "renames"),
        ("alter table a set schema b", "moves"),
        ("alter table a alter b type numeric(10, 2)", "changes the type"),
        ("alter table a alter column b set data type text", "changes the type"),
        ("alter table a add b numeric(3, 1) default 0, alter c set not null", "refuses NULL"),
        ("alter table a add column b int not null", "demands a value"),
        ("truncate a", "removes rows"),
        ("delete from a where b = 1", "removes rows"),
        ("revoke select on a from b", "takes rights away"),
    ],
)
def test_destructive_in_pre(tmp_path: Path, statement: str, what: str) -> None:
    ((line, rule, said),) = found(tmp_path, f"select 1;\n{statement};")
    assert (line, rule) == (2, "destructive-in-pre") and said.startswith(what)
    assert found(tmp_path, f"-- cbctl: phase=post\n{statement};") == []


@pytest.mark.parametrize(
    "statement",
    [
        "create table a (b int not null)",
        "alter table a add b int",
        "alter table a add b int not null default 5",
        "alter table a add b bigint generated always as identity not null",
        "alter table a add constraint b check (c is not null) not valid",
        "alter table a drop constraint b",
        "alter table a alter b drop not null, alter c drop default",
        "alter table a rename constraint b to c",
        "insert into a values ('x; drop table a')",
        "do $$ begin perform 1; -- drop table a\nend $$",
        "create table if not exists a (b int); alter table a add c int not null; drop table a",
        "drop index a",
    ],
)
def test_what_the_code_before_can_bear(tmp_path: Path, statement: str) -> None:
    assert found(tmp_path, statement) == []


def test_files_that_cannot_run(tmp_path: Path) -> None:
    said = found(tmp_path, "select 1;\ncommit;", "-- cbctl: transaction=none\nselect 1; select 2")
    assert [(line, rule) for line, rule, _ in said] == [(2, "runnable"), (2, "runnable")]
    assert "controls the transaction itself" in said[1][2]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("set lock_timeout = 0", "lock-timeout"),
        ("SET LOCAL\n Lock_Timeout TO '1min'", "lock-timeout"),
        ("select set_config('lock_timeout', '0', true)", "lock-timeout"),
        ("reset lock_timeout", "lock-timeout"),
        ("reset all", "lock-timeout"),
        ("set role other", "other-role"),
        ("set session authorization 'other'", "other-role"),
        ("set role none; set local role other", "other-role"),
        ("drop table if exists a, public.cbctl_fence", "own-tables"),
        ("alter table if exists only schema_migrations add a int", "own-tables"),
        ('update "cbctl_marker" set environment = null', "own-tables"),
        ("begin; set role other; select 1; commit; begin", "runnable"),
    ],
)
@pytest.mark.parametrize("kind", ["up", "down", "verify"])
def test_what_breaks_a_promise(tmp_path: Path, kind: str, statement: str, rule: str) -> None:
    (tmp_path / "0001_a.up.sql").write_text("-- cbctl: phase=post\nselect 1")
    file = tmp_path / f"0001_a.{kind}.sql"
    head = "-- cbctl: phase=post\n" if kind == "up" else ""
    file.write_text(f"{head}select 2;{statement}")
    said = lint(read_folder(tmp_path), None)
    assert (str(file), rule) in {(one.file, one.rule) for one in said}
    file.write_text(f"{head}-- cbctl-lint: allow {rule}: it has to\n{statement.split('; ')[-1]}")
    assert rule == "runnable" or not lint(read_folder(tmp_path), None)


@pytest.mark.parametrize(
    "statement",
    [
        "set role other; create table a (); reset role",
        "set session authorization other; set session authorization default",
        "set role none",
        "set statement_timeout = '1min'",
        "select current_setting('lock_timeout')",
        "create table a as select version from schema_migrations",
        "insert into a select version from schema_migrations",
    ],
)
def test_what_breaks_none(tmp_path: Path, statement: str) -> None:
    assert found(tmp_path, statement) == []


def test_a_header_that_is_not_needed(tmp_path: Path) -> None:
    ((line, rule, _),) = found(tmp_path, "-- cbctl: transaction=none\ncreate table a ()")
    assert (line, rule) == (1, "needless-header")
    assert not found(tmp_path, "-- cbctl: transaction=none\ncreate index concurrently a on b (c)")


def test_an_exception_names_the_rule_and_the_reason(tmp_path: Path) -> None:
    allowed = "-- cbctl-lint: allow destructive-in-pre: nobody reads it since 0007\n"
    assert found(tmp_path, f"select 1;\n{allowed}drop table\n  a;") == []
    # it is about the next statement only
    assert found(tmp_path, f"{allowed}drop table a;\ndrop table b;") == [
        (3, "destructive-in-pre", "drops in the phase pre, while the code before still runs")
    ]


@pytest.mark.parametrize(
    ("comment", "what"),
    [
        ("-- cbctl-lint: allow destructive-in-pre", "is no exception"),
        ("-- cbctl-lint: allow destructive-in-pre:  ", "is no exception"),
        ("-- squawk-ignore ban-drop-table", "squawk-ignore gives no reason"),
        ("-- cbctl-lint: allow ban-drop-table: because", "nothing here breaks ban-drop-table"),
    ],
)
def test_an_exception_that_is_none_is_a_finding(tmp_path: Path, comment: str, what: str) -> None:
    said = found(tmp_path, f"{comment}\nselect 1;")
    assert len(said) == 1 and said[0][:2] == (1, "exception") and said[0][2].startswith(what)
    after = found(tmp_path, "select 1;\n-- cbctl-lint: allow destructive-in-pre: too late")
    assert [rule for _, rule, _ in after] == ["exception"]
