//! `sweep_market()`: pays what is left in the vaults to the treasury.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | yes_vault | | yes | PDA `["yes_vault", market]` |
//! | 4 | no_vault | | yes | PDA `["no_vault", market]` |
//! | 5 | treasury | | yes | the platform's treasury; receives lamports |
//! | 6 | receiver_token | | yes | Stable only: a token account that the treasury owns |
//! | 7 | token_program | | | Stable only: the SPL Token program |
//!
//! Once every share was paid, what is left are remains of rounding and what strangers sent. Before
//! that, users have the sweep delay to claim; the authority has to sign, because it may want to wait
//! longer. It can be repeated: what strangers send to a swept vault must not keep it from being closed.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`,
//!   `InvalidProgramId`
//! * those of [`global_config::edit`] and [`market::edit`]; `PlatformPaused`
//! * `Unauthorized`: not the authority; `AccountMismatch`: not the treasury, or not its token account
//! * `MarketStateInvalid`: the market has not ended; `AlreadyClaimed`: swept, and nothing there
//! * `TooEarly`: somebody may still claim
//! * `ConstraintSeeds`: other vaults

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::MarketSwept;
use crypto_bet_interface::instructions::SweepMarket;
use crypto_bet_interface::state::{GlobalConfig, Market, PauseScope, Side};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::vault::Vaults;
use crate::{checks, event_log, fees, global_config, market};

/// Validates and sweeps.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let SweepMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, SweepMarket::DEMANDS)?;
    let [
        authority,
        config_account,
        account,
        yes_vault,
        no_vault,
        treasury,
        rest @ ..,
    ] = accounts
    else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut config = global_config::edit(config_account, program_id)?;
    let mut market = market::edit(account, program_id)?;
    let now = event_log::now()?;
    validate(&config, &market, checks::key(authority), now)?;
    checks::address(treasury, &config.treasury)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(yes_vault, Side::Yes, program_id)?;
    vaults.require(no_vault, Side::No, program_id)?;

    let mut amount = 0u64;
    for (vault, side) in [(yes_vault, Side::Yes), (no_vault, Side::No)] {
        let left = vaults.balance(vault)?;
        if left > 0 {
            vaults.pay(vault, side, treasury, rest, left)?;
        }
        amount = amount
            .checked_add(left)
            .ok_or(own(CryptoBetError::NumberOverflow))?;
    }
    if market.swept && amount == 0 {
        return Err(own(CryptoBetError::AlreadyClaimed));
    }
    fees::count_withdrawn(&mut config, &mut market)?;
    global_config::require_invariants(&config)?;
    market.swept = true;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    event_log::write(MarketSwept {
        sequence,
        timestamp: now,
        market: address,
        treasury: config.treasury,
        amount,
    });
    Ok(())
}

/// Whether `actor` may sweep the market now.
fn validate(config: &GlobalConfig, market: &Market, actor: Key, now: i64) -> Checked {
    global_config::require_authority(config, actor)?;
    global_config::require_paused_at_most(config, PauseScope::NewBets)?;
    if !market.state.is_final() {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    if !market.nothing_owed() && now < market::after(market.state_since, market.sweep_delay)? {
        return Err(own(CryptoBetError::TooEarly));
    }
    Ok(())
}
