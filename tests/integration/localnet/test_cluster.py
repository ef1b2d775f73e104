"""The cluster of one node: its schedule, its blocks, and what nobody does here."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey
from tests.integration.localnet.support import PROCESSED, SOL, Localnet, RpcFailure

NOBODY = str(Pubkey.new_unique())
IN_AN_EPOCH = 432_000


def test_the_one_node(net: Localnet) -> None:
    (node,) = net.call("getClusterNodes")
    assert node["pubkey"] == net.call("getIdentity")["identity"]
    assert (node["rpc"], node["pubsub"]) == (
        f"127.0.0.1:{net.port}",
        f"127.0.0.1:{net.port + 1}",
    )
    assert node["gossip"] is node["tpu"] is node["tvu"] is None
    version = net.call("getVersion")
    assert (node["version"], node["featureSet"]) == (version["solana-core"], version["feature-set"])
    assert 1 <= node["shredVersion"] <= 65_535


def test_it_leads_every_slot(net: Localnet) -> None:
    me = net.call("getIdentity")["identity"]
    slot = net.slot()
    assert net.call("getSlotLeader") == me
    assert net.call("getSlotLeaders", slot, 3) == [me] * 3
    assert net.call("getSlotLeaders", slot, 0) == []
    assert net.call("getLeaderSchedule") == {me: list(range(IN_AN_EPOCH))}
    assert net.call("getLeaderSchedule", None, {"identity": me}) == {me: list(range(IN_AN_EPOCH))}
    assert net.call("getLeaderSchedule", {"identity": NOBODY}) == {}
    assert net.call("getLeaderSchedule", slot + IN_AN_EPOCH, {"identity": NOBODY}) == {}
    # What lies behind the next epoch is not decided yet.
    assert net.call("getLeaderSchedule", slot + 2 * IN_AN_EPOCH) is None
    epoch = net.call("getEpochInfo")["epoch"]
    with pytest.raises(RpcFailure, match=f"leader schedule for epoch {epoch + 2} is unavailable"):
        net.call("getSlotLeaders", slot + 2 * IN_AN_EPOCH, 1)


def test_it_makes_a_block_in_every_slot(net: Localnet) -> None:
    me, first = net.call("getIdentity")["identity"], net.call("minimumLedgerSlot")
    shown = net.call("getBlockProduction", PROCESSED)
    inside = shown["value"]["range"]
    count = inside["lastSlot"] - inside["firstSlot"] + 1
    assert (inside["firstSlot"], inside["lastSlot"]) == (first, shown["context"]["slot"])
    assert shown["value"]["byIdentity"] == {me: [count, count]}
    last = inside["lastSlot"]
    part = PROCESSED | {"range": {"firstSlot": last, "lastSlot": last}}
    value = net.call("getBlockProduction", part | {"identity": me})["value"]
    assert value == {
        "byIdentity": {me: [1, 1]},
        "range": {"firstSlot": last, "lastSlot": last},
    }
    assert net.call("getBlockProduction", part | {"identity": NOBODY})["value"]["byIdentity"] == {}
    for bounds, message in (
        ({"firstSlot": first - 1}, f"firstSlot, {first - 1}, is too small; min {first}"),
        ({"firstSlot": first, "lastSlot": last + 10**6}, "is too large; max"),
        ({"firstSlot": last, "lastSlot": first - 1}, "cannot be less than firstSlot"),
    ):
        with pytest.raises(RpcFailure, match=message) as failure:
            net.call("getBlockProduction", PROCESSED | {"range": bounds})
        assert failure.value.code == -32602


def test_slots_that_one_node_has_seen(net: Localnet) -> None:
    before = net.slot()
    seen = [net.call("getMaxRetransmitSlot"), net.call("getMaxShredInsertSlot")]
    assert all(before <= slot <= net.slot() for slot in seen)
    first = net.call("getFirstAvailableBlock")
    assert first == net.call("minimumLedgerSlot") <= before
    assert net.call("getBlock", first, {"commitment": "confirmed"})["blockHeight"] == first


def test_nobody_votes_and_nobody_is_rewarded(net: Localnet) -> None:
    slot = net.slot()
    assert net.call("getVoteAccounts") == {"current": [], "delinquent": []}
    recent = net.call("getBlockCommitment", slot)
    assert recent == {"commitment": [0] * 32, "totalStake": 0}
    old = net.call("getBlockCommitment", slot - 10**6)
    assert old == {"commitment": None, "totalStake": 0}
    rate = net.call("getInflationRate")
    assert rate == {
        "epoch": net.call("getEpochInfo")["epoch"],
        "foundation": 0.0,
        "total": 0.0,
        "validator": 0.0,
    }
    assert set(net.call("getInflationGovernor").values()) == {0.0}
    with pytest.raises(RpcFailure) as failure:
        net.call("getInflationReward", [NOBODY])
    assert failure.value.code == -32001
    with pytest.raises(RpcFailure) as failure:
        net.call("getInflationReward", [NOBODY], {"epoch": rate["epoch"]})
    assert failure.value.code == -32004
    with pytest.raises(RpcFailure, match="No snapshot") as failure:
        net.call("getHighestSnapshotSlot")
    assert failure.value.code == -32008
    minimum = net.call("getStakeMinimumDelegation")["value"]
    assert minimum == SOL or minimum == 1


def test_the_epoch_is_where_its_schedule_puts_it(net: Localnet) -> None:
    schedule, info = net.call("getEpochSchedule"), net.call("getEpochInfo", PROCESSED)
    assert info["slotsInEpoch"] == schedule["slotsPerEpoch"] == IN_AN_EPOCH
    normal = info["absoluteSlot"] - schedule["firstNormalSlot"]
    assert info["epoch"] == schedule["firstNormalEpoch"] + normal // IN_AN_EPOCH
    assert info["slotIndex"] == normal % IN_AN_EPOCH
    assert info["blockHeight"] == info["absoluteSlot"]


def test_rent_is_what_an_account_needs(net: Localnet) -> None:
    assert net.rent(0) == 890_880
    assert net.rent(165) == 2_039_280
    with pytest.raises(RpcFailure):
        net.rent(10 * 1024 * 1024 + 1)
