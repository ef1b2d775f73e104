"""`cbctl rollback --with-database`: what is shown and asked for the database's part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbctl.engine.job import Ended
    from cbctl.wiring.workplace import Workplace


def take_back(place: Workplace, to: str | None, named: str | None) -> tuple[str, Ended | None]:
    """The release whose code has to follow, and how the database's run ended; None: the schema
    needs no change.

    named  the database's name, as --database has it; else it is asked for
    """
    from cbctl.cli.ask import confirm_name
    from cbctl.wiring.way_back import database_name, find_way, go_back

    release, way = find_way(place, to)
    if not way.needed:
        place.say(f"the database stays as it is: release {release.id} works with its schema")
        return release.id, None
    for line in told(release.id, way.to, way.down, way.backup, way.lost):
        place.say(line)
    name = database_name(place)
    confirm_name(f"the database {name}", name, named, flag="--database")
    return release.id, go_back(place, way, lambda plan: None)


def told(
    release: str, to: int, down: tuple[str, ...], backup: str, lost: tuple[str, ...]
) -> list[str]:
    lines = [f"for release {release} the database goes back to schema {to:04d}:"]
    lines += [f"  runs {file}" for file in down]
    lines += (
        [f"  backup {backup} takes its place; what is live now is kept beside"] if backup else []
    )
    lines += [f"  lost: {line}" for line in lost or ("nothing that a statement says",)]
    return lines
