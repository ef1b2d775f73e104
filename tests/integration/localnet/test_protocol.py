"""JSON-RPC and HTTP: whatever comes in, an answer goes out."""

from __future__ import annotations

import base64
import json
import random
import socket
from typing import Any

import httpx
import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.support import SOL, Localnet, RpcFailure

JSON = {"content-type": "application/json"}


def _post(net: Localnet, body: bytes | str, **headers: str) -> httpx.Response:
    return net.http.post(net.url, content=body, headers={**JSON, **headers})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ("", -32700),
        (b"\xff\xfe{}", -32700),
        ("[" * 20_000, -32700),
        ("[]", -32600),
        ("1", -32600),
        ("{}", -32600),
        ('{"jsonrpc":"1.0","id":1,"method":"getSlot"}', -32600),
        ('{"jsonrpc":"2.0","id":{},"method":"getSlot"}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        ('{"jsonrpc":"2.0","id":1,"method":"noSuchMethod"}', -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"__init__"}', -32601),
        ('{"jsonrpc":"2.0","id":1,"method":"getBalance"}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"getBalance","params":{"pubkey":"x"}}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"getBalance","params":["x"]}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"getSlot","params":[{"commitment":"maybe"}]}', -32602),
        ('{"jsonrpc":"2.0","id":1,"method":"getSlot","params":[{},1]}', -32602),
        (
            '{"jsonrpc":"2.0","id":1,"method":"getSlot","params":[{"minContextSlot":99999999999}]}',
            -32016,
        ),
    ],
)
def test_errors_have_the_standard_codes(net: Localnet, body: bytes | str, code: int) -> None:
    response = _post(net, body)
    assert response.status_code == 200
    answer = response.json()
    assert answer["jsonrpc"] == "2.0"
    assert answer["error"]["code"] == code


def test_a_batch_answers_each_call_and_no_notification(net: Localnet) -> None:
    body = json.dumps(
        [
            {"jsonrpc": "2.0", "id": "a", "method": "getHealth"},
            {"jsonrpc": "2.0", "method": "getHealth"},
            {"jsonrpc": "2.0", "id": 2, "method": "nothing"},
            7,
        ]
    )
    answers = _post(net, body).json()
    assert [item["id"] for item in answers] == ["a", 2, None]
    assert answers[0]["result"] == "ok"
    assert answers[1]["error"] == {"code": -32601, "message": "Method not found"}
    assert answers[2]["error"]["code"] == -32600
    alone = _post(net, '{"jsonrpc":"2.0","method":"getHealth"}')
    assert (alone.status_code, alone.content) == (200, b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8899", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8899", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8899", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1:8899@evil.example", 403),
    ],
)
def test_only_names_of_this_machine_are_hosts(net: Localnet, host: str, status: int) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
    assert _post(net, body, host=host).status_code == status


def test_only_json_is_read(net: Localnet) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"getHealth"}'
    simple = net.http.post(net.url, content=body, headers={"content-type": "text/plain"})
    assert simple.status_code == 415
    asked = net.http.request("OPTIONS", net.url)
    assert asked.status_code == 405


def test_health_is_a_plain_get(net: Localnet) -> None:
    response = net.http.get(f"{net.url}/health")
    assert (response.status_code, response.text) == (200, "ok")


def test_a_body_over_the_limit_is_refused_and_the_next_is_served(net: Localnet) -> None:
    whole = _post(net, b" " * (50 * 1024 + 1))
    assert whole.status_code == 413
    assert whole.json()["error"]["code"] == -32600

    def chunks() -> Any:
        for _ in range(60):
            yield b" " * 1024

    chunked = net.http.post(net.url, content=chunks(), headers=JSON)
    assert chunked.status_code == 413
    assert net.call("getHealth") == "ok"


def test_a_body_that_is_longer_than_it_says_is_not_read(net: Localnet) -> None:
    head = (
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", net.port), 20) as connection:
        connection.sendall(head + chunk)
        assert connection.recv(64).split()[1] in (b"400", b"413")
    assert net.call("getHealth") == "ok"


def test_clients_that_hang_up_do_no_harm(net: Localnet) -> None:
    head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    for sent in (b"", b"GARBAGE\r\n\r\n", head, head + b"content-length: 100\r\n\r\n{"):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", net.port)) as connection:
                connection.sendall(sent)
    assert net.call("getHealth") == "ok"
    assert not [line for line in net.lines if "Traceback" in line or "rror" in line]


def test_transactions_that_are_none(net: Localnet) -> None:
    payer = net.funded()
    good = VersionedTransaction(
        Message.new_with_blockhash(
            [
                transfer(
                    TransferParams(from_pubkey=payer.pubkey(), to_pubkey=payer.pubkey(), lamports=1)
                )
            ],
            payer.pubkey(),
            net.blockhash(),
        ),
        [payer],
    )
    raw = bytes(good)

    def refused(data: bytes, message: str, code: int = -32602) -> None:
        with pytest.raises(RpcFailure, match=message) as error:
            net.call("sendTransaction", base64.b64encode(data).decode(), {"encoding": "base64"})
        assert error.value.code == code

    refused(raw[:-1], "failed to deserialize")
    refused(raw + b"\0", "failed to deserialize")
    refused(raw + b"\0" * 1_200, "too large: 1\\d\\d\\d bytes \\(max: 1232 bytes\\)")
    refused(b"\x81" + b"\0" * 4_200, "too large")
    refused(b"", "failed to deserialize")
    outside = bytearray(raw)
    outside[-15] = 99  # the program's index points outside of the accounts
    refused(bytes(outside), "failed to deserialize")
    broken = bytearray(raw)
    broken[5] ^= 1
    refused(bytes(broken), "did not pass signature verification", -32002)
    with pytest.raises(RpcFailure, match="base58"):
        net.call("sendTransaction", "0OIl")
    with pytest.raises(RpcFailure, match="base64"):
        net.call("sendTransaction", "*", {"encoding": "base64"})
    # Without preflight nobody looks at the signature first; nothing lands.
    net.send(VersionedTransaction.from_bytes(bytes(broken)), skipPreflight=True)
    assert net.status(str(VersionedTransaction.from_bytes(bytes(broken)).signatures[0])) is None


def test_a_preflight_failure_says_why(net: Localnet) -> None:
    payer = net.funded(1)
    with pytest.raises(RpcFailure) as failure:
        net.pay(payer, Pubkey.new_unique(), 5 * SOL)
    assert failure.value.code == -32002
    assert str(failure.value) == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )
    assert failure.value.data["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert any("insufficient lamports" in line for line in failure.value.data["logs"])
    with pytest.raises(RpcFailure, match="no record of a prior credit"):
        net.pay(Keypair(), Pubkey.new_unique(), SOL)


def test_a_failing_transaction_without_preflight_lands_and_pays(net: Localnet) -> None:
    payer = net.funded(1)
    pay = transfer(
        TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=5 * SOL)
    )
    status = net.confirm(net.run([pay], payer, skipPreflight=True))
    assert status["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert net.balance(payer.pubkey()) == SOL - 5_000


def test_two_hundred_malformed_bodies_each_get_an_error(net: Localnet) -> None:
    dice = random.Random(20260915)
    methods = [
        "getBalance", "getAccountInfo", "getMultipleAccounts", "getProgramAccounts",
        "sendTransaction", "simulateTransaction", "getSignatureStatuses", "getTransaction",
        "getSignaturesForAddress", "getBlockTime", "getBlock", "getBlocks", "requestAirdrop",
        "getFeeForMessage", "isBlockhashValid", "getMinimumBalanceForRentExemption",
    ]  # fmt: skip
    odd: list[Any] = [
        None, True, -1, 2**64, 2**70, 1.5, 1e308, "", "\u0000", "é" * 50, "1" * 2_000, "z" * 88,
        [], {}, [[]], {"a": 1}, [None], "AQ==", "\ud83d\ude00", {"encoding": 5},
    ]  # fmt: skip
    valid = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": ["x"]})
    for number in range(200):
        if number % 2:
            # The first parameter is never a right one, so no call can succeed.
            params = [dice.choice(odd), *dice.choices(odd, k=dice.randrange(3))]
            method = dice.choice(methods)
            body = json.dumps(
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            ).encode()
        else:
            cut = bytearray(valid.encode())
            for _ in range(dice.randrange(1, 6)):
                cut[dice.randrange(len(cut))] = dice.randrange(256)
            body = bytes(cut[: dice.randrange(1, len(cut) + 1)])
        response = _post(net, body)
        assert response.status_code == 200, body
        if not response.content:
            assert b'"id"' not in body  # mangled into a notification
            continue
        answer = response.json()
        if "result" in answer:
            # An empty list of signatures or accounts is a fair question.
            result = answer["result"]
            assert (result["value"] if isinstance(result, dict) else result) == []
            continue
        assert answer["error"]["code"] != -32603, (body, answer, net.lines[-20:])
    assert net.call("getHealth") == "ok"
