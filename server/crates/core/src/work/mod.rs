//! What a run does once a worker has it.

mod preflight;
mod progress;
mod sync;
mod verify;

pub(crate) use progress::RunWatch;

use crate::{Access, Credential, Error, Gatepost, GmailLabels, budgets::Kept, jobs::found};
use gatepost_contract::{Job, Level, Mailbox, RunId, RunStatus, RunType, Secret, SourceType};
use gatepost_store::{
    jobs,
    mailboxes::{self, Side},
    runs::ClaimedRun,
};
use gatepost_transfer::{Budget, Driver, Fault, FaultKind, Watch, budget::Granted};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a run ended.
pub(crate) struct Ended {
    pub status: RunStatus,
    pub exit_code: i64,
    pub stats: Map<String, Value>,
    pub summary: String,
    /// What the mailbox's `last_error` becomes.
    pub error: Option<String>,
}

impl Ended {
    /// All is done.
    fn success(summary: String, stats: Map<String, Value>) -> Self {
        Self { status: RunStatus::Success, exit_code: 0, stats, summary, error: None }
    }

    /// Something is left over.
    fn partial(summary: String, stats: Map<String, Value>, error: Option<String>) -> Self {
        Self { status: RunStatus::Partial, exit_code: 3, stats, summary, error }
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
    let scene = match set_scene(gatepost, claimed, watch.clone(), cancel).await {
        Ok(scene) => scene,
        Err(fault) => {
            watch.note(Level::Error, "run", fault.sentence.clone());
            return Ended::failed(&fault);
        }
    };
    let budgets = gatepost.budgets();
    let ended = budgets.in_step(gatepost.store(), [&scene.source_budget, &scene.dest_budget], scene.work()).await;
    ended.unwrap_or_else(|fault| {
        if let Some(cause) = &fault.cause {
            tracing::warn!(run = %claimed.id, %cause, "{}", fault.sentence);
        }
        let level = if fault.kind == FaultKind::Cancelled { Level::Warn } else { Level::Error };
        watch.note(level, "run", fault.sentence.clone());
        Ended::failed(&fault)
    })
}

async fn set_scene(
    gatepost: &Gatepost,
    claimed: &ClaimedRun,
    watch: Arc<RunWatch>,
    cancel: CancellationToken,
) -> Result<Scene, Fault> {
    let mut conn = gatepost.store().reader().await.map_err(internal)?;
    let job = found(jobs::get(&mut conn, claimed.job_id).await.map_err(internal)?).map_err(internal)?;
    let mailbox = match claimed.mailbox_id {
        Some(id) => mailboxes::get(&mut conn, id).await.map_err(internal)?,
        None => None,
    }
    .ok_or_else(|| Fault::new(FaultKind::Internal, "The mailbox of this run does not exist any more."))?;
    let source = source_access(gatepost, &mut conn, &mailbox).await?;
    let dest = dest_access(gatepost, &mut conn, &job, &mailbox).await?;
    drop(conn);
    let account = |access: &Access| (access.host.clone(), access.port, access.owner().to_lowercase());
    if account(&source) == account(&dest) {
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
    for (what, access) in [("old", &source), ("new", &dest)] {
        if access.insecure_tls {
            watch.note(
                Level::Warn,
                "certificate",
                format!("The certificate of the {what} server {} is not verified, as the job says.", access.host),
            );
        }
    }
    let (budgets, store) = (gatepost.budgets(), gatepost.store());
    let source_budget = budgets.of(store, &source.host, source.owner()).await.map_err(internal)?;
    let dest_budget = budgets.of(store, &dest.host, dest.owner()).await.map_err(internal)?;
    watch.bind(source_budget.budget.clone(), dest_budget.budget.clone());
    Ok(Scene {
        gatepost: gatepost.clone(),
        run: claimed.id,
        run_type: claimed.run_type,
        resumed: claimed.attempts > 1,
        params: serde_json::from_str(&claimed.params_json).unwrap_or(Value::Null),
        job,
        mailbox,
        source: gatepost.drivers().imap(source),
        dest: gatepost.drivers().imap(dest),
        source_budget,
        dest_budget,
        watch,
        cancel,
    })
}

async fn source_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
) -> Result<Access, Fault> {
    let credential = credential(gatepost, conn, mailbox, Side::Source).await?;
    if mailbox.source_type == SourceType::ImapOauth && matches!(credential, Credential::Password(_)) {
        return Err(missing(mailbox, "OAuth token for the old server"));
    }
    let host = mailbox.source_host.clone().ok_or_else(|| missing(mailbox, "name of the old server"))?;
    let security = mailbox.source_security.unwrap_or(gatepost_contract::Security::Tls);
    let owner = mailbox.source_user.clone().unwrap_or_else(|| mailbox.email.clone());
    let (user, authz) = Access::identities(owner, mailbox.source_admin.clone());
    Ok(Access {
        host,
        port: mailbox.source_port.unwrap_or(security.default_port()),
        security,
        insecure_tls: mailbox.source_insecure_tls,
        user,
        authz,
        credential,
        gmail_labels: Some(GmailLabels::Each),
        ca_file: gatepost.config().ca_file.clone(),
        allow_plaintext: gatepost.config().allow_plaintext,
        allowed_hosts: gatepost.config().allowed_hosts.clone(),
    })
}

async fn dest_access(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    job: &Job,
    mailbox: &Mailbox,
) -> Result<Access, Fault> {
    let owner = mailbox.dest_user.clone().unwrap_or_else(|| mailbox.email.clone());
    let (user, authz) = Access::identities(owner, mailbox.dest_admin.clone());
    Ok(Access {
        host: job.dest_imap_host.clone(),
        port: job.dest_imap_port,
        security: job.dest_imap_security,
        insecure_tls: job.dest_insecure_tls,
        user,
        authz,
        credential: credential(gatepost, conn, mailbox, Side::Dest).await?,
        gmail_labels: None,
        ca_file: gatepost.config().ca_file.clone(),
        allow_plaintext: gatepost.config().allow_plaintext,
        allowed_hosts: gatepost.config().allowed_hosts.clone(),
    })
}

async fn credential(
    gatepost: &Gatepost,
    conn: &mut gatepost_store::Conn,
    mailbox: &Mailbox,
    side: Side,
) -> Result<Credential, Fault> {
    let what = match side {
        Side::Source => "password for the old server",
        Side::Dest => "password for the new server",
    };
    let sealed = gatepost.unseal(conn, mailbox.id, side).await.map_err(|e| match e {
        Error::Conflict { detail, .. } => Fault::new(FaultKind::Internal, detail),
        other => internal(other),
    })?;
    match sealed {
        Some(s) if s.password.is_some() => {
            Ok(Credential::Password(Secret(s.password.as_ref().map(|p| p.expose().to_owned()).unwrap_or_default())))
        }
        Some(s) if s.oauth_token.is_some() => Ok(Credential::OauthToken(Secret(
            s.oauth_token.as_ref().map(|t| t.expose().to_owned()).unwrap_or_default(),
        ))),
        _ => Err(missing(mailbox, what)),
    }
}

fn missing(mailbox: &Mailbox, what: &str) -> Fault {
    let sentence = format!("{} has no {what}. Add it to the mailbox, then start the run again.", mailbox.email);
    Fault::new(FaultKind::Login, sentence)
}

/// A fault of our own store.
pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::new(
        FaultKind::Internal,
        "Gatepost could not read or write its own database. The server's log has the cause.",
    )
    .because(cause)
}
