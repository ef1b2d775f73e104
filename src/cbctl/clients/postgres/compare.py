"""Which migrations are due, and what speaks against running them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cbctl.clients.postgres.ledger import Applied
from cbctl.clients.postgres.migrations import Entry

Choice = Literal["pre", "post", "all", "auto"]


@dataclass(frozen=True)
class SchemaRange:
    """The schema versions that the code works with.

    min  the lowest; 0 is an empty database
    max  the highest it knows. Later `pre` migrations are compatible by contract, later `post`
         ones are not.
    """

    min: int
    max: int


@dataclass(frozen=True)
class Due:
    """due    what to run, in this order
    waiting  not applied, and left for another phase
    problem  why nothing may run ("" when it may), with its `fix`
    notes    worth saying, no obstacle
    """

    due: tuple[Entry, ...]
    waiting: tuple[Entry, ...] = ()
    problem: str = ""
    fix: str = ""
    notes: tuple[str, ...] = ()


def compare(
    folder: Sequence[Entry],
    applied: Sequence[Applied],
    choice: Choice,
    *,
    new: bool,
    works_with: SchemaRange,
    out_of_order: bool = False,
) -> Due:
    """
    new           the database is empty, or its first build has not ended; then auto means all
    out_of_order  a migration that comes late, from a branch merged late, is no problem
    """
    files = {entry.version: entry for entry in folder}
    done = {row.version: row for row in applied}
    if choice == "auto":
        choice = "all" if new else "pre"
    pending = [entry for entry in folder if entry.version not in done]
    due = tuple(e for e in pending if choice in ("all", e.phase))
    waiting = tuple(e for e in pending if choice not in ("all", e.phase))
    unknown = [row for row in applied if row.version not in files]
    last = max(files, default=0)
    notes = []
    if newer := [row for row in unknown if row.version > last]:
        notes.append(
            "the database is newer than the folder: it also has "
            + ", ".join(row.title for row in newer)
        )
    overtaken = [e for e in waiting if due and e.version < due[-1].version]
    if overtaken:
        notes.append(
            f"{_titles(overtaken)} ({overtaken[0].phase}) still waits and is overtaken by "
            f"{due[-1].title}"
        )
    problem, fix = (
        _changed(files, done)
        or _vanished(unknown, last)
        or (None if out_of_order else _out_of_order(due, waiting, applied))
        or _range(due, applied, works_with)
        or ("", "")
    )
    return Due(due, waiting, problem, fix, tuple(notes))


def back(folder: Sequence[Entry], applied: Sequence[Applied], to: int) -> Due:
    """What has to be taken back, the newest first, until the schema is at `to`."""
    files = {entry.version: entry for entry in folder}
    gone = [row for row in applied if row.version > to]
    due = tuple(files[row.version] for row in reversed(gone) if row.version in files)
    problem, fix = "", ""
    if to and to not in {row.version for row in applied}:
        problem, fix = f"{to:04d} is not applied", "name an applied version, or 0 for all of them"
    elif lost := [row for row in gone if row.version not in files]:
        problem = f"the folder has no file of {_titles(lost)}"
        fix = "use the folder of the release that made the schema what it is"
    elif changed := _changed(files, {row.version: row for row in gone}):
        problem, fix = changed
    elif stuck := [entry for entry in due if not entry.reversible]:
        problem = f"{_titles(stuck)} has no down file"
        fix = "restore a backup, or write the down file"
    return Due(due, problem=problem, fix=fix)


Problem = tuple[str, str] | None


def _changed(files: dict[int, Entry], done: dict[int, Applied]) -> Problem:
    changed = [
        row
        for row in done.values()
        if row.version in files and row.checksum != files[row.version].checksum
    ]
    if not changed:
        return None
    return (
        f"the content of {_titles(changed)} is not what was applied",
        "restore the file as it was and put the change into a new migration",
    )


def _vanished(unknown: Sequence[Applied], last: int) -> Problem:
    gone = [row for row in unknown if row.version < last]
    if not gone:
        return None
    return (
        f"{_titles(gone)} is applied, but the folder has no such file",
        "bring the file back: later migrations build on it",
    )


def _out_of_order(
    due: Sequence[Entry], waiting: Sequence[Entry], applied: Sequence[Applied]
) -> Problem:
    """A `post` may come after later `pre`s: that is what phases are. Nothing else may."""
    highest = max((row.version for row in applied), default=0)
    highest_post = max((row.version for row in applied if row.phase == "post"), default=0)
    late = [e for e in due if e.version < (highest if e.phase == "pre" else highest_post)]
    if late:
        return (
            f"{_titles(late)} is not applied although later ones are (up to {highest:04d})",
            "give it a number after the last one that is applied, or say --out-of-order to "
            "cbctl db migrate when it depends on none of them",
        )
    skipped = [e for e in waiting if e.phase == "pre" and any(d.version > e.version for d in due)]
    if skipped:
        return (
            f"{_titles(skipped)} (pre) has to run before later post migrations",
            "run the phase pre first",
        )
    return None


def _range(due: Sequence[Entry], applied: Sequence[Applied], works_with: SchemaRange) -> Problem:
    versions = [e.version for e in due] + [row.version for row in applied]
    posts = [e.version for e in due if e.phase == "post"]
    posts += [row.version for row in applied if row.phase == "post"]
    reached, contracted = max(versions, default=0), max(posts, default=0)
    if contracted > works_with.max:
        return (
            f"the schema has post migrations up to {contracted:04d}; the code works with at most "
            f"{works_with.max:04d}",
            "deploy a newer release of the code",
        )
    if reached < works_with.min:
        return (
            f"the schema would be at {reached:04d}; the code needs at least {works_with.min:04d}",
            "run the migrations up to there first, or correct the range of the code",
        )
    return None


def _titles(items: Sequence[Entry] | Sequence[Applied]) -> str:
    names = [item.title for item in items]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
