//! How a market ends.

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::payout;
use crypto_bet_interface::state::{GlobalConfig, Market, MarketState, Outcome, Side};
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, own};
use crate::vault::Vaults;
use crate::{global_config, market};

/// A market with the accounts of its money, of an instruction that ends it with a result.
pub struct Ending<'a> {
    /// The market's address.
    pub market: Key,
    /// Its YES vault.
    pub yes_vault: &'a mut AccountView,
    /// Its NO vault.
    pub no_vault: &'a mut AccountView,
    /// The token program, of a Stable market.
    pub rest: &'a [AccountView],
}

/// Makes `result` final. Without a bet on one of the sides nobody can win anything: then the market
/// is cancelled.
///
/// # Errors
/// `ConstraintSeeds`: not the market's vaults; those of the vaults, and `InvariantViolated`.
#[inline(never)] // one copy of the code, whoever calls
pub fn decide(
    program_id: &Address,
    accounts: Ending,
    config: &mut GlobalConfig,
    market: &mut Market,
    actor: Key,
    result: Side,
    now: i64,
) -> Checked {
    let Ending {
        market: address,
        yes_vault,
        no_vault,
        rest,
    } = accounts;
    let vaults = Vaults::of(address, market);
    vaults.require(yes_vault, Side::Yes, program_id)?;
    vaults.require(no_vault, Side::No, program_id)?;

    let losing_pool = market.pool(result.other());
    if market.pool(result) == 0 || losing_pool == 0 {
        return cancel(config, market, address, actor, now);
    }
    let old_state = market.state;
    let total = market.total_pool();
    market.fee = payout::fee(total, market.fee_bps, losing_pool);
    market.payout_pool = subtract(total, market.fee)?;
    market.result = match result {
        Side::Yes => Outcome::Yes,
        Side::No => Outcome::No,
    };
    market::enter(market, MarketState::Resolved, now);

    let (winning, losing) = match result {
        Side::Yes => (yes_vault, no_vault),
        Side::No => (no_vault, yes_vault),
    };
    let profit = subtract(losing_pool, market.fee)?;
    vaults.shift(losing, result.other(), winning, rest, profit)?;
    vaults.require_covered(winning, market.payout_pool)?;
    vaults.require_covered(losing, market.fee)?;

    count(config, market)?;
    global_config::require_invariants(config)?;
    market::announce_state(market, address, actor, old_state, now)
}

/// Cancels the market: every share is paid back.
///
/// # Errors
/// `NumberOverflow`, `InvariantViolated`.
#[inline(never)] // one copy of the code, whoever calls
pub fn cancel(
    config: &mut GlobalConfig,
    market: &mut Market,
    address: Key,
    actor: Key,
    now: i64,
) -> Checked {
    let old_state = market.state;
    market.payout_pool = market.total_pool();
    market::enter(market, MarketState::Cancelled, now);
    count(config, market)?;
    global_config::require_invariants(config)?;
    market::announce_state(market, address, actor, old_state, now)
}

/// Adds an ended market to the platform's totals.
fn count(config: &mut GlobalConfig, market: &Market) -> Checked {
    let overflow = || own(CryptoBetError::NumberOverflow);
    let asset = config.asset_mut(market.kind);
    let volume = asset.volume;
    asset.volume = volume
        .checked_add(u128::from(market.total_pool()))
        .ok_or_else(overflow)?;
    asset.fees_accrued = asset
        .fees_accrued
        .checked_add(market.fee)
        .ok_or_else(overflow)?;
    Ok(())
}

fn subtract(a: u64, b: u64) -> Result<u64, Failure> {
    a.checked_sub(b).ok_or(own(CryptoBetError::NumberOverflow))
}
