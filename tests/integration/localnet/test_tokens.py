"""The token programs that every cluster has: methods about tokens, balances in transactions."""

from __future__ import annotations

from typing import Any

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token import instructions as spl
from spl.token import models
from tests.integration.localnet.loader import MEMO
from tests.integration.localnet.support import SOL, Localnet, RpcFailure
from tests.integration.localnet.tokens import (
    DECIMALS,
    MULTISIG_BYTES,
    TOKEN,
    TOKEN_2022,
    Token,
    make_token,
    new_account,
)

PARSED = {"encoding": "jsonParsed"}
CONFIRMED = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}


@pytest.fixture(scope="module", params=[TOKEN, TOKEN_2022], ids=["spl-token", "spl-token-2022"])
def token(request: pytest.FixtureRequest, net: Localnet) -> Token:
    return make_token(net, request.param)


def _amount(amount: int, text: str) -> dict[str, Any]:
    return {
        "amount": str(amount),
        "decimals": DECIMALS,
        "uiAmount": float(text),
        "uiAmountString": text,
    }


def test_balances_supply_and_largest_accounts(token: Token) -> None:
    net, mint = token.net, str(token.mint)
    holder, other = (str(token.account_of(owner)) for owner in (token.holder, token.other))
    balance = net.call("getTokenAccountBalance", holder)
    assert balance["value"] == _amount(1_500_000, "1.5")
    assert balance["context"]["slot"] > 0
    assert net.call("getTokenSupply", mint)["value"] == _amount(1_750_000, "1.75")
    assert net.call("getTokenLargestAccounts", mint)["value"] == [
        {"address": holder, **_amount(1_500_000, "1.5")},
        {"address": other, **_amount(250_000, "0.25")},
    ]


def test_accounts_by_owner_and_delegate(token: Token) -> None:
    net, program = token.net, str(token.program)
    owner, address = str(token.holder.pubkey()), str(token.account_of(token.holder))
    by_mint, by_program = {"mint": str(token.mint)}, {"programId": program}
    for wanted in (by_mint, by_program):
        found = net.call("getTokenAccountsByOwner", owner, wanted, PARSED)["value"]
        assert [item["pubkey"] for item in found] == [address]
        data = found[0]["account"]["data"]
        name = "spl-token" if token.program == TOKEN else "spl-token-2022"
        assert (data["program"], data["parsed"]["type"]) == (name, "account")
        info = dict(data["parsed"]["info"])
        extensions = [{"extension": "immutableOwner"}] if token.program == TOKEN_2022 else None
        assert info.pop("extensions", None) == extensions
        assert info == {
            "mint": str(token.mint),
            "owner": owner,
            "tokenAmount": _amount(1_500_000, "1.5"),
            "state": "initialized",
            "isNative": False,
            "delegate": str(token.delegate.pubkey()),
            "delegatedAmount": _amount(100_000, "0.1"),
        }
        delegate = str(token.delegate.pubkey())
        assert net.call("getTokenAccountsByDelegate", delegate, wanted, PARSED)["value"] == found
    raw = net.call("getTokenAccountsByOwner", owner, by_mint, {"encoding": "base64"})["value"]
    assert raw[0]["account"]["data"][1] == "base64"
    nobody = str(Pubkey.new_unique())
    assert net.call("getTokenAccountsByOwner", nobody, by_program)["value"] == []
    with pytest.raises(RpcFailure, match="should be less than 128 bytes"):
        net.call("getTokenAccountsByOwner", owner, by_mint)  # base58, which is the default


def test_a_mint_is_parsed(token: Token) -> None:
    shown = token.net.call("getAccountInfo", str(token.mint), PARSED)["value"]["data"]["parsed"]
    authority = str(token.payer.pubkey())
    assert shown == {
        "type": "mint",
        "info": {
            "mintAuthority": authority,
            "supply": "1750000",
            "decimals": DECIMALS,
            "isInitialized": True,
            "freezeAuthority": authority,
        },
    }


def test_a_multisig_is_parsed(token: Token) -> None:
    net, multisig = token.net, Keypair()
    signers = [Pubkey.new_unique() for _ in range(3)]
    signature = net.run(
        [
            new_account(net, token.payer, multisig.pubkey(), MULTISIG_BYTES, token.program),
            spl.initialize_multisig2(
                models.InitializeMultisig2Params(
                    program_id=token.program, multisig=multisig.pubkey(), m=2, signers=signers
                )
            ),
        ],
        token.payer,
        multisig,
    )
    net.confirm(signature)
    shown = net.call("getAccountInfo", str(multisig.pubkey()), PARSED)["value"]["data"]
    assert shown["parsed"] == {
        "type": "multisig",
        "info": {
            "numRequiredSigners": 2,
            "numValidSigners": 3,
            "isInitialized": True,
            "signers": [str(signer) for signer in signers],
        },
    }


def test_program_accounts_of_a_token_are_filtered_as_the_index_of_a_validator(
    token: Token,
) -> None:
    net, program = token.net, str(token.program)
    accounts = {str(token.account_of(owner)) for owner in (token.holder, token.other)}
    of_mint = {"memcmp": {"offset": 0, "bytes": str(token.mint)}}
    for filters in ([of_mint], [of_mint, "tokenAccountState"]):
        found = net.call("getProgramAccounts", program, {**PARSED, "filters": filters})
        assert {item["pubkey"] for item in found} == accounts
        assert {item["account"]["data"]["parsed"]["type"] for item in found} == {"account"}
    of_owner = {"memcmp": {"offset": 32, "bytes": str(token.other.pubkey())}}
    found = net.call("getProgramAccounts", program, {**PARSED, "filters": [of_mint, of_owner]})
    assert [item["pubkey"] for item in found] == [str(token.account_of(token.other))]


def _landed(net: Localnet, signature: str, encoding: str) -> Any:
    net.confirm(signature)
    return net.call("getTransaction", signature, {**CONFIRMED, "encoding": encoding})


def test_a_transfer_shows_what_every_account_held(token: Token) -> None:
    net = token.net
    memo = Instruction(MEMO, "für dich".encode(), [])
    signature = net.run([token.transfer(1), memo], token.holder)
    shown = _landed(net, signature, "json")
    keys = shown["transaction"]["message"]["accountKeys"]
    holder, other = (str(token.account_of(owner)) for owner in (token.holder, token.other))
    before = {keys[item["accountIndex"]]: item for item in shown["meta"]["preTokenBalances"]}
    after = {keys[item["accountIndex"]]: item for item in shown["meta"]["postTokenBalances"]}
    assert set(before) == set(after) == {holder, other}
    assert before[holder] == {
        "accountIndex": keys.index(holder),
        "mint": str(token.mint),
        "owner": str(token.holder.pubkey()),
        "programId": str(token.program),
        "uiTokenAmount": _amount(1_500_000, "1.5"),
    }
    assert after[holder]["uiTokenAmount"] == _amount(1_499_999, "1.499999")
    assert after[other]["uiTokenAmount"] == _amount(250_001, "0.250001")

    parsed = _landed(net, signature, "jsonParsed")["transaction"]["message"]["instructions"]
    assert parsed[0] == {
        "program": "spl-token",
        "programId": str(token.program),
        "parsed": {
            "type": "transferChecked",
            "info": {
                "source": holder,
                "mint": str(token.mint),
                "destination": other,
                "authority": str(token.holder.pubkey()),
                "tokenAmount": _amount(1, "0.000001"),
            },
        },
        "stackHeight": 1,
    }
    assert (parsed[1]["program"], parsed[1]["parsed"]) == ("spl-memo", "für dich")
    about = {"commitment": "confirmed", "limit": 1}
    (listed,) = net.call("getSignaturesForAddress", holder, about)
    assert (listed["signature"], listed["memo"]) == (signature, "[9] für dich")

    back = spl.transfer(
        models.TransferParams(
            program_id=token.program,
            source=token.account_of(token.other),
            dest=token.account_of(token.holder),
            owner=token.other.pubkey(),
            amount=1,
            signers=[],
        )
    )
    net.confirm(net.run([back], token.other))


def test_an_associated_account_is_made_by_calls_that_are_shown(token: Token) -> None:
    net, owner = token.net, Keypair()
    payer, program = token.payer, str(token.program)
    create = spl.create_associated_token_account(
        payer.pubkey(), owner.pubkey(), token.mint, token.program
    )
    shown = _landed(net, net.run([create], payer), "jsonParsed")
    (made,) = shown["transaction"]["message"]["instructions"]
    address = str(token.account_of(owner))
    assert made["program"] == "spl-associated-token-account"
    assert made["parsed"] == {
        "type": "create",
        "info": {
            "source": str(payer.pubkey()),
            "account": address,
            "wallet": str(owner.pubkey()),
            "mint": str(token.mint),
            "systemProgram": "1" * 32,
            "tokenProgram": program,
        },
    }
    (inner,) = shown["meta"]["innerInstructions"]
    assert inner["index"] == 0
    steps = [(step["program"], step["parsed"]["type"]) for step in inner["instructions"]]
    assert steps == [
        ("spl-token", "getAccountDataSize"),
        ("system", "createAccount"),
        ("spl-token", "initializeImmutableOwner"),
        ("spl-token", "initializeAccount3"),
    ]
    assert {step["stackHeight"] for step in inner["instructions"]} == {2}
    assert shown["meta"]["preTokenBalances"] == []
    (balance,) = shown["meta"]["postTokenBalances"]
    # Nothing has no number, as in a validator's ledger.
    assert balance["uiTokenAmount"] == {**_amount(0, "0"), "uiAmount": None}
    assert net.call("getTokenAccountBalance", address)["value"] == _amount(0, "0")


def test_wrapped_sol(net: Localnet) -> None:
    payer, mint = net.funded(), Pubkey.from_string("So11111111111111111111111111111111111111112")
    owner = payer.pubkey()
    address = spl.get_associated_token_address(owner, mint, TOKEN)
    sync = spl.sync_native(models.SyncNativeParams(program_id=TOKEN, account=address))
    wrap = [
        spl.create_associated_token_account(owner, owner, mint, TOKEN),
        transfer(TransferParams(from_pubkey=owner, to_pubkey=address, lamports=SOL // 4)),
        sync,
    ]
    net.confirm(net.run(wrap, payer))
    balance = net.call("getTokenAccountBalance", str(address))["value"]
    assert (balance["uiAmountString"], balance["decimals"]) == ("0.25", 9)
    shown = net.call("getAccountInfo", str(address), PARSED)["value"]
    info = shown["data"]["parsed"]["info"]
    assert info["isNative"] is True
    reserve = int(info["rentExemptReserve"]["amount"])
    assert shown["lamports"] == reserve + SOL // 4
    largest = net.call("getTokenLargestAccounts", str(mint))["value"]
    assert [item["address"] for item in largest] == [str(address)]


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("getTokenAccountBalance", ["{nobody}"], "could not find account"),
        ("getTokenAccountBalance", ["{mint}"], "not a Token account"),
        ("getTokenAccountBalance", ["{wallet}"], "not a Token account"),
        ("getTokenSupply", ["{nobody}"], "could not find account"),
        ("getTokenSupply", ["{wallet}"], "not a Token mint"),
        ("getTokenSupply", ["{account}"], "mint could not be unpacked"),
        ("getTokenLargestAccounts", ["{nobody}"], "could not find mint"),
        ("getTokenLargestAccounts", ["{account}"], "Token mint could not be unpacked"),
        ("getTokenAccountsByOwner", ["{wallet}", {"mint": "{nobody}"}], "could not find mint"),
        (
            "getTokenAccountsByOwner",
            ["{wallet}", {"programId": "{wallet}"}],
            "unrecognized Token program id",
        ),
        (
            "getTokenAccountsByDelegate",
            ["{wallet}", {"programId": "{mint}"}],
            "unrecognized Token program id",
        ),
    ],
)
def test_what_is_no_token_is_said_as_a_validator_says_it(
    token: Token, method: str, params: list[Any], message: str
) -> None:
    names = {
        "{nobody}": str(Pubkey.new_unique()),
        "{mint}": str(token.mint),
        "{wallet}": str(token.holder.pubkey()),
        "{account}": str(token.account_of(token.holder)),
    }

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(item) for key, item in value.items()}
        return names.get(value, value)

    with pytest.raises(RpcFailure) as refused:
        token.net.call(method, *map(named, params))
    assert (refused.value.code, str(refused.value)) == (-32602, f"Invalid param: {message}")
