"""What a node answers is believed only in the documented form: it may be anybody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey

from cbctl.clients.solana.buffers import owned
from cbctl.clients.solana.failures import Unreachable
from cbctl.clients.solana.rpc import Rpc
from cbctl.clients.solana.types import Blockhash, Simulation

KEY = Pubkey.new_unique()
HASH = str(Hash.new_unique())
NO_NUMBER: tuple[Any, ...] = (float("inf"), float("nan"), -1, 1 << 64, "1", 1.5, True, None, [], {})


class Answering(Rpc):
    """A node that answers the same to everything."""

    def __init__(self, answer: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self._answer = answer

    def call(self, *args: Any, **options: Any) -> Any:
        return self._answer


def in_context(value: Any, slot: Any = 5) -> Any:
    return {"context": {"slot": slot}, "value": value}


def _account(lamports: Any) -> Any:
    about = {"lamports": lamports, "owner": str(KEY), "executable": False, "data": ["", "base64"]}
    return in_context([about])


def _buffers(name: str) -> Callable[[Any], Any]:
    return lambda n: [{"pubkey": str(KEY), "account": {"lamports": 1, "space": 37} | {name: n}}]


NUMBERS: dict[str, tuple[Callable[[Any], Any], Callable[[Rpc], object]]] = {
    "context": (lambda n: in_context(1, n), lambda rpc: rpc.balance(KEY)),
    "balance": (in_context, lambda rpc: rpc.balance(KEY)),
    "rent": (lambda n: n, lambda rpc: rpc.rent(1)),
    "slot": (lambda n: n, lambda rpc: rpc.slot()),
    "account": (_account, lambda rpc: rpc.account(KEY)),
    "buffer's lamports": (_buffers("lamports"), lambda rpc: owned(rpc, KEY)),
    "buffer's size": (_buffers("space"), lambda rpc: owned(rpc, KEY)),
    "price": (lambda n: [{"prioritizationFee": n}], lambda rpc: rpc.recent_prices([KEY])),
    "valid until": (
        lambda n: in_context({"blockhash": HASH, "lastValidBlockHeight": n}),
        lambda rpc: rpc.blockhash(),
    ),
    "height": (lambda n: {"absoluteSlot": 1, "blockHeight": n}, lambda rpc: rpc.position()),
    "position": (lambda n: {"absoluteSlot": n, "blockHeight": 1}, lambda rpc: rpc.position()),
    "status": (
        lambda n: in_context([{"slot": n, "err": None, "confirmationStatus": "confirmed"}]),
        lambda rpc: rpc.statuses(["signature"]),
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    answer, ask = NUMBERS[name]
    ask(Answering(answer((1 << 64) - 1)))
    for wrong in NO_NUMBER:
        with pytest.raises(Unreachable, match="not of the documented form"):
            ask(Answering(answer(wrong)))


@pytest.mark.parametrize("wrong", ["", "x", "0" * 44, HASH * 9, None, {}, 5])
def test_hashes(wrong: Any) -> None:
    block = {"blockhash": HASH, "lastValidBlockHeight": 7}
    assert Answering(in_context(block)).blockhash() == Blockhash(HASH, 7)
    assert Answering(HASH).genesis_hash() == HASH
    with pytest.raises(Unreachable):
        Answering(in_context(block | {"blockhash": wrong})).blockhash()
    with pytest.raises(Unreachable):
        Answering(wrong).genesis_hash()


@pytest.mark.parametrize("logs", [None, 5, "Program log: x", {"a": 1}, [None, 5, {}]])
def test_a_log_of_another_form_is_no_log(logs: Any) -> None:
    answer = {"err": "AccountNotFound", "logs": logs, "unitsConsumed": 3}
    assert Answering(in_context(answer)).simulate(b"") == Simulation("AccountNotFound", (), 3)
    with pytest.raises(Unreachable):
        Answering(in_context({"unitsConsumed": "many"})).simulate(b"")
