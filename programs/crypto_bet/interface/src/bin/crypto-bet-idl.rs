//! Prints an IDL: `crypto-bet-idl current` (Anchor's specification 0.1.0) or
//! `crypto-bet-idl legacy` (as Anchor 0.29 wrote it).

use std::process::ExitCode;

use crypto_bet_interface::idl;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["current"] => print!("{}", idl::current()),
        ["legacy"] => print!("{}", idl::legacy()),
        _ => {
            eprintln!("usage: crypto-bet-idl current|legacy");
            return ExitCode::from(64);
        }
    }
    ExitCode::SUCCESS
}
