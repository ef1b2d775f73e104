//! `update_market(…)`: changes the terms of a market in which nobody has bet.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the market's authority |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//!
//! A bet that was signed for the terms before fails with `TermsChanged`: it names their number.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::read`] and [`market::edit`]; `PlatformPaused`
//! * `Unauthorized`: not the market's authority
//! * `MarketAlreadyResolved`, `TermsFixed`: it ended, or somebody has bet
//! * those of [`terms::validate`] and [`terms::next_version`]

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::MarketUpdated;
use crypto_bet_interface::instructions::UpdateMarket;
use crypto_bet_interface::state::{Market, PauseScope};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::terms::{self, Terms};
use crate::{checks, event_log, global_config, market};

/// Validates and changes.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let wanted: UpdateMarket = checks::arguments(arguments)?;
    checks::flags(accounts, UpdateMarket::DEMANDS)?;
    let [authority, config_account, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let config = global_config::read(config_account, program_id)?;
    global_config::require_paused_at_most(&config, PauseScope::NewBets)?;
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    validate(&market, checks::key(authority))?;
    let now = event_log::now()?;
    let terms = Terms {
        betting_ends_at: wanted.betting_ends_at,
        resolution_time: wanted.resolution_time,
        oracle: wanted.oracle,
        title: wanted.title,
        description: wanted.description,
        category: wanted.category,
        metadata_uri: wanted.metadata_uri,
    };
    terms::validate(&config, &terms, now)?;

    terms::apply(&mut market, &terms)?;
    market.terms_version = terms::next_version(market.terms_version)?;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    event_log::write(MarketUpdated {
        sequence,
        timestamp: now,
        market: address,
        terms_version: market.terms_version,
        betting_ends_at: market.betting_ends_at,
        resolution_time: market.resolution_time,
    });
    Ok(())
}

/// Whether `actor` may change the terms now.
fn validate(market: &Market, actor: Key) -> Checked {
    if actor != market.authority {
        return Err(own(CryptoBetError::Unauthorized));
    }
    market::require_not_final(market)?;
    // a proposed result counts as well: it is for the terms that there were
    if market.participants > 0 || !market.state.is_open() {
        return Err(own(CryptoBetError::TermsFixed));
    }
    Ok(())
}
