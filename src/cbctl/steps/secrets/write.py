"""Brings Secrets to what the configuration says, where no operator of secrets keeps them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

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


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    values      by Secret and key, where the value is
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    values: Mapping[str, Mapping[str, Reference]] = field(default_factory=dict)
    namespace_uid: str = ""


@dataclass(frozen=True)
class Found:
    """
    keeper  the ExternalSecret that brings it; "": none
    keys    by name: missing, another (value) or same
    beside  keys that cbctl wrote and that cbctl.yaml no longer names
    """

    keeper: str
    keys: Mapping[str, Literal["missing", "another", "same"]]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    secrets: Mapping[str, Found]


@dataclass(frozen=True)
class Outcome:
    """written: Secrets that were changed"""

    written: tuple[str, ...] = ()


class Write(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Write Secrets that no operator keeps"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import secrets

        values = _revealed(ctx, inputs)
        with target.connected(ctx, inputs) as api:
            keepers = {secrets.target(one): one["metadata"]["name"] for one in secrets.asked(api)}
            found = {}
            for name, wanted in values.items():
                there = api.get("v1", "Secret", name) or {}
                compared = _compared(wanted, there.get("data") or {})
                beside = secrets.ours_beside(there, wanted) if there else ()
                found[name] = Found(keepers.get(name, ""), compared, beside)
                if name not in keepers and (beside or _differs(compared)):
                    # a right that we lack, or a key that another keeps, is said before all else
                    api.apply(_secret(name, wanted), dry_run=True)
        return Observation(Facts(found))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        changes = []
        for name, found in facts.secrets.items():
            if found.keeper:
                return Blocked(
                    f"the Secret {name} is kept by External Secrets (ExternalSecret"
                    f" {found.keeper}): what is written to it would be lost",
                    "change it at its source, or remove it from `secrets` in cbctl.yaml",
                )
            for key, state in found.keys.items():
                if state != "same":
                    before = None if state == "missing" else "another value"
                    after = f"the value of {inputs.values[name][key]}"
                    changes.append(Change(f"{name}#{key}", before, after))
            changes += [Change(f"{name}#{key}", "a value", None) for key in found.beside]
        return Changes(tuple(changes)) if changes else Nothing("the Secrets are as they should be")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.kubernetes import secrets

        values = _revealed(ctx, inputs)
        written = []
        with target.connected(ctx, inputs, working=True) as api:
            for name, wanted in values.items():
                there = api.get("v1", "Secret", name) or {}
                beside = secrets.ours_beside(there, wanted) if there else ()
                if beside or _differs(_compared(wanted, there.get("data") or {})):
                    ctx.fence()
                    _require_nobody_else(api, name)
                    api.apply(_secret(name, wanted))
                    written.append(name)
        return Outcome(tuple(written))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome()

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        match self.plan(inputs, self.observe(ctx, inputs).facts):
            case Nothing(because):
                return Verified({"secrets": because})
            case Changes(changes):
                names = ", ".join(change.what for change in changes)
                return NotVerified(f"not as they were written: {names}")
            case Blocked(why, fix):
                return NotVerified(why, fix)
        return NotVerified("not known")

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what was in them before is kept nowhere")


def _revealed(ctx: Context, inputs: Inputs) -> dict[str, dict[str, bytes]]:
    """Raises CbctlError (64) for a value that is not there."""
    if not inputs.values:
        raise CbctlError(
            "cbctl.yaml names no Secrets to be written",
            exit=Exit.USAGE,
            fix="name them under `secrets`: by Secret and key where the value is",
        )
    found: dict[str, dict[str, bytes]] = {}
    for name, keys in inputs.values.items():
        found[name] = {}
        for key, reference in keys.items():
            value = ctx.reveal(reference).reveal()
            if not value:
                raise CbctlError(
                    f"{reference} has no value, and {name}#{key} needs one",
                    exit=Exit.USAGE,
                    where=reference.where,
                )
            found[name][key] = value.encode()
    return found


def _require_nobody_else(api: Any, name: str) -> None:
    """Raises CbctlError (7) when an ExternalSecret came for it meanwhile."""
    from cbctl.clients.kubernetes import secrets

    if any(secrets.target(one) == name for one in secrets.asked(api)):
        raise CbctlError(
            f"an ExternalSecret brings {name} now", exit=Exit.REFUSED, where="secrets write"
        )


def _secret(name: str, values: Mapping[str, bytes]) -> target.Object:
    from cbctl.clients.kubernetes.api import MANAGER
    from cbctl.clients.kubernetes.secrets import MANAGED_BY

    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    metadata = {"name": name, "labels": {MANAGED_BY: MANAGER}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def _differs(compared: Mapping[str, str]) -> bool:
    return any(state != "same" for state in compared.values())


def _compared(
    wanted: Mapping[str, bytes], data: Mapping[str, str]
) -> dict[str, Literal["missing", "another", "same"]]:
    found: dict[str, Literal["missing", "another", "same"]] = {}
    for key, value in wanted.items():
        if key not in data:
            found[key] = "missing"
        else:
            found[key] = "same" if base64.b64decode(data[key]) == value else "another"
    return found


STEP = Write()
