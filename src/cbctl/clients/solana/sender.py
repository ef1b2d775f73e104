"""Sends transactions until each is confirmed, has failed, or can no longer arrive.

A transaction is signed anew only when the block height has passed its last valid one *and* a last
look at its status found nothing: so none is ever carried out twice. Nodes are asked not to resend;
that is done here, where it is known what is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from solders.instruction import Instruction

from cbctl.clients.solana.failures import (
    RateLimited,
    RpcRefusal,
    TransactionFailed,
    Unreachable,
)
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.signer import Signer
from cbctl.clients.solana.transaction import Limits, Signed, sign
from cbctl.clients.solana.types import Pace, Status
from cbctl.errors import CbctlError, Exit

RESEND = 2.0  # seconds after which what is not confirmed is sent again
STALL = 120.0  # seconds without any progress after which the work is given up
THREADS = 6  # connections in use at once
WINDOW = 48  # transactions handed over between two checks of the fence
SIMULATION_FAILED = -32002
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
    def __init__(self, rpc: Rpc, payer: Signer, pace: Pace) -> None:
        self._rpc, self._payer, self._pace = rpc, payer, pace
        self._window = WINDOW

    def one(self, order: Order) -> Sent:
        """Sends one transaction, simulated by the node beforehand."""
        return self._carry_out([order], True, lambda done: None)

    def many(self, orders: Sequence[Order], confirmed: Callable[[int], None]) -> Sent:
        """Sends all of them in any order, none simulated. `confirmed` hears how many are done."""
        return self._carry_out(orders, False, confirmed)

    def _carry_out(
        self, orders: Sequence[Order], preflight: bool, confirmed: Callable[[int], None]
    ) -> Sent:
        sent, open_ = Sent(), dict(enumerate(orders))
        alive, expired = self._pace.monotonic(), False
        while open_:
            block = self._rpc.blockhash()
            live: dict[str, tuple[int, bytes]] = {}
            for index, order in open_.items():
                signed = self._sign(order, block.hash)
                live[signed.signature] = (index, signed.wire)
            if expired and not preflight:
                self._rehearse(live, orders)
            arrived = self._hand_over(live, orders, preflight)
            last, expired = self._pace.monotonic(), False
            while live and not expired:
                self._pace.sleep(self._rpc.poll)
                # The height is read first: what was valid then may still arrive while we look.
                expired = self._passed(block.last_valid_height)
                before = len(open_)
                self._collect(live, orders, sent, open_, history=expired)
                now = self._pace.monotonic()
                if len(open_) < before:
                    confirmed(len(orders) - len(open_))
                    alive = now
                elif now - alive > STALL:
                    raise self._stalled(orders, open_)
                if live and not expired and now - last > RESEND:
                    arrived = self._hand_over(live, orders, preflight and not arrived) or arrived
                    sent.resent += len(live)
                    last = now
            sent.resent += len(open_)  # expired: these are signed anew
        return sent

    def _sign(self, order: Order, blockhash: str) -> Signed:
        return sign(order.instructions, self._payer, order.signers, blockhash, order.limits)

    def _hand_over(
        self, live: dict[str, tuple[int, bytes]], orders: Sequence[Order], preflight: bool
    ) -> bool:
        """Sends what is in `live`, a window at a time. What does not get through is not an error:
        it is sent again later. True when a node has answered, so that a simulation is done."""
        waiting = list(live.values())
        if len(waiting) == 1:
            self._pace.fence()
            index, wire = waiting[0]
            return self._first(wire, orders[index], preflight)
        from concurrent.futures import ThreadPoolExecutor  # 10 ms that only sending needs

        with ThreadPoolExecutor(THREADS) as threads:
            while waiting:
                self._pace.fence()
                batch, waiting = waiting[: self._window], waiting[self._window :]
                limited = [
                    limit for limit in threads.map(lambda item: self._try(item[1]), batch) if limit
                ]
                if limited:
                    self._window = max(1, self._window // 2)
                    self._pace.sleep(max(1.0, *(limit.retry_after for limit in limited)))
                else:
                    self._window = min(WINDOW, self._window + 1)
        return True

    def _first(self, wire: bytes, order: Order, preflight: bool) -> bool:
        try:
            self._rpc.send(wire, preflight=preflight)
        except Unreachable:
            return False  # it may have arrived all the same: the status tells
        except RpcRefusal as refusal:
            data = refusal.data if isinstance(refusal.data, dict) else {}
            err = data.get("err")
            if refusal.code != SIMULATION_FAILED or err is None:
                raise
            if err in ("AlreadyProcessed", "BlockhashNotFound"):
                # processed: the status tells. Not found: a node that is behind, or too old by
                # now: resent, and signed anew in the end.
                return bool(err == "AlreadyProcessed")
            logs = data.get("logs") or ()
            raise TransactionFailed(
                f"could not {order.what}", err, logs, where=self._rpc.host
            ) from None
        return True

    def _rehearse(self, live: dict[str, tuple[int, bytes]], orders: Sequence[Order]) -> None:
        """Asks why nothing arrived before it is all sent once more: the money may be gone."""
        index, wire = next(iter(live.values()))
        answer = self._rpc.simulate(wire)
        if answer.err is not None and answer.err != "BlockhashNotFound":
            what = f"could not {orders[index].what}"
            raise TransactionFailed(what, answer.err, answer.logs, where=self._rpc.host)

    def _try(self, wire: bytes) -> RateLimited | None:
        """Runs in a thread of the pool: one try, no waiting, no word to the pace."""
        try:
            self._rpc.send(wire, preflight=False, once=True)
        except RateLimited as limited:
            return limited
        except Unreachable:
            return None  # it may have arrived all the same: the status tells
        except RpcRefusal as refusal:
            if refusal.code != SIMULATION_FAILED:
                raise
            # A node that looks even without preflight, and knows the transaction or not yet its
            # blockhash. A real failure is told by the statuses, or by `_rehearse`.
        return None

    def _passed(self, height: int) -> bool:
        try:
            return self._rpc.block_height() > height + EXPIRY_MARGIN
        except Unreachable:
            return False  # unknown counts as still valid: nothing is signed anew on a guess

    def _collect(
        self,
        live: dict[str, tuple[int, bytes]],
        orders: Sequence[Order],
        sent: Sent,
        open_: dict[int, Order],
        *,
        history: bool,
    ) -> None:
        """Takes out of `live` and `open_` what is confirmed. Errors: TransactionFailed."""
        signatures = list(live)
        statuses: list[Status | None]
        try:
            statuses = self._rpc.statuses(signatures, history=history)
        except Unreachable:
            if history:
                raise  # without this last look it must not be signed anew
            return
        for signature, status in zip(signatures, statuses, strict=True):
            if status is None:
                continue
            index, _ = live[signature]
            if status.err is not None:
                what = f"could not {orders[index].what}"
                raise TransactionFailed(what, status.err, where=self._rpc.host)
            if status.confirmed:
                del live[signature], open_[index]
                sent.signatures.append(signature)
                sent.slot = max(sent.slot, status.slot)
            elif history:
                # Carried out but not confirmed yet: it must neither be forgotten nor repeated.
                self._await(signature, index, live, open_, sent)

    def _await(
        self,
        signature: str,
        index: int,
        live: dict[str, tuple[int, bytes]],
        open_: dict[int, Order],
        sent: Sent,
    ) -> None:
        """Waits until a transaction that was seen is confirmed, or forgotten with its fork."""
        del live[signature]
        until = self._pace.monotonic() + STALL
        while self._pace.monotonic() < until:
            status = self._rpc.statuses([signature], history=True)[0]
            if status is None:
                return  # dropped with its fork: wanted still, signed anew
            if status.confirmed:
                del open_[index]
                sent.signatures.append(signature)
                sent.slot = max(sent.slot, status.slot)
                return
            self._pace.sleep(self._rpc.poll)
        raise CbctlError(
            f"transaction {signature} was seen and not confirmed within {STALL:g} s",
            where=self._rpc.host,
            exit=Exit.TIMEOUT,
        )

    def _stalled(self, orders: Sequence[Order], open_: dict[int, Order]) -> CbctlError:
        what = next(iter(open_.values())).what
        return CbctlError(
            f"could not {what}: no transaction was confirmed for {STALL:g} s "
            f"({len(orders) - len(open_)} of {len(orders)} done)",
            where=self._rpc.host,
            exit=Exit.TIMEOUT,
            fix="run it again: it goes on from where it stopped",
        )
