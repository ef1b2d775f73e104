"""Times of a run: who worked on it from when to when, and what each step did meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from cbctl.engine.journal import Record

Data = Mapping[str, Any]
BEGINS = ("run.started", "run.resumed", "lock.broken")


@dataclass(frozen=True)
class Session:
    """From a start or resume to its last record, in seconds since the run began.

    how  started, resumed, broke the lock
    end  its last record: what killed it came then or later
    gap  seconds before it in which nobody ran it
    """

    who: str
    host: str
    how: str
    at: str
    begin: float
    end: float
    result: str
    gap: float | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of work. phase: apply, verify, undo; state: done, failed, cut off, going on"""

    begin: float
    end: float
    phase: str
    state: str


@dataclass
class Step:
    """
    state    changed, begun, waits (for somebody else), failed, undone, stays (its undo could
             not), right (nothing to do), left out, not reached
    changes  that it made or began
    seconds  that it worked in all
    about    by what its effect is found again: address of a buffer, name of a snapshot
    unsure   nobody but the step can say which of its changes were made
    """

    id: str
    step: str
    state: str
    because: str = ""
    seconds: float = 0.0
    failed: bool = False
    cannot: str = ""
    changes: tuple[Data, ...] = ()
    spans: tuple[Span, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    unsure: bool = False


def clock(records: Sequence[Record]) -> list[float]:
    """Seconds since the first record; a clock that was set back stands still meanwhile."""
    found = [0.0]
    for before, now in pairwise(records):
        passed = (_time(now.at) - _time(before.at)).total_seconds()
        found.append(round(found[-1] + max(0.0, passed), 3))
    return found


def sessions(records: Sequence[Record], at: Sequence[float], result: str) -> list[Session]:
    begins = [i for i, r in enumerate(records) if r.type in BEGINS]
    found: list[Session] = []
    for begin, after in zip(begins, [*begins[1:], len(records)], strict=True):
        first, last = records[begin], records[after - 1]
        ended = str(last.data.get("result")) if last.type == "run.ended" else ""
        if not ended:
            ended = "interrupted" if after < len(records) else result
        how = {"run.started": "started", "run.resumed": "resumed"}.get(first.type, "broke the lock")
        found.append(
            Session(
                who=str(first.data.get("who", "")),
                host=str(first.data.get("host", "")),
                how=how,
                at=first.at,
                begin=at[begin],
                end=at[after - 1],
                result=ended,
                gap=round(at[begin] - found[-1].end, 3) if found else None,
            )
        )
    return found


def steps(records: Sequence[Record], at: Sequence[float], result: str) -> list[Step]:
    """In the order of the plan; steps that nobody planned follow."""
    first = records[0].data
    found: dict[str, _Story] = {}
    for shown in first.get("shown") or []:
        if isinstance(shown, dict):
            id = str(shown.get("id"))
            found[id] = _Story(id, str(shown.get("step", "")), str(shown.get("because") or ""))
    last = 0.0
    for record, now in zip(records, at, strict=True):
        if record.type in ("run.started", "run.resumed", "run.ended"):
            for story in found.values():
                story.cut(last, "cut off")
            last = now
        if id := str(record.data.get("step") or ""):
            found.setdefault(id, _Story(id, "", "")).take(record, last, now)
        last = now
    for story in found.values():
        story.cut(at[-1], "going on" if result == "running" else "cut off")
    left = _left_out(first, list(found))
    return [s.told(s.id in left, result == "succeeded") for s in found.values()]


class _Story:
    """One step, record by record."""

    def __init__(self, id: str, step: str, because: str) -> None:
        self.id, self.step, self.because = id, step, because
        self.state, self.cannot, self.failed = "", "", False
        self.unsure = False
        self.changes: list[Data] = []
        self.spans: list[Span] = []
        self.open: tuple[float, str] | None = None
        self.about: dict[str, str] = {}

    def take(self, record: Record, last: float, now: float) -> None:
        """last: when the record before it was written. A resume does not say again that a step
        begins, nor does one that only looks: it began then at the earliest."""
        data = record.data
        if self.open is None and record.type in ("step.outcome", "step.verified", "step.failed"):
            phase = {"step.outcome": "apply", "step.verified": "verify"}.get(record.type)
            self.open = (last, phase or str(data.get("phase")))
        match record.type:
            case "step.intent":
                self.changes = [*(self.changes if self.state != "undone" else ()), *data["changes"]]
                self.state, self.failed, self.cannot = "begun", False, ""
                self.unsure = True
                named = data.get("identity")
                known = named.items() if isinstance(named, dict) else ()
                self.about = {name: value for name, value in known if isinstance(value, str)}
                self.open = (now, "apply")
            case "step.outcome":
                self.cut(now, "done")
                self.open = (now, "verify")
                self.unsure = False
            case "step.verified":
                self.cut(now, "done")
                self.state, self.failed, self.unsure = "changed", False, False
            case "step.waiting":
                self.cut(now, "done")
                self.state = "waits"
            case "step.failed":
                self.cut(now, "failed")
                self.state, self.failed = "failed", True
            case "step.undone":
                cannot = data.get("cannot")
                self.spans.append(Span(last, now, "undo", "failed" if cannot else "done"))
                self.state, self.cannot = ("stays", str(cannot)) if cannot else ("undone", "")

    def cut(self, now: float, state: str) -> None:
        """What it was at ends here."""
        if self.open:
            begin, phase = self.open
            self.spans.append(Span(begin, max(begin, now), phase, state))
            self.open = None

    def told(self, left_out: bool, succeeded: bool) -> Step:
        state = self.state or ("left out" if left_out else "right" if succeeded else "not reached")
        seconds = round(sum(s.end - s.begin for s in self.spans), 3)
        return Step(
            self.id,
            self.step,
            state,
            self.because if state == "right" else "",
            seconds,
            self.failed,
            self.cannot,
            tuple(self.changes),
            tuple(self.spans),
            self.about,
            self.unsure,
        )


def _left_out(first: Data, ids: Sequence[str]) -> set[str]:
    chosen = first.get("selection") or {}
    only, skip = chosen.get("only") or [], chosen.get("skip") or []
    return {id for id in ids if id in skip or (only and id not in only)}


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)
