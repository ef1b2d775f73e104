"""Requests of the published documentation, and the shapes that it gives their answers."""

from __future__ import annotations

import base64
import copy
import json
import random
from typing import Any

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.documented import ERRORS, METHODS, REQUESTS, Documented
from tests.integration.localnet.shapes import differences
from tests.integration.localnet.support import Localnet, RpcFailure
from tests.integration.localnet.tokens import TOKEN, Token, make_token

from cbctl.localnet.rpc.dispatch import METHODS as SERVED


@pytest.fixture(scope="module")
def token(net: Localnet) -> Token:
    return make_token(net, TOKEN)


def _transaction(payer: Keypair, blockhash: Hash) -> VersionedTransaction:
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=payer.pubkey(), lamports=1))
    return VersionedTransaction(
        MessageV0.try_compile(payer.pubkey(), [pay], [], blockhash), [payer]
    )


@pytest.fixture(scope="module")
def landed(net: Localnet, token: Token) -> tuple[str, str]:
    """Signatures of a legacy transaction and of one of version 0, confirmed."""
    signature = net.run([token.transfer(10)], token.holder)
    net.confirm(signature)
    versioned = net.send(_transaction(token.holder, net.blockhash()))
    net.confirm(versioned)
    return signature, versioned


@pytest.fixture
def names(net: Localnet, token: Token, landed: tuple[str, str]) -> dict[str, object]:
    """What stands in braces in the requests."""
    payer, (signature, versioned) = token.holder, landed
    fresh = _transaction(payer, net.blockhash())
    stale = _transaction(payer, Hash.default())
    return {
        "{payer}": str(payer.pubkey()),
        "{holder}": str(payer.pubkey()),
        "{nobody}": str(Pubkey.new_unique()),
        "{token}": str(token.account_of(payer)),
        "{mint}": str(token.mint),
        "{delegate}": str(token.delegate.pubkey()),
        "{token program}": str(TOKEN),
        "{slot}": net.confirm(signature)["slot"],
        "{newest}": net.slot(),
        "{signature}": signature,
        "{signature of version 0}": versioned,
        "{unknown signature}": str(Signature.new_unique()),
        "{blockhash}": str(net.blockhash()),
        "{message}": _text(to_bytes_versioned(fresh.message)),
        "{stale message}": _text(to_bytes_versioned(stale.message)),
        "{transaction}": _text(bytes(fresh)),
        "{stale transaction}": _text(bytes(stale)),
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _filled(value: Any, names: dict[str, object]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    return names[value] if isinstance(value, str) and value.startswith("{") else value


def test_every_documented_method_is_served_and_no_other() -> None:
    assert set(SERVED) == METHODS
    assert len(METHODS) == 52


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_an_answer_has_the_shape_of_the_documentation(
    net: Localnet, names: dict[str, object], request_: Documented
) -> None:
    result = net.call(request_.method, *(_filled(item, names) for item in request_.params))
    assert differences(result, request_.shape) == []


@pytest.mark.parametrize(("method", "params", "code"), ERRORS, ids=str)
def test_an_error_has_the_code_of_the_documentation(
    net: Localnet, names: dict[str, object], method: str, params: tuple[Any, ...], code: int
) -> None:
    with pytest.raises(RpcFailure) as failure:
        net.call(method, *(_filled(item, names) for item in params))
    assert failure.value.code == code


ODD: list[Any] = [
    None, True, -1, 0, 2**63, 2**64, 2**70, 1.5, 1e308, "", "\u0000", "é" * 50, "1" * 2_000,
    "z" * 88, [], {}, [[]], {"a": 1}, [None], "AQ==", "\ud83d\ude00", "jsonParsed", "base58",
]  # fmt: skip


def _with_something_odd(params: list[Any], dice: random.Random) -> list[Any]:
    """The parameters with one value, at any depth, replaced, left out or added."""
    changed = copy.deepcopy(params)
    places: list[tuple[Any, Any]] = []
    inside: list[Any] = [changed]
    while inside:
        holder = inside.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        places += [(holder, key) for key in keys]
        inside += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    if not places or dice.random() < 0.1:
        return [*changed, dice.choice(ODD)]
    holder, key = dice.choice(places)
    if dice.random() < 0.2:
        del holder[key]
    else:
        holder[key] = dice.choice(ODD)
    return changed


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_something_odd_in_a_documented_request_is_no_fault_of_the_node(
    net: Localnet, names: dict[str, object], request_: Documented
) -> None:
    dice = random.Random(str(request_))
    right = [_filled(item, names) for item in request_.params]
    calls = [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": request_.method,
            "params": _with_something_odd(right, dice),
        }
        for number in range(40)
    ]
    body, headers = json.dumps(calls), {"Content-Type": "application/json"}
    answers = net.http.post(net.url, content=body, headers=headers).json()
    codes = {answer["error"]["code"] for answer in answers if "error" in answer}
    assert len(answers) == len(calls)
    assert -32603 not in codes, net.lines[-20:]
    assert codes, "nothing was refused"


@pytest.mark.parametrize(
    ("value", "shape", "found"),
    [
        ({"a": 1}, {"a": int}, []),
        ({"a": 1}, {"a": int, "b?": str}, []),
        ({"a": "1"}, {"a": int}, ["result.a: no int but '1'"]),
        ({"a": True}, {"a": int}, ["result.a: no int but True"]),
        ({}, {"a": int}, ["result: lacks a"]),
        ({"b": 1}, {}, ["result: has b too"]),
        ([1, "x"], [int], ["result[1]: no int but 'x'"]),
        ([1], (int, int), ["result: no list of 2 but [1]"]),
        ("ok", "no", ["result: not 'no' but 'ok'"]),
    ],
)
def test_a_shape_that_is_not_met_is_found(value: Any, shape: Any, found: list[str]) -> None:
    assert differences(value, shape) == found
