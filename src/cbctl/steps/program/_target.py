"""What the steps on a program share: the way to the cluster, keys, the cluster's identity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.config.types import Reference
from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from solders.keypair import Keypair

    from cbctl.clients.solana.rpc import Rpc
    from cbctl.clients.solana.signer import Signer

LOOK_PATIENCE = 3.0  # seconds that looking goes on when a node does not answer as it should
WORK_PATIENCE = 30.0  # the same while something is being changed

Source = Path | Reference
"""A keypair: its file, or a reference to the same JSON text."""
Address = Reference | str
"""URL of a JSON-RPC endpoint."""


def connect(ctx: Context, rpc: Address | tuple[Address, ...], *, working: bool = False) -> Rpc:
    """rpc: one endpoint or several of the same cluster; an optional one may have no value."""
    from cbctl.clients.solana.rpc import Rpc

    listed = rpc if isinstance(rpc, tuple) else (rpc,)
    urls = [ctx.reveal(one).reveal() if isinstance(one, Reference) else one for one in listed]
    patience = WORK_PATIENCE if working else LOOK_PATIENCE
    return Rpc(
        list(filter(None, urls)) or "",
        patience=patience,
        waits=working,
        sleep=ctx.sleep,
        now=ctx.monotonic,
    )


def genesis_or_none(node: Rpc, waits_for: str) -> str | None:
    """The cluster's genesis hash; None when it is not up yet and a step will start it.

    A cluster on this machine is started by the step `waits_for`. Any other must answer.
    """
    from cbctl.clients.solana.failures import Unreachable

    try:
        return node.genesis_hash()
    except Unreachable:
        if waits_for and node.loopback:
            return None
        raise


def wrong_cluster(expected: str | None, found: str) -> str | None:
    if expected is None or expected == found:
        return None
    return f"this is another cluster: its genesis hash is {found}, expected {expected}"


def demand_cluster(node: Rpc, expected: str | None) -> None:
    """Asked again right before anything is sent: what answers may not be what was planned for."""
    if why := wrong_cluster(expected, node.genesis_hash()):
        raise CbctlError(why, where=node.host, exit=Exit.REFUSED)


def keypair(ctx: Context, source: Source) -> Keypair | None:
    """The keypair, None when its file does not exist."""
    from cbctl.clients.solana import keypair as files

    if isinstance(source, Reference):
        return files.parse(ctx.reveal(source).reveal(), source.text)
    return files.read(source)


def signer(ctx: Context, source: Source) -> Signer:
    """Who signs: a keypair, or a key that stays in AWS KMS."""
    found = signer_or_none(ctx, source)
    return needed_keypair(ctx, source) if found is None else found


def signer_or_none(ctx: Context, source: Source) -> Signer | None:
    """The same; None where the keypair's file does not exist."""
    if isinstance(source, Reference) and source.kind == "kms":
        from cbctl.clients.solana.kms import KmsSigner

        return KmsSigner.open(source.name)
    return keypair(ctx, source)


def needed_keypair(ctx: Context, source: Source) -> Keypair:
    found = keypair(ctx, source)
    if found is None:
        raise CbctlError("the keypair file does not exist", where=str(source), exit=Exit.REFUSED)
    return found
