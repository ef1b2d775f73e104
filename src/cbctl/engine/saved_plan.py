"""A plan as a file: reviewed or approved first, carried out later, and only as it was shown.

It is made again before it is carried out. Whatever differs then is a reason to refuse: another
runbook, configuration, input or artifact, or another fact about the systems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cbctl.engine.canonical import canonical, sha256
from cbctl.engine.clock import stamp
from cbctl.engine.job import Job
from cbctl.engine.plan import Plan, hash_of, record
from cbctl.engine.store import SCHEMA, Owner
from cbctl.errors import CbctlError, Exit

MARK = "cbctl plan"
VALID_FOR = timedelta(hours=2)
_AHEAD = timedelta(minutes=5)  # clocks of two machines
_TOLD = 4


class _Change(msgspec.Struct):
    what: str
    before: Any
    after: Any


class _Verdict(msgspec.Struct):
    verdict: str
    changes: list[_Change]
    because: str = ""


class _Step(msgspec.Struct):
    id: str
    name: str
    summary: str
    facts: Any
    verdict: _Verdict


class _Selection(msgspec.Struct):
    only: list[str]
    skip: list[str]


class Saved(msgspec.Struct, frozen=True):
    """
    hash          of the plan: what is approved
    planned_from  hashes of runbook, configuration and sources, version of cbctl, what was selected
    steps         {id, name, facts, verdict} of each, and its summary beside it
    seal          sha256 of all the rest: it finds what was changed by mistake, not by a forger
    """

    is_: str = msgspec.field(name="is")
    schema: str
    environment: str
    platform: str
    kind: str
    at: str
    who: str
    host: str
    hash: str
    planned_from: dict[str, Any]
    steps: list[dict[str, Any]]
    seal: str

    @property
    def selection(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.planned_from["selection"]
        return found

    @property
    def own_seal(self) -> str:
        found = msgspec.to_builtins(self)
        return sha256({name: value for name, value in found.items() if name != "seal"})

    def check(self) -> None:
        """Raises msgspec.ValidationError for what no cbctl wrote."""
        msgspec.convert(self.steps, list[_Step])
        msgspec.convert(self.planned_from.get("selection"), _Selection)


def write(job: Job, plan: Plan, platform: str, owner: Owner, wall: float) -> bytes:
    """The file's content. It holds no secret: facts and changes are scrubbed when they are seen."""
    saved = Saved(
        MARK,
        SCHEMA,
        job.environment,
        platform,
        job.kind,
        stamp(wall),
        owner.who,
        owner.host,
        plan.hash,
        job.planned_from,
        [{**record(p), "summary": p.summary} for p in plan.steps],
        "",
    )
    saved = msgspec.structs.replace(saved, seal=saved.own_seal)
    return msgspec.json.format(canonical(msgspec.to_builtins(saved)), indent=2) + b"\n"


def read(data: bytes, where: str) -> Saved:
    """Raises CbctlError: 64 for what is no saved plan, 7 for one that was changed by hand or made
    by another schema."""
    try:
        saved = msgspec.json.decode(data, type=Saved)
        saved.check()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        saved = None
    if saved is None or saved.is_ != MARK:
        raise CbctlError(
            "this is no saved plan",
            exit=Exit.USAGE,
            where=where,
            fix="cbctl deploy ENV --plan-out FILE makes one",
        )
    if saved.schema != SCHEMA:
        what = f"it was written with schema {saved.schema}, this cbctl has {SCHEMA}"
        raise _refused(what, where, saved.environment)
    steps = [{k: v for k, v in step.items() if k != "summary"} for step in saved.steps]
    if hash_of(saved.planned_from, steps) != saved.hash or saved.own_seal != saved.seal:
        raise _refused("it was changed after it was written", where, saved.environment)
    return saved


def require_fresh(saved: Saved, environment: str, platform: str, wall: float, where: str) -> None:
    """Raises CbctlError (7) for a plan of something else, or over two hours old."""
    if (saved.environment, saved.platform) != (environment, platform):
        what = (
            f"it is of {saved.platform} {saved.environment}, and this is {platform} {environment}"
        )
        raise _refused(what, where, environment)
    age = datetime.fromtimestamp(wall, UTC) - _time(saved, where)
    if age > VALID_FOR:
        what = f"it was made {_ago(age)} ago and counts for two hours"
        raise _refused(what, where, environment)
    if age < -_AHEAD:
        raise _refused(f"it was made in the future ({saved.at}): a clock is wrong", where, "ENV")


def require_same(saved: Saved, job: Job, plan: Plan, where: str) -> None:
    """Raises CbctlError (7) that names what changed since."""
    if plan.hash == saved.hash:
        return
    if plan.empty:
        raise _refused("nothing of it is left to do", where, job.environment)
    told = differences(saved, job.planned_from, [record(p) for p in plan.steps])
    more = f" (and {len(told) - _TOLD} more)" if len(told) > _TOLD else ""
    what = "; ".join(told[:_TOLD]) + more
    raise _refused(f"changed since it was made: {what}", where, job.environment)


def differences(
    saved: Saved, planned_from: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> list[str]:
    """In words, one for each thing that is another now."""
    told = [
        f"the {name}"
        for name in dict.fromkeys([*saved.planned_from, *planned_from])
        if saved.planned_from.get(name) != planned_from.get(name)
    ]
    then, now = {s["id"]: s for s in saved.steps}, {s["id"]: s for s in steps}
    for id in dict.fromkeys([*then, *now]):
        if id not in now or id not in then:
            told.append(f"step {id} is {'gone' if id in then else 'new'}")
            continue
        parts = [p for p in ("verdict", "facts", "name") if then[id].get(p) != now[id].get(p)]
        if parts:
            told.append(f"step {id}: {_step(then[id], now[id], parts[0])}")
    return told


def _step(then: Mapping[str, Any], now: Mapping[str, Any], part: str) -> str:
    if part != "verdict":
        return f"its {part}"
    was, is_ = (_changes(s["verdict"]) for s in (then, now))
    if was == is_:
        return "its changes have other values"
    return f"then {was}, now {is_}"


def _changes(verdict: Mapping[str, Any]) -> str:
    names = ", ".join(str(c.get("what")) for c in verdict.get("changes") or [])
    return f"{verdict.get('verdict')} ({names})" if names else str(verdict.get("verdict"))


def _time(saved: Saved, where: str) -> datetime:
    try:
        at = datetime.fromisoformat(saved.at)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        raise _refused("it does not say when it was made", where, saved.environment) from None


def _ago(age: timedelta) -> str:
    hours, rest = divmod(int(age.total_seconds()), 3600)
    return f"{hours} h {rest // 60} min"


def _refused(what: str, where: str, environment: str) -> CbctlError:
    return CbctlError(
        f"this plan is refused: {what}",
        exit=Exit.REFUSED,
        where=where,
        fix=f"make a new one: cbctl deploy {environment} --plan-out FILE",
    )
