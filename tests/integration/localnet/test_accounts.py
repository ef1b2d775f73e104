"""Accounts in every encoding, and the states of the programs that every cluster has."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
import zstandard
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    CreateAccountParams,
    InitializeNonceAccountParams,
    create_account,
    initialize_nonce_account,
)
from tests.integration.localnet.loader import (
    CLOCK,
    LOADER,
    MEMO,
    RENT,
    deploy_instructions,
    memo_elf,
    programdata_of,
    upload,
)
from tests.integration.localnet.support import PROCESSED, SOL, Localnet, RpcFailure
from tests.integration.localnet.tables import make_table

from cbctl.localnet.encoding import b58decode

STAKE = Pubkey.from_string("Stake11111111111111111111111111111111111111")
VOTE = Pubkey.from_string("Vote111111111111111111111111111111111111111")
SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
SYSVAR = "Sysvar1111111111111111111111111111111111111"
NEVER = 2**64 - 1


def _shown(net: Localnet, address: object, encoding: str, **config: object) -> Any:
    return net.call("getAccountInfo", str(address), {"encoding": encoding, **config})["value"]


def _parsed(net: Localnet, address: object) -> Any:
    return _shown(net, address, "jsonParsed")["data"]


def _new(net: Localnet, payer: Keypair, space: int, owner: Pubkey, extra: int = 0) -> Any:
    """A keypair, and what creates its account."""
    keypair = Keypair()
    made = create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=keypair.pubkey(),
            lamports=net.rent(space) + extra,
            space=space,
            owner=owner,
        )
    )
    return keypair, made


def _meta(key: Pubkey, *, signer: bool = False, writable: bool = False) -> AccountMeta:
    return AccountMeta(key, signer, writable)


def test_every_encoding_has_the_same_bytes(net: Localnet) -> None:
    elf = memo_elf()
    whole = _shown(net, MEMO, "base64")
    assert base64.b64decode(whole["data"][0]) == elf
    text, encoding = _shown(net, MEMO, "base64+zstd")["data"]
    assert encoding == "base64+zstd"
    packed = base64.b64decode(text)
    assert zstandard.decompress(packed) == elf
    assert len(packed) < len(elf) / 2
    # Nobody parses a program's own bytes.
    assert _shown(net, MEMO, "jsonParsed") == whole
    part = {"dataSlice": {"offset": 1, "length": 128}}
    expected = elf[1:129]
    assert base64.b64decode(_shown(net, MEMO, "base64", **part)["data"][0]) == expected
    assert b58decode(_shown(net, MEMO, "base58", **part)["data"][0]) == expected
    assert b58decode(_shown(net, MEMO, "binary", **part)["data"]) == expected
    assert (
        zstandard.decompress(base64.b64decode(_shown(net, MEMO, "base64+zstd", **part)["data"][0]))
        == expected
    )
    for member in ("lamports", "owner", "executable", "space"):
        assert _shown(net, MEMO, "base64", **part)[member] == whole[member]
    assert (whole["rentEpoch"], whole["space"]) == (NEVER, len(elf))


def test_base58_is_for_short_data_only(net: Localnet) -> None:
    slices = {"dataSlice": {"offset": 0, "length": 129}}
    for encoding, config in (("base58", {}), ("binary", {}), ("base58", slices)):
        with pytest.raises(RpcFailure, match="should be less than 128 bytes") as failure:
            _shown(net, MEMO, encoding, **config)
        assert failure.value.code == -32600
    with pytest.raises(RpcFailure, match="should be less than 128 bytes"):
        net.call("getAccountInfo", str(MEMO))


@pytest.mark.parametrize(
    ("offset", "length", "text"),
    [(0, 0, ""), (0, 2, "f0U="), (10**9, 5, ""), (2**63, 2**63, ""), (0, 2**64 - 1, None)],
)
def test_a_slice_takes_what_is_there(
    net: Localnet, offset: int, length: int, text: str | None
) -> None:
    shown = _shown(net, MEMO, "base64", dataSlice={"offset": offset, "length": length})
    assert shown["data"][0] == (base64.b64encode(memo_elf()).decode() if text is None else text)


def test_several_accounts_at_once(net: Localnet) -> None:
    nobody = str(Pubkey.new_unique())
    asked = [str(MEMO), nobody, str(CLOCK), str(MEMO)]
    answer = net.call("getMultipleAccounts", asked, {"encoding": "jsonParsed"})
    memo, none, clock, again = answer["value"]
    assert memo == again == _shown(net, MEMO, "base64")
    assert none is None
    assert clock["data"]["parsed"]["info"]["slot"] == answer["context"]["slot"]
    assert net.call("getMultipleAccounts", [])["value"] == []


def test_accounts_are_those_of_the_newest_slot_at_every_commitment(net: Localnet) -> None:
    """The VM keeps no older state; the context says which slot is shown."""
    to = Pubkey.new_unique()
    landed = net.status(net.call("requestAirdrop", str(to), SOL))["slot"]
    for commitment in ("processed", "confirmed", "finalized"):
        about = {"commitment": commitment, "minContextSlot": landed}
        for method, value in (("getBalance", SOL), ("getAccountInfo", None)):
            answer = net.call(method, str(to), about)
            assert answer["context"]["slot"] >= landed
            assert value is None or answer["value"] == value
    with pytest.raises(RpcFailure) as failure:
        net.call("getBalance", str(to), {"minContextSlot": net.slot() + 10**6})
    assert failure.value.code == -32016
    assert failure.value.data["contextSlot"] >= landed


def test_a_durable_nonce_is_parsed(net: Localnet) -> None:
    payer = net.funded()
    nonce, made = _new(net, payer, 80, SYSTEM)
    start = initialize_nonce_account(
        InitializeNonceAccountParams(nonce_pubkey=nonce.pubkey(), authority=payer.pubkey())
    )
    net.confirm(net.run([made, start], payer, nonce))
    data = _parsed(net, nonce.pubkey())
    info = data["parsed"]["info"]
    assert (data["program"], data["space"], data["parsed"]["type"]) == ("nonce", 80, "initialized")
    assert info["authority"] == str(payer.pubkey())
    assert info["feeCalculator"] == {"lamportsPerSignature": "5000"}
    assert len(b58decode(info["blockhash"])) == 32


def test_a_lookup_table_is_parsed(net: Localnet) -> None:
    payer = net.funded()
    table = make_table(net, payer, [MEMO, CLOCK])
    data = _parsed(net, table.key)
    assert (data["program"], data["parsed"]["type"]) == ("address-lookup-table", "lookupTable")
    info = data["parsed"]["info"]
    assert info["addresses"] == [str(MEMO), str(CLOCK)]
    assert info["authority"] == str(payer.pubkey())
    assert info["deactivationSlot"] == str(NEVER)
    assert 0 < int(info["lastExtendedSlot"]) <= net.slot()


def test_a_program_with_its_code_is_parsed(net: Localnet) -> None:
    payer, elf = net.funded(1_000), memo_elf()
    program, buffer = Keypair(), upload(net, payer, elf)
    data = _parsed(net, buffer)
    assert data["program"] == "bpf-upgradeable-loader"
    assert data["parsed"] == {
        "type": "buffer",
        "info": {
            "authority": str(payer.pubkey()),
            "data": [base64.b64encode(elf).decode(), "base64"],
        },
    }
    made = deploy_instructions(net, payer, program.pubkey(), buffer, len(elf))
    slot = net.confirm(net.run(made, payer, program))["slot"]
    code = programdata_of(program.pubkey())
    assert _parsed(net, program.pubkey()) == {
        "program": "bpf-upgradeable-loader",
        "parsed": {"type": "program", "info": {"programData": str(code)}},
        "space": 36,
    }
    data = _parsed(net, code)["parsed"]
    assert data["type"] == "programData"
    assert data["info"] == {
        "authority": str(payer.pubkey()),
        "data": [base64.b64encode(elf).decode(), "base64"],
        "slot": slot,
    }
    found = net.call(
        "getProgramAccounts",
        str(LOADER),
        {"encoding": "jsonParsed", "filters": [{"dataSize": 36}], "withContext": True},
    )["value"]
    shown = {item["pubkey"]: item["account"]["data"]["parsed"]["type"] for item in found}
    assert shown[str(program.pubkey())] == "program"
    assert set(shown.values()) == {"program"}


def _sysvar(net: Localnet, name: str) -> Any:
    data = _parsed(net, name)
    assert data["program"] == "sysvar"
    return data["parsed"]


def test_sysvars_are_parsed(net: Localnet) -> None:
    clock = _sysvar(net, str(CLOCK))
    assert clock["type"] == "clock"
    assert set(clock["info"]) == {
        *("slot", "epoch", "epochStartTimestamp", "leaderScheduleEpoch", "unixTimestamp"),
    }
    rent = _sysvar(net, str(RENT))["info"]
    assert int(rent["lamportsPerByte"]) * 128 == net.rent(0)
    schedule = _sysvar(net, "SysvarEpochSchedu1e111111111111111111111111")
    assert schedule == {"type": "epochSchedule", "info": net.call("getEpochSchedule")}
    hashes = _sysvar(net, "SysvarS1otHashes111111111111111111111111111")
    assert hashes["type"] == "slotHashes"
    assert len(hashes["info"]) == 512
    known = net.call("getBlock", hashes["info"][0]["slot"] - 1, {"commitment": "confirmed"})
    assert hashes["info"][1] == {"slot": known["blockHeight"], "hash": known["blockhash"]}
    for name, kind in (
        ("SysvarLastRestartS1ot1111111111111111111111", "lastRestartSlot"),
        ("SysvarStakeHistory1111111111111111111111111", "stakeHistory"),
    ):
        assert _sysvar(net, name)["type"] == kind
    every = net.call("getProgramAccounts", SYSVAR, {"encoding": "jsonParsed"})
    assert {item["account"]["owner"] for item in every} == {SYSVAR}


def test_a_stake_is_parsed_and_counts_as_outside_while_locked(net: Localnet) -> None:
    payer = net.funded(1_000)
    stake, made = _new(net, payer, 200, STAKE, extra=400 * SOL)
    custodian, until = Pubkey.new_unique(), 2**40
    start = Instruction(
        STAKE,
        struct.pack("<I32s32sqQ32s", 0, *[bytes(payer.pubkey())] * 2, until, 0, bytes(custodian)),
        [_meta(stake.pubkey(), writable=True), _meta(RENT)],
    )
    before = net.call("getSupply")["value"]
    net.confirm(net.run([made, start], payer, stake))
    data = _parsed(net, stake.pubkey())
    assert (data["program"], data["parsed"]["type"]) == ("stake", "initialized")
    meta = data["parsed"]["info"]["meta"]
    assert meta["authorized"] == {
        "staker": str(payer.pubkey()),
        "withdrawer": str(payer.pubkey()),
    }
    assert meta["lockup"] == {"unixTimestamp": until, "epoch": 0, "custodian": str(custodian)}
    assert data["parsed"]["info"]["stake"] is None

    supply = net.call("getSupply")["value"]
    held = net.balance(stake.pubkey())
    assert supply["nonCirculatingAccounts"] == [str(stake.pubkey())]
    assert supply["nonCirculating"] == held
    assert supply["circulating"] == supply["total"] - held
    assert before["nonCirculatingAccounts"] == []
    # Two signatures were paid, and what is paid for them is gone.
    assert supply["total"] <= before["total"] - 10_000
    short = net.call("getSupply", {"excludeNonCirculatingAccountsList": True})["value"]
    assert short == supply | {"nonCirculatingAccounts": []}
    locked = net.call("getLargestAccounts", {"filter": "nonCirculating"})["value"]
    assert locked == [{"address": str(stake.pubkey()), "lamports": held}]
    free = net.call("getLargestAccounts", {"filter": "circulating"})["value"]
    assert str(stake.pubkey()) not in {item["address"] for item in free}


def test_the_largest_accounts_and_the_supply_are_exact(net: Localnet) -> None:
    rich = [net.funded(1_000_000 + n) for n in range(3)]
    largest = net.call("getLargestAccounts")["value"]
    assert len(largest) == 20
    lamports = [item["lamports"] for item in largest]
    assert lamports == sorted(lamports, reverse=True)
    for item in largest:
        assert net.balance(Pubkey.from_string(item["address"])) == item["lamports"]
    faucet = net.call("getIdentity")["identity"]
    assert [item["address"] for item in largest[:4]] == [
        faucet,
        *(str(keypair.pubkey()) for keypair in reversed(rich)),
    ]
    # What an airdrop gives comes from somewhere: only its fee is lost.
    total = net.call("getSupply")["value"]["total"]
    net.funded(5)
    assert net.call("getSupply")["value"]["total"] == total - 5_000


def test_a_vote_account_is_parsed_and_listed_as_one_that_does_not_vote(net: Localnet) -> None:
    payer, node = net.funded(), Keypair()
    vote, made = _new(net, payer, 3_762, VOTE)
    authority = payer.pubkey()
    start = Instruction(
        VOTE,
        struct.pack("<I32s32s32sB", 0, bytes(node.pubkey()), *[bytes(authority)] * 2, 7),
        [
            _meta(vote.pubkey(), writable=True),
            _meta(RENT),
            _meta(CLOCK),
            _meta(node.pubkey(), signer=True),
        ],
    )
    net.confirm(net.run([made, start], payer, vote, node))
    data = _parsed(net, vote.pubkey())
    info = data["parsed"]["info"]
    assert (data["program"], data["parsed"]["type"]) == ("vote", "vote")
    assert (info["nodePubkey"], info["commission"]) == (str(node.pubkey()), 7)
    assert info["authorizedVoters"][0]["authorizedVoter"] == str(authority)
    assert (info["votes"], info["rootSlot"]) == ([], None)

    listed = net.call("getVoteAccounts", PROCESSED)
    assert listed == {"current": [], "delinquent": []}  # a validator leaves out the unstaked
    kept = net.call("getVoteAccounts", {"keepUnstakedDelinquents": True})
    (found,) = kept["delinquent"]
    assert found == {
        "votePubkey": str(vote.pubkey()),
        "nodePubkey": str(node.pubkey()),
        "activatedStake": 0,
        "commission": 7,
        "inflationRewardsCommissionBps": 700,
        "epochVoteAccount": False,
        "epochCredits": [],
        "lastVote": 0,
        "rootSlot": 0,
    }
    other = {"keepUnstakedDelinquents": True, "votePubkey": str(Pubkey.new_unique())}
    assert net.call("getVoteAccounts", other)["delinquent"] == []
    assert listed["current"] == kept["current"] == []
