//! `rule_dispute(result)`: decides a disputed market. This is final.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | yes_vault | | yes | PDA `["yes_vault", market]` |
//! | 4 | no_vault | | yes | PDA `["no_vault", market]` |
//! | 5 | token_program | | | Stable only: the SPL Token program |
//!
//! Who finds that no result is right cancels the market instead.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`] and [`market::edit`]; `PlatformPaused`
//! * `Unauthorized`: not the authority
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: it is not disputed
//! * those of [`settlement::decide`]

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::instructions::RuleDispute;
use crypto_bet_interface::state::{MarketState, PauseScope};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework};
use crate::settlement::{self, Ending};
use crate::{checks, event_log, global_config, market};

/// Validates and decides.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let RuleDispute { result } = checks::arguments(arguments)?;
    checks::flags(accounts, RuleDispute::DEMANDS)?;
    let [
        authority,
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
    let actor = checks::key(authority);
    global_config::require_authority(&config, actor)?;
    global_config::require_paused_at_most(&config, PauseScope::NewBets)?;
    market::require_state(&market, MarketState::Disputed)?;

    let accounts = Ending {
        market: address,
        yes_vault,
        no_vault,
        rest,
    };
    let now = event_log::now()?;
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
