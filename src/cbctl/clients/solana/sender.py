"""Sends transactions until each is confirmed, has failed, or can no longer arrive.

A transaction is signed anew only when the block height has passed its last valid one *and* a last
look at its status found nothing, made on a node that has come as far: so none is ever carried out
twice. Nodes are asked not to resend; that is done here, where it is known what is still wanted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from cbctl.clients.solana.failures import (
    RateLimited,
    RpcRefusal,
    TransactionFailed,
    Unreachable,
)
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.signer import Signer
from cbctl.clients.solana.transaction import Limits, sign
from cbctl.clients.solana.types import Blockhash, Pace, Status, lines
from cbctl.errors import CbctlError, Exit

RESEND = 2.0  # seconds after which what is not confirmed is sent again
STALL = 120.0  # seconds without any progress after which the work is given up
FRESH = 2.5  # seconds that one blockhash is used for signing
LIMITED_LOOK = 3.0  # seconds between two looks where each request is dear and some wait to be sent
THREADS = 12  # connections in use at once
WINDOW = 48  # transactions handed over between two checks of the fence
SIMULATION_FAILED = -32002
# The node knows the transaction; it does not know its blockhash, not yet or no more.
NO_REASON = ("AlreadyProcessed", "BlockhashNotFound")
EXPIRY_MARGIN = 10  # blocks: of the nodes behind one address some are further than others


@dataclass(frozen=True)
class Order:
    """One transaction that is wanted. `what` completes the sentence "could not …"."""

    what: str
    instructions: tuple[Instruction, ...]
    signers: tuple[Signer, ...] = field(default=(), repr=False)  # their text is the secret
    limits: Limits | None = None


@dataclass
class Sent:
    """slot: the latest in which one of them was carried out. resent: sent more than once."""

    signatures: list[str] = field(default_factory=list)
    slot: int = 0
    resent: int = 0


class Sender:
    """price: of a compute unit, in millionths of a lamport; paid where an order has limits."""

    def __init__(self, rpc: Rpc, payer: Signer, pace: Pace, price: int = 0) -> None:
        self._rpc, self._payer, self._pace, self._price = rpc, payer, pace, price
        self._recent = _Recent(rpc, pace)

    @property
    def payer(self) -> Pubkey:
        return self._payer.pubkey()

    def one(self, order: Order) -> Sent:
        """Sends one transaction, simulated by the node beforehand."""
        return self._carry_out([order], True, lambda done: None)

    def many(self, orders: Sequence[Order], confirmed: Callable[[int], None]) -> Sent:
        """Sends all of them in any order, none simulated. `confirmed` hears how many are done."""
        return self._carry_out(orders, False, confirmed)

    def _carry_out(
        self, orders: Sequence[Order], preflight: bool, confirmed: Callable[[int], None]
    ) -> Sent:
        signing = _Signing(self._payer, self._price, self._recent)
        work = _Work(self._rpc, self._pace, signing, orders, preflight, confirmed)
        if len(orders) < 2:
            return work.run(None)
        from concurrent.futures import ThreadPoolExecutor  # 10 ms that only sending needs

        with ThreadPoolExecutor(THREADS) as threads:
            return work.run(threads)


class _Recent:
    """The blockhash to sign with."""

    def __init__(self, rpc: Rpc, pace: Pace) -> None:
        self._rpc, self._pace = rpc, pace
        self._block: Blockhash | None = None
        self._read = 0.0

    def block(self) -> Blockhash:
        now = self._pace.monotonic()
        if self._block is None or now - self._read > FRESH:
            self._block, self._read = self._rpc.blockhash(), now
        return self._block

    def forget(self) -> None:
        self._block = None


@dataclass(frozen=True)
class _Signing:
    payer: Signer = field(repr=False)
    price: int
    recent: _Recent

    def flight(self, index: int, order: Order) -> _Flight:
        block = self.recent.block()
        signed = sign(
            order.instructions, self.payer, order.signers, block.hash, order.limits, self.price
        )
        return _Flight(index, signed.signature, signed.wire, block.last_valid_height)


@dataclass
class _Flight:
    """A signed transaction on its way.

    handed  when it last went out; None: it has not yet
    due     it is to go out, for the first time or again
    """

    index: int
    signature: str
    wire: bytes
    last_valid_height: int
    handed: float | None = None
    due: bool = True


class _Work:
    """What is to be sent: waiting to be signed, or in flight."""

    def __init__(
        self,
        rpc: Rpc,
        pace: Pace,
        signing: _Signing,
        orders: Sequence[Order],
        preflight: bool,
        confirmed: Callable[[int], None],
    ) -> None:
        self._rpc, self._pace, self._signing = rpc, pace, signing
        self._orders, self._preflight, self._confirmed = orders, preflight, confirmed
        self._waiting = deque(range(len(orders)))
        self._flying: dict[str, _Flight] = {}
        self._sent = Sent()

    def run(self, threads: Executor | None) -> Sent:
        looked = alive = self._pace.monotonic()
        while self._waiting or self._flying:
            due = self._due()
            if due:
                self._pace.fence()
                self._hand_over(due, threads)
            now = self._pace.monotonic()
            more = self._waiting or any(one.due for one in self._flying.values())
            every = self._rpc.poll
            if more and self._rpc.limited:
                every = max(every, LIMITED_LOOK)
            if now - looked < every:
                pause = every - (now - looked)
                self._pace.sleep(min(pause, self._rpc.next_room) if more else pause)
                if more and self._pace.monotonic() - looked < every:
                    continue
            looked = self._pace.monotonic()
            if self._look():
                alive = looked
            elif looked - alive > STALL:
                raise self._stalled()
        return self._sent

    # ---- handing over

    def _due(self) -> list[_Flight]:
        """What may go out now: what must go out again, then what was never signed."""
        room = min(WINDOW, self._rpc.room)
        due = [one for one in self._flying.values() if one.due][:room]
        while self._waiting and len(due) < room:
            index = self._waiting.popleft()
            flight = self._signing.flight(index, self._orders[index])
            self._flying[flight.signature] = flight
            due.append(flight)
        return due

    def _hand_over(self, due: list[_Flight], threads: Executor | None) -> None:
        """What does not get through is not an error: it is sent again later."""
        results = map(self._try, due) if threads is None else threads.map(self._try, due)
        for one, through in zip(due, results, strict=True):
            one.due = not through
            if through:
                self._sent.resent += one.handed is not None
                one.handed = self._pace.monotonic()

    def _try(self, flight: _Flight) -> bool:
        """One try, no waiting, in any thread. False: there was no room for it."""
        try:
            self._rpc.send(flight.wire, preflight=self._preflight, once=True)
        except RateLimited:
            return False
        except Unreachable:
            return True  # it may have arrived all the same: the status tells
        except RpcRefusal as refusal:
            self._judge(refusal, flight)
        else:
            self._preflight = False  # a node has simulated it, or none was asked to
        return True

    def _judge(self, refusal: RpcRefusal, flight: _Flight) -> None:
        """Errors: TransactionFailed, RpcRefusal, unless it tells nothing of the transaction."""
        data = refusal.data if isinstance(refusal.data, dict) else {}
        err = data.get("err")
        if refusal.code != SIMULATION_FAILED or (self._preflight and err is None):
            raise refusal
        if not self._preflight or err in NO_REASON:
            # Also a node that looks even where it was not asked to. It is resent and in the end
            # signed anew; a real failure is told by the statuses, or by `_ask_why`.
            return
        raise self._failed(flight, err, lines(data.get("logs"))) from None

    # ---- looking

    def _look(self) -> bool:
        """Takes out what is confirmed, and back what cannot arrive any more. True: it goes on."""
        if not self._flying:
            return False
        before = len(self._sent.signatures)
        try:
            statuses = self._rpc.statuses(list(self._flying))
        except Unreachable:
            return False
        for flight, status in zip(list(self._flying.values()), statuses, strict=True):
            self._take(flight, status)
        now = self._pace.monotonic()
        late = [
            one
            for one in self._flying.values()
            if one.handed is not None and now - one.handed > RESEND
        ]
        if late:
            self._expire(late)
        for one in late:
            one.due = True
        if len(self._sent.signatures) == before:
            self._ask_why(late)
            return False
        self._confirmed(len(self._sent.signatures))
        return True

    def _take(self, flight: _Flight, status: Status | None) -> None:
        if status is None:
            return
        if status.err is not None:
            raise self._failed(flight, status.err)
        if status.confirmed:
            del self._flying[flight.signature]
            self._sent.signatures.append(flight.signature)
            self._sent.slot = max(self._sent.slot, status.slot)

    def _expire(self, late: Sequence[_Flight]) -> None:
        """What can no longer arrive is to be signed anew, after a last look."""
        try:
            at = self._rpc.position()
            expired = [one for one in late if at.height > one.last_valid_height + EXPIRY_MARGIN]
            if not expired:
                return
            keys = [one.signature for one in expired]
            statuses = self._rpc.statuses(keys, history=True, since=at.slot)
            for flight, status in zip(expired, statuses, strict=True):
                self._take(flight, status)
            # One that was carried out and is not confirmed yet must neither be forgotten nor
            # repeated: it stays in flight until it is confirmed, or dropped with its fork.
            gone = [one for one, status in zip(expired, statuses, strict=True) if status is None]
        except Unreachable:
            return  # unknown counts as still valid: nothing is signed anew on a guess
        self._signing.recent.forget()
        for flight in gone:
            del self._flying[flight.signature]
            self._waiting.append(flight.index)
        self._sent.resent += len(gone)

    def _ask_why(self, late: Sequence[_Flight]) -> None:
        """Nothing arrives: a simulation tells why, before it is all sent again. The money may be
        gone, which statuses never tell of a transaction that was not simulated."""
        flying = [one for one in late if one.signature in self._flying]
        if not flying:
            return
        try:
            answer = self._rpc.simulate(flying[0].wire)
        except Unreachable:
            return
        if answer.err is not None and answer.err not in NO_REASON:
            raise self._failed(flying[0], answer.err, answer.logs)

    # ---- errors

    def _failed(self, flight: _Flight, err: object, logs: Sequence[str] = ()) -> TransactionFailed:
        what = f"could not {self._orders[flight.index].what}"
        return TransactionFailed(what, err, logs, where=self._rpc.host)

    def _stalled(self) -> CbctlError:
        done = len(self._sent.signatures)
        first = min([*self._waiting, *(one.index for one in self._flying.values())])
        return CbctlError(
            f"could not {self._orders[first].what}: no transaction was confirmed for {STALL:g} s "
            f"({done} of {len(self._orders)} done)",
            where=self._rpc.host,
            exit=Exit.TIMEOUT,
            fix="run it again: it goes on from where it stopped",
        )
