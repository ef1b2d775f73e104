"""A VM of its own for each test, with crypto_bet deployed by the loader."""

from __future__ import annotations

import pytest
from tests.unit.programs.crypto_bet import (
    ELF,
    Platform,
    Settings,
    initialize_program,
)
from tests.unit.programs.svm import Chain, Program


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def program(chain: Chain) -> Program:
    return chain.deploy(ELF.read_bytes(), chain.funded())


@pytest.fixture
def platform(chain: Chain, program: Program) -> Platform:
    guardian = chain.funded()
    settings = Settings(guardian=guardian.pubkey())
    chain.must([initialize_program(program, settings)], program.upgrade_authority)
    return Platform(program, settings, program.upgrade_authority, guardian, chain)
