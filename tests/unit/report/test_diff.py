"""Two releases compared, and what going from the one to the other means."""

from __future__ import annotations

from typing import Any

import pytest

from cbctl.cli.diff import lines
from cbctl.engine.release import Release, State
from cbctl.errors import CbctlError, Exit
from cbctl.report.diff import chosen, compare, differences

HASH = {"cbctl": "0.1.0", "runbook": "aa" * 32, "configuration": "bb" * 32, "release": None}


def release(
    id: str, state: State = "healthy", reason: str = "", made: Any = None, **parts: Any
) -> Release:
    whole = {
        "elf": "11" * 32,
        "slot": 5,
        "api": "22" * 32,
        "schema_version": 3,
        "schema_min": 1,
        "schema_max": 3,
        "schema_contracted": 0,
        **parts,
    }
    at = "2026-11-22T19:33:48.123Z"
    return Release(id, at, f"run-{id}", "anna", state, whole, {**HASH, **(made or {})}, {}, reason)


def means(a: Release, b: Release) -> str:
    return "\n".join(compare(a, b, b).means)


A = release("r1")


def test_parts_identity_and_schema_apart() -> None:
    b = release("r2", made={"runbook": "cc" * 32}, api="33" * 32, schema_version=4, schema_max=4)
    found = compare(A, b, b)
    assert [d.what for d in found.parts] == ["api"]
    assert [d.what for d in found.identity] == ["runbook"]
    assert [d.what for d in found.schema] == ["schema_version", "schema_max"]
    assert not found.same and found.b["current"] and not found.a["current"]
    told = "\n".join(found.means)
    assert "going from r1 to r2 replaces api" in told
    assert "from schema 3 to 4 first" in told
    assert "the runbook was another; of it only the hash is kept" in told


def test_back_with_the_database_as_it_is() -> None:
    newer = release("r2", schema_version=4, schema_max=4)
    assert "stays at schema 4: r1 was made with 3" in means(newer, A)


def test_no_way_back_over_a_contraction() -> None:
    newer = release("r2", schema_version=5, schema_max=5, schema_contracted=5)
    assert "r1 cannot run: migration 5 took away what it needs" in means(newer, A)


def test_the_same_again() -> None:
    again = release("r2", slot=9)
    found = compare(A, again, again)
    assert found.same and [d.what for d in found.parts] == ["slot"]
    assert "only deployed at another time" in found.means[0]
    assert compare(A, A, A).means == ("it is the same release",)


def test_a_rollback_is_the_same_as_what_it_went_back_to() -> None:
    back = release("r3", made={"release": "r1"})
    assert compare(A, back, back).same


def test_what_comes_and_goes() -> None:
    b = release("r2", frontend="dpl_1")
    assert "adds frontend" in means(A, b)
    assert "does away with frontend" in means(b, A)


def test_a_bad_release_and_another_cbctl() -> None:
    bad = release("r2", "bad", "rolled back by run x", made={"cbctl": "0.2.0"}, api="x")
    told = means(A, bad)
    assert "r2 is bad (rolled back by run x): a rollback does not go to it" in told
    assert "different versions of cbctl: 0.1.0, 0.2.0" in told
    assert "provisional" in means(A, release("r2", "provisional", api="x"))


def test_releases_are_named() -> None:
    b = release("r2")
    assert chosen([A, b], "current") is b and chosen([A, b], "r1") is A
    for known, name in (([A], "r9"), ([], "current")):
        with pytest.raises(CbctlError) as told:
            chosen(known, name)
        assert told.value.exit is Exit.USAGE


def test_anything_can_be_compared() -> None:
    found = differences({"a": 1, "b": 2}, {"b": 3, "c": 4})
    assert [(d.what, d.before, d.after) for d in found] == [
        ("a", 1, None),
        ("b", 2, 3),
        ("c", None, 4),
    ]


GOLDEN = """\
A  r1  2026-11-22 19:33:48  by anna  healthy
B  r2  2026-11-22 19:33:48  by anna  bad (slow), runs now

parts     ~ elf: 11111111111111111111…111111111 → 44444444444444444444…444444444
          ~ slot: 5 → 9

made by   ~ cbctl: 0.1.0 → 0.2.0

schema    ~ schema_version: 3 → 4
          ~ schema_max: 3 → 4

means     going from r1 to r2 replaces elf
means     the database goes from schema 3 to 4 first
means     they were made by different versions of cbctl: 0.1.0, 0.2.0
means     r2 is bad (slow): a rollback does not go to it"""


def test_the_text() -> None:
    b = release(
        "r2",
        "bad",
        "slow",
        {"cbctl": "0.2.0"},
        elf="44" * 32,
        slot=9,
        schema_version=4,
        schema_max=4,
    )
    assert "\n".join(lines(compare(A, b, b))) == GOLDEN


def test_no_text_steers_the_terminal() -> None:
    b = release("r2", "bad", "\x1b]0;x\x07", api="\x1b[2J")
    for line in lines(compare(A, b, b)):
        assert "\x1b" not in line and len(line) <= 100
