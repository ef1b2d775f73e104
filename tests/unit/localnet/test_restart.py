"""A chain that was stopped or killed goes on as if it had not been."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.localnet.loader import (
    call_instruction,
    close_instruction,
    programdata_of,
)
from tests.unit.localnet.support import SOL, Time
from tests.unit.localnet.support import open_bank as open_state
from tests.unit.localnet.workload import Twins, Workload, pay

from cbctl.localnet.bank import Bank

SEEDS = [
    *range(3),
    *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(3, 60)),
]


class Restarts:
    """Makes copies of a running chain, as a start after a kill would find it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._time = Time()
        self.first = open_state(folder / "first", self._time)
        self._opened: list[Bank] = [self.first]

    def pass_slots(self, count: int) -> None:
        self._time.slots(count)

    def killed(self) -> Bank:
        """A start of a copy; the first one's clock goes on to where the other one begins."""
        self.first.chain.ledger.sync()
        self.first.settle()
        copy = self._folder / f"copy-{len(self._opened)}"
        shutil.copytree(self._folder / "first", copy)
        self._time.slots(1)
        again = open_state(copy, self._time, reserved=self.first.tick())
        self._opened.append(again)
        return again

    def close(self) -> None:
        for bank in self._opened:
            bank.close()


@pytest.fixture
def restarts(tmp_path: Path) -> Iterator[Restarts]:
    made = Restarts(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_chains_that_were_killed_anywhere_go_on_as_the_one_that_was_not(
    restarts: Restarts, seed: int
) -> None:
    twins = Twins(restarts.first)
    workload = Workload(seed, twins)
    for _ in range(5):
        for _ in range(20):
            workload.act(workload.random.randrange(4))
            restarts.pass_slots(workload.random.choice([0, 0, 1, 2, 7]))
            if workload.random.random() < 0.3:
                restarts.first.save()
        twins.banks = (*twins.banks, restarts.killed())
        twins.assert_equal()
    restarts.pass_slots(1)
    workload.act(30)
    twins.assert_equal()
    for bank in twins.banks[1:]:
        for key in workload.programs:
            mine = bank.history.of_address(key.pubkey())
            theirs = restarts.first.history.of_address(key.pubkey())
            assert [(i.signature, i.outcome) for i in mine] == [
                (i.signature, i.outcome) for i in theirs
            ]


def test_money_at_the_address_of_closed_code_keeps_no_chain_from_starting(
    open_bank: Callable[[], Bank], time: Time
) -> None:
    workload = Workload(0, Twins(open_bank()))
    workload.deploy()
    program = workload.programs[0].pubkey()
    time.slots(1)
    workload.twins.run([close_instruction(program, workload.payer.pubkey())], workload.payer)
    code = programdata_of(program)
    workload.twins.run([pay(workload.payer, code, SOL)], workload.payer)
    call = [call_instruction(program, workload.payer.pubkey())]
    for save in (False, True):
        if save:
            workload.twins.bank.save()
        bank = open_bank()
        assert bank.vm.balance(code) == SOL
        workload.twins = Twins(bank)
        landed = bank.history.get(workload.twins.run(call, workload.payer))
        assert landed is not None
        assert "Program is not deployed" in landed.outcome.meta.logs()
