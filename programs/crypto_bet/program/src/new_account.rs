//! Creating and closing accounts.

use pinocchio::address::address_eq;
use pinocchio::cpi::{Seed, Signer};
use pinocchio::sysvars::{Sysvar, rent::Rent};
use pinocchio::{AccountView, Address};
use pinocchio_system::instructions::{Allocate, Assign, CreateAccount, Transfer};

use crate::errors::{Checked, Failure, own};
use crypto_bet_interface::errors::CryptoBetError;

/// Lamports below which an account of this length would not be kept.
///
/// # Errors
/// That of the sysvar syscall.
pub fn rent(length: usize) -> Result<u64, Failure> {
    Ok(Rent::get()?.try_minimum_balance(length)?)
}

/// Creates an account at the PDA of `seeds`, whose last is the bump, and gives it to `owner`.
///
/// Anybody can send lamports to the address before, and `CreateAccount` refuses an address that has
/// some: then it is done in three steps.
///
/// # Errors
/// Those of the System program: `payer` has not enough, or the account exists.
#[inline(never)] // one copy of the code, whoever calls
pub fn create(
    payer: &AccountView,
    account: &AccountView,
    seeds: &[Seed],
    length: usize,
    owner: &Address,
) -> Checked {
    let signers = [Signer::from(seeds)];
    let (rent, space) = (rent(length)?, length as u64);
    if account.lamports() == 0 {
        return Ok(CreateAccount {
            from: payer,
            to: account,
            lamports: rent,
            space,
            owner,
        }
        .invoke_signed(&signers)?);
    }
    if let Some(lamports) = rent
        .checked_sub(account.lamports())
        .filter(|missing| *missing > 0)
    {
        pay(payer, account, lamports)?;
    }
    Allocate { account, space }.invoke_signed(&signers)?;
    Ok(Assign { account, owner }.invoke_signed(&signers)?)
}

/// Lets somebody who signed pay lamports.
///
/// # Errors
/// Those of the System program: there are not that many.
#[inline(never)] // one copy of the code, whoever calls
pub fn pay(from: &AccountView, to: &AccountView, lamports: u64) -> Checked {
    Ok(Transfer { from, to, lamports }.invoke()?)
}

/// Moves lamports out of an account of this program.
///
/// # Errors
/// `Insolvent`: there are not that many; `NumberOverflow`.
#[inline(never)] // one copy of the code, whoever calls
pub fn move_lamports(from: &mut AccountView, to: &mut AccountView, amount: u64) -> Checked {
    from.set_lamports(
        from.lamports()
            .checked_sub(amount)
            .ok_or(own(CryptoBetError::Insolvent))?,
    );
    // read after the write: both may be the same account
    to.set_lamports(
        to.lamports()
            .checked_add(amount)
            .ok_or(own(CryptoBetError::NumberOverflow))?,
    );
    Ok(())
}

/// Closes an account of this program: its lamports move, its content and owner are gone. Were it
/// given lamports again in the same transaction, it would be an empty account of the System program.
///
/// # Errors
/// Those of [`move_lamports`]; `AccountBorrowFailed` when its content is borrowed.
#[inline(never)] // one copy of the code, whoever calls
pub fn close(account: &mut AccountView, receiver: &mut AccountView) -> Checked {
    if address_eq(account.address(), receiver.address()) {
        return Err(own(CryptoBetError::AccountMismatch));
    }
    let lamports = account.lamports();
    move_lamports(account, receiver, lamports)?;
    Ok(account.close()?)
}
