"""Whether a deploy could come to its end: what would stop it half-way is found before it begins.

The steps themselves look at what is theirs (the database and its schema, the program's authority
and money, connections); here is what belongs to none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
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
from cbctl.steps.env import _target as target

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.access import Ask
    from cbctl.clients.kubernetes.api import Api

Object = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    manifests   folder of the overlay
    deployment  its name, where the manifests have several
    """

    context: str
    namespace: str
    manifests: Path
    deployment: str = ""


@dataclass(frozen=True)
class Facts:
    """
    denied   what the run may need and we may not do
    secrets  that the pods need and that are not there, nor made by an operator of secrets; a key
             that is missing or empty as NAME: KEY
    """

    denied: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Preflight(Step[Inputs, Facts, Facts]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Look for what would stop the deploy half-way"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import access, manifests

        rendered = manifests.render(inputs.manifests)
        deployment = manifests.deployment_of(rendered, inputs.deployment)
        api = target.connected(ctx, inputs)
        try:
            denied = access.denied(api, _asks(api, rendered, deployment))
            may_read = not any(one.resource == "secrets" and one.verb == "get" for one in denied)
            missing = _missing_secrets(api, rendered, deployment) if may_read else []
        finally:
            api.close()
        return Observation(Facts(tuple(map(str, denied)), tuple(missing)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.denied:
            return Blocked(
                f"in {inputs.namespace} we may not: {', '.join(facts.denied)}",
                "ask an administrator for the role of who deploys, which the Roles in "
                f"{inputs.manifests} give (docs/reference/deploy.md)",
            )
        if facts.secrets:
            return Blocked(
                f"the pods need what is not there: Secret {', '.join(facts.secrets)}",
                "cbctl secrets status shows them all; cbctl secrets write makes those that "
                "cbctl.yaml has (secrets:)",
            )
        return Nothing("nothing is in the way")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        return self.observe(ctx, inputs).facts

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        match self.plan(inputs, facts):
            case Blocked(why, fix):
                return NotVerified(why, fix)
        return Verified()

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # nothing was changed


def _asks(api: Api, rendered: list[Object], deployment: Object) -> Iterator[Ask]:
    """Everything that a rollout, its verdict and its undo do."""
    from cbctl.clients.kubernetes import references
    from cbctl.clients.kubernetes.access import Ask
    from cbctl.clients.kubernetes.checksum import KEY
    from cbctl.clients.kubernetes.manifests import FOUNDATION

    for one in rendered:
        group, resource = api.resource(one["apiVersion"], one["kind"])
        yield Ask("get", group, resource, one["metadata"]["name"])
        if one["kind"] not in FOUNDATION:
            yield from (Ask(verb, group, resource) for verb in ("create", "patch", "delete"))
    for group, resource in (("apps", "deployments"), ("apps", "replicasets"), ("", "pods")):
        yield from (Ask(verb, group, resource) for verb in ("list", "watch"))
    yield from (Ask("list", "", "events"), Ask("watch", "", "events"))
    yield from (Ask("get", "", "pods/log"), Ask("get", "", "pods/proxy"))
    if names := references.secrets(deployment["spec"]["template"]):
        yield from (Ask("get", "", "secrets", name) for name in (*names, KEY))


def _missing_secrets(api: Api, rendered: list[Object], deployment: Object) -> list[str]:
    from cbctl.clients.kubernetes import references

    made = {
        one["spec"].get("target", {}).get("name", one["metadata"]["name"])
        for one in rendered
        if one["kind"] == "ExternalSecret"
    }
    template = deployment["spec"]["template"]
    needed = references.required_secrets(template) - made
    missing = []
    for name in sorted(needed):
        if (there := api.get("v1", "Secret", name)) is None:
            missing.append(name)
            continue
        keys = references.secret_keys(template).get(name, ())
        missing += [
            f"{name}: {key}" for key in sorted(keys) if not (there.get("data") or {}).get(key)
        ]
    return missing


STEP = Preflight()
