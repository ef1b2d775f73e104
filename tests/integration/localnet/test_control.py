"""The methods of our own: clock and snapshots over RPC, for test suites in any language."""

from __future__ import annotations

import re
import struct
import time
from base64 import b64decode
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from tests.integration.localnet.loader import CLOCK
from tests.integration.localnet.support import SOL, Localnet, RpcFailure, Start, free_port
from tests.testbed.localnet import MODULE

YEAR = 365 * 86_400
PROCESSED = {"commitment": "processed"}


def _clock(net: Localnet) -> tuple[int, int]:
    """Slot and time as programs see them."""
    config = {"encoding": "base64", **PROCESSED}
    data = b64decode(net.call("getAccountInfo", str(CLOCK), config)["value"]["data"][0])
    slot, _, _, _, unix_time = struct.unpack("<QqQQq", data)
    return slot, unix_time


def test_suites_go_back_between_tests(start: Start) -> None:
    net = start()
    payer, to = net.funded(), Pubkey.new_unique()
    taken = net.call("localnet_takeSnapshot", "clean")
    assert net.call("localnet_snapshots") == ["clean"]
    assert taken["accounts"] == 2
    for _ in range(3):
        slot = net.call("getSlot", PROCESSED)
        signature = net.pay(payer, to, SOL)
        assert net.balance(to) == SOL
        restored = net.call("localnet_restoreSnapshot", "clean")
        assert restored["accounts"] == 2
        assert net.balance(to) == 0
        assert net.balance(payer.pubkey()) == 100 * SOL
        assert net.status(signature) is None
        assert net.call("getSlot", PROCESSED) >= max(slot, restored["slot"])
    net.stop()
    again = start()
    assert again.balance(to) == 0
    assert again.call("localnet_snapshots") == ["clean"]
    assert again.call("localnet_removeSnapshot", "clean") is None
    assert again.call("localnet_snapshots") == []


def test_a_market_ends_next_year(start: Start) -> None:
    net = start()
    slot, unix_time = _clock(net)
    assert abs(unix_time - time.time()) < 60
    net.call("localnet_takeSnapshot", "now")
    moved = net.call("localnet_advanceClock", {"seconds": YEAR})
    assert moved["unixTime"] - unix_time >= YEAR
    assert moved["slot"] - slot >= YEAR * 20  # of 50 ms each
    at = _clock(net)
    assert at[0] >= moved["slot"] and at[1] >= moved["unixTime"]
    net.stop()
    net = start()
    assert _clock(net)[1] >= moved["unixTime"]
    new_year = 1_893_456_000  # 2030-01-01
    assert net.call("localnet_setClock", new_year)["unixTime"] == new_year
    assert net.call("localnet_advanceClock", {"slots": 10})["slot"] > moved["slot"]
    before = net.call("getSlot", PROCESSED)
    net.call("localnet_restoreSnapshot", "now")
    assert abs(_clock(net)[1] - time.time()) < 60  # the time of then
    assert _clock(net)[0] >= before


def test_status_tells_what_there_is(net: Localnet) -> None:
    net.confirm(net.call("requestAirdrop", str(Pubkey.new_unique()), SOL))
    status = net.call("localnet_status")
    assert status["transactions"] == net.call("getTransactionCount", PROCESSED)
    assert status["accounts"] >= 2
    assert status["genesisHash"] == net.call("getGenesisHash")
    assert status["state"] == str(net.state)
    assert 0 < status["bytes"] < 10_000_000
    assert status["slotMs"] == 50
    assert status["programs"] == status["features"] == status["deactivatedFeatures"] == []
    assert set(status) == {
        *("genesisHash", "slot", "unixTime", "slotMs", "transactions", "accounts", "programs"),
        *("bytes", "state", "snapshots", "features", "deactivatedFeatures"),
    }


@pytest.mark.parametrize(
    ("method", "params", "what"),
    [
        ("localnet_advanceClock", [], "invalid length 0, expected a tuple of size 1"),
        ("localnet_advanceClock", [{}], "by: {slots} or {seconds}"),
        ("localnet_advanceClock", [{"slots": 1, "seconds": 1}], "by: {slots} or {seconds}"),
        ("localnet_advanceClock", [{"slots": -1}], "$.slots"),
        ("localnet_advanceClock", [{"slots": 1.5}], "$.slots"),
        ("localnet_advanceClock", [{"days": 1}], "unknown field `days`"),
        ("localnet_advanceClock", [{"slots": 2**53}], "year 9999"),
        ("localnet_advanceClock", [{"seconds": 2**63 - 1}], "year 9999"),
        ("localnet_setClock", ["2027"], 'string "2027", expected u64'),
        ("localnet_setClock", [1_000_000_000], "only forward"),
        ("localnet_setClock", [2**62], "year 9999"),
        ("localnet_takeSnapshot", [], "invalid length 0, expected a tuple of size 1"),
        ("localnet_takeSnapshot", ["../../etc/passwd"], "cannot name a snapshot"),
        ("localnet_takeSnapshot", [""], "cannot name a snapshot"),
        ("localnet_restoreSnapshot", ["none"], "no snapshot 'none'"),
        ("localnet_restoreSnapshot", ["../ledger"], "cannot name a snapshot"),
        ("localnet_removeSnapshot", ["../url"], "cannot name a snapshot"),
        ("localnet_removeSnapshot", ["none"], "no snapshot 'none'"),
        ("localnet_status", [1], "No parameters were expected"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    net: Localnet, method: str, params: list[object], what: str
) -> None:
    before = _clock(net)[1]
    with pytest.raises(RpcFailure, match=re.escape(what)) as refused:
        net.call(method, *params)
    assert refused.value.code == -32602
    assert _clock(net)[1] - before < 60


def test_a_snapshot_that_is_damaged_is_not_used(start: Start) -> None:
    net = start()
    to = Pubkey.new_unique()
    net.call("localnet_takeSnapshot", "s")
    net.confirm(net.call("requestAirdrop", str(to), SOL))
    file = net.state / "snapshots" / "s"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(RpcFailure, match="damaged or not whole"):
        net.call("localnet_restoreSnapshot", "s")
    assert net.balance(to) == SOL
    assert file.stat().st_mode & 0o077 == 0


def test_they_are_for_this_machine_only(tmp_path: Path) -> None:
    net = Localnet(
        tmp_path / "state", free_port(neighbours=1), 50, "--host", "0.0.0.0", program=MODULE
    )
    try:
        assert net.call("getHealth") == "ok"
        for method in ("localnet_status", "localnet_takeSnapshot", "localnet_advanceClock"):
            with pytest.raises(RpcFailure, match="Method not found") as refused:
                net.call(method)
            assert refused.value.code == -32601
    finally:
        net.stop()
