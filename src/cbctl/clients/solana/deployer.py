"""From a file to a program on chain: first deploy, extension, upgrade, checks.

Each method looks at the chain first, so that all of them may be called again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from cbctl.clients.solana import buffer, final, loader
from cbctl.clients.solana.elf import Elf
from cbctl.clients.solana.failures import TransactionFailed
from cbctl.clients.solana.fees import Fees
from cbctl.clients.solana.onchain import OnChain, look, wait_past
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order, Sender
from cbctl.clients.solana.signer import Signer
from cbctl.clients.solana.types import Pace
from cbctl.clients.solana.writer import Writer
from cbctl.errors import CbctlError, Exit


@dataclass(frozen=True)
class Result:
    """transactions, resent, bytes_written and fees (lamports) count this call only."""

    slot: int
    transactions: int = 0
    resent: int = 0
    bytes_written: int = 0
    fees: int = 0


class Deployer:
    def __init__(
        self,
        rpc: Rpc,
        payer: Signer,
        authority: Signer,
        program: Pubkey,
        pace: Pace,
    ) -> None:
        self._rpc, self._payer, self._authority = rpc, payer, authority
        self._program, self._pace = program, pace
        self._sent: list[Order] = []

    def run(self, elf: Elf, program_key: Keypair | None, max_len: int, fees: Fees) -> Result:
        """Brings the file on chain, whatever an earlier try has done of it already.

        program_key  needed for the first deploy only
        max_len      bytes to make room for at the first deploy, at least the file's
        Errors: TransactionFailed, CbctlError
        """
        payer, authority = self._payer.pubkey(), self._authority.pubkey()
        chain, place = self._rpc.together(
            partial(look, self._rpc, self._program),
            partial(buffer.locate, self._rpc, authority, self._program, elf),
        )
        if chain.state == "deployed" and chain.hash == elf.hash:
            wait_past(self._rpc, self._pace, chain.slot)
            return Result(chain.slot)
        self._demand_possible(chain, program_key)
        sender = Sender(self._rpc, self._payer, self._pace, fees.price)
        with _buffer_named(place):
            writer = self._fill(sender, place, elf, fees)
            if chain.state == "absent" and program_key is not None:
                order = self._first(place, program_key, max_len, chain.lamports[0])
                self._finish(sender, order, place, elf)
            else:
                self._make_room(sender, elf.size)
                order = final.upgrade(payer, self._program, place.address, authority)
                self._finish(sender, _signed(order, self._authority), place, elf)
        after = look(self._rpc, self._program)
        if after.state != "deployed" or after.hash != elf.hash:
            raise CbctlError(
                f"the program {self._program} does not have the file's bytes after the deploy",
                where=self._rpc.host,
                exit=Exit.NOT_UNDONE,
            )
        # new code is callable from the next slot on
        wait_past(self._rpc, self._pace, after.slot)
        return Result(
            after.slot,
            len(self._sent) + writer.transactions,
            writer.resent,
            writer.bytes_written,
            fees.of(self._sent, payer) + writer.fees,
        )

    def prepare(self, elf: Elf, vault: Pubkey, fees: Fees) -> buffer.Place | None:
        """All of an upgrade that the wallet can do where the upgrade authority is a multisig's
        vault: writes and compares, makes room, and hands the buffer over. None: the multisig has
        upgraded by now.

        What an earlier try has done is not done again. Errors: TransactionFailed, CbctlError
        """
        wallet = self._authority.pubkey()
        place = buffer.locate(self._rpc, wallet, self._program, elf, vault)
        chain = look(self._rpc, self._program)  # last: what has used the buffer is seen then
        if chain.state == "deployed" and chain.hash == elf.hash:
            return None
        if chain.state != "deployed" or chain.authority != vault:
            raise self._refused(f"its upgrade authority is {chain.authority or 'nobody'} by now")
        sender = Sender(self._rpc, self._payer, self._pace, fees.price)
        if place.handed and place.elf != elf.data:
            raise self._refused(*spoiled(place.address, vault))
        with _buffer_named(place):
            if not place.handed:
                self._fill(sender, place, elf, fees)
            self._make_room(sender, elf.size)
            if not place.handed:
                self._hand_over(sender, place, elf, vault)
        return place

    def _hand_over(self, sender: Sender, place: buffer.Place, elf: Elf, vault: Pubkey) -> None:
        order = final.hand_over(place.address, self._authority.pubkey(), vault)
        self._pace.progress(order.what)
        try:
            sender.one(_signed(order, self._authority))
        except TransactionFailed:
            account = self._rpc.account(place.address)
            if account is None or not buffer.ours(account, vault, elf):
                raise

    def _fill(self, sender: Sender, place: buffer.Place, elf: Elf, fees: Fees) -> Writer:
        writer = Writer(self._rpc, sender, self._authority, self._pace, place, fees)
        writer.fill(elf)
        return writer

    def _demand_possible(self, chain: OnChain, key: Keypair | None) -> None:
        """Looked at again before anything is paid for: much may have happened since the plan."""
        if chain.state == "absent":
            if key is None or key.pubkey() != self._program:
                raise self._refused("its first deploy needs its keypair")
        elif chain.state != "deployed":
            raise self._refused(f"nothing can be deployed to its address: it is {chain.state}")
        elif chain.authority != self._authority.pubkey():
            raise self._refused(f"its upgrade authority is {chain.authority or 'nobody'} by now")

    def _refused(self, why: str, fix: str = "") -> CbctlError:
        where = self._rpc.host
        return CbctlError(f"{self._program}: {why}", where=where, exit=Exit.REFUSED, fix=fix)

    def _first(self, place: buffer.Place, key: Keypair, max_len: int, lamports: int) -> Order:
        payer, authority = self._payer.pubkey(), self._authority.pubkey()
        rent = self._rpc.rent(loader.PROGRAM_SIZE)
        order = final.first(payer, self._program, place.address, authority, max_len, rent, lamports)
        return _signed(order, key, self._authority)

    def _make_room(self, sender: Sender, size: int) -> None:
        """Extends ProgramData when the file does not fit, and waits until the slot of the last
        deploy or extension is over: an upgrade within it fails."""
        chain = look(self._rpc, self._program)
        order = final.extension(self._program, self._payer.pubkey(), chain, size)
        if order is not None:
            wait_past(self._rpc, self._pace, chain.slot)
            self._pace.progress(order.what)
            sent = sender.one(order)
            self._sent.append(order)
            chain = look(self._rpc, self._program, since=sent.slot)
        wait_past(self._rpc, self._pace, chain.slot)

    def _finish(self, sender: Sender, order: Order, place: buffer.Place, elf: Elf) -> None:
        self._pace.progress(order.what)
        try:
            sender.one(order)
        except TransactionFailed:
            # Sent before by a run that was killed, or by somebody else with the same bytes?
            chain = look(self._rpc, self._program)
            if chain.state == "deployed" and chain.hash == elf.hash:
                return
            if chain.state == "deployed" and chain.authority != self._authority.pubkey():
                raise self._refused(
                    f"its upgrade authority has become {chain.authority or 'nobody'}",
                    f"the buffer {place.address} is left: close it, and its money comes back",
                ) from None
            raise
        self._sent.append(order)


@contextmanager
def _buffer_named(place: buffer.Place) -> Iterator[None]:
    """Whatever cuts a deploy off tells where the money is."""
    try:
        yield
    except Exception as cut_off:
        where = f"the buffer {place.address} keeps what was written"
        cut_off.add_note(f"{where}, and the next run goes on from there")
        raise


def spoiled(buffer: object, vault: object) -> tuple[str, str]:
    """Of a buffer that was compared before it was handed over, and differs now; and what helps."""
    return (
        f"the buffer {buffer}, which was handed to {vault}, does not hold the file any more",
        "cbctl program deploy --abort has the multisig close it; a new one is made then",
    )


def _signed(order: Order, *signers: Signer) -> Order:
    return Order(order.what, order.instructions, signers, order.limits)
