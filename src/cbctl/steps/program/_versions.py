"""Whether a program that was kept knows the accounts that are on chain now, by their versions.

What it knew is the highest version of each account type that was on chain when it was replaced: no
file tells it. A type of which there was no account then is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cbctl.engine.step import Context
from cbctl.errors import CbctlError
from cbctl.steps.program._material import read_text

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc


def highest(ctx: Context, node: Rpc, program: Pubkey, idl: Path | None) -> dict[str, int]:
    """By type. Many public endpoints refuse to list accounts: that stops no deploy."""
    return {name: max(found) for name, found in _seen(ctx, node, program, idl).items() if found}


def above(
    ctx: Context, node: Rpc, program: Pubkey, idl: Path | None, known: Mapping[str, int]
) -> tuple[str, ...]:
    """Accounts whose version is higher than what was known, one sentence for each type."""
    found = []
    for name, versions in _seen(ctx, node, program, idl).items():
        if name not in known:
            continue
        count = sum(many for version, many in versions.items() if version > known[name])
        if count:
            accounts = f"{count} account{'s'[: count > 1]} of type {name}"
            found.append(f"{accounts} up to version {max(versions)}, it knew {known[name]}")
    return tuple(found)


def _seen(
    ctx: Context, node: Rpc, program: Pubkey, idl: Path | None
) -> Mapping[str, Mapping[int, int]]:
    if idl is None:
        return {}
    from cbctl.clients.solana.idl.parse import parse
    from cbctl.clients.solana.idl.versions import seen

    try:
        return seen(node, program, parse(read_text(idl)))
    except CbctlError as error:
        ctx.progress(f"the versions of the program's accounts cannot be read: {error}")
        return {}
