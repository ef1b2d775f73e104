"""A VM of its own for each test, with crypto_bet deployed by the loader."""

from __future__ import annotations

import pytest
from tests.unit.programs.crypto_bet import (
    ELF,
    Platform,
    Settings,
    initialize_program,
)
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind
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


@pytest.fixture
def house(chain: Chain) -> House:
    return House.build(chain)


@pytest.fixture(params=Kind, ids=lambda kind: kind.name.lower())
def kind(request: pytest.FixtureRequest) -> Kind:
    value: Kind = request.param
    return value
