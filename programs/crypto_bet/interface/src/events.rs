//! What the program writes to the log with `sol_log_data`: `Program data: <base64>` lines that hold
//! a discriminator and Borsh, as Anchor's `emit!` does.
//!
//! Every event starts with its sequence number (`GlobalConfig.event_sequence` after the event, so
//! the first has 1) and the cluster's clock. A failed transaction leaves its log lines behind but
//! not its number: readers take events from successful transactions only.

use crate::instructions::InitializeConfig;
use crate::state::PauseScope;
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
}
