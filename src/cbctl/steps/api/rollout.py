"""Applies the manifests with an image, rolls it out, and removes what they no longer have.

What was applied before is read from the cluster and journalled before anything is changed: going
back needs neither a file nor a number of a revision.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import _target as target

Object = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       whose manifests these are: what carries this mark and is not in them is removed
    manifests   folder of the overlay
    image       by digest: name@sha256:…
    deployment  its name, where the manifests have several
    container   its name, where the Deployment has several
    seconds     to wait for a verdict
    """

    context: str
    namespace: str
    owner: str
    manifests: Path
    image: str
    deployment: str = ""
    container: str = ""
    seconds: int = 900


@dataclass(frozen=True)
class Facts:
    """
    rendered     hash of the manifests with the image in them
    image        what the container runs now; None: there is no Deployment yet
    differences  what applying would change: the object, then its fields; "new" where it is missing
    refusals     why the server would not take an object
    stale        objects that the manifests no longer have
    rolled_out   what was applied before has come to its end
    """

    rendered: str
    image: str | None = None
    differences: tuple[tuple[str, ...], ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()
    stale: tuple[str, ...] = ()
    rolled_out: bool = False


@dataclass(frozen=True)
class Outcome:
    """rendered: hash of what was applied. revision: the cluster's own number of it."""

    deployment: str
    image: str
    revision: int
    rendered: str


class Rollout(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Roll the service out on Kubernetes"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import apply, manifests

        wanted = _wanted(inputs)
        name = manifests.deployment_of(wanted, inputs.deployment)["metadata"]["name"]
        api = target.connect(ctx, inputs)
        try:
            found = apply.differences(api, wanted)
            stale = apply.stale(api, wanted, inputs.owner)
            live = api.get("apps/v1", "Deployment", name)
        finally:
            api.close()
        facts = Facts(
            rendered=_hash(wanted),
            image=_image(live, inputs.container) if live else None,
            differences=tuple(
                (one.thing, *(("new",) if one.new else one.fields))
                for one in found
                if not one.refusal
            ),
            refusals=tuple((one.thing, one.refusal) for one in found if one.refusal),
            stale=tuple(manifests.title(one) for one in stale),
            rolled_out=live is not None and target.rolled_out(live),
        )
        return Observation(facts, _status(live) if live else {})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if "@sha256:" not in inputs.image:
            return Blocked(
                f"the image {inputs.image} is not named by its digest", "name it name@sha256:…"
            )
        if facts.refusals:
            from cbctl.clients.kubernetes.apply import CONFLICT_FIX

            why = "; ".join(f"{thing}: {refusal}" for thing, refusal in facts.refusals)
            return Blocked(why, CONFLICT_FIX if "another manager" in why else "")
        changes = [Change(f"remove {thing}", "there", None) for thing in facts.stale]
        for thing, *fields in facts.differences:
            changes.append(Change(thing, None, ", ".join(fields)))
        if facts.image != inputs.image:
            changes.insert(0, Change("image", facts.image, inputs.image))
        elif not facts.rolled_out and not changes:
            changes.append(Change("rollout", "not finished", "finished"))
        if changes:
            return Changes(tuple(changes))
        return Nothing(f"{inputs.image} is rolled out")

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        from cbctl.clients.kubernetes.former import applied_by_us
        from cbctl.clients.kubernetes.manifests import FOUNDATION

        former: list[Json] = []
        api = target.connect(ctx, inputs, working=True)
        try:
            for wanted in _wanted(inputs):
                if wanted["kind"] in FOUNDATION:
                    continue
                name = wanted["metadata"]["name"]
                live = api.get(wanted["apiVersion"], wanted["kind"], name)
                key: list[Json] = [wanted["apiVersion"], wanted["kind"], name]
                former.append([key, applied_by_us(live) if live else None, live is not None])
        finally:
            api.close()
        return {"rendered": _hash(_wanted(inputs)), "former": former}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.kubernetes import apply, manifests

        wanted = _wanted(inputs)
        if isinstance(intent, dict) and intent["rendered"] != _hash(wanted):
            raise CbctlError(
                "the manifests are not those that were planned",
                where=str(inputs.manifests),
                exit=Exit.REFUSED,
                fix="plan again",
            )
        name = manifests.deployment_of(wanted, inputs.deployment)["metadata"]["name"]
        api = target.connect(ctx, inputs, working=True)
        try:
            for one in wanted:
                ctx.fence()
                applied = apply.apply(api, one)
                if (one["kind"], one["metadata"]["name"]) == ("Deployment", name):
                    changed = applied
            revision = target.finish(ctx, api, changed, inputs.seconds)
            # Not before: what the old pods use must be there as long as they are.
            for one in apply.stale(api, wanted, inputs.owner):
                ctx.fence()
                apply.remove(api, one)
        finally:
            api.close()
        return Outcome(name, inputs.image, revision, _hash(wanted))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        from cbctl.clients.kubernetes import manifests, rollout

        name = manifests.deployment_of(_wanted(inputs), inputs.deployment)["metadata"]["name"]
        api = target.connect(ctx, inputs)
        try:
            live = target.deployment(api, name)
        finally:
            api.close()
        return Outcome(name, inputs.image, rollout.revision(live), facts.rendered)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        from cbctl.clients.kubernetes import manifests

        name = manifests.deployment_of(_wanted(inputs), inputs.deployment)["metadata"]["name"]
        api = target.connect(ctx, inputs, working=True)
        try:
            live = target.deployment(api, name)
        finally:
            api.close()
        image = _image(live, inputs.container)
        if image != inputs.image:
            return NotVerified(f"Deployment {name} runs {image}", evidence=_status(live))
        return target.verified(live)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        """Applies what was applied before, and removes what was not there."""
        from cbctl.clients.kubernetes import apply

        if not isinstance(intent, dict):
            return CannotUndo("nothing was written down of what was there before")
        kept: Any = intent["former"]
        api = target.connect(ctx, inputs, working=True)
        changed: Object | None = None
        try:
            for (api_version, kind, name), former, existed in kept:
                ctx.fence()
                if former is not None:
                    applied = apply.apply(api, former)
                    changed = applied if kind == "Deployment" else changed
                elif not existed:
                    api.delete(api_version, kind, name)
                elif kind == "Deployment":
                    return CannotUndo("the Deployment that was there before was not cbctl's")
            if changed is not None:
                target.finish(ctx, api, changed, inputs.seconds)
        finally:
            api.close()
        return None


def _wanted(inputs: Inputs) -> list[Object]:
    from cbctl.clients.kubernetes import manifests

    rendered = manifests.render(inputs.manifests)
    manifests.in_namespace(rendered, inputs.namespace, str(inputs.manifests))
    imaged = manifests.with_image(rendered, inputs.image, inputs.deployment, inputs.container)
    return manifests.owned(imaged, inputs.owner)


def _hash(wanted: list[Object]) -> str:
    import json

    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def _image(live: Object, container: str) -> str:
    from cbctl.clients.kubernetes import manifests

    image: str = manifests.container_of(live, container)["image"]
    return image


def _status(live: Object) -> dict[str, Json]:
    status = live.get("status", {})
    return {
        "wanted": live["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
    }


STEP = Rollout()
