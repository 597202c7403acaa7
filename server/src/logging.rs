//! The log: on standard error, as text or as one JSON object a line.

use crate::config::{Config, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. `usual` is the filter where none is set.
pub fn start(config: &Config, usual: &str) {
    let filter = EnvFilter::new(config.log.as_deref().unwrap_or(usual));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => log.with_ansi(color).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    debug_assert!(started.is_ok(), "logging is started once");
}
