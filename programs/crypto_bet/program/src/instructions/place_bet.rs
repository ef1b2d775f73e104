//! `place_bet(side, amount, min_payout, terms_version)`: a share for each base unit.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | user | yes | yes | anybody; pays |
//! | 1 | config | | | PDA `["global_config"]` |
//! | 2 | market | | yes | the market |
//! | 3 | position | | yes | PDA `["position", user, market]`; created with the first bet |
//! | 4 | vault | | yes | the market's vault of the side |
//! | 5 | system_program | | | `11111111111111111111111111111111` |
//! | 6 | user_token | | yes | Stable only: the token account that pays |
//! | 7 | token_program | | | Stable only: the SPL Token program |
//!
//! The configuration is only read: bets in different markets do not wait for each other.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`,
//!   `InvalidProgramId`
//! * those of [`global_config::read`], [`market::edit`] and [`position::edit`]
//! * `PlatformPaused`, `BettingClosed`: the platform or the market is paused, betting has ended
//! * `MarketAlreadyResolved`, `MarketStateInvalid`: it has a result, or a proposed one
//! * `TermsChanged`: the bet is for other terms
//! * `BetAmountTooSmall`, `BetAmountTooLarge`, `PayoutTooLow`, `NumberOverflow`
//! * `ConstraintSeeds`: another position or vault
//! * those of the System program and the token program: there is not enough money

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::BetPlaced;
use crypto_bet_interface::instructions::PlaceBet;
use crypto_bet_interface::payout;
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{
    GlobalConfig, Market, MarketKind, MarketState, PauseScope, Position, Side,
};
use crypto_bet_interface::wire::{Key, Tagged};
use pinocchio::account::RefMut;
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::stored::SYSTEM_PROGRAM;
use crate::vault::Vaults;
use crate::{checks, event_log, global_config, market, new_account, position, stored};

/// Validates and bets.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let bet: PlaceBet = checks::arguments(arguments)?;
    checks::flags(accounts, PlaceBet::DEMANDS)?;
    let [
        user,
        config_account,
        account,
        position_account,
        vault,
        _system,
        rest @ ..,
    ] = accounts
    else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let address = checks::key(account);
    let mut market = market::edit(account, program_id)?;
    let now = event_log::now()?;
    let config = global_config::read(config_account, program_id)?;
    validate(&config, &market, &bet, now)?;
    let vaults = Vaults::of(address, &market);
    vaults.require(vault, bet.side, program_id)?;
    vaults.deposit(vault, user, rest, bet.amount)?;
    let user_key = checks::key(user);
    let opened = checks::is_owned_by(position_account, &SYSTEM_PROGRAM);
    if opened {
        open(program_id, user, position_account, user_key, address)?;
    }
    let mut position = position::edit(position_account, &user_key, &address, program_id)?;

    add(&mut market, &mut position, &bet, opened)?;
    if payout_now(&market, &bet).is_none_or(|payout| payout < bet.min_payout) {
        return Err(own(CryptoBetError::PayoutTooLow));
    }
    position::require_invariants(&position)?;
    let sequence = market::next_event(&mut market)?;
    market::require_invariants(&market)?;
    event_log::write(BetPlaced {
        sequence,
        timestamp: now,
        market: address,
        user: user_key,
        side: bet.side,
        amount: bet.amount,
        yes_pool: market.yes_pool,
        no_pool: market.no_pool,
    });
    Ok(())
}

/// Whether the market takes this bet now.
fn validate(config: &GlobalConfig, market: &Market, bet: &PlaceBet, now: i64) -> Checked {
    global_config::require_paused_at_most(config, PauseScope::None)?;
    if market.state == MarketState::Paused {
        return Err(own(CryptoBetError::BettingClosed));
    }
    market::require_state(market, MarketState::Active)?;
    if now >= market.betting_ends_at {
        return Err(own(CryptoBetError::BettingClosed));
    }
    if bet.terms_version != market.terms_version {
        return Err(own(CryptoBetError::TermsChanged));
    }
    let limits = match market.kind {
        MarketKind::Degen => &config.sol,
        MarketKind::Stable => &config.usdc,
    };
    if bet.amount < limits.min_bet {
        return Err(own(CryptoBetError::BetAmountTooSmall));
    }
    if bet.amount > limits.max_bet {
        return Err(own(CryptoBetError::BetAmountTooLarge));
    }
    Ok(())
}

/// Creates the user's position.
fn open(
    program_id: &Address,
    user: &AccountView,
    account: &mut AccountView,
    user_key: Key,
    market: Key,
) -> Checked {
    let seeds = [seeds::POSITION, &user_key.0, &market.0];
    let bump = checks::canonical_bump(account, seeds, program_id)?;
    let bump_seed = [bump];
    let [prefix, user_seed, market_seed] = seeds;
    let seeds = [prefix, user_seed, market_seed, &bump_seed];
    new_account::create(
        user,
        account,
        &seeds.map(Seed::from),
        Position::TAGGED_LEN,
        program_id,
    )?;
    let mut position: RefMut<Position> = stored::begin(account)?;
    position.begin(bump, user_key, market);
    Ok(())
}

/// Counts the shares.
fn add(market: &mut Market, position: &mut Position, bet: &PlaceBet, opened: bool) -> Checked {
    let overflow = || own(CryptoBetError::NumberOverflow);
    let (yes, no) = match bet.side {
        Side::Yes => (bet.amount, 0),
        Side::No => (0, bet.amount),
    };
    market.yes_pool = market.yes_pool.checked_add(yes).ok_or_else(overflow)?;
    market.no_pool = market.no_pool.checked_add(no).ok_or_else(overflow)?;
    position.yes_shares = position.yes_shares.checked_add(yes).ok_or_else(overflow)?;
    position.no_shares = position.no_shares.checked_add(no).ok_or_else(overflow)?;
    if market.yes_pool.checked_add(market.no_pool).is_none() {
        return Err(overflow());
    }
    if opened {
        market.participants = market.participants.checked_add(1).ok_or_else(overflow)?;
        market.open_positions = market.open_positions.checked_add(1).ok_or_else(overflow)?;
    }
    Ok(())
}

/// What the bet, already counted, would win were betting to end now. While nobody has bet against it,
/// it would be paid back.
fn payout_now(market: &Market, bet: &PlaceBet) -> Option<u64> {
    let against = market.pool(bet.side.other());
    if bet.min_payout == 0 || against == 0 {
        return Some(bet.amount);
    }
    let total = market.total_pool();
    let fee = payout::fee(total, market.fee_bps, against);
    payout::winnings(bet.amount, total.checked_sub(fee)?, market.pool(bet.side))
}
