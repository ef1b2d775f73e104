"""program.init on a real localnet, with the program and the IDLs that the project ships."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.integration.program.support import (
    OLD_IDL,
    SOL,
    Localnet,
    Wallet,
    initialization,
    run,
)
from tests.testbed.context import FakeContext
from tests.testbed.waiting import free_port

from cbctl.clients.solana.failures import TransactionFailed, custom_code
from cbctl.clients.solana.idl.program import Program
from cbctl.clients.solana.keypair import write
from cbctl.clients.solana.loader import programdata_address
from cbctl.clients.solana.sender import Order, Sender
from cbctl.clients.solana.transaction import sign
from cbctl.config.types import Reference
from cbctl.engine.step import After, Blocked, Changes, Nothing, NotVerified
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import deploy, init

STEP = init.STEP
Arguments = dict[str, Any]


@pytest.fixture
def wallet(net: Localnet, tmp_path: Path) -> Wallet:
    """One whose program is deployed."""
    made = Wallet.make(tmp_path / "keys")
    net.fund(made.key.pubkey(), 10 * SOL)
    run(deploy.STEP, made.inputs(net))
    return made


def changed(inputs: init.Inputs, change: Callable[[Arguments], None]) -> init.Inputs:
    config = copy.deepcopy(inputs.arguments["config"])
    change(config)
    return init.Inputs(**(vars(inputs) | {"arguments": {"config": config}}))


def blocked(inputs: init.Inputs) -> str:
    verdict = run(STEP, inputs).verdict
    assert isinstance(verdict, Blocked), verdict
    return verdict.why


def test_initialized_once(net: Localnet, wallet: Wallet) -> None:
    inputs = initialization(net, wallet)
    first = run(STEP, inputs)
    assert isinstance(first.verdict, Changes)
    sent = len(net.history(wallet.key.pubkey()))
    config = Pubkey.from_string(first.outcome.address)
    account = net.rpc.account(config)
    assert account is not None and account.owner == wallet.program.pubkey()
    program = Program.from_text(inputs.idl.read_text(), wallet.program.pubkey())
    fields = program.decode("GlobalConfig", account.data)
    assert fields["authority"] == str(wallet.key.pubkey())
    assert fields["fee_bps"] == 250
    assert fields["treasury"] == inputs.arguments["config"]["treasury"]
    logs = net.history(wallet.key.pubkey())[-1]["meta"]["logMessages"]
    assert [event.name for event in program.events(logs)] == ["ProgramInitialized"]

    again = run(STEP, inputs)
    assert isinstance(again.verdict, Nothing)
    assert again.outcome == first.outcome
    assert len(net.history(wallet.key.pubkey())) == sent
    # `apply` too finds it there, as a run does that was killed before it could write that down
    assert STEP.apply(FakeContext(), inputs, (), None) == first.outcome
    assert len(net.history(wallet.key.pubkey())) == sent


def test_other_values_are_shown_field_by_field(net: Localnet, wallet: Wallet) -> None:
    inputs = initialization(net, wallet)
    run(STEP, inputs)
    before = net.rpc.balance(wallet.key.pubkey())

    def change(config: Arguments) -> None:
        config["fee_bps"] = 300
        config["sol"]["max_bet"] = 5_000_000

    other = changed(inputs, change)
    why = blocked(other)
    assert "fee_bps: on chain 250, in cbctl.yaml 300" in why
    assert "sol.max_bet: on chain 1000000000000, in cbctl.yaml 5000000" in why
    assert "usdc" not in why
    with pytest.raises(CbctlError, match="fee_bps") as caught:
        STEP.apply(FakeContext(), other, (), None)
    assert caught.value.exit == Exit.REFUSED
    assert isinstance(STEP.verify(FakeContext(), other), NotVerified)
    assert net.rpc.balance(wallet.key.pubkey()) == before
    assert isinstance(run(STEP, inputs).verdict, Nothing)


def test_stranger_cannot_be_first(net: Localnet, wallet: Wallet, tmp_path: Path) -> None:
    stranger = Keypair()
    write(tmp_path / "stranger.json", stranger)
    net.fund(stranger.pubkey(), SOL)
    inputs = initialization(net, wallet, wallet=tmp_path / "stranger.json")
    why = blocked(inputs)
    assert why.startswith("initialize_program would fail: the program answers Unauthorized (6004)")
    with pytest.raises(CbctlError, match="Unauthorized"):
        STEP.apply(FakeContext(), inputs, (), None)
    # and not by sending it past our own checks either, whatever ProgramData it passes
    program = Program.from_text(inputs.idl.read_text(), wallet.program.pubkey())
    accounts = program.accounts(
        inputs.instruction, inputs.arguments, {"authority": stranger.pubkey()}
    )
    for data in (accounts["program_data"], programdata_address(stranger.pubkey())):
        wire = program.build(
            inputs.instruction, inputs.arguments, accounts | {"program_data": data}
        )
        signed = sign([wire], stranger, (), net.rpc.blockhash().hash)
        assert net.rpc.simulate(signed.wire).err is not None
        with pytest.raises(TransactionFailed) as caught:
            Sender(net.rpc, stranger, FakeContext()).one(Order("be first", (wire,)))
        assert custom_code(caught.value.err) is not None or caught.value.err
    assert net.rpc.account(accounts["config"]) is None
    run(STEP, initialization(net, wallet))


def test_config_address_that_somebody_has_paid_to(net: Localnet, wallet: Wallet) -> None:
    inputs = initialization(net, wallet)
    program = Program.from_text(inputs.idl.read_text(), wallet.program.pubkey())
    accounts = program.accounts(
        inputs.instruction, inputs.arguments, {"authority": wallet.key.pubkey()}
    )
    net.fund(accounts["config"], SOL)
    assert isinstance(run(STEP, inputs).verdict, Changes)
    assert isinstance(run(STEP, inputs).verdict, Nothing)


def test_idl_of_the_older_kind(net: Localnet, wallet: Wallet) -> None:
    inputs = initialization(net, wallet)
    run(STEP, inputs)
    program = Program.from_text(inputs.idl.read_text(), wallet.program.pubkey())
    given = {"authority": wallet.key.pubkey()}
    accounts = program.accounts(inputs.instruction, inputs.arguments, given)
    named = {"config": str(accounts["config"])}
    older = initialization(net, wallet, idl=OLD_IDL, at="config", accounts=named)
    assert isinstance(run(STEP, older).verdict, Nothing)


def test_arguments_kept_elsewhere(net: Localnet, wallet: Wallet) -> None:
    def change(config: Arguments) -> None:
        config["treasury"] = Reference(kind="env", name="TREASURY")
        config["fee_bps"] = Reference(kind="env", name="FEE")

    treasury = str(Keypair().pubkey())
    ctx = FakeContext({"TREASURY": treasury, "FEE": "125"})
    inputs = changed(initialization(net, wallet), change)
    run(STEP, inputs, ctx)
    seen = STEP.observe(ctx, changed(inputs, lambda config: config.update(fee_bps=250))).facts
    assert seen.differences == (("fee_bps", 125, 250),)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("treasury", "11111111111111111111111111111111", "is a placeholder"),
        ("guardian", "SysvarRent111111111111111111111111111111111", "is a placeholder"),
        ("resolver", "1nc1nerator11111111111111111111111111111111", "is a placeholder"),
        ("treasury", "YOUR_TREASURY_ADDRESS", "arguments.config.treasury: .* is not an address"),
        ("fee_bps", 70_000, r"arguments.config.fee_bps: 70000 does not fit u16 \(0 to 65535\)"),
        ("fee_bps", "250", "arguments.config.fee_bps: expected a whole number"),
        ("fee", 1, "arguments.config.fee: no such field"),
        ("sol", {"min_bet": 1}, "arguments.config.sol.max_bet: is missing"),
        ("fee_bps", 9_999, r"would fail: the program answers InvalidParameters \(6000\)"),
    ],
)
def test_bad_arguments(
    net: Localnet, wallet_of_module: Wallet, field: str, value: Any, expected: str
) -> None:
    inputs = initialization(net, wallet_of_module)
    why = blocked(changed(inputs, lambda config: config.update({field: value})))
    assert re.search(expected, why), why


@pytest.fixture(scope="module")
def wallet_of_module(net: Localnet, tmp_path_factory: pytest.TempPathFactory) -> Wallet:
    made = Wallet.make(tmp_path_factory.mktemp("keys"))
    net.fund(made.key.pubkey(), 10 * SOL)
    run(deploy.STEP, made.inputs(net))
    return made


def test_unknown_names_list_what_there_is(net: Localnet, wallet_of_module: Wallet) -> None:
    inputs = initialization(net, wallet_of_module, instruction="initialise")
    assert "initialize_program" in blocked(inputs)
    assert "GlobalConfig" in blocked(initialization(net, wallet_of_module, account="Config"))
    assert "no account nothing" in blocked(initialization(net, wallet_of_module, at="nothing"))


def test_before_the_program_or_the_cluster_is_there(net: Localnet, tmp_path: Path) -> None:
    wallet = Wallet.make(tmp_path / "keys")
    down = f"http://127.0.0.1:{free_port()}"
    missing = tmp_path / "none.json"
    cases: list[dict[str, Any]] = [{}, {"rpc": down}, {"wallet": missing}]
    for more in cases:
        verdict = run(STEP, initialization(net, wallet, **more)).verdict
        assert isinstance(verdict, After)
        assert verdict.needs == ("program",)
        assert [change.what for change in verdict.may] == ["GlobalConfig"]


def test_wrong_cluster(net: Localnet, wallet_of_module: Wallet) -> None:
    wrong = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"
    inputs = initialization(net, wallet_of_module, genesis_hash=wrong)
    assert "another cluster" in blocked(inputs)
    with pytest.raises(CbctlError, match="another cluster"):
        STEP.apply(FakeContext(), inputs, (), None)
