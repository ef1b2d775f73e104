"""What transactions cost, from what the cluster itself says. Fees have changed before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from cbctl.clients.solana.failures import RpcRefusal, Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.sender import Order
from cbctl.clients.solana.transaction import (
    Limits,
    compile_message,
    message_bytes,
    priority_fee,
    unsigned,
)

REFUSES_FORM = (-32602, -32015)  # invalid params, unsupported transaction version
ENOUGH = 0.75  # of the recent slots would have taken the price that is offered


@dataclass(frozen=True)
class Fees:
    """
    per_signature  lamports
    price          of a compute unit, in millionths of a lamport; 0: none is offered
    v1             the cluster takes transactions of version 1
    """

    per_signature: int
    price: int = 0
    v1: bool = True

    def of(self, orders: Iterable[Order], payer: Pubkey) -> int:
        return sum(
            signatures(order, payer) * self.per_signature + priority_fee(order.limits, self.price)
            for order in orders
        )


def signatures(order: Order, payer: Pubkey) -> int:
    metas = (meta for one in order.instructions for meta in one.accounts)
    return len({payer, *(meta.pubkey for meta in metas if meta.is_signer)})


def ask(rpc: Rpc, payer: Pubkey, written: Sequence[Pubkey], price: int | None, most: int) -> Fees:
    """
    written  accounts that the transactions write to
    price    None: what recent transactions on these accounts have paid, `most` at most
    """
    per_signature, v1, recent = rpc.together(
        partial(_of_signature, rpc, payer),
        partial(_takes_v1, rpc, payer),
        partial(recent_price, rpc, written, most) if price is None else lambda: price,
    )
    return Fees(per_signature, recent, v1)


def _of_signature(rpc: Rpc, payer: Pubkey) -> int:
    message = compile_message([_nothing(payer)], payer, rpc.blockhash().hash, None)
    fee = rpc.fee(message_bytes(message))
    if fee is None:
        raise Unreachable("the node does not know its own newest blockhash", where=rpc.host)
    return fee


def recent_price(rpc: Rpc, written: Sequence[Pubkey], ceiling: int) -> int:
    """Price of a compute unit that most of the recent slots would have taken, in millionths of a
    lamport, for a transaction that writes to these accounts; `ceiling` at most."""
    seen = sorted(rpc.recent_prices(written))
    if not seen:
        return 0
    return min(ceiling, seen[min(len(seen) - 1, int(len(seen) * ENOUGH))])


def _takes_v1(rpc: Rpc, payer: Pubkey) -> bool:
    """Whether the cluster takes transactions of version 1, by simulating one that does nothing."""
    limits = Limits(1_000, 1 << 16)
    message = compile_message([_nothing(payer)], payer, str(Hash.default()), limits)
    try:
        answer = rpc.simulate(unsigned(message), signed=False)
    except RpcRefusal as refusal:
        if refusal.code in REFUSES_FORM:
            return False
        raise
    return bool(answer.err != "UnsupportedVersion")


def _nothing(payer: Pubkey) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer, to_pubkey=payer, lamports=0))
