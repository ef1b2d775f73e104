//! Names, arguments and accounts of the instructions.

use crate::argument::{InData, Text};
use crate::discriminator::Discriminator;
use crate::seeds;
use crate::spec::{AccountSpec, Arguments, Demands, InstructionSpec, demands, needed};
use crate::state::{
    CATEGORY_LEN, DESCRIPTION_LEN, METADATA_URI_LEN, MarketKind, PauseScope, Side, TITLE_LEN,
};
use crate::wire::Key;

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
    initialize_program as InitializeProgram<'a>(
        /// The settings.
        config: InData<'a, InitializeConfig>
    ) {
        /// The program's upgrade authority; becomes the platform's authority and pays the rent.
        authority: [signer, writable],
        /// The global configuration, created here.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
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
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// Ends the pause. When nothing is paused it changes nothing.
    emergency_unpause as EmergencyUnpause() {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// Changes the settings. Limits and windows of existing markets stay as they were.
    update_config as UpdateConfig<'a>(
        /// The settings; the token can only change while there is no market.
        config: InData<'a, InitializeConfig>,
        /// Lamports that a bettor deposits to dispute a result; zero: nothing.
        dispute_bond: u64
    ) {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// Proposes another authority; it takes over when it accepts.
    propose_authority as ProposeAuthority(
        /// Who is to take over; zero withdraws the proposal.
        pending_authority: Key
    ) {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// The proposed authority takes over.
    accept_authority as AcceptAuthority() {
        /// The proposed authority.
        pending_authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// Brings the global configuration to the present layout. When it has it, nothing changes.
    migrate as Migrate() {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
    }

    /// Creates a market with its two vaults. Anybody can.
    create_market as CreateMarket<'a>(
        /// A number that the authority has not used for another market.
        market_id: u64,
        /// Which money the market takes.
        kind: MarketKind,
        /// From this moment on no bets are taken; not after resolution_time.
        betting_ends_at: i64,
        /// From this moment on a result may be proposed.
        resolution_time: i64,
        /// Where the result is to be read.
        oracle: Key,
        /// What is bet on, 1 to 64 bytes.
        title: Text<'a, TITLE_LEN>,
        /// How the result is decided, at most 256 bytes.
        description: Text<'a, DESCRIPTION_LEN>,
        /// Category, at most 32 bytes.
        category: Text<'a, CATEGORY_LEN>,
        /// Where more is to be read, at most 128 bytes.
        metadata_uri: Text<'a, METADATA_URI_LEN>
    ) {
        /// The market's authority; pays the rent and gets it back when the market is closed.
        authority: [signer, writable],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market, created here.
        market: [writable, pda(seeds::MARKET_SEEDS)],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The System program.
        system_program: [address(seeds::SYSTEM_PROGRAM)],
        /// The platform's token; Stable markets only.
        mint: [optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Changes the terms of a market in which nobody has bet.
    update_market as UpdateMarket<'a>(
        /// From this moment on no bets are taken; not after resolution_time.
        betting_ends_at: i64,
        /// From this moment on a result may be proposed.
        resolution_time: i64,
        /// Where the result is to be read.
        oracle: Key,
        /// What is bet on, 1 to 64 bytes.
        title: Text<'a, TITLE_LEN>,
        /// How the result is decided, at most 256 bytes.
        description: Text<'a, DESCRIPTION_LEN>,
        /// Category, at most 32 bytes.
        category: Text<'a, CATEGORY_LEN>,
        /// Where more is to be read, at most 128 bytes.
        metadata_uri: Text<'a, METADATA_URI_LEN>
    ) {
        /// The market's authority.
        authority: [signer],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Bets on a side; a share for each base unit.
    place_bet as PlaceBet(
        /// On which side.
        side: Side,
        /// How much, in base units.
        amount: u64,
        /// What this bet would have to win at least, were betting to end right after it; zero: anything. Divided by the amount it is the least payout per share.
        min_payout: u64,
        /// The terms that the bet is made for: the market's terms_version.
        terms_version: u32
    ) {
        /// Who bets and pays.
        user: [signer, writable],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The user's position in the market, created with the first bet.
        position: [writable, pda(seeds::POSITION_SEEDS)],
        /// The market's vault of the side.
        vault: [writable],
        /// The System program.
        system_program: [address(seeds::SYSTEM_PROGRAM)],
        /// The user's token account that pays; Stable markets only.
        user_token: [writable, optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Proposes the result of a market. It becomes final when nobody disputes it.
    resolve_market as ResolveMarket(
        /// The result.
        result: Side
    ) {
        /// The platform's resolver.
        resolver: [signer],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Disputes a proposed result. The platform's authority then decides.
    dispute_market as DisputeMarket() {
        /// Has a position in the market, or is the platform's authority or guardian; a bettor deposits the bond.
        user: [signer, writable],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The user's position in the market; not looked at when the user is the authority or the guardian.
        position: [pda(seeds::POSITION_SEEDS)],
        /// The System program.
        system_program: [address(seeds::SYSTEM_PROGRAM)],
    }

    /// Decides a disputed market. This is final.
    rule_dispute as RuleDispute(
        /// The result.
        result: Side
    ) {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Makes a proposed result final once the time to dispute it is over. Anybody can.
    finalize_market as FinalizeMarket() {
        /// Whoever asks.
        user: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Cancels a market: everybody gets back what they paid. The platform's authority can until the result is final, the market's authority while nobody has bet, anybody once a decision is overdue.
    cancel_market as CancelMarket() {
        /// Who cancels.
        user: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Takes no more bets in one market, until `unpause_market`.
    pause_market as PauseMarket() {
        /// The platform's authority or its guardian.
        authority: [signer],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Takes bets again.
    unpause_market as UnpauseMarket() {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Pays a user's winnings to the user. Anybody can ask for it.
    claim_winnings as ClaimWinnings() {
        /// Whose position it is; receives the money.
        user: [writable],
        /// The market.
        market: [writable],
        /// The user's position in the market.
        position: [writable, pda(seeds::POSITION_SEEDS)],
        /// The market's vault of the winning side.
        vault: [writable],
        /// The token account that receives, which the user owns; Stable markets only.
        receiver_token: [writable, optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Pays back what a user paid into a cancelled market. Anybody can ask for it.
    claim_refund as ClaimRefund() {
        /// Whose position it is; receives the money.
        user: [writable],
        /// The market.
        market: [writable],
        /// The user's position in the market.
        position: [writable, pda(seeds::POSITION_SEEDS)],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The token account that receives, which the user owns; Stable markets only.
        receiver_token: [writable, optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Pays the fee of a resolved market to the treasury. Anybody can ask for it.
    withdraw_fees as WithdrawFees() {
        /// The platform's treasury.
        treasury: [writable],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The market's vault of the losing side, where the fee stayed.
        vault: [writable],
        /// The token account that receives, which the treasury owns; Stable markets only.
        receiver_token: [writable, optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Pays what is left in the vaults to the treasury: rounding remains once everybody was paid, and what nobody claimed for a long time.
    sweep_market as SweepMarket() {
        /// The platform's authority.
        authority: [signer],
        /// The global configuration.
        config: [writable, pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The platform's treasury.
        treasury: [writable],
        /// The token account that receives, which the treasury owns; Stable markets only.
        receiver_token: [writable, optional],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }

    /// Pays the bond of a disputer back when the dispute was right, else to the treasury. Anybody can ask for it.
    settle_bond as SettleBond() {
        /// The disputer or the treasury.
        receiver: [writable],
        /// The global configuration.
        config: [pda(seeds::GLOBAL_CONFIG_SEEDS)],
        /// The market.
        market: [writable],
    }

    /// Closes a position that has nothing to claim; its rent goes to the user. Anybody can ask for it.
    close_position as ClosePosition() {
        /// Whose position it is; receives the rent.
        user: [writable],
        /// The market.
        market: [writable],
        /// The user's position in the market.
        position: [writable, pda(seeds::POSITION_SEEDS)],
    }

    /// Closes a market without positions and its vaults; their rent goes to the market's authority. Anybody can ask for it.
    close_market as CloseMarket() {
        /// The market's authority; receives the rent.
        authority: [writable],
        /// The market.
        market: [writable],
        /// The market's YES vault.
        yes_vault: [writable, pda(seeds::YES_VAULT_SEEDS)],
        /// The market's NO vault.
        no_vault: [writable, pda(seeds::NO_VAULT_SEEDS)],
        /// The SPL Token program; Stable markets only.
        token_program: [optional],
    }
}
