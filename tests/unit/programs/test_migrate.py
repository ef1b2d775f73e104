"""migrate, and what an upgrade of the program finds: accounts written by the program before."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from tests.unit.programs.crypto_bet import (
    CONFIG_LENGTH,
    ELF,
    Error,
    Scope,
    config_address,
    emergency_pause,
    emergency_unpause,
    migrate,
    update_config,
)
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import Chain

FIRST = Path(__file__).parents[2] / "fixtures" / "older" / "crypto_bet-config-1.so"
"""The program that wrote layout 1 of the configuration."""


@pytest.fixture
def older(chain: Chain) -> House:
    """A platform of the first program, with a pause that it wrote."""
    house = House.build(chain, FIRST.read_bytes())
    house.pause(Scope.NEW_BETS)
    return house


def upgrade(house: House, elf: bytes) -> None:
    house.chain.upgrade(house.program, elf)


def test_an_older_account_is_read_and_written(older: House) -> None:
    before = older.config
    assert (before.version, before.event_sequence) == (1, 2)
    upgrade(older, ELF.read_bytes())
    pause = emergency_pause(older.program, older.guardian.pubkey(), Scope.ALL_BUT_CLAIMS)
    older.must(pause, older.guardian)
    after = older.config
    assert (after.version, after.pause_scope, after.event_sequence) == (1, 2, 3)
    assert after.sol == before.sol
    assert after.dispute_bond == 0


def test_the_whole_platform_runs_before_the_migration(older: House, kind: Kind) -> None:
    upgrade(older, ELF.read_bytes())
    older.must(emergency_unpause(older.program, older.authority.pubkey()), older.authority)
    at, yes, _ = with_bets(older, kind)
    older.resolve(at, Side.YES)
    assert older.claim(at, yes.pubkey(), Side.YES).error is None
    assert older.config.version == 1


def test_only_the_version_and_the_event_number_change(older: House) -> None:
    upgrade(older, ELF.read_bytes())
    address = config_address(older.program.id)
    before = older.chain.data(address)
    outcome = older.must(migrate(older.program), older.authority)
    after = older.chain.data(address)
    assert len(after) == CONFIG_LENGTH
    assert {i for i in range(CONFIG_LENGTH) if before[i] != after[i]} == {8, 349}
    event = the_event(outcome)
    assert (event["name"], event["old_version"], event["new_version"]) == ("ConfigMigrated", 1, 2)
    older.must(update_config(older.program, older.settings, 5_000_000), older.authority)
    assert older.config.dispute_bond == 5_000_000


def test_the_program_before_refuses_a_migrated_account(older: House) -> None:
    """Clearly, and without a change."""
    upgrade(older, ELF.read_bytes())
    older.must(migrate(older.program), older.authority)
    upgrade(older, FIRST.read_bytes())
    before = older.config
    pause = emergency_pause(older.program, older.authority.pubkey(), Scope.ALL_BUT_CLAIMS)
    assert older.send(pause, older.authority).error == Error.UNSUPPORTED_VERSION
    assert older.config == before


def test_the_program_before_goes_on_with_an_account_that_was_not_migrated(older: House) -> None:
    upgrade(older, ELF.read_bytes())
    upgrade(older, FIRST.read_bytes())
    older.pause(Scope.ALL_BUT_CLAIMS)


def test_repeating_is_no_change(house: House) -> None:
    before = house.config
    assert house.must(migrate(house.program), house.authority).events == []
    assert house.config == before


def test_others_may_not(older: House) -> None:
    upgrade(older, ELF.read_bytes())
    whole = migrate(older.program)
    for actor in (older.guardian, older.resolver, older.person()):
        accounts = [AccountMeta(actor.pubkey(), True, False), whole.accounts[1]]
        by_another = Instruction(whole.program_id, whole.data, accounts)
        assert older.send(by_another, actor).error == Error.UNAUTHORIZED


def test_an_older_account_that_claims_a_bond(older: House) -> None:
    """Layout 1 had zeros there."""
    upgrade(older, ELF.read_bytes())
    older.forge(config_address(older.program.id), 357, b"\1")
    outcome = older.send(
        emergency_pause(older.program, older.authority.pubkey(), Scope.ALL_BUT_CLAIMS),
        older.authority,
    )
    assert outcome.error == Error.INVARIANT_VIOLATED
