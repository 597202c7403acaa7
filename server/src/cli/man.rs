//! `gatepost man`: the manual, made from the command line itself.

use super::{Exit, Outcome};
use anyhow::Context;
use clap::Args;
use std::{io::Write, path::PathBuf};

/// Print the manual page, or write one page a command with --dir
#[derive(Debug, Args)]
pub struct Man {
    /// A directory for gatepost.1, gatepost-serve.1 and so on
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints or writes it.
pub fn run(man: &Man, command: clap::Command) -> Outcome {
    if let Some(dir) = &man.dir {
        std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        clap_mangen::generate_to(command, dir).with_context(|| format!("{} cannot be written", dir.display()))?;
    } else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        std::io::stdout().write_all(&page)?;
    }
    Ok(Exit::Done)
}
