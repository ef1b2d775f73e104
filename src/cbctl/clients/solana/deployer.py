"""From a filled buffer to a program on chain: first deploy, extension, upgrade, checks.

Each method looks at the chain first, so that all of them may be called again after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import (
    AllocateParams,
    AssignParams,
    CreateAccountParams,
    TransferParams,
    allocate,
    assign,
    create_account,
    transfer,
)

from cbctl.clients.solana import buffer, loader
from cbctl.clients.solana.elf import Elf, executable_hash
from cbctl.clients.solana.failures import TransactionFailed
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order, Sender
from cbctl.clients.solana.types import Account, Pace
from cbctl.errors import CbctlError, Exit

SLOT_WAIT = 60.0  # seconds that the next slot may take


@dataclass(frozen=True)
class OnChain:
    """A program as the chain has it.

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


def look(rpc: Rpc, program: Pubkey) -> OnChain:
    """One request: both addresses are known beforehand."""
    address = loader.programdata_address(program)
    slot, (account, data) = rpc.accounts([program, address])
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


@dataclass(frozen=True)
class Result:
    """transactions, resent and bytes_written count this call only."""

    slot: int
    transactions: int
    resent: int
    bytes_written: int


class Deployer:
    def __init__(
        self, rpc: Rpc, payer: Keypair, authority: Keypair, program: Pubkey, pace: Pace
    ) -> None:
        self._rpc, self._payer, self._authority = rpc, payer, authority
        self._program, self._pace = program, pace
        self._sender = Sender(rpc, payer, pace)
        self._transactions = 0

    def run(self, elf: Elf, program_key: Keypair | None, max_len: int) -> Result:
        """Brings the file on chain, whatever an earlier try has done of it already.

        program_key  needed for the first deploy only
        max_len      bytes to make room for at the first deploy, at least the file's
        Errors: TransactionFailed, CbctlError
        """
        chain = look(self._rpc, self._program)
        if chain.state == "deployed" and chain.hash == elf.hash:
            self._wait_past(chain.slot)
            return Result(chain.slot, 0, 0, 0)
        self._demand_possible(chain, program_key)
        place = buffer.locate(self._rpc, self._authority.pubkey(), self._program, elf)
        writer = buffer.Writer(self._rpc, self._payer, self._authority, self._pace, place)
        writer.fill(elf)
        if chain.state == "absent" and program_key is not None:
            self._finish(self._first(place, program_key, max_len, chain.lamports[0]), elf)
        else:
            self._make_room(elf.size)
            self._finish(self._upgrade(place), elf)
        after = look(self._rpc, self._program)
        if after.state != "deployed" or after.hash != elf.hash:
            raise CbctlError(
                f"the program {self._program} does not have the file's bytes after the deploy",
                where=self._rpc.host,
                exit=Exit.NOT_UNDONE,
            )
        self._wait_past(after.slot)  # new code is callable from the next slot on
        transactions = self._transactions + writer.transactions
        return Result(after.slot, transactions, writer.resent, writer.bytes_written)

    def _demand_possible(self, chain: OnChain, key: Keypair | None) -> None:
        """Looked at again before anything is paid for: much may have happened since the plan."""
        if chain.state == "absent":
            if key is None or key.pubkey() != self._program:
                raise self._refused("its first deploy needs its keypair")
        elif chain.state != "deployed":
            raise self._refused(f"nothing can be deployed to its address: it is {chain.state}")
        elif chain.authority != self._authority.pubkey():
            raise self._refused(f"its upgrade authority is {chain.authority or 'nobody'} by now")

    def _refused(self, why: str) -> CbctlError:
        return CbctlError(f"{self._program}: {why}", where=self._rpc.host, exit=Exit.REFUSED)

    def _first(self, place: buffer.Place, key: Keypair, max_len: int, lamports: int) -> Order:
        payer, authority = self._payer.pubkey(), self._authority.pubkey()
        rent = self._rpc.rent(loader.PROGRAM_SIZE)
        return Order(
            "deploy the program",
            (
                *_program_account(payer, self._program, rent, lamports),
                loader.deploy(payer, self._program, place.address, authority, max_len),
            ),
            (key, self._authority),
        )

    def _upgrade(self, place: buffer.Place) -> Order:
        authority = self._authority.pubkey()
        upgrade = loader.upgrade(self._program, place.address, self._payer.pubkey(), authority)
        return Order("upgrade the program", (upgrade,), (self._authority,))

    def _make_room(self, size: int) -> None:
        """Extends ProgramData when the file does not fit, and waits until the slot of the last
        deploy or extension is over: an upgrade within it fails."""
        chain = look(self._rpc, self._program)
        additional = loader.extension(chain.capacity, size)
        if additional:
            self._wait_past(chain.slot)
            self._pace.progress(f"extending the program by {additional:,} bytes")
            extend = loader.extend(self._program, additional, self._payer.pubkey())
            sent = self._sender.one(Order("extend the program", (extend,)))
            self._transactions += len(sent.signatures)
            chain = look(self._rpc, self._program)
        self._wait_past(chain.slot)

    def _finish(self, order: Order, elf: Elf) -> None:
        self._pace.progress(order.what)
        try:
            sent = self._sender.one(order)
        except TransactionFailed:
            # Sent before by a run that was killed, or by somebody else with the same bytes?
            chain = look(self._rpc, self._program)
            if chain.state == "deployed" and chain.hash == elf.hash:
                return
            raise
        self._transactions += len(sent.signatures)

    def _wait_past(self, slot: int) -> None:
        until = self._pace.monotonic() + SLOT_WAIT
        while self._rpc.slot() <= slot:
            if self._pace.monotonic() > until:
                raise CbctlError(
                    f"slot {slot} has not ended within {SLOT_WAIT:g} s: the cluster stands still",
                    where=self._rpc.host,
                    exit=Exit.TIMEOUT,
                )
            self._pace.sleep(self._rpc.poll)


def _program_account(
    payer: Pubkey, program: Pubkey, rent: int, lamports: int
) -> tuple[Instruction, ...]:
    """Makes the program account, also at an address that somebody has sent lamports to."""
    if lamports == 0:
        return (
            create_account(
                CreateAccountParams(
                    from_pubkey=payer,
                    to_pubkey=program,
                    lamports=rent,
                    space=loader.PROGRAM_SIZE,
                    owner=loader.LOADER,
                )
            ),
        )
    missing = max(0, rent - lamports)
    return (
        transfer(TransferParams(from_pubkey=payer, to_pubkey=program, lamports=missing)),
        allocate(AllocateParams(pubkey=program, space=loader.PROGRAM_SIZE)),
        assign(AssignParams(pubkey=program, owner=loader.LOADER)),
    )
