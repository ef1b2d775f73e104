//! `crypto_bet`: parimutuel prediction markets on Solana.
//!
//! Anchor's wire format (8-byte discriminators, Borsh) without its framework. The program holds no
//! id of its own: it takes the one it was called by, so one ELF serves every environment.
//!
//! * `instructions`: one file each; it validates, then takes effect
//! * `checks`: what is demanded of accounts
//! * `global_config`: the only way to read and to write the configuration account
//! * `event_log`: events
//! * `syscalls`: the only unsafe code
#![no_std]

use pinocchio::{
    AccountView, Address, ProgramResult, no_allocator, nostd_panic_handler, program_entrypoint,
};

use crypto_bet_interface::discriminator::DISCRIMINATOR_LEN;
use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::instructions::{EmergencyPause, EmergencyUnpause, InitializeProgram};
use crypto_bet_interface::wire::Tagged;

// A dependency for its feature's sake only.
use solana_define_syscall as _;

mod checks;
mod errors;
mod event_log;
mod global_config;
mod instructions;
mod pause;
mod syscalls;

use errors::framework;

/// Most accounts that any instruction takes, with room for clients that pass more.
const MAX_ACCOUNTS: usize = 16;

program_entrypoint!(process_instruction, MAX_ACCOUNTS);
no_allocator!();
nostd_panic_handler!();

/// Hands the instruction to its file.
///
/// # Errors
/// `InstructionFallbackNotFound` when the data starts with no known discriminator, else what the
/// instruction's own file says.
#[inline(never)]
fn process_instruction(
    program_id: &Address,
    accounts: &mut [AccountView],
    data: &[u8],
) -> ProgramResult {
    let Some((discriminator, arguments)) = data.split_first_chunk::<DISCRIMINATOR_LEN>() else {
        return Err(framework(FrameworkError::InstructionFallbackNotFound));
    };
    match *discriminator {
        InitializeProgram::DISCRIMINATOR => {
            instructions::initialize_program::process(program_id, accounts, arguments)
        }
        EmergencyPause::DISCRIMINATOR => {
            instructions::emergency_pause::process(program_id, accounts, arguments)
        }
        EmergencyUnpause::DISCRIMINATOR => {
            instructions::emergency_unpause::process(program_id, accounts, arguments)
        }
        _ => Err(framework(FrameworkError::InstructionFallbackNotFound)),
    }
}
