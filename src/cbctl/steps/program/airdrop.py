"""Fills a wallet up from the faucet, where a cluster has one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.steps.program import _act as acts
from cbctl.steps.program import _material as material
from cbctl.steps.program._act import Act, Facts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

LARGEST = 2_000_000_000  # lamports that devnet's faucet gives at once


@dataclass(frozen=True)
class Inputs:
    """
    rpc           URL of the cluster's JSON-RPC, or of several endpoints of it
    wallet        keypair of the account
    lamports      what it is to have at least
    cluster       which Solana cluster that is
    genesis_hash  what the cluster must answer; none: any cluster
    """

    rpc: Reference | str | tuple[Reference | str, ...]
    wallet: Path | Reference
    lamports: int = LARGEST
    cluster: str = "local"
    genesis_hash: str | None = None


class Airdrop(Act[Inputs]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Fill a wallet up from the faucet"

    def look(self, ctx: Context, node: Rpc, wallet: Pubkey, inputs: Inputs) -> Facts:
        balance = node.balance(wallet)
        if balance >= inputs.lamports:
            return acts.done(wallet, f"{wallet} has {balance:,} lamports")
        if inputs.cluster == "mainnet-beta":
            return acts.blocked(wallet, "mainnet-beta has no faucet", "send the wallet SOL")
        return acts.change(wallet, (f"lamports of {wallet}", balance, inputs.lamports))

    def act(self, ctx: Context, node: Rpc, wallet: Signer, inputs: Inputs) -> None:
        missing = inputs.lamports - node.balance(wallet.pubkey())
        drop = missing if node.loopback else min(missing, LARGEST)
        material.fund(ctx, node, wallet.pubkey(), inputs.lamports, drop)


STEP = Airdrop()
