//! The interface's error numbers as the runtime wants them.

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use pinocchio::error::ProgramError;

/// One of the program's own errors.
pub const fn own(error: CryptoBetError) -> ProgramError {
    ProgramError::Custom(error as u32)
}

/// An error that clients know from Anchor's framework.
pub const fn framework(error: FrameworkError) -> ProgramError {
    ProgramError::Custom(error as u32)
}
