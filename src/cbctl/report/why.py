"""Explains one run from its journal: what happened when, why it ended so, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cbctl.engine import journal
from cbctl.engine.journal import RUNS, Record
from cbctl.engine.store import Store
from cbctl.errors import CbctlError
from cbctl.report.runs import find, going_on
from cbctl.report.why_steps import Session, Step, clock, sessions, steps
from cbctl.report.why_timeline import Moment, said, timeline

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Cause:
    """kind: failure, waiting, stopped, lost (the process was gone), lock (it was taken away)"""

    kind: str
    step: str
    phase: str
    error: str
    fix: str
    evidence: Data
    at: str


@dataclass(frozen=True)
class Why:
    """
    result   as `runs list` has it; exit is None while it has no end
    seconds  from the first record to the last; worked: without the gaps
    people   who started and resumed it
    planned  what it was planned from: hash, identity, selection, number of steps
    passed   what policy held against it, and why it went on: rule, why, by, reason
    also     further failures beside the cause
    kept     changes that are there; undone: that were taken back
    next     what to do, one after the other; a command begins with `cbctl `
    newer    run that changed things after this one, which did not end well
    head     end of its journal, for `audit verify --head`
    """

    run: str
    kind: str
    environment: str
    reason: str
    result: str
    exit: int | None
    began: str
    ended: str
    seconds: float
    worked: float
    people: tuple[Session, ...]
    planned: Data
    passed: tuple[Data, ...]
    cause: Cause | None
    also: tuple[Data, ...]
    timeline: tuple[Moment, ...]
    steps: tuple[Step, ...]
    kept: tuple[Data, ...]
    undone: tuple[Data, ...]
    release: str
    replaces: str
    newer: str
    next: tuple[str, ...]
    head: Data


def explain(store: Store, run: str, environment: str) -> Why:
    """run: an id, or `last`. Raises CbctlError: 64 for no such run, 10 for a broken chain."""
    run = find(store, run, environment)
    records = journal.read(store, RUNS + run)
    first, last, at = records[0], records[-1], clock(records)
    ended = last if last.type == "run.ended" else None
    result = _result(first, ended, going_on(store) == run)
    parts = sessions(records, at, result)
    told = steps(records, at, result)
    cause = _cause(store, run, records, result)
    newer = _newer(store, run) if result not in ("succeeded", "undone") else ""
    kind, where = str(first.data.get("kind", "")), str(first.data.get("environment") or environment)
    return Why(
        run=run,
        kind=kind,
        environment=where,
        reason=str(first.data.get("reason") or ""),
        result=result,
        exit=ended.data["exit"] if ended else None,
        began=first.at,
        ended=ended.at if ended else "",
        seconds=at[-1],
        worked=round(sum(s.end - s.begin for s in parts), 3),
        people=tuple(parts),
        planned=_planned(first),
        passed=tuple(p for r in records for p in r.data.get("passed") or ()),
        cause=cause,
        also=_also(records, cause),
        timeline=tuple(timeline(records, at, parts)),
        steps=tuple(told),
        kept=tuple({"step": s.id, **c} for s in told if s.state != "undone" for c in s.changes),
        undone=tuple({"step": s.id, **c} for s in told if s.state == "undone" for c in s.changes),
        release=next((str(r.data["id"]) for r in records if r.type == "release.recorded"), ""),
        replaces=str(first.data.get("replaces") or ""),
        newer=newer,
        next=_next(result, run, kind, where, newer, cause),
        head=_head(store, run),
    )


def _head(store: Store, run: str) -> Data:
    end = journal.head(store, RUNS + run)
    return {"count": end.count, "hash": end.hash}


def _result(first: Record, ended: Record | None, running: bool) -> str:
    if first.type == "lock.broken":
        return "lock broken"
    if ended is not None:
        return str(ended.data["result"])
    return "running" if running else "interrupted"


def _planned(first: Record) -> Data:
    data = first.data
    names = ("plan", "identity", "selection")
    return {**{n: data[n] for n in names if n in data}, "steps": len(data.get("shown") or [])}


# -- why ------------------------------------------------------------------------------------


def _cause(store: Store, run: str, records: Sequence[Record], result: str) -> Cause | None:
    if result in ("succeeded", "running", "lock broken"):
        return None
    last = records[-1]
    if result == "interrupted":
        if broken := _taken(store, run, last):
            who, why = broken.data.get("who"), broken.data.get("reason")
            return _of(broken, "lock", f"its lock was taken away by {who}: {why}")
        after = f"after {last.type}" + (f" of {s}" if (s := last.data.get("step")) else "")
        text = f"its process was gone {after} (killed, stopped, or the machine went down)"
        return _of(last, "lost", text)
    if result == "cancelled":
        return _of(last, "stopped", str(last.data.get("error") or "it was stopped"))
    if result == "waiting":
        record = next((r for r in reversed(records) if r.type == "step.waiting"), last)
        return _of(record, "waiting", str(record.data.get("what") or last.data.get("error")))
    # a run that was resumed while being undone has its failure in an earlier part
    begin = next((i for i in reversed(range(len(records))) if _begins(records, i)), 0)
    for record in records[begin:]:
        if record.type == "step.failed":
            return _of(record, "failure", "")
    return _of(last, "failure", str(last.data.get("error") or "unknown"))


def _begins(records: Sequence[Record], at: int) -> bool:
    """Where a start or a resume begins that does not only go on undoing."""
    if records[at].type not in ("run.started", "run.resumed"):
        return False
    for record in reversed(records[:at]):
        if record.type == "run.ended":
            return True
        if record.type == "run.undoing":
            return False
    return True


def _of(record: Record, kind: str, error: str) -> Cause:
    data = record.data
    step, phase = str(data.get("step") or ""), str(data.get("phase") or "")
    evidence = data.get("evidence")
    return Cause(
        kind,
        step,
        phase,
        error or said(data),
        str(data.get("fix") or ""),
        evidence if kind in ("failure", "waiting") and isinstance(evidence, dict) else {},
        record.at,
    )


def _also(records: Sequence[Record], cause: Cause | None) -> tuple[Data, ...]:
    failed = [r for r in records if r.type == "step.failed"]
    return tuple(
        {"step": r.data["step"], "error": said(r.data), "at": r.at}
        for r in failed
        if cause is None or (r.data["step"], r.at) != (cause.step, cause.at)
    )


def _taken(store: Store, run: str, last: Record) -> Record | None:
    """The record of the lock being broken while this run held it, if it wrote nothing since."""
    with suppress(CbctlError):  # another journal that is damaged does not matter here
        for stream in store.streams(RUNS):
            for record in journal.read(store, stream)[:1]:
                holder = record.data.get("holder")
                mine = isinstance(holder, dict) and holder.get("run") == run
                if record.type == "lock.broken" and mine and record.token > last.token:
                    return record
    return None


def _newer(store: Store, run: str) -> str:
    """The run that changed things after this one, which can then not be resumed."""
    with suppress(CbctlError):
        for stream in store.streams(RUNS):
            if stream > RUNS + run:
                records = journal.read(store, stream)
                if any(r.type == "step.intent" for r in records):
                    return stream.removeprefix(RUNS)
    return ""


def _next(
    result: str, run: str, kind: str, where: str, newer: str, cause: Cause | None
) -> tuple[str, ...]:
    fix = (cause.fix,) if cause and cause.fix else ()
    again = f"cbctl {kind} {where}" if kind in ("deploy", "rollback") else "run the command again"
    match result:
        case "succeeded":
            return ()
        case "lock broken":
            return (f"cbctl runs list --env {where}",)
        case "running":
            return ("it is going on", f"cbctl runs attach {run} --env {where}")
        case _ if newer:
            return (f"run {newer} changed things after it", f"cbctl why {newer} --env {where}")
        case "undone" | "failed":
            return (*(fix or ("solve the cause",)), again)
    return (*fix, f"cbctl resume {run} --env {where}")
