//! `gatepost audit`: proves that the log is whole, and writes it out.

use super::{Exit, Outcome, open::open, print_json, print_line};
use crate::{
    config::Config,
    http::audit_file::{ExportFormat, rows},
};
use anyhow::Context;
use clap::{Args, Subcommand};
use futures::StreamExt;
use gatepost_contract::{AuditFilter, AuditId, JobId};
use gatepost_core::Actor;
use std::{
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// The audit log
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Recompute the chain of hashes; exits with 1 where a row was changed, removed, added or moved
    Verify {
        /// A head that was kept elsewhere, as an earlier verification printed it: that row must still have that hash
        #[arg(long, value_name = "ID:HASH")]
        head: Option<String>,
        /// Print the result as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write the log out, oldest row first
    Export(Export),
}

/// What is written, and where to
#[derive(Debug, Args)]
pub struct Export {
    /// One JSON object a line, or comma separated values for spreadsheets
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,
    /// Rows of this job alone
    #[arg(long, value_name = "N")]
    job_id: Option<i64>,
    /// Rows of this actor alone: an address, token:NAME, worker or cli
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// Rows of this action alone, e.g. gate.approve
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// From this day or RFC 3339 time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this RFC 3339 time, or to the end of this day
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The file to write; standard output where left out. An existing file is not touched
    file: Option<PathBuf>,
}

/// Carries it out.
pub async fn run(audit: Audit, config: Config) -> Outcome {
    match audit {
        Audit::Verify { head, json } => verify(head.as_deref(), json, &config).await,
        Audit::Export(wanted) => export(wanted, &config).await,
    }
}

async fn verify(head: Option<&str>, json: bool, config: &Config) -> Outcome {
    let proof = open(config).await?.verify_audit(&Actor::Cli, head).await?;
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
        print_line(format_args!("the audit log is whole: {} rows; keep its head {}", proof.rows, proof.kept()))?;
    }
    Ok(Exit::Done)
}

async fn export(wanted: Export, config: &Config) -> Outcome {
    let filter = AuditFilter {
        job_id: wanted.job_id.map(JobId),
        actor: wanted.actor,
        action: wanted.action,
        since: wanted.since,
        until: wanted.until,
    };
    let core = open(config).await?;
    let first = core.audit_following(&Actor::Cli, filter.clone(), AuditId(0)).await?;
    let mut out: Box<dyn Write + Send> = match &wanted.file {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(create(path)?),
    };
    let mut parts = std::pin::pin!(rows(core, Actor::Cli, filter, wanted.format, first));
    while let Some(part) = parts.next().await {
        out.write_all(&part?)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn create(path: &Path) -> anyhow::Result<BufWriter<std::fs::File>> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    Ok(BufWriter::new(file.with_context(|| format!("{} cannot be made", path.display()))?))
}
