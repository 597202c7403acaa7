//! `gatepost backup`: a consistent copy of the database.

use super::{Exit, Outcome, open::open, print_line, table::bytes};
use crate::config::Config;
use clap::Args;
use gatepost_core::Actor;
use std::path::PathBuf;

/// Write a consistent copy of the database, also while the server runs
///
/// Keys are not in it: keep MIGRATION_CREDENTIALS_KEY or the key file elsewhere, or stored passwords are lost.
#[derive(Debug, Args)]
pub struct Backup {
    /// The new file; one that exists is not overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes it.
pub async fn run(backup: Backup, config: Config) -> Outcome {
    let size = open(&config).await?.backup(&Actor::Cli, &backup.file).await?;
    print_line(format_args!("{} ({})", backup.file.display(), bytes(size)))?;
    Ok(Exit::Done)
}
