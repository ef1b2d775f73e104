//! What the program writes to the log with `sol_log_data`: `Program data: <base64>` lines that hold
//! a discriminator and Borsh, as Anchor's `emit!` does.
//!
//! Every event starts with its sequence number and the cluster's clock. An event that names a market
//! is numbered in that market, any other in the global configuration: the number is the account's
//! `event_sequence` after the event, so the first has 1. A failed transaction leaves its log lines
//! behind but not its number: readers take events from successful transactions only. Whoever missed
//! some sees the gap and reads the account.

use crate::instructions::InitializeConfig;
use crate::state::{MarketKind, MarketState, Outcome, PauseScope, Side};
use crate::wire::Key;

tagged! {
    "event" as EVENTS:
    /// The platform exists from here on.
    struct ProgramInitialized, ProgramInitializedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The platform's first authority.
        authority: Key,
        /// The settings.
        config: InitializeConfig,
    }

    /// The pause scope changed.
    struct PauseChanged, PauseChangedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// Who changed it: the authority or the guardian.
        actor: Key,
        /// Scope before.
        old_scope: PauseScope,
        /// Scope from here on.
        new_scope: PauseScope,
    }

    /// The settings changed.
    struct ConfigUpdated, ConfigUpdatedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The authority.
        authority: Key,
        /// The settings from here on.
        config: InitializeConfig,
        /// The dispute bond from here on.
        dispute_bond: u64,
    }

    /// Another authority was proposed, or the proposal withdrawn.
    struct AuthorityProposed, AuthorityProposedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The present authority.
        authority: Key,
        /// The proposed one; zero: nobody.
        pending_authority: Key,
    }

    /// The platform has another authority.
    struct AuthorityChanged, AuthorityChangedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The authority until here.
        old_authority: Key,
        /// The authority from here on.
        new_authority: Key,
    }

    /// The global configuration was brought to a newer layout.
    struct ConfigMigrated, ConfigMigratedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// Layout before.
        old_version: u8,
        /// Layout from here on.
        new_version: u8,
    }

    /// A market exists from here on.
    struct MarketCreated, MarketCreatedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// How many markets were created up to and with this one: a gap means that one was missed.
        number: u64,
        /// The number that the authority gave it.
        market_id: u64,
        /// The market's authority.
        authority: Key,
        /// Which money it takes.
        kind: MarketKind,
        /// The token; zero in a Degen market.
        mint: Key,
        /// Fee in basis points.
        fee_bps: u16,
        /// From this moment on no bets are taken.
        betting_ends_at: i64,
        /// From this moment on a result may be proposed.
        resolution_time: i64,
    }

    /// The terms of a market changed. Texts are in the account.
    struct MarketUpdated, MarketUpdatedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// Number of the terms.
        terms_version: u32,
        /// From this moment on no bets are taken.
        betting_ends_at: i64,
        /// From this moment on a result may be proposed.
        resolution_time: i64,
    }

    /// A bet was placed.
    struct BetPlaced, BetPlacedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// Who bet.
        user: Key,
        /// On which side.
        side: Side,
        /// How much.
        amount: u64,
        /// Money on YES after it.
        yes_pool: u64,
        /// Money on NO after it.
        no_pool: u64,
    }

    /// A market came into another state: paused, unpaused, proposed, disputed, resolved or cancelled.
    struct MarketStateChanged, MarketStateChangedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// Who brought it there.
        actor: Key,
        /// State before.
        old_state: MarketState,
        /// State from here on.
        new_state: MarketState,
        /// The proposed result.
        proposed: Outcome,
        /// The final result.
        result: Outcome,
        /// The platform's fee.
        fee: u64,
        /// What is paid out to users in all.
        payout_pool: u64,
    }

    /// A user was paid winnings or a refund.
    struct PositionPaid, PositionPaidOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// Who was paid.
        user: Key,
        /// How much.
        amount: u64,
        /// It was a refund.
        refund: bool,
    }

    /// The fee of a market was paid to the treasury.
    struct FeesWithdrawn, FeesWithdrawnOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// The treasury.
        treasury: Key,
        /// How much.
        amount: u64,
    }

    /// What was left in the vaults was paid to the treasury.
    struct MarketSwept, MarketSweptOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// The treasury.
        treasury: Key,
        /// How much, with a fee that had not been withdrawn.
        amount: u64,
    }

    /// The bond of a disputer was paid out.
    struct BondSettled, BondSettledOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// The disputer, or the treasury.
        receiver: Key,
        /// Lamports.
        amount: u64,
    }

    /// A position was closed.
    struct PositionClosed, PositionClosedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// Whose it was.
        user: Key,
    }

    /// A market was closed: its last event.
    struct MarketClosed, MarketClosedOffsets {
        /// Number of the event.
        sequence: u64,
        /// Unix time of the cluster in seconds.
        timestamp: i64,
        /// The market.
        market: Key,
        /// The market's authority.
        authority: Key,
    }
}
