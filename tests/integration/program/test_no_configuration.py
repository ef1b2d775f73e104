"""`cbctl program` in a folder without a cbctl.yaml: everything is said on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.integration.program.commands import Done, House
from tests.integration.program.support import SMALL_ELF, SOL, Localnet, variant
from tests.testbed.forked import Forked

from cbctl.clients.solana.keypair import write


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    made = House.make(tmp_path, net, forked)
    (tmp_path / "cbctl.yaml").unlink()
    (tmp_path / "program.so").write_bytes(SMALL_ELF.read_bytes())
    return made


def alone(house: House, *words: str, wallet: bool = False) -> Done:
    signed = ("--wallet", "keys/wallet.json") if wallet else ()
    return house.run(*words, "--cluster", house.net.url, *signed, env=None)


def test_a_whole_life(house: House) -> None:
    id, as_json = ("--program-id", house.id), ("--output", "json")
    elf = ("--elf", "program.so")
    deploy = ("deploy", *elf, "--keypair", "keys/program.json")
    assert alone(house, "estimate", *elf, *id, *as_json, wallet=True).ended().json["locked"] > 0
    alone(house, *deploy, "--plan", wallet=True).ended(2)
    alone(house, *deploy, wallet=True).ended()
    assert alone(house, *deploy, *as_json, wallet=True).ended().json["result"] == "unchanged"
    folder = house.folder / "state" / "default" / f"cluster.127.0.0.1-{house.net.port}"
    assert len(list((folder / "runs").glob("*.ndjson"))) == 1
    listed = house.cbctl("runs", "list", "--env", folder.name).ended()
    assert "program deploy" in listed.out

    assert "file" not in alone(house, "show", *id).ended().out
    shown = alone(house, "show", *id, *as_json).ended().json
    assert (shown["state"], shown["elf"], shown["account"]) == ("deployed", None, None)
    key = str(house.wallet.pubkey())
    assert key in alone(house, "authority", "show", *id).ended().out
    alone(house, "verify", *id, *elf, "--authority", key).ended()
    alone(house, "verify", *id, "--elf", variant(house.folder, 3, elf=SMALL_ELF).name).ended(10)
    alone(house, "dump", "chain.so", *id).ended()

    upgrade = ("upgrade", "--elf", variant(house.folder, 3, elf=SMALL_ELF).name, *id)
    alone(house, *upgrade, wallet=True).ended()
    alone(house, "rollback", *id, wallet=True).ended()
    alone(house, "verify", *id, *elf).ended()
    alone(house, "extend", "--capacity", "300000", *id, wallet=True).ended()
    alone(house, "buffers", "list", wallet=True).ended()
    assert alone(house, "buffers", "close", *as_json, wallet=True).ended().json["changes"] == []
    alone(house, "deploy", "--abort", *elf, *id, wallet=True).ended()

    new = Keypair()
    write(house.folder / "keys" / "new.json", new)
    house.net.fund(new.pubkey(), SOL)
    hand = ("authority", "set", "--to-wallet", "keys/new.json", *id, "--confirm", house.id)
    alone(house, *hand, wallet=True).ended()
    alone(house, "close", *id, "--wallet", "keys/new.json", "--confirm", house.id).ended()
    assert alone(house, "show", *id, *as_json).ended().json["state"] == "closed"


def test_the_wallet_of_the_solana_cli_and_the_faucet(house: House) -> None:
    other = Keypair()
    write(house.folder / "id.json", other)
    folder = house.folder / ".config" / "solana" / "cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(f"keypair_path: {house.folder / 'id.json'}\n")
    alone(house, "airdrop", "1").ended()
    assert house.balance(other.pubkey()) == SOL
    assert alone(house, "keys", "show", "--output", "json").ended().json == []
    assert "names no keypair" in alone(house, "keys", "show").ended().out


def test_what_is_missing_is_asked_for(house: House) -> None:
    id = ("--program-id", house.id)
    alone(house, "deploy", *id, wallet=True).refused(64, "which elf?", "--elf FILE")
    alone(house, "deploy", "--elf", "program.so", wallet=True).refused(64, "--program-id ADDRESS")
    alone(house, "show").refused(64, "which program?", "--program-id ADDRESS")
    alone(house, "verify", *id).refused(64, "which elf?", "--elf FILE")
    alone(house, "close", wallet=True).refused(64, "which program id?", "--program-id ADDRESS")
    alone(house, "idl", "publish", *id, wallet=True).refused(64, "which idl?", "--idl FILE")
    alone(house, "airdrop").refused(64, "no wallet is named", "--wallet")
    (house.folder / "age.txt").write_text("nothing")
    backup = ("keys", "backup", "keys.age", "--identity", "age.txt")
    alone(house, *backup).refused(7, "no keypair is named")
    house.run("show", env="dev").refused(64, "no cbctl.yaml")
    house.run("show", "--config", "none.yaml", "--cluster", "local", env=None).refused(
        64, "no file"
    )
    near = house.run("show", *id, "--cluster", "devnett", env=None).refused(64, "did you mean")
    assert "mainnet-beta" in near.err


def test_a_file_that_is_there_counts(house: House) -> None:
    house.configure()
    alone(house, "deploy", "--keypair", "keys/program.json", wallet=True).ended()
    assert (house.state / f"cluster.127.0.0.1-{house.net.port}").is_dir()
