//! Reading and changing a position. Whoever changed it calls [`require_invariants`].

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::state::{POSITION_VERSION, Position};
use crypto_bet_interface::wire::Key;
use pinocchio::account::RefMut;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework};
use crate::stored;

/// The position of the user in the market. Owner and discriminator prove that this program made it,
/// and it makes positions at their one address only.
///
/// # Errors
/// Those of [`stored::edit`]; `ConstraintSeeds`: another user's, or in another market.
#[inline(never)] // one copy of the code, whoever calls
pub fn edit<'a>(
    account: &'a mut AccountView,
    user: &Key,
    market: &Key,
    program_id: &Address,
) -> Result<RefMut<'a, Position>, Failure> {
    let position: RefMut<Position> =
        stored::edit(account, program_id, POSITION_VERSION..=POSITION_VERSION)?;
    if position.user == *user && position.market == *market {
        Ok(position)
    } else {
        Err(framework(FrameworkError::ConstraintSeeds))
    }
}

/// The change leaves a possible position.
///
/// # Errors
/// `InvariantViolated`.
pub fn require_invariants(position: &Position) -> Checked {
    stored::require_invariants(position.invariants_hold())
}
