//! `withdraw_fees()`: pays the fee of a resolved market to the treasury.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | treasury | | yes | the platform's treasury; receives lamports |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | vault | | yes | the market's vault of the losing side, where the fee stayed |
//! | 4 | receiver_token | | yes | Stable only: a token account that the treasury owns |
//! | 5 | token_program | | | Stable only: the SPL Token program |
//!
//! Nobody has to sign: the money can only go to the treasury.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`, `InvalidProgramId`
//! * those of [`global_config::edit`] and [`market::edit`]; `PlatformPaused`
//! * `AccountMismatch`: not the treasury, or not its token account
//! * `MarketStateInvalid`: there is no final result
//! * `AlreadyClaimed`, `NothingToClaim`: withdrawn, or no fee
//! * `ConstraintSeeds`: another vault

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::FeesWithdrawn;
use crypto_bet_interface::instructions::WithdrawFees;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState, PauseScope, Side};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::vault::Vaults;
use crate::{checks, event_log, fees, global_config, market};

/// Validates and pays.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let WithdrawFees {} = checks::arguments(arguments)?;
    checks::flags(accounts, WithdrawFees::DEMANDS)?;
    let [treasury, config_account, account, vault, rest @ ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut config = global_config::edit(config_account, program_id)?;
    let mut market = market::edit(account, program_id)?;
    checks::address(treasury, &config.treasury)?;
    let loser = validate(&config, &market)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(vault, loser, program_id)?;

    vaults.pay(vault, loser, treasury, rest, market.fee)?;
    fees::count_withdrawn(&mut config, &mut market)?;
    global_config::require_invariants(&config)?;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    event_log::write(FeesWithdrawn {
        sequence,
        timestamp: event_log::now()?,
        market: address,
        treasury: config.treasury,
        amount: market.fee,
    });
    Ok(())
}

/// The losing side, when there is a fee to withdraw.
fn validate(config: &GlobalConfig, market: &Market) -> Result<Side, Failure> {
    global_config::require_paused_at_most(config, PauseScope::NewBets)?;
    let winner = market
        .result
        .winner()
        .filter(|_| market.state == MarketState::Resolved)
        .ok_or(own(CryptoBetError::MarketStateInvalid))?;
    if market.fee_withdrawn {
        return Err(own(CryptoBetError::AlreadyClaimed));
    }
    if market.fee == 0 {
        return Err(own(CryptoBetError::NothingToClaim));
    }
    Ok(winner.other())
}
