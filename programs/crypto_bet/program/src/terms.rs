//! What a bettor relies on: set when a market is created, changed only while nobody has bet.

use crypto_bet_interface::argument::Text;
use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::state::{
    CATEGORY_LEN, DESCRIPTION_LEN, GlobalConfig, METADATA_URI_LEN, Market, TITLE_LEN,
};
use crypto_bet_interface::wire::Key;

use crate::errors::{Checked, Failure, own};

/// The terms as they are asked for.
pub struct Terms<'a> {
    /// From this moment on no bets are taken.
    pub betting_ends_at: i64,
    /// From this moment on a result may be proposed.
    pub resolution_time: i64,
    /// Where the result is to be read.
    pub oracle: Key,
    /// What is bet on.
    pub title: Text<'a, TITLE_LEN>,
    /// How the result is decided.
    pub description: Text<'a, DESCRIPTION_LEN>,
    /// Category.
    pub category: Text<'a, CATEGORY_LEN>,
    /// Where more is to be read.
    pub metadata_uri: Text<'a, METADATA_URI_LEN>,
}

/// All terms are within the platform's bounds.
///
/// # Errors
/// * `TitleTooLong`
/// * `InvalidParameters`: no title, another text is too long, betting ends in the past or after the
///   resolution time, or the market's life from now on is shorter or longer than allowed
#[inline(never)] // one copy of the code, whoever calls
pub fn validate(config: &GlobalConfig, terms: &Terms, now: i64) -> Checked {
    if !terms.title.fits() {
        return Err(own(CryptoBetError::TitleTooLong));
    }
    let duration = terms.resolution_time.checked_sub(now);
    let in_bounds = duration.is_some_and(|duration| {
        config.min_market_duration <= duration && duration <= config.max_market_duration
    });
    if in_bounds
        && now < terms.betting_ends_at
        && terms.betting_ends_at <= terms.resolution_time
        && !terms.title.0.is_empty()
        && terms.description.fits()
        && terms.category.fits()
        && terms.metadata_uri.fits()
    {
        Ok(())
    } else {
        Err(own(CryptoBetError::InvalidParameters))
    }
}

/// The number of the first terms of a market, which is the `market_number`th of all. It says so in its
/// lower 24 bits: a closed market's address can be used again, and a bet that was signed for the
/// terms that were there before must not be one on these.
pub const fn first_version(market_number: u64) -> u32 {
    let [a, b, c, ..] = market_number.to_le_bytes();
    u32::from_le_bytes([a, b, c, 0])
}

/// The number of the terms after these: the upper 8 bits count the changes.
///
/// # Errors
/// `NumberOverflow`: changed 255 times.
pub fn next_version(version: u32) -> Result<u32, Failure> {
    version
        .checked_add(1 << 24)
        .ok_or(own(CryptoBetError::NumberOverflow))
}

/// Writes the terms, which were found valid, into the market.
///
/// # Errors
/// `NumberOverflow`.
#[inline(never)] // one copy of the code, whoever calls
pub fn apply(market: &mut Market, terms: &Terms) -> Checked {
    let overflow = || own(CryptoBetError::NumberOverflow);
    market.betting_ends_at = terms.betting_ends_at;
    market.resolution_time = terms.resolution_time;
    market.oracle = terms.oracle;
    terms.title.pad(&mut market.title).ok_or_else(overflow)?;
    terms
        .description
        .pad(&mut market.description)
        .ok_or_else(overflow)?;
    terms
        .category
        .pad(&mut market.category)
        .ok_or_else(overflow)?;
    terms
        .metadata_uri
        .pad(&mut market.metadata_uri)
        .ok_or_else(overflow)
}
