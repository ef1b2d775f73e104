"""A run as its journal tells it, in events: where its own are not there (any more)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cbctl.engine.event import Event
from cbctl.engine.journal import RUNS, Record, read
from cbctl.engine.step import Json
from cbctl.engine.store import Store
from cbctl.errors import Exit
from cbctl.report.why import explain
from cbctl.report.why_timeline import said

Data = Mapping[str, Any]


def events(run: str, records: Sequence[Record]) -> list[Event]:
    """What is known of the newest part of a run, without its end. A journal that only grew gives
    the same events and then more."""
    begin = max(i for i, r in enumerate(records) if r.type in ("run.started", "run.resumed"))
    first, part = records[0].data, records[begin]
    shown: list[Data] = first["shown"]
    to_do = sum(step["verdict"] != "nothing" for step in shown)
    told: list[tuple[str, Record, Data]] = [
        ("plan.started", part, {"steps": [step["id"] for step in shown]}),
        *(("step.observed", part, _observed(step)) for step in shown),
        ("plan.ready", part, {"hash": part.data["plan"], "changes": to_do}),
        ("run.started", part, {"kind": first["kind"], "resumed": begin > 0}),
    ]
    for at in range(begin + 1, len(records)):
        told += ((type, records[at], data) for type, data in _of(records[: at + 1]))
    return [
        Event(type, record.at, "" if type in _OF_THE_PLAN else run, data)
        for type, record, data in told
    ]


def end(store: Store, run: str, environment: str) -> Event:
    """The last event of a run that nobody carries out any more, also of one that was cut off."""
    why, last = explain(store, run, environment), read(store, RUNS + run)[-1]
    error: Json = None
    if why.cause:
        fix = "; then: ".join(why.next)
        error = {"what": why.cause.error, "where": why.cause.step, "fix": fix}
    data: dict[str, Json] = {
        "run": run,
        "result": why.result,
        "exit": int(Exit.NOT_UNDONE) if why.exit is None else why.exit,
        "changes": last.data["changes"] if why.ended else [dict(c) for c in why.kept],
        "release": why.release or None,
        "error": error,
    }
    return Event("run.ended", last.at, run, data)


_OF_THE_PLAN = ("plan.started", "step.observed", "plan.ready")


def _observed(shown: Data) -> Data:
    names = ("verdict", "because", "changes")
    return {"step": shown["id"], "summary": "", "evidence": {}, **{n: shown[n] for n in names}}


def _of(records: Sequence[Record]) -> Iterator[tuple[str, Data]]:
    """What the last of these records tells."""
    data = records[-1].data
    step = {"step": data.get("step")}
    match records[-1].type:
        case "step.intent":
            phase = {"phase": "apply", "summary": ""}
            yield "step.started", {**step, **phase, "changes": data["changes"]}
        case "step.verified":
            yield "step.done", _done(data["step"], _changes(records, data["step"]))
        case "step.failed":
            told = {n: data[n] for n in ("phase", "fix", "evidence")}
            yield "step.failed", {**step, **told, "error": said(data)}
        case "step.waiting":
            yield "step.waiting", {n: data[n] for n in ("step", "what", "fix", "evidence")}
        case "step.undone":
            yield "step.undone", {**step, "cannot": data["cannot"]}
        case "run.ended" if data["result"] == "succeeded":
            # nothing is written of a step that changed nothing, but by now it was verified
            yield from (("step.done", _done(id, [])) for id in _unchanged(records))


def _done(step: str, changes: list[Any]) -> Data:
    made = {"changed": bool(changes), "changes": changes}
    return {"step": step, **made, "outcome": None, "seconds": None}


def _changes(records: Sequence[Record], step: str) -> list[Any]:
    intents = [r.data for r in records if r.type == "step.intent" and r.data["step"] == step]
    return [change for intent in intents for change in intent["changes"]]


def _unchanged(records: Sequence[Record]) -> list[str]:
    first = records[0].data
    only, skip = (first["selection"].get(name) or [] for name in ("only", "skip"))
    begun = {r.data["step"] for r in records if r.type == "step.intent"}
    wanted = [s["id"] for s in first["shown"] if (not only or s["id"] in only)]
    return [id for id in wanted if id not in begun and id not in skip]
