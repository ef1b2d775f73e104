"""Answers are bounded: no request makes the chain fill the memory or stand still."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from solders.pubkey import Pubkey
from tests.integration.localnet.support import Localnet, RpcFailure

ANSWER_TOO_LONG = -32012
BOUND = 32 * 1024 * 1024
LARGEST = 10 * 1024 * 1024
OWNER = Pubkey.new_unique()


@pytest.fixture(scope="module")
def large(net: Localnet) -> list[str]:
    """Three accounts of one program, as large as accounts can be."""
    payer = net.funded(1_000)
    return [net.create(payer, LARGEST, OWNER) for _ in range(3)]


def _batch(net: Localnet, calls: list[dict[str, Any]]) -> tuple[Any, int, float]:
    started = time.monotonic()
    response = net.http.post(
        net.url, content=json.dumps(calls), headers={"content-type": "application/json"}
    )
    return response.json(), len(response.content), time.monotonic() - started


def _call(number: int, method: str, *params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


BASE64 = {"encoding": "base64"}


def test_a_batch_ends_when_its_answers_are_long_enough(net: Localnet, large: list[str]) -> None:
    calls = [_call(n, "getAccountInfo", large[0], BASE64) for n in range(98)]
    calls.append(_call(98, "requestAirdrop", str(OWNER), 1))
    answers, size, seconds = _batch(net, calls)
    assert [item["id"] for item in answers] == list(range(99))
    assert ["result" in item for item in answers] == [True] * 2 + [False] * 97
    assert {item["error"]["code"] for item in answers[2:]} == {ANSWER_TOO_LONG}
    assert size <= BOUND + 99 * 300
    assert seconds < 3
    assert net.balance(OWNER) == 0  # what has no answer was not carried out
    assert net.call("getHealth") == "ok"


def test_a_batch_of_one_program_s_accounts(net: Localnet) -> None:
    loader = "NativeLoader1111111111111111111111111111111"
    answers, size, seconds = _batch(
        net, [_call(n, "getProgramAccounts", loader, BASE64) for n in range(100)]
    )
    assert len(answers) == 100
    assert size <= BOUND + 100 * 300
    assert seconds < 3


def test_the_number_of_calls_of_a_batch_is_bounded(net: Localnet) -> None:
    answers, _, _ = _batch(net, [_call(n, "getSlot") for n in range(100)])
    assert all("result" in item for item in answers)
    answer, _, _ = _batch(net, [_call(n, "getSlot") for n in range(101)])
    assert answer["error"] == {
        "code": -32600,
        "message": "Too many calls in a batch: 101; max 100",
    }


def test_a_single_answer_is_bounded(net: Localnet, large: list[str]) -> None:
    account = net.call("getAccountInfo", large[0], BASE64)
    assert account["value"]["space"] == LARGEST  # any one account fits
    for method, about in (("getProgramAccounts", str(OWNER)), ("getMultipleAccounts", large)):
        with pytest.raises(RpcFailure, match="dataSlice") as refused:
            net.call(method, about, BASE64)
        assert refused.value.code == ANSWER_TOO_LONG
        some = net.call(method, about, BASE64 | {"dataSlice": {"offset": 0, "length": 9}})
        assert len(some if isinstance(some, list) else some["value"]) == 3
    started = time.monotonic()
    with pytest.raises(RpcFailure, match="ask for less"):
        net.call("getMultipleAccounts", [large[0]] * 100, BASE64)
    assert time.monotonic() - started < 3
