//! Changing a job's phase: always by the table, always with history and audit.

use crate::{Actor, Error, Result, audit::Entry, clock, webhooks};
use gatepost_contract::{Job, Phase};
use gatepost_gate::phase;
use gatepost_store::{Conn, jobs, phase_history};
use serde_json::json;

/// Moves a job to another phase; nothing happens where it is there already.
pub(crate) async fn enter(tx: &mut Conn, actor: &Actor, job: &Job, to: Phase, reason: &str) -> Result<()> {
    if job.phase == to {
        return Ok(());
    }
    phase::transition(job.phase, to, job.failed_phase).map_err(|e| Error::conflict("phase", e.to_string()))?;
    let now = clock::now();
    let failed = (to == Phase::Failed).then_some(job.phase);
    if !jobs::set_phase(tx, job.id, job.phase, to, failed, &now).await? {
        return Err(Error::conflict("phase", "The job has changed meanwhile. Look again, then try again."));
    }
    if to == Phase::Failed {
        // A retry brings the phase back, not the word of a person.
        revoke(tx, job, &format!("the job failed: {reason}"), &now).await?;
    }
    phase_history::add(tx, job.id, job.phase, to, &actor.label(), reason, &now).await?;
    Entry::new(actor, "job.phase", format!("job/{}", job.id))
        .job(job.id)
        .before(&job.phase)
        .after(&to)
        .reason(reason)
        .write(tx)
        .await?;
    webhooks::phase_changed(tx, job, to, reason).await
}

/// Takes the approval that a job carries away; one that nobody has given is none the worse for it.
pub(crate) async fn revoke(tx: &mut Conn, job: &Job, why: &str, now: &str) -> Result<()> {
    let Some(given) = jobs::approval(tx, job.id).await? else { return Ok(()) };
    jobs::revoke_approval(tx, job.id, why, now).await?;
    Entry::new(&Actor::Worker, "gate.revoke", format!("job/{}", job.id))
        .job(job.id)
        .before(&json!({
            "approved_at": given.approved_at, "evidence_id": given.evidence_id, "signed": given.signed,
        }))
        .reason(why)
        .write(tx)
        .await?;
    Ok(())
}
