//! `unpause_market()`: the market takes bets again.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//!
//! Setting the present state succeeds without a change and without an event, as for the platform.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::read`] and [`market::edit`]
//! * `Unauthorized`: the signer may not
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: it ended, or has a proposed result

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::instructions::UnpauseMarket;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework};
use crate::{checks, event_log, global_config, market};

/// Validates and changes the state.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let UnpauseMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, UnpauseMarket::DEMANDS)?;
    let [authority, config_account, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let config = global_config::read(config_account, program_id)?;
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    let actor = checks::key(authority);
    validate(&config, &market, actor)?;
    if market.state == MarketState::Active {
        return Ok(());
    }
    let now = event_log::now()?;
    market::enter(&mut market, MarketState::Active, now);
    market::announce_state(&mut market, address, actor, MarketState::Paused, now)
}

/// Whether `actor` may do it in this state.
fn validate(config: &GlobalConfig, market: &Market, actor: Key) -> Checked {
    global_config::require_authority(config, actor)?;
    if market.state == MarketState::Active {
        return Ok(());
    }
    market::require_state(market, MarketState::Paused)
}
