"""`cbctl db lint`, with squawk itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.integration.db.test_commands import House, house  # noqa: F401 - a fixture
from tests.testbed.beds import need

import cbapi
from cbctl.clients.postgres.lint import lint, program
from cbctl.clients.postgres.migrations import read_folder

_SLOW = "alter table a add c int references b (id)"


def test_squawks_rules_by_phase_and_with_exceptions(house: House) -> None:  # noqa: F811
    need("squawk")
    house.write(
        m1_a__up="create table a (id bigint);\ncreate table b (id bigint primary key);",
        m2_b__up=f"\n{_SLOW};",
        m3_c__up="-- cbctl: phase=post\ndrop table a;",
    )
    found = house.db("lint", "-o", "json", exit=10).json
    assert ("adding-foreign-key-constraint", 2) in [(one["rule"], one["line"]) for one in found]
    # neither what cbctl itself takes care of, nor what post is for
    assert {one["file"].rpartition("/")[2] for one in found} == {"0002_b.up.sql"}
    assert not {"require-lock-timeout", "prefer-robust-stmts"} & {one["rule"] for one in found}
    said = house.db("lint", exit=10).out
    assert "0002_b.up.sql:2: adding-foreign-key-constraint: " in said

    allowed = "".join(
        f"-- cbctl-lint: allow {rule}: b is small\n" for rule in {one["rule"] for one in found}
    )
    house.write(m2_b__up=f"{allowed}{_SLOW};")
    assert house.db("lint").out == "no findings\n"
    house.write(m2_b__up=f"{_SLOW};")
    assert house.db("lint", "--after", "2").out == "no findings\n"
    house.write(m4_d__up="create tabel a ();")
    assert "syntax-error" in house.db("lint", "--after", "3", exit=10).out


def test_without_squawk_it_says_so(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if (found := shutil.which("squawk")) is not None:
        kept = [
            one for one in os.environ["PATH"].split(os.pathsep) if one != str(Path(found).parent)
        ]
        monkeypatch.setenv("PATH", os.pathsep.join(kept))
    house.write(m1_a__up="create table a (id bigint)")
    missing = house.db("lint", exit=1)
    assert "squawk is not installed" in missing.err and "cbctl[lint]" in missing.err
    house.write(m1_a__up="drop table a")
    refused = house.db("lint", exit=10)
    assert "destructive-in-pre" in refused.out and "squawk is not installed" in refused.err


def test_our_own_migrations_pass() -> None:
    need("squawk")
    folder = Path(cbapi.__file__).parent / "migrations"
    assert lint(read_folder(folder), program()) == []
