//! Reading and changing a position. Whoever changed it calls [`require_invariants`].

use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{POSITION_VERSION, Position};
use crypto_bet_interface::wire::Key;
use pinocchio::account::{Ref, RefMut};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::{checks, stored};

/// The position in `account`, which is proved to be that of the user in the market.
///
/// # Errors
/// Those of [`stored::read`]; `ConstraintSeeds`: another user's, in another market, or no position
/// of this program's making.
#[inline(never)] // one copy of the code, whoever calls
pub fn read<'a>(
    account: &'a AccountView,
    user: &Key,
    market: &Key,
    program_id: &Address,
) -> Result<Ref<'a, Position>, ProgramError> {
    let position: Ref<Position> =
        stored::read(account, program_id, POSITION_VERSION..=POSITION_VERSION)?;
    let seeds = [seeds::POSITION, &user.0, &market.0];
    checks::derived_address(account.address(), &seeds, position.bump, program_id)?;
    Ok(position)
}

/// As [`read`], to be changed.
///
/// # Errors
/// Those of [`read`]; `AccountBorrowFailed`: the account was passed twice.
#[inline(never)] // one copy of the code, whoever calls
pub fn edit<'a>(
    account: &'a mut AccountView,
    user: &Key,
    market: &Key,
    program_id: &Address,
) -> Result<RefMut<'a, Position>, ProgramError> {
    let address = *account.address();
    let position: RefMut<Position> =
        stored::edit(account, program_id, POSITION_VERSION..=POSITION_VERSION)?;
    let seeds = [seeds::POSITION, &user.0, &market.0];
    checks::derived_address(&address, &seeds, position.bump, program_id)?;
    Ok(position)
}

/// The change leaves a possible position.
///
/// # Errors
/// `InvariantViolated`.
pub fn require_invariants(position: &Position) -> ProgramResult {
    stored::require_invariants(position.invariants_hold())
}
