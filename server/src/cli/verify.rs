//! `gatepost verify`: a job's evidence.

use super::{Exit, Outcome, Usage, open::open, print_json, print_line, table::Table};
use crate::config::Config;
use clap::Args;
use gatepost_contract::{Depth, JobEvidence, JobId, MailboxEvidence, MailboxId, Tally, VerifyRequest};
use gatepost_core::Actor;

/// Re-read both servers of a job and show the evidence
///
/// Works on the database of GATEPOST_DATABASE_URL, also while the server runs. Exits with 3 when something is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example: gatepost verify --job-id 7 --deep --json")]
pub struct Verify {
    /// The job
    #[arg(long, value_name = "N")]
    job_id: i64,
    /// Show only this mailbox of it
    #[arg(long, value_name = "M")]
    mailbox_id: Option<i64>,
    /// Compare bodies too: a sample of them
    #[arg(long)]
    deep: bool,
    /// With --deep: compare every body
    #[arg(long, requires = "deep")]
    all: bool,
    /// With --deep: how many of a hundred bodies; 5 by default, and at least 200 of a mailbox
    #[arg(long, value_name = "PERCENT", requires = "deep", conflicts_with = "all")]
    sample: Option<f64>,
    /// With --deep: choose the same sample as the verification that told this seed
    #[arg(long, value_name = "N", requires = "deep", conflicts_with = "all")]
    seed: Option<u64>,
    /// Show the stored evidence and read nothing again
    #[arg(long, conflicts_with = "deep")]
    stored: bool,
    /// Print the evidence as one JSON object
    #[arg(long)]
    json: bool,
}

/// Verifies and prints.
pub async fn run(verify: Verify, config: Config) -> Outcome {
    let core = open(&config).await?;
    let job = JobId(verify.job_id);
    core.get_job(&Actor::Cli, job).await?;
    if !verify.stored {
        let depth = if verify.deep { Depth::Deep } else { Depth::Standard };
        let mailbox_ids = verify.mailbox_id.map(MailboxId).into_iter().collect();
        let request = VerifyRequest {
            depth: Some(depth),
            all: verify.all,
            sample_percent: verify.sample,
            seed: verify.seed,
            mailbox_ids,
        };
        let started = core.start_verify(&Actor::Cli, job, request).await?;
        let worked = core.work_on(&Actor::Cli, &started.run_ids).await;
        core.await_providers().await;
        worked?;
    }
    let mut evidence = core.evidence(&Actor::Cli, job).await?;
    if let Some(mailbox) = verify.mailbox_id {
        evidence.mailboxes.retain(|m| m.mailbox_id == MailboxId(mailbox));
        if evidence.mailboxes.is_empty() {
            return Err(Usage(format!("job {job} has no mailbox {mailbox}")).into());
        }
        evidence.totals = Tally::default();
        for mailbox in &evidence.mailboxes {
            evidence.totals += mailbox.tally;
        }
        evidence.worst_ratio = evidence.mailboxes.iter().map(|m| m.ratio).reduce(f64::min);
    }
    if verify.json {
        print_json(&evidence)?;
    } else {
        print_line(table(&evidence))?;
    }
    Ok(if is_complete(&evidence) { Exit::Done } else { Exit::LeftOver })
}

fn is_complete(evidence: &JobEvidence) -> bool {
    let complete = |m: &MailboxEvidence| {
        m.run_id.is_some()
            && m.tally.pending == 0
            && m.tally.quarantined == 0
            && m.folders.iter().all(|f| f.changed + f.doubled == 0)
    };
    !evidence.mailboxes.is_empty() && evidence.mailboxes.iter().all(complete)
}

fn table(evidence: &JobEvidence) -> Table {
    let columns = ["mailbox", "folder", "source", "arrived", "pending", "quarantined", "waived", "changed", "ratio"];
    let mut table = Table::new(&columns);
    let mut add = |mailbox: &str, folder: &str, t: &Tally, changed: i64, ratio: Option<f64>| {
        table.row([
            mailbox.to_owned(),
            folder.to_owned(),
            t.source.to_string(),
            t.arrived.to_string(),
            t.pending.to_string(),
            t.quarantined.to_string(),
            t.waived.to_string(),
            changed.to_string(),
            ratio.map_or_else(String::new, |ratio| format!("{:.2}%", ratio * 100.0)),
        ]);
    };
    for mailbox in &evidence.mailboxes {
        for folder in &mailbox.folders {
            add(&mailbox.email, &folder.source_path, &folder.tally, folder.changed, Some(folder.tally.ratio()));
        }
        let changed = mailbox.folders.iter().map(|f| f.changed).sum();
        let what = if mailbox.run_id.is_some() { "all" } else { "never verified" };
        add(&mailbox.email, what, &mailbox.tally, changed, mailbox.run_id.map(|_| mailbox.ratio));
    }
    table
}
