"""Random lives of markets, compared step by step with a model in Python integers."""

from __future__ import annotations

import secrets
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.unit.programs.crypto_bet import ELF, update_config
from tests.unit.programs.house import House
from tests.unit.programs.machine import BOND, INSTRUCTIONS, SETTINGS, MarketLife
from tests.unit.programs.mutants import MUTANTS
from tests.unit.programs.svm import Chain

STEPS = 50
SEARCH = [Phase.generate]
EXPLAIN = [Phase.generate, Phase.shrink]


def live(number: int, lives: int, elf: bytes, phases: list[Phase]) -> Counter[str]:
    """How often each instruction succeeded.

    Raises AssertionError where program and model differ.
    """
    print(f"seed {number}")
    house = House.build(Chain(), elf, **SETTINGS)
    house.must(update_config(house.program, house.settings, BOND), house.authority)
    reached = Counter[str]()
    machine = seed(number)(type("Life", (MarketLife,), {"house": house, "reached": reached}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return reached


@pytest.mark.parametrize(
    ("number", "lives"),
    [
        pytest.param(1, 100, id="sample"),
        pytest.param(secrets.randbelow(2**32), 2_000, id="full", marks=pytest.mark.nightly),
    ],
)
def test_program_and_model_agree(number: int, lives: int) -> None:
    reached = live(number, lives, ELF.read_bytes(), EXPLAIN)
    print(dict(reached))
    assert set(INSTRUCTIONS) == set(reached), "some instruction never succeeded"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda path: path.stem)
def test_one_mistake_is_noticed(mutant: Path) -> None:
    with pytest.raises(AssertionError):
        live(1, 100, mutant.read_bytes(), SEARCH)
