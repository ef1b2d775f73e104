"""One test for each class of the sealevel-attacks list, named after it.

`test_accounts.py` replaces every account of every instruction; here is what each class would be on
this program, played through.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs import markets, tokens
from tests.unit.programs.crypto_bet import (
    ELF,
    Error,
    config_address,
    discriminator,
    initialize_program,
    update_config,
)
from tests.unit.programs.house import BET, House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import CLOCK_SYSVAR, SYSTEM_PROGRAM, transfer


def replaced(instruction: Instruction, **accounts: AccountMeta) -> Instruction:
    """With other accounts, by their number: `_3=...`."""
    metas = list(instruction.accounts)
    for number, meta in accounts.items():
        metas[int(number[1:])] = meta
    return Instruction(instruction.program_id, instruction.data, metas)


def test_signer_authorization(house: House) -> None:
    """The resolver's address without the resolver's signature."""
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.move_clock(house.market(at).resolution_time)
    whole = markets.resolve_market(at, house.resolver.pubkey(), Side.YES)
    unsigned = replaced(whole, _0=markets.readonly(house.resolver.pubkey()))
    assert house.send(unsigned).error == Error.NOT_SIGNER


def test_account_data_matching(house: House) -> None:
    """A position of the same user, but in another market that he won."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    lost, winner, _ = with_bets(house, Kind.DEGEN)
    house.bet(lost, yes, Side.NO)
    house.resolve(at, Side.NO)
    house.move_clock(house.market(lost).resolution_time)
    house.propose(lost, Side.YES)
    house.finalize(lost)
    other = markets.writable(at.position(yes.pubkey()))
    claim = replaced(markets.claim_winnings(lost, yes.pubkey(), Side.YES), _2=other)
    assert house.send(claim).error == Error.CONSTRAINT_SEEDS
    claim = replaced(
        markets.claim_winnings(lost, yes.pubkey(), Side.YES),
        _2=markets.writable(lost.position(winner.pubkey())),
    )
    assert house.send(claim).error == Error.CONSTRAINT_SEEDS, "the position of somebody else"


def test_owner_checks(house: House) -> None:
    """A market with a huge payout that the attacker's own program wrote."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    forged = bytearray(house.chain.data(at.market))
    struct.pack_into("<Q", forged, markets.MARKET_OFFSET["payout_pool"], 10**15)
    fake = Pubkey.new_unique()
    house.chain.put(fake, bytes(forged), Pubkey.new_unique())
    claim = replaced(markets.claim_winnings(at, yes.pubkey(), Side.YES), _1=markets.writable(fake))
    assert house.send(claim).error == Error.OWNED_BY_WRONG_PROGRAM


def test_type_cosplay(house: House) -> None:
    """Accounts of this program in each other's place; their texts are the attacker's to choose."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    claim = markets.claim_winnings(at, yes.pubkey(), Side.YES)
    for number, cosplay in ((1, at.config), (2, at.config), (1, at.position(yes.pubkey()))):
        wrong = replaced(claim, **{f"_{number}": markets.writable(cosplay)})
        assert house.send(wrong).error == Error.DISCRIMINATOR_MISMATCH
    vault_as_market = replaced(claim, _1=markets.writable(at.vault(Side.YES)))
    assert house.send(vault_as_market).error == Error.DISCRIMINATOR_MISMATCH


def test_initialization(house: House) -> None:
    """Neither the configuration nor a market nor a position is created twice."""
    before = house.config
    again = initialize_program(house.program, house.settings.but(fee_bps=1))
    assert house.send(again, house.authority).error == Error.ALREADY_INITIALIZED
    assert house.config == before
    at, yes, _ = with_bets(house, Kind.DEGEN)
    owner = house.person()
    mine = house.new(authority=owner)
    create = markets.create_market(mine, house.markets_made, house.terms(), house.mint)
    assert house.send(create, owner).error == Error.INVALID_PARAMETERS
    house.bet(at, yes, Side.YES, BET)
    assert house.position(at, yes.pubkey()).yes_shares == 2 * BET


def test_arbitrary_cpi(house: House) -> None:
    """A token program of the attacker's, which would only pretend to move tokens."""
    at, user = house.new(Kind.STABLE), house.person()
    bet = markets.place_bet(at, user.pubkey(), Side.YES, BET, token=house.purse(user.pubkey()))
    fake = house.chain.deploy(ELF.read_bytes(), house.chain.funded())
    wrong = replaced(bet, _7=markets.readonly(fake.id))
    assert house.send(wrong, user).error == Error.INVALID_PROGRAM_ID
    wrong = replaced(bet, _5=markets.readonly(fake.id))
    assert house.send(wrong, user).error == Error.INVALID_PROGRAM_ID


def test_duplicate_mutable_accounts(house: House) -> None:
    """Both vaults the same: a refund of both sides from one."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.bet(at, yes, Side.NO)
    house.cancel(at)
    refund = markets.claim_refund(at, yes.pubkey())
    no_vault = markets.writable(at.vault(Side.NO))
    assert house.send(replaced(refund, _3=no_vault)).error == Error.CONSTRAINT_SEEDS
    both = replaced(refund, _1=refund.accounts[2])
    assert house.send(both).error == Error.DISCRIMINATOR_MISMATCH


def test_bump_seed_canonicalization(house: House) -> None:
    """A second position of the same user at an address with a lower bump."""
    at, user = house.new(), house.person()
    seeds = [b"position", bytes(user.pubkey()), bytes(at.market)]
    _, canonical = Pubkey.find_program_address(seeds, house.program.id)
    for bump in range(canonical - 1, -1, -1):
        try:
            other = Pubkey.create_program_address([*seeds, bytes([bump])], house.program.id)
        except Exception:  # on the curve; solders has no type for it
            continue
        bet = markets.place_bet(at, user.pubkey(), Side.YES, BET)
        wrong = replaced(bet, _3=markets.writable(other))
        assert house.send(wrong, user).error == Error.CONSTRAINT_SEEDS
        return
    raise AssertionError("every seed has more than one address")


def test_pda_sharing(house: House) -> None:
    """A vault serves one market: its address is derived from the market's."""
    poor, yes, _ = with_bets(house, Kind.STABLE)
    rich, _, _ = with_bets(house, Kind.STABLE)
    house.resolve(poor, Side.YES)
    claim = markets.claim_winnings(poor, yes.pubkey(), Side.YES, house.purse(yes.pubkey()))
    wrong = replaced(claim, _3=markets.writable(rich.vault(Side.YES)))
    assert house.send(wrong).error == Error.CONSTRAINT_SEEDS


def test_closing_accounts(house: House) -> None:
    """A closed position that gets lamports again in the same transaction."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    address = at.position(yes.pubkey())
    close = markets.close_position(at, yes.pubkey())
    revive = transfer(house.anybody.pubkey(), address, house.chain.rent(markets.POSITION_LENGTH))
    claim = markets.claim_winnings(at, yes.pubkey(), Side.YES)
    outcome = house.chain.send([close, revive, claim], house.anybody)
    assert outcome.error == Error.OWNED_BY_WRONG_PROGRAM
    house.chain.must([close, revive], house.anybody)
    account = house.chain.account(address)
    assert account is not None
    assert (account.owner, bytes(account.data)) == (SYSTEM_PROGRAM, b"")
    assert house.send(claim).error == Error.OWNED_BY_WRONG_PROGRAM


def test_closing_accounts_and_a_market_at_the_same_address(house: House) -> None:
    """The market's number is used again: nothing of the former one counts."""
    owner, user = house.person(), house.person()
    at = house.new(authority=owner)
    number = house.markets_made
    house.bet(at, user, Side.YES)
    house.cancel(at)
    assert house.refund(at, user.pubkey()).error is None
    assert house.close_position(at, user.pubkey()).error is None
    assert house.sweep(at).error is None
    house.must(markets.close_market(at))
    house.must(markets.create_market(at, number, house.terms(), house.mint), owner)
    market = house.market(at)
    assert (market.total_pool(), market.open_positions, market.event_sequence) == (0, 0, 1)
    house.bet(replace(at, terms_version=market.terms_version), user, Side.NO)
    assert house.position(at, user.pubkey()).yes_shares == 0


def test_a_bet_in_flight_on_a_market_that_is_replaced(house: House) -> None:
    """Cancelled, closed and created again in one transaction: same number, same address, and a bet
    that was signed for the terms before."""
    owner, user = house.person(), house.person()
    at = house.new(authority=owner)
    number = house.market(at).market_id
    in_flight = markets.place_bet(at, user.pubkey(), Side.YES, BET)
    other = house.terms().but(title="Will it not rain?")
    swap = [
        markets.cancel_market(at, owner.pubkey()),
        markets.close_market(at),
        markets.create_market(at, number, other, house.mint),
    ]
    house.chain.must(swap, owner)
    assert house.market(at).title == "Will it not rain?"
    assert house.send(in_flight, user).error == Error.TERMS_CHANGED
    # and not by a change before that gives the old market the new one's number
    house.must(markets.update_market(at, other), owner)
    changed = markets.place_bet(
        at, user.pubkey(), Side.YES, BET, terms_version=house.market(at).terms_version
    )
    house.chain.must(swap, owner)
    assert house.send(changed, user).error == Error.TERMS_CHANGED


def test_sysvar_address_checking(house: House) -> None:
    """No instruction takes a sysvar: an account that looks like one changes no time."""
    at, _, _ = with_bets(house, Kind.DEGEN)
    clock = Pubkey.new_unique()
    house.chain.put(clock, struct.pack("<QqQQq", 0, 0, 0, 0, 2**62), CLOCK_SYSVAR)
    whole = markets.resolve_market(at, house.resolver.pubkey(), Side.YES)
    more = Instruction(whole.program_id, whole.data, [*whole.accounts, markets.readonly(clock)])
    assert house.send(more, house.resolver).error == Error.TOO_EARLY


# -- what is not on the list


def test_a_prefunded_address_of_everything_that_is_created(house: House) -> None:
    owner, user = house.person(), house.person()
    at = Addresses.of(house.program.id, 9, owner.pubkey(), Kind.STABLE)
    for address in (at.market, at.vault(Side.YES), at.vault(Side.NO), at.position(user.pubkey())):
        house.must(transfer(house.anybody.pubkey(), address, 10**7))
    house.must(markets.create_market(at, 9, house.terms(), house.mint), owner)
    house.bet(at, user, Side.YES)


def test_another_platform_of_the_same_program_bytes(house: House) -> None:
    """A configuration that the attacker initialized for a deployment of his own."""
    own = House.build(house.chain)
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.move_clock(house.market(at).resolution_time)
    whole = markets.resolve_market(at, own.resolver.pubkey(), Side.YES)
    his_config = markets.readonly(config_address(own.program.id))
    outcome = house.send(replaced(whole, _1=his_config), own.resolver)
    assert outcome.error == Error.OWNED_BY_WRONG_PROGRAM


def test_a_vault_account_cannot_be_taken_over(house: House) -> None:
    """Nobody but the program decides over it: not the market's authority, not the platform's."""
    at, yes, _ = with_bets(house, Kind.STABLE)
    vault = at.vault(Side.YES)
    for actor in (house.anybody, house.authority, yes):
        steal = Instruction(
            tokens.TOKEN_PROGRAM,
            b"\3" + struct.pack("<Q", 1),
            [
                markets.writable(vault),
                markets.writable(house.purse(yes.pubkey())),
                markets.signer(actor.pubkey()),
            ],
        )
        assert house.send(steal, actor).error is not None
    assert house.held(at, Side.YES) == 10_000_000


def test_new_terms_for_running_markets(house: House) -> None:
    """The operator cannot take more from those who have bet than they were told."""
    at, _, _ = with_bets(house, Kind.DEGEN)
    worse = house.settings.but(fee_bps=1_000, sweep_delay=1, dispute_window=60)
    house.must(update_config(house.program, worse), house.authority)
    house.resolve(at, Side.YES)
    assert house.market(at).fee == 40_000_001 * 250 // 10_000
    house.move_clock(house.now + 2)
    assert house.sweep(at).error == Error.TOO_EARLY


def test_data_that_is_no_instruction_with_accounts_that_are(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    claim = markets.claim_winnings(at, yes.pubkey(), Side.YES)
    for data in (discriminator("global", "claim"), b"\0" * 8, b""):
        assert house.send(Instruction(claim.program_id, data, claim.accounts)).error == (
            Error.FALLBACK_NOT_FOUND
        )


def test_more_accounts_than_the_program_looks_at(house: House) -> None:
    at, user = house.new(), house.person()
    bet = markets.place_bet(at, user.pubkey(), Side.YES, BET)
    extra = [markets.readonly(Keypair().pubkey()) for _ in range(12)]
    more = Instruction(bet.program_id, bet.data, [*bet.accounts, *extra])
    house.must(more, user)
