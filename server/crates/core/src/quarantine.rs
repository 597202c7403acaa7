//! The quarantine as a work list: messages that were refused are tried again, one by one or a class at once.

use crate::{
    Actor, Error, Gatepost, Result,
    audit::Entry,
    jobs::found,
    phases,
    residue::{checked_selection, counted, described},
    runs::{enqueue, enter_by_run},
    validate::Checker,
};
use gatepost_contract::{JobId, MessageId, MessageState, Phase, ResidueFilter, Retried, RetryMany, RunType};
use gatepost_store::{
    jobs,
    messages::{self, Act, Selection},
    runs,
};
use serde_json::json;

impl Gatepost {
    /// Tries one refused message again: it is pending, and a run is started that copies what its mailbox lacks. Line
    /// ends and NULs that a server would not take are mended on the way.
    pub async fn retry_message(&self, actor: &Actor, id: MessageId) -> Result<Retried> {
        actor.manage()?;
        let message = messages::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("message"))?;
        let state = message.residue.state;
        if state != MessageState::Quarantined {
            return Err(Error::conflict(
                "not_quarantined",
                format!("Only refused messages are tried again one by one; this one is {state}."),
            ));
        }
        let only = vec![id];
        let selection = Selection { job: message.job_id, filter: ResidueFilter::default(), only, act: Act::Retry };
        self.retry(actor, selection, None).await
    }

    /// Tries all refused messages of a class again.
    pub async fn retry_many(&self, actor: &Actor, job: JobId, request: RetryMany) -> Result<Retried> {
        actor.manage()?;
        let filter = request.filter();
        let selection = checked_selection(Checker::new(), job, filter, request.message_ids, Act::Retry)?;
        self.retry(actor, selection, request.expected_count).await
    }

    async fn retry(&self, actor: &Actor, selection: Selection, expected: Option<i64>) -> Result<Retried> {
        let mut tx = self.store().begin().await?;
        let mut job = found(jobs::get(&mut tx, selection.job).await?)?;
        let mailboxes = counted(&mut tx, &selection, expected).await?;
        let active = runs::active_for_job(&mut tx, job.id).await?;
        if let Some(run) = active.iter().find(|run| run.mailbox_id.is_some_and(|m| mailboxes.contains(&m))) {
            return Err(Error::conflict(
                "already_running",
                format!(
                    "Run {} ({}, {}) is at work on a mailbox of these. Wait for it, or cancel it first.",
                    run.id, run.run_type, run.status
                ),
            ));
        }
        if let (Phase::Failed, Some(back)) = (job.phase, job.failed_phase) {
            phases::enter(&mut tx, actor, &job, back, "retried").await?;
            job = found(jobs::get(&mut tx, job.id).await?)?;
        }
        // After the MX was changed, what the source lacks at the destination is a straggler.
        let run_type = match job.phase {
            Phase::DnsCutover | Phase::FinalSync | Phase::Verified => RunType::Final,
            _ => RunType::Delta,
        };
        enter_by_run(&mut tx, actor, &job, run_type).await?;
        let count = messages::retry(&mut tx, &selection).await?;
        let mut run_ids = Vec::with_capacity(mailboxes.len());
        for mailbox in mailboxes {
            run_ids.push(enqueue(&mut tx, actor, job.id, mailbox, run_type, "{}").await?);
        }
        let subject = match selection.only.as_slice() {
            [one] => format!("message/{one}"),
            _ => format!("job/{}", job.id),
        };
        Entry::new(actor, "messages.retry", subject)
            .job(job.id)
            .before(&MessageState::Quarantined)
            .after(&json!({"messages": count, "filter": described(&selection), "runs": run_ids}))
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, job.id).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(Retried { messages: i64::try_from(count).unwrap_or(i64::MAX), run_ids })
    }
}
