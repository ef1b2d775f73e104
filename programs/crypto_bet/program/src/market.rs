//! Reading and changing a market. Whoever changed it calls [`require_invariants`].

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::events::MarketStateChanged;
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{MARKET_VERSION, Market, MarketState};
use crypto_bet_interface::wire::Key;
use pinocchio::account::{Ref, RefMut};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

use crate::errors::own;
use crate::{checks, event_log, stored};

/// The market in `account`, which is proved to be one of this program's.
///
/// # Errors
/// Those of [`stored::read`]; `ConstraintSeeds`: not at the derived address.
#[inline(never)] // one copy of the code, whoever calls
pub fn read<'a>(
    account: &'a AccountView,
    program_id: &Address,
) -> Result<Ref<'a, Market>, ProgramError> {
    let market: Ref<Market> = stored::read(account, program_id, MARKET_VERSION..=MARKET_VERSION)?;
    require_address(account.address(), &market, program_id)?;
    Ok(market)
}

/// As [`read`], to be changed.
///
/// # Errors
/// Those of [`read`]; `AccountBorrowFailed`: the account was passed twice.
#[inline(never)] // one copy of the code, whoever calls
pub fn edit<'a>(
    account: &'a mut AccountView,
    program_id: &Address,
) -> Result<RefMut<'a, Market>, ProgramError> {
    let address = *account.address();
    let market: RefMut<Market> =
        stored::edit(account, program_id, MARKET_VERSION..=MARKET_VERSION)?;
    require_address(&address, &market, program_id)?;
    Ok(market)
}

fn require_address(address: &Address, market: &Market, program_id: &Address) -> ProgramResult {
    let id = market.market_id.to_le_bytes();
    let seeds = [seeds::MARKET, &id, &market.authority.0];
    checks::derived_address(address, &seeds, market.bump, program_id)
}

/// The change leaves a possible market.
///
/// # Errors
/// `InvariantViolated`.
#[inline(never)] // one copy of the code, whoever calls
pub fn require_invariants(market: &Market) -> ProgramResult {
    stored::require_invariants(market.invariants_hold())
}

/// The number of the market's next event, counted in `market`.
///
/// # Errors
/// `NumberOverflow`.
pub fn next_event(market: &mut Market) -> Result<u64, ProgramError> {
    market.event_sequence = market
        .event_sequence
        .checked_add(1)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    Ok(market.event_sequence)
}

/// The market is not final.
///
/// # Errors
/// `MarketAlreadyResolved`.
pub fn require_not_final(market: &Market) -> ProgramResult {
    if market.state.is_final() {
        Err(own(CryptoBetError::MarketAlreadyResolved))
    } else {
        Ok(())
    }
}

/// The market is in this state, or at least was never final.
///
/// # Errors
/// `MarketAlreadyResolved`, `MarketStateInvalid`.
pub fn require_state(market: &Market, state: MarketState) -> ProgramResult {
    if market.state == state {
        return Ok(());
    }
    require_not_final(market)?;
    Err(own(CryptoBetError::MarketStateInvalid))
}

/// The end of a time that starts at `start`.
///
/// # Errors
/// `NumberOverflow`.
pub fn after(start: i64, seconds: i64) -> Result<i64, ProgramError> {
    start
        .checked_add(seconds)
        .ok_or(own(CryptoBetError::NumberOverflow))
}

/// Brings the market into a state.
pub const fn enter(market: &mut Market, state: MarketState, now: i64) {
    market.state = state;
    market.state_since = now;
}

/// A market came into another state: its invariants, and the event.
///
/// # Errors
/// Those of [`require_invariants`] and [`next_event`].
#[inline(never)] // one copy of the code, whoever calls
pub fn announce_state(
    market: &mut Market,
    address: Key,
    actor: Key,
    old_state: MarketState,
    now: i64,
) -> ProgramResult {
    let sequence = next_event(market)?;
    require_invariants(market)?;
    event_log::write(MarketStateChanged {
        sequence,
        timestamp: now,
        market: address,
        actor,
        old_state,
        new_state: market.state,
        proposed: market.proposed,
        result: market.result,
        fee: market.fee,
        payout_pool: market.payout_pool,
    });
    Ok(())
}
