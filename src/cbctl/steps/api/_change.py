"""From manifests to what runs, and back: what `api.rollout` and `api.undo` share.

What was applied before is read from the cluster and journalled before anything is changed: going
back needs neither a file nor a number of a revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
from cbctl.steps.api import _room
from cbctl.steps.api import _target as target
from cbctl.steps.api._secrets import checked, wait_for
from cbctl.steps.api._switch import ask_pods, same_number, until_served
from cbctl.steps.api._target import Object
from cbctl.steps.api._wanted import Inputs, Wanted, placed

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.apply import Difference


@dataclass(frozen=True)
class Facts:
    """
    release      hash of the manifests with the image in them
    image        what serves now; None: nothing does yet
    differences  what applying would change: the object, then its fields; "new" where it is missing
    refusals     why the server would not take an object
    stale        objects that the manifests no longer have
    rolled_out   what serves now has come to its end
    pods         how many serve now
    scaled       the number of pods that an operator set instead of that of the manifests
    serving, side  the side that serves now, and the one that is to
    no_room      why pods that are to be started would not be let in
    """

    release: str
    image: str | None = None
    differences: tuple[tuple[str, ...], ...] = ()
    refusals: tuple[tuple[str, str], ...] = ()
    stale: tuple[str, ...] = ()
    rolled_out: bool = False
    pods: int = 0
    scaled: int | None = None
    serving: str = ""
    side: str = ""
    no_room: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """release: hash of the manifests. revision: the cluster's own number of it. secrets: checksum
    of those of its pods, "" where they use none."""

    deployment: str
    image: str
    revision: int
    release: str
    manifests: str
    secrets: str = ""


def observe(ctx: Context, inputs: Inputs, rendered: Wanted) -> Observation[Facts]:
    from cbctl.clients.kubernetes import apply, manifests, scale

    with target.connected(ctx, inputs) as api:
        wanted = placed(api, rendered, inputs)
        number = scale.live(api, wanted.now)
        objects = scale.kept(wanted.objects, number, wanted.deployment)
        found = apply.differences(api, [checked(api, one, wanted) for one in objects])
        stale = _stale(api, wanted, inputs)
        live = api.get("apps/v1", "Deployment", wanted.now)
        rolled_out = live is not None and target.rolled_out(live)
        # what does not run well is ended first, and makes room
        starts = any(one.thing == wanted.title and _starts_pods(one) for one in found)
        no_room = (
            _room.lacking(api, wanted, objects, live) if starts and (rolled_out or not live) else ()
        )
    facts = Facts(
        release=wanted.release,
        image=_image(live, inputs) if live else None,
        differences=tuple(
            (one.thing, *(("new",) if one.new else one.fields)) for one in found if not one.refusal
        ),
        refusals=tuple((one.thing, one.refusal) for one in found if one.refusal),
        stale=tuple(manifests.title(one) for one in stale),
        rolled_out=rolled_out,
        pods=int(live["spec"].get("replicas", 1)) if live else 0,
        scaled=scale.override(number),
        serving=wanted.serving,
        side=wanted.side,
        no_room=no_room,
    )
    return Observation(facts, _status(live) if live else {})


def _starts_pods(one: Difference) -> bool:
    return one.new or any(field.startswith("spec.template") for field in one.fields)


def plan(image: str, facts: Facts) -> PlanVerdict:
    if facts.refusals:
        from cbctl.clients.kubernetes.apply import CONFLICT_FIX

        why = "; ".join(f"{thing}: {refusal}" for thing, refusal in facts.refusals)
        return Blocked(why, CONFLICT_FIX if "another manager" in why else "")
    if facts.no_room:
        why = f"there is no room for the new pods: {'; '.join(facts.no_room)}"
        fix = "a larger quota; or fewer pods for the time (cbctl api scale)"
        return Blocked(why, f"{fix}, or none of the side that was left (cbctl api finish)")
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
    if facts.serving and facts.side != facts.serving:
        changes.insert(0, Change("side", facts.serving, facts.side))
    if facts.scaled:
        changes.append(Change("number of pods", facts.scaled, _kept(facts.scaled)))
    return Changes(tuple(changes))


def _kept(scaled: int) -> str:
    return f"{scaled} as `cbctl api scale` said, until its --reset"


def identify(ctx: Context, inputs: Inputs, rendered: Wanted) -> Json:
    """What was applied of each object before, and whether it was there at all."""
    from cbctl.clients.kubernetes import manifests, packed
    from cbctl.clients.kubernetes.former import applied_by_us

    former: list[Any] = []
    with target.connected(ctx, inputs, working=True) as api:
        wanted = placed(api, rendered, inputs)
        for one in manifests.in_order([*wanted.objects, *_stale(api, wanted, inputs)]):
            if one["kind"] in manifests.FOUNDATION:
                continue
            key = [one["apiVersion"], one["kind"], one["metadata"]["name"]]
            live = api.get(*key)
            former.append([key, applied_by_us(live) if live else None, live is not None])
    return {"release": wanted.release, "side": wanted.side, "former": packed.packed(former)}


def carry_out(
    ctx: Context, inputs: Inputs, rendered: Wanted, intent: Json, *, at_once: bool = False
) -> Outcome:
    """at_once: all pods are started at the same time, where there is room for that"""
    if not isinstance(intent, dict) or intent["release"] != rendered.release:
        raise CbctlError(
            "the manifests are not those that were planned",
            where=f"{inputs.context}/{inputs.namespace}",
            exit=Exit.REFUSED,
            fix="plan again",
        )
    with target.connected(ctx, inputs, working=True) as api:
        wanted = placed(api, rendered, inputs, str(intent["side"]))
        revision = _carry_out(ctx, api, inputs, wanted, at_once)
        live = api.get("apps/v1", "Deployment", wanted.deployment)
    return _outcome(wanted, revision, live or {})


def _carry_out(ctx: Context, api: Any, inputs: Inputs, wanted: Wanted, at_once: bool) -> int:
    from cbctl.clients.kubernetes import apply, scale, sides

    def applied(one: Object) -> Object:
        ctx.fence()
        return apply.apply(api, one)

    objects = scale.kept(wanted.objects, scale.live(api, wanted.now), wanted.deployment)
    (deployment,) = (one for one in objects if wanted.is_of(one))
    last = sides.switched(objects, wanted.deployment) if wanted.side else set()
    later = [one for one in objects if (one["kind"], one["metadata"]["name"]) in last]
    for one in objects:
        if one is not deployment and one not in later:
            applied(one)
    wait_for(ctx, api, wanted, deployment)
    last_form = checked(api, deployment, wanted, make=True)
    hurried = at_once and not wanted.side and _room.for_all_at_once(api, last_form)
    changed = applied(_room.all_at_once(last_form) if hurried else last_form)
    if wanted.changes_side:
        changed = same_number(ctx, api, wanted, changed)
    stale = _stale(api, wanted, inputs)  # looked for now, so that nothing is left to do afterwards
    revision = target.finish(ctx, api, changed, inputs.seconds)
    if hurried:
        applied(last_form)
    if wanted.changes_side:
        ask_pods(ctx, api, inputs, changed)
    for one in later:
        applied(one)
    if wanted.side:
        until_served(ctx, api, inputs, wanted, later)
    # Not before: what the old pods use must be there as long as they are.
    for one in stale:
        ctx.fence()
        apply.remove(api, one)
    return revision


def outcome(ctx: Context, inputs: Inputs, rendered: Wanted) -> Outcome:
    from cbctl.clients.kubernetes import live, rollout

    with target.connected(ctx, inputs) as api:
        wanted = placed(api, rendered, inputs)
        found = live.deployment(api, inputs.owner, wanted.now)
    return _outcome(wanted, rollout.revision(found), found)


def verify(ctx: Context, inputs: Inputs, image: str) -> Verdict:
    with target.connected(ctx, inputs, working=True) as api:
        live = target.settled(ctx, api, inputs)
    runs = _image(live, inputs)
    if runs != image:
        why = f"Deployment {live['metadata']['name']} runs {runs}"
        return NotVerified(why, evidence=_status(live))
    return target.verified(live)


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


def _stale(api: Any, wanted: Wanted, inputs: Inputs) -> list[Object]:
    """What the manifests no longer have, without the side that can be returned to."""
    from cbctl.clients.kubernetes import apply, sides

    found = apply.stale(api, wanted.objects, inputs.owner)
    if not wanted.side:
        return found
    left = sides.name_of(wanted.base, sides.other(wanted.side))
    return sides.kept(found, api.get("apps/v1", "Deployment", left))


def _outcome(wanted: Wanted, revision: int, live: Object) -> Outcome:
    from cbctl.clients.kubernetes import checksum

    template = live.get("spec", {}).get("template", {}).get("metadata", {})
    secrets = str((template.get("annotations") or {}).get(checksum.ANNOTATION, ""))
    name, image = wanted.deployment, wanted.image
    return Outcome(name, image, revision, wanted.release, wanted.manifests, secrets)


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
