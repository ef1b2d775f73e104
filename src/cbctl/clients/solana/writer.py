"""Fills a buffer: sends what differs, reads it back, mends it, and tells how far it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from solders.pubkey import Pubkey

from cbctl.clients.solana import buffer, loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.failures import RpcRefusal, TransactionFailed
from cbctl.clients.solana.fees import REFUSES_FORM, Fees
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order, Sender, Sent
from cbctl.clients.solana.signer import Signer
from cbctl.clients.solana.types import Pace
from cbctl.errors import CbctlError, Exit

ROUNDS = 3  # times that a buffer is read back and mended before it is given up


class Writer:
    """Counts what it sends.

    fees           lamports
    bytes_written  of the file
    """

    def __init__(
        self,
        rpc: Rpc,
        sender: Sender,
        authority: Signer,
        pace: Pace,
        place: buffer.Place,
        fees: Fees,
    ) -> None:
        self._rpc, self._sender, self._authority, self._pace = rpc, sender, authority, pace
        self._place, self._rates, self._v1 = place, fees, fees.v1
        self._slot = 0
        self.transactions = 0
        self.resent = 0
        self.bytes_written = 0
        self.fees = 0

    def fill(self, elf: Elf) -> None:
        """Makes the buffer if need be and writes until it equals the file.

        Errors: TransactionFailed; CbctlError when it still differs after ROUNDS readings.
        """
        held = self._place.elf
        if held is not None:
            missing = sum(
                len(elf.data[start : start + loader.WRITE_PAYLOAD])
                for start in buffer.differing(elf.data, held, loader.WRITE_PAYLOAD)
            )
            there = f"{elf.size - missing:,} of {elf.size:,} bytes are there"
            self._pace.progress(f"continuing the buffer {self._place.address}: {there}")
        rent = self._rpc.rent(loader.BUFFER_HEADER + elf.size) if held is None else 0
        for _ in range(ROUNDS):
            self._write(elf, held, rent)
            held = self._read(elf)
            if held == elf.data:
                return
        raise CbctlError(
            f"the buffer {self._place.address} does not hold what was written to it",
            where=self._rpc.host,
            exit=Exit.NOT_UNDONE,
            fix="run it again: what is right is not sent again",
        )

    def _read(self, elf: Elf) -> bytes:
        account = self._rpc.account(self._place.address, since=self._slot)
        if account is None or not buffer.ours(account, self._authority.pubkey(), elf):
            raise self._gone()
        return account.data[loader.BUFFER_HEADER :]

    def _write(self, elf: Elf, held: bytes | None, rent: int) -> None:
        """Writes what differs. The first transaction goes alone and simulated, so that a mistake
        costs nothing; it also shows whether the nodes take transactions of version 1."""
        payer, authority = self._sender.payer, self._authority.pubkey()
        terms = buffer.Terms(payer, authority, rent, self._v1, self._rates.price)
        plan = buffer.plan(self._place, elf, held, terms)
        if not plan.orders:
            return
        orders = [dataclasses.replace(one, signers=(self._authority,)) for one in plan.orders]
        in_buffer = max(rent, self._place.lamports)
        progress = _Progress(self._pace, self._rates, orders, plan.sizes, payer, in_buffer)
        there = held is not None
        try:
            self._count(self._sender.one(orders[0]))
            there = True
            progress.tell(1)
            self._count(self._sender.many(orders[1:], lambda done: progress.tell(1 + done)))
        except RpcRefusal as refusal:
            if not (self._v1 and refusal.code in REFUSES_FORM):
                raise
            self._v1 = False
            self._write(elf, held, rent)
            return
        except TransactionFailed:
            self._explain(elf, there, rent)
            raise
        self.bytes_written += sum(plan.sizes)
        self.fees += self._rates.of(orders, payer)

    def _explain(self, elf: Elf, there: bool, rent: int) -> None:
        """A transaction has failed: errors that say more than the cluster does.

        there  the buffer was made
        """
        account = self._rpc.account(self._place.address)
        if account is not None and buffer.ours(account, self._authority.pubkey(), elf):
            return
        if there:
            raise self._gone() from None
        payer = self._sender.payer
        missing = rent - self._place.lamports - self._rpc.balance(payer)
        if missing > 0:
            raise CbctlError(
                f"{payer} has {missing:,} lamports too little for the buffer by now",
                where=self._rpc.host,
                exit=Exit.NOT_UNDONE,
                fix="send the wallet what is missing, and run it again",
            ) from None

    def _gone(self) -> CbctlError:
        return CbctlError(
            f"the buffer {self._place.address} was closed or handed over by somebody else who "
            "holds the authority's key",
            where=self._rpc.host,
            exit=Exit.NOT_UNDONE,
            fix="run it again: a new buffer is made",
        )

    def _count(self, sent: Sent) -> None:
        self.transactions += len(sent.signatures)
        self.resent += sent.resent
        self._slot = max(self._slot, sent.slot)


class _Progress:
    """Tells how far the writing is: transactions, bytes, rate, expected end, money so far.

    in_buffer  lamports that lie in the buffer and come back
    """

    def __init__(
        self,
        pace: Pace,
        fees: Fees,
        orders: Sequence[Order],
        sizes: Sequence[int],
        payer: Pubkey,
        in_buffer: int,
    ) -> None:
        self._pace, self._total, self._in_buffer = pace, len(orders), in_buffer
        self._bytes = sum(sizes)
        self._fee = fees.of(orders, payer)
        self._began = pace.monotonic()

    def tell(self, done: int) -> None:
        """All transactions are of one size save the last, so bytes and fees follow from them."""
        share = done / self._total
        rate = done / max(0.001, self._pace.monotonic() - self._began)
        left = (self._total - done) / rate
        self._pace.progress(
            f"writing the program: {int(share * self._bytes):,} of {self._bytes:,} bytes, "
            f"{rate:,.1f} transactions/s, {left:,.0f} s left, "
            f"{int(share * self._fee):,} lamports in fees, {self._in_buffer:,} in the buffer; "
            "transaction",
            done,
            self._total,
        )
