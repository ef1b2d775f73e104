"""`cbctl program` from the first deploy to the end, by the real command on a real localnet."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.system_program import CreateAccountWithSeedParams, create_account_with_seed
from tests.integration.program.commands import House
from tests.integration.program.support import ELF, IDL, SOL, Localnet, variant
from tests.testbed.forked import Forked

from cbctl.clients.solana import squads
from cbctl.clients.solana.buffers import owned
from cbctl.clients.solana.idl.program import Program
from cbctl.clients.solana.keypair import write
from cbctl.clients.solana.loader import (
    BUFFER_HEADER,
    LOADER,
    PROGRAM_SIZE,
    buffer_address,
    buffer_seed,
    initialize_buffer,
    programdata_address,
)

OLDER_ELF = Path(__file__).parents[2] / "fixtures" / "older" / "crypto_bet-config-1.so"
FEE = 5_000  # lamports of one signature on a localnet


@pytest.fixture
def house(net: Localnet, forked: Forked, tmp_path: Path) -> House:
    return House.make(tmp_path, net, forked)


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
    rows = dict(line.split(None, 1) for line in house.run("show").ended().out.splitlines())
    assert (rows["fee_bps"], rows["total_markets"]) == ("250", "0")  # nothing is left out
    assert (rows["sol.min_bet"], rows["reserve"]) == ("1000000", "120 times 0")
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


def test_room_buffers_authority_and_the_end(house: House, tmp_path: Path) -> None:
    house.run("deploy").ended()
    room = house.run("show", "--output", "json").ended().json["capacity"]
    house.run("extend", "--capacity", str(room + 1)).ended()
    assert house.run("show", "--output", "json").ended().json["capacity"] == room + 10_240
    assert "nothing to do" in house.run("extend", "--capacity", str(room + 1)).ended().err

    house.run("dump", "chain.so").ended()
    assert (tmp_path / "chain.so").read_bytes().rstrip(b"\0") == ELF.read_bytes().rstrip(b"\0")

    left = interrupted(house)
    listed = house.run("buffers", "list", "--output", "json").ended().json["buffers"]
    assert [one["buffer"] for one in listed] == [left]
    before = house.balance()
    closed = house.run("buffers", "close", "--output", "json").ended().json
    assert len(closed["changes"]) == 2
    assert house.balance() == before + listed[0]["lamports"] - FEE
    assert house.run("buffers", "list").ended().out.endswith("has no buffers\n")
    assert house.run("buffers", "close", "--output", "json").ended().json["changes"] == []

    # handed on to somebody who signs too; the id has to be typed
    new = Keypair()
    write(tmp_path / "keys" / "new.json", new)
    to = ("authority", "set", "--to-wallet", "keys/new.json")
    house.run(*to).refused(64, "asks for its id", f"--confirm {house.id}")
    house.run(*to, "--confirm", "dev").refused(8, "nothing was changed")
    house.run(*to, "--confirm", house.id).ended()
    assert str(new.pubkey()) in house.run("authority", "show").ended().out
    house.run("verify").ended(10)
    house.run("verify", "--authority", str(new.pubkey())).ended(10)  # not initialized
    house.run("close", "--confirm", house.id).refused(7, f"upgrade authority of {house.id} is")

    house.net.fund(new.pubkey(), SOL)
    locked = house.run("show", "--output", "json").ended().json["lamports"]
    before = house.net.rpc.balance(new.pubkey())
    close = ("close", "--wallet", "keys/new.json", "--confirm", house.id)
    house.run(*close).ended()
    assert house.run("show", "--output", "json").ended().json["state"] == "closed"
    rent = house.net.rpc.rent(PROGRAM_SIZE)
    assert house.net.rpc.balance(new.pubkey()) == before + locked - rent - FEE
    assert house.run(*close, "--output", "json").ended().json["result"] == "unchanged"
    house.run("deploy").refused(7, "can never be used again")
    # nothing more can be done with it, so nothing is named that would help
    for words in (("extend",), ("idl", "publish"), (*to, "--confirm", house.id)):
        told = house.run(*words).refused(7, f"{house.id} is closed").err
        assert "cbctl program deploy" not in told
    assert "fix:" not in house.run("verify").ended(10).out


ADDRESSES_ON_THE_CURVE = (
    "11111111111111111111111111111111",  # also what an empty setting becomes
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "SysvarC1ock11111111111111111111111111111111",
)


def test_nobody_is_handed_a_program_by_mistake(house: House) -> None:
    house.run("deploy").ended()
    for to, why in (
        (str(programdata_address(house.program.pubkey())), "not proved to be a multisig's vault"),
        ("nonsense", "is not an address"),
        *((known, "nobody holds its key") for known in ADDRESSES_ON_THE_CURVE),
        (house.id, "nobody holds its key"),
    ):
        done = house.run("authority", "set", "--to", to, "--confirm", house.id)
        assert done.exit in (7, 64) and why in done.err, done
    vault = str(squads.vault_address(house.wallet.pubkey(), 0))
    given = ("authority", "set", "--to", vault, "--multisig", str(house.wallet.pubkey()))
    house.run(*given, "--confirm", house.id).refused(7, "is no Squads multisig on this cluster")
    house.run("authority", "set", "--to", "none", "--confirm", house.id).ended()
    assert "immutable" in house.run("authority", "show").ended().out
    assert "immutable" in house.run("extend", "--capacity", "900000").refused(7).err


def test_a_cluster_without_an_environment(house: House, tmp_path: Path) -> None:
    given = ("--cluster", house.net.url, "--wallet", "keys/wallet.json")
    own = ("--keypair", "keys/program.json")
    done = house.run("deploy", *given, *own, "--output", "json", env=None).ended().json
    assert done["outcome"]["program_id"] == house.id
    (folder,) = house.state.iterdir()
    assert folder.name == f"cluster.127.0.0.1-{house.net.port}"
    assert len(list((folder / "runs").glob("*.ndjson"))) == 1
    listed = house.cbctl("runs", "list", "--env", folder.name).ended()
    assert done["run"] in listed.out
    more = ("--program-id", house.id, "--elf", variant(tmp_path, 3).name)
    process = house.start("deploy", *given, *more, env=None)
    wait_for_buffer(house, process)
    process.kill()
    process.communicate()
    house.cbctl("resume", "--env", folder.name).refused(64, "is not kept", "--cluster URL")
    house.run("deploy", *given, *more, env=None).ended()
    house.run("show", *given[:2], env="dev").refused(64, "--env and --cluster name two places")
    near = house.run("show", "--cluster", "devnett", env=None).refused(64, "did you mean")
    assert "mainnet-beta" in near.err


def test_wallets(house: House, tmp_path: Path) -> None:
    drop = ("airdrop", "1.5", "--output", "json")
    assert house.run(*drop).ended().json["result"] == "unchanged"
    other = Keypair()
    write(tmp_path / "other.json", other)
    assert house.run(*drop, "--wallet", "other.json").ended().json["result"] == "succeeded"
    assert house.balance(other.pubkey()) == 1_500_000_000

    greedy = house.run("airdrop", "900000000", "--wallet", "other.json")  # more than there is
    greedy.refused(5, "the faucet could not pay", "ask it for less")

    text = json.dumps(list(bytes(other)))
    house.run(*drop, "--wallet", "env:KEY", KEY=text).ended()
    house.run(*drop, "--wallet", "env:KEY").refused(64, "the variable KEY is not set")
    (tmp_path / "other.json").chmod(0o644)
    house.run(*drop, "--wallet", "other.json").refused(64, "others can read or change it")
    house.run(*drop, "--wallet", "usb://ledger").refused(7, "multisig")
    house.run(*drop, "--wallet", "solana-cli").refused(64, "has no configuration")
    (tmp_path / "other.json").chmod(0o600)
    folder = tmp_path / ".config" / "solana" / "cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(f"keypair_path: {tmp_path / 'other.json'}\n")
    assert house.run(*drop, "--wallet", "solana-cli").ended().json["result"] == "unchanged"
    for wrong in ("0", "-1", "0.0000000001", "nan", "x", "1e99"):
        house.cbctl("program", "airdrop", "--env", "dev", "--", wrong).refused(
            64, "is no amount of SOL"
        )


def test_another_cluster_than_the_one_that_was_meant(house: House) -> None:
    config = house.folder / "cbctl.yaml"
    mainnet = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
    config.write_text(config.read_text().replace(house.net.genesis, mainnet))
    for words in (("show",), ("deploy",), ("pause",), ("airdrop", "1000")):
        house.run(*words).refused(7, "this is another cluster")


def test_mainnet_is_protected_whatever_is_written(house: House) -> None:
    house.run("deploy").ended()
    house.configure(cluster="mainnet-beta")
    house.run("init").refused(64, "asks for its name", "--confirm dev")
    house.run("airdrop", "1000").refused(7, "mainnet-beta has no faucet")
    house.run("init", "--confirm", "dev").ended()


def test_where_money_goes_is_not_decided_by_one_line(house: House) -> None:
    house.run("deploy").ended()
    here = json.loads((house.folder / "addresses").read_text())["treasury"]
    other = Keypair().pubkey()
    house.configure(f"initialize:\n  allowed: {{ config.treasury: [{other}] }}")
    house.run("init").refused(7, f"config.treasury: {here} is not among those")
    house.configure(f"initialize:\n  allowed: {{ config.treasurer: [{other}] }}")
    house.run("init").refused(7, "has no argument config.treasurer")
    house.configure(f"initialize:\n  allowed: {{ config.treasury: [{other}, {here}] }}")
    house.run("init").ended()
    house.configure("initialize:\n  arguments: { config: { fee_bps: 300 } }")
    told = house.run("init").refused(7, "fee_bps: on chain 250, in cbctl.yaml 300")
    assert "update_config" in told.err


def test_killed_and_resumed(house: House) -> None:
    process = house.start("deploy")
    wait_for_buffer(house, process)
    process.kill()
    process.communicate()
    house.cbctl("resume", "--env", "dev").ended()
    assert house.run("deploy", "--output", "json").ended().json["result"] == "unchanged"
    assert owned(house.net.rpc, house.wallet.pubkey()) == []


def test_back_to_the_one_before(house: House) -> None:
    house.run("upgrade").refused(7, "is not deployed", "cbctl program deploy")
    house.run("deploy").ended()
    house.run("rollback").refused(7, "no other program is kept here")
    first = house.run("show", "--output", "json").ended().json["hash"]
    other = variant(house.folder, 7)
    house.run("upgrade", "--elf", other.name).ended()
    second = house.run("show", "--output", "json").ended().json["hash"]
    assert second != first
    house.run("verify").ended(10)
    assert house.run("rollback", "--plan").ended(2).out
    house.run("rollback").ended()
    assert house.run("show", "--output", "json").ended().json["hash"] == first
    house.run("rollback", "--to", second[:10]).ended()
    assert house.run("show", "--output", "json").ended().json["hash"] == second
    house.run("rollback", "--to", "ffff").refused(7, "no kept program", first[:12])
    # what an unset variable of a script becomes must not choose one
    house.run("rollback", "--to", "").refused(7, "no kept program", first[:12])
    (kept,) = house.state.glob(f"dev/programs/*/{first}.so")
    kept.write_bytes(kept.read_bytes() + b"1")
    house.run("rollback").refused(7, "its file was changed", str(kept))
    assert house.run("show", "--output", "json").ended().json["hash"] == second


def test_no_way_back_past_accounts_that_nobody_could_read(house: House) -> None:
    house.run("deploy").ended()
    idl = json.loads(IDL.read_text())
    config = next(t for t in idl["types"] if t["name"] == "GlobalConfig")
    config["type"]["fields"][8]["type"] = "u32"
    (house.folder / "program.json").write_text(json.dumps(idl))
    upgrade = ("upgrade", "--elf", variant(house.folder, 9).name)
    house.run(*upgrade).refused(7, "fee_bps", "u32")
    house.run(*upgrade, "--breaking").ended()
    house.run("rollback").refused(7, "cannot read accounts", "fee_bps", "u32")


def test_no_way_back_past_accounts_of_a_later_version(house: House) -> None:
    """The program before wrote version 1 of its configuration, and takes no other."""
    (house.folder / "older.so").write_bytes(OLDER_ELF.read_bytes())
    house.run("deploy", "--elf", "older.so").ended()
    house.run("init").ended()
    assert house.field("version") == 1
    house.run("upgrade").ended()
    house.run("rollback", "--plan").ended(2)
    program = Program.from_text(IDL.read_text(), house.program.pubkey())
    given = {"authority": house.wallet.pubkey()}
    migrate = program.build("migrate", {}, program.accounts("migrate", {}, given))
    house.net.confirm(house.net.run([migrate], house.wallet))
    assert house.field("version") == 2
    why = "1 account of type GlobalConfig up to version 2, it knew 1"
    house.run("rollback").refused(7, "cannot read accounts", why, "go forward instead")
    # what knows the version is gone back to
    other = variant(house.folder, 21)
    house.run("upgrade", "--elf", other.name).ended()
    house.run("rollback").ended()


def wait_for_buffer(house: House, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not owned(house.net.rpc, house.wallet.pubkey()):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)


def interrupted(house: House) -> str:
    """A buffer that a deploy of another file has left; its address."""
    key = house.wallet.pubkey()
    seed = buffer_seed(house.program.pubkey(), "00" * 32, 0)
    address, size = buffer_address(key, seed), BUFFER_HEADER + 1000
    make = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=key,
            to_pubkey=address,
            base=key,
            seed=seed,
            lamports=house.net.rpc.rent(size),
            space=size,
            owner=LOADER,
        )
    )
    house.net.confirm(house.net.run([make, initialize_buffer(address, key)], house.wallet))
    return str(address)
