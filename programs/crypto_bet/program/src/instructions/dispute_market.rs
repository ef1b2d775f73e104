//! `dispute_market()`: the proposed result is wrong; the platform's authority is to decide.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | yes | yes | has a position, or is the platform's authority or guardian |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | position | | | PDA `["position", user, market]`; of authority and guardian not looked at |
//! | 4 | system_program | | | `11111111111111111111111111111111` |
//!
//! A bettor deposits the platform's dispute bond, so that delaying a market for nothing has a price.
//! It works in every pause scope: it only protects, and the window does not wait.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`,
//!   `InvalidProgramId`
//! * those of [`global_config::read`], [`market::edit`] and [`position::edit`]
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: no result is proposed
//! * `TooLate`: the window is over
//! * those of the System program: the bond is not there

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::DisputeMarket;
use crypto_bet_interface::state::{Market, MarketState};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, event_log, global_config, market, new_account, position};

/// Validates and disputes.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let DisputeMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, DisputeMarket::DEMANDS)?;
    let [user, config_account, account, position_account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let config = global_config::read(config_account, program_id)?;
    let address = checks::key(account);
    let actor = checks::key(user);
    let now = event_log::now()?;
    validate(&*market::edit(account, program_id)?, now)?;
    let is_operator = actor == config.authority || actor == config.guardian;
    if !is_operator {
        // having a position is having shares: none is kept without
        position::edit(position_account, &actor, &address, program_id)?;
    }

    let bond = if is_operator { 0 } else { config.dispute_bond };
    if bond > 0 {
        new_account::pay(user, account, bond)?;
    }
    let mut market = market::edit(account, program_id)?;
    market.dispute_bond = bond;
    let old_state = market.state;
    market.disputer = actor;
    market::enter(&mut market, MarketState::Disputed, now);
    market::announce_state(&mut market, address, actor, old_state, now)
}

/// Whether the market can be disputed now.
fn validate(market: &Market, now: i64) -> Checked {
    market::require_state(market, MarketState::Proposed)?;
    if now >= market::after(market.state_since, market.dispute_window)? {
        return Err(own(CryptoBetError::TooLate));
    }
    Ok(())
}
