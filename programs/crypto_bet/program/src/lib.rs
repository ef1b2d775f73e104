//! `crypto_bet`: parimutuel prediction markets on Solana.
//!
//! Anchor's wire format (8-byte discriminators, Borsh) without its framework. The program holds no
//! id of its own: it takes the one it was called by, so one ELF serves every environment.
//!
//! * `instructions`: one file each; it validates, then takes effect
//! * `checks`: what is demanded of accounts
//! * `global_config`, `market`, `position`: the only way to read and to write these accounts, by `stored`
//! * `vault`, `token`: the money; `settlement`, `claim`, `fees`: who gets it
//! * `terms`: what a bettor relies on; `pause`; `new_account`; `event_log`
//! * `entry`, `syscalls`, `memory`: the only unsafe code, beside the interface's casts of records
#![no_std]

use pinocchio::{AccountView, Address, no_allocator, nostd_panic_handler};

use crypto_bet_interface::discriminator::DISCRIMINATOR_LEN;
use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::instructions::{
    AcceptAuthority, CancelMarket, ClaimRefund, ClaimWinnings, CloseMarket, ClosePosition,
    CreateMarket, DisputeMarket, EmergencyPause, EmergencyUnpause, FinalizeMarket,
    InitializeProgram, Migrate, PauseMarket, PlaceBet, ProposeAuthority, ResolveMarket,
    RuleDispute, SettleBond, SweepMarket, UnpauseMarket, UpdateConfig, UpdateMarket, WithdrawFees,
};

// A dependency for its feature's sake only.
use solana_define_syscall as _;

mod checks;
mod claim;
mod entry;
mod errors;
mod event_log;
mod fees;
mod global_config;
mod instructions;
mod market;
mod memory;
mod new_account;
mod pause;
mod position;
mod security;
mod settlement;
mod stored;
mod syscalls;
mod terms;
mod token;
mod vault;

use errors::{Checked, framework};
use instructions::{
    accept_authority, cancel_market, claim_refund, claim_winnings, close_market, close_position,
    create_market, dispute_market, emergency_pause, emergency_unpause, finalize_market,
    initialize_program, migrate, pause_market, place_bet, propose_authority, resolve_market,
    rule_dispute, settle_bond, sweep_market, unpause_market, update_config, update_market,
    withdraw_fees,
};

no_allocator!();
nostd_panic_handler!();

/// Hands the instruction to its file.
///
/// # Errors
/// `InstructionFallbackNotFound` when the data starts with no known discriminator, else what the
/// instruction's own file says.
#[inline(never)]
fn dispatch(program_id: &Address, accounts: &mut [AccountView], data: &[u8]) -> Checked {
    let Some((discriminator, arguments)) = data.split_first_chunk::<DISCRIMINATOR_LEN>() else {
        return Err(framework(FrameworkError::InstructionFallbackNotFound));
    };
    // As numbers: eight bytes would be compared one by one. The most frequent ones first.
    match u64::from_le_bytes(*discriminator) {
        PlaceBet::NUMBER => place_bet::process(program_id, accounts, arguments),
        ClaimWinnings::NUMBER => claim_winnings::process(program_id, accounts, arguments),
        ClaimRefund::NUMBER => claim_refund::process(program_id, accounts, arguments),
        EmergencyPause::NUMBER => emergency_pause::process(program_id, accounts, arguments),
        EmergencyUnpause::NUMBER => emergency_unpause::process(program_id, accounts, arguments),
        AcceptAuthority::NUMBER => accept_authority::process(program_id, accounts, arguments),
        CancelMarket::NUMBER => cancel_market::process(program_id, accounts, arguments),
        CloseMarket::NUMBER => close_market::process(program_id, accounts, arguments),
        ClosePosition::NUMBER => close_position::process(program_id, accounts, arguments),
        CreateMarket::NUMBER => create_market::process(program_id, accounts, arguments),
        DisputeMarket::NUMBER => dispute_market::process(program_id, accounts, arguments),
        FinalizeMarket::NUMBER => finalize_market::process(program_id, accounts, arguments),
        InitializeProgram::NUMBER => initialize_program::process(program_id, accounts, arguments),
        Migrate::NUMBER => migrate::process(program_id, accounts, arguments),
        PauseMarket::NUMBER => pause_market::process(program_id, accounts, arguments),
        ProposeAuthority::NUMBER => propose_authority::process(program_id, accounts, arguments),
        ResolveMarket::NUMBER => resolve_market::process(program_id, accounts, arguments),
        RuleDispute::NUMBER => rule_dispute::process(program_id, accounts, arguments),
        SettleBond::NUMBER => settle_bond::process(program_id, accounts, arguments),
        SweepMarket::NUMBER => sweep_market::process(program_id, accounts, arguments),
        UnpauseMarket::NUMBER => unpause_market::process(program_id, accounts, arguments),
        UpdateConfig::NUMBER => update_config::process(program_id, accounts, arguments),
        UpdateMarket::NUMBER => update_market::process(program_id, accounts, arguments),
        WithdrawFees::NUMBER => withdraw_fees::process(program_id, accounts, arguments),
        _ => Err(framework(FrameworkError::InstructionFallbackNotFound)),
    }
}
