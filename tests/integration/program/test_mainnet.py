"""New bytes for mainnet-beta: a localnet whose genesis hash is the one of mainnet-beta."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from solders.hash import Hash
from tests.integration.program.commands import House
from tests.integration.program.support import SMALL_ELF, Localnet, variant
from tests.testbed.forked import Forked

from cbctl.clients.solana.clusters import MAINNET, PUBLIC
from cbctl.localnet import chain
from cbctl.localnet.genesis import Genesis
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.state import vm_version

PIN = 'toolchain: { tool: cargo build-sbf, version: "4.0.0" }'
BACKUP = ("keys", "backup", "keys.age", "--identity", "age.txt")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    folder = tmp_path_factory.mktemp("mainnet")
    genesis = Genesis(
        genesis_hash=bytes(Hash.from_string(PUBLIC[MAINNET])).hex(),
        blockhash_seed=secrets.token_hex(32),
        faucet_seed=secrets.token_hex(32),
        faucet_lamports=chain.FAUCET_LAMPORTS,
        first_slot=FIRST_SLOT,
        unix_time=int(time.time()),
        vm=vm_version(),
        slot_ms=50,
    )
    chain.write(folder, genesis, {})
    localnet = Localnet(folder)
    assert localnet.genesis == PUBLIC[MAINNET]
    yield localnet
    localnet.stop()


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    made = House.make(tmp_path, net, forked, cluster=MAINNET)
    (tmp_path / "program.so").write_bytes(SMALL_ELF.read_bytes())
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "age.txt").write_text(f"{identity}\n")
    (tmp_path / "age.txt").chmod(0o600)
    return made


def record(elf: Path, version: str = "4.0.0") -> None:
    """What `cbctl program build` writes."""
    found = {
        "sha256": hashlib.sha256(elf.read_bytes()).hexdigest(),
        "tool": "cargo build-sbf",
        "version": version,
        "versions": {"solana-cargo-build-sbf": version, "platform-tools": "v1.52"},
        "command": ["cargo", "build-sbf"],
        "source": {},
        "built": "2026-11-26T12:00:00+00:00",
    }
    elf.with_name(f"{elf.name}.build.json").write_text(json.dumps(found))


def test_only_proved_bytes_from_proved_keys(house: House) -> None:
    deploy = ("deploy", "--confirm", "dev")
    before = house.balance()
    house.run(*deploy).refused(7, "no version is pinned", "program.toolchain")
    house.configure(PIN)
    house.run(*deploy).refused(7, "program.so has none beside it", "cbctl program build")
    record(house.folder / "program.so", "3.1.0")
    house.run(*deploy).refused(7, "was built by cargo build-sbf 3.1.0")
    record(house.folder / "program.so")
    house.run(*deploy).refused(7, "demands a proved backup of the keys")
    house.run("deploy", "--plan").ended(7)
    assert house.balance() == before
    house.run(*BACKUP).ended()
    kept = json.loads((house.state / "dev" / "key-backup.json").read_text())
    assert kept["sha256"] == hashlib.sha256((house.folder / "keys.age").read_bytes()).hexdigest()
    assert kept["addresses"]["program.keypair"] == house.id
    house.run("deploy").refused(64, "asks for its name")
    house.run(*deploy).ended()

    # what is there needs no proof, and the way back none of the backup
    (house.state / "dev" / "key-backup.json").unlink()
    assert house.run(*deploy, "--output", "json").ended().json["result"] == "unchanged"
    new = variant(house.folder, 5, elf=SMALL_ELF)
    upgrade = ("upgrade", "--elf", new.name, "--confirm", "dev")
    house.run(*upgrade).refused(7, f"{new.name} has none beside it")
    record(new)
    house.run(*upgrade).refused(7, "demands a proved backup of the keys")
    house.run(*BACKUP).ended()
    house.run(*upgrade).ended()
    (house.state / "dev" / "key-backup.json").unlink()
    back = house.run("rollback", "--confirm", "dev").ended()
    assert "a rollback is not held back by that" in back.err
    (programs,) = (house.state / "dev" / "programs").iterdir()
    for one in programs.glob("*.build.json"):
        one.unlink()
    house.run("rollback", "--confirm", "dev").refused(7, "none beside it")


def test_another_name_makes_no_other_cluster(house: House) -> None:
    house.configure(PIN, cluster="devnet")
    house.run("deploy", "--yes").refused(7, "program.so has none beside it")
    alone = ("--cluster", house.net.url, "--wallet", "keys/wallet.json")
    own = ("--keypair", "keys/program.json", "--elf", str(SMALL_ELF))
    house.run("deploy", *alone, *own, env=None).refused(7, "no version is pinned")
