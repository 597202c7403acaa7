//! `gatepost vault`: keys of the stored secrets.

use super::{Exit, Outcome, open::open, print_line};
use crate::config::Config;
use clap::Subcommand;
use gatepost_core::Actor;

/// Keys of the stored secrets
#[derive(Debug, Subcommand)]
pub enum Vault {
    /// Print a new Fernet key for MIGRATION_CREDENTIALS_KEY
    Keygen,
    /// Seal every stored secret anew with the first key of MIGRATION_CREDENTIALS_KEY
    ///
    /// Put the new key in front of the old one, rotate, and take the old one away.
    Rotate,
}

/// Prints a new key.
pub fn keygen() -> Outcome {
    print_line(gatepost_vault::generate_key())?;
    Ok(Exit::Done)
}

/// Carries out what needs the database.
pub async fn run(vault: Vault, config: Config) -> Outcome {
    match vault {
        Vault::Keygen => keygen(),
        Vault::Rotate => {
            let resealed = open(&config).await?.rotate_vault(&Actor::Cli).await?;
            print_line(format_args!("{resealed} secrets are sealed with the first key"))?;
            Ok(Exit::Done)
        }
    }
}
