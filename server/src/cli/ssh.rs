//! `gatepost ssh`: which machines are trusted, by their host keys.

use super::{Exit, Outcome, Usage, print_line};
use crate::config::Config;
use clap::Subcommand;
use gatepost_tools::{
    find,
    ssh::{Destination, HostKey, KnownHosts, scan},
};
use std::io::{IsTerminal, Write};

/// Machines where programs are run by SSH
#[derive(Debug, Subcommand)]
pub enum Ssh {
    /// Ask a machine for its host key, and trust it once you have confirmed its fingerprint
    Trust {
        /// The machine: HOST or HOST:PORT
        host: Destination,
        /// Confirm a fingerprint beforehand, as its administrator told it: SHA256:...
        #[arg(long, value_name = "FINGERPRINT")]
        fingerprint: Option<String>,
    },
    /// Trust a machine no longer
    Forget {
        /// The machine: HOST or HOST:PORT
        host: Destination,
    },
    /// Show which machines are trusted
    List,
}

/// Carries it out.
pub async fn run(ssh: Ssh, config: Config) -> Outcome {
    let known = KnownHosts::at(config.tools.known_hosts.clone());
    match ssh {
        Ssh::Trust { host, fingerprint } => trust(&config, &known, &host, fingerprint.as_deref()).await,
        Ssh::Forget { host } => {
            if known.forget(&host)? {
                print_line(format_args!("{host} is trusted no longer"))?;
                Ok(Exit::Done)
            } else {
                anyhow::bail!("{host} was not trusted")
            }
        }
        Ssh::List => {
            for (host, key) in known.all() {
                print_line(format_args!("{host}  {key}"))?;
            }
            Ok(Exit::Done)
        }
    }
}

async fn trust(config: &Config, known: &KnownHosts, host: &Destination, told: Option<&str>) -> Outcome {
    let program = find(None, None, &["ssh-keyscan"])
        .ok_or_else(|| anyhow::anyhow!("there is no ssh-keyscan here; install openssh-client"))?;
    let work = config.core.data_path.join("work").join(format!("ssh-keyscan-{}", std::process::id()));
    let keys = scan(&program, host, &work).await;
    // It held nothing that is of use.
    let _ = std::fs::remove_dir_all(&work);
    let keys = keys?;
    if keys.is_empty() {
        anyhow::bail!("{host} shows no host key; check the name, the port and the way to it");
    }
    let before = known.of(host);
    for key in &before {
        let note = if keys.contains(key) { "as before" } else { "NOT SHOWN ANY MORE" };
        eprintln!("trusted so far: {key}  {note}");
    }
    for key in &keys {
        eprintln!("shown now:      {key}");
    }
    let confirmed: Vec<HostKey> = match told {
        Some(told) => keys.iter().filter(|key| key.fingerprint() == told).cloned().collect(),
        None if std::io::stdin().is_terminal() => {
            eprint!("Is this what the administrator of {host} says? Type yes to trust it: ");
            std::io::stderr().flush()?;
            let mut answer = String::new();
            std::io::stdin().read_line(&mut answer)?;
            if answer.trim() == "yes" { keys.clone() } else { Vec::new() }
        }
        None => {
            return Err(
                Usage("there is no terminal to ask on; confirm with --fingerprint SHA256:...".to_owned()).into()
            );
        }
    };
    if confirmed.is_empty() {
        anyhow::bail!("{host} was not trusted: its fingerprint was not confirmed, nothing was changed");
    }
    known.trust(host, &confirmed)?;
    for key in &confirmed {
        print_line(format_args!("{host} is trusted with {key}"))?;
    }
    Ok(Exit::Done)
}
