"""emergency_pause(scope): the authority sets, the guardian only raises."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import (
    CONFIG_LENGTH,
    OFFSET,
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
from tests.unit.programs.svm import Chain, Outcome, Program, transfer


def pause(platform: Platform, actor: Keypair, scope: int) -> Outcome:
    return platform.chain.send([emergency_pause(platform.program, actor.pubkey(), scope)], actor)


# -- who may what


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_pauses_and_says_so(chain: Chain, platform: Platform, role: str, scope: Scope) -> None:
    actor: Keypair = getattr(platform, role)
    before = platform.config
    outcome = pause(platform, actor, scope)

    assert outcome.error is None
    assert [read_pause_changed(event) for event in outcome.events] == [
        PauseChanged(
            sequence=before.event_sequence + 1,
            timestamp=chain.vm.get_clock().unix_timestamp,
            actor=actor.pubkey(),
            old_scope=Scope.NONE,
            new_scope=scope,
        )
    ]
    after = platform.config
    assert after.pause_scope == scope
    assert after.event_sequence == before.event_sequence + 1


def test_only_scope_and_sequence_change(chain: Chain, platform: Platform) -> None:
    address = config_address(platform.program.id)
    before = chain.data(address)
    pause(platform, platform.guardian, Scope.NEW_BETS)
    after = chain.data(address)
    changed = {i for i in range(CONFIG_LENGTH) if before[i] != after[i]}
    assert changed == {OFFSET["pause_scope"], OFFSET["event_sequence"]}


def test_the_guardian_raises(platform: Platform) -> None:
    assert pause(platform, platform.guardian, Scope.NEW_BETS).error is None
    assert pause(platform, platform.guardian, Scope.ALL_BUT_CLAIMS).error is None
    assert platform.config.pause_scope == Scope.ALL_BUT_CLAIMS


def test_the_guardian_cannot_lower(platform: Platform) -> None:
    pause(platform, platform.authority, Scope.ALL_BUT_CLAIMS)
    before = platform.config
    assert pause(platform, platform.guardian, Scope.NEW_BETS).error == Error.UNAUTHORIZED
    assert platform.config == before


def test_the_authority_lowers(platform: Platform) -> None:
    pause(platform, platform.guardian, Scope.ALL_BUT_CLAIMS)
    outcome = pause(platform, platform.authority, Scope.NEW_BETS)
    assert outcome.error is None
    event = read_pause_changed(outcome.events[0])
    assert (event.old_scope, event.new_scope) == (Scope.ALL_BUT_CLAIMS, Scope.NEW_BETS)


@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_repeating_is_no_change(platform: Platform, role: str) -> None:
    actor: Keypair = getattr(platform, role)
    pause(platform, actor, Scope.NEW_BETS)
    before = platform.config
    outcome = pause(platform, actor, Scope.NEW_BETS)
    assert outcome.error is None
    assert outcome.events == []
    assert platform.config == before


@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_scope_none_is_refused(platform: Platform, role: str) -> None:
    actor: Keypair = getattr(platform, role)
    assert pause(platform, actor, Scope.NONE).error == Error.INVALID_PARAMETERS
    pause(platform, actor, Scope.NEW_BETS)
    assert pause(platform, actor, Scope.NONE).error == Error.INVALID_PARAMETERS
    assert platform.config.pause_scope == Scope.NEW_BETS


def test_others_may_not(chain: Chain, platform: Platform) -> None:
    assert pause(platform, chain.funded(), Scope.NEW_BETS).error == Error.UNAUTHORIZED
    assert platform.config.pause_scope == Scope.NONE


def test_the_resolver_may_not(chain: Chain, platform: Platform) -> None:
    address = config_address(platform.program.id)
    resolver = chain.funded()
    _forge(platform, OFFSET["resolver"], bytes(resolver.pubkey()))
    assert pause(platform, resolver, Scope.NEW_BETS).error == Error.UNAUTHORIZED
    assert chain.data(address)[OFFSET["pause_scope"]] == Scope.NONE


def test_events_are_numbered_without_gaps(platform: Platform) -> None:
    chain, authority = platform.chain, platform.authority
    numbers = [platform.config.event_sequence]
    for scope in (Scope.NEW_BETS, Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS):
        numbers += [
            read_pause_changed(event).sequence for event in pause(platform, authority, scope).events
        ]
    outcome = chain.must([emergency_unpause(platform.program, authority.pubkey())], authority)
    numbers += [read_pause_changed(event).sequence for event in outcome.events]
    assert numbers == [1, 2, 3, 4]


# -- arguments


@pytest.mark.parametrize("argument", [b"", b"\x03", b"\xff", b"\x01\x00"])
def test_invalid_arguments(chain: Chain, platform: Platform, argument: bytes) -> None:
    whole = emergency_pause(platform.program, platform.authority.pubkey(), Scope.NEW_BETS)
    changed = Instruction(
        whole.program_id, discriminator("global", "emergency_pause") + argument, whole.accounts
    )
    assert chain.send([changed], platform.authority).error == Error.DID_NOT_DESERIALIZE


# -- accounts


@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_the_actor_must_sign(chain: Chain, platform: Platform, role: str) -> None:
    actor: Keypair = getattr(platform, role)
    whole = emergency_pause(platform.program, actor.pubkey(), Scope.NEW_BETS)
    unsigned = Instruction(
        whole.program_id,
        whole.data,
        [AccountMeta(actor.pubkey(), False, False), whole.accounts[1]],
    )
    assert chain.send([unsigned], chain.funded()).error == Error.NOT_SIGNER


def test_the_config_must_be_writable(chain: Chain, platform: Platform) -> None:
    instruction = emergency_pause(
        platform.program,
        platform.authority.pubkey(),
        Scope.NEW_BETS,
        config=AccountMeta(config_address(platform.program.id), False, False),
    )
    assert chain.send([instruction], platform.authority).error == Error.CONSTRAINT_MUT


def test_missing_accounts(chain: Chain, platform: Platform) -> None:
    whole = emergency_pause(platform.program, platform.authority.pubkey(), Scope.NEW_BETS)
    for count in range(2):
        shorter = Instruction(whole.program_id, whole.data, list(whole.accounts)[:count])
        assert chain.send([shorter], platform.authority).error == Error.NOT_ENOUGH_KEYS


def test_before_initialization(chain: Chain, program: Program) -> None:
    actor = program.upgrade_authority
    instruction = emergency_pause(program, actor.pubkey(), Scope.NEW_BETS)
    assert chain.send([instruction], actor).error == Error.NOT_INITIALIZED
    # money at the address makes it exist, but not the program's
    address = config_address(program.id)
    chain.must([transfer(actor.pubkey(), address, chain.rent(0))], actor)
    assert chain.send([instruction], actor).error == Error.OWNED_BY_WRONG_PROGRAM


def test_the_config_must_be_the_programs(chain: Chain, platform: Platform) -> None:
    copy = Pubkey.new_unique()
    chain.put(copy, chain.data(config_address(platform.program.id)), Pubkey.new_unique())
    assert _pause_at(platform, copy).error == Error.OWNED_BY_WRONG_PROGRAM


def test_a_copy_at_another_address_is_refused(chain: Chain, platform: Platform) -> None:
    """The program never makes one, but must not trust one either."""
    actor = platform.authority
    copy = Pubkey.new_unique()
    chain.put(copy, chain.data(config_address(platform.program.id)), platform.program.id)
    assert _pause_at(platform, copy).error == Error.CONSTRAINT_SEEDS
    assert pause(platform, actor, Scope.NEW_BETS).error is None


def test_a_wrong_bump_in_the_account_is_refused(platform: Platform) -> None:
    _forge(platform, OFFSET["bump"], bytes([platform.config.bump ^ 1]))
    outcome = pause(platform, platform.authority, Scope.NEW_BETS)
    assert outcome.error == Error.CONSTRAINT_SEEDS


@pytest.mark.parametrize(
    ("offset", "content", "error"),
    [
        (0, discriminator("account", "Market"), Error.DISCRIMINATOR_MISMATCH),
        (0, bytes(8), Error.DISCRIMINATOR_MISMATCH),
        (OFFSET["version"], b"\x00", Error.UNSUPPORTED_VERSION),
        (OFFSET["version"], b"\x03", Error.UNSUPPORTED_VERSION),
        (OFFSET["pause_scope"], b"\x03", Error.ACCOUNT_DID_NOT_DESERIALIZE),
        (OFFSET["event_sequence"], b"\xff" * 8, Error.NUMBER_OVERFLOW),
        (OFFSET["fee_bps"], b"\xff\xff", Error.INVARIANT_VIOLATED),
        (OFFSET["sol"] + 40, b"\x01", Error.INVARIANT_VIOLATED),  # fees withdrawn, none accrued
        (OFFSET["reserve"], b"\x01", Error.INVARIANT_VIOLATED),
    ],
)
def test_an_impossible_account_is_refused(
    platform: Platform, offset: int, content: bytes, error: Error
) -> None:
    _forge(platform, offset, content)
    forged = platform.chain.data(config_address(platform.program.id))
    outcome = pause(platform, platform.authority, Scope.NEW_BETS)
    assert outcome.error == error
    assert outcome.events == []
    assert platform.chain.data(config_address(platform.program.id)) == forged


@pytest.mark.parametrize(
    ("length", "error"),
    [
        (0, Error.DISCRIMINATOR_MISMATCH),
        (7, Error.DISCRIMINATOR_MISMATCH),
        (8, Error.ACCOUNT_DID_NOT_DESERIALIZE),
        (CONFIG_LENGTH - 1, Error.ACCOUNT_DID_NOT_DESERIALIZE),
        (CONFIG_LENGTH + 1, Error.ACCOUNT_DID_NOT_DESERIALIZE),
    ],
)
def test_an_account_of_another_length_is_refused(
    chain: Chain, platform: Platform, length: int, error: Error
) -> None:
    address = config_address(platform.program.id)
    data = (chain.data(address) + b"\0")[:length]
    chain.put(address, data, platform.program.id)
    assert pause(platform, platform.authority, Scope.NEW_BETS).error == error


def _pause_at(platform: Platform, config: Pubkey) -> Outcome:
    actor = platform.authority
    instruction = emergency_pause(
        platform.program,
        actor.pubkey(),
        Scope.NEW_BETS,
        config=AccountMeta(config, False, True),
    )
    return platform.chain.send([instruction], actor)


def _forge(platform: Platform, offset: int, content: bytes) -> None:
    """Overwrites bytes of the configuration behind the program's back."""
    address = config_address(platform.program.id)
    data = platform.chain.data(address)
    changed = data[:offset] + content + data[offset + len(content) :]
    platform.chain.put(address, changed, platform.program.id)
