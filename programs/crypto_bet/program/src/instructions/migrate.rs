//! `migrate()`: brings the global configuration to the present layout.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! A program reads the layout before its own too, so that it works from the upgrade on. After
//! `migrate` the program of before refuses the account (`UnsupportedVersion`): it does not know what
//! the new fields mean. So it comes when nobody wants to go back any more. Repeating it succeeds
//! without a change.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`]
//! * `Unauthorized`: not the authority

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::events::ConfigMigrated;
use crypto_bet_interface::instructions::Migrate;
use crypto_bet_interface::state::GLOBAL_CONFIG_VERSION;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework};
use crate::{checks, event_log, global_config};

/// Validates and migrates.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let Migrate {} = checks::arguments(arguments)?;
    checks::flags(accounts, Migrate::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let mut config = global_config::edit(account, program_id)?;
    global_config::require_authority(&config, checks::key(authority))?;
    let old_version = config.version;
    if old_version == GLOBAL_CONFIG_VERSION {
        return Ok(());
    }

    config.version = GLOBAL_CONFIG_VERSION;
    let sequence = global_config::next_event(&mut config)?;
    global_config::require_invariants(&config)?;
    event_log::write(ConfigMigrated {
        sequence,
        timestamp: event_log::now()?,
        old_version,
        new_version: config.version,
    });
    Ok(())
}
