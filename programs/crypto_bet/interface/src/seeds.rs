//! What the program's addresses are derived from, and the fixed addresses it deals with.

use SeedSpec::{Account, Argument, Constant};

use crate::wire::Key;

/// First seed of [`GlobalConfig`](crate::state::GlobalConfig); one account per deployed program.
pub const GLOBAL_CONFIG: &[u8] = b"global_config";
/// First seed of a [`Market`](crate::state::Market).
pub const MARKET: &[u8] = b"market";
/// First seed of a [`Position`](crate::state::Position).
pub const POSITION: &[u8] = b"position";
/// First seed of the account with the money of a market's YES side.
pub const YES_VAULT: &[u8] = b"yes_vault";
/// First seed of the account with the money of a market's NO side.
pub const NO_VAULT: &[u8] = b"no_vault";

/// A seed as clients and the IDL need it.
#[derive(Clone, Copy, Debug)]
pub enum SeedSpec {
    /// These bytes.
    Constant(&'static [u8]),
    /// The bytes of the argument with this name.
    Argument(&'static str),
    /// The address of the instruction's account with this name.
    Account(&'static str),
}

/// Seeds of the global configuration.
pub const GLOBAL_CONFIG_SEEDS: &[SeedSpec] = &[Constant(GLOBAL_CONFIG)];
/// Seeds of a market that is being created.
pub const MARKET_SEEDS: &[SeedSpec] = &[
    Constant(MARKET),
    Argument("market_id"),
    Account("authority"),
];
/// Seeds of the position of the account `user` in the account `market`.
pub const POSITION_SEEDS: &[SeedSpec] = &[Constant(POSITION), Account("user"), Account("market")];
/// Seeds of the YES vault of the account `market`.
pub const YES_VAULT_SEEDS: &[SeedSpec] = &[Constant(YES_VAULT), Account("market")];
/// Seeds of the NO vault of the account `market`.
pub const NO_VAULT_SEEDS: &[SeedSpec] = &[Constant(NO_VAULT), Account("market")];

/// The System program, `11111111111111111111111111111111`.
pub const SYSTEM_PROGRAM: Key = Key([0; 32]);

/// The upgradeable loader, `BPFLoaderUpgradeab1e11111111111111111111111`. It owns a program's
/// ProgramData account, whose address it derives from the program's id alone.
pub const UPGRADEABLE_LOADER: Key = Key([
    2, 168, 246, 145, 78, 136, 161, 176, 226, 16, 21, 62, 247, 99, 174, 43, 0, 194, 185, 61, 22,
    193, 36, 210, 192, 83, 122, 16, 4, 128, 0, 0,
]);

/// The SPL Token program, `TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA`: the only one whose tokens
/// a Stable market takes.
pub const TOKEN_PROGRAM: Key = Key([
    6, 221, 246, 225, 215, 101, 161, 147, 217, 203, 225, 70, 206, 235, 121, 172, 28, 180, 133, 237,
    95, 91, 55, 145, 58, 140, 245, 133, 126, 255, 0, 169,
]);
