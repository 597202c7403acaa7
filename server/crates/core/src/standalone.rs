//! One mailbox without the Desk: the same engine, ledger and verification on a database file of its own.

use crate::{Access, Credential, Drivers, Error, Result, clock, gatepost::make_private, ledger::StoredLedger};
use gatepost_contract::{Depth, Level, MailboxId, SecretInput, Security, SourceType, Tool};
use gatepost_store::{Store, jobs, mailboxes, messages, tenants};
use gatepost_transfer::{
    Budget, Driver, Fault, FaultKind, Watch,
    copy::{Copy, CopyOptions, CopyState},
    verify::Verify,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// One side.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The log-in name.
    pub user: String,
    /// The secret.
    pub secret: SecretInput,
    /// True: the certificate is not verified.
    pub insecure_tls: bool,
}

/// What to copy and how.
#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// Where from.
    pub source: Endpoint,
    /// Where to.
    pub dest: Endpoint,
    /// The ledger's file; made where it is missing.
    pub state: PathBuf,
    /// Only folders that match; all where empty.
    pub folders: Vec<String>,
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
    /// Change nothing at the destination.
    pub dry_run: bool,
    /// Re-read both sides afterwards.
    pub verify: bool,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Plain connections beyond the loopback addresses.
    pub allow_plaintext: bool,
    /// Ends the copy cleanly.
    pub cancel: CancellationToken,
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum CopyProgress {
    /// The folders, in the order in which they are copied.
    Planned(Vec<String>),
    /// How far a folder is.
    Folder {
        /// Its path at the source.
        source: String,
        /// Messages done.
        done: u64,
        /// Messages to do.
        total: u64,
        /// Bytes done.
        bytes_done: u64,
        /// Bytes to do.
        bytes_total: u64,
        /// Whether it is through, and what came of it.
        finished: Option<String>,
    },
    /// The copy is through; both sides are read again.
    Verifying,
    /// A line for the log.
    Note {
        /// How loud.
        level: Level,
        /// The sentence.
        message: String,
    },
}

/// What came of it; the object that `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct CopySummary {
    /// Folders gone through.
    pub folders: u64,
    /// Messages sent.
    pub transferred: u64,
    /// Messages that were there before, or were recognised there.
    pub already_there: u64,
    /// Messages that the destination refuses.
    pub quarantined: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Messages that have not arrived.
    pub residue: u64,
    /// Whether the second reading found everything; `null` without `--verify`.
    pub verified: Option<bool>,
    /// Folders that could not be finished, and why.
    #[serde(skip)]
    pub failed_folders: Vec<(String, String)>,
    /// Whether it was ended early.
    #[serde(skip)]
    pub interrupted: bool,
}

/// Copies one mailbox.
///
/// # Errors
/// [`Error::Conflict`] with the sentence of the fault that stopped it.
pub async fn copy(
    request: CopyRequest,
    drivers: Arc<dyn Drivers>,
    progress: impl Fn(CopyProgress) + Send + Sync + 'static,
) -> Result<CopySummary> {
    let began = Instant::now();
    let source = drivers.imap(access(&request, &request.source)?);
    let dest = drivers.imap(access(&request, &request.dest)?);
    if let Some(parent) = request.state.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_private(parent)?;
    }
    let store = Store::open(&format!("sqlite://{}?mode=rwc", request.state.display())).await?;
    let mailbox = the_mailbox(&store, &request).await?;
    let ledger = StoredLedger { store: store.clone(), mailbox };
    let watch = Reporter { progress: Box::new(progress), steps: Mutex::default() };
    let options = CopyOptions {
        folder_map: request.folder_map.clone(),
        globs: request.folders.clone(),
        dry_run: request.dry_run,
        ..CopyOptions::default()
    };
    let copy = Copy {
        source: &*source,
        dest: &*dest,
        ledger: &ledger,
        watch: &watch,
        options,
        source_budget: Budget::unlimited(),
        dest_budget: Budget::unlimited(),
        cancel: request.cancel.clone(),
        progress: CopyState::default(),
    };
    let outcome = copy.run().await.map_err(stopped)?;
    let mut verified = None;
    if request.verify && !request.dry_run && !outcome.cancelled {
        (watch.progress)(CopyProgress::Verifying);
        verified = Some(verify(&*source, &*dest, &ledger, &watch, &request.cancel).await?);
    }
    let tally = messages::mailbox_tally(&mut *store.reader().await?, mailbox).await?;
    let summary = CopySummary {
        folders: outcome.folders,
        transferred: outcome.transferred,
        already_there: outcome.already_there + outcome.adopted,
        quarantined: u64::try_from(tally.quarantined).unwrap_or_default(),
        bytes: outcome.bytes,
        seconds: (began.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        residue: if request.dry_run {
            outcome.pending
        } else {
            u64::try_from(tally.pending + tally.quarantined).unwrap_or_default()
        },
        verified,
        failed_folders: outcome.failed_folders,
        interrupted: outcome.cancelled,
    };
    store.close().await;
    Ok(summary)
}

async fn verify(
    source: &dyn Driver,
    dest: &dyn Driver,
    ledger: &StoredLedger,
    watch: &Reporter,
    cancel: &CancellationToken,
) -> Result<bool> {
    let verify = Verify { source, dest, ledger, watch, depth: Depth::Standard, cancel: cancel.clone() };
    let folders = verify.run().await.map_err(stopped)?;
    Ok(folders.iter().all(|f| f.visited && f.tally.arrived == f.tally.source && f.changed == 0))
}

fn stopped(fault: Fault) -> Error {
    if fault.kind == FaultKind::Internal { Error::internal(fault) } else { Error::conflict("stopped", fault.sentence) }
}

fn access(request: &CopyRequest, side: &Endpoint) -> Result<Access> {
    let credential = match (&side.secret.password, &side.secret.oauth_token) {
        (Some(password), None) => Credential::Password(password.clone()),
        (None, Some(token)) => Credential::OauthToken(token.clone()),
        _ => {
            return Err(Error::field(
                "secret",
                format!("{} needs a password or an OAuth token, one of them", side.host),
            ));
        }
    };
    Ok(Access {
        host: side.host.clone(),
        port: side.port,
        security: side.security,
        insecure_tls: side.insecure_tls,
        user: side.user.clone(),
        credential,
        ca_file: request.ca_file.clone(),
        allow_plaintext: request.allow_plaintext,
        allowed_hosts: Vec::new(),
    })
}

/// The row that the ledger hangs on. A state file belongs to one pair of accounts.
async fn the_mailbox(store: &Store, request: &CopyRequest) -> Result<MailboxId> {
    let now = clock::now();
    let label =
        format!("{} at {} to {} at {}", request.source.user, request.source.host, request.dest.user, request.dest.host);
    let mut tx = store.begin().await?;
    if let Some(tenant) = tenants::by_name(&mut tx, &label).await? {
        let filter = gatepost_contract::JobFilter { tenant_id: Some(tenant.id), ..Default::default() };
        let page = gatepost_contract::PageQuery::default();
        if let Some(job) = jobs::list(&mut tx, &filter, &page).await?.items.first()
            && let Some(mailbox) = mailboxes::list(&mut tx, job.id).await?.first()
        {
            return Ok(mailbox.id);
        }
    }
    let others = tenants::list(&mut tx, &gatepost_contract::PageQuery::default()).await?;
    if let Some(other) = others.items.first() {
        return Err(Error::conflict(
            "other_state",
            format!(
                "{} belongs to another copy ({}). Name another file with --state.",
                request.state.display(),
                other.name
            ),
        ));
    }
    let tenant_id = tenants::insert(&mut tx, &label, &now).await?;
    let job = jobs::NewJobRow {
        tenant_id,
        ticket_id: None,
        domain: request.source.host.clone(),
        source_server_label: request.source.host.clone(),
        notes: String::new(),
        dest_imap_host: request.dest.host.clone(),
        dest_imap_port: request.dest.port,
        dest_imap_security: request.dest.security,
        dest_insecure_tls: request.dest.insecure_tls,
    };
    let job_id = jobs::insert(&mut tx, &job, &now).await?;
    let mailbox = mailboxes::NewMailboxRow {
        job_id,
        email: request.source.user.clone(),
        source_type: SourceType::Imap,
        tool: Tool::Native,
        source_host: Some(request.source.host.clone()),
        source_port: Some(request.source.port),
        source_security: Some(request.source.security),
        source_insecure_tls: request.source.insecure_tls,
        source_user: Some(request.source.user.clone()),
        dest_user: Some(request.dest.user.clone()),
        path: None,
        folder_map: request.folder_map.clone(),
    };
    let id = mailboxes::insert(&mut tx, &mailbox, &now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Turns the engine's calls into progress.
struct Reporter {
    progress: Box<dyn Fn(CopyProgress) + Send + Sync>,
    steps: Mutex<Vec<Step>>,
}

#[derive(Clone, Default)]
struct Step {
    name: String,
    done: u64,
    total: u64,
    bytes_done: u64,
    bytes_total: u64,
}

impl Reporter {
    fn report(&self, step: usize, finished: Option<String>, change: impl FnOnce(&mut Step)) {
        let now = {
            let mut steps = self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let Some(step) = steps.get_mut(step) else { return };
            change(step);
            step.clone()
        };
        (self.progress)(CopyProgress::Folder {
            source: now.name,
            done: now.done,
            total: now.total,
            bytes_done: now.bytes_done,
            bytes_total: now.bytes_total,
            finished,
        });
    }
}

impl Watch for Reporter {
    fn steps(&self, names: &[String]) {
        *self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            names.iter().map(|name| Step { name: name.clone(), ..Step::default() }).collect();
        (self.progress)(CopyProgress::Planned(names.to_vec()));
    }

    fn expect(&self, step: usize, messages: u64) {
        self.report(step, None, |s| s.total = messages);
    }

    fn begin(&self, step: usize, messages: u64, bytes: u64) {
        self.report(step, None, |s| {
            *s = Step { name: std::mem::take(&mut s.name), total: messages, bytes_total: bytes, ..Step::default() };
        });
    }

    fn done(&self, step: usize, messages: u64, bytes: u64) {
        self.report(step, None, |s| {
            s.done += messages;
            s.bytes_done += bytes;
        });
    }

    fn end(&self, step: usize, result: std::result::Result<Option<String>, String>) {
        let note = match result {
            Ok(note) => note.unwrap_or_default(),
            Err(note) => note,
        };
        self.report(step, Some(note), |_| {});
    }

    fn note(&self, level: Level, _kind: &str, message: String) {
        (self.progress)(CopyProgress::Note { level, message });
    }
}
