"""What a localnet survives: a panic of the VM, and a clock that is set back."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.integration.localnet.loader import (
    call_instruction,
    deploy_instructions,
    memo_elf,
    upload,
)
from tests.integration.localnet.support import PROCESSED, SOL, Localnet, RpcFailure, free_port

RIGGED = Path(__file__).with_name("rigged_localnet.py")
FINAL = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}
HOUR = 3600

Rigged = Callable[[float], Localnet]


@pytest.fixture
def poison() -> Keypair:
    """A program that breaks the VM when it is called."""
    return Keypair()


@pytest.fixture
def rigged(tmp_path: Path, poison: Keypair) -> Iterator[Rigged]:
    """Starts one on the same state each time; its clock is wrong by so many seconds."""
    running: list[Localnet] = []
    clock = tmp_path / "clock"

    def start(wrong: float = 0.0) -> Localnet:
        clock.write_text(str(wrong))
        program = (str(RIGGED), str(clock), str(poison.pubkey()))
        net = Localnet(tmp_path / "state", free_port(neighbours=1), 50, program=program)
        running.append(net)
        return net

    yield start
    for net in running:
        if net.process.returncode is None:
            net.stop(signal.SIGKILL)


def deployed(net: Localnet, payer: Keypair, program: Keypair) -> None:
    elf = memo_elf()
    buffer = upload(net, payer, elf)
    made = deploy_instructions(net, payer, program.pubkey(), buffer, len(elf))
    net.confirm(net.run(made, payer, program))
    net.next_slot()


def panics(net: Localnet, payer: Keypair, program: Keypair) -> None:
    with pytest.raises(RpcFailure, match="the VM panicked") as failure:
        net.run([call_instruction(program.pubkey(), payer.pubkey())], payer, skipPreflight=True)
    assert failure.value.code == -32603


def test_a_panic_costs_the_transaction_that_caused_it_and_no_other(
    rigged: Rigged, poison: Keypair
) -> None:
    net = rigged(0)
    genesis, payer, to = net.call("getGenesisHash"), net.funded(1_000), Pubkey.new_unique()
    deployed(net, payer, poison)
    sent = [net.pay(payer, to, SOL + n) for n in range(5)]
    net.confirm(sent[-1])
    plain = (str(Pubkey.default()), {"encoding": "base64"})
    shown = [net.call("getTransaction", s, FINAL) for s in sent]
    accounts, count = (
        net.call("getProgramAccounts", *plain),
        net.call("getTransactionCount", PROCESSED),
    )
    slot, signed = net.slot(), net.blockhash()

    panics(net, payer, poison)
    net.said("was rebuilt from the store")
    assert net.call("getProgramAccounts", *plain) == accounts
    assert [net.call("getTransaction", s, FINAL) for s in sent] == shown
    assert net.call("getTransactionCount", PROCESSED) == count
    assert net.call("getGenesisHash") == genesis
    assert net.slot() >= slot
    assert net.call("isBlockhashValid", str(signed), PROCESSED)["value"] is True
    # It goes on, and what comes afterwards is kept as well.
    net.confirm(net.pay(payer, to, SOL))
    panics(net, payer, poison)
    assert net.balance(to) == 6 * SOL + 10
    net.stop(signal.SIGKILL)
    again = rigged(0)
    assert again.balance(to) == 6 * SOL + 10
    assert again.call("getTransactionCount", PROCESSED) == count + 1


def test_panics_among_many_clients(rigged: Rigged, poison: Keypair) -> None:
    """Whatever was answered as sent is there; nobody's transaction is lost but those that panic."""
    net = rigged(0)
    payer = net.funded(1_000)
    deployed(net, payer, poison)
    receivers = [Pubkey.new_unique() for _ in range(24)]

    def one(number: int) -> None:
        if number % 4 == 3:
            panics(net, payer, poison)
        net.pay(payer, receivers[number], SOL + number)

    with ThreadPoolExecutor(6) as clients:
        list(clients.map(one, range(len(receivers))))
    assert [net.balance(to) for to in receivers] == [SOL + n for n in range(24)]
    assert net.call("getHealth") == "ok"


def test_a_clock_that_is_set_back_changes_nothing_that_grows(
    rigged: Rigged, tmp_path: Path
) -> None:
    net = rigged(0)
    payer, to = net.funded(), Pubkey.new_unique()
    first = net.pay(payer, to, SOL)
    net.confirm(first)
    seen, signed = net.slot(), net.blockhash()

    (tmp_path / "clock").write_text(str(-HOUR))
    slots = [net.next_slot() for _ in range(3)]
    assert slots == sorted(set(slots)) and slots[0] > seen
    assert net.blockhash() != signed
    assert net.call("isBlockhashValid", str(signed), PROCESSED)["value"] is True
    second = net.pay(payer, to, SOL)
    net.confirm(second)
    times = [net.call("getTransaction", s, FINAL)["blockTime"] for s in (first, second)]
    assert times[0] <= times[1], "time of the chain went back"
    seen = net.slot()
    net.stop(signal.SIGKILL)

    again = rigged(-HOUR)
    assert again.slot() > seen
    third = again.pay(payer, to, SOL)
    again.confirm(third)
    assert again.balance(to) == 3 * SOL
    assert again.call("getTransaction", third, FINAL)["blockTime"] >= times[1]
    assert [again.call("getTransaction", s, FINAL)["blockTime"] for s in (first, second)] == times
