//! `close_position()`: returns the rent of a position that has nothing to claim.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | | yes | whose position it is; receives the rent |
//! | 1 | market | | yes | the market |
//! | 2 | position | | yes | PDA `["position", user, market]` |
//!
//! Nobody has to sign: the rent can only go to the user. The market has ended, so that no bet can
//! open the position again.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`
//! * those of [`market::edit`] and [`position::edit`]
//! * `MarketStateInvalid`: the market has not ended
//! * `MoneyStillOwed`: there is something to claim

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::PositionClosed;
use crypto_bet_interface::instructions::ClosePosition;
use crypto_bet_interface::state::{Market, Position};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, event_log, market, new_account, position};

/// Validates and closes.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let ClosePosition {} = checks::arguments(arguments)?;
    checks::flags(accounts, ClosePosition::DEMANDS)?;
    let [user, account, position_account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let user_key = checks::key(user);
    let mut market = market::edit(account, program_id)?;
    let position = position::edit(position_account, &user_key, &address, program_id)?;
    validate(&market, &position)?;
    drop(position);

    market.open_positions = market
        .open_positions
        .checked_sub(1)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    new_account::close(position_account, user)?;
    event_log::write(PositionClosed {
        sequence,
        timestamp: event_log::now()?,
        market: address,
        user: user_key,
    });
    Ok(())
}

/// Whether nothing is left to claim.
fn validate(market: &Market, position: &Position) -> Checked {
    if !market.state.is_final() {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    let lost = market
        .result
        .winner()
        .is_some_and(|winner| position.shares(winner) == 0);
    if position.claimed || market.swept || lost {
        Ok(())
    } else {
        Err(own(CryptoBetError::MoneyStillOwed))
    }
}
