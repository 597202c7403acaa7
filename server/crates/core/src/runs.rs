//! Starting, watching, cancelling and repeating runs.

use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, logs, pauses, phases, users::checked_page,
    webhooks, work::AGAIN,
};
use gatepost_contract::{
    Depth, Event, EventId, Job, JobId, MailboxId, Page, PageQuery, Phase, Run, RunId, RunStatus, RunType, RunView,
    Scope, Started, SyncRequest, Tool, VerifyRequest,
};
use gatepost_gate::phase;
use gatepost_store::{Conn, events, jobs, mailboxes, messages, runs, steps};
use rand::Rng as _;
use serde_json::json;

/// How many of a hundred messages a deep verification reads unless told otherwise.
const SAMPLE_PERCENT: f64 = 5.0;

impl Gatepost {
    /// Looks at both servers, for every mailbox of the job.
    pub async fn start_preflight(&self, actor: &Actor, job: JobId) -> Result<Started> {
        self.start(actor, job, RunType::Preflight, &[], "{}".into()).await
    }

    /// Copies.
    pub async fn start_sync(&self, actor: &Actor, job: JobId, request: SyncRequest) -> Result<Started> {
        if !matches!(request.run_type, RunType::Initial | RunType::Delta | RunType::Final) {
            return Err(Error::field("type", "may be initial, delta or final"));
        }
        self.start(actor, job, request.run_type, &request.mailbox_ids, "{}".into()).await
    }

    /// Re-reads both servers.
    pub async fn start_verify(&self, actor: &Actor, job: JobId, request: VerifyRequest) -> Result<Started> {
        let params = verify_params(&request)?;
        self.start(actor, job, RunType::Verify, &request.mailbox_ids, params.to_string()).await
    }

    async fn start(
        &self,
        actor: &Actor,
        id: JobId,
        run_type: RunType,
        only: &[MailboxId],
        params: String,
    ) -> Result<Started> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        let all: Vec<MailboxId> = mailboxes::list(&mut tx, id).await?.iter().map(|m| m.id).collect();
        if let Some(stranger) = only.iter().find(|m| !all.contains(m)) {
            return Err(Error::field("mailbox_ids", format!("{stranger} is no mailbox of this job")));
        }
        let chosen = if only.is_empty() { all } else { only.to_vec() };
        if chosen.is_empty() {
            return Err(Error::conflict("no_mailboxes", "The job has no mailboxes. Add one first."));
        }
        enter_by_run(&mut tx, actor, &job, run_type).await?;
        let mut run_ids = Vec::with_capacity(chosen.len());
        for mailbox in chosen {
            run_ids.push(enqueue(&mut tx, actor, id, mailbox, run_type, &params).await?);
        }
        tx.commit().await?;
        self.crew().wake();
        Ok(Started { run_ids })
    }

    /// The runs of a job, newest first.
    pub async fn list_runs(&self, actor: &Actor, job: JobId, page: PageQuery) -> Result<Page<Run>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        let filter = runs::RunFilter { job_id: Some(job), ..runs::RunFilter::default() };
        let mut found = runs::list(&mut conn, &filter, &checked_page(page)?).await?;
        pauses::explain(&mut conn, &mut found.items).await?;
        Ok(found)
    }

    /// One run with its steps.
    pub async fn get_run(&self, actor: &Actor, id: RunId) -> Result<RunView> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let mut run = runs::get(&mut conn, id).await?.ok_or(Error::NotFound("run"))?;
        pauses::explain(&mut conn, std::slice::from_mut(&mut run)).await?;
        Ok(RunView { run, steps: steps::list(&mut conn, id).await? })
    }

    /// A run's log, after a line, at most so many lines.
    pub async fn run_log(&self, actor: &Actor, id: RunId, after: Option<EventId>, limit: u32) -> Result<Vec<Event>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        logs::still_there(&runs::get(&mut conn, id).await?.ok_or(Error::NotFound("run"))?)?;
        Ok(events::list(&mut conn, id, after, limit.clamp(1, 1000)).await?)
    }

    /// Asks a run to end cleanly. One that is still queued ends at once.
    pub async fn cancel_run(&self, actor: &Actor, id: RunId) -> Result<Run> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let run = runs::get(&mut tx, id).await?.ok_or(Error::NotFound("run"))?;
        if runs::request_cancel(&mut tx, id, &clock::now()).await? == runs::Cancelled::NotActive {
            return Err(Error::conflict("not_active", format!("The run has ended already ({}).", run.status)));
        }
        Entry::new(actor, "run.cancel", format!("run/{id}")).job(run.job_id).before(&run.status).write(&mut tx).await?;
        let run = runs::get(&mut tx, id).await?.ok_or(Error::NotFound("run"))?;
        self.judge_job(&mut tx, actor, run.job_id).await?;
        if run.status.is_final() {
            webhooks::run_finished(&mut tx, id).await?;
        }
        tx.commit().await?;
        self.crew().cancel(id);
        self.changed(id);
        Ok(run)
    }

    /// Does a run again that failed or left something over. A job in phase `failed` returns to the phase that
    /// failed; refused messages are tried again.
    pub async fn retry_run(&self, actor: &Actor, id: RunId) -> Result<Started> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let run = runs::get(&mut tx, id).await?.ok_or(Error::NotFound("run"))?;
        if !matches!(run.status, RunStatus::Failed | RunStatus::Partial) {
            return Err(Error::conflict(
                "not_retryable",
                format!("Only failed or partial runs can be retried; this one is {}.", run.status),
            ));
        }
        let Some(mailbox) = run.mailbox_id else {
            return Err(Error::conflict("not_retryable", "The run belongs to no mailbox. Start a new one."));
        };
        let mut job = found(jobs::get(&mut tx, run.job_id).await?)?;
        if let (Phase::Failed, Some(back)) = (job.phase, job.failed_phase) {
            phases::enter(&mut tx, actor, &job, back, "retried").await?;
            self.judge_job(&mut tx, actor, job.id).await?;
            job = found(jobs::get(&mut tx, run.job_id).await?)?;
        }
        enter_by_run(&mut tx, actor, &job, run.run_type).await?;
        if matches!(run.run_type, RunType::Initial | RunType::Delta | RunType::Final) {
            messages::retry_quarantined(&mut tx, mailbox).await?;
        }
        let mut params = runs::params(&mut tx, id).await?.unwrap_or_else(|| "{}".into());
        if run.run_type == RunType::PstExtract {
            params = json!({AGAIN: true}).to_string();
        }
        let new = enqueue(&mut tx, actor, run.job_id, mailbox, run.run_type, &params).await?;
        tx.commit().await?;
        self.crew().wake();
        Ok(Started { run_ids: vec![new] })
    }
}

/// What a verification's run is told. The seed is in it, so that a run that is done again reads the same messages.
fn verify_params(request: &VerifyRequest) -> Result<serde_json::Value> {
    let depth = request.depth.unwrap_or(Depth::Standard);
    let percent = request.sample_percent;
    if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        return Err(Error::field("sample_percent", "is a number from 0 to 100"));
    }
    if depth != Depth::Deep && (request.all || percent.is_some() || request.seed.is_some()) {
        return Err(Error::field("depth", "must be deep where all, sample_percent or seed is given"));
    }
    if request.all && percent.is_some() {
        return Err(Error::field("sample_percent", "means nothing where all messages are read"));
    }
    if depth != Depth::Deep || request.all {
        return Ok(json!({"depth": depth}));
    }
    // Whole numbers up to this one survive every reader of JSON.
    let seed = request.seed.unwrap_or_else(|| rand::rng().random_range(0..1 << 53));
    Ok(json!({"depth": depth, "sample_percent": percent.unwrap_or(SAMPLE_PERCENT), "seed": seed}))
}

/// Enters the phase that a run of this type begins, if it begins one.
pub(crate) async fn enter_by_run(tx: &mut Conn, actor: &Actor, job: &Job, run_type: RunType) -> Result<()> {
    let entered = phase::run_allowed(job.phase, run_type).map_err(|e| Error::conflict("phase", e.to_string()))?;
    if let Some(phase) = entered {
        phases::enter(tx, actor, job, phase, &format!("{run_type} started")).await?;
    }
    Ok(())
}

/// What a run is told that somebody starts without saying more.
pub(crate) fn usual_params(run_type: RunType) -> String {
    match run_type {
        RunType::Verify => json!({"depth": Depth::Standard}).to_string(),
        _ => "{}".into(),
    }
}

/// What does the work of a run: the preflight is always our own, and so is the proof.
const fn tool_of(mailbox: Tool, run_type: RunType) -> Tool {
    match (run_type, mailbox) {
        (RunType::Verify, _) => Tool::Verify,
        (RunType::Preflight, _) => Tool::Native,
        // imap_upload.py sends what readpst has written.
        (RunType::PstExtract, Tool::ImapUpload) => Tool::Readpst,
        (_, tool) => tool,
    }
}

/// Puts a run into the queue.
pub(crate) async fn enqueue(
    tx: &mut Conn,
    actor: &Actor,
    job: JobId,
    mailbox: MailboxId,
    run_type: RunType,
    params: &str,
) -> Result<RunId> {
    let tool = tool_of(mailboxes::get(tx, mailbox).await?.map_or(Tool::Native, |mailbox| mailbox.tool), run_type);
    let triggered_by = actor.reference();
    let row = runs::NewRun {
        job_id: job,
        mailbox_id: Some(mailbox),
        run_type,
        tool,
        triggered_by: &triggered_by,
        params_json: params,
    };
    let id = runs::enqueue(tx, &row, &clock::now()).await?;
    Entry::new(actor, "run.start", format!("run/{id}")).job(job).after(&run_type).write(tx).await?;
    Ok(id)
}
