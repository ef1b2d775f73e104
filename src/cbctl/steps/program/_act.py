"""What the small steps on a program have in common: look whether it is done, else do it.

A step says in `look` what there is to do, and in `act` how; both are given an open connection to a
cluster that has proved to be the right one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

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
    Waiting,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _target as target

if TYPE_CHECKING:
    from solders.instruction import Instruction
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer


class Inputs(Protocol):
    """What every such step is given at least."""

    @property
    def rpc(self) -> Reference | str | tuple[Reference | str, ...]: ...
    @property
    def wallet(self) -> target.Source: ...
    @property
    def genesis_hash(self) -> str | None: ...


I = TypeVar("I", bound=Inputs)  # noqa: E741


@dataclass(frozen=True)
class Facts:
    """
    done     why nothing is to be done; "" when something is
    blocked  why it must not be done, and what helps
    changes  (what, before, after) otherwise
    subject  the account that all this is about
    """

    done: str = ""
    blocked: str = ""
    fix: str = ""
    changes: tuple[tuple[str, Json, Json], ...] = ()
    subject: str = ""


@dataclass(frozen=True)
class Outcome:
    account: str
    state: str


def done(subject: object, why: str) -> Facts:
    return Facts(done=why, subject=str(subject))


def blocked(subject: object, why: str, fix: str = "") -> Facts:
    return Facts(blocked=why, fix=fix, subject=str(subject))


def not_deployed(program: object, state: str) -> Facts:
    """What to do where there is no program; nothing is where it was closed, or never was one."""
    fix = "cbctl program deploy" if state == "absent" else ""
    return blocked(program, f"{program} is {state}", fix)


def change(subject: object, *changes: tuple[str, Json, Json]) -> Facts:
    return Facts(changes=changes, subject=str(subject))


class Act(Step[I, Facts, Outcome]):
    """One transaction, or a few, that lead to a state which can be looked at."""

    no_undo = "what is on chain stays; the opposite command is a run of its own"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: I) -> Facts:
        """What is to be done."""
        raise NotImplementedError

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: I) -> Waiting | None:
        """Does it, or its part of it; called only when `look` has found something to do."""
        raise NotImplementedError

    def signer(self, ctx: Context, inputs: I) -> Signer:
        return target.signer(ctx, inputs.wallet)

    # ---- the contract

    def observe(self, ctx: Context, inputs: I) -> Observation[Facts]:
        wallet = self.signer(ctx, inputs)
        with self.connected(ctx, inputs) as node:
            return Observation(self.look(ctx, node, wallet.pubkey(), inputs))

    def plan(self, inputs: I, facts: Facts) -> PlanVerdict:
        if facts.blocked:
            return Blocked(facts.blocked, facts.fix)
        if facts.done:
            return Nothing(facts.done)
        return Changes(tuple(Change(*one) for one in facts.changes))

    def identify(self, ctx: Context, inputs: I, changes: tuple[Change, ...]) -> Json:
        return {"wallet": str(self.signer(ctx, inputs).pubkey())}

    def apply(
        self, ctx: Context, inputs: I, changes: tuple[Change, ...], intent: Json
    ) -> Outcome | Waiting:
        wallet = self.signer(ctx, inputs)
        with self.connected(ctx, inputs, working=True) as node:
            facts = self.look(ctx, node, wallet.pubkey(), inputs)
            if facts.blocked:
                raise CbctlError(facts.blocked, exit=Exit.REFUSED, where=node.host, fix=facts.fix)
            if not facts.done:
                waiting = self.act(ctx, node, wallet, inputs)
                if waiting is not None:
                    return waiting
                facts = self.look(ctx, node, wallet.pubkey(), inputs)
        return Outcome(facts.subject, facts.done)

    def outcome(self, ctx: Context, inputs: I, facts: Facts) -> Outcome:
        return Outcome(facts.subject, facts.done)

    def verify(self, ctx: Context, inputs: I) -> Verdict:
        wallet = self.signer(ctx, inputs).pubkey()
        with self.connected(ctx, inputs, working=True) as node:
            facts = self.look(ctx, node, wallet, inputs)
        if facts.done:
            return Verified({"account": facts.subject, "state": facts.done})
        left = facts.blocked or ", ".join(f"{w}: {b} → {a}" for w, b, a in facts.changes)
        return NotVerified(f"it is not done: {left}", facts.fix)

    def undo(self, ctx: Context, inputs: I, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo(self.no_undo)

    # ---- what they are made of

    @contextmanager
    def connected(self, ctx: Context, inputs: I, *, working: bool = False) -> Iterator[Rpc]:
        """Closed at the end. Errors: CbctlError (7) for another cluster than the one meant."""
        node = target.connect(ctx, inputs.rpc, working=working)
        try:
            target.demand_cluster(node, inputs.genesis_hash)
            yield node
        finally:
            node.close()


def send(
    ctx: Context,
    node: Rpc,
    wallet: Signer,
    what: str,
    *instructions: Instruction,
    signers: tuple[Signer, ...] = (),
) -> None:
    """One transaction that the wallet pays, simulated first. `what` completes "could not …"."""
    from cbctl.clients.solana.sender import Order, Sender

    Sender(node, wallet, ctx).one(Order(what, instructions, signers))


def address(name: str, text: str) -> Pubkey:
    from solders.pubkey import Pubkey

    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise CbctlError(f"{name} is not an address", exit=Exit.USAGE) from None
