//! The effect that pausing and unpausing share.

use crypto_bet_interface::events::PauseChanged;
use crypto_bet_interface::state::{GlobalConfig, PauseScope};
use crypto_bet_interface::wire::Key;

use crate::errors::Checked;
use crate::{event_log, global_config};

/// Sets the scope and says so in an event. Setting the present scope is no change and no event: in
/// an emergency two people may pause at once, and a command may be repeated after a lost answer.
///
/// # Errors
/// Those of [`global_config::require_invariants`] and [`global_config::next_event`].
#[inline(never)] // one copy of the code, whoever calls
pub fn change_scope(config: &mut GlobalConfig, actor: Key, new_scope: PauseScope) -> Checked {
    let old_scope = config.pause_scope;
    if new_scope == old_scope {
        return Ok(());
    }
    config.pause_scope = new_scope;
    let sequence = global_config::next_event(config)?;
    global_config::require_invariants(config)?;
    event_log::write(PauseChanged {
        sequence,
        timestamp: event_log::now()?,
        actor,
        old_scope,
        new_scope,
    });
    Ok(())
}
