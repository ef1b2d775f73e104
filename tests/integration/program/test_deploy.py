"""program.deploy on a real localnet, with the program that the project ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from tests.integration.program.support import (
    ELF,
    SOL,
    Localnet,
    Wallet,
    buffers,
    least,
    locked,
    run,
    variant,
)
from tests.testbed.context import FakeContext
from tests.testbed.unreliable import Answer, Proxy
from tests.testbed.waiting import free_port

from cbctl.clients.solana import loader
from cbctl.clients.solana.buffer import locate
from cbctl.clients.solana.elf import executable_hash, parse
from cbctl.clients.solana.features import SBPF_V3
from cbctl.clients.solana.keypair import read, write
from cbctl.clients.solana.sender import Order, Sender
from cbctl.engine.step import After, Blocked, Changes, Nothing
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import deploy

STEP = deploy.STEP


@pytest.fixture
def wallet(net: Localnet, tmp_path: Path) -> Wallet:
    made = Wallet.make(tmp_path / "keys")
    net.fund(made.key.pubkey(), 10 * SOL)
    return made


def blocked(inputs: deploy.Inputs) -> Blocked:
    verdict = run(STEP, inputs).verdict
    assert isinstance(verdict, Blocked), verdict
    return verdict


def test_first_deploy_and_then_nothing_to_do(net: Localnet, wallet: Wallet) -> None:
    inputs, key = wallet.inputs(net), wallet.key.pubkey()
    first = run(STEP, inputs)
    assert isinstance(first.verdict, Changes)
    assert first.outcome.program_id == str(wallet.program.pubkey())
    assert first.outcome.hash == executable_hash(ELF.read_bytes())
    sent = len(net.history(key))
    assert sent == least(ELF.stat().st_size)
    again = run(STEP, inputs)
    assert isinstance(again.verdict, Nothing)
    assert again.outcome == first.outcome
    assert len(net.history(key)) == sent
    assert buffers(net, key) == []


def test_cost_is_known_to_the_lamport(net: Localnet, tmp_path: Path) -> None:
    wallet = Wallet.make(tmp_path / "keys")
    key, inputs = wallet.key.pubkey(), wallet.inputs(net)
    net.fund(key, SOL // 100)
    estimate = STEP.observe(FakeContext(), inputs).evidence
    needed, locked_, fees = estimate["needed"], estimate["locked"], estimate["fees"]
    assert isinstance(needed, int) and isinstance(locked_, int) and isinstance(fees, int)
    net.fund(key, needed - SOL // 100 - 1)
    assert "1 lamports too little" in blocked(inputs).why
    assert net.history(key) == []
    net.fund(key, net.rpc.rent(0))  # what the faucet pays at least must keep an account alive
    run(STEP, inputs)
    assert net.rpc.balance(key) == needed - 1 + net.rpc.rent(0) - locked_ - fees
    assert net.fees(key) == fees
    assert locked(net, wallet.program.pubkey()) == locked_


def test_payer_apart_from_the_authority(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    payer = Keypair()
    write(tmp_path / "payer.json", payer)
    net.fund(payer.pubkey(), 10 * SOL)
    run(STEP, wallet.inputs(net, payer=tmp_path / "payer.json"))
    assert net.rpc.balance(wallet.key.pubkey()) == 10 * SOL
    spent = 10 * SOL - net.rpc.balance(payer.pubkey())
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(payer.pubkey())


def test_missing_keys_are_made_only_when_asked(net: Localnet, tmp_path: Path) -> None:
    keys = tmp_path / "state"
    inputs = deploy.Inputs(
        rpc=net.url,
        elf=ELF,
        wallet=keys / "wallet.json",
        program_keypair=keys / "program.json",
        airdrop=100 * SOL,
    )
    with pytest.raises(CbctlError, match="does not exist"):
        STEP.observe(FakeContext(), inputs)
    assert not keys.exists()
    generating = deploy.Inputs(**(vars(inputs) | {"generate": True}))
    verdict = STEP.plan(generating, STEP.observe(FakeContext(), generating).facts)
    assert isinstance(verdict, Changes)
    assert [change.what for change in verdict.changes] == [
        "program keypair",
        "wallet keypair",
        "airdrop",
        "program bytes",
    ]
    assert not keys.exists()
    made = run(STEP, generating)
    program = read(keys / "program.json")
    assert program is not None
    assert made.outcome.program_id == str(program.pubkey())
    assert (keys / "wallet.json").stat().st_mode & 0o777 == 0o600
    assert isinstance(run(STEP, generating).verdict, Nothing)


def test_upgrade_within_the_room(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    larger = variant(tmp_path, 4_000)
    run(STEP, wallet.inputs(net, larger))
    kept = locked(net, wallet.program.pubkey())
    before, fees = net.rpc.balance(wallet.key.pubkey()), net.fees(wallet.key.pubkey())
    upgraded = run(STEP, wallet.inputs(net))
    assert isinstance(upgraded.verdict, Changes)
    assert [change.what for change in upgraded.verdict.changes] == ["program bytes"]
    assert upgraded.outcome.hash == executable_hash(ELF.read_bytes())
    # the buffer's money has come back: only fees are gone
    assert locked(net, wallet.program.pubkey()) == kept
    spent = before - net.rpc.balance(wallet.key.pubkey())
    assert spent == net.fees(wallet.key.pubkey()) - fees
    assert buffers(net, wallet.key.pubkey()) == []


@pytest.mark.parametrize(("tail", "extension"), [(700, 10_240), (30_000, 30_000)])
def test_upgrade_extends_by_itself(
    net: Localnet, wallet: Wallet, tmp_path: Path, tail: int, extension: int
) -> None:
    run(STEP, wallet.inputs(net))
    before = net.rpc.balance(wallet.key.pubkey())
    fees, kept = net.fees(wallet.key.pubkey()), locked(net, wallet.program.pubkey())
    upgraded = run(STEP, wallet.inputs(net, variant(tmp_path, tail)))
    assert isinstance(upgraded.verdict, Changes)
    assert [change.what for change in upgraded.verdict.changes] == ["program bytes", "program size"]
    data = net.rpc.account(loader.programdata_address(wallet.program.pubkey()))
    assert data is not None
    assert len(data.data) == loader.PROGRAMDATA_HEADER + ELF.stat().st_size + extension
    spent = before - net.rpc.balance(wallet.key.pubkey())
    more = locked(net, wallet.program.pubkey()) - kept
    assert spent == more + net.fees(wallet.key.pubkey()) - fees
    assert buffers(net, wallet.key.pubkey()) == []


def test_room_to_grow_is_made_when_asked(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    run(STEP, wallet.inputs(net, max_len=ELF.stat().st_size + 40_000))
    upgraded = run(STEP, wallet.inputs(net, variant(tmp_path, 20_000)))
    assert isinstance(upgraded.verdict, Changes)
    assert [change.what for change in upgraded.verdict.changes] == ["program bytes"]
    with pytest.raises(CbctlError, match="max_len"):
        STEP.observe(FakeContext(), wallet.inputs(net, variant(tmp_path, 90), max_len=10))


@pytest.mark.parametrize("lamports", [1_000_000, 5 * SOL])
def test_address_that_a_stranger_has_paid_to(net: Localnet, wallet: Wallet, lamports: int) -> None:
    """The buffer's and the program's addresses are known beforehand: anyone may send to them."""
    elf = parse(ELF.read_bytes())
    place = locate(net.rpc, wallet.key.pubkey(), wallet.program.pubkey(), elf)
    net.fund(place.address, lamports)
    net.fund(wallet.program.pubkey(), lamports)
    run(STEP, wallet.inputs(net))
    spent = 10 * SOL - net.rpc.balance(wallet.key.pubkey())
    held = locked(net, wallet.program.pubkey())
    assert spent + 2 * lamports == held + net.fees(wallet.key.pubkey())
    assert buffers(net, wallet.key.pubkey()) == []


def test_spoiled_programdata_address_is_refused(net: Localnet, wallet: Wallet) -> None:
    net.fund(loader.programdata_address(wallet.program.pubkey()), 1_000_000)
    assert "cannot use that any more" in blocked(wallet.inputs(net)).why
    assert net.history(wallet.key.pubkey()) == []


def test_cluster_that_is_down(net: Localnet, wallet: Wallet) -> None:
    down = f"http://127.0.0.1:{free_port()}/a-secret-key"
    verdict = run(STEP, wallet.inputs(net, rpc=down)).verdict
    assert isinstance(verdict, After)
    assert verdict.needs == ("localnet",)
    assert "program bytes" in {change.what for change in verdict.may}
    with pytest.raises(CbctlError, match="nobody answers there") as caught:
        run(STEP, wallet.inputs(net, rpc=down, chain_step=""))
    assert "secret" not in str(caught.value)
    assert caught.value.exit == Exit.FAILED


def test_wrong_genesis_hash(net: Localnet, wallet: Wallet) -> None:
    wrong = wallet.inputs(net, genesis_hash="EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG")
    assert "another cluster" in blocked(wrong).why
    with pytest.raises(CbctlError, match="another cluster") as caught:
        STEP.apply(FakeContext(), wrong, (), None)
    assert caught.value.exit == Exit.REFUSED
    assert net.history(wallet.key.pubkey()) == []


def test_wrong_authority(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    run(STEP, wallet.inputs(net))
    stranger = Wallet.make(tmp_path / "stranger")
    net.fund(stranger.key.pubkey(), SOL)
    upgrade = wallet.inputs(
        net, variant(tmp_path, 8), wallet=stranger.folder / "wallet.json", payer=None
    )
    why = blocked(upgrade).why
    assert str(wallet.key.pubkey()) in why and str(stranger.key.pubkey()) in why
    assert net.history(stranger.key.pubkey()) == []


def test_program_id_that_is_not_the_idls(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    other = str(Keypair().pubkey())
    idl = tmp_path / "idl.json"
    idl.write_text(f'{{"address": "{other}", "metadata": {{"spec": "0.1.0"}}, "instructions": []}}')
    assert other in blocked(wallet.inputs(net, idl=idl)).why
    with pytest.raises(CbctlError, match="its id is"):
        run(STEP, wallet.inputs(net, program_id=other))


def test_first_deploy_without_the_programs_keypair(net: Localnet, wallet: Wallet) -> None:
    inputs = wallet.inputs(net, program_keypair=None, program_id=str(Keypair().pubkey()))
    assert "needs its keypair" in blocked(inputs).why
    with pytest.raises(CbctlError, match="needs its keypair"):
        STEP.apply(FakeContext(), inputs, (), None)
    assert net.history(wallet.key.pubkey()) == []


def test_upgrade_without_the_programs_keypair(
    net: Localnet, wallet: Wallet, tmp_path: Path
) -> None:
    run(STEP, wallet.inputs(net))
    given: dict[str, Any] = {
        "program_keypair": None,
        "program_id": str(wallet.program.pubkey()),
    }
    assert isinstance(run(STEP, wallet.inputs(net, **given)).verdict, Nothing)
    upgraded = run(STEP, wallet.inputs(net, variant(tmp_path, 9), **given))
    assert isinstance(upgraded.verdict, Changes)


def test_authority_that_changed_after_the_plan(
    net: Localnet, wallet: Wallet, tmp_path: Path
) -> None:
    run(STEP, wallet.inputs(net))
    upgrade, key = wallet.inputs(net, variant(tmp_path, 9)), wallet.key.pubkey()
    intent = STEP.identify(FakeContext(), upgrade, ())
    other = Keypair().pubkey()
    address = loader.programdata_address(wallet.program.pubkey())
    handover = Order("hand over", (loader.set_authority(address, key, other),))
    Sender(net.rpc, wallet.key, FakeContext()).one(handover)
    before = net.rpc.balance(key)
    with pytest.raises(CbctlError, match=f"authority is {other} by now") as caught:
        STEP.apply(FakeContext(), upgrade, (), intent)
    assert caught.value.exit == Exit.REFUSED
    assert net.rpc.balance(key) == before
    assert buffers(net, key) == []


def test_address_of_something_else(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    memo = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
    inputs = wallet.inputs(net, program_keypair=None, program_id=memo)
    assert blocked(inputs).why


@pytest.mark.parametrize("damage", ["truncated", "code", "version", "empty", "missing"])
def test_file_that_is_no_program(
    net: Localnet, wallet: Wallet, tmp_path: Path, damage: str
) -> None:
    data, path = bytearray(ELF.read_bytes()), tmp_path / "bad.so"
    if damage == "truncated":
        del data[len(data) // 2 :]
    elif damage == "code":
        data[5_000:5_016] = b"\xff" * 16  # whatever was there, there is no such instruction
    elif damage == "version":
        data[48] = 0
    elif damage == "empty":
        data.clear()
    if damage != "missing":
        path.write_bytes(data)
    expected = {
        "truncated": "cut off",
        "code": "Verifier error",
        "version": "SBPF v0",
        "empty": "not an ELF",
        "missing": "No such file",
    }
    assert expected[damage] in blocked(wallet.inputs(net, path)).why
    # found before anything is started, too
    down = wallet.inputs(net, path, rpc=f"http://127.0.0.1:{free_port()}")
    assert expected[damage] in blocked(down).why
    assert net.history(wallet.key.pubkey()) == []


def test_file_that_changed_after_the_plan(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    path = variant(tmp_path, 16)
    inputs, ctx = wallet.inputs(net, path), FakeContext()
    intent = STEP.identify(ctx, inputs, ())
    path.write_bytes(path.read_bytes() + b"\x02")
    with pytest.raises(CbctlError, match="not the one that was planned"):
        STEP.apply(ctx, inputs, (), intent)
    assert net.history(wallet.key.pubkey()) == []


def test_cluster_that_does_not_take_the_file_yet(net: Localnet, wallet: Wallet) -> None:
    def without(method: str, params: list[Any], ask: Any) -> Answer | None:
        if method != "getMultipleAccounts" or params[0] != [str(SBPF_V3)]:
            return None
        slot = net.rpc.slot()
        body = {"jsonrpc": "2.0", "id": 1, "result": {"context": {"slot": slot}, "value": [None]}}
        return Answer(body=json.dumps(body).encode())

    with Proxy(net.url, without) as proxy:
        assert "does not take SBPF v3 yet" in blocked(wallet.inputs(net, rpc=proxy.url)).why
    assert net.history(wallet.key.pubkey()) == []
