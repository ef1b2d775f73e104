//! Events, by the `sol_log_data` syscall: 100 CU and one per byte, where Anchor's `emit_cpi!` would
//! call the program again for over 1,000.

use crypto_bet_interface::in_place::{Framed, InPlace};
use crypto_bet_interface::wire::Tagged;
use pinocchio::sysvars::clock::CLOCK_ID;
use pinocchio::sysvars::get_sysvar;

use crate::errors::Failure;
use crate::syscalls;

/// Unix time of the cluster in seconds.
///
/// # Errors
/// That of the sysvar syscall.
#[inline(never)] // one copy of the code, whoever calls
pub fn now() -> Result<i64, Failure> {
    let mut time = [0; 8];
    get_sysvar(&mut time, &CLOCK_ID, 32)?; // behind slot, epoch's start, epoch, leaders' epoch
    Ok(i64::from_le_bytes(time))
}

/// Writes the event to the log as one `Program data:` line.
#[inline(always)] // the event is built where it is written
pub fn write<E: Tagged + InPlace>(event: E) {
    syscalls::log_data(Framed::new(event).bytes());
}
