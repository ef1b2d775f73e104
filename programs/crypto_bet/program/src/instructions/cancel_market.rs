//! `cancel_market()`: everybody gets back what they paid.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | yes | | who cancels |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//!
//! The platform's authority can until the result is final; the market's authority while nobody has
//! bet (later it could take back lost bets of its own); anybody when no result was proposed, or a
//! dispute not decided, within the resolution window, or when a pause of everything has kept a proposed
//! result from becoming final for that long. It works in every pause scope, as refunds do.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`] and [`market::edit`]
//! * `MarketAlreadyResolved`: it ended
//! * `Unauthorized`: the signer cannot, at least not yet

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::CancelMarket;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState, PauseScope};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::{checks, event_log, global_config, market, settlement};

/// Validates and cancels.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let CancelMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, CancelMarket::DEMANDS)?;
    let [user, config_account, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut config = global_config::edit(config_account, program_id)?;
    let mut market = market::edit(account, program_id)?;
    let actor = checks::key(user);
    let now = event_log::now()?;
    validate(&config, &market, actor, now)?;
    settlement::cancel(&mut config, &mut market, address, actor, now)
}

/// Whether `actor` may cancel the market now.
fn validate(config: &GlobalConfig, market: &Market, actor: Key, now: i64) -> Checked {
    market::require_not_final(market)?;
    let may = actor == config.authority
        || (actor == market.authority && market.participants == 0)
        || is_overdue(config, market, now)?;
    if may {
        Ok(())
    } else {
        Err(own(CryptoBetError::Unauthorized))
    }
}

/// Whether those who had to decide did not.
fn is_overdue(config: &GlobalConfig, market: &Market, now: i64) -> Result<bool, Failure> {
    let waiting_since = match market.state {
        MarketState::Active | MarketState::Paused => market.resolution_time,
        MarketState::Disputed => market.state_since,
        // nobody can finalize it
        MarketState::Proposed if config.pause_scope > PauseScope::NewBets => {
            market::after(market.state_since, market.dispute_window)?
        }
        // anybody can finalize it
        MarketState::Proposed | MarketState::Resolved | MarketState::Cancelled => return Ok(false),
    };
    Ok(now >= market::after(waiting_since, market.resolution_window)?)
}
