//! What the program's addresses are derived from, and the fixed addresses it deals with.

use crate::wire::Key;

/// Seeds of [`GlobalConfig`](crate::state::GlobalConfig); one account per deployed program.
pub const GLOBAL_CONFIG: &[&[u8]; 1] = &[b"global_config"];

/// The System program, `11111111111111111111111111111111`.
pub const SYSTEM_PROGRAM: Key = Key([0; 32]);

/// The upgradeable loader, `BPFLoaderUpgradeab1e11111111111111111111111`. It owns a program's
/// ProgramData account, whose address it derives from the program's id alone.
pub const UPGRADEABLE_LOADER: Key = Key([
    2, 168, 246, 145, 78, 136, 161, 176, 226, 16, 21, 62, 247, 99, 174, 43, 0, 194, 185, 61, 22,
    193, 36, 210, 192, 83, 122, 16, 4, 128, 0, 0,
]);
