//! The two accounts with a market's money, one for each side.
//!
//! The vault of a Degen market is an account of this program without content, that of a Stable market
//! a token account that decides over itself. While a market is open each vault holds what was bet on
//! its side, so that a refund takes from each what came from it. When it is resolved the losing pool
//! without the fee moves to the winning vault: winners are paid from one account, and the fee stays
//! apart in the other.
//!
//! Lamports and tokens that a stranger sends to a vault are never counted; they are swept.

use crypto_bet_interface::errors::CryptoBetError;
use crypto_bet_interface::seeds;
use crypto_bet_interface::state::{Market, MarketKind, Side};
use crypto_bet_interface::wire::Key;
use pinocchio::cpi::{Seed, Signer};
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, Failure, own};
use crate::{checks, new_account, token};

/// What must be known of a market to deal with its vaults.
pub struct Vaults {
    market: Key,
    kind: MarketKind,
    mint: Key,
    yes_bump: u8,
    no_bump: u8,
}

const fn seed(side: Side) -> &'static [u8] {
    match side {
        Side::Yes => seeds::YES_VAULT,
        Side::No => seeds::NO_VAULT,
    }
}

/// The canonical bump of a vault that does not exist yet.
///
/// # Errors
/// `ConstraintSeeds`: another address.
pub fn canonical_bump(
    account: &AccountView,
    market: &Key,
    side: Side,
    program_id: &Address,
) -> Result<u8, Failure> {
    checks::canonical_bump(account, [seed(side), &market.0], program_id)
}

impl Vaults {
    /// The vaults of the market at this address.
    pub const fn of(address: Key, market: &Market) -> Self {
        Self {
            market: address,
            kind: market.kind,
            mint: market.mint,
            yes_bump: market.yes_vault_bump,
            no_bump: market.no_vault_bump,
        }
    }

    const fn bump(&self, side: Side) -> u8 {
        match side {
            Side::Yes => self.yes_bump,
            Side::No => self.no_bump,
        }
    }

    /// Creates a vault. `mint`: of a Stable market.
    ///
    /// # Errors
    /// Those of the System program and the token program.
    pub fn create(
        &self,
        account: &AccountView,
        side: Side,
        payer: &AccountView,
        mint: Option<&AccountView>,
        program_id: &Address,
    ) -> Checked {
        let bump = [self.bump(side)];
        let seeds = [seed(side), &self.market.0[..], &bump].map(Seed::from);
        match mint {
            None => new_account::create(payer, account, &seeds, 0, program_id),
            Some(mint) => {
                let program = &token::PROGRAM;
                new_account::create(payer, account, &seeds, token::ACCOUNT_LEN, program)?;
                token::initialize(account, mint)
            }
        }
    }

    /// The account is the vault of this side. Nobody but this program can have created it.
    ///
    /// # Errors
    /// `ConstraintSeeds`.
    pub fn require(&self, account: &AccountView, side: Side, program_id: &Address) -> Checked {
        let seeds = [seed(side), &self.market.0[..]];
        checks::derived_address(account.address(), seeds, self.bump(side), program_id)
    }

    /// Takes a user's money into the vault. `rest`: the user's token account and the token program.
    ///
    /// # Errors
    /// Those of [`token::account`], of the System program and of the token program.
    #[inline(never)] // one copy of the code, whoever calls
    pub fn deposit(
        &self,
        vault: &AccountView,
        user: &AccountView,
        rest: &[AccountView],
        amount: u64,
    ) -> Checked {
        match self.kind {
            MarketKind::Degen => new_account::pay(user, vault, amount),
            MarketKind::Stable => {
                let source = token::account(rest)?;
                token::transfer(source, vault, user, amount, &[])
            }
        }
    }

    /// Pays out of the vault. `rest`: a token account that `receiver` owns and the token program.
    ///
    /// # Errors
    /// `Insolvent`: the vault has less; those of [`token::account`] and [`token::require_account`].
    #[inline(never)] // one copy of the code, whoever calls
    pub fn pay(
        &self,
        vault: &mut AccountView,
        side: Side,
        receiver: &mut AccountView,
        rest: &[AccountView],
        amount: u64,
    ) -> Checked {
        match self.kind {
            MarketKind::Degen => new_account::move_lamports(vault, receiver, amount),
            MarketKind::Stable => {
                let target = token::account(rest)?;
                token::require_account(target, &self.mint, &checks::key(receiver))?;
                self.transfer_tokens(vault, side, target, amount)
            }
        }
    }

    /// Moves money from the vault of `side` to the other one. `rest`: the token program.
    ///
    /// # Errors
    /// As of [`Vaults::pay`].
    pub fn shift(
        &self,
        vault: &mut AccountView,
        side: Side,
        other: &mut AccountView,
        rest: &[AccountView],
        amount: u64,
    ) -> Checked {
        match self.kind {
            MarketKind::Degen => new_account::move_lamports(vault, other, amount),
            MarketKind::Stable => {
                token::require_program(rest)?;
                self.transfer_tokens(vault, side, other, amount)
            }
        }
    }

    #[inline(never)] // one copy of the code, whoever calls
    fn transfer_tokens(
        &self,
        vault: &AccountView,
        side: Side,
        target: &AccountView,
        amount: u64,
    ) -> Checked {
        if amount > token::amount(vault)? {
            return Err(own(CryptoBetError::Insolvent));
        }
        let bump = [self.bump(side)];
        let seeds = [seed(side), &self.market.0, &bump].map(Seed::from);
        token::transfer(vault, target, vault, amount, &[Signer::from(&seeds)])
    }

    /// What the vault holds beside its rent.
    ///
    /// # Errors
    /// Those of the rent sysvar; `AccountMismatch`: not a vault.
    pub fn balance(&self, vault: &AccountView) -> Result<u64, Failure> {
        match self.kind {
            MarketKind::Degen => Ok(vault.lamports().saturating_sub(new_account::rent(0)?)),
            MarketKind::Stable => token::amount(vault),
        }
    }

    /// After a payment: the vault still holds what it owes.
    ///
    /// # Errors
    /// `Insolvent`.
    #[inline(never)] // one copy of the code, whoever calls
    pub fn require_covered(&self, vault: &AccountView, owed: u64) -> Checked {
        if self.balance(vault)? >= owed {
            Ok(())
        } else {
            Err(own(CryptoBetError::Insolvent))
        }
    }

    /// Closes an empty vault; its rent goes to `receiver`. `rest`: the token program.
    ///
    /// # Errors
    /// Those of [`new_account::close`] and of the token program.
    pub fn close(
        &self,
        vault: &mut AccountView,
        side: Side,
        receiver: &mut AccountView,
        rest: &[AccountView],
    ) -> Checked {
        match self.kind {
            MarketKind::Degen => new_account::close(vault, receiver),
            MarketKind::Stable => {
                token::require_program(rest)?;
                let bump = [self.bump(side)];
                let seeds = [seed(side), &self.market.0, &bump].map(Seed::from);
                token::close(vault, receiver, &[Signer::from(&seeds)])
            }
        }
    }
}
