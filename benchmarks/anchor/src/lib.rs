//! What `crypto_bet` does in its three most frequent instructions, as Anchor's documentation would
//! write it: accounts by derive, seeds and bumps as constraints, events by `emit!`. The rules are the
//! program's own, so that the difference is the framework's.

// large copies by the runtime's own functions, as in the program
#[path = "../../../programs/crypto_bet/program/src/memory.rs"]
mod memory;

use anchor_lang::prelude::*;
use anchor_lang::system_program::{transfer, Transfer};
use crypto_bet_interface::payout;

declare_id!("CompareCompareCompareCompareCompareCompare1");

#[program]
pub mod plain_anchor {
    use super::*;

    pub fn initialize(
        ctx: &mut Context<Initialize>,
        fee_bps: u16,
        min_bet: u64,
        max_bet: u64,
    ) -> Result<()> {
        require!(
            fee_bps <= 1_000 && 1 <= min_bet && min_bet <= max_bet,
            MarketError::InvalidParameters
        );
        let authority = *ctx.accounts.authority.address();
        let config = &mut ctx.accounts.config;
        config.authority = authority;
        config.fee_bps = fee_bps.into();
        config.min_bet = min_bet.into();
        config.max_bet = max_bet.into();
        config.bump = ctx.bumps.config;
        emit!(Initialized {
            authority,
            timestamp: Clock::get()?.unix_timestamp
        });
        Ok(())
    }

    pub fn create_market(ctx: &mut Context<CreateMarket>, betting_ends_at: i64) -> Result<()> {
        let market = &mut ctx.accounts.market;
        market.authority = *ctx.accounts.authority.address();
        market.betting_ends_at = betting_ends_at.into();
        market.fee_bps = ctx.accounts.config.fee_bps;
        market.bump = ctx.bumps.market;
        market.vault_bump = ctx.bumps.vault;
        Ok(())
    }

    pub fn place_bet(ctx: &mut Context<PlaceBet>, yes: bool, amount: u64) -> Result<()> {
        let config = &ctx.accounts.config;
        require!(
            amount >= config.min_bet.get(),
            MarketError::BetAmountTooSmall
        );
        require!(
            amount <= config.max_bet.get(),
            MarketError::BetAmountTooLarge
        );
        let now = Clock::get()?.unix_timestamp;
        require!(
            now < ctx.accounts.market.betting_ends_at.get(),
            MarketError::BettingClosed
        );
        require!(
            ctx.accounts.market.result == 0,
            MarketError::MarketAlreadyResolved
        );

        let user = *ctx.accounts.user.address();
        let address = *ctx.accounts.market.address();
        let system = *ctx.accounts.system_program.address();
        let from = ctx.accounts.user.cpi_handle_mut();
        let to = ctx.accounts.vault.cpi_handle_mut();
        transfer(CpiContext::new(&system, Transfer { from, to }), amount)?;

        let position = &mut ctx.accounts.position;
        position.user = user;
        position.market = address;
        position.bump = ctx.bumps.position;
        let market = &mut ctx.accounts.market;
        let overflow = MarketError::NumberOverflow;
        if yes {
            market.yes_pool = market.yes_pool.checked_add(amount).ok_or(overflow)?;
            position.yes_shares = position.yes_shares.checked_add(amount).ok_or(overflow)?;
        } else {
            market.no_pool = market.no_pool.checked_add(amount).ok_or(overflow)?;
            position.no_shares = position.no_shares.checked_add(amount).ok_or(overflow)?;
        }
        emit!(BetPlaced {
            timestamp: now,
            market: address,
            user,
            yes,
            amount,
            yes_pool: market.yes_pool.get(),
            no_pool: market.no_pool.get(),
        });
        Ok(())
    }

    pub fn resolve(ctx: &mut Context<Resolve>, yes: bool) -> Result<()> {
        ctx.accounts.market.result = if yes { 1 } else { 2 };
        Ok(())
    }

    pub fn claim(ctx: &mut Context<Claim>) -> Result<()> {
        let market = &ctx.accounts.market;
        let position = &ctx.accounts.position;
        require!(!position.claimed.get(), MarketError::AlreadyClaimed);
        let (yes_pool, no_pool) = (market.yes_pool.get(), market.no_pool.get());
        let (shares, winning, losing) = match market.result {
            1 => (position.yes_shares.get(), yes_pool, no_pool),
            2 => (position.no_shares.get(), no_pool, yes_pool),
            _ => return Err(MarketError::MarketStateInvalid.into()),
        };
        require!(shares > 0, MarketError::NothingToClaim);
        let total = yes_pool
            .checked_add(no_pool)
            .ok_or(MarketError::NumberOverflow)?;
        let fee = payout::fee(total, market.fee_bps.get(), losing);
        let pool = total.checked_sub(fee).ok_or(MarketError::NumberOverflow)?;
        let amount = payout::winnings(shares, pool, winning).ok_or(MarketError::NumberOverflow)?;

        let address = *ctx.accounts.market.address();
        let user = *ctx.accounts.user.address();
        let bump = [market.vault_bump];
        let seeds: [&[u8]; 3] = [b"vault", address.as_ref(), &bump];
        let system = *ctx.accounts.system_program.address();
        let from = ctx.accounts.vault.cpi_handle_mut();
        let to = ctx.accounts.user.cpi_handle_mut();
        let signers = [&seeds[..]];
        transfer(
            CpiContext::new_with_signer(&system, Transfer { from, to }, &signers),
            amount,
        )?;

        let position = &mut ctx.accounts.position;
        position.claimed = true.into();
        position.paid = amount.into();
        emit!(PositionPaid {
            timestamp: Clock::get()?.unix_timestamp,
            market: address,
            user,
            amount
        });
        Ok(())
    }
}

#[derive(Accounts)]
pub struct Initialize {
    #[account(mut)]
    pub authority: Signer,
    #[account(init, payer = authority, seeds = [b"config"], bump)]
    pub config: Account<Config>,
    pub system_program: Program<System>,
}

#[derive(Accounts)]
pub struct CreateMarket {
    #[account(mut)]
    pub authority: Signer,
    #[account(seeds = [b"config"], bump = config.bump)]
    pub config: Account<Config>,
    #[account(init, payer = authority, seeds = [b"market", authority.address().as_ref()], bump)]
    pub market: Account<Market>,
    #[account(seeds = [b"vault", market.address().as_ref()], bump)]
    pub vault: SystemAccount,
    pub system_program: Program<System>,
}

#[derive(Accounts)]
pub struct PlaceBet {
    #[account(mut)]
    pub user: Signer,
    #[account(seeds = [b"config"], bump = config.bump)]
    pub config: Account<Config>,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(init_if_needed, payer = user, seeds = [b"position", user.address().as_ref(), market.address().as_ref()], bump)]
    pub position: Account<Position>,
    #[account(mut, seeds = [b"vault", market.address().as_ref()], bump = market.vault_bump)]
    pub vault: SystemAccount,
    pub system_program: Program<System>,
}

#[derive(Accounts)]
pub struct Resolve {
    #[account(address = market.authority)]
    pub authority: Signer,
    #[account(mut)]
    pub market: Account<Market>,
}

#[derive(Accounts)]
pub struct Claim {
    #[account(mut)]
    pub user: SystemAccount,
    pub market: Account<Market>,
    #[account(mut, seeds = [b"position", user.address().as_ref(), market.address().as_ref()], bump = position.bump)]
    pub position: Account<Position>,
    #[account(mut, seeds = [b"vault", market.address().as_ref()], bump = market.vault_bump)]
    pub vault: SystemAccount,
    pub system_program: Program<System>,
}

#[account]
pub struct Config {
    pub authority: Address,
    pub min_bet: PodU64,
    pub max_bet: PodU64,
    pub fee_bps: PodU16,
    pub bump: u8,
}

#[account]
pub struct Market {
    pub authority: Address,
    pub betting_ends_at: PodI64,
    pub yes_pool: PodU64,
    pub no_pool: PodU64,
    pub fee_bps: PodU16,
    pub result: u8,
    pub bump: u8,
    pub vault_bump: u8,
}

#[account]
pub struct Position {
    pub user: Address,
    pub market: Address,
    pub yes_shares: PodU64,
    pub no_shares: PodU64,
    pub paid: PodU64,
    pub claimed: PodBool,
    pub bump: u8,
}

#[event]
pub struct Initialized {
    pub timestamp: i64,
    pub authority: Address,
}

#[event]
pub struct BetPlaced {
    pub timestamp: i64,
    pub market: Address,
    pub user: Address,
    pub yes: bool,
    pub amount: u64,
    pub yes_pool: u64,
    pub no_pool: u64,
}

#[event]
pub struct PositionPaid {
    pub timestamp: i64,
    pub market: Address,
    pub user: Address,
    pub amount: u64,
}

#[error_code]
pub enum MarketError {
    InvalidParameters,
    BetAmountTooSmall,
    BetAmountTooLarge,
    BettingClosed,
    MarketAlreadyResolved,
    MarketStateInvalid,
    AlreadyClaimed,
    NothingToClaim,
    NumberOverflow,
}
