//! `resolve_market(result)`: proposes the result of a market.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | resolver | yes | | the platform's resolver |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//!
//! The resolver is whom the configuration names at this moment, not at the market's creation: a
//! stolen key must not decide old markets.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::read`] and [`market::edit`]; `PlatformPaused`
//! * `Unauthorized`: not the resolver
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: it ended, or has a proposed result
//! * `TooEarly`, `TooLate`: before the resolution time, or after the window for it

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::ResolveMarket;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState, Outcome, PauseScope, Side};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, event_log, global_config, market};

/// Validates and proposes.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let ResolveMarket { result } = checks::arguments(arguments)?;
    #[cfg(not(feature = "mutant-signer"))]
    checks::flags(accounts, ResolveMarket::DEMANDS)?;
    let [resolver, config_account, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let config = global_config::read(config_account, program_id)?;
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    let actor = checks::key(resolver);
    let now = event_log::now()?;
    validate(&config, &market, actor, now)?;

    let old_state = market.state;
    market.proposed = match result {
        Side::Yes => Outcome::Yes,
        Side::No => Outcome::No,
    };
    market.resolver = actor;
    market::enter(&mut market, MarketState::Proposed, now);
    market::announce_state(&mut market, address, actor, old_state, now)
}

/// Whether `actor` may propose a result now.
fn validate(config: &GlobalConfig, market: &Market, actor: Key, now: i64) -> Checked {
    if actor != config.resolver {
        return Err(own(CryptoBetError::Unauthorized));
    }
    global_config::require_paused_at_most(config, PauseScope::NewBets)?;
    market::require_not_final(market)?;
    if !market.state.is_open() {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    if now < market.resolution_time {
        return Err(own(CryptoBetError::TooEarly));
    }
    if now >= market::after(market.resolution_time, market.resolution_window)? {
        return Err(own(CryptoBetError::TooLate));
    }
    Ok(())
}
