"""What an environment's policy says to a run, and how freezes and approvals are laid down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cbctl.engine import policy, release
from cbctl.engine.job import Job
from cbctl.engine.journal import Journal
from cbctl.engine.plan import Plan
from cbctl.engine.policy import Freeze, Objection, Passed, Rule
from cbctl.engine.step import Nothing
from cbctl.errors import CbctlError, Exit
from cbctl.wiring.lock import locked
from cbctl.wiring.workplace import Workplace

MIGRATE = "db.migrate"
_HASH = re.compile("[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Override:
    """Rules that somebody goes past by name, and why."""

    rules: frozenset[Rule] = frozenset()
    reason: str = ""


NOTHING_OVERRIDDEN = Override()


def override(rules: list[str] | None, reason: str | None) -> Override:
    """As the command line has it. Raises CbctlError (64)."""
    known = tuple(r for r in policy.RULES if r in (rules or ()))
    unknown = sorted(set(rules or ()) - set(known))
    if unknown:
        raise CbctlError(
            f"there is no rule {', '.join(map(repr, unknown))}",
            exit=Exit.USAGE,
            where="--override",
            fix="rules: " + ", ".join(policy.RULES),
        )
    if known and not (reason or "").strip():
        raise CbctlError(
            "going past a rule wants a reason, which is kept in the journal",
            exit=Exit.USAGE,
            where="--override",
            fix="say it: --reason WHY",
        )
    if reason is not None and not known:
        raise CbctlError(
            "a reason goes with --override RULE",
            exit=Exit.USAGE,
            where="--reason",
            fix="rules: " + ", ".join(policy.RULES),
        )
    return Override(frozenset(known), (reason or "").strip())


def objections(work: Workplace, plan: Plan, *, selected: bool = False) -> tuple[Objection, ...]:
    """All that holds this plan back now.

    selected  some of its steps were left out"""
    case = policy.Case(plan.hash, work.world.owner.who, _migrates(work, plan), selected)
    now = work.world.clock.wall()
    found = policy.objections(work.store, work.env.policy, policy.standing(work.store), case, now)
    return tuple(replace(o, fix=o.fix.replace("ENV", work.env.name)) for o in found)


def _passing(work: Workplace, plan: Plan, by: str) -> list[Passed]:
    """What a run of a kind that is never held back goes past; also a history that cannot be
    read."""
    try:
        found = objections(work, plan)
    except CbctlError as error:
        why = f"what was laid down cannot be read: {error}"
        return [Passed("freeze", why, by, "")]
    return [Passed(o.rule, o.why, by, "") for o in found]


def let_through(work: Workplace, job: Job, plan: Plan, override: Override) -> Job:
    """The job with what it went past, which is said. Raises CbctlError (7) for the rest."""
    if job.kind in policy.NEVER_HELD:
        return _said(work, job, _passing(work, plan, job.kind))
    passed, held = [], []
    for objection in objections(work, plan, selected=job.selects):
        if objection.rule in override.rules:
            passed.append(Passed(objection.rule, objection.why, "override", override.reason))
        else:
            held.append(objection)
    if held:
        raise policy.refusal(held, work.env.name, job.kind)
    if work.env.policy.digests_only and "digests" in override.rules:
        why = "images named by a tag are taken"
        passed.append(Passed("digests", why, "override", override.reason))
    return _said(work, job, passed)


def resumed(work: Workplace, job: Job, plan: Plan) -> Job:
    """A resume finishes what was let through: the freeze that came meanwhile is only said."""
    # its approval was used by its own start
    passed = [p for p in _passing(work, plan, "resume") if p.rule != "approval"]
    return _said(work, job, passed)


def by_digest(work: Workplace, override: Override) -> bool:
    """Whether a step that names an image by its tag is refused."""
    return work.env.policy.digests_only and "digests" not in override.rules


def _said(work: Workplace, job: Job, passed: list[Passed]) -> Job:
    for one in passed:
        because = f" ({one.reason})" if one.reason else f", and a {one.by} is never held back"
        work.say(f"past the rule {one.rule}: {one.why}{because}")
    return replace(job, passed=tuple(passed))


def _migrates(work: Workplace, plan: Plan) -> bool:
    """A database that nothing was deployed to yet has nothing to lose."""
    due = any(p.name == MIGRATE and not isinstance(p.verdict, Nothing) for p in plan.steps)
    return due and bool(release.history(work.store))


def frozen(work: Workplace) -> Freeze | None:
    """The freeze that holds now."""
    found = policy.standing(work.store).freeze
    now = datetime.fromtimestamp(work.world.clock.wall(), UTC)
    return found if found and found.holds(now) else None


# -- laying down ----------------------------------------------------------------------------


def freeze(work: Workplace, reason: str, until: str) -> tuple[bool, Freeze | None]:
    """Whether that was new, and the freeze whose place it takes.

    until  a stamp, or "" for no end"""
    with _laying_down(work, f"freeze of {work.env.name}") as log:
        now = frozen(work)
        if now and (now.reason, now.until) == (reason, until):
            return False, None
        policy.freeze(log, work.world.owner.who, work.world.owner.host, reason, until)
    return True, now


def unfreeze(work: Workplace, reason: str) -> Freeze | None:
    """The freeze that was lifted; None when there was none."""
    with _laying_down(work, f"end of the freeze of {work.env.name}") as log:
        now = frozen(work)
        if now is not None:
            policy.unfreeze(log, work.world.owner.who, work.world.owner.host, reason)
    return now


def plan_to_approve(
    work: Workplace,
    wanted: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    inputs: Mapping[str, Any],
) -> Plan:
    """The deploy as it would be now, if its hash is (or begins with) `wanted`. Raises CbctlError:
    64 for what cannot be the hash of a plan, 7 when it is another plan by now."""
    from cbctl.wiring.jobs import job, require_valid
    from cbctl.wiring.runs import checked_plan

    if not _HASH.fullmatch(wanted):
        raise CbctlError(
            f"{wanted!r} is no hash of a plan",
            exit=Exit.USAGE,
            fix="give at least 12 of its digits, as cbctl deploy ENV --plan-out FILE shows them",
        )
    require_valid(work)
    # with images by tag too: the deploy that is approved here says itself whether it takes them
    found = checked_plan(work, job(work, "deploy", only=only, skip=skip, inputs=inputs))
    if not found.hash.startswith(wanted):
        raise CbctlError(
            f"the plan is {found.hash[:12]} now, not {wanted[:12]}: something changed, or it was "
            "made with --only, --skip or --image",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix=f"cbctl deploy {work.env.name} --plan shows it; for a plan made with those: "
            f"cbctl approve {wanted} --env {work.env.name} --plan-file FILE",
        )
    return found


def approve(work: Workplace, plan: str) -> None:
    owner = work.world.owner
    with _laying_down(work, f"approval of plan {plan[:12]}") as log:
        policy.approve(log, work.store, owner.who, owner.host, plan)


@contextmanager
def _laying_down(work: Workplace, reason: str) -> Iterator[Journal]:
    with locked(work, reason) as held:
        yield Journal(work.store, work.world.clock, policy.HISTORY, held.token)
