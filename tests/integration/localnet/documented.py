"""What the published documentation of the RPC says: requests, and the shapes of their answers.

Facts out of https://solana.com/docs/rpc/http and /docs/rpc/json-structures, as data. Names in
braces stand for what a test has made on the chain.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.integration.localnet.documented_shapes import (
    ACCOUNT_KEY,
    BLOCK,
    ERROR,
    IN_BASE64,
    IN_JSON,
    IN_PARSED_JSON,
    NODE,
    PARSED_TOKEN,
    SHORT_META,
    SIMULATED,
    TOKEN_AMOUNT,
    TRANSACTION,
    VOTE_ACCOUNT,
    account,
    in_context,
    keyed,
)
from tests.integration.localnet.shapes import Map, either, or_null
from tests.integration.localnet.support import PROCESSED


class Documented(NamedTuple):
    """A request and the shape of its result."""

    method: str
    params: tuple[Any, ...]
    shape: Any

    def __str__(self) -> str:
        return f"{self.method}{self.params}"


BASE64 = {"encoding": "base64"}
PARSED = {"encoding": "jsonParsed"}
CONFIRMED = {"commitment": "confirmed"}
READABLE = {"maxSupportedTransactionVersion": 0}


REQUESTS: list[Documented] = [
    Documented("getAccountInfo", ("{payer}", BASE64), in_context(IN_BASE64)),
    Documented("getAccountInfo", ("{nobody}", BASE64), in_context(None)),
    Documented("getAccountInfo", ("{payer}",), in_context(account(str))),
    Documented("getAccountInfo", ("{token}", PARSED), in_context(account(PARSED_TOKEN))),
    Documented("getAccountInfo", ("{payer}", PARSED), in_context(IN_BASE64)),
    Documented("getBalance", ("{payer}",), in_context(int)),
    Documented(
        "getBlock",
        ("{slot}", CONFIRMED | READABLE | {"rewards": False}),
        BLOCK | {"transactions": [IN_JSON]},
    ),
    Documented(
        "getBlock",
        ("{slot}", CONFIRMED | READABLE | PARSED),
        BLOCK | {"transactions": [IN_PARSED_JSON]},
    ),
    Documented(
        "getBlock",
        ("{slot}", CONFIRMED | READABLE | BASE64),
        BLOCK | {"transactions": [IN_JSON | {"transaction": (str, "base64")}]},
    ),
    Documented(
        "getBlock",
        ("{slot}", CONFIRMED | READABLE | {"transactionDetails": "accounts"}),
        BLOCK
        | {
            "transactions": [
                {
                    "meta": SHORT_META,
                    "transaction": {"accountKeys": [ACCOUNT_KEY], "signatures": [str]},
                    "version": either("legacy", 0),
                }
            ]
        },
    ),
    Documented(
        "getBlock",
        ("{slot}", CONFIRMED | {"transactionDetails": "signatures"}),
        BLOCK | {"signatures": [str]},
    ),
    Documented("getBlock", ("{slot}", CONFIRMED | {"transactionDetails": "none"}), BLOCK),
    Documented(
        "getBlockCommitment", ("{newest}",), {"commitment": or_null([int]), "totalStake": int}
    ),
    Documented("getBlockHeight", (), int),
    Documented(
        "getBlockProduction",
        (),
        in_context({"byIdentity": Map((int, int)), "range": {"firstSlot": int, "lastSlot": int}}),
    ),
    Documented("getBlockTime", ("{slot}",), or_null(int)),
    Documented("getBlocks", ("{slot}", "{newest}", CONFIRMED), [int]),
    Documented("getBlocksWithLimit", ("{slot}", 3, CONFIRMED), [int]),
    Documented(
        "getClusterNodes",
        (),
        [NODE | {"featureSet": or_null(int), "pubkey": str, "shredVersion": or_null(int)}],
    ),
    Documented(
        "getEpochInfo",
        (),
        {
            "absoluteSlot": int,
            "blockHeight": int,
            "epoch": int,
            "slotIndex": int,
            "slotsInEpoch": int,
            "transactionCount": or_null(int),
        },
    ),
    Documented(
        "getEpochSchedule",
        (),
        {
            "firstNormalEpoch": int,
            "firstNormalSlot": int,
            "leaderScheduleSlotOffset": int,
            "slotsPerEpoch": int,
            "warmup": bool,
        },
    ),
    Documented("getFeeForMessage", ("{message}", PROCESSED), in_context(int)),
    Documented("getFeeForMessage", ("{stale message}", PROCESSED), in_context(None)),
    Documented("getFirstAvailableBlock", (), int),
    Documented("getGenesisHash", (), str),
    Documented("getHealth", (), "ok"),
    Documented("getIdentity", (), {"identity": str}),
    Documented(
        "getInflationGovernor",
        (),
        dict.fromkeys(("foundation", "foundationTerm", "initial", "taper", "terminal"), float),
    ),
    Documented(
        "getInflationRate",
        (),
        {"epoch": int, "foundation": float, "total": float, "validator": float},
    ),
    Documented("getLargestAccounts", (), in_context([{"address": str, "lamports": int}])),
    Documented(
        "getLargestAccounts",
        ({"filter": "nonCirculating"},),
        in_context([{"address": str, "lamports": int}]),
    ),
    Documented(
        "getLatestBlockhash", (), in_context({"blockhash": str, "lastValidBlockHeight": int})
    ),
    Documented("getLeaderSchedule", (), Map([int])),
    Documented("getLeaderSchedule", (1,), None),
    Documented("getMaxRetransmitSlot", (), int),
    Documented("getMaxShredInsertSlot", (), int),
    Documented("getMinimumBalanceForRentExemption", (50,), int),
    Documented("getMultipleAccounts", (["{payer}", "{nobody}"],), in_context([or_null(IN_BASE64)])),
    Documented("getProgramAccounts", ("{token program}", BASE64), keyed((str, "base64"))),
    Documented(
        "getProgramAccounts",
        ("{token program}", PARSED | {"filters": [{"dataSize": 165}], "withContext": True}),
        in_context(keyed(PARSED_TOKEN)),
    ),
    Documented(
        "getRecentPerformanceSamples",
        (4,),
        [
            {
                "numNonVoteTransactions": or_null(int),
                "numSlots": int,
                "numTransactions": int,
                "samplePeriodSecs": int,
                "slot": int,
            }
        ],
    ),
    Documented(
        "getRecentPrioritizationFees", (["{payer}"],), [{"prioritizationFee": int, "slot": int}]
    ),
    Documented(
        "getSignatureStatuses",
        (["{signature}", "{unknown signature}"], {"searchTransactionHistory": True}),
        in_context(
            [
                or_null(
                    {
                        "confirmationStatus": or_null(str),
                        "confirmations": or_null(int),
                        "err": ERROR,
                        "slot": int,
                        "status": either({"Ok": None}, {"Err": ERROR}),
                    }
                )
            ]
        ),
    ),
    Documented(
        "getSignaturesForAddress",
        ("{payer}", CONFIRMED | {"limit": 2}),
        [
            {
                "blockTime": or_null(int),
                "confirmationStatus": or_null(str),
                "err": ERROR,
                "memo": or_null(str),
                "signature": str,
                "slot": int,
                "transactionIndex?": int,
            }
        ],
    ),
    Documented("getSlot", (), int),
    Documented("getSlotLeader", (), str),
    Documented("getSlotLeaders", ("{slot}", 10), [str]),
    Documented("getStakeMinimumDelegation", (), in_context(int)),
    Documented(
        "getSupply",
        (),
        in_context(
            {
                "circulating": int,
                "nonCirculating": int,
                "nonCirculatingAccounts": [str],
                "total": int,
            }
        ),
    ),
    Documented("getTokenAccountBalance", ("{token}",), in_context(TOKEN_AMOUNT)),
    Documented(
        "getTokenAccountsByDelegate",
        ("{delegate}", {"programId": "{token program}"}, PARSED),
        in_context(keyed(PARSED_TOKEN)),
    ),
    Documented(
        "getTokenAccountsByOwner",
        ("{holder}", {"mint": "{mint}"}, PARSED),
        in_context(keyed(PARSED_TOKEN)),
    ),
    Documented(
        "getTokenLargestAccounts", ("{mint}",), in_context([{"address": str, **TOKEN_AMOUNT}])
    ),
    Documented("getTokenSupply", ("{mint}",), in_context(TOKEN_AMOUNT)),
    Documented("getTransaction", ("{signature}", CONFIRMED | READABLE), TRANSACTION | IN_JSON),
    Documented(
        "getTransaction",
        ("{signature}", CONFIRMED | READABLE | PARSED),
        TRANSACTION | IN_PARSED_JSON,
    ),
    Documented(
        "getTransaction",
        ("{signature}", CONFIRMED | READABLE | BASE64),
        TRANSACTION | IN_JSON | {"transaction": (str, "base64")},
    ),
    Documented(
        "getTransaction",
        ("{signature}", CONFIRMED | READABLE | {"encoding": "base58"}),
        TRANSACTION | IN_JSON | {"transaction": (str, "base58")},
    ),
    Documented("getTransaction", ("{unknown signature}", CONFIRMED), None),
    Documented("getTransactionCount", (), int),
    Documented("getVersion", (), {"feature-set": or_null(int), "solana-core": str}),
    Documented("getVoteAccounts", (), {"current": [VOTE_ACCOUNT], "delinquent": [VOTE_ACCOUNT]}),
    Documented("isBlockhashValid", ("{blockhash}", PROCESSED), in_context(bool)),
    Documented("minimumLedgerSlot", (), int),
    Documented("requestAirdrop", ("{nobody}", 1_000_000_000), str),
    Documented("sendTransaction", ("{transaction}", BASE64 | {"skipPreflight": True}), str),
    Documented(
        "simulateTransaction",
        (
            "{transaction}",
            BASE64
            | {"replaceRecentBlockhash": True, "innerInstructions": True}
            | {"accounts": {"addresses": ["{payer}", "{token}"], "encoding": "jsonParsed"}},
        ),
        in_context(SIMULATED),
    ),
    Documented("simulateTransaction", ("{stale transaction}", BASE64), in_context(SIMULATED)),
]

# These answer with an error that the documentation names.
ERRORS: list[tuple[str, tuple[Any, ...], int]] = [
    ("getHighestSnapshotSlot", (), -32008),
    ("getInflationReward", (["{payer}"],), -32001),
    ("getBlock", (1,), -32001),
    ("getBlock", (10**12,), -32004),
    ("getTransaction", ("{signature of version 0}", CONFIRMED), -32015),
    ("getSlot", ({"minContextSlot": 10**12},), -32016),
    ("sendTransaction", ("{stale transaction}", BASE64), -32002),
    ("getNothing", (), -32601),
]

# Every HTTP method that the documentation lists.
METHODS = {request.method for request in REQUESTS} | {
    "getHighestSnapshotSlot",
    "getInflationReward",
}
