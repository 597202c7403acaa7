//! What a run does once a worker has it.

mod archive;
pub(crate) mod external;
mod extract;
mod imap_upload;
mod preflight;
mod progress;
mod readpst;
mod sync;
mod verify;

pub(crate) use progress::RunWatch;

use extract::Reading;

use crate::{
    Access, Gatepost,
    access::{SourceAccess, dest_access, source_access},
    budgets::Kept,
    jobs::found,
};
use gatepost_contract::{Job, Level, Mailbox, RunId, RunStatus, RunType};
use gatepost_store::{evidence::NewEvidence, jobs, mailboxes, runs::ClaimedRun};
use gatepost_transfer::{Budget, Driver, Fault, FaultKind, Watch, budget::Granted};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a run of type `pst_extract` is told when it is to try files again that were refused.
pub(crate) const AGAIN: &str = "again";

/// How a run ended.
pub(crate) struct Ended {
    pub status: RunStatus,
    pub exit_code: i64,
    pub stats: Map<String, Value>,
    pub summary: String,
    /// What the mailbox's `last_error` becomes.
    pub error: Option<String>,
    /// What a verification read, or a `final` run's own proof. It counts from the run's end on and not before.
    pub evidence: Option<Box<NewEvidence>>,
}

impl Ended {
    /// All is done.
    fn success(summary: String, stats: Map<String, Value>) -> Self {
        Self { status: RunStatus::Success, exit_code: 0, stats, summary, error: None, evidence: None }
    }

    /// Something is left over.
    fn partial(summary: String, stats: Map<String, Value>, error: Option<String>) -> Self {
        Self { status: RunStatus::Partial, exit_code: 3, stats, summary, error, evidence: None }
    }

    /// It could not be done.
    pub fn failed(fault: &Fault) -> Self {
        let cancelled = fault.kind == FaultKind::Cancelled;
        Self {
            status: if cancelled { RunStatus::Partial } else { RunStatus::Failed },
            exit_code: if cancelled { 130 } else { 1 },
            stats: Map::new(),
            summary: fault.sentence.clone(),
            error: (!cancelled).then(|| fault.sentence.clone()),
            evidence: None,
        }
    }
}

/// Everything that a run works with.
pub(crate) struct Scene {
    pub gatepost: Gatepost,
    pub run: RunId,
    pub run_type: RunType,
    pub params: Value,
    /// Whether an earlier attempt at this run was interrupted.
    pub resumed: bool,
    pub job: Job,
    pub mailbox: Mailbox,
    pub source: Arc<dyn Driver>,
    pub dest: Arc<dyn Driver>,
    pub source_budget: Kept,
    pub dest_budget: Kept,
    pub watch: Arc<RunWatch>,
    pub cancel: CancellationToken,
}

impl Scene {
    /// Waits until both hosts' budgets grant a connection.
    async fn connections(&self) -> Result<(Granted, Granted), Fault> {
        let note = |level, sentence| self.watch.note(level, "budget", sentence);
        tokio::select! {
            granted = Budget::connections(&self.source_budget.budget, &self.dest_budget.budget, &note) => Ok(granted),
            () = self.cancel.cancelled() => Err(Fault::cancelled()),
        }
    }

    /// Whether mail is delivered to the destination by now, and its user works there.
    fn is_live(&self) -> bool {
        self.job.dns_cutover_at.is_some() || self.run_type == RunType::Final
    }

    async fn work(&self) -> Result<Ended, Fault> {
        match self.run_type {
            RunType::Preflight => {
                let _granted = self.connections().await?;
                preflight::run(self).await
            }
            RunType::Initial | RunType::Delta | RunType::Final => sync::run(self).await,
            RunType::Verify => verify::run(self).await,
            other => {
                Err(Fault::new(FaultKind::WrongService, format!("Runs of type {other} are not part of this version.")))
            }
        }
    }
}

/// Does the work of a claimed run to its end. Faults become the run's result.
pub(crate) async fn execute(
    gatepost: &Gatepost,
    claimed: &ClaimedRun,
    watch: Arc<RunWatch>,
    cancel: CancellationToken,
) -> Ended {
    // On the heap, because they are large.
    let ended = Box::pin(do_work(gatepost, claimed, &watch, cancel)).await;
    ended.unwrap_or_else(|fault| {
        if let Some(cause) = &fault.cause {
            tracing::warn!(run = %claimed.id, %cause, "{}", fault.sentence);
        }
        let level = if fault.kind == FaultKind::Cancelled { Level::Warn } else { Level::Error };
        watch.note(level, "run", fault.sentence.clone());
        Ended::failed(&fault)
    })
}

async fn do_work(
    gatepost: &Gatepost,
    claimed: &ClaimedRun,
    watch: &Arc<RunWatch>,
    cancel: CancellationToken,
) -> Result<Ended, Fault> {
    end_leftovers(gatepost, watch).await?;
    let (job, mailbox) = subject(gatepost, claimed).await?;
    let params: Value = serde_json::from_str(&claimed.params_json).unwrap_or(Value::Null);
    if mailbox.source_type.is_file() || claimed.run_type == RunType::PstExtract {
        let reading = Reading { gatepost, run: claimed.id, mailbox: &mailbox, watch, cancel: &cancel };
        if claimed.run_type == RunType::PstExtract {
            return reading.run(params.get(AGAIN).and_then(Value::as_bool).unwrap_or_default()).await;
        }
        reading.before_another().await?;
    }
    let scene = set_scene(gatepost, claimed, params, (job, mailbox), watch.clone(), cancel).await?;
    let budgets = gatepost.budgets();
    let work = Box::pin(scene.work());
    budgets.in_step(gatepost.store(), [&scene.source_budget, &scene.dest_budget], work).await
}

/// Ends programs that a Gatepost which is gone has left running on this machine, of this run or another of the mailbox:
/// what one of them stored after this run has looked would be there twice.
async fn end_leftovers(gatepost: &Gatepost, watch: &RunWatch) -> Result<(), Fault> {
    let work = gatepost.config().data_path.join("work");
    let ended = gatepost.drivers().tools().end_leftovers(&work).await?;
    if ended > 0 {
        let sentence = format!("{ended} processes that an interrupted run had left running were ended.");
        watch.note(Level::Warn, "run", sentence);
    }
    Ok(())
}

/// What a run is about.
async fn subject(gatepost: &Gatepost, claimed: &ClaimedRun) -> Result<(Job, Mailbox), Fault> {
    let mut conn = gatepost.store().reader().await.map_err(internal)?;
    let job = found(jobs::get(&mut conn, claimed.job_id).await.map_err(internal)?).map_err(internal)?;
    let mailbox = match claimed.mailbox_id {
        Some(id) => mailboxes::get(&mut conn, id).await.map_err(internal)?,
        None => None,
    };
    let mailbox =
        mailbox.ok_or_else(|| Fault::new(FaultKind::Internal, "The mailbox of this run does not exist any more."))?;
    Ok((job, mailbox))
}

async fn set_scene(
    gatepost: &Gatepost,
    claimed: &ClaimedRun,
    params: Value,
    (job, mailbox): (Job, Mailbox),
    watch: Arc<RunWatch>,
    cancel: CancellationToken,
) -> Result<Scene, Fault> {
    let mut conn = gatepost.store().reader().await.map_err(internal)?;
    let source = source_access(gatepost, &mut conn, &mailbox).await?;
    let dest = dest_access(gatepost, &mut conn, &job, &mailbox).await?;
    drop(conn);
    let server = match &source {
        SourceAccess::Server(access) => Some(access),
        SourceAccess::Files(_) => None,
    };
    let account = |access: &Access| (access.host.clone(), access.port, access.owner().to_lowercase());
    if server.is_some_and(|source| account(source) == account(&dest)) {
        return Err(Fault::new(
            FaultKind::Forbidden,
            format!(
                "The source and the destination are the same account, {} at {}:{}. Correct the old server's name.",
                dest.owner(),
                dest.host,
                dest.port
            ),
        ));
    }
    for (what, access) in server.map(|access| ("old", access)).into_iter().chain([("new", &dest)]) {
        if access.insecure_tls {
            watch.note(
                Level::Warn,
                "certificate",
                format!("The certificate of the {what} server {} is not verified, as the job says.", access.host),
            );
        }
    }
    let (budgets, store) = (gatepost.budgets(), gatepost.store());
    let source_budget = source.budget(gatepost).await.map_err(internal)?;
    let dest_budget = budgets.of(store, &dest.host, dest.owner()).await.map_err(internal)?;
    watch.bind(source_budget.budget.clone(), dest_budget.budget.clone());
    watch.count(gatepost.meter().count(server.map(|access| access.host.as_str()), &dest.host));
    Ok(Scene {
        gatepost: gatepost.clone(),
        run: claimed.id,
        run_type: claimed.run_type,
        resumed: claimed.attempts > 1,
        params,
        job,
        mailbox,
        source: source.driver(gatepost),
        dest: gatepost.drivers().imap(dest),
        source_budget,
        dest_budget,
        watch,
        cancel,
    })
}

/// A fault of our own store.
pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::new(
        FaultKind::Internal,
        "Gatepost could not read or write its own database. The server's log has the cause.",
    )
    .because(cause)
}
