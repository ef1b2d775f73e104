//! `close_market()`: returns the rent of a market and its vaults.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | | yes | the market's authority; receives the rent |
//! | 1 | market | | yes | the market |
//! | 2 | yes_vault | | yes | PDA `["yes_vault", market]` |
//! | 3 | no_vault | | yes | PDA `["no_vault", market]` |
//! | 4 | token_program | | | Stable only: the SPL Token program |
//!
//! Nobody has to sign. All positions are closed before: the authority can create a market with the same
//! number, hence at the same address, and a position of the former one would count in it.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`, `InvalidProgramId`
//! * those of [`market::edit`]
//! * `AccountMismatch`: not the market's authority
//! * `MarketStateInvalid`: the market has not ended
//! * `MoneyStillOwed`: it is not swept, a position is open, or a bond not settled
//! * `ConstraintSeeds`: other vaults

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::MarketClosed;
use crypto_bet_interface::instructions::CloseMarket;
use crypto_bet_interface::state::{Market, Side};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::vault::Vaults;
use crate::{checks, event_log, market, new_account};

/// Validates and closes.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let CloseMarket {} = checks::arguments(arguments)?;
    checks::flags(accounts, CloseMarket::DEMANDS)?;
    let [authority, account, yes_vault, no_vault, rest @ ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    checks::address(authority, &market.authority)?;
    validate(&market)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(yes_vault, Side::Yes, program_id)?;
    vaults.require(no_vault, Side::No, program_id)?;

    vaults.close(yes_vault, Side::Yes, authority, rest)?;
    vaults.close(no_vault, Side::No, authority, rest)?;
    let sequence = market::next_event(&mut market)?;
    drop(market);
    new_account::close(account, authority)?;
    event_log::write(MarketClosed {
        sequence,
        timestamp: event_log::now()?,
        market: address,
        authority: checks::key(authority),
    });
    Ok(())
}

/// Whether nobody needs the market any more. One in which nobody had bet has nothing to sweep.
fn validate(market: &Market) -> Checked {
    if !market.state.is_final() {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    let empty = market.swept || market.total_pool() == 0;
    if empty && market.open_positions == 0 && market.dispute_bond == 0 {
        Ok(())
    } else {
        Err(own(CryptoBetError::MoneyStillOwed))
    }
}
