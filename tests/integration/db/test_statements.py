"""The splitter beside the server's own scanner: as many statements as the server answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.pq import ExecStatus
from tests.integration.db.conftest import Server, new_database
from tests.testbed.postgres import ANY

from cbctl.clients.postgres.statements import split

_GAPS = (
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "\f",
    "\u00a0",
    "\u2003",
    "\x1c",
    "\x85",
    "/**/",
    "/* /*/; */ */",
)
_COMMENTS = ("--", "-- ;\n", "-- '\r", "--\r\n", "-- $$\u2028\n", "/* ' */", "/* -- */", "*/", "/*")
_WORDS = (
    "select",
    "1",
    "as",
    "case",
    "end",
    "begin",
    "atomic",
    "e",
    "E",
    "U&",
    "n",
    "b",
    "x",
    "a$b",
)
_VALUES = (
    "select 1",
    "select 'a'",
    "select e'a'",
    "select e'\\''",
    "select $$;$$",
    "select $a$ ; $b$ $a$",
    "select $\u2003$;$\u2003$",
    'select 1 as "a;"',
    "select 1 as b\u2003",
    "select 1.5e5",
    "select 0",
    "select U&'a'",
    "select b'0'",
    "set role none",
    "begin",
    "commit",
    "rollback",
    "create or replace function f() returns int begin atomic select 1 as case; end",
    "create or replace function f() returns int begin atomic select case when true then 1 end; end",
    "create or replace function f() returns int language sql set search_path = begin, atomic"
    " as 'select 1'",
    "create or replace rule r as on insert to t do also (select 1; select 2)",
)
_SIGNS = (";", ";", ";", "'", "''", '"', "$", "$$", "$a$", "\\", "\\'", "(", ")", "-", "*", "/")
SCRIPTS = st.lists(
    st.sampled_from((*_GAPS, *_COMMENTS, *_WORDS, *_SIGNS))
    | st.sampled_from(_VALUES).map(lambda value: f";{value}")
    | st.text("'\\$ \r\n-;aE\u2003", max_size=4),
    max_size=12,
).map("".join)
CHAINS = st.lists(
    st.tuples(
        st.sampled_from(_VALUES),
        st.lists(
            st.sampled_from(
                (
                    *_GAPS,
                    *_COMMENTS[:-2],
                    "\n'x'",
                    "\n'\\'",
                    "\r'\\''",
                    "\n--'\n'\\';'",
                    "::text",
                    "$a$",
                )
            ),
            max_size=3,
        ).map("".join),
    ).map("".join),
    min_size=1,
    max_size=5,
).map(";".join)


@pytest.fixture(scope="module")
def session(servers: Callable[[str], Server]) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    database = new_database(servers(ANY))
    database.do("create table t ()")
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set standard_conforming_strings = on")
        yield connection


def answered(session: psycopg.Connection[tuple[object, ...]], script: str) -> int | None:
    """How many statements the server ran; None where it refuses the script, or one of them."""
    answers = 0
    session.pgconn.send_query(script.encode())
    while result := session.pgconn.get_result():
        if result.status == ExecStatus.FATAL_ERROR:
            answers = -1000
        elif result.status != ExecStatus.EMPTY_QUERY:
            answers += 1
    session.pgconn.exec_(b"rollback")
    return answers if answers >= 0 else None


def agree(session: psycopg.Connection[tuple[object, ...]], script: str) -> None:
    answers = answered(session, script)
    assert answers is None or len(split(script)) == answers, script


@pytest.mark.parametrize("value", _VALUES)
def test_each_is_one_statement(session: psycopg.Connection[tuple[object, ...]], value: str) -> None:
    assert answered(session, value) == len(split(value)) == 1


@settings(max_examples=200, deadline=None)
@given(SCRIPTS | CHAINS)
def test_as_many_statements_as_the_server_finds(
    session: psycopg.Connection[tuple[object, ...]], script: str
) -> None:
    agree(session, script)


@pytest.mark.nightly
@settings(max_examples=20_000, deadline=None)
@given(SCRIPTS | CHAINS)
def test_as_many_statements_as_the_server_finds_often(
    session: psycopg.Connection[tuple[object, ...]], script: str
) -> None:
    agree(session, script)
