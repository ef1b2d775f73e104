"""accept_authority: the second of two steps."""

from __future__ import annotations

from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import (
    Error,
    accept_authority,
    emergency_unpause,
    propose_authority,
)
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House


def test_the_platform_changes_hands(house: House) -> None:
    successor = house.person()
    house.must(propose_authority(house.program, successor.pubkey()), house.authority)
    outcome = house.must(accept_authority(house.program, successor.pubkey()), successor)
    config = house.config
    assert (config.authority, config.pending_authority) == (successor.pubkey(), Pubkey.default())
    event = the_event(outcome)
    assert event["old_authority"] == house.authority.pubkey()
    assert event["new_authority"] == successor.pubkey()

    for actor, error in ((house.authority, Error.UNAUTHORIZED), (successor, None)):
        instruction = emergency_unpause(house.program, actor.pubkey())
        assert house.send(instruction, actor).error == error


def test_only_whom_the_authority_proposed(house: House) -> None:
    house.must(propose_authority(house.program, house.person().pubkey()), house.authority)
    for actor in (house.authority, house.guardian, house.person()):
        instruction = accept_authority(house.program, actor.pubkey())
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED


def test_nobody_is_proposed(house: House) -> None:
    """Zero stands for nobody, and is an address that cannot sign."""
    instruction = accept_authority(house.program, house.anybody.pubkey())
    assert house.send(instruction).error == Error.UNAUTHORIZED


def test_once(house: House) -> None:
    successor = house.person()
    house.must(propose_authority(house.program, successor.pubkey()), house.authority)
    house.must(accept_authority(house.program, successor.pubkey()), successor)
    again = accept_authority(house.program, successor.pubkey())
    assert house.send(again, successor).error == Error.UNAUTHORIZED
