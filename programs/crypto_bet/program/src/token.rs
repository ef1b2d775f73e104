//! The SPL Token program: the three instructions and the two layouts that vaults need.
//!
//! Layouts (source: spl-token's `state.rs`), little endian:
//! * mint, 82 bytes: decimals u8 at 44, initialized u8 at 45
//! * account, 165 bytes: mint at 0, owner at 32, amount u64 at 64
//!
//! Mints of Token-2022 are owned by another program and refused with all their extensions: with fees
//! on transfers a vault would hold less than what was bet, hooks run a stranger's code, and a permanent
//! delegate empties any vault.

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::seeds::TOKEN_PROGRAM;
use crypto_bet_interface::wire::Key;
use pinocchio::address::address_eq;
use pinocchio::cpi::{Signer, invoke, invoke_signed};
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::{AccountView, Address};

use crate::checks;
use crate::errors::{Checked, Failure, framework, own};

/// Length of a token account.
pub const ACCOUNT_LEN: usize = 165;
/// Length of a mint.
const MINT_LEN: usize = 82;
/// The token program.
pub const PROGRAM: Address = Address::new_from_array(TOKEN_PROGRAM.0);

/// The token account among the accounts that a Degen market leaves out; the token program is behind it.
///
/// # Errors
/// `AccountNotEnoughKeys`: left out; those of [`require_program`].
#[inline(never)] // one copy of the code, whoever calls
pub fn account(rest: &[AccountView]) -> Result<&AccountView, Failure> {
    let Some((account, rest)) = rest.split_first() else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    require_program(rest)?;
    Ok(account)
}

/// The first account is the SPL Token program.
///
/// # Errors
/// `AccountNotEnoughKeys`: left out; `InvalidProgramId`: another one.
pub fn require_program(rest: &[AccountView]) -> Checked {
    match rest.first() {
        None => Err(framework(FrameworkError::AccountNotEnoughKeys)),
        Some(account) if address_eq(account.address(), &PROGRAM) => Ok(()),
        Some(_) => Err(framework(FrameworkError::InvalidProgramId)),
    }
}

/// The account is a mint of the SPL Token program.
///
/// # Errors
/// `UnsupportedMint`.
pub fn require_mint(mint: &AccountView) -> Checked {
    if !checks::is_owned_by(mint, &PROGRAM) || mint.data_len() != MINT_LEN {
        return Err(own(CryptoBetError::UnsupportedMint));
    }
    match mint.try_borrow()?.get(45) {
        Some(1) => Ok(()),
        _ => Err(own(CryptoBetError::UnsupportedMint)),
    }
}

/// The account is a token account for `mint`, and `owner` decides over it.
///
/// # Errors
/// `AccountOwnedByWrongProgram`, `AccountMismatch`.
#[inline(never)] // one copy of the code, whoever calls
pub fn require_account(account: &AccountView, mint: &Key, owner: &Key) -> Checked {
    if !checks::is_owned_by(account, &PROGRAM) {
        return Err(framework(FrameworkError::AccountOwnedByWrongProgram));
    }
    let data = account.try_borrow()?;
    if data.len() == ACCOUNT_LEN
        && data.get(..32) == Some(&mint.0)
        && data.get(32..64) == Some(&owner.0)
    {
        Ok(())
    } else {
        Err(own(CryptoBetError::AccountMismatch))
    }
}

/// How much a token account holds.
///
/// # Errors
/// `AccountMismatch`: not a token account.
#[inline(never)] // one copy of the code, whoever calls
pub fn amount(account: &AccountView) -> Result<u64, Failure> {
    let data = account.try_borrow()?;
    data.get(64..72)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or(own(CryptoBetError::AccountMismatch))
}

/// Makes an empty account of the token program a token account that decides over itself: only the
/// program whose PDA it is can sign for it.
///
/// # Errors
/// Those of the token program.
pub fn initialize(account: &AccountView, mint: &AccountView) -> Checked {
    let mut data = [18; 33]; // InitializeAccount3
    let (_, owner) = data.split_at_mut(1);
    owner.copy_from_slice(account.address().as_array());
    Ok(invoke(
        &InstructionView {
            program_id: &PROGRAM,
            accounts: &[
                InstructionAccount::writable(account.address()),
                InstructionAccount::readonly(mint.address()),
            ],
            data: &data,
        },
        &[account, mint],
    )?)
}

/// Moves tokens. `signers`: for an authority that is a PDA.
///
/// # Errors
/// Those of the token program.
#[inline(never)] // one copy of the code, whoever calls
pub fn transfer(
    from: &AccountView,
    to: &AccountView,
    authority: &AccountView,
    amount: u64,
    signers: &[Signer],
) -> Checked {
    let mut data = [3; 9]; // Transfer
    let (_, number) = data.split_at_mut(1);
    number.copy_from_slice(&amount.to_le_bytes());
    call([from, to, authority], &data, signers)
}

/// Closes an empty token account that decides over itself.
///
/// # Errors
/// Those of the token program: there are tokens in it.
pub fn close(account: &AccountView, receiver: &AccountView, signers: &[Signer]) -> Checked {
    call([account, receiver, account], &[9], signers) // CloseAccount
}

/// Calls the token program with two accounts that change and their authority.
#[inline(never)] // one copy of the code, whoever calls
fn call(accounts: [&AccountView; 3], data: &[u8], signers: &[Signer]) -> Checked {
    let [first, second, authority] = accounts;
    Ok(invoke_signed(
        &InstructionView {
            program_id: &PROGRAM,
            accounts: &[
                InstructionAccount::writable(first.address()),
                InstructionAccount::writable(second.address()),
                InstructionAccount::readonly_signer(authority.address()),
            ],
            data,
        },
        &accounts,
        signers,
    )?)
}
