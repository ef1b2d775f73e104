//! What reading and writing have in common for every kind of account.

use core::ops::RangeInclusive;

use crypto_bet_interface::discriminator::{DISCRIMINATOR_LEN, Discriminator};
use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::in_place::{self, InPlace};
use crypto_bet_interface::seeds;
use crypto_bet_interface::wire::{Mismatch, Tagged};
use pinocchio::account::{Ref, RefMut};
use pinocchio::{AccountView, Address};

use crate::checks;
use crate::errors::{Checked, Failure, framework, own};

/// The System program, which owns every account that nobody has claimed.
pub const SYSTEM_PROGRAM: Address = Address::new_from_array(seeds::SYSTEM_PROGRAM.0);

/// The content of an account, which is this program's and of this kind. Its address is not proved.
///
/// # Errors
/// * `AccountNotInitialized`: nothing is at the address yet, or no longer
/// * `AccountOwnedByWrongProgram`
/// * `AccountDiscriminatorMismatch`: an account of another kind
/// * `UnsupportedVersion`: another layout
/// * `AccountDidNotDeserialize`: other length, or an invalid value
#[inline(always)]
pub fn read<'a, T: Tagged + InPlace>(
    account: &'a AccountView,
    program_id: &Address,
    versions: RangeInclusive<u8>,
) -> Result<Ref<'a, T>, Failure> {
    require_owned(account, program_id)?;
    let data = account.try_borrow()?;
    require_version(&data, &T::DISCRIMINATOR, &versions)?;
    Ref::try_map(data, in_place::view).map_err(|(_, mismatch)| explain(mismatch))
}

/// As [`read`], to be changed. Who changed it looks at its invariants.
///
/// # Errors
/// Those of [`read`]; `AccountBorrowFailed`: the account was passed twice.
#[inline(always)]
pub fn edit<'a, T: Tagged + InPlace>(
    account: &'a mut AccountView,
    program_id: &Address,
    versions: RangeInclusive<u8>,
) -> Result<RefMut<'a, T>, Failure> {
    require_owned(account, program_id)?;
    let data = account.try_borrow_mut()?;
    require_version(&data, &T::DISCRIMINATOR, &versions)?;
    RefMut::try_map(data, in_place::view_mut).map_err(|(_, mismatch)| explain(mismatch))
}

/// Makes an account that was just created, all zeros, one of this kind.
///
/// # Errors
/// `AccountDidNotDeserialize`: it has another length.
pub fn begin<T: Tagged + InPlace>(account: &mut AccountView) -> Result<RefMut<'_, T>, Failure> {
    let mut data = account.try_borrow_mut()?;
    if let Some(tag) = data.first_chunk_mut() {
        *tag = T::DISCRIMINATOR;
    }
    RefMut::try_map(data, in_place::view_mut).map_err(|(_, mismatch)| explain(mismatch))
}

/// # Errors
/// `InvariantViolated`; nothing of what the instruction did remains, as for every error of a program.
pub fn require_invariants(hold: bool) -> Checked {
    if hold {
        Ok(())
    } else {
        Err(own(CryptoBetError::InvariantViolated))
    }
}

#[inline(never)] // one copy of the code, whoever calls
fn require_owned(account: &AccountView, program_id: &Address) -> Checked {
    if checks::is_owned_by(account, program_id) {
        return Ok(());
    }
    let absent = checks::is_owned_by(account, &SYSTEM_PROGRAM) && account.lamports() == 0;
    Err(framework(if absent {
        FrameworkError::AccountNotInitialized
    } else {
        FrameworkError::AccountOwnedByWrongProgram
    }))
}

/// The version decides how the rest is read, also of an account with another length.
#[inline(never)] // one copy of the code, whoever calls
fn require_version(
    data: &[u8],
    discriminator: &Discriminator,
    versions: &RangeInclusive<u8>,
) -> Checked {
    match data.split_first_chunk::<DISCRIMINATOR_LEN>() {
        Some((tag, [version, ..])) if tag == discriminator && !versions.contains(version) => {
            Err(own(CryptoBetError::UnsupportedVersion))
        }
        _ => Ok(()), // what else is wrong, the view says
    }
}

fn explain(mismatch: Mismatch) -> Failure {
    framework(match mismatch {
        Mismatch::Discriminator => FrameworkError::AccountDiscriminatorMismatch,
        Mismatch::Content => FrameworkError::AccountDidNotDeserialize,
    })
}
