//! The accounts of the program and the bounds of their values.
//!
//! Money is in base units (lamports, or millionths of a USDC), time in seconds, shares of a sum in
//! basis points (1/10,000).

mod global_config;
mod market;
mod position;

pub use global_config::*;
pub use market::*;
pub use position::*;

use crate::discriminator::Discriminator;
use crate::wire::{Tagged, Type, Wire};

/// What the IDL lists, with the discriminators.
pub const ACCOUNTS: &[(Discriminator, Type)] = &[
    (GlobalConfig::DISCRIMINATOR, GlobalConfig::TYPE),
    (Market::DISCRIMINATOR, Market::TYPE),
    (Position::DISCRIMINATOR, Position::TYPE),
];
