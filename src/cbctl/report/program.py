"""What a program is on chain, and whether that is what it ought to be. Only reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbctl.errors import CbctlError, Exit
from cbctl.local.files import read_limited

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from cbctl.clients.solana.rpc import Rpc


@dataclass(frozen=True)
class Check:
    """One thing that ought to hold."""

    name: str
    ok: bool
    said: str
    fix: str = ""


def show(node: Rpc, program: Pubkey, elf: Path) -> dict[str, Any]:
    """Everything that the two accounts of a program say, and whether the file is the same."""
    from cbctl.clients.solana import loader
    from cbctl.clients.solana.onchain import look

    chain = look(node, program)
    local = _hash_of(elf)
    return {
        "program": str(program),
        "programData": str(loader.programdata_address(program)),
        "state": chain.state,
        "authority": str(chain.authority) if chain.authority else None,
        "authorityIs": _kind(chain.authority) if chain.state == "deployed" else None,
        "hash": chain.hash or None,
        "deployedAtSlot": chain.slot or None,
        "capacity": chain.capacity,
        "lamports": sum(chain.lamports),
        "slot": chain.read_at,
        "elf": {"path": str(elf), "hash": local, "same": bool(local) and local == chain.hash},
    }


def bytes_and_authority(
    node: Rpc, program: Pubkey, elf: Path, authority: str | None
) -> list[Check]:
    from cbctl.clients.solana.onchain import look

    chain = look(node, program)
    if chain.state != "deployed":
        return [Check("bytes", False, f"{program} is {chain.state}", "cbctl program deploy")]
    local = _hash_of(elf)
    if local is None:
        bytes_ = Check("bytes", False, f"{elf} cannot be read", "build it, or correct program.elf")
    elif local == chain.hash:
        bytes_ = Check("bytes", True, f"{chain.hash} since slot {chain.slot}")
    else:
        said = f"on chain {chain.hash}, in the file {local}"
        bytes_ = Check("bytes", False, said, "cbctl program upgrade")
    found = str(chain.authority) if chain.authority else "nobody: it is immutable"
    if authority is None:
        return [bytes_, Check("authority", True, f"{found} (none is expected by cbctl.yaml)")]
    if found == authority:
        return [bytes_, Check("authority", True, found)]
    said = f"it is {found}, expected {authority}"
    fix = "cbctl program authority set, or correct program.authority in cbctl.yaml"
    return [bytes_, Check("authority", False, said, fix)]


def dump(node: Rpc, program: Pubkey) -> bytes:
    """The bytes on chain, with the zeros that fill the room behind them."""
    from cbctl.clients.solana import loader

    account = node.account(loader.programdata_address(program))
    state = loader.parse(account.data) if account and account.owner == loader.LOADER else None
    if not isinstance(state, loader.ProgramData):
        raise CbctlError(f"{program} is not deployed", exit=Exit.REFUSED, where=node.host)
    return state.elf


def _kind(authority: Pubkey | None) -> str:
    if authority is None:
        return "nobody: it is immutable"
    return "a key" if authority.is_on_curve() else "no key: the vault of a multisig"


def _hash_of(elf: Path) -> str | None:
    from cbctl.clients.solana.elf import LARGEST, executable_hash

    try:
        return executable_hash(read_limited(elf, LARGEST))
    except OSError:
        return None
