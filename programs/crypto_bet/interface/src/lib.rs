//! Everything that `crypto_bet` and its clients must agree on, declared once.
//!
//! * [`state`]: the accounts the program owns, and the bounds of their values
//! * [`instructions`]: names, arguments and accounts of the instructions
//! * [`events`]: what the program writes to the log
//! * [`payout`]: the arithmetic of fees and winnings
//! * [`errors`]: the custom error numbers
//! * [`seeds`]: what the program's addresses are derived from
//! * [`spec`], [`argument`], [`in_place`]: how an instruction is described, and how its arguments and
//!   the accounts are read
//!
//! Every byte format is Borsh behind Anchor's 8-byte discriminator (see [`wire`] and
//! [`discriminator`]). All accounts have a fixed length, so each field has a fixed offset. The IDL files are
//! printed from these declarations by `crypto-bet-idl` (feature `idl`).
//!
//! The crate has no dependency and needs no allocator. It holds no program id: the same program is
//! deployed under another id in each environment.
#![cfg_attr(not(feature = "idl"), no_std)]

#[macro_use]
mod declare;

pub mod argument;
pub mod discriminator;
pub mod errors;
pub mod events;
#[cfg(feature = "idl")]
pub mod idl;
pub mod in_place;
pub mod instructions;
pub mod payout;
pub mod seeds;
pub mod spec;
pub mod state;
pub mod wire;
