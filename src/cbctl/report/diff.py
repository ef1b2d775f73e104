"""What differs between two releases, and what going from the one to the other means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbctl.engine.release import Release, current, find
from cbctl.errors import CbctlError, Exit

_SCHEMA = ("schema_version", "schema_contracted", "schema_min", "schema_max")
_PASSING = ("slot",)
"""Parts that are another at each deploy of the same thing."""


@dataclass(frozen=True)
class Difference:
    """One thing of two; None: not there."""

    what: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Diff:
    """
    parts     of what runs, without the schema
    identity  what they were made by: cbctl, runbook, configuration
    schema    version of the database and the range that the code works with
    means     of going from the first to the second, in words
    """

    a: Mapping[str, Any]
    b: Mapping[str, Any]
    same: bool
    parts: tuple[Difference, ...]
    identity: tuple[Difference, ...]
    schema: tuple[Difference, ...]
    means: tuple[str, ...]


def chosen(known: Sequence[Release], name: str) -> Release:
    """By id, or `current`. Raises CbctlError (64)."""
    if name != "current":
        return find(known, name)
    newest = current(known)
    if newest is None:
        raise CbctlError("nothing was deployed yet", exit=Exit.USAGE, fix="cbctl releases ENV")
    return newest


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """In the order in which they are written there."""
    names = dict.fromkeys([*before, *after])
    return [
        Difference(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)
    ]


def compare(a: Release, b: Release, newest: Release) -> Diff:
    """newest: what runs now"""
    found = differences(a.parts, b.parts)
    parts = tuple(d for d in found if d.what not in _SCHEMA)
    schema = tuple(d for d in found if d.what in _SCHEMA)
    # `release` there is the one that a rollback went to: no property of what runs
    made = ({k: v for k, v in r.identity.items() if k != "release"} for r in (a, b))
    identity = tuple(differences(*made))
    real = [d for d in parts if d.what not in _PASSING]
    means = [*_sameness(a, b, real, parts), *_database(a, b), *_made_by(identity), *_states(b)]
    return Diff(
        a=_side(a, newest),
        b=_side(b, newest),
        same=not (real or schema or identity),
        parts=parts,
        identity=identity,
        schema=schema,
        means=tuple(means),
    )


def _side(release: Release, newest: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "at": release.at,
        "who": release.who,
        "run": release.run,
        "state": release.state,
        "reason": release.reason,
        "current": release.id == newest.id,
    }


def _sameness(
    a: Release, b: Release, real: Sequence[Difference], parts: Sequence[Difference]
) -> list[str]:
    if a.id == b.id:
        return ["it is the same release"]
    if not real:
        again = ", only deployed at another time" if parts else ""
        return [f"the same parts run in both{again}: going from {a.id} to {b.id} replaces nothing"]
    changed = ", ".join(d.what for d in real if d.before is not None and d.after is not None)
    new = ", ".join(d.what for d in real if d.before is None)
    gone = ", ".join(d.what for d in real if d.after is None)
    said = [
        f"{verb} {names}"
        for verb, names in (("replaces", changed), ("adds", new), ("does away with", gone))
        if names
    ]
    return [f"going from {a.id} to {b.id} {'; '.join(said)}"]


def _database(a: Release, b: Release) -> list[str]:
    """By the rule that a rollback goes by, with what A recorded as the live schema."""
    live, contracted = _number(a, "schema_version"), _number(a, "schema_contracted")
    low, high = _number(b, "schema_min"), _number(b, "schema_max")
    version = _number(b, "schema_version")
    if live is None or a.id == b.id:
        return []
    if high is not None and contracted is not None and contracted > high:
        return [
            f"with the database as {a.id} left it, {b.id} cannot run: migration {contracted} took "
            f"away what it needs, and it works with schemas up to {high}"
        ]
    if version is not None and version > live:
        return [f"the database goes from schema {live} to {version} first"]
    if low is not None and live < low:
        return [f"{b.id} needs schema {low} or newer; {a.id} left {live}: migrations come first"]
    if version is not None and version < live:
        return [
            f"the database stays at schema {live}: {b.id} was made with {version} and works with "
            "it, because nothing that it needs was taken away"
        ]
    return []


def _made_by(identity: Sequence[Difference]) -> list[str]:
    said = []
    for d in identity:
        if d.what == "cbctl":
            said.append(f"they were made by different versions of cbctl: {d.before}, {d.after}")
        else:
            said.append(
                f"the {d.what} was another; of it only the hash is kept, so what differed in it "
                "cannot be told from here"
            )
    return said


def _states(b: Release) -> list[str]:
    if b.state == "bad":
        why = f" ({b.reason})" if b.reason else ""
        return [f"{b.id} is bad{why}: a rollback does not go to it"]
    if b.state == "provisional":
        return [f"{b.id} is provisional: a rollback does not go to it before it is healthy"]
    return []


def _number(release: Release, name: str) -> int | None:
    value = release.parts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
