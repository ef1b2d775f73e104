//! Events, by the `sol_log_data` syscall: 100 CU and one per byte, where Anchor's `emit_cpi!` would
//! call the program again for over 1,000.

use crypto_bet_interface::wire::Tagged;
use pinocchio::error::ProgramError;
use pinocchio::sysvars::Sysvar;
use pinocchio::sysvars::clock::Clock;

use crate::syscalls;

/// Room for the longest event, discriminator included.
const MAX_EVENT_LEN: usize = 320;

/// Unix time of the cluster in seconds.
///
/// # Errors
/// That of the sysvar syscall.
pub fn now() -> Result<i64, ProgramError> {
    Ok(Clock::get()?.unix_timestamp)
}

/// Writes the event to the log as one `Program data:` line.
///
/// # Errors
/// None in practice: an event without room does not compile.
pub fn write<E: Tagged>(event: &E) -> Result<(), ProgramError> {
    const { assert!(E::TAGGED_LEN <= MAX_EVENT_LEN) };
    let mut room = [0; MAX_EVENT_LEN];
    let bytes = room
        .get_mut(..E::TAGGED_LEN)
        .ok_or(ProgramError::InvalidArgument)?;
    event
        .write_tagged(bytes)
        .ok_or(ProgramError::InvalidArgument)?;
    syscalls::log_data(bytes);
    Ok(())
}
