"""Notifications have the shapes that the RPC's documentation publishes, when they are due.

The examples are those of https://solana.com/docs/rpc/websocket with long values cut short. Two are
changed: the block has its signatures in place of whole transactions, and the update of a slot has
no `parent`, which its own page allows only for "createdBank".
"""

from __future__ import annotations

import base64
import json
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from tests.integration.localnet.loader import MEMO
from tests.integration.localnet.socket_client import listening
from tests.integration.localnet.support import SOL, Localnet

SYSTEM = "11111111111111111111111111111111"

ACCOUNT = """{"jsonrpc": "2.0", "method": "accountNotification", "params": {"result": {"context":
  {"slot": 5199307}, "value": {"data": ["11116bv5nS2h3y12kD1yUKeMZvGcKLSjQgX6BeV7u1Frj", "base58"],
  "executable": false, "lamports": 33594, "owner": "11111111111111111111111111111111",
  "rentEpoch": 635, "space": 80}}, "subscription": 23784}}"""
PROGRAM = """{"jsonrpc": "2.0", "method": "programNotification", "params": {"result": {"context":
  {"slot": 5208469}, "value": {"pubkey": "H4vnBqifaSACnKa7acsxstsY1iV1bvJNxsCY7enrd1hq",
  "account": {"data": ["11116bv5nS2h3y12kD1yUKeMZvGcKLSjQgX6BeV7u1Frj", "base58"],
  "executable": false, "lamports": 33594, "owner": "11111111111111111111111111111111",
  "rentEpoch": 636, "space": 80}}}, "subscription": 24040}}"""
LOGS = """{"jsonrpc": "2.0", "method": "logsNotification", "params": {"result": {"context":
  {"slot": 5208469}, "value": {"signature": "5h6xBEauJ3PK6SWCZ1PGjBvj8vDdWG3KpwATGy1ARAXFSDwt",
  "err": null, "logs": ["SBF program 83astBRguLMdt2h5U1Tpdq5tjFoJ6noeGwaY3mDLVcri success"]}},
  "subscription": 24040}}"""
SIGNATURE = """{"jsonrpc": "2.0", "method": "signatureNotification", "params": {"result":
  {"context": {"slot": 5207624}, "value": {"err": null}}, "subscription": 24006}}"""
RECEIVED = """{"jsonrpc": "2.0", "method": "signatureNotification", "params": {"result": {"context":
  {"slot": 5207624}, "value": "receivedSignature"}, "subscription": 24006}}"""
SLOT = """{"jsonrpc": "2.0", "method": "slotNotification", "params": {"result": {"parent": 75,
  "root": 44, "slot": 76}, "subscription": 0}}"""
ROOT = """{"jsonrpc": "2.0", "method": "rootNotification", "params": {"result": 42,
  "subscription": 0}}"""
SLOTS_UPDATES = """{"jsonrpc": "2.0", "method": "slotsUpdatesNotification", "params": {"result":
  {"slot": 76, "timestamp": 1625081266243, "type": "optimisticConfirmation"}, "subscription": 0}}"""
BLOCK = """{"jsonrpc": "2.0", "method": "blockNotification", "params": {"result": {"context":
  {"slot": 112301554}, "value": {"slot": 112301554, "block": {"previousBlockhash": "GJp125YAN4",
  "blockhash": "6ojMHjctdqfB55JDpEpqfHnP96fiaHEcvzEQ2NNcxzHP", "parentSlot": 112301553,
  "blockTime": 1639926816, "blockHeight": 101210751, "signatures": ["2BCqkaQ6v"]}, "err": null}},
  "subscription": 14}}"""


def same_shape(example: str, real: Any) -> None:
    """Keys and kinds of value are the example's, all the way down."""
    _compare(json.loads(example), real, "message")


def _compare(example: Any, real: Any, where: str) -> None:
    assert type(real) is type(example), (where, real)
    if isinstance(example, dict):
        assert set(real) == set(example), where
        for key, value in example.items():
            _compare(value, real[key], f"{where}.{key}")
    elif isinstance(example, list):
        for item in real:
            _compare(example[0], item, f"{where}[]")
    elif isinstance(example, str) and where.endswith((".method", ".jsonrpc", ".type")):
        assert real == example


def test_accounts_programs_logs_and_blocks(net: Localnet) -> None:
    payer, key = net.funded(), Keypair().pubkey()
    with listening(net) as client:
        config = {"encoding": "base58", "commitment": "confirmed"}
        account = client.call("accountSubscribe", str(key), config)
        program = client.call("programSubscribe", SYSTEM, config)
        logs = client.call("logsSubscribe", {"mentions": [str(key)]}, {"commitment": "confirmed"})
        block = client.call(
            "blockSubscribe",
            {"mentionsAccountOrProgram": str(key)},
            {"commitment": "confirmed", "transactionDetails": "signatures"},
        )
        signature = net.pay(payer, key, SOL)
        told = {number: client.next(number) for number in (account, program, logs, block)}
    same_shape(ACCOUNT, told[account])
    same_shape(PROGRAM, told[program])
    same_shape(LOGS, told[logs])
    same_shape(BLOCK, told[block])
    assert told[block]["params"]["result"]["value"]["block"]["signatures"] == [signature]
    slots = {number: item["params"]["result"]["context"]["slot"] for number, item in told.items()}
    assert len(set(slots.values())) == 1


def test_signatures_slots_roots_and_updates(net: Localnet) -> None:
    payer = net.funded()
    with listening(net) as client:
        slot, root = client.call("slotSubscribe"), client.call("rootSubscribe")
        updates = client.call("slotsUpdatesSubscribe")
        same_shape(SLOT, client.next(slot))
        same_shape(ROOT, client.next(root))
        for _ in range(10):
            update = client.next(updates)
            if update["params"]["result"]["type"] == "optimisticConfirmation":
                break
        same_shape(SLOTS_UPDATES, update)

        pay = transfer(
            TransferParams(from_pubkey=payer.pubkey(), to_pubkey=payer.pubkey(), lamports=SOL)
        )
        transaction = net.signed([pay], payer)
        wanted = {"commitment": "confirmed", "enableReceivedNotification": True}
        number = client.call("signatureSubscribe", str(transaction.signatures[0]), wanted)
        net.send(transaction)
        same_shape(RECEIVED, client.next(number))
        same_shape(SIGNATURE, client.next(number))


def test_what_is_confirmed_is_confirmed_for_the_rpc_too(net: Localnet) -> None:
    payer = net.funded()
    with listening(net) as client:
        for commitment in ("confirmed", "finalized"):
            signature = net.pay(payer, Pubkey.new_unique(), SOL)
            number = client.call("signatureSubscribe", signature, {"commitment": commitment})
            client.next(number)
            status = net.status(signature)
            # A slot may have passed since.
            assert status["confirmationStatus"] in (commitment, "finalized")


def test_a_failed_transaction_is_told_with_its_error(net: Localnet) -> None:
    payer = net.funded(1)
    with listening(net) as client:
        pay = TransferParams(
            from_pubkey=payer.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=5 * SOL
        )
        signature = net.run([transfer(pay)], payer, skipPreflight=True)
        number = client.call("signatureSubscribe", signature, {"commitment": "processed"})
        error = {"InstructionError": [0, {"Custom": 1}]}
        assert client.result(number)["value"] == {"err": error}


def test_an_account_s_data_is_told_in_the_encoding_asked_for(net: Localnet) -> None:
    payer = net.funded()
    key = net.create(payer, 5, MEMO)
    ask = {"commitment": "processed"}
    with listening(net) as client:
        numbers = {
            encoding: client.call("accountSubscribe", key, ask | {"encoding": encoding})
            for encoding in ("base58", "base64")
        }
        bare = client.call("accountSubscribe", key, ask)
        net.pay(payer, Pubkey.from_string(key), SOL)
        data = {name: client.result(number)["value"]["data"] for name, number in numbers.items()}
        assert data == {
            "base58": ["11111", "base58"],
            "base64": [base64.b64encode(bytes(5)).decode(), "base64"],
        }
        assert client.result(bare)["value"]["data"] == "11111"
