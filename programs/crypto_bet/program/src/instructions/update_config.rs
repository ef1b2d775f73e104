//! `update_config(config, dispute_bond)`: changes the settings.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! Resolver, guardian and treasury are rotated here, and it works in every pause scope: a lost key
//! must be replaceable at once. Fee, windows and deadlines of existing markets stay as they were.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`: arguments of another length
//! * `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`: accounts
//! * those of [`global_config::edit`]
//! * `Unauthorized`: not the authority
//! * `InvalidParameters`: a setting is outside its bounds, or another token although there are
//!   markets: totals of two tokens cannot be added
//! * `UnsupportedVersion`: a dispute bond before `migrate`

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::ConfigUpdated;
use crypto_bet_interface::instructions::UpdateConfig;
use crypto_bet_interface::state::{GLOBAL_CONFIG_VERSION, GlobalConfig};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, event_log, global_config};

/// Validates and changes.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let update: UpdateConfig = checks::arguments(arguments)?;
    checks::flags(accounts, UpdateConfig::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let mut config = global_config::edit(account, program_id)?;
    validate(&mut config, checks::key(authority), &update)?;
    take_effect(&mut config, &update)
}

/// Whether `actor` may make `update`, which is then in `config`.
fn validate(config: &mut GlobalConfig, actor: Key, update: &UpdateConfig) -> Checked {
    let settings = update.config.0;
    global_config::require_authority(config, actor)?;
    if config.total_markets > 0 && settings.usdc_mint != config.usdc_mint {
        return Err(own(CryptoBetError::InvalidParameters));
    }
    if update.dispute_bond > 0 && config.version < GLOBAL_CONFIG_VERSION {
        return Err(own(CryptoBetError::UnsupportedVersion));
    }
    config.change(settings);
    config.dispute_bond = update.dispute_bond;
    if config.settings_in_bounds() {
        Ok(())
    } else {
        Err(own(CryptoBetError::InvalidParameters))
    }
}

/// Writes the configuration and the event.
fn take_effect(config: &mut GlobalConfig, update: &UpdateConfig) -> Checked {
    let sequence = global_config::next_event(config)?;
    global_config::require_invariants(config)?;
    event_log::write(ConfigUpdated {
        sequence,
        timestamp: event_log::now()?,
        authority: config.authority,
        config: *update.config.0,
        dispute_bond: update.dispute_bond,
    });
    Ok(())
}
