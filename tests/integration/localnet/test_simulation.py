"""What a simulation tells, and what it leaves alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from spl.token import instructions as spl
from tests.integration.localnet.support import PROCESSED, SOL, Localnet, RpcFailure
from tests.integration.localnet.tables import make_table
from tests.integration.localnet.tokens import TOKEN, Token, make_token

from cbctl.localnet.encoding import b58encode

BASE64 = PROCESSED | {"encoding": "base64"}


@pytest.fixture(scope="module")
def token(net: Localnet) -> Token:
    return make_token(net, TOKEN)


def _signed(
    net: Localnet,
    instructions: Sequence[Instruction],
    payer: Keypair,
    blockhash: Hash | None = None,
) -> VersionedTransaction:
    message = Message.new_with_blockhash(
        list(instructions), payer.pubkey(), blockhash or net.blockhash()
    )
    return VersionedTransaction(message, [payer])


def _simulated(net: Localnet, transaction: VersionedTransaction, **config: object) -> Any:
    text = base64.b64encode(bytes(transaction)).decode()
    return net.call("simulateTransaction", text, BASE64 | config)["value"]


def _pay(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def test_balances_and_the_fee_are_those_that_landing_has(net: Localnet) -> None:
    payer, to = net.funded(), Pubkey.new_unique()
    priced = [set_compute_unit_limit(1_000), set_compute_unit_price(2_000_000)]
    transaction = _signed(net, [*priced, _pay(payer, to, SOL)], payer)
    told = _simulated(net, transaction)
    assert (told["err"], told["fee"], told["unitsConsumed"]) == (None, 7_000, 450)
    assert told["accounts"] is told["innerInstructions"] is told["replacementBlockhash"] is None
    assert net.balance(to) == 0
    signature = net.send(transaction)
    net.confirm(signature)
    meta = net.call("getTransaction", signature, {"commitment": "confirmed"})["meta"]
    for member, landed in (
        ("preBalances", "preBalances"),
        ("postBalances", "postBalances"),
        ("fee", "fee"),
        ("logs", "logMessages"),
        ("unitsConsumed", "computeUnitsConsumed"),
        ("loadedAddresses", "loadedAddresses"),
    ):
        assert told[member] == meta[landed]
    text = b58encode(bytes(transaction))
    for encoding in ({}, {"encoding": "base58"}):
        again = net.call("simulateTransaction", text, PROCESSED | encoding)["value"]
        assert again["err"] == "AlreadyProcessed"


@pytest.mark.parametrize("version", [0, 1])
def test_newer_versions_are_simulated_as_they_land(net: Localnet, version: int) -> None:
    payer, to = net.funded(), Pubkey.new_unique()
    message: MessageV0 | MessageV1
    if version == 0:
        table = make_table(net, payer, [to])
        pay = [_pay(payer, to, SOL)]
        message = MessageV0.try_compile(payer.pubkey(), pay, [table], net.blockhash())
        loaded, fee = {"writable": [str(to)], "readonly": []}, 5_000
    else:
        config = TransactionConfig(compute_unit_limit=900, priority_fee=70)
        pay = [_pay(payer, to, SOL)]
        message = MessageV1.try_compile(payer.pubkey(), pay, net.blockhash(), config)
        loaded, fee = {"writable": [], "readonly": []}, 5_070
    transaction = VersionedTransaction(message, [payer])
    wanted = {"addresses": [str(to)], "encoding": "base64"}
    told = _simulated(net, transaction, sigVerify=True, accounts=wanted)
    assert (told["err"], told["fee"], told["loadedAddresses"]) == (None, fee, loaded)
    assert told["accounts"][0]["lamports"] == SOL
    replaced = _simulated(net, transaction, replaceRecentBlockhash=True)
    assert (replaced["err"], replaced["fee"]) == (None, fee)
    signature = net.send(transaction)
    net.confirm(signature)
    readable = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}
    landed = net.call("getTransaction", signature, readable)
    assert landed["version"] == version
    for member in ("preBalances", "postBalances", "fee", "loadedAddresses"):
        assert told[member] == landed["meta"][member]
    block = net.call("getBlock", landed["slot"], readable)
    inside = block["transactions"][landed["transactionIndex"]]
    assert inside == {key: landed[key] for key in ("transaction", "meta", "version")}


def test_calls_between_programs_and_token_balances(token: Token) -> None:
    net, owner = token.net, Keypair()
    create = spl.create_associated_token_account(
        token.payer.pubkey(), owner.pubkey(), token.mint, TOKEN
    )
    transaction = _signed(net, [create], token.payer)
    told = _simulated(net, transaction, innerInstructions=True)
    (inner,) = told["innerInstructions"]
    assert inner["index"] == 0
    kinds = [step["parsed"]["type"] for step in inner["instructions"]]
    assert kinds == [
        *("getAccountDataSize", "createAccount"),
        *("initializeImmutableOwner", "initializeAccount3"),
    ]
    assert told["preTokenBalances"] == []
    (balance,) = told["postTokenBalances"]
    assert balance["owner"] == str(owner.pubkey())
    assert (balance["uiTokenAmount"]["amount"], balance["mint"]) == ("0", str(token.mint))
    assert told["returnData"] is None
    move = _simulated(net, _signed(net, [token.transfer(500_000)], token.holder))
    amounts = [
        [item["uiTokenAmount"]["uiAmountString"] for item in move[member]]
        for member in ("preTokenBalances", "postTokenBalances")
    ]
    assert sorted(amounts[0]) == ["0.25", "1.5"]
    assert sorted(amounts[1]) == ["0.75", "1"]


def test_accounts_as_they_would_be(token: Token) -> None:
    net = token.net
    holder, other = (str(token.account_of(owner)) for owner in (token.holder, token.other))
    transaction = _signed(net, [token.transfer(500_000)], token.holder)
    asked = {"addresses": [holder, other, str(Pubkey.new_unique())], "encoding": "jsonParsed"}
    shown = _simulated(net, transaction, accounts=asked)["accounts"]
    amounts = [item["data"]["parsed"]["info"]["tokenAmount"]["amount"] for item in shown[:2]]
    assert amounts == ["1000000", "750000"]
    assert shown[2] is None
    before = net.call("getAccountInfo", holder, {"encoding": "jsonParsed"})["value"]
    assert before["data"]["parsed"]["info"]["tokenAmount"]["amount"] == "1500000"
    plain = _simulated(net, transaction, accounts={"addresses": [holder]})["accounts"]
    assert plain[0]["data"][1] == "base64"
    assert _simulated(net, transaction, accounts={"addresses": []})["accounts"] == []


def test_accounts_that_are_asked_for_wrongly(token: Token) -> None:
    net, key = token.net, str(token.mint)
    transaction = _signed(net, [token.transfer(1)], token.holder)
    for asked, message in (
        ({"addresses": [key], "encoding": "base58"}, "base58 encoding not supported"),
        ({"addresses": [key], "encoding": "binary"}, "base58 encoding not supported"),
        ({"addresses": [key] * 6}, "Too many accounts provided; max 5"),
        ({"addresses": ["x"]}, "Invalid param: WrongSize"),
    ):
        with pytest.raises(RpcFailure, match=message) as failure:
            _simulated(net, transaction, accounts=asked)
        assert failure.value.code == -32602


def test_a_failing_transaction_says_how_far_it_came(token: Token) -> None:
    net = token.net
    told = _simulated(
        net,
        _signed(net, [token.transfer(10**12)], token.holder),
        accounts={"addresses": [str(token.mint)]},
        innerInstructions=True,
    )
    assert told["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert told["accounts"] == [None]
    assert told["unitsConsumed"] > 0
    assert told["fee"] == 5_000
    assert any("failed" in line for line in told["logs"])
    paid = [b - a for a, b in zip(told["preBalances"], told["postBalances"], strict=True)]
    assert paid == [-5_000, 0, 0, 0, 0]
    assert told["preTokenBalances"] == told["postTokenBalances"]


def test_a_blockhash_is_replaced_when_asked(net: Localnet) -> None:
    payer = net.funded()
    stale = _signed(net, [_pay(payer, Pubkey.new_unique(), SOL)], payer, Hash.default())
    told = _simulated(net, stale)
    assert (told["err"], told["logs"], told["fee"]) == ("BlockhashNotFound", [], None)
    told = _simulated(net, stale, replaceRecentBlockhash=True)
    assert told["err"] is None
    replaced = told["replacementBlockhash"]
    assert net.call("isBlockhashValid", replaced["blockhash"], PROCESSED)["value"] is True
    assert replaced["lastValidBlockHeight"] >= net.slot() + 100
    with pytest.raises(RpcFailure, match="may not be used with replaceRecentBlockhash"):
        _simulated(net, stale, replaceRecentBlockhash=True, sigVerify=True)


def test_signatures_are_looked_at_when_asked(net: Localnet) -> None:
    payer = net.funded()
    signed = _signed(net, [_pay(payer, Pubkey.new_unique(), SOL)], payer)
    unsigned = VersionedTransaction.populate(signed.message, [Signature.default()])
    assert _simulated(net, unsigned)["err"] is None
    assert _simulated(net, unsigned, sigVerify=True)["err"] == "SignatureFailure"
    assert _simulated(net, signed, sigVerify=True)["err"] is None


def test_what_a_program_returns(token: Token) -> None:
    net = token.net
    size = Instruction(
        TOKEN, bytes([21]), [AccountMeta(token.mint, is_signer=False, is_writable=False)]
    )
    told = _simulated(net, _signed(net, [size], token.payer))
    wanted = base64.b64encode((165).to_bytes(8, "little")).decode()
    assert told["returnData"] == {"programId": str(TOKEN), "data": [wanted, "base64"]}


def test_a_payer_who_is_not_there_pays_nothing(net: Localnet) -> None:
    payer = Keypair()
    told = _simulated(net, _signed(net, [_pay(payer, Pubkey.new_unique(), SOL)], payer))
    assert (told["err"], told["fee"], told["unitsConsumed"]) == ("AccountNotFound", None, 0)
    assert told["loadedAccountsDataSize"] == 0
    assert told["preBalances"] == told["postBalances"]
