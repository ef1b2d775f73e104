"""Landed transactions and blocks in every form that the RPC has for them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.rpc.responses import GetBlockResp, GetTransactionResp
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.integration.localnet.support import SOL, Localnet, RpcFailure
from tests.integration.localnet.tables import make_table, send_with_table
from tests.integration.localnet.tokens import TOKEN, make_token

from cbctl.localnet.encoding import b58decode

SYSTEM = "1" * 32
CONFIRMED = {"commitment": "confirmed"}
ANY = CONFIRMED | {"maxSupportedTransactionVersion": 1}
PARSED = {"encoding": "jsonParsed"}


def _pay(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def _read(response: Any, result: object) -> Any:
    """What solders makes of a result."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
    return response.from_json(body).value


@dataclass(frozen=True)
class Landed:
    """One confirmed transaction of every version; each pays `to`, of which the table knows."""

    net: Localnet
    payer: Keypair
    to: Pubkey
    table: AddressLookupTableAccount
    legacy: str
    versioned: str
    newest: str

    def shown(self, signature: str, **config: object) -> Any:
        return self.net.call("getTransaction", signature, ANY | config)


@pytest.fixture(scope="module")
def landed(net: Localnet) -> Landed:
    payer, to = net.funded(), Pubkey.new_unique()
    table = make_table(net, payer, [to, Pubkey.new_unique()])
    priced = [set_compute_unit_limit(1_000), set_compute_unit_price(2_000_000)]
    legacy = net.run([*priced, _pay(payer, to, SOL)], payer)
    versioned = send_with_table(net, [_pay(payer, to, SOL)], payer, table)
    config = TransactionConfig(compute_unit_limit=900, priority_fee=7)
    message = MessageV1.try_compile(payer.pubkey(), [_pay(payer, to, SOL)], net.blockhash(), config)
    newest = net.send(VersionedTransaction(message, [payer]))
    for signature in (legacy, versioned, newest):
        net.confirm(signature)
    return Landed(net, payer, to, table, legacy, versioned, newest)


def test_the_bytes_are_those_that_were_sent(landed: Landed) -> None:
    for signature in (landed.legacy, landed.versioned, landed.newest):
        text, encoding = landed.shown(signature, encoding="base64")["transaction"]
        raw = base64.b64decode(text)
        assert encoding == "base64"
        assert str(VersionedTransaction.from_bytes(raw).signatures[0]) == signature
        short, encoding = landed.shown(signature, encoding="base58")["transaction"]
        assert (b58decode(short), encoding) == (raw, "base58")
        assert landed.shown(signature, encoding="binary")["transaction"] == short


def test_a_legacy_transaction(landed: Landed) -> None:
    shown = landed.shown(landed.legacy)
    assert shown["version"] == "legacy"
    message = shown["transaction"]["message"]
    assert message["header"] == {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 2,
    }
    assert message["accountKeys"][:2] == [str(landed.payer.pubkey()), str(landed.to)]
    assert "addressTableLookups" not in message
    assert message["instructions"][2] == {
        "programIdIndex": message["accountKeys"].index(SYSTEM),
        "accounts": [0, 1],
        "data": "3Bxs3zzLZLuLQEYX",  # a transfer of one SOL
        "stackHeight": 1,
    }
    meta = shown["meta"]
    # 1,000 units for two lamports each, on top of one signature.
    assert (meta["err"], meta["status"], meta["fee"]) == (None, {"Ok": None}, 7_000)
    paid = [a - b for a, b in zip(meta["postBalances"], meta["preBalances"], strict=True)]
    assert paid[:2] == [-SOL - 7_000, SOL]
    assert meta["computeUnitsConsumed"] == 450
    assert meta["logMessages"][-1] == f"Program {SYSTEM} success"
    assert meta["loadedAddresses"] == {"readonly": [], "writable": []}
    assert (meta["innerInstructions"], meta["rewards"]) == ([], [])
    assert "returnData" not in meta
    without = landed.net.call("getTransaction", landed.legacy, CONFIRMED)
    assert "version" not in without
    assert without["meta"] == meta


def test_addresses_out_of_a_table(landed: Landed) -> None:
    shown = landed.shown(landed.versioned)
    assert shown["version"] == 0
    message, meta = shown["transaction"]["message"], shown["meta"]
    assert message["accountKeys"] == [str(landed.payer.pubkey()), SYSTEM]
    assert message["addressTableLookups"] == [
        {"accountKey": str(landed.table.key), "writableIndexes": [0], "readonlyIndexes": []}
    ]
    assert meta["loadedAddresses"] == {"writable": [str(landed.to)], "readonly": []}
    assert len(meta["postBalances"]) == 3
    parsed = landed.shown(landed.versioned, **PARSED)
    assert parsed["transaction"]["message"]["accountKeys"] == [
        {
            "pubkey": str(landed.payer.pubkey()),
            "signer": True,
            "source": "transaction",
            "writable": True,
        },
        {"pubkey": SYSTEM, "signer": False, "source": "transaction", "writable": False},
        {"pubkey": str(landed.to), "signer": False, "source": "lookupTable", "writable": True},
    ]
    assert "loadedAddresses" not in parsed["meta"]


def test_the_configuration_of_a_version_1_header(landed: Landed) -> None:
    shown = landed.shown(landed.newest)
    assert (shown["version"], shown["meta"]["fee"]) == (1, 5_007)
    assert shown["transaction"]["message"]["transactionConfig"] == {
        "priorityFee": 7,
        "computeUnitLimit": 900,
        "loadedAccountsDataSizeLimit": None,
        "heapSize": None,
    }


def test_instructions_are_parsed_where_their_program_is_known(landed: Landed) -> None:
    shown = landed.shown(landed.legacy, **PARSED)
    limit, price, pay = shown["transaction"]["message"]["instructions"]
    # No validator parses these.
    assert limit["programId"] == price["programId"] == "ComputeBudget" + "1" * 30
    assert (limit["accounts"], limit["stackHeight"]) == ([], 1)
    assert b58decode(limit["data"]) == set_compute_unit_limit(1_000).data
    assert pay == {
        "program": "system",
        "programId": SYSTEM,
        "parsed": {
            "type": "transfer",
            "info": {
                "source": str(landed.payer.pubkey()),
                "destination": str(landed.to),
                "lamports": SOL,
            },
        },
        "stackHeight": 1,
    }


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58"])
def test_solders_reads_every_encoding(landed: Landed, encoding: str) -> None:
    for signature in (landed.legacy, landed.versioned, landed.newest):
        result = landed.shown(signature, encoding=encoding)
        parsed = _read(GetTransactionResp, result)
        assert parsed.slot == result["slot"]
        assert parsed.transaction.meta is not None
        assert parsed.transaction.meta.fee == result["meta"]["fee"]
        assert parsed.transaction.meta.cost_units == result["meta"]["costUnits"]


def test_what_a_program_returns_and_what_it_costs(net: Localnet) -> None:
    token = make_token(net, TOKEN)
    size = Instruction(
        TOKEN, bytes([21]), [AccountMeta(token.mint, is_signer=False, is_writable=False)]
    )
    signature = net.run([size], token.payer)
    net.confirm(signature)
    meta = net.call("getTransaction", signature, ANY)["meta"]
    wanted = base64.b64encode((165).to_bytes(8, "little")).decode()
    assert meta["returnData"] == {"programId": str(TOKEN), "data": [wanted, "base64"]}
    # A signature, a lock, the units, a byte of data; the pages of what was loaded come on top.
    base = 720 + 300 + meta["computeUnitsConsumed"]
    pages = (meta["costUnits"] - base) // 8
    assert meta["costUnits"] == base + 8 * pages
    assert pages >= 1


def test_a_transaction_that_fails(net: Localnet) -> None:
    payer, poor = net.funded(), net.funded(1)
    to = Pubkey.new_unique()
    failing = [_pay(payer, to, SOL), _pay(poor, to, 5 * SOL)]
    signature = net.run(failing, payer, poor, skipPreflight=True)
    net.confirm(signature)
    shown = net.call("getTransaction", signature, ANY)
    meta, error = shown["meta"], {"InstructionError": [1, {"Custom": 1}]}
    assert (meta["err"], meta["status"], meta["fee"]) == (error, {"Err": error}, 10_000)
    paid = [a - b for a, b in zip(meta["postBalances"], meta["preBalances"], strict=True)]
    assert paid == [-10_000, 0, 0, 0]
    assert any("insufficient lamports" in line for line in meta["logMessages"])
    assert net.balance(to) == 0
    assert net.status(signature)["err"] == error


def test_a_block_in_all_its_details(landed: Landed) -> None:
    net = landed.net
    whole = landed.shown(landed.versioned)
    slot = whole["slot"]

    def block(**config: object) -> Any:
        return net.call("getBlock", slot, ANY | config)

    full = block()
    assert full["parentSlot"] == slot - 1
    assert full["blockHeight"] == slot
    assert full["rewards"] == []
    place = whole["transactionIndex"]
    for encoding in ("json", "jsonParsed", "base64", "base58", "binary"):
        inside = block(encoding=encoding)["transactions"][place]
        alone = landed.shown(landed.versioned, encoding=encoding)
        assert inside == {key: alone[key] for key in ("transaction", "meta", "version")}
    signatures = block(transactionDetails="signatures")
    assert signatures["signatures"][place] == landed.versioned
    assert "transactions" not in signatures
    accounts = block(transactionDetails="accounts")["transactions"][place]
    keys = landed.shown(landed.versioned, **PARSED)["transaction"]["message"]["accountKeys"]
    assert accounts["transaction"] == {"signatures": [landed.versioned], "accountKeys": keys}
    assert accounts["meta"]["postBalances"] == whole["meta"]["postBalances"]
    assert "logMessages" not in accounts["meta"]
    header = block(transactionDetails="none")
    assert not {"transactions", "signatures"} & set(header)
    bare = block(transactionDetails="full", rewards=False)
    assert "rewards" not in bare
    assert bare["transactions"][place]["meta"]["rewards"] is None
    before = net.call("getBlock", slot - 1, ANY)
    assert full["previousBlockhash"] == before["blockhash"]
    assert full["blockTime"] == net.call("getBlockTime", slot)


@pytest.mark.parametrize("details", ["full", "accounts", "signatures", "none"])
def test_solders_reads_every_block(landed: Landed, details: str) -> None:
    slot = landed.shown(landed.newest)["slot"]
    result = landed.net.call("getBlock", slot, ANY | {"transactionDetails": details})
    parsed = _read(GetBlockResp, result)
    assert str(parsed.blockhash) == result["blockhash"]
    assert len(parsed.transactions or []) == len(result.get("transactions", []))


def test_a_block_with_versions_that_the_client_does_not_read(landed: Landed) -> None:
    slot = landed.shown(landed.versioned)["slot"]
    for config in (CONFIRMED, CONFIRMED | {"transactionDetails": "accounts"}):
        with pytest.raises(RpcFailure, match="maxSupportedTransactionVersion") as failure:
            landed.net.call("getBlock", slot, config)
        assert failure.value.code == -32015
    known = CONFIRMED | {"transactionDetails": "signatures"}
    assert landed.versioned in landed.net.call("getBlock", slot, known)["signatures"]


def test_which_blocks_there_are(landed: Landed) -> None:
    net, slot = landed.net, landed.shown(landed.newest)["slot"]
    first = net.call("getFirstAvailableBlock")
    assert net.call("getBlocks", slot - 2, slot, CONFIRMED) == [slot - 2, slot - 1, slot]
    newest = net.call("getBlocks", slot, CONFIRMED)  # the end left out
    assert newest == list(range(slot, newest[-1] + 1))
    assert net.call("getBlocks", slot, slot - 1, CONFIRMED) == []
    assert net.call("getBlocks", first - 5, first + 1, CONFIRMED) == [first, first + 1]
    assert net.call("getBlocksWithLimit", slot - 1, 2, CONFIRMED) == [slot - 1, slot]
    assert net.call("getBlocksWithLimit", slot - 1, 0, CONFIRMED) == []
    assert net.call("getBlocksWithLimit", 0, 2, CONFIRMED) == [first, first + 1]
    assert net.call("getBlocks", slot + 10**6, CONFIRMED) == []
    for method, params in (
        ("getBlock", (slot + 10**6, CONFIRMED)),
        ("getBlockTime", (slot + 10**6,)),
    ):
        with pytest.raises(RpcFailure, match="Block not available for slot") as failure:
            net.call(method, *params)
        assert failure.value.code == -32004
    with pytest.raises(RpcFailure, match="does not exist on node") as failure:
        net.call("getBlock", 5, CONFIRMED)
    assert failure.value.code == -32001
