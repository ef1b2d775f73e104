//! `propose_authority(pending_authority)`: the first of two steps to another authority.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | authority | yes | | the platform's authority |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! In two steps, because a mistyped key would own the platform for ever. Zero withdraws a proposal.
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`]
//! * `Unauthorized`: not the authority

use crypto_bet_interface::errors::FrameworkError;
use crypto_bet_interface::events::AuthorityProposed;
use crypto_bet_interface::instructions::ProposeAuthority;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework};
use crate::{checks, event_log, global_config};

/// Validates and proposes.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let ProposeAuthority { pending_authority } = checks::arguments(arguments)?;
    checks::flags(accounts, ProposeAuthority::DEMANDS)?;
    let [authority, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let mut config = global_config::edit(account, program_id)?;
    global_config::require_authority(&config, checks::key(authority))?;

    config.pending_authority = pending_authority;
    let sequence = global_config::next_event(&mut config)?;
    global_config::require_invariants(&config)?;
    event_log::write(AuthorityProposed {
        sequence,
        timestamp: event_log::now()?,
        authority: config.authority,
        pending_authority,
    });
    Ok(())
}
