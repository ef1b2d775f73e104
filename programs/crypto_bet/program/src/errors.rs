//! How the program fails: one number, as the runtime takes it.

use core::num::NonZeroU64;

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use pinocchio::error::ProgramError;

/// An error as the runtime's number. `ProgramError` says the same in two words, which a function
/// cannot return in a register: half of the program would be the moving of errors.
#[derive(Clone, Copy)]
pub struct Failure(NonZeroU64);

/// What can fail and yields nothing.
pub type Checked = Result<(), Failure>;

impl Failure {
    const fn of(number: u32) -> Self {
        match NonZeroU64::new(number as u64) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MAX), // no error has the number 0
        }
    }
}

impl From<Failure> for u64 {
    fn from(failure: Failure) -> Self {
        failure.0.get()
    }
}

impl From<ProgramError> for Failure {
    #[inline(never)] // one copy of the table, whoever fails
    fn from(error: ProgramError) -> Self {
        Self(NonZeroU64::new(error.into()).unwrap_or(NonZeroU64::MAX))
    }
}

/// One of the program's own errors.
pub const fn own(error: CryptoBetError) -> Failure {
    Failure::of(error as u32)
}

/// An error that clients know from Anchor's framework.
pub const fn framework(error: FrameworkError) -> Failure {
    Failure::of(error as u32)
}
