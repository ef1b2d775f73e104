"""A random life of a market, step by step on the program and on the model.

Every step is sent, whether it is possible or not: the program must answer as the model does. After
each step the money is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import (
    Error,
    Scope,
    discriminator,
    emergency_pause,
    emergency_unpause,
)
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Side, State, Terms
from tests.unit.programs.model import FINAL, Model
from tests.unit.programs.svm import Outcome

START = 10**12
USERS = 4
BOND = 2_000_000
SETTINGS = {
    "sol_min_bet": 1,
    "sol_max_bet": 10**10,
    "usdc_min_bet": 1,
    "usdc_max_bet": 10**10,
    "dispute_window": 60,
    "resolution_window": 1_000,
    "sweep_delay": 5_000,
    "min_market_duration": 1,
}
"""Short times and the smallest bets: remains of rounding matter most where bets are small."""

INSTRUCTIONS = [
    *("place_bet", "claim_winnings", "claim_refund", "close_position", "dispute_market"),
    *("resolve_market", "rule_dispute", "finalize_market", "cancel_market", "pause_market"),
    *("unpause_market", "withdraw_fees", "sweep_market", "settle_bond"),
]
NAMES = {discriminator("global", name): name for name in INSTRUCTIONS}

IN_THE_END = ["withdraw_fees", "settle_bond", "settle_bond", "close_position", "close_position"]
LIKELY = {
    State.ACTIVE: [*["bet"] * 6, "the_event_comes", "pause_market", "pause_platform"],
    State.PAUSED: ["unpause_market", "unpause_market", "bet", "time_passes", "propose"],
    State.PROPOSED: ["dispute", "the_window_ends", "finalize", "finalize", "time_passes"],
    State.DISPUTED: ["rule_dispute", "rule_dispute", "time_passes", "cancel"],
    State.RESOLVED: [*["claim"] * 4, *IN_THE_END, "sweep", "pause_platform"],
    State.CANCELLED: [*["refund"] * 4, *IN_THE_END, "sweep", "pause_platform"],
}
ACTIONS = [
    *("bet", "claim", "refund", "close_position", "dispute", "propose", "rule_dispute", "finalize"),
    *("cancel", "pause_market", "unpause_market", "pause_platform", "unpause_platform"),
    *("withdraw_fees", "sweep", "settle_bond", "time_passes", "the_event_comes"),
    *("the_window_ends", "act_without_signature"),
]

Draw = Callable[[st.SearchStrategy[Any]], Any]
sides = st.sampled_from(Side)
people = st.integers(0, USERS - 1)
amounts = st.one_of(st.integers(1, 50), st.integers(1, 10**10), st.integers(0, 10**10 + 1))


class MarketLife(RuleBasedStateMachine):
    house: House
    """One platform for all lives: each has a market and users of its own."""

    reached: Counter[str]
    """How often each instruction succeeded, in all lives."""

    at: Addresses
    model: Model
    users: list[Keypair]

    @initialize(kind=st.sampled_from(Kind))
    def open(self, kind: Kind) -> None:
        house = self.house
        house.must(emergency_unpause(house.program, house.authority.pubkey()), house.authority)
        self.users = [house.person(START, START) for _ in range(USERS)]
        self.at = house.new(kind)
        market = house.market(self.at)
        terms = Terms(market.betting_ends_at, market.resolution_time)
        self.model = Model(house.settings, terms, since=house.now)
        self.before = {user.pubkey(): house.money(kind, user.pubkey()) for user in self.users}
        self.treasury_before = house.money(kind, house.treasury)
        self.spent = dict.fromkeys(self.before, 0)
        """Lamports of users that are not bets: rents and bonds."""

    @rule(data=st.data(), unlikely=st.integers(0, 5))
    def step(self, data: st.DataObject, unlikely: int) -> None:
        """Mostly what leads on from here, so that lives come to their end; else anything at all."""
        names = ACTIONS if unlikely == 0 else self.likely()
        action: Callable[[Draw], None] = getattr(self, data.draw(st.sampled_from(names)))
        action(data.draw)

    def likely(self) -> list[str]:
        model = self.model
        if model.scope != Scope.NONE and model.state not in FINAL:
            return ["unpause_platform", "unpause_platform", "bet", "time_passes", "dispute"]
        if model.state == State.ACTIVE and self.now >= model.terms.betting_ends_at:
            return ["the_event_comes", "propose", "propose", "propose", "time_passes"]
        return LIKELY[model.state]

    # -- what people do

    def bet(self, draw: Draw) -> None:
        user, side, amount = self.users[draw(people)], draw(sides), draw(amounts)
        first = user.pubkey() not in self.model.holdings
        possible = self.model.bet(self.now, user.pubkey(), side, amount)
        token = self.house.purse(user.pubkey())
        instruction = markets.place_bet(self.at, user.pubkey(), side, amount, token=token)
        self.expect(possible, instruction, user)
        if possible and first:
            self.spend(user.pubkey(), self.house.chain.rent(markets.POSITION_LENGTH))

    def claim(self, draw: Draw) -> None:
        user = self.users[draw(people)].pubkey()
        possible = self.model.claim(user)
        side = self.model.winner or Side.YES
        token = self.house.purse(user)
        self.expect(possible, markets.claim_winnings(self.at, user, side, token))

    def refund(self, draw: Draw) -> None:
        user = self.users[draw(people)].pubkey()
        token = self.house.purse(user)
        self.expect(self.model.refund(user), markets.claim_refund(self.at, user, token))

    def close_position(self, draw: Draw) -> None:
        user = self.users[draw(people)].pubkey()
        possible = self.model.close_position(user)
        self.expect(possible, markets.close_position(self.at, user))
        if possible:
            self.spend(user, -self.house.chain.rent(markets.POSITION_LENGTH))

    def dispute(self, draw: Draw) -> None:
        user = self.users[draw(people)]
        possible = self.model.dispute(self.now, user.pubkey(), BOND)
        self.expect(possible, markets.dispute_market(self.at, user.pubkey()), user)
        if possible:
            self.disputer = user.pubkey()
            self.spend(user.pubkey(), BOND)

    # -- what operators do

    def propose(self, draw: Draw) -> None:
        resolver, side = self.house.resolver, draw(sides)
        possible = self.model.propose(self.now, side)
        self.expect(possible, markets.resolve_market(self.at, resolver.pubkey(), side), resolver)

    def rule_dispute(self, draw: Draw) -> None:
        authority, side = self.house.authority, draw(sides)
        possible = self.model.rule(self.now, side)
        self.expect(possible, markets.rule_dispute(self.at, authority.pubkey(), side), authority)

    def finalize(self, draw: Draw) -> None:
        anybody = self.house.anybody.pubkey()
        self.expect(self.model.finalize(self.now), markets.finalize_market(self.at, anybody))

    def cancel(self, draw: Draw) -> None:
        by_authority = draw(st.booleans())
        actor = self.house.authority if by_authority else self.users[0]
        possible = self.model.cancel(self.now, by_authority=by_authority)
        self.expect(possible, markets.cancel_market(self.at, actor.pubkey()), actor)

    def pause_market(self, draw: Draw) -> None:
        actor = self.house.authority
        possible = self.model.pause_market(self.now)
        self.expect(possible, markets.pause_market(self.at, actor.pubkey()), actor)

    def unpause_market(self, draw: Draw) -> None:
        actor = self.house.authority
        possible = self.model.unpause_market(self.now)
        self.expect(possible, markets.pause_market(self.at, actor.pubkey(), undo=True), actor)

    def pause_platform(self, draw: Draw) -> None:
        authority, program = self.house.authority, self.house.program
        scope = draw(st.sampled_from([Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS]))
        self.house.must(emergency_pause(program, authority.pubkey(), scope), authority)
        self.model.scope = scope

    def unpause_platform(self, draw: Draw) -> None:
        authority, program = self.house.authority, self.house.program
        self.house.must(emergency_unpause(program, authority.pubkey()), authority)
        self.model.scope = Scope.NONE

    def withdraw_fees(self, draw: Draw) -> None:
        house = self.house
        loser = Side(1 - (self.model.winner or Side.YES))
        token = house.purse(house.treasury)
        possible = self.model.withdraw_fees()
        self.expect(possible, markets.withdraw_fees(self.at, house.treasury, loser, token))

    def sweep(self, draw: Draw) -> None:
        house = self.house
        possible = self.model.sweep(self.now)
        token = house.purse(house.treasury)
        instruction = markets.sweep_market(self.at, house.authority.pubkey(), house.treasury, token)
        self.expect(possible, instruction, house.authority)

    def settle_bond(self, draw: Draw) -> None:
        house, model = self.house, self.model
        upheld = model.result != model.proposed
        bond = model.bond
        possible = model.settle_bond()
        receiver = self.disputer if possible and upheld else house.treasury
        self.expect(possible, markets.settle_bond(self.at, receiver))
        if possible and upheld:
            self.spend(receiver, -bond)
        elif possible and self.at.kind == Kind.DEGEN:
            self.treasury_before += bond

    # -- what happens to everybody

    def time_passes(self, draw: Draw) -> None:
        seconds = draw(st.sampled_from([1, 59, 60, 600, 1_000, 3_600, 5_000, 7_200]))
        self.house.move_clock(self.now + seconds)

    def the_event_comes(self, draw: Draw) -> None:
        self.house.move_clock(max(self.now, self.model.terms.resolution_time))

    def the_window_ends(self, draw: Draw) -> None:
        self.house.move_clock(max(self.now, self.model.since + SETTINGS["dispute_window"]))

    def act_without_signature(self, draw: Draw) -> None:
        """With the right addresses but not the keys, nothing that asks for a key is possible."""
        house, at = self.house, self.at
        token, bettor = house.purse(house.treasury), self.users[draw(people)].pubkey()
        which, side = draw(st.integers(0, 5)), draw(sides)
        instruction = [
            markets.resolve_market(at, house.resolver.pubkey(), side),
            markets.rule_dispute(at, house.authority.pubkey(), side),
            markets.cancel_market(at, house.authority.pubkey()),
            markets.pause_market(at, house.guardian.pubkey()),
            markets.sweep_market(at, house.authority.pubkey(), house.treasury, token),
            markets.place_bet(at, bettor, side, 1, token=house.purse(bettor)),
        ][which]
        unsigned = Instruction(
            instruction.program_id,
            instruction.data,
            [AccountMeta(meta.pubkey, False, meta.is_writable) for meta in instruction.accounts],
        )
        assert house.send(unsigned).error == Error.NOT_SIGNER

    # -- what must always hold

    @invariant()
    def the_account_says_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        model, market = self.model, self.house.market(self.at)
        assert State(market.state) == model.state
        assert (market.yes_pool, market.no_pool) == (model.pool(Side.YES), model.pool(Side.NO))
        assert (market.result, market.proposed) == (model.result, model.proposed)
        assert (market.fee, market.paid) == (model.fee, model.paid)
        assert market.dispute_bond == model.bond
        open_positions = sum(not holding.closed for holding in model.holdings.values())
        assert market.open_positions == open_positions

    @invariant()
    def vaults_hold_what_is_owed(self) -> None:
        if not hasattr(self, "model"):
            return
        model, at = self.model, self.at
        held = {side: self.house.held(at, side) for side in Side}
        fee = 0 if model.fee_withdrawn else model.fee
        if model.winner is None:
            for side in Side:
                unpaid = sum(h.shares[side] for h in model.holdings.values() if h.paid is None)
                assert held[side] == (0 if model.swept else unpaid)
        else:
            assert held[model.winner] >= model.owed
            assert held[Side(1 - model.winner)] == fee
        assert sum(held.values()) >= model.owed + fee

    @invariant()
    def what_came_in_is_what_went_out_and_what_is_there(self) -> None:
        if not hasattr(self, "model"):
            return
        model, at, house = self.model, self.at, self.house
        held = sum(house.held(at, side) for side in Side)
        assert model.total == model.paid + model.to_treasury + held
        assert house.money(at.kind, house.treasury) - self.treasury_before == model.to_treasury
        for user, before in self.before.items():
            holding = model.holdings.get(user)
            staked = sum(holding.shares.values()) if holding else 0
            paid = (holding.paid or 0) if holding else 0
            spent = self.spent[user] if at.kind == Kind.DEGEN else 0
            assert house.money(at.kind, user) == before - staked + paid - spent

    @invariant()
    def rounding_loses_less_than_a_unit_a_claim(self) -> None:
        if not hasattr(self, "model") or self.model.state not in FINAL or self.model.swept:
            return
        model = self.model
        claims = sum(holding.paid is not None for holding in model.holdings.values())
        if model.everything_settled:
            lost = model.total - model.fee - model.paid
            assert 0 <= lost < max(claims, 1)
            assert lost == 0 or model.winner is not None, "refunds are total"

    # -- helpers

    @property
    def now(self) -> int:
        return self.house.now

    def spend(self, user: Pubkey, lamports: int) -> None:
        self.spent[user] += lamports

    def expect(self, possible: bool, instruction: Instruction, *signers: Keypair) -> Outcome:
        outcome = self.house.send(instruction, *signers)
        found = outcome.error is None
        assert found == possible, f"{outcome.error}\n" + "\n".join(outcome.logs)
        if found:
            self.reached[NAMES[bytes(instruction.data)[:8]]] += 1
        return outcome
