"""`local.mint`: makes a token on a cluster of this machine, and has some of it in a wallet.

Elsewhere a platform's token is somebody else's. Here it is a mint of the SPL Token program whose
authority is the wallet, so that there is something to pay with.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import (
    After,
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
from cbctl.steps.program import _target as target

if TYPE_CHECKING:
    from solders.instruction import Instruction
    from solders.keypair import Keypair

    from cbctl.clients.solana.rpc import Rpc


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    wallet        keypair that pays, and that may make new tokens
    keypair       of the mint
    decimals      how many of them a token has
    supply        base units that there are at least; what is missing goes to the wallet
    wallet_step   id of the step that gives the wallet money
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    wallet: Path | Reference
    keypair: Path | Reference
    decimals: int
    supply: int
    wallet_step: str
    genesis_hash: str | None = None


@dataclass(frozen=True)
class Facts:
    """
    address  of the mint, none while there is no keypair
    foreign  what is at the address instead of this mint
    supply   base units, none while there is no mint
    """

    answers: bool = False
    genesis_hash: str | None = None
    address: str | None = None
    foreign: str = ""
    supply: int | None = None


@dataclass(frozen=True)
class Outcome:
    address: str
    supply: int


class LocalMint(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Make a token on the cluster of this machine"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        wallet = target.keypair(ctx, inputs.wallet)
        mint = target.keypair(ctx, inputs.keypair)
        node = target.connect(ctx, inputs.rpc)
        try:
            genesis = target.genesis_or_none(node, inputs.wallet_step)
            if genesis is None or wallet is None or mint is None:
                return Observation(Facts(answers=False))
            known = Facts(answers=True, genesis_hash=genesis, address=str(mint.pubkey()))
            if target.wrong_cluster(inputs.genesis_hash, genesis):
                return Observation(known)
            return Observation(_look(node, inputs, wallet, mint, known))
        finally:
            node.close()

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        there = facts.supply or 0
        changes = []
        if facts.supply is None:
            changes.append(Change("mint", None, "new"))
        if there < inputs.supply:
            changes.append(Change("supply", there, inputs.supply))
        if not facts.answers:  # that step waits for the cluster in its turn
            return After((inputs.wallet_step,), tuple(changes))
        if why := target.wrong_cluster(inputs.genesis_hash, facts.genesis_hash or ""):
            return Blocked(why, "check the RPC URL, or the genesis hash in cbctl.yaml")
        if facts.foreign:
            return Blocked(
                f"{facts.address} is {facts.foreign}",
                "change `chain.mint` in cbctl.yaml to what is on chain, or name another keypair",
            )
        if changes:
            return Changes(tuple(changes))
        return Nothing(f"{facts.address} has {there} base units")

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return {"mint": str(target.needed_keypair(ctx, inputs.keypair).pubkey())}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.solana import token
        from cbctl.clients.solana.sender import Order, Sender

        wallet = target.needed_keypair(ctx, inputs.wallet)
        mint = target.needed_keypair(ctx, inputs.keypair)
        owner, address = wallet.pubkey(), mint.pubkey()
        node = target.connect(ctx, inputs.rpc, working=True)
        try:
            target.demand_cluster(node, inputs.genesis_hash)
            facts = _look(node, inputs, wallet, mint, Facts(address=str(address)))
            if facts.foreign:
                raise CbctlError(
                    f"{address} is {facts.foreign}", where=node.host, exit=Exit.REFUSED
                )
            # one transaction: killed anywhere, there is a mint with its supply or none
            wanted: list[Instruction] = []
            signers = [wallet]
            if facts.supply is None:
                rent = node.rent(token.MINT_LENGTH)
                wanted += token.create_mint(owner, address, inputs.decimals, rent)
                signers.append(mint)
            missing = inputs.supply - (facts.supply or 0)
            if missing > 0:
                wanted += token.mint_to(owner, address, missing)
            if wanted:
                order = Order("make the token", tuple(wanted), tuple(signers))
                Sender(node, wallet, ctx).one(order)
        finally:
            node.close()
        return Outcome(str(address), max(inputs.supply, facts.supply or 0))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(facts.address or "", facts.supply or 0)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        facts = self.observe(ctx, inputs).facts
        if facts.foreign or facts.supply is None:
            return NotVerified(f"{facts.address} is {facts.foreign or 'no mint'}")
        if facts.supply < inputs.supply:
            return NotVerified(f"there are {facts.supply} base units, not {inputs.supply}")
        return Verified({"mint": facts.address, "supply": facts.supply})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("a mint stays: somebody may have tokens of it")


def _look(node: Rpc, inputs: Inputs, wallet: Keypair, mint: Keypair, known: Facts) -> Facts:
    from cbctl.clients.solana import token

    account = node.account(mint.pubkey())
    if account is None:
        return known
    found = token.read_mint(account)
    if found is None:
        foreign = "no mint of the SPL Token program"
    elif found.decimals != inputs.decimals:
        foreign = f"a mint with {found.decimals} decimals, not {inputs.decimals}"
    elif found.mint_authority != wallet.pubkey():
        foreign = "a mint that another key decides over"
    else:
        return dataclasses.replace(known, supply=found.supply)
    return dataclasses.replace(known, foreign=foreign)


STEP = LocalMint()
