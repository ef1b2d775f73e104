"""What should happen to a market, in plain Python integers: the program is compared with it.

Written from docs/adr/0011, not from the Rust sources. Every method says whether the call must
succeed, and when it does, changes the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from solders.pubkey import Pubkey
from tests.unit.programs.crypto_bet import Scope, Settings
from tests.unit.programs.markets import Result, Side, State, Terms

OPEN = (State.ACTIVE, State.PAUSED)
FINAL = (State.RESOLVED, State.CANCELLED)


@dataclass
class Holding:
    shares: dict[Side, int] = field(default_factory=lambda: {Side.YES: 0, Side.NO: 0})
    paid: int | None = None
    closed: bool = False


@dataclass
class Model:
    settings: Settings
    terms: Terms
    scope: Scope = Scope.NONE
    state: State = State.ACTIVE
    since: int = 0
    proposed: Result = Result.UNDECIDED
    result: Result = Result.UNDECIDED
    bond: int = 0
    fee_withdrawn: bool = False
    swept: bool = False
    to_treasury: int = 0
    holdings: dict[Pubkey, Holding] = field(default_factory=dict)

    # -- figures

    def pool(self, side: Side) -> int:
        return sum(holding.shares[side] for holding in self.holdings.values())

    @property
    def total(self) -> int:
        return self.pool(Side.YES) + self.pool(Side.NO)

    @property
    def winner(self) -> Side | None:
        return {Result.YES: Side.YES, Result.NO: Side.NO}.get(self.result)

    @property
    def fee(self) -> int:
        if self.winner is None:
            return 0
        loser = Side(1 - self.winner)
        return min(self.total * self.settings.fee_bps // 10_000, self.pool(loser))

    def due(self, holding: Holding) -> int:
        """What the program would pay for the shares."""
        if self.winner is None:
            return sum(holding.shares.values())
        return holding.shares[self.winner] * (self.total - self.fee) // self.pool(self.winner)

    @property
    def paid(self) -> int:
        return sum(holding.paid or 0 for holding in self.holdings.values())

    @property
    def owed(self) -> int:
        """What users can still claim; while it is open, what they could at most."""
        if self.swept:
            return 0
        if self.state not in FINAL:
            return self.total
        return sum(self.due(held) for held in self.holdings.values() if held.paid is None)

    @property
    def everything_settled(self) -> bool:
        return all(
            holding.paid is not None
            or (self.winner is not None and holding.shares[self.winner] == 0)
            for holding in self.holdings.values()
        )

    # -- calls: whether they must succeed

    def bet(self, now: int, user: Pubkey, side: Side, amount: int) -> bool:
        low, high = self.settings.sol_min_bet, self.settings.sol_max_bet
        if not (
            self.scope == Scope.NONE
            and self.state == State.ACTIVE
            and now < self.terms.betting_ends_at
            and low <= amount <= high
        ):
            return False
        self.holdings.setdefault(user, Holding()).shares[side] += amount
        return True

    def pause_market(self, now: int) -> bool:
        if self.state == State.ACTIVE:
            self._enter(State.PAUSED, now)
        return self.state == State.PAUSED

    def unpause_market(self, now: int) -> bool:
        if self.state == State.PAUSED:
            self._enter(State.ACTIVE, now)
        return self.state == State.ACTIVE

    def propose(self, now: int, side: Side) -> bool:
        end = self.terms.resolution_time + self.settings.resolution_window
        if not (
            self.scope <= Scope.NEW_BETS
            and self.state in OPEN
            and self.terms.resolution_time <= now < end
        ):
            return False
        self.proposed = Result(side + 1)
        self._enter(State.PROPOSED, now)
        return True

    def dispute(self, now: int, user: Pubkey, bond: int) -> bool:
        holding = self.holdings.get(user)
        if not (
            self.state == State.PROPOSED
            and now < self.since + self.settings.dispute_window
            and holding is not None
        ):
            return False
        self.bond = bond
        self._enter(State.DISPUTED, now)
        return True

    def rule(self, now: int, side: Side) -> bool:
        if self.scope > Scope.NEW_BETS or self.state != State.DISPUTED:
            return False
        self._decide(now, side)
        return True

    def finalize(self, now: int) -> bool:
        if not (
            self.scope <= Scope.NEW_BETS
            and self.state == State.PROPOSED
            and now >= self.since + self.settings.dispute_window
        ):
            return False
        self._decide(now, Side(self.proposed - 1))
        return True

    def cancel(self, now: int, *, by_authority: bool) -> bool:
        if self.state in FINAL:
            return False
        waiting = {
            State.DISPUTED: self.since,
            State.PROPOSED: self.since + self.settings.dispute_window,
        }.get(self.state, self.terms.resolution_time)
        overdue = now >= waiting + self.settings.resolution_window
        stuck = self.state != State.PROPOSED or self.scope == Scope.ALL_BUT_CLAIMS
        if not (by_authority or (overdue and stuck)):
            return False
        self._enter(State.CANCELLED, now)
        return True

    def claim(self, user: Pubkey) -> bool:
        holding = self._claimable(user, State.RESOLVED)
        if holding is None or self.winner is None or holding.shares[self.winner] == 0:
            return False
        holding.paid = self.due(holding)
        return True

    def refund(self, user: Pubkey) -> bool:
        holding = self._claimable(user, State.CANCELLED)
        if holding is None:
            return False
        holding.paid = self.due(holding)
        return True

    def withdraw_fees(self) -> bool:
        if not (
            self.scope <= Scope.NEW_BETS
            and self.state == State.RESOLVED
            and not self.fee_withdrawn
            and self.fee > 0
        ):
            return False
        self.fee_withdrawn = True
        self.to_treasury += self.fee
        return True

    def sweep(self, now: int) -> bool:
        if not (
            self.scope <= Scope.NEW_BETS
            and self.state in FINAL
            and not self.swept
            and (self.everything_settled or now >= self.since + self.settings.sweep_delay)
        ):
            return False
        self.swept = self.fee_withdrawn = True
        self.to_treasury = self.total - self.paid
        return True

    def settle_bond(self) -> bool:
        if self.state not in FINAL or self.bond == 0:
            return False
        self.bond = 0
        return True

    def close_position(self, user: Pubkey) -> bool:
        holding = self.holdings.get(user)
        if holding is None or holding.closed or self.state not in FINAL:
            return False
        lost = self.winner is not None and holding.shares[self.winner] == 0
        if not (holding.paid is not None or self.swept or lost):
            return False
        holding.closed = True
        return True

    # -- helpers

    def _enter(self, state: State, now: int) -> None:
        self.state, self.since = state, now

    def _decide(self, now: int, side: Side) -> None:
        if self.pool(Side.YES) == 0 or self.pool(Side.NO) == 0:
            self._enter(State.CANCELLED, now)
        else:
            self.result = Result(side + 1)
            self._enter(State.RESOLVED, now)

    def _claimable(self, user: Pubkey, state: State) -> Holding | None:
        holding = self.holdings.get(user)
        if (
            self.state != state
            or self.swept
            or holding is None
            or holding.closed
            or holding.paid is not None
        ):
            return None
        return holding
