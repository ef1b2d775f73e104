"""JSON-RPC calls on a chain without HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from cbctl.localnet.bank import Bank
from cbctl.localnet.rpc.dispatch import answer

SOL = 1_000_000_000
PROCESSED = {"commitment": "processed"}
CONFIRMED = {"commitment": "confirmed"}
FINALIZED = {"commitment": "finalized"}


def reply(bank: Bank, method: str, *params: object) -> Any:
    """The whole response."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return json.loads(answer(bank, json.dumps(body).encode()))


def call(bank: Bank, method: str, *params: object) -> Any:
    """The result of a call that succeeds."""
    response = reply(bank, method, *params)
    assert "error" not in response, response
    return response["result"]


def error(bank: Bank, method: str, *params: object) -> tuple[int, str]:
    """Code and message of a call that fails."""
    response = reply(bank, method, *params)
    assert "result" not in response, response
    return response["error"]["code"], response["error"]["message"]


def signed(
    bank: Bank, instructions: Sequence[Instruction], *signers: Keypair
) -> VersionedTransaction:
    """With the newest blockhash."""
    bank.tick()
    message = Message.new_with_blockhash(
        list(instructions), signers[0].pubkey(), bank.hashes.at(bank.slot)
    )
    return VersionedTransaction(message, list(signers))


def payment(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def wire(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def send(bank: Bank, transaction: VersionedTransaction, **config: object) -> str:
    """The signature, without preflight unless told otherwise."""
    options = {"encoding": "base64", "skipPreflight": True, **config}
    return str(call(bank, "sendTransaction", wire(transaction), options))


def funded(bank: Bank, sol: int = 100) -> Keypair:
    keypair = Keypair()
    bank.airdrop(keypair.pubkey(), sol * SOL)
    return keypair
