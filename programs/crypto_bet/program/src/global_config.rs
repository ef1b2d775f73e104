//! Reading and changing the configuration account. Whoever changed it calls
//! [`require_invariants`].

use core::ops::RangeInclusive;

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{
    GLOBAL_CONFIG_VERSION, GlobalConfig, OLDEST_GLOBAL_CONFIG_VERSION, PauseScope,
};
use crypto_bet_interface::wire::Key;
use pinocchio::account::{Ref, RefMut};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, own};
use crate::{checks, stored};

const VERSIONS: RangeInclusive<u8> = OLDEST_GLOBAL_CONFIG_VERSION..=GLOBAL_CONFIG_VERSION;

/// The configuration in `account`. Owner and discriminator prove that this program made it, and it
/// makes one only.
///
/// # Errors
/// Those of [`stored::read`].
#[inline(never)] // one copy of the code, whoever calls
pub fn read<'a>(
    account: &'a AccountView,
    program_id: &Address,
) -> Result<Ref<'a, GlobalConfig>, Failure> {
    stored::read(account, program_id, VERSIONS)
}

/// As [`read`], to be changed: then also the address is proved once more, because all money depends
/// on this account.
///
/// # Errors
/// Those of [`stored::edit`]; `ConstraintSeeds`: not at the derived address.
#[inline(never)] // one copy of the code, whoever calls
pub fn edit<'a>(
    account: &'a mut AccountView,
    program_id: &Address,
) -> Result<RefMut<'a, GlobalConfig>, Failure> {
    let address = *account.address();
    let config: RefMut<GlobalConfig> = stored::edit(account, program_id, VERSIONS)?;
    checks::derived_address(&address, [seeds::GLOBAL_CONFIG], config.bump, program_id)?;
    Ok(config)
}

/// The change leaves a possible configuration.
///
/// # Errors
/// `InvariantViolated`.
#[inline(never)] // one copy of the code, whoever calls
pub fn require_invariants(config: &GlobalConfig) -> Checked {
    stored::require_invariants(config.invariants_hold())
}

/// The number of the next event of the platform, counted in `config`.
///
/// # Errors
/// `NumberOverflow`.
pub fn next_event(config: &mut GlobalConfig) -> Result<u64, Failure> {
    config.event_sequence = config
        .event_sequence
        .checked_add(1)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    Ok(config.event_sequence)
}

/// The actor is the platform's authority.
///
/// # Errors
/// `Unauthorized`.
pub fn require_authority(config: &GlobalConfig, actor: Key) -> Checked {
    if actor == config.authority {
        Ok(())
    } else {
        Err(own(CryptoBetError::Unauthorized))
    }
}

/// No more than `scope` is paused.
///
/// # Errors
/// `PlatformPaused`.
pub fn require_paused_at_most(config: &GlobalConfig, scope: PauseScope) -> Checked {
    if config.pause_scope <= scope {
        Ok(())
    } else {
        Err(own(CryptoBetError::PlatformPaused))
    }
}
