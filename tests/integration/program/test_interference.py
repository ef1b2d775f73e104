"""What others do to wallet, buffer and program while a deploy is going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from tests.integration.program.support import (
    ELF,
    SMALL_ELF,
    SOL,
    Localnet,
    Wallet,
    buffers,
    locked,
    run,
    variant,
)
from tests.testbed.context import FakeContext
from tests.testbed.unreliable import Proxy, at_write

from cbctl.clients.solana import elf as elves
from cbctl.clients.solana import loader
from cbctl.clients.solana.buffer import begun, locate
from cbctl.clients.solana.sender import Order, Sender
from cbctl.engine.step import Blocked, Changes, Nothing
from cbctl.errors import CbctlError, Exit
from cbctl.steps.program import abort, deploy


@pytest.fixture
def wallet(net: Localnet, tmp_path: Path) -> Wallet:
    made = Wallet.make(tmp_path / "keys")
    net.fund(made.key.pubkey(), 10 * SOL)
    return made


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    return variant(tmp_path, 16_000, 6, SMALL_ELF)


def by_hand(net: Localnet, key: Keypair, instruction: Instruction) -> None:
    Sender(net.rpc, key, FakeContext()).one(Order("interfere", (instruction,), (key,)))


def interrupted(
    net: Localnet, wallet: Wallet, elf: Path, number: int, happens: Callable[[], None]
) -> CbctlError:
    """What a deploy says to which this happens before its n-th large transaction."""
    with Proxy(net.url, at_write(number, happens)) as proxy, pytest.raises(CbctlError) as caught:
        run(deploy.STEP, wallet.inputs(net, elf, rpc=proxy.url))
    return caught.value


def place(net: Localnet, wallet: Wallet, elf: Path) -> Pubkey:
    key, program = wallet.key.pubkey(), wallet.program.pubkey()
    return locate(net.rpc, key, program, elves.parse(elf.read_bytes())).address


def empty(net: Localnet, wallet: Wallet) -> None:
    """Takes all but four fees, this one's included."""
    key = wallet.key.pubkey()
    left = net.rpc.balance(key) - net.rpc.rent(0) - 20_000
    to = Keypair().pubkey()
    by_hand(net, wallet.key, transfer(TransferParams(from_pubkey=key, to_pubkey=to, lamports=left)))


@pytest.mark.parametrize(("number", "words"), [(1, "too little"), (2, "Insufficient")])
def test_money_runs_out_and_comes_back(
    net: Localnet, wallet: Wallet, elf: Path, number: int, words: str
) -> None:
    key = wallet.key.pubkey()
    error = interrupted(net, wallet, elf, number, lambda: empty(net, wallet))
    assert words in str(error)
    assert len(buffers(net, key)) == number - 1
    net.fund(key, SOL)
    before, fees = net.rpc.balance(key), net.fees(key)
    in_buffer = sum(
        begun(net.rpc, key, wallet.program.pubkey(), elves.parse(elf.read_bytes())).values()
    )
    run(deploy.STEP, wallet.inputs(net, elf))
    assert buffers(net, key) == []
    spent = before + in_buffer - net.rpc.balance(key)
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(key) - fees


def test_buffer_is_closed(net: Localnet, wallet: Wallet, elf: Path) -> None:
    key = wallet.key.pubkey()

    def close() -> None:
        by_hand(net, wallet.key, loader.close_buffer(place(net, wallet, elf), key, key))

    error = interrupted(net, wallet, elf, 3, close)
    assert error.exit == Exit.NOT_UNDONE
    assert "closed or handed over" in error.what
    run(deploy.STEP, wallet.inputs(net, elf))
    spent = 10 * SOL - net.rpc.balance(key)
    assert spent == locked(net, wallet.program.pubkey()) + net.fees(key)
    assert buffers(net, key) == []


def test_authority_changes(net: Localnet, wallet: Wallet, elf: Path, tmp_path: Path) -> None:
    """The buffer is kept, and serves when the authority is back."""
    run(deploy.STEP, wallet.inputs(net, variant(tmp_path, 16_000, 7, SMALL_ELF)))
    key, other = wallet.key.pubkey(), Keypair()
    data = loader.programdata_address(wallet.program.pubkey())

    def hand_over() -> None:
        by_hand(net, wallet.key, loader.set_authority(data, key, other.pubkey()))

    error = interrupted(net, wallet, elf, 3, hand_over)
    assert error.exit == Exit.REFUSED
    assert f"has become {other.pubkey()}" in error.what
    assert str(place(net, wallet, elf)) in error.fix
    assert isinstance(run(deploy.STEP, wallet.inputs(net, elf)).verdict, Blocked)
    net.fund(other.pubkey(), SOL)
    by_hand(net, other, loader.set_authority(data, other.pubkey(), key))
    earlier = len(net.history(key))
    assert isinstance(run(deploy.STEP, wallet.inputs(net, elf)).verdict, Changes)
    assert len(net.history(key)) == earlier + 1
    assert buffers(net, key) == []


def test_deploy_is_given_up(net: Localnet, wallet: Wallet, elf: Path) -> None:
    key = wallet.key.pubkey()
    interrupted(net, wallet, elf, 2, lambda: empty(net, wallet))
    net.fund(key, SOL)
    before, fees = net.rpc.balance(key), net.fees(key)
    held = net.rpc.account(place(net, wallet, elf))
    assert held is not None
    inputs = abort.Inputs(
        net.url, elf, wallet.folder / "wallet.json", wallet.folder / "program.json"
    )
    assert isinstance(run(abort.STEP, inputs).verdict, Changes)
    assert net.rpc.balance(key) == before + held.lamports - (net.fees(key) - fees)
    assert buffers(net, key) == []
    assert isinstance(run(abort.STEP, inputs).verdict, Nothing)


@pytest.fixture
def huge(tmp_path: Path) -> Iterator[Path]:
    path = variant(tmp_path, (10 << 20) - 44 - ELF.stat().st_size)
    yield path
    path.unlink()


def test_file_that_no_account_holds(net: Localnet, wallet: Wallet, huge: Path) -> None:
    verdict = run(deploy.STEP, wallet.inputs(net, huge)).verdict
    assert isinstance(verdict, Blocked)
    assert "more than the 10,485,715 that an account holds" in verdict.why
    assert net.history(wallet.key.pubkey()) == []
