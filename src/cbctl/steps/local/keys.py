"""`local.keys`: makes the keypairs and random secrets that the configuration names.

Each is made once and kept in the state folder; an existing one is never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cbctl.engine.step import (
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
from cbctl.local.state import State


@dataclass(frozen=True)
class Inputs:
    """state     the state folder
    keypairs  names in `${key:NAME}`; kept as secrets/keypair-NAME
    secrets   names in `${state:NAME}` that no service makes
    """

    state: Path
    keypairs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """addresses  of the keypairs that are there, base58; missing: names of what is not"""

    addresses: dict[str, str] = field(default_factory=dict)
    missing_keypairs: tuple[str, ...] = ()
    missing_secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """addresses  by the keypairs' names, base58"""

    addresses: dict[str, str]


class Keys(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Make keypairs and secrets for this machine"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        state = State.at(inputs.state)
        found = {n: _address(state, n) for n in inputs.keypairs}
        return Observation(
            Facts(
                addresses={n: a for n, a in found.items() if a},
                missing_keypairs=tuple(n for n, a in found.items() if not a),
                missing_secrets=tuple(n for n in inputs.secrets if not state.read_secret(n)),
            )
        )

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        changes = [
            *(Change(f"keypair {n}", None, "new") for n in facts.missing_keypairs),
            *(Change(f"secret {n}", None, "new") for n in facts.missing_secrets),
        ]
        return Changes(tuple(changes)) if changes else Nothing("all are there")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from solders.keypair import Keypair

        state = State.at(inputs.state)
        for name in inputs.keypairs:
            if not _address(state, name):
                ctx.fence()
                state.write_secret(_file(name), Keypair().to_json())
        for name in inputs.secrets:
            ctx.fence()
            state.generate_secret(name)
        return Outcome({n: _address(state, n) for n in inputs.keypairs})

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(dict(facts.addresses))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        missing = (*facts.missing_keypairs, *facts.missing_secrets)
        if missing:
            return NotVerified("not there: " + ", ".join(missing))
        return Verified({"addresses": dict(facts.addresses)})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("keys are kept: what was made with them would be lost")


def _file(name: str) -> str:
    return f"keypair-{name}"


def _address(state: State, name: str) -> str:
    """Base58, "" when there is no such keypair."""
    text = state.read_secret(_file(name))
    if text is None:
        return ""
    from solders.keypair import Keypair

    return str(Keypair.from_json(text).pubkey())


STEP = Keys()
