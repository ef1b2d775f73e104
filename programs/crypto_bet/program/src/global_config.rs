//! Reading and writing the configuration account. Every change goes through [`store`], which
//! refuses a state that breaks an invariant.

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{GLOBAL_CONFIG_VERSION, GlobalConfig};
use crypto_bet_interface::wire::{Mismatch, Tagged};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::checks;
use crate::errors::{framework, own};

/// The System program, which owns every account that nobody has claimed.
pub const SYSTEM_PROGRAM: Address = Address::new_from_array(seeds::SYSTEM_PROGRAM.0);

/// The configuration in `account`, which is proved to be this program's one configuration.
///
/// # Errors
/// * `AccountNotInitialized`: nothing is at the address yet
/// * `AccountOwnedByWrongProgram`
/// * `AccountDiscriminatorMismatch`: an account of another kind
/// * `UnsupportedVersion`: another layout of the configuration
/// * `AccountDidNotDeserialize`: other length, or an invalid value
/// * `ConstraintSeeds`: not at the derived address
#[inline(never)] // one copy of the code, whoever calls
pub fn load(account: &AccountView, program_id: &Address) -> Result<GlobalConfig, ProgramError> {
    if account.owned_by(&SYSTEM_PROGRAM) && account.lamports() == 0 {
        return Err(framework(FrameworkError::AccountNotInitialized));
    }
    checks::owned_by(account, program_id)?;

    let config = {
        let data = account.try_borrow()?;
        // The version decides how the rest is read, also of an account with another length.
        if let Some((tag, [version, ..])) = data.split_first_chunk()
            && *tag == GlobalConfig::DISCRIMINATOR
            && *version != GLOBAL_CONFIG_VERSION
        {
            return Err(own(CryptoBetError::UnsupportedVersion));
        }
        GlobalConfig::read_tagged(&data).map_err(|mismatch| {
            framework(match mismatch {
                Mismatch::Discriminator => FrameworkError::AccountDiscriminatorMismatch,
                Mismatch::Content => FrameworkError::AccountDidNotDeserialize,
            })
        })?
    };

    checks::at_derived_address(account, seeds::GLOBAL_CONFIG, config.bump, program_id)?;
    Ok(config)
}

/// Writes the configuration.
///
/// # Errors
/// `InvariantViolated`, `AccountDidNotDeserialize` (the account has another length); nothing the
/// caller did before remains, as for every error of a program.
#[inline(never)] // one copy of the code, whoever calls
pub fn store(account: &mut AccountView, config: &GlobalConfig) -> ProgramResult {
    if !config.invariants_hold() {
        return Err(own(CryptoBetError::InvariantViolated));
    }
    config
        .write_tagged(&mut account.try_borrow_mut()?)
        .ok_or(framework(FrameworkError::AccountDidNotDeserialize))
}

/// The number of the next event, counted in `config`.
///
/// # Errors
/// `NumberOverflow`.
pub fn next_event(config: &mut GlobalConfig) -> Result<u64, ProgramError> {
    config.event_sequence = config
        .event_sequence
        .checked_add(1)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    Ok(config.event_sequence)
}
