"""What is refused before a method looks at it, in a validator's words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.pubkey import Pubkey
from tests.unit.localnet.rpc.calls import error, reply

from cbctl.localnet.bank import Bank
from cbctl.localnet.rpc.dispatch import answer

KEY = str(Pubkey.new_unique())
SIGNATURE = "1" * 64


@pytest.fixture
def bank(open_bank: Callable[[], Bank]) -> Bank:
    return open_bank()


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("getVersion", [1], "Invalid parameters: No parameters were expected"),
        ("getBalance", [], "`params` should have at least 1 argument(s)"),
        ("getBalance", [KEY, {}, 3], "Invalid parameters: Expected from 1 to 2 parameters."),
        ("getSlotLeaders", [1], "Invalid params: invalid length 1, expected a tuple of size 2."),
        ("getBlockTime", ["a"], 'Invalid params: invalid type: string "a", expected u64.'),
        ("getBlockTime", [True], "Invalid params: invalid type: boolean `true`, expected u64."),
        (
            "getBlockTime",
            [1.5],
            "Invalid params: invalid type: floating point `1.5`, expected u64.",
        ),
        ("getBlockTime", [-1], "Invalid params: invalid type: integer `-1`, expected u64."),
        ("getBlockTime", [None], "Invalid params: invalid type: null, expected u64."),
        ("getBalance", [7], "Invalid params: invalid type: integer `7`, expected a string."),
        ("getBalance", [[]], "Invalid params: invalid type: sequence, expected a string."),
        ("getBalance", [{}], "Invalid params: invalid type: map, expected a string."),
        ("getBalance", ["1" * 45], "Invalid param: WrongSize"),
        ("getBalance", ["1" * 31], "Invalid param: WrongSize"),
        ("getBalance", ["0" * 32], "Invalid param: Invalid"),
        ("getTransaction", ["1" * 63], "Invalid param: WrongSize"),
        ("getTransaction", ["l" * 64], "Invalid param: Invalid"),
        ("getSignatureStatuses", [[SIGNATURE] * 257], "Too many inputs provided; max 256"),
        ("getMultipleAccounts", [[KEY] * 101], "Too many inputs provided; max 100"),
        ("getRecentPrioritizationFees", [[KEY] * 129], "Too many inputs provided; max 128"),
        ("isBlockhashValid", ["1" * 50], "WrongSize"),
        ("getSignaturesForAddress", [KEY, {"limit": 0}], "Invalid limit; max 1000"),
        ("getSignaturesForAddress", [KEY, {"limit": 1_001}], "Invalid limit; max 1000"),
        ("getRecentPerformanceSamples", [721], "Invalid limit; max 720"),
        ("getSlotLeaders", [1, 5_001], "Invalid limit; max 5000"),
        ("getBlocks", [1, 500_002], "Slot range too large; max 500000"),
        ("getBlocksWithLimit", [1, 500_001], "Limit too large; max 500000"),
    ],
)
def test_parameters_that_do_not_fit(
    bank: Bank, method: str, params: list[object], message: str
) -> None:
    assert error(bank, method, *params) == (-32602, message)


def test_too_many_parameters_say_how_many_came(bank: Bank) -> None:
    assert reply(bank, "getSlot", {}, 1)["error"]["data"] == '"Got: 2"'


def test_parameters_by_name_are_refused(bank: Bank) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"getSlot","params":{"commitment":"processed"}}'
    assert b"`params` should be an array" in answer(bank, body)


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"encoding": "base64"}, False),
        ({"encoding": "hex"}, True),
        ({"commitment": "maybe"}, True),
        ({"dataSlice": {"offset": 0}}, True),
        ({"dataSlice": {"offset": -1, "length": 1}}, True),
        ({"minContextSlot": "1"}, True),
        ({"unheardOf": True}, False),
    ],
)
def test_members_of_a_configuration(bank: Bank, config: dict[str, object], refused: bool) -> None:
    response = reply(bank, "getAccountInfo", KEY, config)
    assert ("error" in response) is refused
    if refused:
        assert response["error"]["code"] == -32602
