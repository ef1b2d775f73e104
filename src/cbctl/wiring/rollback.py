"""The way back: to which release, and why to that one."""

from __future__ import annotations

from dataclasses import replace

from cbctl.clients.kubernetes.failures import Unreachable
from cbctl.engine import past, release
from cbctl.engine.plan import Plan, Planned
from cbctl.engine.step import Changes
from cbctl.engine.store import Store
from cbctl.errors import CbctlError, Exit
from cbctl.report.rollback import (
    Choice,
    LiveSchema,
    choose,
    live_schema,
    out_of_reach,
    recorded_schema,
)
from cbctl.wiring.policy import MIGRATE
from cbctl.wiring.releases import kept_copy
from cbctl.wiring.stores import MAIN, is_shared
from cbctl.wiring.view import view_of
from cbctl.wiring.workplace import Workplace

_NOTES = "notes"
"""Of a step's evidence, what a person has to know before saying yes."""
_KINDS = frozenset({"deploy", "rollback"})
"""Of the runs that say what runs."""
_STEPS = frozenset({"api.rollout", "api.undo", "local.api", "program.deploy"})
"""By which something else runs than before: a migration alone leaves the release as it is."""


def chosen(work: Workplace, to: str | None, store: Store | None = None) -> Choice:
    """The release `to`, or the newest healthy one that fits. Raises CbctlError (7) with the reason
    for each release when none does.

    store  another one than the environment's own: the copy on this machine"""
    history = store or work.store
    known = release.history(history)
    current = release.current(known)
    if current is None:
        raise CbctlError(
            "there is no release to go back to: nothing was deployed yet", exit=Exit.REFUSED
        )
    unfinished = past.cut_off(history, current.run, _KINDS, _STEPS) or ""
    return choose(known, to, _schema(work, history, current), unfinished)


def _schema(work: Workplace, store: Store, current: release.Release) -> LiveSchema:
    if work.env.database.access == "in-cluster":
        why = "the database is reached only inside its cluster"
        return recorded_schema(store, current, why)
    try:
        url = work.values.find(view_of(work)["database"]["connection"])
        if not url:
            return recorded_schema(store, current, "its URL is not known here")
        return live_schema(url, store, current)
    except CbctlError as error:
        if error.exit is Exit.DIFFERS:
            raise
        return recorded_schema(store, current, f"the database cannot be asked ({error.what})")


def headline(work: Workplace, choice: Choice) -> str:
    """What a person must see before anything else: where this is, and what it goes to."""
    env = work.env
    places = []
    if cluster := env.clusters.get(MAIN):
        places.append(f"cluster {cluster.context}/{cluster.namespace}")
        places.append(f"account {env.identity.account_id or 'not recorded'}")
    else:
        places.append("this machine")
    places.append(f"chain {env.chain.cluster}")
    return f"rollback of {env.name} ({', '.join(places)}) to release {choice.release.id}"


def say(work: Workplace, choice: Choice) -> None:
    work.say(headline(work, choice))
    work.say(choice.why)
    for line in choice.passed_over:
        work.say(f"passed over {line}")


def with_way_back(store: Store, made: Plan) -> Plan:
    """The plan, which says of migrations that take something away which releases are out of reach
    afterwards."""
    return replace(made, steps=tuple(_noted(store, one) for one in made.steps))


def _noted(store: Store, planned: Planned) -> Planned:
    if planned.name != MIGRATE or not isinstance(planned.verdict, Changes):
        return planned
    posts = [
        int(change.what.removeprefix("migration ").split("_")[0])
        for change in planned.verdict.changes
        if change.after == "post"
    ]
    lost = out_of_reach(release.history(store), max(posts)) if posts else []
    if not lost:
        return planned
    said = f"afterwards there is no way back to {', '.join(lost)}, but with the database"
    notes = [str(planned.evidence[_NOTES]), said] if _NOTES in planned.evidence else [said]
    return replace(planned, evidence={**planned.evidence, _NOTES: "; ".join(notes)})


def by_hand(work: Workplace, to: str | None) -> list[str]:
    """The commands for a shell that lead to the release; from the copy on this machine when the
    cluster does not answer. Raises CbctlError (64) where nothing is in Kubernetes."""
    from cbctl.report.by_hand import commands

    if not is_shared(work.env):
        raise CbctlError(
            "nothing of this environment is in Kubernetes: there are no commands to print",
            exit=Exit.USAGE,
            where=work.env.name,
            fix=f"cbctl rollback {work.env.name}",
        )
    try:
        choice = chosen(work, to)
    except Unreachable:
        kept = kept_copy(work)
        if kept is None:
            raise
        choice = chosen(work, to, kept[0])
    cluster, settings = work.env.clusters[MAIN], work.env.api.kubernetes
    return list(
        commands(
            choice.release,
            context=cluster.context,
            namespace=cluster.namespace,
            deployment=(settings and settings.deployment) or "",
            sides=settings is not None and settings.strategy == "blue-green",
            port=work.env.api.port,
            health=work.env.api.health,
            url=(settings and settings.url) or "",
            seconds=settings.seconds if settings else 900,
        )
    )
