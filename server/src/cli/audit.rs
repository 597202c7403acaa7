//! `gatepost audit`: proves that the log is whole.

use super::{Exit, Outcome, open::open, print_json, print_line};
use crate::config::Config;
use clap::Subcommand;
use gatepost_core::Actor;

/// The audit log
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Recompute the chain of hashes; exits with 1 where a row was changed, removed or added
    Verify {
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Carries it out.
pub async fn run(audit: Audit, config: Config) -> Outcome {
    let Audit::Verify { json } = audit;
    let proof = open(&config).await?.verify_audit(&Actor::Cli).await?;
    if json {
        print_json(&proof)?;
    }
    if let Some(broken) = &proof.broken {
        if !json {
            print_line(format_args!("the audit log is broken at row {}: {}", broken.id, broken.reason))?;
        }
        return Ok(Exit::Failed);
    }
    if !json {
        print_line(format_args!("the audit log is whole: {} rows, newest hash {}", proof.rows, proof.head))?;
    }
    Ok(Exit::Done)
}
