//! From the runtime's bytes to accounts.
//!
//! The input (source: the loader's aligned serialization, `solana-program-entrypoint`): number of
//! accounts u64, the accounts, length of the instruction's data u64, the data, the program's id. An
//! account is 88 bytes of header (first byte 255), its content, 10,240 bytes of room to grow, padding
//! to a multiple of 8, and 8 bytes without a meaning; one that was there before is 8 bytes, of which the
//! first says which.

use core::mem::MaybeUninit;
use core::slice::{from_raw_parts, from_raw_parts_mut};

use pinocchio::account::{MAX_PERMITTED_DATA_INCREASE, RuntimeAccount};
use pinocchio::{AccountView, Address};

/// Most accounts that any instruction takes; what a client passes beyond them is not looked at.
const MAX_ACCOUNTS: usize = 8;
/// First byte of an account that was not there before. Pinocchio counts borrows in it.
const NEW: u8 = u8::MAX;

/// Reads the accounts in a loop, where pinocchio's own entrypoint does without one, in four times as
/// much code.
///
/// # Safety
/// `input` is what the runtime passes.
#[unsafe(no_mangle)]
#[allow(clippy::arithmetic_side_effects)] // within the input, as the runtime laid it out
pub unsafe extern "C" fn entrypoint(input: *mut u8) -> u64 {
    let mut room = [const { MaybeUninit::<AccountView>::uninit() }; MAX_ACCOUNTS];
    // SAFETY: every read is of what the layout above has at that place; an index to an earlier account
    // is less than the number of this one.
    let (program_id, accounts, data) = unsafe {
        let total = *input.cast::<usize>(); // a u64, as usize is on chain
        let mut at = input.add(8);
        for place in 0..total {
            let account = if *at == NEW {
                let account = AccountView::new_unchecked(at.cast());
                let length = account.data_len() + MAX_PERMITTED_DATA_INCREASE;
                at = at.add(size_of::<RuntimeAccount>() + length);
                at = at.add(at.align_offset(8) + 8);
                MaybeUninit::new(account)
            } else {
                let earlier = usize::from(*at);
                at = at.add(8);
                room.get(earlier)
                    .map_or(MaybeUninit::uninit(), |known| *known)
            };
            if let Some(free) = room.get_mut(place) {
                *free = account;
            }
        }
        let accounts = total.min(MAX_ACCOUNTS);
        let length = *at.cast::<usize>();
        let data = at.add(8);
        (
            &*data.add(length).cast::<Address>(),
            from_raw_parts_mut(room.as_mut_ptr().cast::<AccountView>(), accounts),
            from_raw_parts(data, length),
        )
    };
    match crate::dispatch(program_id, accounts, data) {
        Ok(()) => 0,
        Err(failure) => failure.into(),
    }
}
