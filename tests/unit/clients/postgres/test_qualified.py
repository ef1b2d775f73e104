"""Whoever may create in a schema of the search path could put a function of his own before the
server's (CVE-2018-1058): ours are called by their whole names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cbctl.clients.postgres.queries as queries

FILES = sorted((Path(queries.__file__).parent / "sql").glob("*.sql"))
WORDS = {
    *("all", "and", "any", "array", "as", "by", "coalesce", "exists", "extract", "filter", "from"),
    *("in", "into", "key", "lateral", "materialized", "not", "on", "or", "over", "partition"),
    *("primary", "references", "select", "union", "unique", "using", "values", "when", "where"),
    *("with", "check", "distinct", "join", "then", "else", "recursive", "nullif", "greatest"),
}
"""What stands before a parenthesis and is no function"""
TOKEN = re.compile(
    r"--[^\n]*|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\{[a-z_]+\}|[A-Za-z_][A-Za-z_0-9]*|\S|\s+"
)


def called(text: str) -> set[str]:
    """Names of functions that are called without their schema."""
    tokens = TOKEN.findall(text)
    found = {
        tokens[at]
        for at in range(1, len(tokens) - 1)
        if tokens[at + 1] == "("
        and re.fullmatch("[a-z_][a-z_0-9]*", tokens[at])
        and tokens[at - 1] != "."
    }
    return found - WORDS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_functions_are_the_servers_own(path: Path) -> None:
    assert called(path.read_text()) == set()


def test_the_check_sees_one_that_is_not() -> None:
    text = "select format('%I', x), pg_catalog.now(), coalesce(lower(y), 'now()') -- now()"
    assert called(text) == {"format", "lower"}
