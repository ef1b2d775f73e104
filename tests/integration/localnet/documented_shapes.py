"""Shapes that the published documentation of the RPC gives to what answers consist of.

Facts out of https://solana.com/docs/rpc/json-structures, as data.
"""

from __future__ import annotations

from typing import Any

from tests.integration.localnet.shapes import Map, either, or_null

CONTEXT = {"apiVersion?": str, "slot": int}
ERROR = or_null(either(str, Map(either(int, str, [either(int, str, Map(int))], Map(int)))))


def in_context(value: Any) -> Any:
    return {"context": CONTEXT, "value": value}


def account(data: Any) -> dict[str, Any]:
    return {
        "data": data,
        "executable": bool,
        "lamports": int,
        "owner": str,
        "rentEpoch": int,
        "space": int,
    }


def keyed(data: Any) -> list[Any]:
    return [{"account": account(data), "pubkey": str}]


IN_BASE64 = account((str, "base64"))
TOKEN_AMOUNT = {
    "amount": str,
    "decimals": int,
    "uiAmount": or_null(float),
    "uiAmountString": str,
}
PARSED_TOKEN = {
    "parsed": {
        "info": {
            "delegate?": str,
            "delegatedAmount?": TOKEN_AMOUNT,
            "extensions?": [{"extension": str, "state?": dict}],
            "isNative": bool,
            "mint": str,
            "owner": str,
            "state": "initialized",
            "tokenAmount": TOKEN_AMOUNT,
        },
        "type": "account",
    },
    "program": str,
    "space": int,
}
LOADED_ADDRESSES = {"readonly": [str], "writable": [str]}
TOKEN_BALANCE = {
    "accountIndex": int,
    "mint": str,
    "owner?": str,
    "programId?": str,
    "uiTokenAmount": TOKEN_AMOUNT,
}
COMPILED = {"accounts": [int], "data": str, "programIdIndex": int, "stackHeight": or_null(int)}
PARTLY_DECODED = {"accounts": [str], "data": str, "programId": str, "stackHeight": or_null(int)}
PARSED_INSTRUCTION = either(
    {
        "parsed": either(str, {"info?": dict, "type": str}),
        "program": str,
        "programId": str,
        "stackHeight": or_null(int),
    },
    PARTLY_DECODED,
)


def inner(instruction: Any) -> list[Any]:
    return [{"index": int, "instructions": [instruction]}]


RETURN_DATA = {"data": (str, "base64"), "programId": str}
REWARDS = [
    {
        "commission": or_null(int),
        "lamports": int,
        "postBalance": int,
        "pubkey": str,
        "rewardType": or_null(str),
    }
]
SHORT_META = {
    "err": ERROR,
    "fee": int,
    "postBalances": [int],
    "postTokenBalances": or_null([TOKEN_BALANCE]),
    "preBalances": [int],
    "preTokenBalances": or_null([TOKEN_BALANCE]),
    "rewards?": or_null(REWARDS),
    "status": either({"Ok": None}, {"Err": ERROR}),
}


def meta(instruction: Any, *, loaded: bool) -> dict[str, Any]:
    shape = SHORT_META | {
        "computeUnitsConsumed": int,
        "costUnits": int,
        "innerInstructions": or_null(inner(instruction)),
        "logMessages": or_null([str]),
        "returnData?": RETURN_DATA,
    }
    return shape | ({"loadedAddresses": LOADED_ADDRESSES} if loaded else {})


LOOKUP = {"accountKey": str, "readonlyIndexes": [int], "writableIndexes": [int]}
RAW_MESSAGE = {
    "accountKeys": [str],
    "addressTableLookups?": [LOOKUP],
    "header": {
        "numReadonlySignedAccounts": int,
        "numReadonlyUnsignedAccounts": int,
        "numRequiredSignatures": int,
    },
    "instructions": [COMPILED],
    "recentBlockhash": str,
}
ACCOUNT_KEY = {
    "pubkey": str,
    "signer": bool,
    "source": either("transaction", "lookupTable"),
    "writable": bool,
}
PARSED_MESSAGE = {
    "accountKeys": [ACCOUNT_KEY],
    "addressTableLookups?": [LOOKUP],
    "instructions": [PARSED_INSTRUCTION],
    "recentBlockhash": str,
}
IN_JSON = {
    "meta": meta(COMPILED, loaded=True),
    "transaction": {"message": RAW_MESSAGE, "signatures": [str]},
    "version": either("legacy", 0),
}
IN_PARSED_JSON = {
    "meta": meta(PARSED_INSTRUCTION, loaded=False),
    "transaction": {"message": PARSED_MESSAGE, "signatures": [str]},
    "version": either("legacy", 0),
}
# Newer than the published page, and in the answers of Agave 4.1.
TRANSACTION = {"blockTime": or_null(int), "slot": int, "transactionIndex?": int}
BLOCK = {
    "blockHeight": or_null(int),
    "blockTime": or_null(int),
    "blockhash": str,
    "numRewardPartitions?": int,
    "parentSlot": int,
    "previousBlockhash": str,
    "rewards?": REWARDS,
}
SIMULATED = {
    "accounts": or_null([or_null(account(either((str, str), dict)))]),
    "err": ERROR,
    "fee": or_null(int),
    "innerInstructions": or_null(inner(PARSED_INSTRUCTION)),
    "loadedAccountsDataSize": int,
    "loadedAddresses": LOADED_ADDRESSES,
    "logs": [str],
    "postBalances": [int],
    "postTokenBalances": [TOKEN_BALANCE],
    "preBalances": [int],
    "preTokenBalances": [TOKEN_BALANCE],
    "replacementBlockhash": or_null({"blockhash": str, "lastValidBlockHeight": int}),
    "returnData": or_null(RETURN_DATA),
    "unitsConsumed": int,
}
VOTE_ACCOUNT = {
    "activatedStake": int,
    "commission": int,
    "epochCredits": [(int, int, int)],
    "epochVoteAccount": bool,
    "inflationRewardsCommissionBps?": int,
    "lastVote": int,
    "nodePubkey": str,
    "rootSlot": int,
    "votePubkey": str,
}
NODE = dict.fromkeys(
    (
        "gossip", "pubsub", "rpc", "serveRepair", "tpu", "tpuForwards", "tpuForwardsQuic",
        "tpuQuic", "tpuVote", "tvu", "version", "clientId?",
    ),
    or_null(str),
)  # fmt: skip
