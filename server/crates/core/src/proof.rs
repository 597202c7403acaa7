//! Whether what was read last proves a job: every mailbox was verified after its last copy, and nothing is missing,
//! changed or in the wrong place. It knows runs and evidence; who approved what does not matter here.

use crate::{Actor, Result, files, jobs::found, phases, stragglers};
use gatepost_contract::{Depth, JobId, MailboxEvidence, Phase, RunStatus, RunType, Tally};
use gatepost_store::{
    Conn, evidence, jobs,
    runs::{
        self,
        history::{self, Past},
    },
};
use serde_json::{Map, Value};
use time::OffsetDateTime;

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
    let last_words = history::last_words(tx, job).await?;
    let files = files::amiss_of_job(tx, &read).await?;
    Ok(read.mailboxes.iter().all(|mailbox| {
        let all_files = files.get(&mailbox.mailbox_id).is_none_or(|files| files.left_out.is_empty());
        let last = last_words.get(&mailbox.mailbox_id);
        all_files && is_whole(mailbox) && last.is_some_and(|run| Some(run.id) == mailbox.run_id && has_proof(run))
    }))
}

/// What a run that copied has done to the destination, or could not.
const DONE: [&str; 5] = ["transferred", "adopted", "quarantined", "flags_changed", "failed_folders"];

/// Whether a run that ended so has left everything as it was: what was read before it holds as it did. Of a run that was
/// done again after an interruption nobody knows what its first attempts have done.
pub(crate) fn is_idle(run_type: RunType, status: RunStatus, stats: &Map<String, Value>) -> bool {
    let nothing = |figure: &&str| stats.get(*figure).and_then(Value::as_i64).unwrap_or(0) == 0;
    let left_alone = match run_type {
        RunType::Initial | RunType::Delta | RunType::Final => {
            DONE.iter().all(nothing) && !stats.contains_key("resumed")
        }
        // A count that found nothing otherwise.
        RunType::Verify => {
            stats.get("depth").and_then(Value::as_str) == Some(Depth::Quick.as_str())
                && stats.get("contradicted").and_then(Value::as_array).is_none_or(Vec::is_empty)
        }
        _ => false,
    };
    left_alone && status == RunStatus::Success
}

/// Whether this run read everything to its end. A `final` run that was done again after an interruption keeps the
/// figures of its last attempt alone.
fn has_proof(run: &Past) -> bool {
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
