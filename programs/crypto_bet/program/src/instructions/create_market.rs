//! `create_market(…)`: a market with its two vaults.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | yes | anybody; pays; becomes the market's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//! | 2 | market | | yes | PDA `["market", market_id, authority]`; absent, or with lamports only |
//! | 3 | yes_vault | | yes | PDA `["yes_vault", market]`; likewise |
//! | 4 | no_vault | | yes | PDA `["no_vault", market]`; likewise |
//! | 5 | system_program | | | `11111111111111111111111111111111` |
//! | 6 | mint | | | Stable only: the platform's token |
//! | 7 | token_program | | | Stable only: the SPL Token program |
//!
//! What may change for the platform must not change for those who bet: fee, windows and deadlines are
//! copied into the market.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`: the arguments, or a text that is not UTF-8 or has a zero byte
//! * `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`, `InvalidProgramId`: accounts
//! * those of [`global_config::edit`]; `PlatformPaused`
//! * those of [`terms::validate`]
//! * `ConstraintSeeds`: market or vaults at other addresses
//! * `InvalidParameters`: the number is in use
//! * `AccountMismatch`, `UnsupportedMint`: another token than the platform's, or one that markets do
//!   not take

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::MarketCreated;
use crypto_bet_interface::instructions::CreateMarket;
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{
    GlobalConfig, MARKET_VERSION, Market, MarketKind, PauseScope, Side,
};
use crypto_bet_interface::wire::{Key, Tagged};
use pinocchio::account::RefMut;
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, framework, own};
use crate::terms::{self, Terms};
use crate::vault::{self, Vaults};
use crate::{checks, event_log, global_config, market, new_account, stored, token};

/// Validates and creates.
#[inline(never)]
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let wanted: CreateMarket = checks::arguments(arguments)?;
    checks::flags(accounts, CreateMarket::DEMANDS)?;
    let [
        authority,
        config_account,
        account,
        yes_vault,
        no_vault,
        _system,
        rest @ ..,
    ] = accounts
    else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let mut config = global_config::edit(config_account, program_id)?;
    global_config::require_paused_at_most(&config, PauseScope::None)?;
    let now = event_log::now()?;
    let terms = Terms {
        betting_ends_at: wanted.betting_ends_at,
        resolution_time: wanted.resolution_time,
        oracle: wanted.oracle,
        title: wanted.title,
        description: wanted.description,
        category: wanted.category,
        metadata_uri: wanted.metadata_uri,
    };
    terms::validate(&config, &terms, now)?;
    let (address, authority_key) = (checks::key(account), checks::key(authority));
    let id = wanted.market_id.to_le_bytes();
    let seeds = [seeds::MARKET, &id, &authority_key.0];
    let bump = checks::canonical_bump(account, seeds, program_id)?;
    if checks::is_owned_by(account, program_id) {
        return Err(own(CryptoBetError::InvalidParameters));
    }
    let yes_vault_bump = vault::canonical_bump(yes_vault, &address, Side::Yes, program_id)?;
    let no_vault_bump = vault::canonical_bump(no_vault, &address, Side::No, program_id)?;
    let mint = match wanted.kind {
        MarketKind::Degen => None,
        MarketKind::Stable => Some(platform_mint(&config, rest)?),
    };

    let bump_seed = [bump];
    let seeds = [seeds::MARKET, &id, &authority_key.0, &bump_seed];
    new_account::create(
        authority,
        account,
        &seeds.map(Seed::from),
        Market::TAGGED_LEN,
        program_id,
    )?;
    // what is not set here is zero, false, `Active` or `Undecided`
    let mut market: RefMut<Market> = stored::begin(account)?;
    market.version = MARKET_VERSION;
    market.bump = bump;
    market.yes_vault_bump = yes_vault_bump;
    market.no_vault_bump = no_vault_bump;
    market.kind = wanted.kind;
    market.market_id = wanted.market_id;
    market.authority = authority_key;
    market.mint = mint.map_or(Key::ZERO, checks::key);
    market.fee_bps = config.fee_bps;
    market.created_at = now;
    market.resolution_window = config.resolution_window;
    market.dispute_window = config.dispute_window;
    market.sweep_delay = config.sweep_delay;
    market.state_since = now;
    terms::apply(&mut market, &terms)?;
    let vaults = Vaults::of(address, &market);
    vaults.create(yes_vault, Side::Yes, authority, mint, program_id)?;
    vaults.create(no_vault, Side::No, authority, mint, program_id)?;
    take_effect(&mut config, &mut market, address)
}

/// The platform's token among the accounts that a Degen market leaves out.
fn platform_mint<'a>(
    config: &GlobalConfig,
    rest: &'a [AccountView],
) -> Result<&'a AccountView, Failure> {
    let mint = token::account(rest)?;
    checks::address(mint, &config.usdc_mint)?;
    token::require_mint(mint)?;
    Ok(mint)
}

/// Counts the market; its terms get their number; and its first event.
fn take_effect(config: &mut GlobalConfig, market: &mut Market, address: Key) -> Checked {
    config.total_markets = config
        .total_markets
        .checked_add(1)
        .ok_or(own(CryptoBetError::NumberOverflow))?;
    market.terms_version = terms::first_version(config.total_markets);
    global_config::require_invariants(config)?;
    let sequence = market::next_event(market)?;
    market::require_invariants(market)?;
    event_log::write(MarketCreated {
        sequence,
        timestamp: market.created_at,
        market: address,
        number: config.total_markets,
        market_id: market.market_id,
        authority: market.authority,
        kind: market.kind,
        mint: market.mint,
        fee_bps: market.fee_bps,
        betting_ends_at: market.betting_ends_at,
        resolution_time: market.resolution_time,
    });
    Ok(())
}
