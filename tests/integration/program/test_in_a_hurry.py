"""What a person in a hurry, or without the keys, asks of `cbctl program`, and gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.integration.program.commands import House
from tests.integration.program.support import ELF, SOL, Localnet, variant
from tests.testbed.forked import Forked

from cbctl.clients.solana import elf as elves
from cbctl.clients.solana.loader import PROGRAM_SIZE, programdata_address

ON_THE_CURVE = (
    "11111111111111111111111111111111",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "SysvarC1ock11111111111111111111111111111111",
)
"""Addresses of the cluster that a key could belong to, by their form."""


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    return House.make(tmp_path, net, forked)


def test_the_price_of_a_closed_program_goes_where_somebody_can_spend_it(house: House) -> None:
    house.run("deploy").ended()
    before = house.run("show", "--output", "json").ended().json["lamports"]
    lost = (house.id, str(programdata_address(house.program.pubkey())), *ON_THE_CURVE)
    for address in lost:
        close = house.run("close", "--recipient", address, "--confirm", house.id)
        close.refused(7, address, "the money would be lost")
    house.run("close", "--recipient", "x", "--confirm", house.id).refused(64, "not an address")
    assert house.run("show", "--output", "json").ended().json["lamports"] == before
    to = Keypair().pubkey()  # a new address has no account yet
    house.run("close", "--recipient", str(to), "--confirm", house.id).ended()
    assert house.balance(to) == before - house.net.rpc.rent(PROGRAM_SIZE)


def test_what_is_no_amount(house: House) -> None:
    for sol in ("9E999999", "1_0", "0.0000000001", "-1", "nan", "0", ".", "", "1" * 5000):
        told = house.run("airdrop", "--env", "dev", "--", sol, env=None)
        told.refused(64, "is no amount of SOL")
    assert "20,000,000,000" in house.run("airdrop", "20.", "--plan").ended().out
    told = house.run("airdrop", "20.000000001", "--plan", "--output", "json").ended(2)
    assert told.json["steps"][0]["changes"][0]["after"] == 20 * SOL + 1


def test_a_program_that_is_not_there_is_not_compared(house: House) -> None:
    shown = house.run("show").ended().out
    assert "(absent)" in shown and "another" not in shown and "room" not in shown
    house.run("deploy").ended()
    assert "program.so: the same" in house.run("show").ended().out
    house.folder.joinpath("program.so").write_bytes(ELF.read_bytes() + b"1")
    assert "program.so: another: " in house.run("show").ended().out


def test_the_price_is_told_before_it_is_paid(net: Localnet, forked: Forked, tmp_path: Path) -> None:
    poor = House.make(tmp_path, net, forked, sol=0)
    net.fund(poor.wallet.pubkey(), SOL // 10)
    told = poor.run("estimate", "--output", "json").ended().json
    assert told["missing"] == told["needed"] - SOL // 10 > 0
    assert f"missing       {told['missing']:,} lamports" in poor.run("estimate").ended().out
    net.fund(poor.wallet.pubkey(), told["missing"])

    price = {name: told[name] for name in ("locked", "returned", "fees")}
    plan = poor.run("deploy", "--plan", "--output", "json").ended(2).json
    assert plan["steps"][0]["lamports"] == price
    shown = " ".join(poor.run("deploy", "--plan").ended(2).out.split())
    assert f"lamports: {price['locked']:,} locked, {price['returned']:,} returned" in shown
    before = poor.balance()
    poor.run("deploy").ended()
    assert before - poor.balance() == price["locked"] + price["fees"]


def test_of_what_is_elsewhere_nothing_is_said_to_be_missing(house: House) -> None:
    house.run("deploy").ended()
    told = house.cbctl("status", "dev").ended().out
    assert "missing" not in told and "cbctl program show --env dev" in told
    assert house.cbctl("status", "dev", "--output", "json").ended().json["parts"] == []
    house.cbctl("health", "dev").refused(7, "cbctl program verify --env dev")


def test_who_only_looks_needs_no_key(house: House) -> None:
    house.run("deploy").ended()
    house.run("init").ended()
    seen = house.run("show", "--output", "json").ended().json
    (house.folder / "keys" / "wallet.json").unlink()
    without = house.run("show", "--output", "json").ended().json
    assert without["account"] == seen["account"] and without["hash"] == seen["hash"]
    house.run("authority", "show").ended()
    there = ("--cluster", house.net.url, "--program-id", house.id)
    assert house.run("show", *there, "--output", "json", env=None).ended().json["account"]


def test_the_programs_own_keypair_is_no_wallet(house: House) -> None:
    house.run("deploy").ended()
    own = ("--wallet", "keys/program.json")
    house.run("init", *own, "--plan").ended(7)
    house.run("init").ended()
    house.run("pause", *own).refused(7, "the program's own keypair")


def test_which_one_to_go_back_to_is_never_guessed(house: House) -> None:
    house.run("deploy").ended()
    seen: dict[str, str] = {}
    for tail in range(1, 40):
        other = variant(house.folder, tail)
        hash = elves.parse(other.read_bytes()).hash
        if (twin := seen.setdefault(hash[:1], other.name)) != other.name:
            break
    for name in (twin, other.name):
        house.run("upgrade", "--elf", name).ended()
    told = house.run("rollback", "--to", hash[:1])
    told.refused(7, "kept programs have a hash that begins with", hash[:12])
