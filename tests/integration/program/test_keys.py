"""`cbctl program keys`: made, shown, backed up, and restored by age itself."""

from __future__ import annotations

import json
from pathlib import Path

import pyrage
import pytest
from tests.integration.program.commands import House
from tests.integration.program.support import Localnet
from tests.testbed.forked import Forked

IDENTITY = pyrage.x25519.Identity.generate()


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    made = House.make(tmp_path, net, forked, sol=0)
    identity = made.folder / "age.txt"
    identity.write_text(f"# public key: {IDENTITY.to_public()}\n{IDENTITY}\n")
    identity.chmod(0o600)
    return made


def test_made_once(house: House) -> None:
    new = ("program", "keys", "new", "fresh.json", "--output", "json")
    first = house.cbctl(*new).ended().json
    assert first["made"] and (house.folder / "fresh.json").stat().st_mode & 0o777 == 0o600
    assert house.cbctl(*new).ended().json == {**first, "made": False}


def test_shown_without_the_keys(house: House) -> None:
    rows = house.run("keys", "show", "--output", "json").ended().json
    assert {row["setting"]: row["address"] for row in rows} == {
        "program.keypair": house.id,
        "program.wallet": str(house.wallet.pubkey()),
        "program.pause.wallet": str(house.guardian.pubkey()),
    }
    (house.folder / "keys" / "program.json").unlink()
    assert "not there yet" in house.run("keys", "show").ended().out


def test_a_backup_comes_back(house: House) -> None:
    backup = ("keys", "backup", "keys.age", "--identity", "age.txt")
    assert house.run(*backup, "--output", "json").ended().json["restored"]
    file = house.folder / "keys.age"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(pyrage.decrypt(file.read_bytes(), [IDENTITY]))["keypairs"]
    assert kept["program.keypair"] == list(bytes(house.program))
    assert kept["program.wallet"] == list(bytes(house.wallet))
    house.run(*backup).ended()  # its own file is written over


def test_the_recipient_of_the_configuration(house: House) -> None:
    house.configure(f"backup: {{ recipient: {IDENTITY.to_public()} }}")
    backup = ("keys", "backup", "keys.age", "--identity", "age.txt", "--output", "json")
    assert house.run(*backup).ended().json["recipient"] == str(IDENTITY.to_public())
    other = pyrage.x25519.Identity.generate()
    house.configure(f"backup: {{ recipient: {other.to_public()} }}")
    house.run(*backup).refused(3, "does not open with this identity")
    house.configure("backup: { recipient: somebody }")
    house.run(*backup).refused(64, "recipient", "an age recipient")


def test_a_backup_that_would_not_open(house: House) -> None:
    other = str(pyrage.x25519.Identity.generate().to_public())
    backup = ("keys", "backup", "keys.age", "--identity", "age.txt")
    house.run(*backup, "--recipient", other).refused(3, "does not open with this identity")
    house.run(*backup, "--recipient", "age1nonsense").refused(64, "no age recipient")
    house.run(*backup[:-1], "keys/wallet.json").refused(3, "does not open")
    (house.folder / "age.txt").chmod(0o644)
    house.run(*backup).refused(64, "others can read")
    assert not (house.folder / "keys.age").exists()
