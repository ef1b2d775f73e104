"""Splitting scripts as psql does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbctl.clients.postgres.statements import split


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("", []),
        (" ; ;\n-- nothing; here\n/* nor; /* nested; */ here; */", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select 'a;b', 'it''s;', \"c;d\";", ["select 'a;b', 'it''s;', \"c;d\""]),
        (
            r"select e'a\';b'; select 'a\'; select 2",
            [r"select e'a\';b'", r"select 'a\'", "select 2"],
        ),
        ("do $$ begin x; end $$; select $a$ $$; $b$ $a$;", None),
        ("select $1; select a$b$c; x", ["select $1", "select a$b$c", "x"]),
        ("a /* ; */ b -- ;\n c; d", ["a b c", "d"]),
        ("create rule r as on insert to t do (select 1; select 2); x", None),
        ("create function f() returns int begin atomic select 1; select 2; end; x", None),
        (
            "create or replace function f() returns int begin atomic"
            " select case when true then 1 end; end; x",
            None,
        ),
        ("begin; select 1; commit", ["begin", "select 1", "commit"]),
        ("select 'not closed; x", ["select 'not closed; x"]),
        ("select $$ not closed; x", ["select $$ not closed; x"]),
        ("select 1 /* not closed; x", ["select 1"]),
        # what the server takes otherwise than it looks
        ("-- harmless\rcommit;\rbegin", ["commit", "begin"]),
        ("select $\u2003$ ; $\u2003$; x", None),
        ("select 'a'\u00a0; x", ["select 'a'\u00a0", "x"]),
        ("select x\u2003e'\\'; commit; --'", ["select x\u2003e'\\'", "commit"]),
        ("select e'a'\n'\\''; commit; --'", ["select e'a'\n'\\''", "commit"]),
        ("select e'a' -- b\n\n-- 'c\n'\\''; x", ["select e'a' -- b\n\n-- 'c\n'\\''", "x"]),
        ("select 1e5$a$ ; $a$; x", ["select 1e5$a$ ; $a$", "x"]),
        ("select /* /*/ ; */ */ 1; x", ["select 1", "x"]),
        (
            "create function f() returns int set a = begin, atomic as $$$$; commit; x end",
            ["create function f() returns int set a = begin, atomic as $$$$", "commit", "x end"],
        ),
        (
            "create function f() returns int begin atomic select 1 as case; end; commit; end",
            [
                "create function f() returns int begin atomic select 1 as case; end",
                "commit",
                "end",
            ],
        ),
        ("or replace or replace begin atomic; x", ["or replace or replace begin atomic", "x"]),
    ],
)
def test_split(script: str, words: list[str] | None) -> None:
    found = [statement.words for statement in split(script)]
    assert found == words if words is not None else len(found) == 2


def test_lines_and_offsets() -> None:
    script = "-- one\n\nselect\n1;\n  select 2 ;\n"
    first, second = split(script)
    assert (first.line, second.line) == (3, 5)
    assert script[first.start : first.end] == "select\n1;"
    assert script[second.start : second.end] == "select 2 ;"


@given(st.text(alphabet=";'\"$a-/*\\ \n(e)", max_size=60))
def test_never_fails_and_loses_no_order(script: str) -> None:
    found = split(script)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(script[s.start : s.end].strip() for s in found)
