"""An upgrade authority that is a multisig: whether it is one, and how many must sign."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import _act as acts

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.onchain import OnChain
    from cbctl.clients.solana.rpc import Rpc

Address = str | Reference


class Inputs(Protocol):
    """What every step is given that may meet one."""

    @property
    def authority(self) -> Address | None: ...
    @property
    def multisig(self) -> Address | None: ...


@dataclass(frozen=True)
class Vault:
    """
    signatures  how many members must sign; None: not known
    unproved    why it could not sign; "" when it can
    """

    address: Pubkey
    signatures: int | None
    unproved: str = ""

    @property
    def waits(self) -> str:
        match self.signatures:
            case None:
                return f"waiting for the signatures of the multisig {self.address}"
            case 1:
                return f"waiting for 1 signature of the multisig {self.address}"
        return f"waiting for {self.signatures} signatures of the multisig {self.address}"


def find(
    ctx: Context, node: Rpc, inputs: Inputs, chain: OnChain, wallet: Pubkey, *, proved: bool = False
) -> Vault | None:
    """The program's upgrade authority, if that is the one which cbctl.yaml names beside the wallet.

    proved  raises CbctlError (7) for one that could not sign
    """
    address = named(ctx, inputs.authority)
    if address is None or address == wallet or chain.authority != address:
        return None
    if why := unusable(ctx, node, address, inputs.multisig):
        if proved:
            raise CbctlError(why, exit=Exit.REFUSED, where=node.host)
        return Vault(address, None, why)
    return Vault(address, signatures(ctx, node, inputs.multisig))


def signatures(ctx: Context, node: Rpc, multisig: Address | None) -> int | None:
    """How many of its members must sign; None: not known."""
    from cbctl.clients.solana import squads

    proof = named(ctx, multisig, "the multisig")
    return None if proof is None else squads.threshold(node, proof)


def named(
    ctx: Context, value: Address | None, what: str = "the upgrade authority"
) -> Pubkey | None:
    if value is None:
        return None
    text = ctx.reveal(value).reveal().strip() if isinstance(value, Reference) else value
    return acts.address(what, text)


def nowhere(export: Path | None) -> str | None:
    """Why its transaction could not be written there."""
    if export is None or export.parent.is_dir():
        return None
    return f"there is no folder {export.parent} to export to"


def unusable(ctx: Context, node: Rpc, new: Pubkey, multisig: Address | None) -> str | None:
    """Why that address could never sign an upgrade, None when it can."""
    from solders.system_program import ID as SYSTEM

    from cbctl.clients.solana import squads

    if new.is_on_curve():
        # So are the addresses of the system program, of sysvars and of most programs.
        account = node.account(new)
        if new == SYSTEM or (account is not None and account.owner != SYSTEM):
            return f"{new} belongs to a program or to the cluster: nobody holds its key"
        return None
    proof = named(ctx, multisig, "the multisig")
    if proof is None:
        return f"{new} is no key that can sign, and it is not proved to be a multisig's vault"
    return squads.not_its_vault(node, proof, new)
