"""`cbctl program idl`, with the real Program Metadata program on a real localnet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import IDL, Localnet
from tests.testbed.forked import Forked

from cbctl.clients.solana import metadata

SO = Path(__file__).parents[2] / "fixtures/program_metadata/program_metadata.so"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    options = ("--bpf-program", str(metadata.PROGRAM), str(SO))
    localnet = Localnet(tmp_path_factory.mktemp("localnet"), *options)
    yield localnet
    localnet.stop()


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    made = House.make(tmp_path, net, forked)
    made.run("deploy").ended()
    return made


def test_published_fetched_and_compared(house: House) -> None:
    house.run("idl", "fetch").refused(10, "no IDL of", "idl publish")
    house.run("idl", "publish").ended()
    assert house.run("idl", "publish", "--output", "json").ended().json["result"] == "unchanged"
    assert house.run("idl", "fetch").ended().out.rstrip("\n") == IDL.read_text().rstrip("\n")
    house.run("idl", "fetch", "chain.json").ended()
    assert json.loads((house.folder / "chain.json").read_text()) == json.loads(IDL.read_text())
    house.run("idl", "diff").ended(0)

    changed = json.loads(IDL.read_text())
    changed["instructions"] = changed["instructions"][1:]
    changed["errors"].append({"code": 6999, "name": "Another"})
    (house.folder / "program.json").write_text(json.dumps(changed))
    told = house.run("idl", "diff", "--output", "json").ended(10).json
    assert len(told["breaks"]) == 1 and "is gone" in told["breaks"][0]
    assert told["added"] == ["error Another (6999)"]
    before = house.balance()
    house.run("idl", "publish").ended()
    house.run("idl", "diff").ended(0)
    # a smaller one: the rent of the former came back
    assert house.balance() > before - 200_000


def test_half_of_it_written(house: House) -> None:
    """As a killed run leaves it: the rest is written, and no more is paid."""
    program, key = house.program.pubkey(), house.wallet.pubkey()
    packed = metadata.pack(IDL.read_text())
    rent = house.net.rpc.rent(metadata.HEADER.size + len(packed))
    making = [
        metadata.fund(key, metadata.address(program), rent),
        metadata.allocate(program, key),
        metadata.write(program, key, 0, packed[: metadata.CHUNK]),
    ]
    for one in ([making[0], making[1]], [making[2]]):
        house.net.confirm(house.net.run(one, house.wallet))
    house.run("idl", "publish").ended()
    house.run("idl", "diff").ended(0)
    account = house.net.rpc.account(metadata.address(program))
    assert account is not None and account.lamports == rent


def test_who_may_not(house: House, tmp_path: Path) -> None:
    (house.folder / "program.json").write_text("{}")
    assert house.run("idl", "publish").exit in (7, 64)
    house.configure()
    (house.folder / "program.json").write_text(IDL.read_text())
    done = house.run("idl", "publish", "--wallet", "keys/guardian.json")
    done.refused(7, "only the upgrade authority publishes", "works")
