//! The command line: what can be typed, and what the exit codes mean. One file a command.

mod admin;
mod audit;
mod backup;
mod copy;
mod doctor;
mod gate;
mod guard;
mod man;
mod open;
mod password;
mod progress;
mod pst;
mod report;
mod serve;
mod source;
mod ssh;
mod table;
mod url;
mod vault;
mod verify;

use crate::{
    config::{self, Config, Unusable},
    logging,
};
use clap::{CommandFactory, Parser, Subcommand};
use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Moves a domain's mail, and keeps the DNS gate shut until every message is proved to have arrived.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 failed, 2 wrong usage or settings, 3 finished with something left over \
    (gate: not ready), 130 interrupted and safe to run again.\n\nSettings come from the environment (GATEPOST_*, \
    MIGRATION_*) over the file of --config; `gatepost config sample` prints them all."
)]
struct Cli {
    /// A TOML file with settings; the environment wins over it
    #[arg(long, global = true, value_name = "FILE", env = "GATEPOST_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the Desk, the API and a worker in one process
    Serve(serve::Serve),
    /// Run a worker alone, on the same database as a server
    Worker(serve::Worker),
    /// Copy one mailbox from a server or a file to an IMAP server, without the Desk
    Copy(Box<copy::Copy>),
    /// Look into a PST or OST file, or take everything out of it
    #[command(subcommand)]
    Pst(pst::Pst),
    /// Re-read both servers of a job and show the evidence
    Verify(verify::Verify),
    /// Ask the gate whether a domain's MX may be changed
    Gate(gate::Gate),
    /// Make a job's report, or check one against its signature
    #[command(subcommand)]
    Report(report::Report),
    /// Users and service tokens
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Keys of the stored secrets
    #[command(subcommand)]
    Vault(vault::Vault),
    /// Machines where programs are run by SSH: which are trusted
    #[command(subcommand)]
    Ssh(ssh::Ssh),
    /// The audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Write a consistent copy of the database, also while the server runs
    Backup(backup::Backup),
    /// Check tools, ports, disk, keys and settings, and say what to do
    Doctor(doctor::Doctor),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell, e.g. `gatepost completions bash > /etc/bash_completion.d/gatepost`
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page a command with --dir
    Man(man::Man),
    /// End the programs of the process that started this one, should it be killed; started by Gatepost itself
    #[command(hide = true)]
    Guard,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a commented sample file
    Sample,
    /// Check the settings and print nothing when they are good
    Check,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done,
    /// It failed.
    Failed,
    /// It was asked wrongly, or a setting is wrong.
    Usage,
    /// It finished, with something left over.
    LeftOver,
    /// It was interrupted, and may be run again.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::LeftOver => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// The command line asked for something that cannot be.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// What a command answers.
pub type Outcome = anyhow::Result<Exit>;

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // The reader of a pipe that went away is no failure worth words.
            if !is_broken_pipe(&error) {
                eprintln!("gatepost: {error:#}");
                for field in
                    error.downcast_ref::<gatepost_core::Error>().map(|e| e.problem().errors).unwrap_or_default()
                {
                    eprintln!("  {}: {}", field.field, field.message);
                }
            }
            let usage = error.is::<Usage>()
                || error.is::<Unusable>()
                || matches!(error.downcast_ref(), Some(gatepost_core::Error::Invalid(_)));
            if usage { Exit::Usage.into() } else { Exit::Failed.into() }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

fn carry_out(cli: Cli) -> Outcome {
    gatepost_tools::guard_by(guard::command);
    // These work without any setting.
    match &cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "gatepost", &mut script);
            std::io::stdout().write_all(&script)?;
            return Ok(Exit::Done);
        }
        Command::Man(man) => return man::run(man, Cli::command()),
        Command::Guard => return guard::run(),
        Command::Config(ConfigCommand::Sample) => {
            std::io::stdout().write_all(config::SAMPLE.as_bytes())?;
            return Ok(Exit::Done);
        }
        Command::Vault(vault::Vault::Keygen) => return vault::keygen(),
        Command::Doctor(doctor) => return block_on(doctor::run(doctor, cli.config.as_deref())),
        _ => {}
    }
    let config = config::load(cli.config.as_deref())?;
    let usual = if matches!(cli.command, Command::Serve(_) | Command::Worker(_)) { "info" } else { "error" };
    logging::start(&config, usual);
    block_on(with_settings(cli.command, config))
}

async fn with_settings(command: Command, config: Config) -> Outcome {
    match command {
        Command::Serve(serve) => serve::run(serve, config).await,
        Command::Worker(worker) => serve::worker(worker, config).await,
        Command::Copy(copy) => Box::pin(copy::run(*copy, config)).await,
        Command::Pst(pst) => pst::run(pst, config).await,
        Command::Verify(verify) => verify::run(verify, config).await,
        Command::Gate(gate) => gate::run(gate, config).await,
        Command::Report(report) => report::run(report, config).await,
        Command::Admin(admin) => admin::run(admin, config).await,
        Command::Vault(vault) => vault::run(vault, config).await,
        Command::Ssh(ssh) => ssh::run(ssh, config).await,
        Command::Audit(audit) => audit::run(audit, config).await,
        Command::Backup(backup) => backup::run(backup, config).await,
        Command::Config(_) | Command::Doctor(_) | Command::Completions { .. } | Command::Man(_) | Command::Guard => {
            Ok(Exit::Done)
        }
    }
}

fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Prints a value as one line of JSON on standard output.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

/// Prints a line on standard output. Unlike `println!` a closed pipe is an error here, not a panic.
pub fn print_line(line: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// Whether somebody watches standard error.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_argument_is_explained() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        check(&command);
    }
}
