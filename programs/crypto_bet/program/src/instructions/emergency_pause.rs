//! `emergency_pause(scope)`: pauses a part of the platform.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority or its guardian |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! The authority sets any scope but `None`. The guardian can only raise it: a lost guardian key can
//! stop the platform, never start it. Claims and refunds run in every scope.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`: arguments of another length, or no such scope
//! * `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`: accounts
//! * those of [`global_config::edit`]
//! * `Unauthorized`: neither authority nor guardian, or the guardian lowers the scope
//! * `InvalidParameters`: scope `None`, which is `emergency_unpause`

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::EmergencyPause;
use crypto_bet_interface::state::{GlobalConfig, PauseScope};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, global_config, pause};

/// Validates and pauses.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let EmergencyPause { scope } = checks::arguments(arguments)?;
    checks::flags(accounts, EmergencyPause::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let actor = checks::key(authority);
    let mut config = global_config::edit(account, program_id)?;
    validate(&config, actor, scope)?;
    pause::change_scope(&mut config, actor, scope)
}

/// Whether `actor` may set `scope`. Who holds both roles has the authority's rights.
fn validate(config: &GlobalConfig, actor: Key, scope: PauseScope) -> Checked {
    let is_authority = actor == config.authority;
    if !is_authority && actor != config.guardian {
        return Err(own(CryptoBetError::Unauthorized));
    }
    if scope == PauseScope::None {
        return Err(own(CryptoBetError::InvalidParameters));
    }
    if !is_authority && scope < config.pause_scope {
        return Err(own(CryptoBetError::Unauthorized));
    }
    Ok(())
}
