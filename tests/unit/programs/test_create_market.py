"""create_market: by anybody, within the platform's bounds, with everything that bettors rely on."""

from __future__ import annotations

import struct

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from tests.unit.programs import markets, tokens
from tests.unit.programs.crypto_bet import Error, Scope, emergency_pause, update_config
from tests.unit.programs.events import read_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import ORACLE, Addresses, Kind, Market, Side, Terms
from tests.unit.programs.svm import Outcome, transfer


def create(house: House, kind: Kind = Kind.DEGEN, /, **changes: object) -> Outcome:
    terms = house.terms().but(**changes)
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), kind)
    return house.send(markets.create_market(at, 1, terms, house.mint))


def test_the_documented_account(house: House, kind: Kind) -> None:
    house.move_clock(1_000)
    owner, terms = house.person(), house.terms()
    at = Addresses.of(house.program.id, 2**64 - 1, owner.pubkey(), kind)
    outcome = house.must(markets.create_market(at, 2**64 - 1, terms, house.mint), owner)

    seeds = [b"market", b"\xff" * 8, bytes(owner.pubkey())]
    assert Pubkey.find_program_address(seeds, house.program.id)[0] == at.market
    account = house.chain.account(at.market)
    assert account is not None
    assert account.lamports == house.chain.rent(markets.MARKET_LENGTH)
    settings = house.settings
    mint = house.mint if kind == Kind.STABLE else Pubkey.default()
    bumps = [
        Pubkey.find_program_address([seed, bytes(at.market)], house.program.id)[1]
        for seed in (b"yes_vault", b"no_vault")
    ]
    assert house.market(at) == Market(
        version=1,
        bump=Pubkey.find_program_address(seeds, house.program.id)[1],
        yes_vault_bump=bumps[0],
        no_vault_bump=bumps[1],
        state=0,
        kind=kind,
        proposed=0,
        result=0,
        fee_withdrawn=0,
        swept=0,
        market_id=2**64 - 1,
        authority=owner.pubkey(),
        mint=mint,
        resolver=Pubkey.default(),
        oracle=ORACLE,
        disputer=Pubkey.default(),
        fee_bps=250,
        terms_version=1,
        created_at=1_000,
        betting_ends_at=terms.betting_ends_at,
        resolution_time=terms.resolution_time,
        resolution_window=settings.resolution_window,
        dispute_window=settings.dispute_window,
        sweep_delay=settings.sweep_delay,
        state_since=1_000,
        yes_pool=0,
        no_pool=0,
        fee=0,
        payout_pool=0,
        settled_shares=0,
        paid=0,
        participants=0,
        open_positions=0,
        dispute_bond=0,
        event_sequence=1,
        title=terms.title,
        description=terms.description,
        category=terms.category,
        metadata_uri=terms.metadata_uri,
        reserve=bytes(64),
    )
    assert house.config.total_markets == 1
    (event,) = outcome.events
    assert read_event(event) == {
        "name": "MarketCreated",
        "sequence": 1,
        "timestamp": 1_000,
        "market": at.market,
        "number": 1,
        "market_id": 2**64 - 1,
        "authority": owner.pubkey(),
        "kind": kind.name.capitalize(),
        "mint": mint,
        "fee_bps": 250,
        "betting_ends_at": terms.betting_ends_at,
        "resolution_time": terms.resolution_time,
    }


def test_vaults_are_the_programs(house: House, kind: Kind) -> None:
    at = house.new(kind)
    for side in Side:
        account = house.chain.account(at.vault(side))
        assert account is not None
        if kind == Kind.DEGEN:
            assert (account.owner, bytes(account.data)) == (house.program.id, b"")
        else:
            assert account.owner == tokens.TOKEN_PROGRAM
            data = bytes(account.data)
            # it decides over itself, and nobody else may spend from it or close it
            assert data == tokens.account_bytes(house.mint, at.vault(side), 0)
        assert house.held(at, side) == 0


def test_markets_are_counted(house: House) -> None:
    for number in (1, 2, 3):
        house.new()
        assert house.config.total_markets == number


def test_a_number_serves_each_authority_once(house: House) -> None:
    house.new()
    assert create(house).error == Error.INVALID_PARAMETERS
    other = house.person()
    at = Addresses.of(house.program.id, 1, other.pubkey(), Kind.DEGEN)
    house.must(markets.create_market(at, 1, house.terms(), house.mint), other)


def test_money_at_the_addresses_does_not_block(house: House, kind: Kind) -> None:
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), kind)
    stranger = house.person()
    for address in (at.market, at.vault(Side.YES), at.vault(Side.NO)):
        gift = transfer(stranger.pubkey(), address, house.chain.rent(0) + 5)
        house.must(gift, stranger)
    assert create(house, kind).error is None
    house.bet(at, stranger, Side.YES)


# -- terms


def at_now(house: House, **offsets: int) -> dict[str, int]:
    return {name: house.now + offset for name, offset in offsets.items()}


@pytest.mark.parametrize(
    ("betting", "resolution"),
    [(3_600, 3_600), (1, 3_600), (1, 31_536_000), (31_536_000, 31_536_000)],
)
def test_times_on_their_bounds(house: House, betting: int, resolution: int) -> None:
    times = at_now(house, betting_ends_at=betting, resolution_time=resolution)
    assert create(house, **times).error is None


@pytest.mark.parametrize(
    ("betting", "resolution"),
    [(3_599, 3_599), (0, 3_600), (-1, 3_600), (3_601, 3_600), (1, 31_536_001), (1, -(2**62))],
)
def test_times_outside_their_bounds(house: House, betting: int, resolution: int) -> None:
    times = at_now(house, betting_ends_at=betting, resolution_time=resolution)
    assert create(house, **times).error == Error.INVALID_PARAMETERS


def test_a_time_that_overflows(house: House) -> None:
    house.move_clock(-10)
    outcome = create(house, betting_ends_at=2**63 - 1, resolution_time=2**63 - 1)
    assert outcome.error == Error.INVALID_PARAMETERS


LONGEST = {"title": 64, "description": 256, "category": 32, "metadata_uri": 128}


@pytest.mark.parametrize(("name", "length"), LONGEST.items())
def test_texts_on_their_bounds(house: House, name: str, length: int) -> None:
    assert create(house, **{name: "ä" * (length // 2)}).error is None
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.DEGEN)
    assert getattr(house.market(at), name) == "ä" * (length // 2)


@pytest.mark.parametrize(("name", "length"), LONGEST.items())
def test_texts_too_long(house: House, name: str, length: int) -> None:
    expected = Error.TITLE_TOO_LONG if name == "title" else Error.INVALID_PARAMETERS
    assert create(house, **{name: "x" * (length + 1)}).error == expected


def test_texts_may_be_empty_but_the_title(house: House) -> None:
    assert create(house, title="").error == Error.INVALID_PARAMETERS
    assert create(house, description="", category="", metadata_uri="").error is None


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a\0b", b"\xed\xa0\x80"])
def test_what_is_no_text(house: House, text: bytes) -> None:
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.DEGEN)
    whole = markets.create_market(at, 1, Terms(10_000, 10_000, title="TITLE"), house.mint)
    place = bytes(whole.data).index(struct.pack("<I", 5) + b"TITLE")
    data = bytes(whole.data)
    changed = data[:place] + struct.pack("<I", len(text)) + text + data[place + 9 :]
    broken = Instruction(whole.program_id, changed, whole.accounts)
    assert house.send(broken).error == Error.DID_NOT_DESERIALIZE


@pytest.mark.parametrize("change", [b"", b"\0"])
def test_arguments_of_another_length(house: House, change: bytes) -> None:
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.DEGEN)
    whole = markets.create_market(at, 1, house.terms(), house.mint)
    data = bytes(whole.data)[:-1] if not change else bytes(whole.data) + change
    broken = Instruction(whole.program_id, data, whole.accounts)
    assert house.send(broken).error == Error.DID_NOT_DESERIALIZE


def test_an_unknown_kind(house: House) -> None:
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.DEGEN)
    whole = markets.create_market(at, 1, house.terms(), house.mint)
    data = bytearray(whole.data)
    data[16] = 2
    broken = Instruction(whole.program_id, bytes(data), whole.accounts)
    assert house.send(broken).error == Error.DID_NOT_DESERIALIZE


# -- the platform


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
def test_no_new_markets_while_paused(house: House, scope: Scope) -> None:
    pause = emergency_pause(house.program, house.authority.pubkey(), scope)
    house.must(pause, house.authority)
    assert create(house).error == Error.PLATFORM_PAUSED


def test_later_settings_do_not_reach_the_market(house: House) -> None:
    at = house.new()
    before = house.market(at)
    settings = house.settings.but(
        fee_bps=1_000, dispute_window=60, resolution_window=1, sweep_delay=1
    )
    house.must(update_config(house.program, settings), house.authority)
    assert house.market(at) == before


# -- tokens


def test_a_mint_that_is_not_the_platforms(house: House) -> None:
    other = Pubkey.new_unique()
    tokens.put_mint(house.chain, other)
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.STABLE)
    outcome = house.send(markets.create_market(at, 1, house.terms(), other))
    assert outcome.error == Error.ACCOUNT_MISMATCH


def test_token_2022_is_refused(house: House) -> None:
    """With whatever extensions: the account is of another program."""
    plain = tokens.mint_bytes(Pubkey.new_unique())
    with_extension = plain.ljust(165, b"\0") + b"\1" + struct.pack("<HH", 1, 108) + bytes(108)
    hook = plain.ljust(165, b"\0") + b"\1" + struct.pack("<HH", 14, 64) + bytes(64)
    for data in (plain, with_extension, hook):
        house.chain.put(house.mint, data, tokens.TOKEN_2022)
        assert create(house, Kind.STABLE).error == Error.UNSUPPORTED_MINT


@pytest.mark.parametrize(
    "data", [b"", bytes(82), tokens.account_bytes(Pubkey.default(), Pubkey.default(), 1)]
)
def test_what_is_no_mint(house: House, data: bytes) -> None:
    house.chain.put(house.mint, data, tokens.TOKEN_PROGRAM)
    assert create(house, Kind.STABLE).error == Error.UNSUPPORTED_MINT


def test_another_token_program(house: House) -> None:
    at = Addresses.of(house.program.id, 1, house.anybody.pubkey(), Kind.STABLE)
    whole = markets.create_market(at, 1, house.terms(), house.mint)
    accounts = [*whole.accounts[:-1], markets.readonly(tokens.TOKEN_2022)]
    outcome = house.send(Instruction(whole.program_id, whole.data, accounts))
    assert outcome.error == Error.INVALID_PROGRAM_ID
