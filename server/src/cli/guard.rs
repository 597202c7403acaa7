//! `gatepost guard`: the process that Gatepost starts beside itself once it runs programs, which ends them should it be
//! killed. Nobody types it; what it does is in gatepost-tools.

use super::{Exit, Outcome};
use std::{os::unix::process::CommandExt as _, process::Command};

/// Stands guard until whoever started it is gone.
pub fn run() -> Outcome {
    gatepost_tools::stand_guard(std::io::stdin().lock(), std::io::stdout().lock())?;
    Ok(Exit::Done)
}

/// How it is started: from the very file that runs here, also where another version lies in its place by now.
pub fn command() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("gatepost").arg("guard");
    command
}
