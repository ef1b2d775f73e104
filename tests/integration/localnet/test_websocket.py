"""The WebSocket: whatever comes in, an answer goes out or the connection ends with a reason."""

from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.integration.localnet.crowd import SILENT, crowd, seconds_until_closed
from tests.integration.localnet.socket_client import frame, listening, raw
from tests.integration.localnet.support import SOL, Localnet, RpcFailure, Start
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

KEY = "11111111111111111111111111111111"
KINDS = ["account", "block", "logs", "program", "root", "signature", "slot", "slotsUpdates"]
MAX_CONNECTIONS = 512


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ("{", -32700, "Parse error"),
        ("", -32700, "Parse error"),
        (b"\xff\xfe{}", -32700, "Parse error"),
        ("[]", -32600, "Invalid request"),
        ("7", -32600, "Invalid request"),
        ('{"jsonrpc":"1.0","id":1,"method":"slotSubscribe"}', -32600, "Invalid request"),
        ('{"jsonrpc":"2.0","id":1,"method":"voteSubscribe"}', -32601, "Method not found"),
        ('{"jsonrpc":"2.0","id":1,"method":"getSlot"}', -32601, "Method not found"),
        ('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe","params":[1]}', -32602, "No parameters"),
        ('{"jsonrpc":"2.0","id":1,"method":"slotSubscribe","params":{"a":1}}', -32602, "array"),
        ('{"jsonrpc":"2.0","id":1,"method":"accountSubscribe"}', -32602, "at least 1 arg"),
    ],
)
def test_errors_have_the_standard_codes(
    net: Localnet, message: bytes | str, code: int, says: str
) -> None:
    with listening(net) as client:
        client.websocket.send(message)
        error = client.receive()["error"]
        assert error["code"] == code
        assert says in error["message"]
        assert client.call("getVersion")["solana-core"]  # the connection goes on


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        ("accountSubscribe", ["x"], "Invalid Request: Invalid pubkey provided"),
        ("accountSubscribe", [KEY, {"commitment": "maybe"}], "maybe"),
        ("accountSubscribe", [KEY, {"encoding": "base32"}], "base32"),
        ("programSubscribe", [7], "integer `7`, expected a string"),
        ("programSubscribe", [KEY, {"filters": [{}]}], "filter"),
        ("programSubscribe", [KEY, {"filters": [{"dataSize": 1}] * 5}], "Too many filters"),
        ("logsSubscribe", ["some"], "Expected `object`, got `str`"),
        ("logsSubscribe", [{"mentions": []}], "Only 1 address supported"),
        ("logsSubscribe", [{"mentions": [KEY, KEY]}], "Only 1 address supported"),
        ("logsSubscribe", [{"mentions": ["x"]}], "Invalid mentions provided"),
        ("signatureSubscribe", [KEY], "Invalid signature provided"),
        ("blockSubscribe", ["none"], "Expected `object`, got `str`"),
        ("blockSubscribe", ["all", {"commitment": "processed"}], "below `confirmed`"),
        ("blockSubscribe", [{"mentionsAccountOrProgram": "x"}], "mentions_account_or_program"),
        ("slotUnsubscribe", [999], "Invalid subscription id."),
        ("slotUnsubscribe", ["a"], 'string "a", expected u64'),
        ("slotUnsubscribe", [], "invalid length 0"),
    ],
)
def test_wrong_parameters_are_named(
    net: Localnet, method: str, params: list[object], says: str
) -> None:
    with listening(net) as client:
        with pytest.raises(RpcFailure) as refused:
            client.call(method, *params)
        assert refused.value.code == -32602
        assert says in str(refused.value)


def test_a_batch_and_a_binary_frame_are_answered(net: Localnet) -> None:
    calls = [{"jsonrpc": "2.0", "id": n, "method": "rootSubscribe"} for n in range(3)]
    with listening(net) as client:
        client.websocket.send(json.dumps(calls).encode())
        answers = client.receive()
        assert [item["id"] for item in answers] == [0, 1, 2]
        assert len({item["result"] for item in answers}) == 1
        # A notification, as web3.js keeps the connection alive with, is not answered.
        client.websocket.send('{"jsonrpc":"2.0","method":"ping"}')
        assert client.call("rootUnsubscribe", answers[0]["result"]) is True


def test_pings_are_answered(net: Localnet) -> None:
    with connect(net.ws_url, proxy=None) as websocket:
        assert websocket.ping(b"anybody there").wait(30)


def test_a_message_over_the_limit_ends_the_connection_with_a_reason(net: Localnet) -> None:
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "getVersion", "params": []}
    room = 4_096 - len(json.dumps(call))
    with connect(net.ws_url, proxy=None) as websocket:
        websocket.send(json.dumps(call) + " " * room)
        assert "result" in json.loads(websocket.recv(timeout=30))
        websocket.send(json.dumps(call) + " " * (room + 1))
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_frames_that_break_the_protocol(net: Localnet) -> None:
    call = b'{"jsonrpc":"2.0","id":1,"method":"getVersion"}'
    broken = {
        "unmasked": frame(call, masked=False),
        "reserved bits": frame(call, first=0xF0),
        "unknown opcode": frame(call, opcode=5),
        "a fragment of nothing": frame(call, opcode=0),
        "a fragmented ping": frame(b"", opcode=9, first=0),
        "a long ping": frame(b"x" * 126, opcode=9),
        "a close code that is none": frame(b"\x00\x01", opcode=8),
    }
    for name, sent in broken.items():
        with raw(net) as connection:
            connection.sendall(sent)
            answer = connection.recv(4096)
            assert answer[:1] == b"\x88", name
            assert int.from_bytes(answer[2:4], "big") in (1002, 1007), name


@pytest.mark.parametrize(
    "seed", [20261126, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(20))]
)
def test_random_frames_and_messages_do_no_harm(net: Localnet, seed: int) -> None:
    dice = random.Random(seed)
    kinds = [*KINDS, "vote"]
    methods = [f"{kind}{end}" for kind in kinds for end in ("Subscribe", "Unsubscribe")]
    odd: list[Any] = [
        None, True, -1, 2**64, 2**70, 1.5, "", "\u0000", "é" * 50, "1" * 500, "z" * 88, KEY, "all",
        [], {}, [[]], {"a": 1}, {"mentions": [KEY]}, {"commitment": 1}, {"encoding": "base58"},
        {"filters": [{"memcmp": {"offset": 2**65, "bytes": "1"}}]}, {"filters": [{"dataSize": -1}]},
    ]  # fmt: skip
    valid = b'{"jsonrpc":"2.0","id":1,"method":"accountSubscribe","params":["%s"]}' % KEY.encode()
    for _ in range(60):
        with raw(net) as connection:
            for _ in range(10):
                roll = dice.random()
                if roll < 0.5:
                    call = {
                        "jsonrpc": "2.0",
                        "id": dice.choice(odd),
                        "method": dice.choice(methods),
                        "params": dice.choices(odd, k=dice.randrange(4)),
                    }
                    sent = frame(json.dumps(call).encode())
                elif roll < 0.8:
                    cut = bytearray(valid)
                    for _ in range(dice.randrange(1, 6)):
                        cut[dice.randrange(len(cut))] = dice.randrange(256)
                    sent = frame(bytes(cut))
                elif roll < 0.9:
                    sent = frame(dice.randbytes(20), opcode=dice.randrange(16))
                else:
                    sent = dice.randbytes(dice.randrange(1, 40))
                try:
                    connection.sendall(sent)
                except OSError:
                    break  # the server has closed it
    with listening(net) as client:
        assert client.call("slotSubscribe") >= 0
    assert net.call("getHealth") == "ok"
    assert not [line for line in net.lines if "Traceback" in line or "failed" in line]


@pytest.mark.parametrize(
    "seed", [20261127, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(20))]
)
def test_two_hundred_malformed_calls_each_get_an_error(net: Localnet, seed: int) -> None:
    dice = random.Random(seed)
    odd: list[Any] = [
        None, True, -1, 2**64, 2**70, 1.5, "", "\u0000", "é" * 50, "z" * 88, {}, [[]], {"a": 1},
        {"mentions": [KEY, KEY]}, {"mentionsAccountOrProgram": 5}, "allofthem",
    ]  # fmt: skip
    with listening(net) as client:
        for number in range(200):
            kind = dice.choice(KINDS)
            params = [dice.choice(odd), *dice.choices(odd, k=dice.randrange(3))]
            body = {
                "jsonrpc": "2.0",
                "id": number,
                "method": f"{kind}{dice.choice(['Subscribe', 'Unsubscribe'])}",
                "params": params,
            }
            client.websocket.send(json.dumps(body))
            answer = client.receive()
            assert answer["id"] == number
            assert answer["error"]["code"] == -32602, (body, answer, net.lines[-20:])


def test_too_many_connections_are_told_so(start: Start) -> None:
    net = start()
    hello = (
        b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with crowd(net.port + 1, MAX_CONNECTIONS, hello) as clients:
        for client in clients:
            client.settimeout(60)
            assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        with pytest.raises(InvalidStatus) as refused, connect(net.ws_url, proxy=None):
            pass
        assert refused.value.response.status_code == 503
        assert b"512 connections" in (refused.value.response.body or b"")
        assert net.call("getHealth") == "ok"  # HTTP has its own
    deadline = time.monotonic() + 30
    while True:
        try:
            with connect(net.ws_url, proxy=None):
                break
        except InvalidStatus:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_those_who_shake_no_hands_are_bounded_too(start: Start) -> None:
    net = start()
    with crowd(net.port + 1, 2 * MAX_CONNECTIONS + 20, b"") as clients:
        assert seconds_until_closed(clients[-1]) < 5  # others have ten seconds
        assert net.call("getHealth") == "ok"


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
def test_silent_clients_do_not_keep_others_waiting(start: Start, sent: bytes) -> None:
    net = start()
    with crowd(net.port + 1, 500, sent), listening(net) as client:
        assert client.call("slotSubscribe") >= 0


def test_subscriptions_of_a_connection_are_bounded(net: Localnet) -> None:
    with listening(net) as client:
        for _ in range(1_000):
            client.call("accountSubscribe", str(Keypair().pubkey()))
        with pytest.raises(RpcFailure, match="Subscription refused") as refused:
            client.call("slotSubscribe")
        assert refused.value.code == -32603
    with listening(net) as client:
        assert client.call("slotSubscribe") >= 0


def test_a_client_that_does_not_read_is_closed_and_others_are_served(net: Localnet) -> None:
    payer = net.funded(1_000)
    account = net.create(payer, 500_000, Pubkey.new_unique())
    config = {"commitment": "processed", "encoding": "base64"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "accountSubscribe", "params": [account, config]}
    with listening(net) as other, raw(net) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        deaf.sendall(frame(json.dumps(call).encode()))
        small = other.call("accountSubscribe", str(payer.pubkey()), config)
        for number in range(60):
            net.pay(payer, Pubkey.from_string(account), SOL + number)
            other.next(small)
            if any("was closed: too slow" in line for line in net.lines):
                break
        else:
            pytest.fail("the client that does not read is still served")
        # It gets what it was sent before, and then the reason, or only the end if it is too late.
        received = b""
        deaf.settimeout(60)
        try:
            while b"too slow" not in received:
                part = deaf.recv(1 << 20)
                assert part, received
                received = (received + part)[-4096:]
        except ConnectionResetError:
            pass
        assert other.call("accountUnsubscribe", small) is True


def test_a_stop_does_not_wait_for_those_who_never_read(start: Start) -> None:
    net = start()
    payer = net.funded(1_000)
    account = net.create(payer, 2_000_000, Pubkey.new_unique())
    config = {"commitment": "processed", "encoding": "base64"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "accountSubscribe", "params": [account, config]}
    with raw(net) as deaf, raw(net) as late:
        for one in (deaf, late):
            one.sendall(frame(json.dumps(call).encode()))
            assert one.recv(200).endswith(b'"id":1}')
        for number in range(60):
            net.pay(payer, Pubkey.from_string(account), SOL + number)
            if any("was closed: too slow" in line for line in net.lines):
                break
        started = time.monotonic()
        assert net.stop() == 0
        assert time.monotonic() - started < 15


def test_a_client_that_only_pings_and_never_reads_is_cut(net: Localnet) -> None:
    pings = frame(b"x" * 125, opcode=9) * 1_000
    with raw(net) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        with pytest.raises(OSError, match=r"(?i)reset|broken pipe"):
            for _ in range(1_000):
                deaf.sendall(pings)
    assert net.call("getHealth") == "ok"


def test_a_stop_is_told_to_those_who_listen(start: Start) -> None:
    net = start()
    with listening(net) as client:
        client.call("slotSubscribe")
        assert net.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.receive()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the localnet stops")


@pytest.mark.nightly
def test_a_client_that_answers_no_ping_is_closed(net: Localnet) -> None:
    with raw(net) as deaf:
        deaf.settimeout(120)
        assert deaf.recv(4096)[0] == 0x89
        assert deaf.recv(4096)[0] == 0x88
