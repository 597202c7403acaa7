//! `gatepost gate`: the verdict, for scripts.

use super::{Exit, Outcome, open::open, print_json, print_line};
use crate::config::Config;
use clap::Args;
use gatepost_core::Actor;

/// Ask the gate whether a domain's MX may be changed
///
/// Exits with 0 for ready_for_dns alone, with 3 for anything else.
#[derive(Debug, Args)]
#[command(after_help = "Example: gatepost gate --domain example.net && nsupdate change-mx.txt")]
pub struct Gate {
    /// The domain
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
    /// Print the whole answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub async fn run(gate: Gate, config: Config) -> Outcome {
    let core = open(&config).await?;
    let answer = core.gate_answer(&Actor::Cli, &gate.domain).await?;
    if gate.json {
        print_json(&answer)?;
    } else {
        print_line(format_args!("{}: {}", answer.gate, answer.reason))?;
        for check in &answer.checks {
            print_line(format_args!("  {:4}  {}: {}", check.status, check.check_id.title(), check.message))?;
        }
    }
    Ok(if answer.dns_allowed { Exit::Done } else { Exit::LeftOver })
}
