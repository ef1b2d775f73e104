//! `finalize_market()`: the proposed result becomes final.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | yes | | anybody |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | yes_vault | | yes | PDA `["yes_vault", market]` |
//! | 4 | no_vault | | yes | PDA `["no_vault", market]` |
//! | 5 | token_program | | | Stable only: the SPL Token program |
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`] and [`market::edit`]; `PlatformPaused`
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: no result is proposed, or it is disputed
//! * `TooEarly`: it may still be disputed
//! * those of [`settlement::decide`]

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::FinalizeMarket;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState, PauseScope, Side};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::settlement::{self, Ending};
use crate::{checks, event_log, global_config, market};

/// Validates and makes final.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let FinalizeMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, FinalizeMarket::DEMANDS)?;
    let [
        user,
        config_account,
        account,
        yes_vault,
        no_vault,
        rest @ ..,
    ] = accounts
    else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut config = global_config::edit(config_account, program_id)?;
    let mut market = market::edit(account, program_id)?;
    let now = event_log::now()?;
    let result = validate(&config, &market, now)?;

    let accounts = Ending {
        market: address,
        yes_vault,
        no_vault,
        rest,
    };
    let actor = checks::key(user);
    settlement::decide(
        program_id,
        accounts,
        &mut config,
        &mut market,
        actor,
        result,
        now,
    )
}

/// The result, when it may become final now.
fn validate(config: &GlobalConfig, market: &Market, now: i64) -> Result<Side, Failure> {
    global_config::require_paused_at_most(config, PauseScope::NewBets)?;
    market::require_state(market, MarketState::Proposed)?;
    if now < market::after(market.state_since, market.dispute_window)? {
        return Err(own(CryptoBetError::TooEarly));
    }
    // a proposed market has a proposed result, as its invariants say
    market
        .proposed
        .winner()
        .ok_or(own(CryptoBetError::InvariantViolated))
}
