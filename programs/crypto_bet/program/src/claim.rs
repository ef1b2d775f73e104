//! What paying winnings and paying refunds have in common.

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::events::PositionPaid;
use crypto_bet_interface::state::{Market, Position};
use crypto_bet_interface::wire::Key;

use crate::errors::{Checked, Failure, own};
use crate::{event_log, market, position};

/// What is paid.
pub struct Payment {
    /// For how many shares.
    pub shares: u64,
    /// How much.
    pub amount: u64,
}

/// The position was not paid, and the market was not swept.
///
/// # Errors
/// `AlreadyClaimed`, `NothingToClaim`.
pub fn require_open(market: &Market, position: &Position) -> Checked {
    if position.claimed {
        return Err(own(CryptoBetError::AlreadyClaimed));
    }
    if market.swept {
        return Err(own(CryptoBetError::NothingToClaim));
    }
    Ok(())
}

/// Counts a payment.
///
/// # Errors
/// `NumberOverflow`.
pub fn count(market: &mut Market, position: &mut Position, payment: &Payment) -> Checked {
    let overflow = || own(CryptoBetError::NumberOverflow);
    market.settled_shares = market
        .settled_shares
        .checked_add(payment.shares)
        .ok_or_else(overflow)?;
    market.paid = market
        .paid
        .checked_add(payment.amount)
        .ok_or_else(overflow)?;
    position.claimed = true;
    position.paid = payment.amount;
    Ok(())
}

/// What the market has yet to pay to users, remains of rounding included.
///
/// # Errors
/// `NumberOverflow`: more was paid than there was.
pub fn still_owed(market: &Market) -> Result<u64, Failure> {
    market
        .payout_pool
        .checked_sub(market.paid)
        .ok_or(own(CryptoBetError::NumberOverflow))
}

/// What was paid leaves possible accounts; and the event.
///
/// # Errors
/// `NumberOverflow`, `InvariantViolated`.
pub fn announce(market: &mut Market, address: Key, position: &Position, refund: bool) -> Checked {
    position::require_invariants(position)?;
    let sequence = market::next_event(market)?;
    market::require_invariants(market)?;
    event_log::write(PositionPaid {
        sequence,
        timestamp: event_log::now()?,
        market: address,
        user: position.user,
        amount: position.paid,
        refund,
    });
    Ok(())
}
