//! Opening the service for a command.

use crate::{config::Config, drivers::BuiltIn};
use anyhow::Context;
use gatepost_core::Gatepost;
use std::sync::Arc;

/// Opens the database and the keys. Starts no worker.
pub async fn open(config: &Config) -> anyhow::Result<Gatepost> {
    Gatepost::open(config.core.clone(), Arc::new(BuiltIn { tools: config.tools.clone() }))
        .await
        .context("the service cannot be opened")
}
