//! `settle_bond()`: pays out the bond of a disputer.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | receiver | | yes | the disputer when the dispute was right, else the platform's treasury |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//!
//! Apart from the ruling: a receiver that cannot take lamports must not stop a decision. A dispute was
//! right when the final result is another than the proposed one, or none.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `ConstraintMut`
//! * those of [`global_config::read`] and [`market::edit`]
//! * `MarketStateInvalid`: the market has not ended; `NothingToClaim`: there is no bond
//! * `AccountMismatch`: another receiver

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::BondSettled;
use crypto_bet_interface::instructions::SettleBond;
use crypto_bet_interface::state::{GlobalConfig, Market};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::{checks, event_log, global_config, market, new_account};

/// Validates and pays.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let SettleBond {} = checks::arguments(arguments)?;
    checks::flags(accounts, SettleBond::DEMANDS)?;
    let [receiver, config_account, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let config = global_config::read(config_account, program_id)?;
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    let receiver_key = validate(&config, &market)?;
    checks::address(receiver, &receiver_key)?;

    let amount = market.dispute_bond;
    market.dispute_bond = 0;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    drop(market);
    new_account::move_lamports(account, receiver, amount)?;
    event_log::write(BondSettled {
        sequence,
        timestamp: event_log::now()?,
        market: address,
        receiver: receiver_key,
        amount,
    });
    Ok(())
}

/// Who gets the bond.
fn validate(config: &GlobalConfig, market: &Market) -> Result<Key, Failure> {
    if !market.state.is_final() {
        return Err(own(CryptoBetError::MarketStateInvalid));
    }
    if market.dispute_bond == 0 {
        return Err(own(CryptoBetError::NothingToClaim));
    }
    if market.result == market.proposed {
        Ok(config.treasury)
    } else {
        Ok(market.disputer)
    }
}
