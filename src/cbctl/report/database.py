"""The schema of a database beside the folder of migrations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cbctl.config.types import Environment, Secret

if TYPE_CHECKING:
    from cbctl.clients.postgres.compare import Choice
    from cbctl.clients.postgres.connect import Connection
    from cbctl.clients.postgres.ledger import Survey
    from cbctl.clients.postgres.migrations import Migration


@dataclass(frozen=True)
class Row:
    """A migration that is applied, due, or waiting for another phase.

    state       applied, due, waiting
    at, by, ms  when, by which role in which run, and how long; "" and None while it is not applied
    statements  what would run, of one that is due
    """

    version: int
    name: str
    phase: str
    state: str
    reversible: bool
    at: str = ""
    by: str = ""
    ms: int | None = None
    statements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """
    version     highest version that is applied; 0: none
    problem     why no migration may run now, and its fix; "" when they may
    notes       worth saying, no obstacle
    invalid     indexes that an interrupted CONCURRENTLY left, unused by queries
    """

    environment: str
    version: int
    problem: str
    fix: str
    notes: tuple[str, ...]
    invalid: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def due(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.state == "due")


def look(env: Environment, url: Secret, phase: Choice, *, out_of_order: bool = False) -> Schema:
    """Reads only. Raises CbctlError as connecting does (1, 3, 64), and for bad files (64)."""
    import psycopg

    from cbctl.clients.postgres.address import parse
    from cbctl.clients.postgres.compare import compare
    from cbctl.clients.postgres.connect import connect, failed
    from cbctl.clients.postgres.ledger import Marker, obstacle, reached, survey
    from cbctl.clients.postgres.migrations import read_folder
    from cbctl.clients.postgres.schema_range import read_range

    migrations = read_folder(env.migrations.folder)
    folder = tuple(migration.entry for migration in migrations)
    address = parse(url, where=f"{env.name}: database.url")
    with connect(address) as connection:
        found = survey(connection, address)
        try:
            when, invalid = _details(connection, found)
        except psycopg.Error as error:
            raise failed(error, address, "cannot read the state of the migrations") from None
    due = compare(
        folder,
        found.applied,
        phase,
        new=found.empty or found.building,
        works_with=read_range(env.migrations.schema, folder),
        out_of_order=out_of_order,
    )
    reason = obstacle(found, Marker(env.platform, env.name), create_marker=env.is_local)
    problem, fix = reason or (due.problem, due.fix)
    files = {entry.version: entry for entry in folder}
    scripts = {migration.entry.version: migration for migration in migrations}
    rows = [
        Row(
            row.version,
            row.name,
            row.phase,
            "applied",
            row.version in files and files[row.version].reversible,
            *when[row.version],
        )
        for row in found.applied
    ]
    for state, entries in (("due", due.due), ("waiting", due.waiting)):
        for entry in entries:
            words = _statements(scripts[entry.version]) if state == "due" else ()
            row = Row(entry.version, entry.name, entry.phase, state, entry.reversible)
            rows.append(replace(row, statements=words))
    return Schema(
        env.name,
        reached(found.applied),
        problem,
        fix,
        due.notes,
        invalid,
        tuple(sorted(rows, key=lambda row: row.version)),
    )


def _details(
    connection: Connection, found: Survey
) -> tuple[dict[int, tuple[str, str, int]], tuple[str, ...]]:
    """By version, when each was applied, by whom, how long it took; and the invalid indexes."""
    from cbctl.clients.postgres.queries import query

    connection.read_only = True
    with connection.transaction():
        when = {}
        if found.table == "ours":
            rows = connection.execute(query("applied_when", found.schema), {}).fetchall()
            when = {row[0]: (str(row[1]), str(row[2]), int(row[3])) for row in rows}
        invalid = tuple(str(row[0]) for row in connection.execute(query("invalid_indexes")))
    return when, invalid


def _statements(migration: Migration) -> tuple[str, ...]:
    """What would be sent, after the same checks as in a run."""
    from cbctl.clients.postgres.statements import split

    return tuple(statement.words for statement in split(migration.runnable()))
