//! What one user has in one market.

use crate::state::Side;
use crate::wire::{Key, Tagged};

/// Layout number of [`Position`].
pub const POSITION_VERSION: u8 = 1;

tagged! {
    "account":
    /// The shares of one user in one market; at the PDA of the seeds `position`, user, market.
    ///
    /// Bytes of the account, the discriminator in front (`const` assertions below hold this table):
    ///
    /// | from | length | field |
    /// | ---: | ---: | --- |
    /// | 0 | 8 | discriminator `account:Position` |
    /// | 8 | 1 | version |
    /// | 9 | 1 | bump |
    /// | 10 | 32 | user |
    /// | 42 | 32 | market |
    /// | 74 | 8 | yes_shares |
    /// | 82 | 8 | no_shares |
    /// | 90 | 1 | claimed |
    /// | 91 | 8 | paid |
    /// | 99 | 32 | reserve |
    /// | 131 | | end |
    struct Position, PositionOffsets {
        /// Layout of the account, 1.
        version: u8,
        /// Canonical bump of the account's address.
        bump: u8,
        /// Whose shares these are; only this account is ever paid.
        user: Key,
        /// In which market.
        market: Key,
        /// Shares of YES; one for each base unit that was bet.
        yes_shares: u64,
        /// Shares of NO.
        no_shares: u64,
        /// Winnings or the refund were paid.
        claimed: bool,
        /// How much was paid.
        paid: u64,
        /// Zero in version 1.
        reserve: [u8; 32],
    }
}

#[allow(clippy::arithmetic_side_effects)]
const _: () = {
    let at = Position::OFFSETS;
    assert!(at.version == 0 && at.bump == 9 - 8 && at.user == 10 - 8 && at.market == 42 - 8);
    assert!(at.yes_shares == 74 - 8 && at.no_shares == 82 - 8 && at.claimed == 90 - 8);
    assert!(at.paid == 91 - 8 && at.reserve == 99 - 8);
    assert!(Position::TAGGED_LEN == 131);
};

impl Position {
    /// Makes an account of zeros a position without shares.
    pub const fn begin(&mut self, bump: u8, user: Key, market: Key) {
        self.version = POSITION_VERSION;
        self.bump = bump;
        self.user = user;
        self.market = market;
    }

    /// Shares of one side.
    #[must_use]
    pub const fn shares(&self, side: Side) -> u64 {
        match side {
            Side::Yes => self.yes_shares,
            Side::No => self.no_shares,
        }
    }

    /// Whether this is a state that the program may leave behind. Checked before every write.
    #[must_use]
    pub const fn invariants_hold(&self) -> bool {
        self.version == POSITION_VERSION
            && (self.yes_shares > 0 || self.no_shares > 0)
            && (self.claimed || self.paid == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Position;
    use crate::wire::{Key, Wire};

    #[test]
    fn each_invariant_is_seen() {
        let mut position = Position::read(&[0; Position::LEN]).unwrap();
        position.begin(255, Key([1; 32]), Key([2; 32]));
        assert!(!position.invariants_hold(), "no shares");
        position.yes_shares = 1;
        assert!(position.invariants_hold());
        position.paid = 1;
        assert!(!position.invariants_hold(), "paid without a claim");
        position.claimed = true;
        assert!(position.invariants_hold());
        position.version = 2;
        assert!(!position.invariants_hold());
    }
}
