"""`local.keys`: makes the keypairs that the configuration names by `${key:NAME}`.

Each is made once and kept in the state folder; an existing one is never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """platform, env  name the state folder
    keypairs  names; kept as secrets/keypair-NAME
    """

    platform: str
    env: str
    keypairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """addresses  of the keypairs that are there, base58; missing: names of the others"""

    addresses: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """addresses  by the keypairs' names, base58"""

    addresses: dict[str, str]


class Keys(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Make the keypairs of this machine"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        state = State.open(inputs.platform, inputs.env)
        found = {n: _address(state, n) for n in inputs.keypairs}
        return Observation(
            Facts(
                addresses={n: a for n, a in found.items() if a},
                missing=tuple(n for n, a in found.items() if not a),
            )
        )

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        changes = tuple(Change(f"keypair {n}", None, "new") for n in facts.missing)
        return Changes(changes) if changes else Nothing("all are there")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from solders.keypair import Keypair

        state = State.open(inputs.platform, inputs.env)
        for name in inputs.keypairs:
            if not _address(state, name):
                ctx.fence()
                state.write_secret(_file(name), Keypair().to_json())
        return Outcome({n: _address(state, n) for n in inputs.keypairs})

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(dict(facts.addresses))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        if facts.missing:
            return NotVerified("not there: " + ", ".join(facts.missing))
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
    from cbctl.clients.solana.keypair import parse  # whose errors repeat nothing of the file

    return str(parse(text, str(state.secret_file(_file(name)))).pubkey())


STEP = Keys()
