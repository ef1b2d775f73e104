"""The buffer that a program's bytes are written to before they become the program.

Its address follows from authority, program and file (see `loader.buffer_seed`), so that every
interrupted run is continued: what is there already is read, only chunks that differ are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import (
    AllocateWithSeedParams,
    CreateAccountWithSeedParams,
    TransferParams,
    allocate_with_seed,
    create_account_with_seed,
    transfer,
)

from cbctl.clients.solana import loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.failures import RpcRefusal
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order, Sender, Sent
from cbctl.clients.solana.transaction import LEGACY_SIZE, Limits, legacy_size
from cbctl.clients.solana.types import Account, Pace
from cbctl.errors import CbctlError, Exit

NONCES = 16  # addresses that are tried; each is taken only by what our own authority made
WRITES_PER_V1 = 3  # of loader.WRITE_PAYLOAD bytes each: 3,932 of 4,096 bytes
UNITS_PER_WRITE = 2_370  # what the loader charges for each of its instructions
ROUNDS = 3  # times that a buffer is read back and mended before it is given up
REFUSES_FORM = (-32602, -32015)  # invalid params, unsupported transaction version


@dataclass(frozen=True)
class Place:
    """Where the buffer is or will be.

    lamports  what lies there already
    elf       what it holds; None: it is still to be made
    """

    address: Pubkey
    seed: str
    lamports: int
    elf: bytes | None


def candidates(authority: Pubkey, program: Pubkey, elf: Elf) -> list[tuple[str, Pubkey]]:
    seeds = (loader.buffer_seed(program, elf.sha256, nonce) for nonce in range(NONCES))
    return [(seed, loader.buffer_address(authority, seed)) for seed in seeds]


def locate(rpc: Rpc, authority: Pubkey, program: Pubkey, elf: Elf) -> Place:
    """The buffer to use: the first address with a buffer of ours, else the first free one.

    An address that somebody sent lamports to is free: it is made by transfer and allocation.
    """
    places = candidates(authority, program, elf)
    _, accounts = rpc.accounts([address for _, address in places])
    free: Place | None = None
    for (seed, address), account in zip(places, accounts, strict=True):
        if account is None or (account.owner == SYSTEM and not account.data):
            lamports = 0 if account is None else account.lamports
            free = free or Place(address, seed, lamports, None)
        elif ours(account, authority, elf):
            return Place(address, seed, account.lamports, account.data[loader.BUFFER_HEADER :])
    if free is None:
        raise CbctlError(
            f"all {NONCES} buffer addresses of this file are in use by something else",
            where=rpc.host,
            exit=Exit.REFUSED,
        )
    return free


def ours(account: Account, authority: Pubkey, elf: Elf) -> bool:
    if account.owner != loader.LOADER or len(account.data) != loader.BUFFER_HEADER + elf.size:
        return False
    state = loader.parse(account.data)
    return isinstance(state, loader.Buffer) and state.authority == authority


def creation(place: Place, payer: Pubkey, authority: Pubkey, size: int, rent: int) -> Order:
    """The transaction that makes the buffer; authority and payer sign it."""
    instructions: list[Instruction] = []
    if place.lamports == 0:
        instructions.append(
            create_account_with_seed(
                CreateAccountWithSeedParams(
                    from_pubkey=payer,
                    to_pubkey=place.address,
                    base=authority,
                    seed=place.seed,
                    lamports=rent,
                    space=size,
                    owner=loader.LOADER,
                )
            )
        )
    else:
        # CreateAccount refuses an address that has lamports, whoever sent them
        missing = max(0, rent - place.lamports)
        instructions.append(
            transfer(TransferParams(from_pubkey=payer, to_pubkey=place.address, lamports=missing))
        )
        instructions.append(
            allocate_with_seed(
                AllocateWithSeedParams(
                    address=place.address,
                    base=authority,
                    seed=place.seed,
                    space=size,
                    owner=loader.LOADER,
                )
            )
        )
    instructions.append(loader.initialize_buffer(place.address, authority))
    return Order("make the buffer", tuple(instructions))


def differing(elf: bytes, held: bytes, chunk: int) -> list[int]:
    """Offsets of the chunks in which the buffer is not yet like the file."""
    return [
        start
        for start in range(0, len(elf), chunk)
        if elf[start : start + chunk] != held[start : start + chunk]
    ]


def legacy_chunk(buffer: Pubkey, authority: Pubkey, payer: Pubkey) -> int:
    """The most bytes that one Write in a legacy transaction can carry."""
    empty = legacy_size([loader.write(buffer, authority, 0, b"")], payer)
    return LEGACY_SIZE - empty - 1  # the instruction's length then takes a second byte


class Writer:
    """Fills a buffer; counts what it sends."""

    def __init__(
        self, rpc: Rpc, payer: Keypair, authority: Keypair, pace: Pace, place: Place
    ) -> None:
        self._rpc, self._payer, self._authority, self._pace = rpc, payer, authority, pace
        self._place, self._sender = place, Sender(rpc, payer, pace)
        self._v1 = True
        self.transactions = 0
        self.resent = 0
        self.bytes_written = 0

    def fill(self, elf: Elf) -> None:
        """Makes the buffer if need be and writes until it equals the file.

        Errors: TransactionFailed; CbctlError when it still differs after ROUNDS readings.
        """
        held = self._place.elf
        if held is None:
            self._make(elf)
            held = bytes(elf.size)  # a new account holds zeros
        for _ in range(ROUNDS):
            self._write(elf.data, held)
            held = self._read(elf)
            if held == elf.data:
                return
        raise CbctlError(
            f"the buffer {self._place.address} does not hold what was written to it",
            where=self._rpc.host,
            exit=Exit.NOT_UNDONE,
            fix="run it again: what is right is not sent again",
        )

    def _make(self, elf: Elf) -> None:
        size = loader.BUFFER_HEADER + elf.size
        payer, authority = self._payer.pubkey(), self._authority.pubkey()
        order = creation(self._place, payer, authority, size, self._rpc.rent(size))
        self._count(self._sender.one(Order(order.what, order.instructions, (self._authority,))))

    def _read(self, elf: Elf) -> bytes:
        account = self._rpc.account(self._place.address)
        if account is None or not ours(account, self._authority.pubkey(), elf):
            raise CbctlError(
                f"the buffer {self._place.address} is gone or no longer ours",
                where=self._rpc.host,
                exit=Exit.NOT_UNDONE,
                fix="run it again: a new buffer is made",
            )
        return account.data[loader.BUFFER_HEADER :]

    def _write(self, elf: bytes, held: bytes) -> None:
        """Writes what differs. The first write goes alone and simulated, so that a mistake costs
        nothing; it also shows whether the cluster takes transactions of version 1."""
        orders = self._orders(elf, held)
        if not orders:
            return
        try:
            self._count(self._sender.one(orders[0]))
        except RpcRefusal as refusal:
            if not (self._v1 and refusal.code in REFUSES_FORM):
                raise
            self._v1 = False
            self._write(elf, held)
            return
        rest, total = orders[1:], len(orders)
        self._pace.progress("writing the program", 1, total)
        sent = self._sender.many(
            rest, lambda done: self._pace.progress("writing the program", done + 1, total)
        )
        self._count(sent)

    def _orders(self, elf: bytes, held: bytes) -> list[Order]:
        buffer, authority = self._place.address, self._authority.pubkey()
        if self._v1:
            chunk, per = loader.WRITE_PAYLOAD, WRITES_PER_V1
        else:
            chunk, per = legacy_chunk(buffer, authority, self._payer.pubkey()), 1
        starts = differing(elf, held, chunk)
        self.bytes_written += sum(min(chunk, len(elf) - start) for start in starts)
        orders = []
        for group in _groups(starts, per):
            writes = tuple(
                loader.write(buffer, authority, start, elf[start : start + chunk])
                for start in group
            )
            # The buffer itself is what is loaded; the rest is small.
            limits = Limits(UNITS_PER_WRITE * len(group), len(elf) + (1 << 16))
            orders.append(
                Order(
                    f"write {len(group)} chunks from byte {group[0]:,}",
                    writes,
                    (self._authority,),
                    limits if self._v1 else None,
                )
            )
        return orders

    def _count(self, sent: Sent) -> None:
        self.transactions += len(sent.signatures)
        self.resent += sent.resent


def _groups(items: Sequence[int], size: int) -> list[Sequence[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
