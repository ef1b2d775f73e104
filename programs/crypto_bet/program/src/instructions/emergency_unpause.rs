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
//! * those of [`global_config::load`]
//! * `Unauthorized`: not the authority

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::EmergencyUnpause;
use crypto_bet_interface::state::{GlobalConfig, PauseScope};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::errors::{framework, own};
use crate::{checks, global_config, pause};

/// Validates and unpauses.
pub fn process(
    program_id: &Address,
    accounts: &mut [AccountView],
    arguments: &[u8],
) -> ProgramResult {
    let EmergencyUnpause {} = checks::arguments(arguments)?;
    checks::flags(accounts, EmergencyUnpause::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let actor = checks::key(authority);
    let mut config = global_config::load(account, program_id)?;
    validate(&config, actor)?;
    pause::change_scope(account, &mut config, actor, PauseScope::None)
}

/// Whether `actor` may unpause.
fn validate(config: &GlobalConfig, actor: Key) -> ProgramResult {
    if actor == config.authority {
        Ok(())
    } else {
        Err(own(CryptoBetError::Unauthorized))
    }
}
