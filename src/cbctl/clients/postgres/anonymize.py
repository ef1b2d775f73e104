"""Makes other people of the people in a copy of a database.

A TOML file beside the migrations says what becomes of each column of each table:

    [users]                                 # or ["other_schema.users"]
    id = "keep"                             # says nothing about anybody
    phone = "null"
    email = { sql = "'user' || id || '@example.invalid'" }

    ["large objects"]
    data = "null"                           # all of them removed; or "keep"

A column that it does not name fails: nobody has decided yet.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.contents import LARGE_OBJECTS
from cbctl.clients.postgres.ledger import OUR_COLUMNS, Marker
from cbctl.clients.postgres.leftovers import forget, triggers_off, uncovered
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

FILE: Final = "anonymize.toml"
_COLUMN: Final = "column "


@dataclass(frozen=True)
class Classified:
    """
    columns  by qualified table and column, as Postgres writes them, the SQL of the new value; None
             for one that is kept
    large_objects  "keep", "null", or "" where nobody has decided
    """

    path: Path
    columns: Mapping[str, Mapping[str, str | None]]
    large_objects: str = ""


def read(path: Path) -> Classified:
    """Raises CbctlError (64) that names the table and column that cannot be read."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no TOML: {error}") from None
    large = content.pop(LARGE_OBJECTS, {"data": ""})
    if large not in ({"data": one} for one in ("keep", "null", "")):
        raise _wrong(path, f'says of the {LARGE_OBJECTS} neither data = "keep" nor "null"')
    found: dict[str, dict[str, str | None]] = {}
    for table, columns in content.items():
        if not isinstance(columns, dict):
            raise _wrong(path, f"has {table!r}, which is no section of a table")
        name = table if "." in table else f"public.{table}"
        found[name] = {column: _rule(path, table, column, columns[column]) for column in columns}
    return Classified(path, found, large["data"])


def _rule(path: Path, table: str, column: str, value: Any) -> str | None:
    match value:
        case "keep":
            return None
        case "null":
            return "null"
        case {"sql": str(words)} if len(value) == 1 and words.strip():
            return words
    raise _wrong(path, f"says of {table}.{column} neither keep, nor null, nor sql")


def gaps(rules: Classified, objects: Iterable[str], tables: Iterable[str]) -> list[str]:
    """What was not decided, or is not there: one line each. Pure.

    objects, tables  of a backup's manifest
    """
    there = {name.removeprefix(_COLUMN) for name in objects if name.startswith(_COLUMN)}
    wanted = set()
    for table in tables:
        columns = {one for one in there if one.startswith(f"{table}.")}
        if columns != _of_ours(table):
            wanted |= columns
    named = {f"{table}.{column}" for table, columns in rules.columns.items() for column in columns}
    said = [f"{one} is not classified" for one in sorted(wanted - named)]
    if LARGE_OBJECTS in tables and not rules.large_objects:
        said.append(f"the {LARGE_OBJECTS} are not classified")
    return said + [f"{one} is classified and not there" for one in sorted(named - there)]


def _of_ours(table: str) -> set[str]:
    """The columns that it has if it is cbctl's, and not another's of the same name."""
    return {f"{table}.{column}" for column in OUR_COLUMNS.get(table.rpartition(".")[2], ())}


def anonymize(address: Address, rules: Classified) -> dict[str, int]:
    """How many rows of each table were changed.

    Raises CbctlError: 10 when a value is the same as before, or something may hold what is not
    covered, 1 when a statement fails; then the copy is to be thrown away.
    """
    import psycopg

    changed = {}
    doing = f"cannot look whether all of it is in {rules.path.name}"
    with connect(address) as connection:
        try:
            connection.execute(b"set statement_timeout to 0; set row_security to off")
            if beyond := uncovered(connection):
                raise _differs(rules, f"not covered: {'; '.join(beyond)}", "leave it out of clones")
            with triggers_off(connection):
                for table, columns in rules.columns.items():
                    new = {column: words for column, words in columns.items() if words is not None}
                    doing = f"cannot anonymize {table} as {rules.path.name} says"
                    if new:
                        changed[table] = _change(connection, rules, table, new)
            doing = "cannot remove what the database still holds of before"
            forget(connection, changed, large_objects=rules.large_objects == "null")
        except psycopg.Error as error:
            raise failed(error, address, doing) from None
    return changed


def _change(connection: Connection, rules: Classified, table: str, new: Mapping[str, str]) -> int:
    row = connection.execute(_update(table, new).encode()).fetchone()
    assert row is not None
    rows, reached, *counts = map(int, row)
    if reached != rows:
        what = f"{table}: {rows - reached} of {rows} rows could not be changed"
        raise _differs(rules, what, "see what keeps them as they are: a rule, a policy")
    same = [
        f"{table}.{column}: {count} values"
        for column, count in zip(new, counts, strict=True)
        if count
    ]
    if same:
        raise _differs(
            rules,
            f"as they were before: {'; '.join(same)}",
            "let the expression give every row another value, or classify it as null or keep",
        )
    return rows


def _differs(rules: Classified, what: str, fix: str) -> CbctlError:
    return CbctlError(what, exit=Exit.DIFFERS, where=str(rules.path), fix=fix)


def _update(table: str, new: Mapping[str, str]) -> str:
    """Sets the columns; counts the rows, those that were changed, and for each column where the old
    value is the new one."""
    old = ", ".join(f"{column} as cbctl_{n}" for n, column in enumerate(new))
    sets = ", ".join(f"{column} = ({words})" for column, words in new.items())
    same = ", ".join(
        f"cbctl_{n} is not null and cbctl_{n}::text = cbctl_row.{column}::text as cbctl_same_{n}"
        for n, column in enumerate(new)
    )
    counts = ", ".join(f"count(*) filter (where cbctl_same_{n})" for n in range(len(new)))
    # SQL of the team's own file, as its migrations are
    return (
        f"with cbctl_old as (select ctid as cbctl_ctid, {old} from only {table}), "  # noqa: S608
        f"cbctl_new as (update only {table} as cbctl_row set {sets} from cbctl_old "
        f"where cbctl_row.ctid = cbctl_ctid returning {same}) "
        f"select (select count(*) from cbctl_old), count(*), {counts} from cbctl_new"
    )


def give_to(address: Address, marker: Marker) -> None:
    """Says that the copy is this environment's."""
    import psycopg

    from cbctl.clients.postgres.ledger import survey, write_marker
    from cbctl.clients.postgres.queries import quoted

    with connect(address) as connection:
        schema = survey(connection, address).schema
        try:
            with connection.transaction():
                connection.execute(f"drop table if exists {quoted(schema)}.cbctl_marker".encode())
                write_marker(connection, schema, marker)
        except psycopg.Error as error:
            raise failed(error, address, "cannot write the marker") from None


def _wrong(path: Path, what: str) -> CbctlError:
    return CbctlError(
        f"the classification of columns {what}",
        where=str(path),
        exit=Exit.USAGE,
        fix='write [table] and below it: column = "keep", "null" or { sql = "expression" }',
    )
