"""What was rolled out on Kubernetes and found healthy, as the journals of runs have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from cbctl.engine import journal
from cbctl.engine.journal import RUNS, Record
from cbctl.engine.store import Store

_STEPS = ("api.rollout", "api.undo")
_SHORTEST = 8  # digits of a hash


@dataclass(frozen=True)
class Rolled:
    """
    release    hash of the manifests
    revision   the cluster's number of it, at that time
    manifests  as they were applied, packed
    state      left: `cbctl api undo` went away from it afterwards
    """

    run: str
    at: str
    who: str
    step: str
    image: str
    release: str
    revision: int
    manifests: str
    state: Literal["healthy", "left"] = "healthy"


def rollouts(store: Store) -> list[Rolled]:
    """Oldest first; each was verified by its run. Of the same manifests, the last time counts."""
    found: dict[str, Rolled] = {}
    for stream in store.streams(RUNS):
        for one in _of_run(stream.removeprefix(RUNS), journal.read(store, stream)):
            if one.step == "api.undo" and found:
                newest = next(reversed(found))
                if newest != one.release:
                    found[newest] = replace(found[newest], state="left")
            found.pop(one.release, None)
            found[one.release] = one
    return list(found.values())


def way_back(known: list[Rolled], running: str) -> Rolled | None:
    """The newest that is healthy and not what runs.

    running  release and image in which nothing was changed since; "" when something was"""
    return next(
        (one for one in reversed(known) if one.state == "healthy" and one.release != running), None
    )


def named(known: list[Rolled], name: str) -> Rolled | None:
    """That of a run, of a revision, or of a hash that begins so."""
    for one in reversed(known):
        if name in (one.run, str(one.revision)) or (
            len(name) >= 8 and one.release.startswith(name)
        ):
            return one
    return None


def _of_run(run: str, records: list[Record]) -> Iterator[Rolled]:
    """Of one run: what it verified, unless it took it back in the end."""
    if not records or records[0].type != "run.started":
        return
    began = records[0].data
    steps = {one["id"]: one["step"] for one in began["shown"]}
    outcomes: dict[str, Any] = {}
    verified: dict[str, Rolled] = {}
    for record in records:
        id = str(record.data.get("step"))
        if record.type == "step.outcome":
            outcomes[id] = record.data["outcome"]
        elif record.type == "step.verified" and steps.get(id) in _STEPS and id in outcomes:
            told = outcomes[id]
            verified[id] = Rolled(
                run=run,
                at=record.at,
                who=began["who"],
                step=steps[id],
                image=told["image"],
                release=told["release"],
                revision=told["revision"],
                manifests=told["manifests"],
            )
        elif record.type == "step.undone" and record.data["cannot"] is None:
            verified.pop(id, None)
    yield from verified.values()
