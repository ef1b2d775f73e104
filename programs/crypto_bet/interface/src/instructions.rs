//! Names, arguments and accounts of the instructions.

use crate::discriminator::Discriminator;
use crate::seeds;
use crate::state::PauseScope;
use crate::wire::{Key, Type};

/// What an instruction takes.
#[derive(Clone, Copy, Debug)]
pub struct InstructionSpec {
    /// First eight bytes of the instruction data.
    pub discriminator: Discriminator,
    /// The arguments, as a struct called like the instruction.
    pub arguments: Type,
    /// The accounts in their order.
    pub accounts: &'static [AccountSpec],
}

/// An account of an instruction, for clients and the IDL.
#[derive(Clone, Copy, Debug)]
pub struct AccountSpec {
    /// The account's name.
    pub name: &'static str,
    /// Lines of its doc comment.
    pub docs: &'static [&'static str],
    /// What is demanded of it.
    pub demands: Demands,
    /// It must be the address derived from these seeds and the program's id.
    pub pda: Option<&'static [&'static [u8]]>,
}

/// What the program checks of every account before anything else. Further rules are in the
/// instruction's own file.
#[derive(Clone, Copy, Debug)]
pub struct Demands {
    /// It must have signed.
    pub signer: bool,
    /// It must be passed as writable.
    pub writable: bool,
    /// It must have this address.
    pub address: Option<Key>,
}

impl AccountSpec {
    const fn new(name: &'static str, docs: &'static [&'static str]) -> Self {
        Self {
            name,
            docs,
            demands: Demands::NONE,
            pda: None,
        }
    }
}

impl Demands {
    const NONE: Self = Self {
        signer: false,
        writable: false,
        address: None,
    };
}

#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // runs in the compiler
const fn demands<const N: usize>(accounts: &[AccountSpec]) -> [Demands; N] {
    let mut all = [Demands::NONE; N];
    let mut i = 0;
    while i < N {
        all[i] = accounts[i].demands;
        i += 1;
    }
    all
}

record! {
    /// Smallest and largest bet in one kind of money, in its base units; 1 ≤ min ≤ max.
    struct BetLimits, BetLimitsOffsets {
        /// Smallest bet.
        min_bet: u64,
        /// Largest bet.
        max_bet: u64,
    }
}

record! {
    /// The settings of the platform. Every field has its name and path in `GlobalConfig`, so that a tool can compare them.
    struct InitializeConfig, InitializeConfigOffsets {
        /// Fee of new markets in basis points, at most 1,000.
        fee_bps: u16,
        /// Seconds between a proposed result and the final one, 60 to 2,592,000.
        dispute_window: i64,
        /// Seconds after a market's end in which a result must be proposed, at least 1.
        resolution_window: i64,
        /// Seconds after which unclaimed money may be swept, at least 1.
        sweep_delay: i64,
        /// Shortest life of a market in seconds, at least 1.
        min_market_duration: i64,
        /// Longest life of a market in seconds, not below the shortest.
        max_market_duration: i64,
        /// Limits of a bet in lamports.
        sol: BetLimits,
        /// Limits of a bet in base units of USDC.
        usdc: BetLimits,
        /// Proposes the results of markets; not zero.
        resolver: Key,
        /// May raise the pause scope; not zero.
        guardian: Key,
        /// Receives the fees; not zero.
        treasury: Key,
        /// The token of Stable markets; not zero.
        usdc_mint: Key,
    }
}

instructions! {
    /// Creates the global configuration. Only the program's current upgrade authority can, and only once.
    initialize_program as InitializeProgram(
        /// The settings.
        config: InitializeConfig
    ) {
        /// The program's upgrade authority; becomes the platform's authority and pays the rent.
        authority: [signer, writable],
        /// The global configuration, created here.
        config: [writable, pda(seeds::GLOBAL_CONFIG)],
        /// The program's ProgramData account: the address that the upgradeable loader derives from the program id.
        program_data: [],
        /// The System program.
        system_program: [address(seeds::SYSTEM_PROGRAM)],
    }

    /// Pauses a part of the platform. The guardian can only raise the scope. Repeating the present scope changes nothing.
    emergency_pause as EmergencyPause(
        /// What to pause; `None` is refused.
        scope: PauseScope
    ) {
        /// The platform's authority or its guardian.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG)],
    }

    /// Ends the pause. When nothing is paused it changes nothing.
    emergency_unpause as EmergencyUnpause() {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG)],
    }
}
