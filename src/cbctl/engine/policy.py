"""What holds a deploy back: a freeze, closed windows, a missing approval, an old backup.

Freezes and approvals are kept in a chained stream of their own, written under the lock, so that
they are part of the audit. A run names the end of that stream, and what it passed by.

Records: policy.frozen {reason, until, who, host}, policy.unfrozen {reason, who, host},
plan.approved {plan, who, host, after: newest run then}; in `backups/history`: backup.verified
{id, made, digest of its manifest, who, host}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cbctl.config.types import Policy, Window
from cbctl.engine import journal
from cbctl.engine.journal import RUNS, Head, Journal, Record
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit

HISTORY = "policy/history"
BACKUPS = "backups/history"

Rule = Literal["freeze", "window", "approval", "backup", "digests"]
RULES: tuple[Rule, ...] = ("freeze", "window", "approval", "backup", "digests")

DEPLOY = "deploy"
NEVER_HELD = frozenset(
    {
        *("rollback", "api undo", "program rollback", "program pause"),
        *("db backup", "db restore", "db restore undo", "db rollback"),
        "db kill",
    }
)
"""Kinds of runs that lead back to safety, or make it. A resume goes on with what was let through
before."""

APPROVED_FOR = timedelta(hours=2)
"""As long as a saved plan counts."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Freeze:
    """until: end as records are stamped, "" for one that somebody has to lift"""

    who: str
    at: str
    reason: str
    until: str

    def holds(self, now: datetime) -> bool:
        return not self.until or now < _time(self.until)


@dataclass(frozen=True)
class Approval:
    """after: id of the newest run when it was given; it is used up by a run of that plan"""

    plan: str
    who: str
    at: str
    after: str


@dataclass(frozen=True)
class Standing:
    """What was laid down so far.

    backup  when the newest verified backup was made, as records are stamped; "" for none
    """

    freeze: Freeze | None = None
    approvals: tuple[Approval, ...] = ()
    backup: str = ""


@dataclass(frozen=True)
class Proved:
    """A backup that was restored and compared.

    made    when its snapshot was taken: an old one that is proved today is still an old one
    digest  of its manifest, which pins all of it: whose it is, and every file
    at      when it was proved
    """

    made: str
    digest: str
    at: str


@dataclass(frozen=True)
class Objection:
    """Why a rule holds a run back, and what would satisfy it; ENV there is the environment."""

    rule: Rule
    why: str
    fix: str


@dataclass(frozen=True)
class Passed:
    """An objection that a run went past: because somebody said so, or by its kind.

    by  "override", or the kind of the run: rollback, pause, resume
    """

    rule: Rule
    why: str
    by: str
    reason: str


@dataclass(frozen=True)
class Case:
    """What is to be judged.

    plan     its hash
    who      carries it out
    migrates it has migrations for a database that holds something already
    selected some of its steps were left out
    """

    plan: str
    who: str
    migrates: bool
    selected: bool = False


# -- what was laid down ---------------------------------------------------------------------


def standing(store: Store) -> Standing:
    """Raises where a chain is broken."""
    freeze: Freeze | None = None
    approvals: list[Approval] = []
    for record in journal.read(store, HISTORY):
        data = record.data
        match record.type:
            case "policy.frozen":
                freeze = Freeze(data["who"], record.at, data["reason"], data["until"])
            case "policy.unfrozen":
                freeze = None
            case "plan.approved":
                approvals.append(Approval(data["plan"], data["who"], record.at, data["after"]))
    newest = max((one.made for one in proved(store).values()), key=_time, default="")
    return Standing(freeze, tuple(approvals), newest)


def proved(store: Store) -> dict[str, Proved]:
    """By their ids, the backups that held when they were looked at last. Raises where the chain is
    broken."""
    found: dict[str, Proved] = {}
    for record in journal.read(store, BACKUPS):
        data = record.data
        if record.type == "backup.verified":
            found[data["id"]] = Proved(data["made"], data["digest"], record.at)
        elif record.type == "backup.failed":
            found.pop(data["id"], None)
    return found


def head(store: Store) -> Head | None:
    """The end of what was laid down, for the first record of a run; None: nothing yet."""
    found = journal.head(store, HISTORY)
    return found if found.count else None


def freeze(log: Journal, who: str, host: str, reason: str, until: str) -> Record:
    return log.write("policy.frozen", reason=reason, until=until, who=who, host=host)


def unfreeze(log: Journal, who: str, host: str, reason: str) -> Record:
    return log.write("policy.unfrozen", reason=reason, who=who, host=host)


def approve(log: Journal, store: Store, who: str, host: str, plan: str) -> Record:
    newest = store.streams(RUNS)[-1:]
    after = newest[0].removeprefix(RUNS) if newest else ""
    return log.write("plan.approved", plan=plan, who=who, host=host, after=after)


def backup_verified(log: Journal, who: str, host: str, id: str, made: str, digest: str) -> Record:
    """made: when its snapshot was taken"""
    return log.write("backup.verified", id=id, made=made, digest=digest, who=who, host=host)


def backup_failed(log: Journal, who: str, host: str, id: str, problem: str) -> Record:
    """problem: the first of what was found"""
    return log.write("backup.failed", id=id, problem=problem, who=who, host=host)


def approval(store: Store, found: Standing, plan: str, who: str, now: datetime) -> Approval | None:
    """The one by somebody else that still counts: neither too old nor used up."""
    for given in reversed(found.approvals):
        if given.plan != plan or same_person(given.who, who):
            continue
        if not _recent(given.at, APPROVED_FOR, now) or _used(store, given):
            continue
        return given
    return None


def person(who: str) -> str:
    """`alice` of `alice as deploy`: the same somebody, whatever account was used."""
    return who.partition(" as ")[0]


def same_person(a: str, b: str) -> bool:
    """Also `deploy` alone and `alice as deploy`: of a shared account without a login it cannot be
    said who used it."""
    return person(a) == person(b) or a.endswith(f" as {b}") or b.endswith(f" as {a}")


def _used(store: Store, given: Approval) -> bool:
    for stream in store.streams(RUNS):
        if stream > RUNS + given.after:
            records = journal.read(store, stream)
            if records and records[0].data.get("plan") == given.plan:
                return True
    return False


# -- what it says ---------------------------------------------------------------------------


def objections(
    store: Store, policy: Policy, found: Standing, case: Case, now: float
) -> tuple[Objection, ...]:
    """now: seconds since the epoch"""
    at = datetime.fromtimestamp(now, UTC)
    told = (
        _frozen(found, at),
        _closed(policy, at),
        _unapproved(store, policy, found, case, at),
        _unsaved(policy, found, case, at),
    )
    return tuple(o for o in told if o is not None)


def _frozen(found: Standing, at: datetime) -> Objection | None:
    frozen = found.freeze
    if frozen is None or not frozen.holds(at):
        return None
    until = f" until {minute(frozen.until)}" if frozen.until else ""
    why = f"frozen{until} by {frozen.who} since {minute(frozen.at)}: {frozen.reason}"
    return Objection("freeze", why, "wait for its end, or: cbctl unfreeze ENV --reason WHY")


def _closed(policy: Policy, at: datetime) -> Objection | None:
    if not policy.windows or any(_open(w, policy.time_zone, at) for w in policy.windows):
        return None
    told = "; ".join(f"{' '.join(w.days)} {w.opens}-{w.closes}" for w in policy.windows)
    local = _there(policy.time_zone, at)
    why = f"now ({local:%a %H:%M}) is outside the windows: {told} {policy.time_zone}"
    return Objection("window", why, "wait for a window")


def _unapproved(
    store: Store, policy: Policy, found: Standing, case: Case, at: datetime
) -> Objection | None:
    if not policy.approval or approval(store, found, case.plan, case.who, at):
        return None
    file = " --plan-file FILE" if case.selected else ""
    fix = (
        "cbctl deploy ENV --plan-out FILE, then somebody else within two hours: "
        f"cbctl approve {case.plan} --env ENV{file}"
    )
    why = f"plan {case.plan[:12]} is not approved by a second person"
    return Objection("approval", why + _why_not(store, found, case, at), fix)


def _why_not(store: Store, found: Standing, case: Case, at: datetime) -> str:
    """What is wrong with the newest approval of this plan."""
    given = next((a for a in reversed(found.approvals) if a.plan == case.plan), None)
    if given is None:
        return ""
    if same_person(given.who, case.who):
        return f"; {person(case.who)}'s own approval does not count"
    whose = f"; the approval by {given.who} of {minute(given.at)}"
    if _used(store, given):
        return f"{whose} was used by a run"
    late = "is of the future: a clock is wrong" if _time(given.at) > at else "is over two hours old"
    return f"{whose} {late}"


def _unsaved(policy: Policy, found: Standing, case: Case, at: datetime) -> Objection | None:
    if policy.backup_hours is None or not case.migrates:
        return None
    allowed = timedelta(hours=policy.backup_hours)
    if found.backup and _recent(found.backup, allowed, at):
        return None
    known = f"the newest is of {minute(found.backup)}" if found.backup else "there is none"
    why = f"migrations want a verified backup of the last {policy.backup_hours} h; {known}"
    fix = "cbctl db backup --env ENV, then cbctl db verify-backup --env ENV"
    return Objection("backup", why, fix)


def is_digest(image: str) -> bool:
    """Whether an image is named name@sha256:…"""
    return _BY_DIGEST.fullmatch(image) is not None


def require_digests(inputs: Any, step: str) -> None:
    """Raises CbctlError (7) when a step's inputs name an image by a tag, which may be another
    image tomorrow. Fields called `image` or `…_image` name one."""
    if not is_dataclass(inputs):
        return
    for field in fields(inputs):
        value = getattr(inputs, field.name)
        if field.name != "image" and not field.name.endswith("_image"):
            continue
        if isinstance(value, str) and value and not is_digest(value):
            raise CbctlError(
                f"{field.name} {value!r} is not named by its digest",
                exit=Exit.REFUSED,
                where=step,
                fix="name it name@sha256:…; the registry's page of the image shows the digest",
            )


def refusal(found: Sequence[Objection], environment: str, kind: str = DEPLOY) -> CbctlError:
    """All of it in one error, with every rule that has to be satisfied or overridden."""
    names = " ".join(f"--override {o.rule}" for o in found)
    fixes = "; ".join(dict.fromkeys(o.fix for o in found))
    way = f"to go past it: {names} --reason WHY"
    if kind != DEPLOY:
        way = f"or by cbctl deploy {environment}, which takes approvals and --override"
    return CbctlError(
        "; ".join(f"{o.rule}: {o.why}" for o in found),
        exit=Exit.REFUSED,
        where=f"policy of {environment}",
        fix=f"{fixes}; {way}",
    )


# -- time -----------------------------------------------------------------------------------


def minute(stamp: str) -> str:
    """As a person reads it: 2026-11-26 08:30 UTC."""
    return f"{stamp[:16].replace('T', ' ')} UTC"


def _open(window: Window, zone: str, at: datetime) -> bool:
    there = _there(zone, at)
    now = f"{there:%H:%M}"
    return _DAYS[there.weekday()] in window.days and window.opens <= now < window.closes


def _there(zone: str, at: datetime) -> datetime:
    if zone == "UTC":
        return at
    from zoneinfo import ZoneInfo

    return at.astimezone(ZoneInfo(zone))


def _recent(stamp: str, allowed: timedelta, now: datetime) -> bool:
    """A stamp of the future is none of this clock's: it was set back, and nothing is certain."""
    return timedelta(minutes=-5) <= now - _time(stamp) <= allowed


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
