"""update_config: the authority changes the settings, within their bounds."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import (
    DAY,
    Error,
    Scope,
    config_address,
    emergency_pause,
    update_config,
)
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import Outcome


def update(house: House, bond: int = 0, /, **changes: object) -> Outcome:
    settings = house.settings.but(**changes)
    return house.send(update_config(house.program, settings, bond), house.authority)


def test_every_setting_changes(house: House) -> None:
    keys = {name: Pubkey.new_unique() for name in ("resolver", "guardian", "treasury", "usdc_mint")}
    numbers = {
        "fee_bps": 1,
        "dispute_window": 61,
        "resolution_window": 2,
        "sweep_delay": 3,
        "min_market_duration": 4,
        "max_market_duration": 5,
    }
    limits = {"sol_min_bet": 6, "sol_max_bet": 7, "usdc_min_bet": 8, "usdc_max_bet": 9}
    before = house.config
    outcome = update(house, 1_234_567, **keys, **numbers, **limits)
    assert outcome.error is None
    after = house.config
    assert {name: getattr(after, name) for name in keys | numbers} == keys | numbers
    assert (after.sol.min_bet, after.sol.max_bet) == (6, 7)
    assert (after.usdc.min_bet, after.usdc.max_bet) == (8, 9)
    assert after.dispute_bond == 1_234_567
    assert (after.authority, after.pause_scope) == (before.authority, before.pause_scope)
    assert after.event_sequence == before.event_sequence + 1
    event = the_event(outcome)
    assert (event["name"], event["sequence"]) == ("ConfigUpdated", after.event_sequence)
    assert (event["config"]["fee_bps"], event["dispute_bond"]) == (1, 1_234_567)


@pytest.mark.parametrize(
    "changes",
    [
        {"fee_bps": 1_001},
        {"dispute_window": 59},
        {"dispute_window": 30 * DAY + 1},
        {"resolution_window": 0},
        {"sweep_delay": -1},
        {"min_market_duration": 0},
        {"max_market_duration": 3_599},
        {"sol_min_bet": 0},
        {"usdc_max_bet": 1},
        {"resolver": Pubkey.default()},
        {"guardian": Pubkey.default()},
        {"treasury": Pubkey.default()},
        {"usdc_mint": Pubkey.default()},
    ],
    ids=str,
)
def test_the_bounds_are_those_of_initialization(house: House, changes: dict[str, object]) -> None:
    before = house.config
    assert update(house, **changes).error == Error.INVALID_PARAMETERS
    assert house.config == before


def test_totals_stay(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    before = house.config
    assert before.sol.volume > 0
    assert update(house, sol_min_bet=3).error is None
    after = house.config
    for name in ("volume", "fees_accrued", "fees_withdrawn"):
        assert getattr(after.sol, name) == getattr(before.sol, name)
    assert after.total_markets == before.total_markets


def test_the_token_stays_once_there_is_a_market(house: House) -> None:
    """Totals of two tokens cannot be added."""
    assert update(house, usdc_mint=Pubkey.new_unique()).error is None
    assert update(house).error is None
    house.new()
    assert update(house, usdc_mint=Pubkey.new_unique()).error == Error.INVALID_PARAMETERS
    assert update(house, fee_bps=7).error is None


def test_others_may_not(house: House) -> None:
    whole = update_config(house.program, house.settings)
    for actor in (house.guardian, house.resolver, house.person()):
        accounts = [AccountMeta(actor.pubkey(), True, False), whole.accounts[1]]
        by_another = Instruction(whole.program_id, whole.data, accounts)
        assert house.send(by_another, actor).error == Error.UNAUTHORIZED


def test_a_rotated_guardian(house: House) -> None:
    successor = house.person()
    house.pause(Scope.ALL_BUT_CLAIMS)  # a lost key must be replaceable at once
    assert update(house, guardian=successor.pubkey()).error is None
    for actor, error in ((house.guardian, Error.UNAUTHORIZED), (successor, None)):
        pause = emergency_pause(house.program, actor.pubkey(), Scope.ALL_BUT_CLAIMS)
        assert house.send(pause, actor).error == error


def test_a_bond_before_the_migration(house: House) -> None:
    house.forge(config_address(house.program.id), 8, b"\1")
    assert update(house, 5).error == Error.UNSUPPORTED_VERSION
    assert update(house, 0).error is None


def test_arguments(house: House) -> None:
    whole = update_config(house.program, house.settings)
    for data in (bytes(whole.data)[:-1], bytes(whole.data) + b"\0"):
        broken = Instruction(whole.program_id, data, whole.accounts)
        assert house.send(broken, house.authority).error == Error.DID_NOT_DESERIALIZE
