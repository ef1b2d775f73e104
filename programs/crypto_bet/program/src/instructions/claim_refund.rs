//! `claim_refund()`: pays back what a user paid into a cancelled market.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | | yes | whose position it is; receives lamports |
//! | 1 | market | | yes | the market |
//! | 2 | position | | yes | PDA `["position", user, market]` |
//! | 3 | yes_vault | | yes | PDA `["yes_vault", market]` |
//! | 4 | no_vault | | yes | PDA `["no_vault", market]` |
//! | 5 | receiver_token | | yes | Stable only: a token account that the user owns |
//! | 6 | token_program | | | Stable only: the SPL Token program |
//!
//! Nobody has to sign, and no pause reaches it, as for `claim_winnings`.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`, `InvalidProgramId`
//! * those of [`market::edit`] and [`position::edit`]
//! * `MarketStateInvalid`: it is not cancelled
//! * `AlreadyClaimed`, `NothingToClaim`: paid, or swept
//! * `ConstraintSeeds`: other vaults; `AccountMismatch`: another's token account
//! * `Insolvent`: a vault holds less than what it owes

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::instructions::ClaimRefund;
use crypto_bet_interface::state::{Market, MarketState, Position, Side};
use pinocchio::{AccountView, Address};

use crate::claim::{self, Payment};
use crate::errors::{Checked, Failure, framework, own};
use crate::vault::Vaults;
use crate::{checks, market, position};

/// Validates and pays.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let ClaimRefund {} = checks::arguments(arguments)?;
    checks::flags(accounts, ClaimRefund::DEMANDS)?;
    let [
        user,
        account,
        position_account,
        yes_vault,
        no_vault,
        rest @ ..,
    ] = accounts
    else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let user_key = checks::key(user);
    let mut market = market::edit(account, program_id)?;
    let mut position = position::edit(position_account, &user_key, &address, program_id)?;
    let payment = validate(&market, &position)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(yes_vault, Side::Yes, program_id)?;
    vaults.require(no_vault, Side::No, program_id)?;

    for (vault, side) in [(yes_vault, Side::Yes), (no_vault, Side::No)] {
        let shares = position.shares(side);
        if shares > 0 {
            vaults.pay(vault, side, user, rest, shares)?;
        }
    }
    claim::count(&mut market, &mut position, &payment)?;
    claim::announce(&mut market, address, &position, true)
}

/// What the position gets: a base unit for each share.
fn validate(market: &Market, position: &Position) -> Result<Payment, Failure> {
    if market.state != MarketState::Cancelled {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    claim::require_open(market, position)?;
    let shares = position
        .yes_shares
        .checked_add(position.no_shares)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    Ok(Payment {
        shares,
        amount: shares,
    })
}
