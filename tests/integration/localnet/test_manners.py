"""A validator's manners, as clients meet them: nonces, new code, compute, fees and rent."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.solders import LiteSVM
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from tests.integration.localnet.loader import (
    MEMO,
    RENT,
    SYSTEM,
    call_instruction,
    close_instruction,
    create,
    deploy_instructions,
    extend_instruction,
    memo_elf,
    upgrade_instruction,
    upload,
)
from tests.integration.localnet.support import SOL, Localnet, RpcFailure, Start

ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
PROCESSED = {"commitment": "processed"}
LONG = 1_000  # ms; so long a slot that several requests fit into one

Found = tuple[object, list[str]]


def _pay(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def _simulated(net: Localnet, transaction: VersionedTransaction) -> Found:
    """Error and logs."""
    text = base64.b64encode(bytes(transaction)).decode()
    config = {"encoding": "base64", **PROCESSED}
    value = net.call("simulateTransaction", text, config)["value"]
    return value["err"], value["logs"]


def _in_one_slot(net: Localnet, steps: Callable[[], tuple[str, Found]]) -> Found:
    """What the second of two steps finds in the slot in which the first one landed; they are done
    again when the slot was over too early."""
    for _ in range(10):
        net.next_slot()
        signature, found = steps()
        now = net.call("getSlot", PROCESSED)
        if net.status(signature)["slot"] == now:
            return found
    raise AssertionError("no slot was long enough")


# Durable nonces


def _value(net: Localnet, nonce: Pubkey) -> Hash:
    config = {"encoding": "base64", **PROCESSED}
    data = net.call("getAccountInfo", str(nonce), config)["value"]["data"][0]
    return Hash(base64.b64decode(data)[40:72])


def test_a_transaction_with_a_durable_nonce_waits_for_a_year(start: Start) -> None:
    net = start()
    payer, nonce, to = net.funded(), Keypair(), Pubkey.new_unique()
    make = create_nonce_account(payer.pubkey(), nonce.pubkey(), payer.pubkey(), SOL)
    net.confirm(net.run(list(make), payer, nonce))
    advance = advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=nonce.pubkey(), authorized_pubkey=payer.pubkey())
    )

    def signed(lamports: int) -> VersionedTransaction:
        steps, value = [advance, _pay(payer, to, lamports)], _value(net, nonce.pubkey())
        return VersionedTransaction(
            Message.new_with_blockhash(steps, payer.pubkey(), value), [payer]
        )

    waiting = signed(SOL)
    net.call("localnet_advanceClock", {"seconds": 365 * 86_400})
    net.stop()
    net = start()
    text = base64.b64encode(bytes(waiting.message)).decode()
    message = base64.b64encode(b"\x01" + bytes(waiting.message)[1:]).decode()
    assert message == text  # one signature
    assert net.call("getFeeForMessage", text, PROCESSED)["value"] == 5_000
    net.confirm(net.send(waiting))
    assert net.balance(to) == SOL
    with pytest.raises(RpcFailure, match="Blockhash not found"):
        net.send(waiting)
    assert net.call("getFeeForMessage", text, PROCESSED)["value"] is None

    before, failing = _value(net, nonce.pubkey()), signed(10_000 * SOL)
    net.confirm(net.send(failing, skipPreflight=True))
    assert _value(net, nonce.pubkey()) != before  # used up although it failed
    assert net.balance(to) == SOL


# New code


def _token_elf() -> bytes:
    svm = LiteSVM()
    program = svm.get_account(TOKEN)
    assert program is not None
    code = svm.get_account(Pubkey.from_bytes(program.data[4:36]))
    assert code is not None
    return bytes(code.data[45:])


def _token_account(payer: Keypair, mint: Pubkey) -> Instruction:
    """The associated token program calls the token program."""
    seeds = [bytes(payer.pubkey()), bytes(TOKEN), bytes(mint)]
    address, _ = Pubkey.find_program_address(seeds, ASSOCIATED)
    accounts = [
        AccountMeta(payer.pubkey(), True, True),
        AccountMeta(address, False, True),
        AccountMeta(payer.pubkey(), False, False),
        AccountMeta(mint, False, False),
        AccountMeta(SYSTEM, False, False),
        AccountMeta(TOKEN, False, False),
    ]
    return Instruction(ASSOCIATED, b"\x01", accounts)


def test_another_program_reaches_new_code_from_the_next_slot(start: Start, tmp_path: Path) -> None:
    """The token program comes out of a file here, so that somebody may upgrade it."""
    authority, mint, file = Keypair(), Keypair(), tmp_path / "token.so"
    file.write_bytes(_token_elf())
    options = ("--upgradeable-program", str(TOKEN), str(file), str(authority.pubkey()))
    net = start(None, LONG, *options)
    net.confirm(net.call("requestAirdrop", str(authority.pubkey()), 1_000 * SOL))
    initialize = b"\x14\x06" + bytes(authority.pubkey()) + b"\x00"
    make = [
        create(net, authority, mint.pubkey(), 82, TOKEN),
        Instruction(TOKEN, initialize, [AccountMeta(mint.pubkey(), False, True)]),
    ]
    net.run(make, authority, mint)
    call = [_token_account(authority, mint.pubkey())]
    assert _simulated(net, net.signed(call, authority))[0] is None

    def upgraded() -> tuple[str, Found]:
        upgrade = upgrade_instruction(TOKEN, buffers.pop(), authority.pubkey())
        signature = net.run([upgrade], authority)
        return signature, _simulated(net, net.signed(call, authority))

    buffers = [upload(net, authority, _token_elf()) for _ in range(3)]
    error, logs = _in_one_slot(net, upgraded)
    assert error == {"InstructionError": [0, "UnsupportedProgramId"]}
    assert "Program is not deployed" in logs
    net.next_slot()
    assert _simulated(net, net.signed(call, authority))[0] is None

    net.confirm(net.run([close_instruction(TOKEN, authority.pubkey())], authority))
    assert "Program is not deployed" in _simulated(net, net.signed(call, authority))[1]
    net.stop()
    again = start(slot_ms=LONG)
    assert "Program is not deployed" in _simulated(again, again.signed(call, authority))[1]


def test_code_is_not_changed_twice_in_a_slot(start: Start) -> None:
    net = start(slot_ms=LONG)
    payer, elf = net.funded(1_000), memo_elf()
    changes: dict[str, Callable[[Pubkey], Instruction]] = {
        "upgrade": lambda program: upgrade_instruction(program, second, payer.pubkey()),
        "extend": lambda program: extend_instruction(program, payer.pubkey(), 10_240),
        "close": lambda program: close_instruction(program, payer.pubkey()),
    }
    second = upload(net, payer, elf)
    programs: list[Pubkey] = []

    def changed_at_once(change: Callable[[Pubkey], Instruction]) -> tuple[str, Found]:
        program, buffer = Keypair(), buffers.pop()
        programs.append(program.pubkey())
        deploy = deploy_instructions(net, payer, program.pubkey(), buffer, len(elf))
        signature = net.run(deploy, payer, program)
        return signature, _simulated(net, net.signed([change(program.pubkey())], payer))

    buffers = [upload(net, payer, elf) for _ in range(6)]
    for name, change in changes.items():
        error, logs = _in_one_slot(net, partial(changed_at_once, change))
        assert error == {"InstructionError": [0, "InvalidArgument"]}, (name, logs)
        net.next_slot()
        error, logs = _simulated(net, net.signed([change(programs[-1])], payer))
        assert error is None, (name, logs)


def test_code_that_the_feature_set_refuses_is_not_deployed(start: Start) -> None:
    only_version_3 = "B8JJXCy5amZyWG9r7EnUYLwzXSXTxG7GZ1qZ1qggo83g"  # SIMD-0500
    net = start(None, 50, "--feature", only_version_3)
    assert net.call("getAccountInfo", only_version_3)["value"] is not None
    payer, program, elf = net.funded(), Keypair(), memo_elf()
    buffer = upload(net, payer, elf)
    with pytest.raises(RpcFailure) as refused:
        net.run(deploy_instructions(net, payer, program.pubkey(), buffer, len(elf)), payer, program)
    assert refused.value.data["err"] == {"InstructionError": [1, "InvalidAccountData"]}


# Compute, fees and rent


def test_a_program_gets_no_more_units_than_were_asked_for(net: Localnet) -> None:
    payer = net.funded()
    memo = call_instruction(MEMO, payer.pubkey(), b"x" * 500)
    error, logs = _simulated(net, net.signed([set_compute_unit_limit(400), memo], payer))
    assert error in (
        {"InstructionError": [1, "ComputationalBudgetExceeded"]},
        {"InstructionError": [1, "ProgramFailedToComplete"]},
    )
    assert any("exceeded CUs meter" in line for line in logs)
    signature = net.run([memo], payer)
    net.confirm(signature)
    meta = net.call("getTransaction", signature, {"commitment": "confirmed"})["meta"]
    used = meta["computeUnitsConsumed"]
    assert 400 < used < 200_000
    assert f"Program {MEMO} consumed {used} of 200000 compute units" in meta["logMessages"]


def test_fees_are_for_signatures_and_for_the_price_of_units(net: Localnet) -> None:
    payer, other, to = net.funded(), net.funded(), Pubkey.new_unique()
    before = net.balance(payer.pubkey())
    steps = [
        set_compute_unit_limit(10_000),
        set_compute_unit_price(50_001),  # millionths of a lamport, rounded up
        _pay(payer, to, SOL),
        _pay(other, to, SOL),
    ]
    signature = net.run(steps, payer, other)
    net.confirm(signature)
    fee = 2 * 5_000 + 501
    assert net.balance(payer.pubkey()) == before - SOL - fee
    shown = net.call("getTransaction", signature, {"commitment": "confirmed"})
    assert shown["meta"]["fee"] == fee


def test_an_account_below_the_rent_is_refused(net: Localnet) -> None:
    payer, to = net.funded(), Pubkey.new_unique()
    least = net.rent(0)
    error, _ = _simulated(net, net.signed([_pay(payer, to, least - 1)], payer))
    assert error == {"InsufficientFundsForRent": {"account_index": 1}}
    net.pay(payer, to, least)
    with pytest.raises(RpcFailure, match="insufficient funds for rent"):
        net.pay(payer, to.new_unique(), least - 1)


def test_rent_is_as_the_feature_set_says(start: Start, net: Localnet) -> None:
    threshold = "rent6iVy6PDoViPBeJ6k5EJQrkj62h7DPyLbWGHwjrC"  # SIMD-0194
    old = start(None, 50, "--deactivate-feature", threshold)
    shown = [
        base64.b64decode(
            chain.call("getAccountInfo", str(RENT), {"encoding": "base64"})["value"]["data"][0]
        )
        for chain in (old, net)
    ]
    # Lamports per byte and year, and the years that exempt: half and twice as much as today.
    assert int.from_bytes(shown[0][:8], "little") * 2 == int.from_bytes(shown[1][:8], "little")
    assert shown[0][8:16] != shown[1][8:16]
    assert old.rent(1_000) == net.rent(1_000)
    assert old.call("getAccountInfo", threshold)["value"] is None
    assert net.call("getAccountInfo", threshold)["value"] is not None
