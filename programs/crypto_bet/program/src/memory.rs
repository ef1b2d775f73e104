//! The functions that the compiler calls for large copies and comparisons, by the runtime's own: about
//! 10 CU and one for each 250 bytes. Only these: crates that bring them bring 128-bit helpers too,
//! which this toolchain calls wrongly (ADR 0002). The vendor's toolchain has its own.
#![cfg(target_arch = "bpf")]

use pinocchio::syscalls::{sol_memcmp_, sol_memcpy_, sol_memset_};

/// # Safety
/// As C's `memcpy`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the syscall's demand.
    unsafe { sol_memcpy_(to, from, length as u64) };
    to
}

/// # Safety
/// As C's `memset`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    // SAFETY: the caller's promise is the syscall's demand.
    unsafe { sol_memset_(to, byte.to_le_bytes()[0], length as u64) };
    to
}

/// # Safety
/// As C's `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, length: usize) -> i32 {
    let mut order = 0;
    // SAFETY: the caller's promise is the syscall's demand; `order` is an i32 of this frame.
    unsafe { sol_memcmp_(a, b, length as u64, &raw mut order) };
    order
}
