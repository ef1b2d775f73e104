//! One file per instruction. `process` reads the arguments, validates, then takes effect.

pub mod accept_authority;
pub mod cancel_market;
pub mod claim_refund;
pub mod claim_winnings;
pub mod close_market;
pub mod close_position;
pub mod create_market;
pub mod dispute_market;
pub mod emergency_pause;
pub mod emergency_unpause;
pub mod finalize_market;
pub mod initialize_program;
pub mod migrate;
pub mod pause_market;
pub mod place_bet;
pub mod propose_authority;
pub mod resolve_market;
pub mod rule_dispute;
pub mod settle_bond;
pub mod sweep_market;
pub mod unpause_market;
pub mod update_config;
pub mod update_market;
pub mod withdraw_fees;
