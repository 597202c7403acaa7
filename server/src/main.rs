//! The program `gatepost`: the Desk, the REST API, the worker and the command line.
//!
//! `cli` reads the command line and knows the exit codes, `config` the settings, `http` everything behind the port.
//! The business itself is in gatepost-core.

mod cli;
mod config;
mod drivers;
mod http;
mod logging;
mod loopback;
mod prober;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
