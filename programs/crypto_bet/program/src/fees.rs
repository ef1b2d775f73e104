//! The platform's totals of fees.

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::state::{GlobalConfig, Market};

use crate::errors::{Checked, own};

/// Counts the market's fee as withdrawn, once.
///
/// # Errors
/// `NumberOverflow`.
pub fn count_withdrawn(config: &mut GlobalConfig, market: &mut Market) -> Checked {
    if market.fee_withdrawn {
        return Ok(());
    }
    market.fee_withdrawn = true;
    let asset = config.asset_mut(market.kind);
    asset.fees_withdrawn = asset
        .fees_withdrawn
        .checked_add(market.fee)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    Ok(())
}
