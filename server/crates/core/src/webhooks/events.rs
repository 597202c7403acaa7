//! What webhooks are told, and when: each of these is called within the transaction of the change that it tells of, so
//! that neither can be without the other.

use crate::{Result, clock};
use gatepost_contract::{Gate, Job, JobId, Phase, RunId, WebhookEvent};
use gatepost_store::{Conn, jobs, runs, webhook_deliveries, webhooks};
use serde::Serialize;
use serde_json::{Value, json};

/// The body of every message, in the form that Standard Webhooks proposes.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    event: WebhookEvent,
    timestamp: &'a str,
    data: &'a Value,
}

/// A gate has changed; `job` is as it was before. Only opening and shutting are told.
pub(crate) async fn gate_changed(tx: &mut Conn, job: &Job, to: Gate, reason: &str) -> Result<()> {
    let event = match (job.migration_gate, to) {
        (before, after) if before.dns_allowed() == after.dns_allowed() => return Ok(()),
        (_, after) if after.dns_allowed() => WebhookEvent::GateReady,
        _ => WebhookEvent::GateRevoked,
    };
    let data = json!({
        "job_id": job.id,
        "ticket_id": job.ticket_id,
        "domain": job.domain,
        "phase": job.phase,
        "previous_gate": job.migration_gate,
        "gate": to,
        "dns_allowed": to.dns_allowed(),
        "reason": reason,
    });
    tell(tx, event, Some(job.id), &data).await
}

/// A job has entered another phase; `job` is as it was before.
pub(crate) async fn phase_changed(tx: &mut Conn, job: &Job, to: Phase, reason: &str) -> Result<()> {
    // A gate that has just changed in this transaction may be the cause.
    let gate = jobs::get(tx, job.id).await?.map_or(job.migration_gate, |now| now.migration_gate);
    let data = json!({
        "job_id": job.id,
        "ticket_id": job.ticket_id,
        "domain": job.domain,
        "previous_phase": job.phase,
        "phase": to,
        "gate": gate,
        "reason": reason,
    });
    tell(tx, WebhookEvent::PhaseChanged, Some(job.id), &data).await
}

/// A run has ended, and what followed from it is done.
pub(crate) async fn run_finished(tx: &mut Conn, id: RunId) -> Result<()> {
    if webhooks::told_of(tx, WebhookEvent::RunFinished).await?.is_empty() {
        return Ok(());
    }
    let Some(run) = runs::get(tx, id).await? else { return Ok(()) };
    let Some(job) = jobs::get(tx, run.job_id).await? else { return Ok(()) };
    let data = json!({
        "job_id": job.id,
        "ticket_id": job.ticket_id,
        "domain": job.domain,
        "phase": job.phase,
        "gate": job.migration_gate,
        "sync_percent": job.sync_percent,
        "run": {
            "id": run.id,
            "run_type": run.run_type,
            "mailbox_id": run.mailbox_id,
            "email": run.email,
            "status": run.status,
            "exit_code": run.exit_code,
            "summary": run.summary,
            "stats": run.stats,
            "queued_at": run.queued_at,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
        },
    });
    tell(tx, WebhookEvent::RunFinished, Some(job.id), &data).await
}

/// Queues a message for every webhook that wants to hear of the event, under one message id.
async fn tell(tx: &mut Conn, event: WebhookEvent, job: Option<JobId>, data: &Value) -> Result<()> {
    let told = webhooks::told_of(tx, event).await?;
    if told.is_empty() {
        return Ok(());
    }
    let now = clock::now();
    let (message_id, payload) = (new_message_id(), payload(event, &now, data));
    for webhook_id in told {
        let (message_id, payload) = (message_id.as_str(), payload.as_str());
        let new =
            webhook_deliveries::NewDelivery { webhook_id, message_id, event, job_id: job, payload, replay_of: None };
        webhook_deliveries::insert(tx, &new, &now).await?;
    }
    Ok(())
}

/// The bytes that are signed and posted.
pub(super) fn payload(event: WebhookEvent, timestamp: &str, data: &Value) -> String {
    serde_json::to_string(&Message { event, timestamp, data }).expect("texts and JSON values always serialise")
}

/// What receivers know a message by.
pub(super) fn new_message_id() -> String {
    format!("msg_{}", uuid::Uuid::new_v4().simple())
}
