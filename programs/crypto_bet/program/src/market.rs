//! Reading and changing a market. Whoever changed it calls [`require_invariants`].

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::events::MarketStateChanged;
use crypto_bet_interface::state::{MARKET_VERSION, Market, MarketState};
use crypto_bet_interface::wire::Key;
use pinocchio::account::RefMut;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, own};
use crate::{event_log, stored};

/// The market in `account`. Owner and discriminator prove that this program made it, and it makes
/// markets at their one address only: deriving that again would be a tenth of a bet.
///
/// # Errors
/// Those of [`stored::edit`].
#[inline(never)] // one copy of the code, whoever calls
pub fn edit<'a>(
    account: &'a mut AccountView,
    program_id: &Address,
) -> Result<RefMut<'a, Market>, Failure> {
    stored::edit(account, program_id, MARKET_VERSION..=MARKET_VERSION)
}

/// The change leaves a possible market.
///
/// # Errors
/// `InvariantViolated`.
#[inline(never)] // one copy of the code, whoever calls
pub fn require_invariants(market: &Market) -> Checked {
    stored::require_invariants(market.invariants_hold())
}

/// The number of the market's next event, counted in `market`.
///
/// # Errors
/// `NumberOverflow`.
pub fn next_event(market: &mut Market) -> Result<u64, Failure> {
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
pub fn require_not_final(market: &Market) -> Checked {
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
pub fn require_state(market: &Market, state: MarketState) -> Checked {
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
pub fn after(start: i64, seconds: i64) -> Result<i64, Failure> {
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
) -> Checked {
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
