"""What keeps migrations from running, and how it is mended without touching anything else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import Applied, Marker, Survey
from cbctl.clients.postgres.migrations import Migration, checksum
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.runner import runner
from cbctl.clients.postgres.standalone import is_done, mend, recognize
from cbctl.clients.postgres.statements import split

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_LEFT: Final = re.compile(r'_cc(new|old)[0-9]*"?$')
"""What an interrupted REINDEX CONCURRENTLY calls an index that is of no use."""
_BESIDE: Final = re.compile(
    r"""(?P<kept>'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    r"|\s*(?P<mark>[(),])\s*",
    re.DOTALL,
)
_VERSIONS: Final = 200
_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Changed:
    """A file that is not what was applied.

    same  its statements are, by an earlier version of the file in git; None: git has none
    """

    title: str
    version: int
    old: str
    new: str
    same: bool | None


@dataclass(frozen=True)
class Damage:
    """
    unfinished  the migration without a transaction that was begun and did not come to its end;
                not one that did, which `migrate` only has to record
    invalid     indexes that no query uses, beside the one of `unfinished`
    """

    unfinished: str
    invalid: tuple[str, ...]
    changed: tuple[Changed, ...]


def find_damage(
    address: Address, found: Survey, marker: Marker, migrations: Sequence[Migration]
) -> Damage:
    """Reads only."""
    import psycopg

    files = {migration.entry.version: migration for migration in migrations}
    with connect(address) as connection:
        try:
            title = _unfinished(connection, found, marker, files) if found.table == "ours" else ""
            rows = connection.execute(query("invalid_indexes")).fetchall()
        except psycopg.Error as error:
            raise failed(error, address, "cannot look what is to be mended") from None
    changed = tuple(
        _changed(row, files[row.version])
        for row in found.applied
        if row.version in files and files[row.version].entry.checksum != row.checksum
    )
    return Damage(title, tuple(str(row[0]) for row in rows), changed)


def _unfinished(
    connection: Connection, found: Survey, marker: Marker, files: dict[int, Migration]
) -> str:
    row = connection.execute(
        query("unfinished", found.schema), {"environment": str(marker)}
    ).fetchone()
    if row is None:
        return ""
    version, begun = int(row[0]), str(row[1])
    if version not in files:
        return f"{version:04d}"
    migration = files[version]
    entry = migration.entry
    if entry.checksum == begun and is_done(connection, recognize(migration.script)):
        return ""
    return entry.title


def _changed(row: Applied, migration: Migration) -> Changed:
    same = None
    for text in _earlier(migration):
        if checksum(text) == row.checksum:
            same = _words(text) == _words(migration.script)
            break
    return Changed(row.title, row.version, row.checksum, migration.entry.checksum, same)


def _words(script: str) -> list[str]:
    """The statements; where a comment was, there may be a space beside a bracket or a comma."""
    return [_tight(statement.words) for statement in split(script)]


def _tight(words: str) -> str:
    if "\\" in words:  # of E'…' this expression does not know where it ends
        return words
    return _BESIDE.sub(lambda found: found["kept"] or found["mark"], words)


def _earlier(migration: Migration) -> Iterator[str]:
    """The file as git has had it, the newest first."""
    folder, name = migration.path.parent, migration.path.name
    listed = _git(folder, "log", f"--max-count={_VERSIONS}", "--format=%H", "--", name)
    for commit in listed.split():
        yield _git(folder, "show", f"{commit}:./{name}")


def _git(folder: object, *words: str) -> str:
    """ "" where there is no git, or nothing of that name in it."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8-sig", errors="replace") if done.returncode == 0 else ""


def repair(job: Job, damage: Damage) -> list[str]:
    """Mends what `damage` says, in that order. Returns what was done."""
    import psycopg

    done: list[str] = []
    with runner(job) as (run, _):
        connection = run.work.connection
        try:
            for one in damage.changed:
                job.fence()
                run.work.execute("correct_checksum", version=one.version, old=one.old, new=one.new)
                done.append(f"{one.title}: its checksum is that of the file now")
            if damage.unfinished:
                job.fence()
                done += _take_back(job, run.work.connection, damage.unfinished)
                run.work.execute("clear_unfinished", environment=str(job.marker))
                done.append(f"{damage.unfinished}: not begun any more")
            run.work.lock_timeout(job.patience.concurrent_lock_ms)
            left = {str(row[0]) for row in connection.execute(query("invalid_indexes"))}
            for index in damage.invalid:
                if index not in left:
                    continue
                job.fence()
                job.patience.progress(f"index {index}")
                connection.execute(mending(index).encode())
                word = "dropped" if _LEFT.search(index) else "built anew"
                done.append(f"index {index}: {word}")
        except psycopg.Error as error:
            raise failed(error, job.address, "cannot mend it") from None
    return done


def _take_back(job: Job, connection: Connection, title: str) -> list[str]:
    scripts = [m.script for m in job.migrations if m.entry.title == title]
    dropped = mend(connection, recognize(scripts[0])) if scripts else []
    return [f"index {name}: dropped" for name in dropped]


def mending(index: str) -> str:
    """The statement that mends an index; the name is quoted by the server."""
    if _LEFT.search(index):
        return f"drop index concurrently if exists {index}"
    return f"reindex index concurrently {index}"
