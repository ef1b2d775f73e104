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


def show(node: Rpc, program: Pubkey, elf: Path | None) -> dict[str, Any]:
    """Everything that the two accounts of a program say, and whether the file is the same."""
    from cbctl.clients.solana import loader
    from cbctl.clients.solana.onchain import look

    chain = look(node, program)
    local = None if elf is None else _hash_of(elf)
    same = bool(local) and local == chain.hash
    return {
        "program": str(program),
        "dataAccount": str(loader.programdata_address(program)),
        "state": chain.state,
        "authority": str(chain.authority) if chain.authority else None,
        "authorityIs": _kind(chain.authority) if chain.state == "deployed" else None,
        "hash": chain.hash or None,
        "deployedAtSlot": chain.slot or None,
        "capacity": chain.capacity,
        "lamports": sum(chain.lamports),
        "slot": chain.read_at,
        "elf": None if elf is None else {"path": str(elf), "hash": local, "same": same},
    }


def bytes_and_authority(
    node: Rpc, program: Pubkey, elf: Path, authority: str | None
) -> list[Check]:
    from cbctl.clients.solana.onchain import look

    chain = look(node, program)
    if chain.state != "deployed":
        fix = "cbctl program deploy" if chain.state == "absent" else ""
        return [Check("bytes", False, f"{program} is {chain.state}", fix)]
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


def dump(node: Rpc, program: Pubkey) -> tuple[bytes, str]:
    """The bytes on chain, with the zeros that fill the room behind them; and their hash."""
    from cbctl.clients.solana import loader
    from cbctl.clients.solana.elf import executable_hash

    account = node.account(loader.programdata_address(program))
    state = loader.parse(account.data) if account and account.owner == loader.LOADER else None
    if not isinstance(state, loader.ProgramData):
        raise CbctlError(f"{program} is not deployed", exit=Exit.REFUSED, where=node.host)
    return state.elf, executable_hash(state.elf)


def buffers(node: Rpc, authority: Pubkey) -> list[dict[str, Any]]:
    from cbctl.clients.solana.buffers import owned

    return [
        {"buffer": str(one.address), "bytes": one.size, "lamports": one.lamports}
        for one in owned(node, authority)
    ]


def published_idl(node: Rpc, program: Pubkey) -> str:
    """Errors: CbctlError (10) where none is published, or it cannot be read."""
    from cbctl.clients.solana import metadata

    place = metadata.address(program)
    account = node.account(place)
    found = None
    if account is not None and account.owner == metadata.PROGRAM:
        found = metadata.parse(account.data)
    if found is None or not found.written:
        raise CbctlError(
            f"no IDL of {program} is published",
            exit=Exit.DIFFERS,
            where=node.host,
            fix="cbctl program idl publish",
        )
    return found.text()


def idl_differences(published: str, file: str) -> dict[str, Any]:
    """breaks: what a reader by the published one could not do; added: what it would not see."""
    from cbctl.clients.solana.idl.compare import breaks
    from cbctl.clients.solana.idl.parse import parse

    old, new = parse(published), parse(file)
    added = [
        f"{kind} {name}"
        for kind in ("instruction", "account", "event", "type")
        for name in getattr(new, f"{kind}s").keys() - getattr(old, f"{kind}s").keys()
    ]
    added += [f"error {new.errors[n]} ({n})" for n in new.errors.keys() - old.errors.keys()]
    return {
        "same": published == file,
        "breaks": list(dict.fromkeys(breaks(old, new))),
        "added": sorted(added),
    }


def _kind(authority: Pubkey | None) -> str:
    if authority is None:
        return "nobody: it is immutable"
    return (
        "a key" if authority.is_on_curve() else "no key: a program signs for it, such as a multisig"
    )


def _hash_of(elf: Path) -> str | None:
    from cbctl.clients.solana.elf import LARGEST, executable_hash

    try:
        return executable_hash(read_limited(elf, LARGEST))
    except OSError:
        return None
