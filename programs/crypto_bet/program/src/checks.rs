//! What instructions demand of their arguments and accounts. Each check has one error.

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::seeds::UPGRADEABLE_LOADER;
use crypto_bet_interface::spec::{Arguments, Demands};
use crypto_bet_interface::wire::Key;
use pinocchio::address::address_eq;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::stored::SYSTEM_PROGRAM;
use crate::syscalls;

/// The loader that owns ProgramData accounts.
const LOADER: Address = Address::new_from_array(UPGRADEABLE_LOADER.0);

/// The arguments of an instruction.
///
/// # Errors
/// `InstructionDidNotDeserialize`: other length, or a byte that is no value of its type.
pub fn arguments<'a, T: Arguments<'a>>(data: &'a [u8]) -> Result<T, Failure> {
    T::read(data).ok_or(framework(FrameworkError::InstructionDidNotDeserialize))
}

/// What the interface says about each account that is never left out: there are enough, those that must sign did, those
/// that change are writable, those with a fixed address have it. PDAs are left to
/// [`canonical_bump`] and [`derived_address`], which know what they cost.
///
/// # Errors
/// `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`, `InvalidProgramId`.
#[inline(never)] // one copy of the code, whoever calls
pub fn flags(accounts: &[AccountView], demands: &[Demands]) -> Checked {
    if accounts.len() < demands.len() {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    }
    for (account, demand) in accounts.iter().zip(demands) {
        if demand.signer() && !account.is_signer() {
            return Err(framework(FrameworkError::AccountNotSigner));
        }
        if demand.writable() && !account.is_writable() {
            return Err(framework(FrameworkError::ConstraintMut));
        }
        if demand.system_program() && !address_eq(account.address(), &SYSTEM_PROGRAM) {
            return Err(framework(FrameworkError::InvalidProgramId));
        }
    }
    Ok(())
}

/// The account has this address: a receiver, or one of the roles.
///
/// # Errors
/// `AccountMismatch`.
pub fn address(account: &AccountView, expected: &Key) -> Checked {
    if key(account) == *expected {
        Ok(())
    } else {
        Err(own(CryptoBetError::AccountMismatch))
    }
}

/// An account's address in the interface's type.
pub fn key(account: &AccountView) -> Key {
    Key(*account.address().as_array())
}

/// Whether the program owns the account.
pub fn is_owned_by(account: &AccountView, owner: &Address) -> bool {
    address_eq(&account.owner(), owner)
}

/// # Errors
/// `AccountOwnedByWrongProgram`.
pub fn owned_by(account: &AccountView, owner: &Address) -> Checked {
    if is_owned_by(account, owner) {
        Ok(())
    } else {
        Err(framework(FrameworkError::AccountOwnedByWrongProgram))
    }
}

/// The account is the PDA of `seeds` with its canonical bump, which is returned. Searches the
/// bump: about 270 CU for each one tried.
///
/// # Errors
/// `ConstraintSeeds`.
#[inline(never)] // one copy of the code for each number of seeds
pub fn canonical_bump<const N: usize>(
    account: &AccountView,
    seeds: [&[u8]; N],
    program_id: &Address,
) -> Result<u8, Failure> {
    match syscalls::find_program_address(seeds, program_id) {
        Some((address, bump)) if address_eq(account.address(), &address) => Ok(bump),
        _ => Err(framework(FrameworkError::ConstraintSeeds)),
    }
}

/// The address is that of `seeds` with a bump that the program found and stored when it
/// created the account: one hash instead of a search.
///
/// # Errors
/// `ConstraintSeeds`.
#[inline(never)] // one copy of the code for each number of seeds
pub fn derived_address<const N: usize>(
    address: &Address,
    seeds: [&[u8]; N],
    stored_bump: u8,
    program_id: &Address,
) -> Checked {
    let derived = syscalls::derive_address(seeds, stored_bump, program_id);
    if address_eq(address, &derived) {
        Ok(())
    } else {
        Err(framework(FrameworkError::ConstraintSeeds))
    }
}

/// `authority` is the program's upgrade authority at this moment, as its ProgramData account says.
/// Whoever may replace the program's code may say who runs the platform; nobody else.
///
/// Layout of ProgramData (source: loader-v3-interface, `UpgradeableLoaderState::ProgramData`):
/// tag u32 = 3 at 0, slot of the deployment u64 at 4, 1 at 12 when there is an authority (else 0),
/// the authority's 32 bytes at 13; the ELF from 45.
///
/// # Errors
/// * `ConstraintSeeds`: not the address that the loader derives from the program's id
/// * `AccountOwnedByWrongProgram`: the loader does not own it
/// * `AccountNotProgramData`: not a ProgramData account
/// * `Unauthorized`: another upgrade authority, or none any more
pub fn upgrade_authority(
    authority: &AccountView,
    program_data: &AccountView,
    program_id: &Address,
) -> Checked {
    canonical_bump(program_data, [program_id.as_array()], &LOADER)?;
    owned_by(program_data, &LOADER)?;

    let data = program_data.try_borrow()?;
    let not_program_data = || framework(FrameworkError::AccountNotProgramData);
    let (tag, rest) = data.split_first_chunk::<4>().ok_or_else(not_program_data)?;
    if u32::from_le_bytes(*tag) != 3 {
        return Err(not_program_data());
    }
    let (_slot, rest) = rest.split_first_chunk::<8>().ok_or_else(not_program_data)?;
    let (present, rest) = rest.split_first_chunk::<1>().ok_or_else(not_program_data)?;
    let (current, _elf) = rest
        .split_first_chunk::<32>()
        .ok_or_else(not_program_data)?;
    if *present == [1] && current == authority.address().as_array() {
        Ok(())
    } else {
        Err(own(CryptoBetError::Unauthorized))
    }
}
