//! One market.

use crate::payout;
use crate::wire::{Key, Tagged};

/// Layout number of [`Market`].
pub const MARKET_VERSION: u8 = 1;
/// Longest title in bytes.
pub const TITLE_LEN: usize = 64;
/// Longest description in bytes.
pub const DESCRIPTION_LEN: usize = 256;
/// Longest category in bytes.
pub const CATEGORY_LEN: usize = 32;
/// Longest metadata URI in bytes.
pub const METADATA_URI_LEN: usize = 128;

choice! {
    /// Which money a market takes.
    enum MarketKind {
        /// SOL.
        Degen,
        /// USDC.
        Stable,
    }
}

choice! {
    /// One of the two sides of a market.
    enum Side {
        /// It will happen.
        Yes,
        /// It will not.
        No,
    }
}

choice! {
    /// A result, or none yet.
    enum Outcome {
        /// No result.
        Undecided,
        /// YES wins.
        Yes,
        /// NO wins.
        No,
    }
}

choice! {
    /// Where a market is on its way. `Resolved` and `Cancelled` are final.
    enum MarketState {
        /// Takes bets until betting ends, then waits for its result.
        Active,
        /// The result is final; winners claim.
        Resolved,
        /// Everybody gets back what they paid.
        Cancelled,
        /// As `Active`, but takes no bets for now.
        Paused,
        /// A result is proposed and may be disputed.
        Proposed,
        /// The proposed result was disputed; the platform's authority decides.
        Disputed,
    }
}

tagged! {
    "account":
    /// One market; at the PDA of the seeds `market`, market_id (u64, little endian), authority.
    ///
    /// Bytes of the account, the discriminator in front (`const` assertions below hold this table):
    ///
    /// | from | length | field |
    /// | ---: | ---: | --- |
    /// | 0 | 8 | discriminator `account:Market` |
    /// | 8 | 1 | version |
    /// | 9 | 1 | bump |
    /// | 10 | 1 | yes_vault_bump |
    /// | 11 | 1 | no_vault_bump |
    /// | 12 | 1 | state |
    /// | 13 | 1 | kind |
    /// | 14 | 1 | proposed |
    /// | 15 | 1 | result |
    /// | 16 | 1 | fee_withdrawn |
    /// | 17 | 1 | swept |
    /// | 18 | 8 | market_id |
    /// | 26 | 32 | authority |
    /// | 58 | 32 | mint |
    /// | 90 | 32 | resolver |
    /// | 122 | 32 | oracle |
    /// | 154 | 32 | disputer |
    /// | 186 | 2 | fee_bps |
    /// | 188 | 4 | terms_version |
    /// | 192 | 8 | created_at |
    /// | 200 | 8 | betting_ends_at |
    /// | 208 | 8 | resolution_time |
    /// | 216 | 8 | resolution_window |
    /// | 224 | 8 | dispute_window |
    /// | 232 | 8 | sweep_delay |
    /// | 240 | 8 | state_since |
    /// | 248 | 8 | yes_pool |
    /// | 256 | 8 | no_pool |
    /// | 264 | 8 | fee |
    /// | 272 | 8 | payout_pool |
    /// | 280 | 8 | settled_shares |
    /// | 288 | 8 | paid |
    /// | 296 | 8 | participants |
    /// | 304 | 8 | open_positions |
    /// | 312 | 8 | dispute_bond |
    /// | 320 | 8 | event_sequence |
    /// | 328 | 64 | title |
    /// | 392 | 256 | description |
    /// | 648 | 32 | category |
    /// | 680 | 128 | metadata_uri |
    /// | 808 | 64 | reserve |
    /// | 872 | | end |
    struct Market, MarketOffsets {
        /// Layout of the account, 1.
        version: u8,
        /// Canonical bump of the account's address.
        bump: u8,
        /// Canonical bump of the YES vault's address.
        yes_vault_bump: u8,
        /// Canonical bump of the NO vault's address.
        no_vault_bump: u8,
        /// Where the market is on its way.
        state: MarketState,
        /// Which money it takes.
        kind: MarketKind,
        /// The result that the resolver proposed.
        proposed: Outcome,
        /// The final result; `Undecided` in a cancelled market.
        result: Outcome,
        /// The fee was paid to the treasury.
        fee_withdrawn: bool,
        /// What nobody claimed was paid to the treasury; nothing is owed any more.
        swept: bool,
        /// The number that the authority gave the market.
        market_id: u64,
        /// Who created the market: may change its terms and cancel it while nobody has bet.
        authority: Key,
        /// The token of a Stable market; zero in a Degen market.
        mint: Key,
        /// Who proposed the result; zero: nobody yet.
        resolver: Key,
        /// Where the result is to be read; not used by the program.
        oracle: Key,
        /// Who disputed the result; zero: nobody.
        disputer: Key,
        /// Fee in basis points, as it was at the market's creation.
        fee_bps: u16,
        /// Names the terms, also among those of other markets at this address; a bet names the terms it was made for.
        terms_version: u32,
        /// When the market was created.
        created_at: i64,
        /// From this moment on no bets are taken.
        betting_ends_at: i64,
        /// From this moment on a result may be proposed.
        resolution_time: i64,
        /// Seconds after resolution_time, and after a dispute, in which a decision must come; then anybody may cancel.
        resolution_window: i64,
        /// Seconds after a proposal in which it may be disputed.
        dispute_window: i64,
        /// Seconds after the end from which unclaimed money may be swept.
        sweep_delay: i64,
        /// When the market came into its present state.
        state_since: i64,
        /// Money bet on YES, which is the number of YES shares; it never falls.
        yes_pool: u64,
        /// Money bet on NO, which is the number of NO shares; it never falls.
        no_pool: u64,
        /// The platform's fee; known when resolved, zero when cancelled.
        fee: u64,
        /// What is paid out to users in all: both pools without the fee. Zero before the end.
        payout_pool: u64,
        /// Winning shares (when cancelled: all shares) that have been paid.
        settled_shares: u64,
        /// What has been paid for them.
        paid: u64,
        /// Number of positions ever opened.
        participants: u64,
        /// Number of positions not closed yet.
        open_positions: u64,
        /// Lamports of the disputer that this account holds beside its rent.
        dispute_bond: u64,
        /// Number of the market's events ever written.
        event_sequence: u64,
        /// What is bet on, UTF-8, zeros behind it.
        title: [u8; TITLE_LEN],
        /// How the result is decided.
        description: [u8; DESCRIPTION_LEN],
        /// Category.
        category: [u8; CATEGORY_LEN],
        /// Where more is to be read.
        metadata_uri: [u8; METADATA_URI_LEN],
        /// Zero in version 1.
        reserve: [u8; 64],
    }
}

#[allow(clippy::arithmetic_side_effects)]
const _: () = {
    let at = Market::OFFSETS;
    assert!(at.version == 0 && at.bump == 9 - 8 && at.yes_vault_bump == 10 - 8);
    assert!(at.no_vault_bump == 11 - 8 && at.state == 12 - 8 && at.kind == 13 - 8);
    assert!(at.proposed == 14 - 8 && at.result == 15 - 8 && at.fee_withdrawn == 16 - 8);
    assert!(at.swept == 17 - 8 && at.market_id == 18 - 8 && at.authority == 26 - 8);
    assert!(at.mint == 58 - 8 && at.resolver == 90 - 8 && at.oracle == 122 - 8);
    assert!(at.disputer == 154 - 8 && at.fee_bps == 186 - 8 && at.terms_version == 188 - 8);
    assert!(at.created_at == 192 - 8 && at.betting_ends_at == 200 - 8);
    assert!(at.resolution_time == 208 - 8 && at.resolution_window == 216 - 8);
    assert!(at.dispute_window == 224 - 8 && at.sweep_delay == 232 - 8);
    assert!(at.state_since == 240 - 8 && at.yes_pool == 248 - 8 && at.no_pool == 256 - 8);
    assert!(at.fee == 264 - 8 && at.payout_pool == 272 - 8 && at.settled_shares == 280 - 8);
    assert!(at.paid == 288 - 8 && at.participants == 296 - 8 && at.open_positions == 304 - 8);
    assert!(at.dispute_bond == 312 - 8 && at.event_sequence == 320 - 8 && at.title == 328 - 8);
    assert!(at.description == 392 - 8 && at.category == 648 - 8 && at.metadata_uri == 680 - 8);
    assert!(at.reserve == 808 - 8);
    assert!(Market::TAGGED_LEN == 872);
};

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }
}

impl Outcome {
    /// The side that wins with this result.
    #[must_use]
    pub const fn winner(self) -> Option<Side> {
        match self {
            Self::Undecided => None,
            Self::Yes => Some(Side::Yes),
            Self::No => Some(Side::No),
        }
    }
}

impl MarketState {
    /// Nothing changes any more but who was paid.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Resolved | Self::Cancelled)
    }

    /// No result has been proposed.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

impl Market {
    /// Money, and shares, of one side.
    #[must_use]
    pub const fn pool(&self, side: Side) -> u64 {
        match side {
            Side::Yes => self.yes_pool,
            Side::No => self.no_pool,
        }
    }

    /// Money of both sides. The program never lets it leave the range of a u64.
    #[must_use]
    pub const fn total_pool(&self) -> u64 {
        self.yes_pool.saturating_add(self.no_pool)
    }

    /// How many shares are to be paid: the winning ones, or all when cancelled.
    #[must_use]
    pub const fn shares_to_settle(&self) -> u64 {
        match self.result.winner() {
            Some(side) => self.pool(side),
            None => self.total_pool(),
        }
    }

    /// Whether nobody can claim anything any more.
    #[must_use]
    pub const fn nothing_owed(&self) -> bool {
        self.swept || (self.state.is_final() && self.settled_shares == self.shares_to_settle())
    }

    /// Whether this is a state that the program may leave behind. Checked before every write.
    #[must_use]
    pub fn invariants_hold(&self) -> bool {
        let Some(total) = self.yes_pool.checked_add(self.no_pool) else {
            return false;
        };
        let no_result = self.result == Outcome::Undecided && self.fee == 0;
        let nothing_paid = self.payout_pool == 0
            && self.settled_shares == 0
            && self.paid == 0
            && !self.fee_withdrawn
            && !self.swept;
        let state_is_possible = match self.state {
            MarketState::Active | MarketState::Paused => {
                no_result && nothing_paid && self.proposed == Outcome::Undecided
            }
            MarketState::Proposed | MarketState::Disputed => {
                no_result && nothing_paid && self.proposed != Outcome::Undecided
            }
            MarketState::Resolved => match self.result.winner() {
                None => false,
                Some(winner) => {
                    self.pool(winner) > 0
                        && self.pool(winner.other()) > 0
                        && self.fee == payout::fee(total, self.fee_bps, self.pool(winner.other()))
                        && self.fee.checked_add(self.payout_pool) == Some(total)
                        && self.settled_shares <= self.pool(winner)
                        && self.paid <= self.payout_pool
                }
            },
            MarketState::Cancelled => {
                no_result
                    && self.payout_pool == total
                    && self.paid == self.settled_shares
                    && self.paid <= total
            }
        };
        self.version == MARKET_VERSION
            && state_is_possible
            && self.created_at < self.betting_ends_at
            && self.betting_ends_at <= self.resolution_time
            && self.open_positions <= self.participants
            && self.participants <= total
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::{Market, MarketState, Outcome, Side};
    use crate::wire::{Tagged, Wire};

    fn market() -> Market {
        let mut market = Market::read(&[0; Market::TAGGED_LEN - 8]).unwrap();
        market.version = 1;
        (market.betting_ends_at, market.resolution_time) = (1, 1);
        market
    }

    fn resolved() -> Market {
        let mut market = market();
        market.state = MarketState::Resolved;
        (market.proposed, market.result) = (Outcome::Yes, Outcome::Yes);
        (market.yes_pool, market.no_pool, market.fee_bps) = (100, 300, 250);
        (market.fee, market.payout_pool) = (10, 390);
        market
    }

    #[test]
    fn each_invariant_of_an_open_market_is_seen() {
        type Change = fn(&mut Market);
        let broken: [Change; 12] = [
            |m| m.version = 2,
            |m| (m.yes_pool, m.no_pool) = (u64::MAX, 1),
            |m| m.fee = 1,
            |m| m.result = Outcome::No,
            |m| m.proposed = Outcome::No,
            |m| m.payout_pool = 1,
            |m| m.settled_shares = 1,
            |m| m.swept = true,
            |m| m.fee_withdrawn = true,
            |m| m.betting_ends_at = 0,
            |m| m.resolution_time = 0,
            |m| m.participants = 1,
        ];
        assert!(market().invariants_hold());
        for change in broken {
            let mut changed = market();
            change(&mut changed);
            assert!(!changed.invariants_hold(), "{changed:?}");
        }
    }

    #[test]
    fn each_invariant_of_a_resolved_market_is_seen() {
        type Change = fn(&mut Market);
        let broken: [Change; 8] = [
            |m| m.result = Outcome::Undecided,
            |m| m.yes_pool = 0,
            |m| m.no_pool = 0,
            |m| (m.fee, m.payout_pool) = (11, 389),
            |m| m.payout_pool = 391,
            |m| m.settled_shares = 101,
            |m| m.paid = 391,
            |m| m.state = MarketState::Cancelled,
        ];
        assert!(resolved().invariants_hold());
        for change in broken {
            let mut changed = resolved();
            change(&mut changed);
            assert!(!changed.invariants_hold(), "{changed:?}");
        }
    }

    #[test]
    fn owed_until_the_last_winning_share() {
        let mut market = resolved();
        assert_eq!(market.shares_to_settle(), 100);
        market.settled_shares = 99;
        assert!(!market.nothing_owed());
        market.settled_shares = 100;
        assert!(market.nothing_owed());
        assert_eq!(market.pool(Side::Yes.other()), 300);
    }
}
