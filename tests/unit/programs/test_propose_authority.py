"""propose_authority: the first of two steps."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import Error, accept_authority, propose_authority
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House


def test_nothing_changes_hands_yet(house: House) -> None:
    successor = house.person()
    outcome = house.must(propose_authority(house.program, successor.pubkey()), house.authority)
    config = house.config
    assert config.authority == house.authority.pubkey()
    assert config.pending_authority == successor.pubkey()
    event = the_event(outcome)
    assert (event["name"], event["pending_authority"]) == (
        "AuthorityProposed",
        successor.pubkey(),
    )
    house.must(propose_authority(house.program, house.person().pubkey()), house.authority)


def test_a_proposal_can_be_withdrawn(house: House) -> None:
    successor = house.person()
    house.must(propose_authority(house.program, successor.pubkey()), house.authority)
    house.must(propose_authority(house.program, Pubkey.default()), house.authority)
    accept = accept_authority(house.program, successor.pubkey())
    assert house.send(accept, successor).error == Error.UNAUTHORIZED


def test_others_may_not(house: House) -> None:
    whole = propose_authority(house.program, house.guardian.pubkey())
    for actor in (house.guardian, house.resolver, house.person()):
        accounts = [AccountMeta(actor.pubkey(), True, False), whole.accounts[1]]
        by_another = Instruction(whole.program_id, whole.data, accounts)
        assert house.send(by_another, actor).error == Error.UNAUTHORIZED
