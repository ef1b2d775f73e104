"""emergency_unpause(): by the authority only."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from tests.unit.programs.crypto_bet import (
    Error,
    PauseChanged,
    Platform,
    Scope,
    config_address,
    discriminator,
    emergency_pause,
    emergency_unpause,
    read_pause_changed,
)
from tests.unit.programs.svm import Chain


@pytest.fixture
def paused(platform: Platform) -> Platform:
    authority = platform.authority
    platform.chain.must(
        [emergency_pause(platform.program, authority.pubkey(), Scope.ALL_BUT_CLAIMS)], authority
    )
    return platform


def test_the_authority_unpauses(chain: Chain, paused: Platform) -> None:
    before = paused.config
    outcome = chain.must(
        [emergency_unpause(paused.program, paused.authority.pubkey())], paused.authority
    )

    assert paused.config.pause_scope == Scope.NONE
    assert paused.config.event_sequence == before.event_sequence + 1
    assert [read_pause_changed(event) for event in outcome.events] == [
        PauseChanged(
            sequence=before.event_sequence + 1,
            timestamp=chain.vm.get_clock().unix_timestamp,
            actor=paused.authority.pubkey(),
            old_scope=Scope.ALL_BUT_CLAIMS,
            new_scope=Scope.NONE,
        )
    ]


def test_nothing_paused_is_no_change(chain: Chain, platform: Platform) -> None:
    before = platform.config
    outcome = chain.must(
        [emergency_unpause(platform.program, platform.authority.pubkey())], platform.authority
    )
    assert outcome.events == []
    assert platform.config == before


def test_the_guardian_may_not(chain: Chain, paused: Platform) -> None:
    outcome = chain.send(
        [emergency_unpause(paused.program, paused.guardian.pubkey())], paused.guardian
    )
    assert outcome.error == Error.UNAUTHORIZED
    assert paused.config.pause_scope == Scope.ALL_BUT_CLAIMS


def test_a_stranger_may_not(chain: Chain, paused: Platform) -> None:
    stranger = chain.funded()
    outcome = chain.send([emergency_unpause(paused.program, stranger.pubkey())], stranger)
    assert outcome.error == Error.UNAUTHORIZED


def test_the_authority_must_sign(chain: Chain, paused: Platform) -> None:
    stranger = chain.funded()
    instruction = emergency_unpause(paused.program, paused.authority.pubkey())
    instruction = Instruction(
        instruction.program_id,
        instruction.data,
        [AccountMeta(paused.authority.pubkey(), False, False), instruction.accounts[1]],
    )
    assert chain.send([instruction], stranger).error == Error.NOT_SIGNER


def test_the_config_must_be_writable(chain: Chain, paused: Platform) -> None:
    instruction = emergency_unpause(
        paused.program,
        paused.authority.pubkey(),
        config=AccountMeta(config_address(paused.program.id), False, False),
    )
    assert chain.send([instruction], paused.authority).error == Error.CONSTRAINT_MUT


def test_arguments_are_refused(chain: Chain, paused: Platform) -> None:
    instruction = emergency_unpause(paused.program, paused.authority.pubkey())
    longer = Instruction(
        instruction.program_id,
        discriminator("global", "emergency_unpause") + b"\0",
        instruction.accounts,
    )
    assert chain.send([longer], paused.authority).error == Error.DID_NOT_DESERIALIZE


def test_missing_accounts(chain: Chain, paused: Platform) -> None:
    instruction = emergency_unpause(paused.program, paused.authority.pubkey())
    shorter = Instruction(instruction.program_id, instruction.data, list(instruction.accounts)[:1])
    assert chain.send([shorter], paused.authority).error == Error.NOT_ENOUGH_KEYS
