"""`cbctl program` from the first deploy to the end, by the real command on a real localnet."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import Localnet


@pytest.fixture
def house(net: Localnet, tmp_path: Path) -> House:
    return House.make(tmp_path, net)


def test_a_life(house: House) -> None:
    cost = house.run("estimate", "--output", "json").ended().json
    before = house.balance()
    assert cost["balance"] == before and cost["needed"] < before
    planned = house.run("deploy", "--plan").ended(2)
    assert "program bytes" in planned.out

    done = house.run("deploy", "--output", "json").ended().json
    assert done["result"] == "succeeded"
    assert done["outcome"]["program_id"] == house.id
    assert before - house.balance() == cost["locked"] + cost["fees"]
    again = house.run("deploy", "--output", "json").ended().json
    assert (again["result"], again["changes"]) == ("unchanged", [])
    assert house.run("estimate").ended().out.startswith("nothing")

    shown = house.run("show", "--output", "json").ended().json
    assert shown["state"] == "deployed" and shown["elf"]["same"]
    assert shown["authority"] == str(house.wallet.pubkey())
    assert shown["account"] is None
    house.run("verify").ended(10)  # not initialized
    house.run("pause").refused(7, "is not initialized", "cbctl program init")

    house.run("init").ended()
    assert house.field("fee_bps") == 250
    house.run("verify").ended()
    assert house.run("init", "--output", "json").ended().json["result"] == "unchanged"

    house.run("pause").ended()
    assert house.field("pause_scope") == "AllButClaims"
    assert house.run("pause", "--output", "json").ended().json["result"] == "unchanged"
    checks = house.run("verify", "--output", "json").ended(10).json["checks"]
    assert [c["check"] for c in checks if not c["ok"]] == ["not paused"]
    house.run("unpause").ended()
    assert house.field("pause_scope") == "None"
    house.run("verify").ended()
