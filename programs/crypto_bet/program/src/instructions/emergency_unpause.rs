//! `emergency_unpause()`: everything runs again.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! # Errors
//! * `InstructionDidNotDeserialize`: there are arguments
//! * `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`: accounts
//! * those of [`global_config::edit`]
//! * `Unauthorized`: not the authority

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::instructions::EmergencyUnpause;
use crypto_bet_interface::state::PauseScope;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework};
use crate::{checks, global_config, pause};

/// Validates and unpauses.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let EmergencyUnpause {} = checks::arguments(arguments)?;
    checks::flags(accounts, EmergencyUnpause::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let actor = checks::key(authority);
    let mut config = global_config::edit(account, program_id)?;
    global_config::require_authority(&config, actor)?;
    pause::change_scope(&mut config, actor, PauseScope::None)
}
