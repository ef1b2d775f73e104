"""Makes other people of the people in a copy of a database.

A TOML file beside the migrations says what becomes of each column of each table:

    [users]                                 # or ["other_schema.users"]
    id = "keep"                             # says nothing about anybody
    phone = "null"
    email = { sql = "'user' || id || '@example.invalid'" }

A column that it does not name fails: nobody has decided yet.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.ledger import OUR_TABLES, Marker
from cbctl.errors import CbctlError, Exit

FILE: Final = "anonymize.toml"
_COLUMN: Final = "column "


@dataclass(frozen=True)
class Classified:
    """By qualified table and column, as Postgres writes them, the SQL of the new value; None for
    one that is kept."""

    path: Path
    columns: Mapping[str, Mapping[str, str | None]]


def read(path: Path) -> Classified:
    """Raises CbctlError (64) that names the table and column that cannot be read."""
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no TOML: {error}") from None
    found: dict[str, dict[str, str | None]] = {}
    for table, columns in content.items():
        if not isinstance(columns, dict):
            raise _wrong(path, f"has {table!r}, which is no section of a table")
        name = table if "." in table else f"public.{table}"
        found[name] = {column: _rule(path, table, column, columns[column]) for column in columns}
    return Classified(path, found)


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
    held = {name for name in tables if name.rpartition(".")[2] not in OUR_TABLES}
    wanted = {one for one in there if any(one.startswith(f"{table}.") for table in held)}
    named = {f"{table}.{column}" for table, columns in rules.columns.items() for column in columns}
    said = [f"{one} is not classified" for one in sorted(wanted - named)]
    return said + [f"{one} is classified and not there" for one in sorted(named - there)]


def anonymize(address: Address, rules: Classified) -> dict[str, int]:
    """How many rows of each table were changed.

    Raises CbctlError: 10 when a value is the same as before, 1 when a statement fails; then the
    copy is to be thrown away.
    """
    import psycopg

    changed = {}
    with connect(address) as connection:
        connection.execute(b"set statement_timeout to 0")
        for table, columns in rules.columns.items():
            new = {column: words for column, words in columns.items() if words is not None}
            if not new:
                continue
            try:
                row = connection.execute(_update(table, new).encode()).fetchone()
                # what was there before is in no page of the file any more
                connection.execute(f"vacuum full {table}".encode())
            except psycopg.Error as error:
                where = f"cannot anonymize {table} as {rules.path.name} says"
                raise failed(error, address, where) from None
            assert row is not None
            same = [
                f"{table}.{column}: {count} values"
                for column, count in zip(new, row[1:], strict=True)
                if count
            ]
            if same:
                raise CbctlError(
                    f"as they were before: {'; '.join(same)}",
                    exit=Exit.DIFFERS,
                    where=str(rules.path),
                    fix="let the expression give every row another value, or classify it as null "
                    "or keep",
                )
            changed[table] = int(row[0])
    return changed


def _update(table: str, new: Mapping[str, str]) -> str:
    """Sets the columns, and counts for each where the old value is the new one."""
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
        f"where cbctl_row.ctid = cbctl_ctid returning {same}) select count(*), {counts} "
        "from cbctl_new"
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
