"""Who did what when: a view of the chained journals of one environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cbctl.engine import journal, policy
from cbctl.engine.journal import BESIDE, RUNS, Record
from cbctl.engine.release import HISTORY
from cbctl.engine.store import Store
from cbctl.report.runs import going_on


@dataclass(frozen=True)
class Entry:
    """
    kind     run, resume, lock break, release mark, freeze, unfreeze, approval
    what     the same in words
    result   how that run, or that part of it, ended; "interrupted", "running"
    release  recorded by it, or marked
    reason   why, where somebody said so
    token    of the lock: it only grows, so it orders what clocks cannot
    """

    at: str
    who: str
    host: str
    environment: str
    kind: str
    what: str
    run: str
    result: str = ""
    release: str = ""
    reason: str = ""
    token: int = 0


def entries(store: Store, environment: str) -> list[Entry]:
    """All of them, oldest first. Raises CbctlError (10) where a chain is broken."""
    running = going_on(store)
    found = [e for r in journal.read(store, HISTORY) for e in _marks(r, environment)]
    found += [e for r in journal.read(store, policy.HISTORY) for e in _laid_down(r, environment)]
    rules = _rules(store)
    for stream in store.streams(RUNS):
        run = stream.removeprefix(RUNS)
        told = _of_run(run, journal.read(store, stream), environment, run == running)
        if told and run in rules:
            reason = "; ".join(filter(None, (told[0].reason, rules[run])))
            told[0] = replace(told[0], reason=reason)
        found += told
    for stream in store.streams(BESIDE):
        run = stream.removeprefix(BESIDE)
        found += _of_run(run, journal.read(store, stream), environment, running=False)
    # clocks are set back, tokens are not
    return sorted(found, key=lambda e: (e.token, e.at))


def _rules(store: Store) -> dict[str, str]:
    """By run: what its policy had otherwise than that of the run before it."""
    told, before = {}, None
    for stream in store.streams(RUNS):
        first = next(iter(journal.read(store, stream)), None)
        now = first.data.get("rules") if first and first.type == "run.started" else None
        if now is None:
            continue
        if before is not None and now != before:
            names = [n for n in dict.fromkeys([*before, *now]) if before.get(n) != now.get(n)]
            told[stream.removeprefix(RUNS)] = "policy changed: " + ", ".join(names)
        before = now
    return told


def _of_run(run: str, records: Sequence[Record], environment: str, running: bool) -> list[Entry]:
    """One entry for each start and resume, with the end that it came to."""
    begins = [
        i for i, r in enumerate(records) if r.type in ("run.started", "run.resumed", "lock.broken")
    ]
    found = []
    for begin, after in zip(begins, [*begins[1:], len(records)], strict=True):
        first, part = records[begin], records[begin:after]
        data, kind = first.data, str(records[0].data.get("kind", ""))
        match first.type:
            case "lock.broken":
                holder = data.get("holder") or {}
                owner = holder.get("owner") or {}
                what = f"lock taken from {owner.get('who', '?')}, run {holder.get('run', '?')}"
                entry, result, reason = "lock break", "", str(data.get("reason") or "")
            case "run.resumed":
                entry, what, reason = "resume", f"{kind} resumed", _passed(data)
                result = _result(part, running and after == len(records))
            case _:
                entry, what = "run", kind
                chosen = _selection(data.get("selection") or {})
                reason = "; ".join(filter(None, (chosen, _passed(data))))
                result = _result(part, running and after == len(records))
        found.append(
            Entry(
                at=first.at,
                who=str(data.get("who", "")),
                host=str(data.get("host", "")),
                environment=str(data.get("environment") or environment),
                kind=entry,
                what=what,
                run=run,
                result=result,
                release=next((str(r.data["id"]) for r in part if r.type == "release.recorded"), ""),
                reason=reason,
                token=first.token,
            )
        )
    return found


def _marks(record: Record, environment: str) -> list[Entry]:
    if record.type != "release.marked":
        return []
    data = record.data
    id, reason = str(data.get("id")), str(data.get("reason") or "")
    return [
        Entry(
            at=record.at,
            who=str(data.get("who", "")),
            host="",
            environment=environment,
            kind="release mark",
            what=f"release {id} marked {data.get('state')}",
            run="",
            release=id,
            reason=reason,
            token=record.token,
        )
    ]


def _laid_down(record: Record, environment: str) -> list[Entry]:
    data, reason = record.data, str(record.data.get("reason") or "")
    match record.type:
        case "policy.frozen":
            until = f" until {policy.minute(str(data['until']))}" if data.get("until") else ""
            kind, what = "freeze", f"frozen{until}"
        case "policy.unfrozen":
            kind, what = "unfreeze", "freeze lifted"
        case "plan.approved":
            kind, what = "approval", f"plan {str(data.get('plan'))[:12]} approved"
        case _:
            return []
    return [
        Entry(
            at=record.at,
            who=str(data.get("who", "")),
            host=str(data.get("host", "")),
            environment=environment,
            kind=kind,
            what=what,
            run="",
            reason=reason,
            token=record.token,
        )
    ]


def _passed(data: Mapping[str, Any]) -> str:
    """The rules that a run went past, with what was said for it."""
    return "; ".join(
        f"past {p.get('rule')}" + (f": {p['reason']}" if p.get("reason") else f" ({p.get('by')})")
        for p in data.get("passed") or []
    )


def _result(part: Sequence[Record], running: bool) -> str:
    for record in reversed(part):
        if record.type == "run.ended":
            return str(record.data.get("result"))
    return "running" if running else "interrupted"


def _selection(chosen: dict[str, object]) -> str:
    """What was left out on purpose, or gone back to."""
    said = []
    for name, words in (("only", "only"), ("skip", "without")):
        ids = chosen.get(name)
        if isinstance(ids, list) and ids:
            said.append(f"{words} {', '.join(map(str, ids))}")
    if chosen.get("release"):
        said.append(f"to {chosen['release']}")
    return "; ".join(said)
