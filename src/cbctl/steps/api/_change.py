"""From manifests to what runs, and back: what `api.rollout` and `api.undo` share.

What was applied before is read from the cluster and journalled before anything is changed: going
back needs neither a file nor a number of a revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
    Verdict,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import _target as target
from cbctl.steps.api._target import Object

SECRETS_SECONDS = 60.0  # that an operator of secrets may take to make what is asked of it


class Inputs(target.Placed, Protocol):
    """
    container  that of the service; "": the only one
    seconds    to wait for a verdict
    """

    @property
    def container(self) -> str: ...

    @property
    def seconds(self) -> int: ...


@dataclass(frozen=True)
class Wanted:
    """
    deployment, image  of the service
    release   hash of the manifests
    objects   of the manifests, marked as ours
    manifests the same as rendered, packed
    """

    deployment: str
    image: str
    release: str
    objects: tuple[Object, ...]
    manifests: str


def wanted(rendered: Sequence[Object], inputs: Inputs) -> Wanted:
    """rendered: with the image in them"""
    from cbctl.clients.kubernetes import manifests, packed

    release = packed.sha256(rendered)
    there = manifests.deployment_of(rendered, inputs.deployment)
    name = there["metadata"]["name"]
    marked = manifests.owned(manifests.named(rendered, release, name), inputs.owner)
    image = manifests.container_of(there, inputs.container)["image"]
    return Wanted(name, image, release, tuple(marked), packed.packed(rendered))


@dataclass(frozen=True)
class Facts:
    """
    release      hash of the manifests with the image in them
    image        what the container runs now; None: there is no Deployment yet
    differences  what applying would change: the object, then its fields; "new" where it is missing
    refusals     why the server would not take an object
    stale        objects that the manifests no longer have
    rolled_out   what was applied before has come to its end
    scaled       the number of pods that an operator set instead of that of the manifests
    """

    release: str
    image: str | None = None
    differences: tuple[tuple[str, ...], ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()
    stale: tuple[str, ...] = ()
    rolled_out: bool = False
    scaled: int | None = None


@dataclass(frozen=True)
class Outcome:
    """release: hash of the manifests. revision: the cluster's own number of it."""

    deployment: str
    image: str
    revision: int
    release: str
    manifests: str


def observe(ctx: Context, inputs: Inputs, wanted: Wanted) -> Observation[Facts]:
    from cbctl.clients.kubernetes import apply, manifests, scale

    with target.connected(ctx, inputs) as api:
        number = scale.live(api, wanted.deployment)
        objects = scale.kept(wanted.objects, number, wanted.deployment)
        found = apply.differences(api, [_checked(api, one, wanted) for one in objects])
        stale = apply.stale(api, objects, inputs.owner)
        live = api.get("apps/v1", "Deployment", wanted.deployment)
    facts = Facts(
        release=wanted.release,
        image=_image(live, inputs) if live else None,
        differences=tuple(
            (one.thing, *(("new",) if one.new else one.fields)) for one in found if not one.refusal
        ),
        refusals=tuple((one.thing, one.refusal) for one in found if one.refusal),
        stale=tuple(manifests.title(one) for one in stale),
        rolled_out=live is not None and target.rolled_out(live),
        scaled=scale.override(number),
    )
    return Observation(facts, _status(live) if live else {})


def plan(image: str, facts: Facts) -> PlanVerdict:
    if facts.refusals:
        from cbctl.clients.kubernetes.apply import CONFLICT_FIX

        why = "; ".join(f"{thing}: {refusal}" for thing, refusal in facts.refusals)
        return Blocked(why, CONFLICT_FIX if "another manager" in why else "")
    changes = [Change(f"remove {thing}", "there", None) for thing in facts.stale]
    for thing, *fields in facts.differences:
        changes.append(Change(thing, None, ", ".join(fields)))
    if facts.image != image:
        changes.insert(0, Change("image", facts.image, image))
    elif not facts.rolled_out and not changes:
        changes.append(Change("rollout", "not finished", "finished"))
    if not changes:
        kept = f", {_kept(facts.scaled)}" if facts.scaled else ""
        return Nothing(f"{image} is rolled out{kept}")
    if facts.scaled:
        changes.append(Change("number of pods", facts.scaled, _kept(facts.scaled)))
    return Changes(tuple(changes))


def _kept(scaled: int) -> str:
    return f"{scaled} as `cbctl api scale` said, until its --reset"


def identify(ctx: Context, inputs: Inputs, wanted: Wanted) -> Json:
    """What was applied of each object before, and whether it was there at all."""
    from cbctl.clients.kubernetes import apply, manifests, packed
    from cbctl.clients.kubernetes.former import applied_by_us

    former: list[Any] = []
    with target.connected(ctx, inputs, working=True) as api:
        stale = apply.stale(api, wanted.objects, inputs.owner)
        for one in manifests.in_order([*wanted.objects, *stale]):
            if one["kind"] in manifests.FOUNDATION:
                continue
            key = [one["apiVersion"], one["kind"], one["metadata"]["name"]]
            live = api.get(*key)
            former.append([key, applied_by_us(live) if live else None, live is not None])
    return {"release": wanted.release, "former": packed.packed(former)}


def carry_out(ctx: Context, inputs: Inputs, wanted: Wanted, intent: Json) -> Outcome:
    from cbctl.clients.kubernetes import apply, scale

    if isinstance(intent, dict) and intent["release"] != wanted.release:
        raise CbctlError(
            "the manifests are not those that were planned",
            where=f"{inputs.context}/{inputs.namespace}",
            exit=Exit.REFUSED,
            fix="plan again",
        )
    with target.connected(ctx, inputs, working=True) as api:
        number = scale.live(api, wanted.deployment)
        for one in scale.kept(wanted.objects, number, wanted.deployment):
            ctx.fence()
            if _is_of(one, wanted):
                _wait_for_secrets(ctx, api, wanted, one)
                changed = apply.apply(api, _checked(api, one, wanted, make=True))
            else:
                apply.apply(api, one)
        revision = target.finish(ctx, api, changed, inputs.seconds)
        # Not before: what the old pods use must be there as long as they are.
        for one in apply.stale(api, wanted.objects, inputs.owner):
            ctx.fence()
            apply.remove(api, one)
    return _outcome(wanted, revision)


def outcome(ctx: Context, inputs: Inputs, wanted: Wanted) -> Outcome:
    from cbctl.clients.kubernetes import live, rollout

    with target.connected(ctx, inputs) as api:
        found = live.deployment(api, inputs.owner, wanted.deployment)
    return _outcome(wanted, rollout.revision(found))


def verify(ctx: Context, inputs: Inputs, wanted: Wanted) -> Verdict:
    from cbctl.clients.kubernetes import live

    with target.connected(ctx, inputs, working=True) as api:
        found = live.deployment(api, inputs.owner, wanted.deployment)
    image = _image(found, inputs)
    if image != wanted.image:
        why = f"Deployment {wanted.deployment} runs {image}"
        return NotVerified(why, evidence=_status(found))
    return target.verified(found)


def take_back(ctx: Context, inputs: Inputs, intent: Json) -> CannotUndo | None:
    """Applies what was applied before, and removes what was not there."""
    from cbctl.clients.kubernetes import apply, packed

    if not isinstance(intent, dict):
        return CannotUndo("nothing was written down of what was there before")
    former: list[Any] = packed.unpacked(str(intent["former"]))
    with target.connected(ctx, inputs, working=True) as api:
        changed: Object | None = None
        for (_, kind, _), config, existed in former:
            if config is not None:
                ctx.fence()
                applied = apply.apply(api, config)
                changed = applied if kind == "Deployment" else changed
            elif existed and kind == "Deployment":
                return CannotUndo("the Deployment that was there before was not cbctl's")
        if changed is not None:
            target.finish(ctx, api, changed, inputs.seconds)
        # Not before: the pods that are to go may still use it.
        for key, _, existed in former:
            if not existed:
                ctx.fence()
                api.delete(*key)
    return None


def _outcome(wanted: Wanted, revision: int) -> Outcome:
    return Outcome(wanted.deployment, wanted.image, revision, wanted.release, wanted.manifests)


def _is_of(one: Object, wanted: Wanted) -> bool:
    return bool((one["kind"], one["metadata"]["name"]) == ("Deployment", wanted.deployment))


def _checked(api: Any, one: Object, wanted: Wanted, *, make: bool = False) -> Object:
    """The Deployment with the checksum of its Secrets; everything else as it is.

    make  the checksum's key, where there is none yet; without it there is no checksum either"""
    import copy

    from cbctl.clients.kubernetes import checksum, manifests, references

    if not _is_of(one, wanted) or not references.secrets(one["spec"]["template"]):
        return one
    key = checksum.make_key(api) if make else checksum.key(api)
    if key is None:
        return one
    changed = copy.deepcopy(one)
    template = changed["spec"]["template"]
    said = checksum.of(api, template, key)
    manifests.annotate(template.setdefault("metadata", {}), checksum.ANNOTATION, said)
    return changed


def _wait_for_secrets(ctx: Context, api: Any, wanted: Wanted, deployment: Object) -> None:
    """Until those Secrets are there that the manifests ask an operator for: the pods need them,
    and so does their checksum."""
    from cbctl.clients.kubernetes import references
    from cbctl.clients.kubernetes.causes import condition

    needed = references.secrets(deployment["spec"]["template"])
    until = ctx.monotonic() + SECRETS_SECONDS
    for one in wanted.objects:
        if one["kind"] != "ExternalSecret":
            continue
        own = one["metadata"]["name"]
        name = one["spec"].get("target", {}).get("name", own)
        while name in needed and api.get("v1", "Secret", name) is None:
            if ctx.monotonic() > until:
                asked = api.get(one["apiVersion"], "ExternalSecret", own) or {}
                said = (condition(asked, "Ready") or {}).get("message") or "it says nothing of it"
                raise CbctlError(
                    f"the operator of secrets has not made the Secret {name}: {said}",
                    where=f"{api.where} ExternalSecret {own}",
                    exit=Exit.TIMEOUT,
                )
            ctx.progress(f"waiting for the Secret {name}")
            ctx.sleep(0.5)


def _image(live: Object, inputs: Inputs) -> str:
    from cbctl.clients.kubernetes import manifests

    image: str = manifests.container_of(live, inputs.container)["image"]
    return image


def _status(live: Object) -> dict[str, Json]:
    status = live.get("status", {})
    return {
        "wanted": live["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
    }
