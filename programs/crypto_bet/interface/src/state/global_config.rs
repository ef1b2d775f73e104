//! The settings and totals of the platform.

use crate::instructions::InitializeConfig;
use crate::state::MarketKind;
use crate::wire::{Key, Tagged, Wire};

/// Layout number of [`GlobalConfig`], its first field. Version 1 had no dispute bond: its bytes were
/// zero, so that an account of version 1 reads as one without a bond.
pub const GLOBAL_CONFIG_VERSION: u8 = 2;
/// The oldest layout that is still read. `migrate` makes it the present one.
pub const OLDEST_GLOBAL_CONFIG_VERSION: u8 = 1;
/// Highest platform fee in basis points: 10 %.
pub const MAX_FEE_BPS: u16 = 1_000;
/// Shortest time to dispute a result, in seconds.
pub const MIN_DISPUTE_WINDOW: i64 = 60;
/// Longest time to dispute a result, in seconds: 30 days.
pub const MAX_DISPUTE_WINDOW: i64 = 30 * 24 * 60 * 60;
/// Bytes of [`GlobalConfig`] that later versions may give a meaning to.
pub const GLOBAL_CONFIG_RESERVE: usize = 120;

choice! {
    /// How much of the platform is paused; each scope includes the ones before it.
    enum PauseScope {
        /// Everything runs.
        None,
        /// No new markets and no new bets.
        NewBets,
        /// Only claims and refunds run: users can always take out what is theirs.
        AllButClaims,
    }
}

record! {
    /// Limits and totals of one kind of money (SOL or USDC), all in its base units.
    struct AssetLimitsAndTotals, AssetLimitsAndTotalsOffsets {
        /// Smallest bet.
        min_bet: u64,
        /// Largest bet.
        max_bet: u64,
        /// Sum of the bets of all markets that ended; an open market counts its own in its pools.
        volume: u128,
        /// Sum of all fees ever earned.
        fees_accrued: u64,
        /// Part of these fees that has been paid out to the treasury.
        fees_withdrawn: u64,
    }
}

tagged! {
    "account":
    /// Settings and totals of the platform; one account per deployed program, at the PDA of the seed `global_config`.
    ///
    /// Bytes of the account, the discriminator in front (`const` assertions below hold this table):
    ///
    /// | from | length | field |
    /// | ---: | ---: | --- |
    /// | 0 | 8 | discriminator `account:GlobalConfig` |
    /// | 8 | 1 | version |
    /// | 9 | 1 | bump |
    /// | 10 | 32 | authority |
    /// | 42 | 32 | pending_authority |
    /// | 74 | 32 | resolver |
    /// | 106 | 32 | guardian |
    /// | 138 | 32 | treasury |
    /// | 170 | 32 | usdc_mint |
    /// | 202 | 2 | fee_bps |
    /// | 204 | 1 | pause_scope |
    /// | 205 | 8 | dispute_window |
    /// | 213 | 8 | resolution_window |
    /// | 221 | 8 | sweep_delay |
    /// | 229 | 8 | min_market_duration |
    /// | 237 | 8 | max_market_duration |
    /// | 245 | 48 | sol: min_bet 245, max_bet 253, volume 261, fees_accrued 277, fees_withdrawn 285 |
    /// | 293 | 48 | usdc: min_bet 293, max_bet 301, volume 309, fees_accrued 325, fees_withdrawn 333 |
    /// | 341 | 8 | total_markets |
    /// | 349 | 8 | event_sequence |
    /// | 357 | 8 | dispute_bond (zero in version 1) |
    /// | 365 | 120 | reserve |
    /// | 485 | | end |
    struct GlobalConfig, GlobalConfigOffsets {
        /// Layout of the account, 2, or 1 before `migrate`. Another number means other fields.
        version: u8,
        /// Canonical bump of the account's address.
        bump: u8,
        /// May change the settings, pause and unpause.
        authority: Key,
        /// Becomes the authority when it accepts; zero: nobody is proposed.
        pending_authority: Key,
        /// Proposes the results of markets.
        resolver: Key,
        /// May raise the pause scope, and nothing else.
        guardian: Key,
        /// Receives the fees.
        treasury: Key,
        /// The token of Stable markets.
        usdc_mint: Key,
        /// Fee of new markets in basis points, at most 1,000.
        fee_bps: u16,
        /// What is paused.
        pause_scope: PauseScope,
        /// Seconds between a proposed result and the final one, 60 to 2,592,000.
        dispute_window: i64,
        /// Seconds after a market's end in which a result must be proposed; then anyone may refund.
        resolution_window: i64,
        /// Seconds after which unclaimed money may be swept.
        sweep_delay: i64,
        /// Shortest life of a market in seconds.
        min_market_duration: i64,
        /// Longest life of a market in seconds.
        max_market_duration: i64,
        /// Limits and totals in lamports.
        sol: AssetLimitsAndTotals,
        /// Limits and totals in base units of USDC.
        usdc: AssetLimitsAndTotals,
        /// Number of markets ever created.
        total_markets: u64,
        /// Number of events of the platform ever written. Each carries the number it got, so that a reader sees gaps; those of a market are numbered in the market.
        event_sequence: u64,
        /// Lamports that a bettor deposits to dispute a result; zero: nothing. Since version 2.
        dispute_bond: u64,
        /// Zero.
        reserve: [u8; GLOBAL_CONFIG_RESERVE],
    }
}

// The table above. A change of any number here is a new version of the account.
#[allow(clippy::arithmetic_side_effects)]
const _: () = {
    let at = GlobalConfig::OFFSETS;
    let asset = AssetLimitsAndTotals::OFFSETS;
    assert!(at.version == 0 && at.bump == 9 - 8 && at.authority == 10 - 8);
    assert!(at.pending_authority == 42 - 8 && at.resolver == 74 - 8 && at.guardian == 106 - 8);
    assert!(at.treasury == 138 - 8 && at.usdc_mint == 170 - 8 && at.fee_bps == 202 - 8);
    assert!(at.pause_scope == 204 - 8 && at.dispute_window == 205 - 8);
    assert!(at.resolution_window == 213 - 8 && at.sweep_delay == 221 - 8);
    assert!(at.min_market_duration == 229 - 8 && at.max_market_duration == 237 - 8);
    assert!(at.sol == 245 - 8 && at.usdc == 293 - 8);
    assert!(asset.min_bet == 0 && asset.max_bet == 8 && asset.volume == 16);
    assert!(asset.fees_accrued == 32 && asset.fees_withdrawn == 40);
    assert!(<AssetLimitsAndTotals as Wire>::LEN == 48);
    assert!(at.total_markets == 341 - 8 && at.event_sequence == 349 - 8);
    assert!(at.dispute_bond == 357 - 8 && at.reserve == 365 - 8);
    assert!(GlobalConfig::TAGGED_LEN == 485);
};

impl AssetLimitsAndTotals {
    const fn limits_in_bounds(&self) -> bool {
        1 <= self.min_bet && self.min_bet <= self.max_bet
    }

    /// No fee without a bet, and no more paid out than earned.
    const fn totals_consistent(&self) -> bool {
        self.fees_withdrawn <= self.fees_accrued && self.fees_accrued as u128 <= self.volume
    }
}

impl GlobalConfig {
    /// Makes an account of zeros that which `initialize_program` creates: nothing paused, all totals
    /// zero.
    pub const fn begin(&mut self, bump: u8, authority: Key, config: &InitializeConfig) {
        self.version = GLOBAL_CONFIG_VERSION;
        self.bump = bump;
        self.authority = authority;
        self.change(config);
    }

    /// Changes the settings.
    pub const fn change(&mut self, config: &InitializeConfig) {
        self.fee_bps = config.fee_bps;
        self.dispute_window = config.dispute_window;
        self.resolution_window = config.resolution_window;
        self.sweep_delay = config.sweep_delay;
        self.min_market_duration = config.min_market_duration;
        self.max_market_duration = config.max_market_duration;
        self.sol.min_bet = config.sol.min_bet;
        self.sol.max_bet = config.sol.max_bet;
        self.usdc.min_bet = config.usdc.min_bet;
        self.usdc.max_bet = config.usdc.max_bet;
        self.resolver = config.resolver;
        self.guardian = config.guardian;
        self.treasury = config.treasury;
        self.usdc_mint = config.usdc_mint;
    }

    /// Limits and totals of the money of a kind of market.
    pub const fn asset_mut(&mut self, kind: MarketKind) -> &mut AssetLimitsAndTotals {
        match kind {
            MarketKind::Degen => &mut self.sol,
            MarketKind::Stable => &mut self.usdc,
        }
    }

    /// Whether every setting is inside its bounds. This is what an operator's input is judged by.
    #[must_use]
    pub fn settings_in_bounds(&self) -> bool {
        self.fee_bps <= MAX_FEE_BPS
            && MIN_DISPUTE_WINDOW <= self.dispute_window
            && self.dispute_window <= MAX_DISPUTE_WINDOW
            && self.resolution_window >= 1
            && self.sweep_delay >= 1
            && self.min_market_duration >= 1
            && self.min_market_duration <= self.max_market_duration
            && self.sol.limits_in_bounds()
            && self.usdc.limits_in_bounds()
            && self.resolver != Key::ZERO
            && self.guardian != Key::ZERO
            && self.treasury != Key::ZERO
            && self.usdc_mint != Key::ZERO
    }

    /// Whether this is a state that the program may leave behind. Checked before every write.
    #[must_use]
    pub fn invariants_hold(&self) -> bool {
        (OLDEST_GLOBAL_CONFIG_VERSION..=GLOBAL_CONFIG_VERSION).contains(&self.version)
            && (self.version >= 2 || self.dispute_bond == 0)
            && self.authority != Key::ZERO
            && self.settings_in_bounds()
            && self.sol.totals_consistent()
            && self.usdc.totals_consistent()
            && self.reserve == [0; GLOBAL_CONFIG_RESERVE]
    }
}

#[cfg(test)]
mod tests {
    use super::{AssetLimitsAndTotals, GlobalConfig, MAX_DISPUTE_WINDOW, PauseScope};
    use crate::instructions::{BetLimits, InitializeConfig};
    use crate::wire::{Key, Mismatch, Tagged, Wire};

    fn config() -> GlobalConfig {
        let limits = BetLimits {
            min_bet: 1,
            max_bet: 2,
        };
        let settings = InitializeConfig {
            fee_bps: 250,
            dispute_window: 60,
            resolution_window: 1,
            sweep_delay: 1,
            min_market_duration: 1,
            max_market_duration: 1,
            sol: limits,
            usdc: limits,
            resolver: Key([1; 32]),
            guardian: Key([2; 32]),
            treasury: Key([3; 32]),
            usdc_mint: Key([4; 32]),
        };
        let mut config = GlobalConfig::read(&[0; GlobalConfig::LEN]).unwrap();
        config.begin(254, Key([5; 32]), &settings);
        config
    }

    #[test]
    fn bytes_return_the_same_account() {
        let mut bytes = [0; GlobalConfig::TAGGED_LEN];
        assert_eq!(config().write_tagged(&mut bytes), Some(()));
        assert_eq!(GlobalConfig::read_tagged(&bytes), Ok(config()));
        assert_eq!(
            GlobalConfig::read_tagged(&bytes[..484]),
            Err(Mismatch::Content)
        );
        bytes[204] = 3;
        assert_eq!(GlobalConfig::read_tagged(&bytes), Err(Mismatch::Content));
        bytes[0] ^= 1;
        assert_eq!(
            GlobalConfig::read_tagged(&bytes),
            Err(Mismatch::Discriminator)
        );
        assert_eq!(
            GlobalConfig::read_tagged(&bytes[..7]),
            Err(Mismatch::Discriminator)
        );
    }

    #[test]
    fn a_wrong_length_is_never_written() {
        let mut short = [0; GlobalConfig::LEN - 1];
        assert_eq!(config().write(&mut short), None);
        let mut long = [0; GlobalConfig::LEN + 1];
        assert_eq!(config().write(&mut long), None);
    }

    #[test]
    fn each_invariant_is_seen() {
        type Change = fn(&mut GlobalConfig);
        let broken: [Change; 14] = [
            |c| c.version = 3,
            |c| c.version = 0,
            |c| (c.version, c.dispute_bond) = (1, 1),
            |c| c.authority = Key::ZERO,
            |c| c.treasury = Key::ZERO,
            |c| c.fee_bps = 1_001,
            |c| c.dispute_window = 59,
            |c| c.dispute_window = MAX_DISPUTE_WINDOW + 1,
            |c| c.min_market_duration = 2,
            |c| c.sol.min_bet = 3,
            |c| c.usdc.min_bet = 0,
            |c| c.sol.fees_withdrawn = 1,
            |c| c.usdc.fees_accrued = 1,
            |c| c.reserve[119] = 1,
        ];
        assert!(config().invariants_hold());
        for change in broken {
            let mut changed = config();
            change(&mut changed);
            assert!(!changed.invariants_hold(), "{changed:?}");
        }
    }

    #[test]
    fn totals_may_meet() {
        let asset = AssetLimitsAndTotals {
            min_bet: 1,
            max_bet: 1,
            volume: 7,
            fees_accrued: 7,
            fees_withdrawn: 7,
        };
        assert!(asset.totals_consistent());
    }

    #[test]
    fn scopes_are_ordered_by_what_they_stop() {
        assert!(PauseScope::None < PauseScope::NewBets);
        assert!(PauseScope::NewBets < PauseScope::AllButClaims);
    }
}
