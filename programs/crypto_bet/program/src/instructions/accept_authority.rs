//! `accept_authority()`: the second of two steps to another authority.
//!
//! | # | account | signer | writable | is |
//! | ---: | --- | --- | --- | --- |
//! | 0 | pending_authority | yes | | whom the authority proposed |
//! | 1 | config | | yes | PDA `["global_config"]` |
//!
//! # Errors
//! * `InstructionDidNotDeserialize`, `AccountNotEnoughKeys`, `AccountNotSigner`, `ConstraintMut`
//! * those of [`global_config::edit`]
//! * `Unauthorized`: not the proposed authority, or nobody is proposed

use crypto_bet_interface::errors::{CryptoBetError, FrameworkError};
use crypto_bet_interface::events::AuthorityChanged;
use crypto_bet_interface::instructions::AcceptAuthority;
use crypto_bet_interface::wire::Key;
use pinocchio::{AccountView, Address};

use crate::errors::{Checked, framework, own};
use crate::{checks, event_log, global_config};

/// Validates and hands over.
pub fn process(program_id: &Address, accounts: &mut [AccountView], arguments: &[u8]) -> Checked {
    let AcceptAuthority {} = checks::arguments(arguments)?;
    checks::flags(accounts, AcceptAuthority::DEMANDS)?;
    let [pending, account, ..] = accounts else {
        return Err(framework(FrameworkError::AccountNotEnoughKeys));
    };
    let mut config = global_config::edit(account, program_id)?;
    // zero, which stands for nobody, is an address that cannot sign
    if checks::key(pending) != config.pending_authority {
        return Err(own(CryptoBetError::Unauthorized));
    }

    let old_authority = config.authority;
    config.authority = config.pending_authority;
    config.pending_authority = Key::ZERO;
    let sequence = global_config::next_event(&mut config)?;
    global_config::require_invariants(&config)?;
    event_log::write(AuthorityChanged {
        sequence,
        timestamp: event_log::now()?,
        old_authority,
        new_authority: config.authority,
    });
    Ok(())
}
