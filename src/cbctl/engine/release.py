"""What was deployed and verified, as an append-only history.

States: provisional (its soak has not passed), healthy, bad (rolled back from, or marked).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from cbctl.engine.clock import Clock
from cbctl.engine.journal import Head, Journal, read
from cbctl.engine.step import Json
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit

HISTORY = "releases/history"

State = Literal["provisional", "healthy", "bad"]


@dataclass(frozen=True)
class Release:
    """id      r1, r2, … in the order of recording
    parts      what was deployed: the `release` section of the runbook with its values
    identity   hashes of runbook and configuration, version of cbctl
    journal    end of the run's journal when it was recorded
    """

    id: str
    at: str
    run: str
    who: str
    state: State
    parts: dict[str, Any]
    identity: dict[str, Any]
    journal: dict[str, Any]
    reason: str = ""


def history(store: Store) -> list[Release]:
    """Oldest first, with the states as marked since. Raises where the chain is broken."""
    releases: dict[str, Release] = {}
    for record in read(store, HISTORY):
        data = record.data
        try:
            if record.type == "release.recorded":
                # by name, so that what a newer minor version adds is passed over
                releases[data["id"]] = msgspec.convert({"at": record.at, **data}, Release)
            elif record.type == "release.marked":
                old = releases[data["id"]]
                releases[data["id"]] = replace(old, state=data["state"], reason=data["reason"])
        except (KeyError, msgspec.ValidationError) as error:
            raise CbctlError(
                f"record {record.seq} is no release that this cbctl knows: {error}",
                exit=Exit.DIFFERS,
                where=HISTORY,
                fix="use the cbctl version that wrote it",
            ) from None
    return list(releases.values())


def differs(store: Store, parts: dict[str, Json]) -> bool:
    """Whether the history would say more after a run that ends with these parts: they are another
    release than the current one, or that one is not known to be healthy."""
    now = current(history(store))
    return now is None or now.state != "healthy" or now.parts != parts


def current(releases: Iterable[Release]) -> Release | None:
    """The newest one, whatever its state: it is what runs."""
    newest = None
    for release in releases:
        newest = release
    return newest


def find(releases: Iterable[Release], id: str) -> Release:
    known = list(releases)
    for release in known:
        if release.id == id:
            return release
    raise CbctlError(
        f"there is no release {id}",
        exit=Exit.USAGE,
        fix="known: " + (", ".join(r.id for r in known) or "none yet"),
    )


def record(
    store: Store,
    clock: Clock,
    token: int,
    *,
    run: str,
    who: str,
    state: State,
    parts: dict[str, Json],
    identity: dict[str, Json],
    head: Head,
) -> str:
    """Adds a release and returns its id; a run that was killed after it did, finds it again."""
    known = history(store)
    for release in known:
        if release.run == run:
            return release.id
    id = f"r{len(known) + 1}"
    Journal(store, clock, HISTORY, token).write(
        "release.recorded",
        id=id,
        run=run,
        who=who,
        state=state,
        parts=parts,
        identity=identity,
        journal={"stream": head.stream, "count": head.count, "hash": head.hash},
    )
    return id


def mark(
    store: Store, clock: Clock, token: int, id: str, state: State, who: str, reason: str
) -> None:
    """Says of a release what became of it; saying it again changes nothing."""
    if find(history(store), id).state == state:
        return
    Journal(store, clock, HISTORY, token).write(
        "release.marked", id=id, state=state, who=who, reason=reason
    )
