"""What the journal of a run says it did so far, and whether the run may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cbctl.engine import journal
from cbctl.engine.journal import RUNS, Record
from cbctl.engine.plan import Plan
from cbctl.engine.step import Change, Json
from cbctl.engine.store import SCHEMA, Store
from cbctl.errors import CbctlError, Exit


@dataclass(frozen=True)
class Effect:
    """What a step was about to make when it was journalled: it may be there, or not.

    before   the facts before its first try, for `undo`
    changes  of all its tries
    """

    identity: Json
    before: Json
    changes: tuple[Change, ...]

    def and_also(self, changes: tuple[Change, ...]) -> Effect:
        return Effect(self.identity, self.before, self.changes + changes)


@dataclass(frozen=True)
class Past:
    """
    shown    what each step may change, as it was agreed to; None: could not be said
    effects  of the steps that were begun and not undone since, in the order of their beginning
    release  the one that this run recorded
    undoing  the failure for which the run was being undone when it was cut off
    undone   what had been undone by then
    """

    shown: Mapping[str, frozenset[str] | None]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    release: str | None = None
    undoing: CbctlError | None = None
    undone: tuple[tuple[str, Effect], ...] = ()


def none(plan: Plan) -> Past:
    """Of a run that begins."""
    return Past({p.id: p.may for p in plan.steps})


def of(records: Sequence[Record]) -> Past:
    effects: dict[str, Effect] = {}
    release: str | None = None
    undoing: CbctlError | None = None
    undone: list[tuple[str, Effect]] = []
    for record in records:
        data = record.data
        match record.type:
            case "step.intent":
                changes = tuple(Change(c["what"], c["before"], c["after"]) for c in data["changes"])
                known = effects.get(data["step"])
                effects[data["step"]] = (
                    known.and_also(changes)
                    if known
                    else Effect(data["identity"], data["before"], changes)
                )
            case "step.undone":
                # its identity goes too: a new try must not find the effect that was taken back
                if data["cannot"] is None and data["step"] in effects:
                    undone.insert(0, (data["step"], effects.pop(data["step"])))
            case "release.recorded":
                release = data["id"]
            case "run.undoing":
                undoing = CbctlError(
                    data["error"], exit=Exit(data["exit"]), where=data["where"], fix=data["fix"]
                )
            case "run.ended":
                undoing, undone = None, []
    shown = {s["id"]: _names(s) for s in records[0].data["shown"]}
    return Past(shown, effects, release, undoing, tuple(undone))


def open_run(store: Store) -> str | None:
    """Id of the newest run that did not end well and that no later one has replaced. One that
    changed nothing replaces none, and neither does one that says so."""
    idle: str | None = None
    for stream in reversed(store.streams(RUNS)):
        records = journal.read(store, stream)
        if not records or records[0].type != "run.started":
            continue
        if _ended_well(records):
            if not _replaces_runs(records):
                continue
            break  # whatever is older than a run that ended well is history
        if _began_something(records):
            return stream.removeprefix(RUNS)
        idle = idle or stream.removeprefix(RUNS)
    return idle


def cut_off(store: Store, since: str, kinds: frozenset[str], steps: frozenset[str]) -> str | None:
    """Id of the newest run of these kinds after the run `since` that began one of these steps, if
    it did not end well: what runs is what it left."""
    for stream in reversed(store.streams(RUNS)):
        if stream <= RUNS + since:
            return None
        records = journal.read(store, stream)
        if not records or records[0].type != "run.started" or records[0].data["kind"] not in kinds:
            continue
        names = {shown["id"]: shown["step"] for shown in records[0].data["shown"]}
        begun = {names.get(r.data["step"]) for r in records if r.type == "step.intent"}
        if begun & steps:
            return None if _ended_well(records) else stream.removeprefix(RUNS)
    return None


def require_resumable(records: Sequence[Record], run: str, identity: Mapping[str, Json]) -> None:
    """Raises unless the run can go on with this cbctl, runbook and configuration."""
    if not records or records[0].type != "run.started":
        raise CbctlError(f"there is no run {run}", exit=Exit.USAGE, fix="cbctl runs list")
    if _ended_well(records):
        raise CbctlError(
            f"run {run} already ended: {records[-1].data['result']}",
            exit=Exit.USAGE,
            fix=f"cbctl runs list --env {records[0].data['environment']}",
        )
    was = records[0].data["identity"]
    others = sorted({r.schema for r in records} - {SCHEMA})
    if others:
        raise CbctlError(
            f"run {run} was written with schema {', '.join(others)}, this cbctl has {SCHEMA}",
            exit=Exit.REFUSED,
            fix=f"resume it with cbctl {was.get('cbctl', 'of that time')}, or start a new run",
        )
    differs = [k for k in sorted(set(was) | set(identity)) if was.get(k) != identity.get(k)]
    if differs:
        lines = "; ".join(f"{k}: then {was.get(k)}, now {identity.get(k)}" for k in differs)
        raise CbctlError(
            f"run {run} was planned from something else: {lines}",
            exit=Exit.REFUSED,
            fix="bring that back and resume, or start a new run, which shows its own plan",
        )


def require_last(store: Store, run: str) -> None:
    """Raises (exit 7) when a newer run changed something: what this one began is no longer a
    state that anybody agreed to go on from."""
    for stream in store.streams(RUNS):
        if stream <= RUNS + run:
            continue
        records = journal.read(store, stream)
        if _began_something(records) and _replaces_runs(records):
            newer = stream.removeprefix(RUNS)
            raise CbctlError(
                f"run {newer} changed things after run {run}",
                exit=Exit.REFUSED,
                fix=f"cbctl runs show {newer}; start a new run, which shows its own plan",
            )


def _began_something(records: Sequence[Record]) -> bool:
    return any(r.type == "step.intent" for r in records)


def _replaces_runs(records: Sequence[Record]) -> bool:
    return bool(records[0].data.get("replaces_runs", True))


def _ended_well(records: Sequence[Record]) -> bool:
    last = records[-1]
    return last.type == "run.ended" and last.data["result"] in ("succeeded", "undone")


def _names(shown: Mapping[str, Any]) -> frozenset[str] | None:
    names = frozenset(c["what"] for c in shown["changes"])
    return (names or None) if shown["verdict"] == "after" else names
