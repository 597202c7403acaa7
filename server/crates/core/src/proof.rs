//! Whether what was read last proves a job: every mailbox was verified after its last copy, and nothing is missing,
//! changed or in the wrong place. It knows runs and evidence; who approved what does not matter here.

use crate::{Actor, Result, files, jobs::found, phases, stragglers};
use gatepost_contract::{JobId, MailboxEvidence, PageQuery, Phase, Run, RunStatus, RunType, Tally};
use gatepost_store::{Conn, evidence, jobs, runs};
use time::OffsetDateTime;

/// How many of a mailbox's newest runs are looked at; between these must be the one that made the evidence.
const RUNS_LOOKED_AT: u32 = 50;

/// Enters `verified` where the job waits for its last proof, has it, and has nothing at work.
pub(crate) async fn close_in(tx: &mut Conn, actor: &Actor, id: JobId) -> Result<()> {
    let job = found(jobs::get(tx, id).await?)?;
    if job.phase == Phase::FinalSync
        && runs::active_for_job(tx, id).await?.is_empty()
        && is_proved(tx, id).await?
        && stragglers::is_quiet(tx, &job, OffsetDateTime::now_utc()).await?
    {
        phases::enter(tx, actor, &job, Phase::Verified, "the last verification found everything").await?;
    }
    Ok(())
}

async fn is_proved(tx: &mut Conn, job: JobId) -> Result<bool> {
    let read = evidence::for_job(tx, job).await?;
    if read.evidence_id.is_none() {
        return Ok(false);
    }
    for mailbox in &read.mailboxes {
        let filter = runs::RunFilter { mailbox_id: Some(mailbox.mailbox_id), ..runs::RunFilter::default() };
        let page = PageQuery { per_page: RUNS_LOOKED_AT, ..PageQuery::default() };
        let newest = runs::list(tx, &filter, &page).await?.items;
        if !is_newest(mailbox, &newest) || !is_whole(mailbox) {
            return Ok(false);
        }
        if !files::amiss(tx, mailbox.mailbox_id, mailbox.run_id).await?.left_out.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the last run that may have copied, or found something out, is the one whose proof this is.
fn is_newest(evidence: &MailboxEvidence, newest_first: &[Run]) -> bool {
    let last = newest_first.iter().find(|run| says_something(run));
    last.is_some_and(|run| Some(run.id) == evidence.run_id && has_proof(run))
}

/// What never began, and a quick look that counted nothing otherwise, leave a proof as it was.
fn says_something(run: &Run) -> bool {
    let looked_quickly = run.run_type == RunType::Verify
        && run.status == RunStatus::Success
        && run.stats.get("depth").and_then(serde_json::Value::as_str) == Some("quick");
    // A file that was read through is judged by itself.
    let only_looked = matches!(run.run_type, RunType::Preflight | RunType::PstExtract);
    !only_looked && run.started_at.is_some() && !looked_quickly
}

/// Whether this run read everything to its end. A `final` run that was done again after an interruption keeps the
/// figures of its last attempt alone.
pub(crate) fn has_proof(run: &Run) -> bool {
    let ended = matches!(run.status, RunStatus::Success | RunStatus::Partial) && run.exit_code != Some(130);
    ended
        && match run.run_type {
            RunType::Verify => true,
            RunType::Final => run.stats.contains_key("proof"),
            _ => false,
        }
}

/// Whether evidence names folders, adds up, and has nothing missing, refused, changed, misplaced or doubled.
fn is_whole(evidence: &MailboxEvidence) -> bool {
    let mut sum = Tally::default();
    evidence.folders.iter().for_each(|folder| sum += folder.tally);
    !evidence.folders.is_empty()
        && sum == evidence.tally
        && sum.adds_up()
        && sum.pending == 0
        && sum.quarantined == 0
        && evidence.folders.iter().all(|f| f.visited && f.changed + f.misplaced + f.doubled == 0)
}
