"""A program as the chain has it."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from cbctl.clients.solana import loader
from cbctl.clients.solana.elf import executable_hash
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.types import Account, Pace
from cbctl.errors import CbctlError, Exit

SLOT_WAIT = 60.0  # seconds that the next slot may take


@dataclass(frozen=True)
class OnChain:
    """
    state      "absent", "deployed", "closed" (its address can never be used again), "foreign"
               (the account is something else), or "spoiled" (somebody has sent lamports to the
               address of its ProgramData, and the loader cannot make that any more)
    hash       of its bytes without trailing zeros; "" unless deployed
    capacity   bytes that an ELF may have without extension
    lamports   of the program account and of ProgramData
    read_at    slot at which all this was read
    """

    state: str
    hash: str = ""
    authority: Pubkey | None = None
    slot: int = 0
    capacity: int = 0
    lamports: tuple[int, int] = (0, 0)
    read_at: int = 0


def look(rpc: Rpc, program: Pubkey, *, since: int = 0) -> OnChain:
    """One request: both addresses are known beforehand. since: a slot that must have been seen."""
    address = loader.programdata_address(program)
    slot, (account, data) = rpc.accounts([program, address], since=since)
    return judge(account, data, slot)


def judge(account: Account | None, data: Account | None, slot: int) -> OnChain:
    lamports = (account.lamports if account else 0, data.lamports if data else 0)
    if account is None or (account.owner == SYSTEM and not account.data):
        state = "spoiled" if data is not None else "absent"
        return OnChain(state, lamports=lamports, read_at=slot)
    if account.owner != loader.LOADER:
        return OnChain("foreign", lamports=lamports, read_at=slot)
    if not isinstance(loader.parse(account.data), loader.Program):
        return OnChain("foreign", lamports=lamports, read_at=slot)
    code = loader.parse(data.data) if data is not None and data.owner == loader.LOADER else None
    if not isinstance(code, loader.ProgramData):
        return OnChain("closed", lamports=lamports, read_at=slot)
    return OnChain(
        state="deployed",
        hash=executable_hash(code.elf),
        authority=code.authority,
        slot=code.slot,
        capacity=len(code.elf),
        lamports=lamports,
        read_at=slot,
    )


def wait_past(rpc: Rpc, pace: Pace, slot: int) -> None:
    """Until the slot is over: what was deployed or extended in it may not be touched before."""
    until = pace.monotonic() + SLOT_WAIT
    while rpc.slot() <= slot:
        if pace.monotonic() > until:
            raise CbctlError(
                f"slot {slot} has not ended within {SLOT_WAIT:g} s: the cluster stands still",
                where=rpc.host,
                exit=Exit.TIMEOUT,
            )
        pace.sleep(rpc.poll)
