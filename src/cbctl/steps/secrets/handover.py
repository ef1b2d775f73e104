"""Hands Secrets that cbctl wrote over to External Secrets: their data stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import _target as target

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api
    from cbctl.clients.kubernetes.secrets import Kept

SECONDS = 120.0  # that External Secrets may take to make it its own
_ASK_AGAIN = "force-sync"  # an annotation that it takes as a wish to look now


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    values      by Secret and key, where cbctl had the value from: these are handed over
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    values: Mapping[str, Mapping[str, Reference]] = field(default_factory=dict)
    namespace_uid: str = ""


@dataclass(frozen=True)
class Found:
    """
    there   whether there is such a Secret
    owner   who keeps it
    asked   the ExternalSecret that is to keep it; "": none
    lacks   keys that cbctl wrote and that one does not bring
    """

    there: bool
    owner: str
    asked: str
    lacks: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    secrets: Mapping[str, Found]


@dataclass(frozen=True)
class Outcome:
    handed_over: tuple[str, ...] = ()


class Handover(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Hand Secrets over to External Secrets"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import secrets

        if not inputs.values:
            raise CbctlError("cbctl.yaml names no Secrets that cbctl writes", exit=Exit.USAGE)
        found = {}
        with target.connected(ctx, inputs) as api:
            external = secrets.asked(api)
            for name, keys in inputs.values.items():
                kept = secrets.look(api, name, external)
                brings = kept.asked.keys if kept.asked else ()
                lacks = () if brings is None else tuple(k for k in keys if k not in brings)
                asked = kept.asked.name if kept.asked else ""
                found[name] = Found(bool(kept.there), kept.owner, asked, lacks)
        return Observation(Facts(found))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        from cbctl.clients.kubernetes.secrets import OPERATOR

        changes = []
        for name, found in facts.secrets.items():
            if found.there and found.owner == OPERATOR:
                continue
            if not found.asked:
                return Blocked(
                    f"no ExternalSecret brings {name}: nobody would keep it",
                    "install External Secrets, and roll its manifests out first",
                )
            if found.lacks:
                return Blocked(
                    f"the ExternalSecret {found.asked} lacks {', '.join(found.lacks)} of {name}",
                    "add the keys to it: pods that need them would not start",
                )
            changes.append(Change(f"owner of {name}", found.owner or None, OPERATOR))
        return Changes(tuple(changes)) if changes else Nothing("External Secrets keeps them")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.kubernetes import secrets

        done = []
        with target.connected(ctx, inputs, working=True) as api:
            for name in inputs.values:
                kept = secrets.look(api, name, secrets.asked(api))
                if kept.asked is None or (kept.there and kept.owner == secrets.OPERATOR):
                    continue
                ctx.fence()
                _let_go(api, name)
                now = f"{ctx.wall():.0f}"
                change = {"metadata": {"annotations": {_ASK_AGAIN: now}}}
                api.merge(secrets.VERSION, secrets.KIND, kept.asked.name, change)
                _wait(ctx, api, name)
                done.append(name)
        return Outcome(tuple(done))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome()

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        from cbctl.clients.kubernetes import secrets

        with target.connected(ctx, inputs, working=True) as api:
            external = secrets.asked(api)
            for name, keys in inputs.values.items():
                kept = secrets.look(api, name, external)
                absent = [key for key in keys if kept.state(key) != "present"]
                if kept.owner != secrets.OPERATOR or absent:
                    return NotVerified(_still(kept, absent))
        return Verified({"owner": secrets.OPERATOR})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("the Secret has its data either way; cbctl secrets status shows it")


def _let_go(api: Api, name: str) -> None:
    """Its data stays, and is no longer cbctl's: managed fields are given up, not removed."""
    from cbctl.clients.kubernetes.api import MANAGER
    from cbctl.clients.kubernetes.secrets import MANAGED_BY

    found = api.get("v1", "Secret", name)
    if found is None:
        return
    metadata = found["metadata"]
    others = [one for one in metadata.get("managedFields") or () if one["manager"] != MANAGER]
    change = {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            "labels": {MANAGED_BY: None},
            # an empty list would mean "as it is"; one empty entry means none
            "managedFields": others or [{}],
        }
    }
    api.merge("v1", "Secret", name, change)


def _wait(ctx: Context, api: Api, name: str) -> None:
    """Until External Secrets has made it its own."""
    from cbctl.clients.kubernetes import secrets
    from cbctl.clients.kubernetes.watch import Collection, Watch

    until = ctx.monotonic() + SECONDS
    with Watch(api, (Collection(secrets.VERSION, secrets.KIND),)) as watch:
        while ctx.monotonic() < until:
            kept = secrets.look(api, name, secrets.asked(api))
            if kept.owner == secrets.OPERATOR and kept.asked and kept.asked.ready:
                return
            ctx.progress(f"waiting for External Secrets to take {name}")
            watch.next(1.0)
            ctx.sleep(0)
    raise CbctlError(
        f"External Secrets did not take {name} within {SECONDS:g} s: "
        f"{kept.asked.said if kept.asked else 'nobody asks it to'}",
        exit=Exit.TIMEOUT,
        where=f"{api.where} Secret {name}",
        fix="its data is unchanged; cbctl secrets write makes it cbctl's again",
    )


def _still(kept: Kept, absent: list[str]) -> str:
    if absent:
        return f"the Secret {kept.name} lacks {', '.join(absent)}"
    return f"the Secret {kept.name} is kept by {kept.owner or 'nobody'}"


STEP = Handover()
