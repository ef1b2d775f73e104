"""The records of a run in words, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbctl.engine.journal import Record
from cbctl.report.why_steps import Session

Data = Mapping[str, Any]

_ENDS = ("step.verified", "step.failed", "step.outcome", "step.waiting")
"""What ends a stretch of work on a step."""


@dataclass(frozen=True)
class Moment:
    """One record in words.

    after    seconds since the run began
    seconds  since its step began; None where nothing was timed
    gap      seconds for which nobody ran it before this
    """

    after: float
    at: str
    type: str
    step: str
    what: str
    seconds: float | None = None
    gap: float | None = None
    changes: tuple[Data, ...] = ()


def said(data: Data) -> str:
    """The error of a step without its name before it, which stands beside it anyway."""
    return str(data.get("error")).removeprefix(f"{data.get('step')}: ")


def told(moments: Sequence[Moment]) -> list[Moment]:
    """Without what is said twice: a step that was verified was done."""
    verified = {m.step for m in moments if m.type == "step.verified"}
    return [m for m in moments if m.type != "step.outcome" or m.step not in verified]


def stopwatch(seconds: float) -> str:
    """00:01.2 or 1:00:03.5, so that times stand below each other."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes:02}:{rest:04.1f}"


def timeline(
    records: Sequence[Record], at: Sequence[float], parts: Sequence[Session]
) -> list[Moment]:
    gaps = iter([part.gap for part in parts[1:]])
    since: dict[str, float] = {}
    found = []
    for record, now in zip(records, at, strict=True):
        data = record.data
        step = str(data.get("step") or "")
        seconds = None
        if record.type == "run.resumed":
            since.clear()  # a resume does not say when a step begins again
        elif record.type == "step.intent":
            since.setdefault(step, now)
        elif record.type in _ENDS and step in since:
            seconds = round(now - since[step], 3)
        gap = next(gaps, None) if record.type == "run.resumed" else None
        shown = data.get("changes") if record.type == "step.intent" else None
        changes = tuple(c for c in shown or () if isinstance(c, dict))
        what = _words(record)
        found.append(Moment(now, record.at, record.type, step, what, seconds, gap, changes))
    return found


def _words(record: Record) -> str:
    data = record.data
    by = f"{data.get('who')} on {data.get('host')}"
    match record.type:
        case "run.started":
            return f"started by {by}"
        case "run.resumed":
            return f"resumed by {by}"
        case "step.intent":
            return "begins"
        case "step.outcome":
            return "done"
        case "step.verified":
            return "verified"
        case "step.failed":
            return f"failed ({data.get('phase')}): {said(data)}"
        case "step.waiting":
            return f"waits: {data.get('what')}"
        case "run.undoing":
            return "what was changed is being undone"
        case "step.undone":
            return f"stays: {data['cannot']}" if data.get("cannot") else "undone"
        case "release.recorded":
            return f"release {data.get('id')} recorded"
        case "lock.broken":
            return f"lock taken by {by}: {data.get('reason')}"
        case "run.ended":
            return f"ended: {data.get('result')} (exit {data.get('exit')})"
    return record.type
