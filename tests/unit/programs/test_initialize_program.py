"""initialize_program(config): by the present upgrade authority, once."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import (
    CONFIG_LENGTH,
    DAY,
    ELF,
    Asset,
    Config,
    Error,
    Platform,
    ProgramInitialized,
    Scope,
    Settings,
    config_address,
    initialize_program,
    read_config,
    read_program_initialized,
)
from tests.unit.programs.svm import LOADER, Chain, Program, program_data_address, transfer


def test_creates_the_documented_account(chain: Chain, program: Program) -> None:
    settings = Settings()
    authority = program.upgrade_authority
    chain.must([initialize_program(program, settings)], authority)

    address, bump = Pubkey.find_program_address([b"global_config"], program.id)
    account = chain.account(address)
    assert account is not None
    assert account.owner == program.id
    assert account.lamports == chain.rent(CONFIG_LENGTH)
    assert read_config(bytes(account.data)) == Config(
        version=2,
        bump=bump,
        authority=authority.pubkey(),
        pending_authority=Pubkey.default(),
        resolver=settings.resolver,
        guardian=settings.guardian,
        treasury=settings.treasury,
        usdc_mint=settings.usdc_mint,
        fee_bps=250,
        pause_scope=Scope.NONE,
        dispute_window=DAY,
        resolution_window=7 * DAY,
        sweep_delay=90 * DAY,
        min_market_duration=3_600,
        max_market_duration=31_536_000,
        sol=Asset(1_000_000, 1_000_000_000_000, 0, 0, 0),
        usdc=Asset(100_000, 100_000_000_000, 0, 0, 0),
        total_markets=0,
        event_sequence=1,
        dispute_bond=0,
        reserve=bytes(120),
    )


def test_writes_the_first_event(chain: Chain, program: Program) -> None:
    settings = Settings()
    outcome = chain.must([initialize_program(program, settings)], program.upgrade_authority)
    assert [read_program_initialized(event) for event in outcome.events] == [
        ProgramInitialized(
            sequence=1,
            timestamp=chain.vm.get_clock().unix_timestamp,
            authority=program.upgrade_authority.pubkey(),
            settings=settings.pack(),
        )
    ]


# -- who may


def test_a_stranger_who_comes_first_may_not(chain: Chain, program: Program) -> None:
    stranger = chain.funded()
    instruction = initialize_program(
        program, Settings(), authority=AccountMeta(stranger.pubkey(), True, True)
    )
    assert chain.send([instruction], stranger).error == Error.UNAUTHORIZED
    assert chain.account(config_address(program.id)) is None
    # and the one who may still can
    chain.must([initialize_program(program, Settings())], program.upgrade_authority)


def test_a_stranger_with_the_program_data_of_another_program_may_not(
    chain: Chain, program: Program
) -> None:
    stranger = chain.funded()
    own = chain.deploy(ELF.read_bytes(), stranger)
    instruction = initialize_program(
        program,
        Settings(),
        authority=AccountMeta(stranger.pubkey(), True, True),
        program_data=own.data,
    )
    assert chain.send([instruction], stranger).error == Error.CONSTRAINT_SEEDS


def test_a_former_upgrade_authority_may_not(chain: Chain, program: Program) -> None:
    successor = chain.funded()
    chain.set_upgrade_authority(program, successor.pubkey())
    former = chain.send([initialize_program(program, Settings())], program.upgrade_authority)
    assert former.error == Error.UNAUTHORIZED

    handed_on = replace(program, upgrade_authority=successor)
    chain.must([initialize_program(handed_on, Settings())], successor)


def test_nobody_may_once_the_program_is_immutable(chain: Chain, program: Program) -> None:
    chain.set_upgrade_authority(program, None)
    # the loader leaves the former authority's bytes where they were
    assert chain.data(program.data)[12] == 0
    outcome = chain.send([initialize_program(program, Settings())], program.upgrade_authority)
    assert outcome.error == Error.UNAUTHORIZED


def test_the_authority_must_sign(chain: Chain, program: Program) -> None:
    stranger = chain.funded()
    instruction = initialize_program(
        program,
        Settings(),
        authority=AccountMeta(program.upgrade_authority.pubkey(), False, True),
    )
    assert chain.send([instruction], stranger).error == Error.NOT_SIGNER


# -- accounts


def test_the_authority_must_be_writable(chain: Chain, program: Program) -> None:
    payer = chain.funded()
    instruction = initialize_program(
        program,
        Settings(),
        authority=AccountMeta(program.upgrade_authority.pubkey(), True, False),
    )
    outcome = chain.send([instruction], payer, program.upgrade_authority)
    assert outcome.error == Error.CONSTRAINT_MUT


def test_the_config_must_be_writable(chain: Chain, program: Program) -> None:
    instruction = initialize_program(
        program, Settings(), config=AccountMeta(config_address(program.id), False, False)
    )
    assert chain.send([instruction], program.upgrade_authority).error == Error.CONSTRAINT_MUT


def test_the_config_must_be_the_pda(chain: Chain, program: Program) -> None:
    for wrong in (Pubkey.new_unique(), config_address(Pubkey.new_unique())):
        instruction = initialize_program(
            program, Settings(), config=AccountMeta(wrong, False, True)
        )
        outcome = chain.send([instruction], program.upgrade_authority)
        assert outcome.error == Error.CONSTRAINT_SEEDS


def test_a_pda_with_another_bump_is_refused(chain: Chain, program: Program) -> None:
    marker = b"ProgramDerivedAddress"
    canonical = Pubkey.find_program_address([b"global_config"], program.id)[1]
    lower = (
        hashlib.sha256(b"global_config" + bytes([bump]) + bytes(program.id) + marker).digest()
        for bump in range(canonical - 1, -1, -1)
    )
    other = next(key for key in map(Pubkey.from_bytes, lower) if not key.is_on_curve())
    instruction = initialize_program(program, Settings(), config=AccountMeta(other, False, True))
    assert chain.send([instruction], program.upgrade_authority).error == Error.CONSTRAINT_SEEDS


def test_program_data_at_another_address(chain: Chain, program: Program) -> None:
    """A stranger's account with the right content, at an address of its own."""
    authority = program.upgrade_authority
    forged = _program_data(authority.pubkey())
    elsewhere = Pubkey.new_unique()
    chain.put(elsewhere, forged, Pubkey.new_unique())
    instruction = initialize_program(program, Settings(), program_data=elsewhere)
    assert chain.send([instruction], authority).error == Error.CONSTRAINT_SEEDS


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bytes([1, 0, 0, 0]) + bytes(60), Error.NOT_PROGRAM_DATA),  # a buffer
        (bytes([0, 0, 0, 0]), Error.NOT_PROGRAM_DATA),  # closed
        (bytes([3, 0, 0]), Error.NOT_PROGRAM_DATA),
        (bytes([3, 0, 0, 0]) + bytes(40), Error.NOT_PROGRAM_DATA),  # one byte short
    ],
)
def test_forged_program_data(content: bytes, error: Error) -> None:
    chain, program = _program_without_deployment()
    chain.put(program.data, content, LOADER)
    outcome = chain.send([initialize_program(program, Settings())], program.upgrade_authority)
    assert outcome.error == error


def test_program_data_owned_by_another_program() -> None:
    chain, program = _program_without_deployment()
    chain.put(program.data, _program_data(program.upgrade_authority.pubkey()), program.id)
    outcome = chain.send([initialize_program(program, Settings())], program.upgrade_authority)
    assert outcome.error == Error.OWNED_BY_WRONG_PROGRAM


def test_no_program_data_at_all() -> None:
    chain, program = _program_without_deployment()
    outcome = chain.send([initialize_program(program, Settings())], program.upgrade_authority)
    assert outcome.error == Error.OWNED_BY_WRONG_PROGRAM


def _program_data(authority: Pubkey) -> bytes:
    return bytes([3, 0, 0, 0]) + bytes(8) + bytes([1]) + bytes(authority)


def _program_without_deployment() -> tuple[Chain, Program]:
    """The ELF under the older loader, which has no ProgramData: its address is free for forgery."""
    chain = Chain()
    older_loader = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
    program = Keypair().pubkey()
    chain.vm.add_program_with_loader(program, ELF.read_bytes(), older_loader)
    return chain, Program(program, program_data_address(program), chain.funded())


def test_the_system_program_must_be_it(chain: Chain, program: Program) -> None:
    instruction = initialize_program(program, Settings(), system_program=Pubkey.new_unique())
    assert chain.send([instruction], program.upgrade_authority).error == Error.INVALID_PROGRAM_ID


def test_missing_accounts(chain: Chain, program: Program) -> None:
    whole = initialize_program(program, Settings())
    for count in range(4):
        shorter = Instruction(whole.program_id, whole.data, list(whole.accounts)[:count])
        outcome = chain.send([shorter], program.upgrade_authority)
        assert outcome.error == Error.NOT_ENOUGH_KEYS


def test_more_accounts_do_no_harm(chain: Chain, program: Program) -> None:
    whole = initialize_program(program, Settings())
    more = [AccountMeta(Pubkey.new_unique(), False, False) for _ in range(20)]
    longer = Instruction(whole.program_id, whole.data, [*whole.accounts, *more])
    chain.must([longer], program.upgrade_authority)


# -- once


def test_a_second_time_fails(chain: Chain, platform: Platform) -> None:
    before = platform.config
    for settings in (platform.settings, Settings(fee_bps=1)):
        outcome = chain.send([initialize_program(platform.program, settings)], platform.authority)
        assert outcome.error == Error.ALREADY_INITIALIZED
    assert platform.config == before


def test_a_stranger_learns_that_it_is_initialized(chain: Chain, platform: Platform) -> None:
    stranger = chain.funded()
    instruction = initialize_program(
        platform.program, Settings(), authority=AccountMeta(stranger.pubkey(), True, True)
    )
    assert chain.send([instruction], stranger).error == Error.ALREADY_INITIALIZED


@pytest.mark.parametrize("present", ["one lamport short", "exactly the rent", "more"])
def test_money_at_the_address_does_not_block(chain: Chain, program: Program, present: str) -> None:
    rent = chain.rent(CONFIG_LENGTH)
    amount = {"one lamport short": rent - 1, "exactly the rent": rent, "more": rent + 7}[present]
    stranger = chain.funded()
    address = config_address(program.id)
    chain.must([transfer(stranger.pubkey(), address, amount)], stranger)

    authority = program.upgrade_authority
    before = chain.vm.get_balance(authority.pubkey())
    assert before is not None
    chain.must([initialize_program(program, Settings())], authority)

    account = chain.account(address)
    assert account is not None
    assert account.lamports == max(rent, amount)
    assert account.owner == program.id
    fee = 5_000
    assert chain.vm.get_balance(authority.pubkey()) == before - fee - max(0, rent - amount)


def test_an_authority_without_money_changes_nothing(chain: Chain, program: Program) -> None:
    payer = chain.funded()
    poor = chain.funded(chain.rent(0))
    handed_on = replace(program, upgrade_authority=poor)
    chain.set_upgrade_authority(program, poor.pubkey())
    outcome = chain.send([initialize_program(handed_on, Settings())], payer, poor)
    assert outcome.error is not None
    assert chain.account(config_address(program.id)) is None


# -- settings


@pytest.mark.parametrize(
    "changes",
    [
        {"fee_bps": 0},
        {"fee_bps": 1_000},
        {"dispute_window": 60},
        {"dispute_window": 30 * DAY},
        {"resolution_window": 1},
        {"sweep_delay": 1},
        {"min_market_duration": 1},
        {"min_market_duration": 31_536_000},
        {"max_market_duration": 2**63 - 1},
        {"sol_min_bet": 1},
        {"sol_min_bet": 1_000_000_000_000},
        {"usdc_min_bet": 1, "usdc_max_bet": 1},
        {"usdc_max_bet": 2**64 - 1},
    ],
    ids=str,
)
def test_settings_on_their_bounds(chain: Chain, program: Program, changes: dict[str, int]) -> None:
    chain.must([initialize_program(program, Settings().but(**changes))], program.upgrade_authority)


@pytest.mark.parametrize(
    "changes",
    [
        {"fee_bps": 1_001},
        {"fee_bps": 65_535},
        {"dispute_window": 59},
        {"dispute_window": 30 * DAY + 1},
        {"dispute_window": -DAY},
        {"resolution_window": 0},
        {"resolution_window": -1},
        {"sweep_delay": 0},
        {"sweep_delay": -(2**63)},
        {"min_market_duration": 0},
        {"min_market_duration": -1},
        {"min_market_duration": 31_536_001},
        {"max_market_duration": 3_599},
        {"sol_min_bet": 0},
        {"sol_min_bet": 1_000_000_000_001},
        {"sol_max_bet": 0},
        {"usdc_min_bet": 0},
        {"usdc_max_bet": 99_999},
        {"resolver": Pubkey.default()},
        {"guardian": Pubkey.default()},
        {"treasury": Pubkey.default()},
        {"usdc_mint": Pubkey.default()},
    ],
    ids=str,
)
def test_settings_outside_their_bounds(
    chain: Chain, program: Program, changes: dict[str, object]
) -> None:
    outcome = chain.send(
        [initialize_program(program, Settings().but(**changes))], program.upgrade_authority
    )
    assert outcome.error == Error.INVALID_PARAMETERS
    assert outcome.events == []
    assert chain.account(config_address(program.id)) is None


@pytest.mark.parametrize("cut", [1, 202])
def test_short_arguments(chain: Chain, program: Program, cut: int) -> None:
    whole = initialize_program(program, Settings())
    shorter = Instruction(whole.program_id, bytes(whole.data)[:-cut], whole.accounts)
    outcome = chain.send([shorter], program.upgrade_authority)
    assert outcome.error == Error.DID_NOT_DESERIALIZE


def test_long_arguments(chain: Chain, program: Program) -> None:
    whole = initialize_program(program, Settings())
    longer = Instruction(whole.program_id, bytes(whole.data) + b"\0", whole.accounts)
    outcome = chain.send([longer], program.upgrade_authority)
    assert outcome.error == Error.DID_NOT_DESERIALIZE


def test_each_deployment_has_its_own_configuration(chain: Chain, platform: Platform) -> None:
    """The ELF knows no id: the same bytes serve a second program."""
    other = chain.deploy(ELF.read_bytes(), chain.funded())
    chain.must([initialize_program(other, Settings(fee_bps=1))], other.upgrade_authority)
    assert platform.config.fee_bps == 250
    assert read_config(chain.data(config_address(other.id))).fee_bps == 1
