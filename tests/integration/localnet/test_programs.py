"""Programs through the upgradeable loader: when code becomes callable and when it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.integration.localnet.loader import (
    call_instruction,
    close_instruction,
    deploy_instructions,
    memo_elf,
    programdata_of,
    upgrade_instruction,
    upload,
)
from tests.integration.localnet.support import Localnet, RpcFailure, Start

CRYPTO_BET = Path(__file__).parents[3] / "programs/crypto_bet/artifacts/crypto_bet.so"


@pytest.fixture(params=["memo", "crypto_bet"])
def elf(request: pytest.FixtureRequest) -> bytes:
    if request.param == "memo":
        return memo_elf()
    return CRYPTO_BET.read_bytes()


def _not_deployed(error: RpcFailure) -> bool:
    return "Program is not deployed" in error.data["logs"]


def _reaches_code(net: Localnet, program: Keypair, caller: Keypair) -> bool:
    """Whether a call enters the program, whatever the program thinks of it."""
    try:
        net.run([call_instruction(program.pubkey(), caller.pubkey())], caller)
    except RpcFailure as error:
        assert error.code == -32002
        return not _not_deployed(error)
    return True


def _same_slot(net: Localnet, first: str, program: Keypair, caller: Keypair) -> bool | None:
    """Reachable in the slot in which `first` landed? None when the slot was over too early."""
    landed = net.status(first)["slot"]
    reached = _reaches_code(net, program, caller)
    return reached if net.slot() == landed else None


def test_new_code_is_callable_from_the_next_slot(start: Start, elf: bytes) -> None:
    net = start(slot_ms=1_000)  # long enough to do several things in one slot
    payer, program = net.funded(1_000), Keypair()
    buffer = upload(net, payer, elf)
    net.next_slot()

    deploy = deploy_instructions(net, payer, program.pubkey(), buffer, len(elf) + 10_240)
    signature = net.run(deploy, payer, program)
    assert _same_slot(net, signature, program, payer) is False
    net.next_slot()
    assert _reaches_code(net, program, payer)

    again = upload(net, payer, elf)
    net.next_slot()
    upgrade = upgrade_instruction(program.pubkey(), again, payer.pubkey())
    signature = net.run([upgrade], payer)
    assert _same_slot(net, signature, program, payer) is False
    net.next_slot()
    assert _reaches_code(net, program, payer)


def test_a_call_too_early_lands_as_failed_and_pays_without_preflight(start: Start) -> None:
    net = start(slot_ms=1_000)
    payer, program, elf = net.funded(), Keypair(), memo_elf()
    buffer = upload(net, payer, elf)
    net.next_slot()
    net.run(deploy_instructions(net, payer, program.pubkey(), buffer, len(elf)), payer, program)
    before = net.balance(payer.pubkey())
    call = call_instruction(program.pubkey(), payer.pubkey())
    signature = net.run([call], payer, skipPreflight=True)
    assert net.status(signature)["err"] == {"InstructionError": [0, "UnsupportedProgramId"]}
    assert net.balance(payer.pubkey()) == before - 5_000


def test_a_closed_program_is_gone_also_after_a_restart(start: Start, elf: bytes) -> None:
    net = start()
    payer, program = net.funded(1_000), Keypair()
    buffer = upload(net, payer, elf)
    net.run(deploy_instructions(net, payer, program.pubkey(), buffer, len(elf)), payer, program)
    net.next_slot()
    assert _reaches_code(net, program, payer)
    signature = net.run([close_instruction(program.pubkey(), payer.pubkey())], payer)
    net.confirm(signature)
    assert net.call("getAccountInfo", str(programdata_of(program.pubkey())))["value"] is None
    assert not _reaches_code(net, program, payer)
    net.next_slot()
    assert not _reaches_code(net, program, payer)

    net.stop()
    assert not _reaches_code(start(), program, payer)


def test_a_program_is_callable_after_a_restart(start: Start, elf: bytes) -> None:
    net = start()
    payer, program = net.funded(1_000), Keypair()
    buffer = upload(net, payer, elf)
    deploy = deploy_instructions(net, payer, program.pubkey(), buffer, len(elf))
    net.confirm(net.run(deploy, payer, program))
    net.stop()
    again = start()
    assert _reaches_code(again, program, payer)
