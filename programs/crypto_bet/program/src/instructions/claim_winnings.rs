//! `claim_winnings()`: pays a user's winnings to the user.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | | yes | whose position it is; receives lamports |
//! | 1 | market | | yes | the market |
//! | 2 | position | | yes | PDA `["position", user, market]` |
//! | 3 | vault | | yes | the market's vault of the winning side |
//! | 4 | receiver_token | | yes | Stable only: a token account that the user owns |
//! | 5 | token_program | | | Stable only: the SPL Token program |
//!
//! Nobody has to sign: the money can only go to the user. The configuration is not among the
//! accounts: no pause reaches a claim.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`, `InvalidProgramId`
//! * those of [`market::edit`] and [`position::edit`]
//! * `MarketStateInvalid`: there is no final result
//! * `AlreadyClaimed`, `NothingToClaim`: paid, no winning shares, or swept
//! * `ConstraintSeeds`: another vault; `AccountMismatch`: another's token account
//! * `Insolvent`: the vault holds less than what it owes

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::ClaimWinnings;
use crypto_bet_interface::payout;
use crypto_bet_interface::state::{Market, MarketState, Position, Side};
use pinocchio::{AccountView, Address};

use crate::claim::{self, Payment};
use crate::errors::{Checked, Failure, framework, own};
use crate::vault::Vaults;
use crate::{checks, market, position};

/// Validates and pays.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let ClaimWinnings {} = checks::arguments(arguments)?;
    checks::flags(accounts, ClaimWinnings::DEMANDS)?;
    let [user, account, position_account, vault, rest @ ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let user_key = checks::key(user);
    let mut market = market::edit(account, program_id)?;
    let mut position = position::edit(position_account, &user_key, &address, program_id)?;
    let (winner, payment) = validate(&market, &position)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(vault, winner, program_id)?;

    vaults.pay(vault, winner, user, rest, payment.amount)?;
    claim::count(&mut market, &mut position, &payment)?;
    let owed = claim::still_owed(&market)?;
    vaults.require_covered(vault, owed)?;
    claim::announce(&mut market, address, &position, false)
}

/// The winning side, and what the position gets.
fn validate(market: &Market, position: &Position) -> Result<(Side, Payment), Failure> {
    let winner = market
        .result
        .winner()
        .filter(|_| market.state == MarketState::Resolved)
        .ok_or(own(CryptoBetError::MarketStateInvalid))?;
    claim::require_open(market, position)?;
    let shares = position.shares(winner);
    if shares == 0 {
        return Err(own(CryptoBetError::NothingToClaim));
    }
    let amount = payout::winnings(shares, market.payout_pool, market.pool(winner))
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    #[cfg(feature = "mutant-rounding")]
    let amount = amount.saturating_add(1);
    Ok((winner, Payment { shares, amount }))
}
