//! `initialize_program(config)`: creates the global configuration.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | yes | the program's upgrade authority; pays; becomes the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]`; absent, or with lamports only |
//! | 2 | program_data | | | the program's ProgramData account |
//! | 3 | system_program | | | `11111111111111111111111111111111` |
//!
//! # Errors
//! * `InstructionDidNotDeserialize`: arguments of another length
//! * `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`, `InvalidProgramId`: accounts
//! * `ConstraintSeeds`: config or program_data at another address
//! * `AlreadyInitialized`: the configuration exists, whoever asks
//! * `AccountOwnedByWrongProgram`, `AccountNotProgramData`: program_data is no ProgramData account
//! * `Unauthorized`: the signer is not the present upgrade authority, or there is none
//! * `InvalidParameters`: a setting is outside its bounds
//!
//! Were this not tied to the upgrade authority, a stranger could call it first and own the platform.

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::ProgramInitialized;
use crypto_bet_interface::instructions::{InitializeConfig, InitializeProgram};
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::GlobalConfig;
use crypto_bet_interface::wire::{Key, Tagged};
use pinocchio::account::RefMut;
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::{checks, event_log, global_config, new_account, stored};

/// Validates and creates.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let InitializeProgram { config: settings } = checks::arguments(arguments)?;
    checks::flags(accounts, InitializeProgram::DEMANDS)?;
    let [authority, account, program_data, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let bump = validate(program_id, authority, account, program_data)?;
    let bump_seed = [bump];
    let seeds = [seeds::GLOBAL_CONFIG, &bump_seed].map(Seed::from);
    new_account::create(
        authority,
        account,
        &seeds,
        GlobalConfig::TAGGED_LEN,
        program_id,
    )?;
    take_effect(account, bump, checks::key(authority), settings.0)
}

/// The bump of the account's address, once everything about the accounts is right.
fn validate(
    program_id: &Address,
    authority: &AccountView,
    account: &AccountView,
    program_data: &AccountView,
) -> Result<u8, Failure> {
    let bump = checks::canonical_bump(account, [seeds::GLOBAL_CONFIG], program_id)?;
    if checks::is_owned_by(account, program_id) {
        return Err(own(CryptoBetError::AlreadyInitialized));
    }
    checks::upgrade_authority(authority, program_data, program_id)?;
    Ok(bump)
}

/// Writes the configuration, whose bounds are looked at where it lies, and the first event.
fn take_effect(
    account: &mut AccountView,
    bump: u8,
    authority: Key,
    settings: &InitializeConfig,
) -> Checked {
    let mut config: RefMut<GlobalConfig> = stored::begin(account)?;
    config.begin(bump, authority, settings);
    if !config.settings_in_bounds() {
        return Err(own(CryptoBetError::InvalidParameters));
    }
    let sequence = global_config::next_event(&mut config)?;
    global_config::require_invariants(&config)?;
    event_log::write(ProgramInitialized {
        sequence,
        timestamp: event_log::now()?,
        authority,
        config: *settings,
    });
    Ok(())
}
