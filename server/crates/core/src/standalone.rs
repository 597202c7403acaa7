//! One mailbox without the Desk: the same engine, ledger and verification on a database file of its own.

use crate::{
    Access, Credential, Drivers, Error, FileAccess, GmailLabels, HostRule, Result,
    budgets::{Budgets, Kept},
    clock,
    gatepost::make_private,
    ledger::StoredLedger,
    pace::{self, Figures, Pace},
    worker::worker_name,
};
use gatepost_contract::{
    Depth, Level, MailboxId, MessageState, PageQuery, ResidueFilter, SecretInput, Security, SourceType, Tool,
};
use gatepost_store::{Store, jobs, mailboxes, messages, tenants};
use gatepost_transfer::{
    Budget, Driver, Fault, FaultKind, Watch,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
    verify::Verify,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How many of the messages that are left over a summary names.
pub const NAMED: u32 = 20;
/// How often the total is reported at most.
const TOTAL_EVERY: Duration = Duration::from_millis(200);

/// One side.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Whose mailbox it is.
    pub user: String,
    /// Who logs in for that user, where it is somebody else; the secret is theirs then.
    pub admin: Option<String>,
    /// The secret.
    pub secret: SecretInput,
    /// True: the certificate is not verified.
    pub insecure_tls: bool,
}

/// Where the mail comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A server.
    Server(Endpoint),
    /// A file or folder on this machine: the only one of these.
    File(FileAccess),
}

impl Origin {
    /// As it is written into a state file, which belongs to one pair of accounts.
    fn name(&self) -> String {
        match self {
            Self::Server(end) => format!("{} at {}", end.user, end.host),
            Self::File(access) => match access.files.first() {
                Some(file) => file.path.display().to_string(),
                None => access.label.clone(),
            },
        }
    }
}

/// What to copy and how.
#[derive(Clone, Debug)]
pub struct CopyRequest {
    /// Where from.
    pub source: Origin,
    /// Where to.
    pub dest: Endpoint,
    /// The ledger's file; made where it is missing.
    pub state: PathBuf,
    /// Only folders that match; all where empty.
    pub folders: Vec<String>,
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
    /// How often a message with several labels arrives, where the source is Gmail.
    pub gmail_labels: GmailLabels,
    /// Change nothing at the destination.
    pub dry_run: bool,
    /// Re-read both sides afterwards.
    pub verify: bool,
    /// With `verify`: compare the bytes of every message too.
    pub deep: bool,
    /// How many connections to each server are used at most; `None`: as many as suit the distance.
    pub connections: Option<u32>,
    /// How many messages pass in a second at most.
    pub max_rate: Option<f64>,
    /// What mail hosts may be asked for, beside what is known of the large providers.
    pub hosts: Vec<HostRule>,
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
        /// Whether it has been looked into; before that its figures are an expectation.
        begun: bool,
        /// Whether it is through, and what came of it.
        finished: Option<String>,
    },
    /// How far all folders together are.
    Total {
        /// Messages done.
        done: u64,
        /// Messages to do.
        total: u64,
        /// Bytes done.
        bytes_done: u64,
        /// Bytes to do, estimated while not every folder has been looked into.
        bytes_total: u64,
        /// Bytes in a second.
        bytes_per_second: f64,
        /// How long the rest will take, where it can be told.
        left: Option<Duration>,
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

/// A folder that could not be finished.
#[derive(Clone, Debug, Serialize)]
pub struct FailedFolder {
    /// Its path at the source.
    pub folder: String,
    /// Why, and what to do.
    pub why: String,
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
    /// The first of the messages that have not arrived as they should: [`NAMED`] at most.
    pub left_over: Vec<LeftOver>,
    /// Folders that could not be finished, and why.
    pub failed_folders: Vec<FailedFolder>,
    /// Whether it was ended early.
    #[serde(skip)]
    pub interrupted: bool,
}

/// A message that has not arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOver {
    /// The folder at the source.
    pub folder: String,
    /// The UID there.
    pub uid: i64,
    /// `pending`, `quarantined`, or `arrived` for one that has changed on the way.
    pub state: MessageState,
    /// Why, where it is known.
    pub cause: Option<String>,
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
    let source = match &request.source {
        Origin::Server(end) => drivers.imap(access(&request, end, Some(request.gmail_labels))?),
        Origin::File(access) => drivers.files(access.clone()),
    };
    let dest = drivers.imap(access(&request, &request.dest, None)?);
    if let Some(parent) = request.state.parent().filter(|p| !p.as_os_str().is_empty()) {
        make_private(parent)?;
    }
    let store = Store::open(&format!("sqlite://{}?mode=rwc", request.state.display())).await?;
    let mailbox = the_mailbox(&store, &request).await?;
    let ledger = StoredLedger { store: store.clone(), mailbox };
    let mut budgets = Budgets::new(&request.hosts, worker_name(std::process::id()));
    if let Some(rate) = request.max_rate {
        budgets.slow_down(&request.dest.host, rate);
    }
    let source_budget = match &request.source {
        Origin::Server(end) => budgets.of(&store, &end.host, &end.user).await?,
        Origin::File(_) => Kept::unlimited(),
    };
    let dest_budget = budgets.of(&store, &request.dest.host, &request.dest.user).await?;
    let watch = Reporter::new(progress, &source_budget.budget, &dest_budget.budget);
    let options = CopyOptions {
        folder_map: request.folder_map.clone(),
        globs: request.folders.clone(),
        dry_run: request.dry_run,
        connections: request.connections,
        ..CopyOptions::default()
    };
    let copy = Copy {
        source: &*source,
        dest: &*dest,
        ledger: &ledger,
        watch: &watch,
        options,
        source_budget: source_budget.budget.clone(),
        dest_budget: dest_budget.budget.clone(),
        cancel: request.cancel.clone(),
        progress: CopyState::default(),
    };
    let work = async {
        let mut outcome = match copy.run().await {
            Err(fault) if fault.kind == FaultKind::Cancelled => {
                CopyOutcome { cancelled: true, ..CopyOutcome::default() }
            }
            other => other.map_err(stopped)?,
        };
        let mut verified = None;
        if request.verify && !request.dry_run && !outcome.cancelled {
            (watch.progress)(CopyProgress::Verifying);
            let note = |level, message| watch.note(level, "budget", message);
            let proof = async {
                let _granted = Budget::connections(&source_budget.budget, &dest_budget.budget, &note).await;
                verify(&*source, &*dest, &ledger, &watch, request.deep, &request.cancel).await
            };
            let proof = tokio::select! {
                proof = proof => proof,
                () = request.cancel.cancelled() => Err(Fault::cancelled()),
            };
            match proof {
                Err(fault) if fault.kind == FaultKind::Cancelled => outcome.cancelled = true,
                other => verified = Some(other.map_err(stopped)?),
            }
        }
        Result::Ok((outcome, verified))
    };
    let (outcome, verified) = budgets.in_step(&store, [&source_budget, &dest_budget], work).await?;
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
        left_over: if request.dry_run { Vec::new() } else { left_over(&store, mailbox).await? },
        failed_folders: outcome.failed_folders.into_iter().map(|(folder, why)| FailedFolder { folder, why }).collect(),
        interrupted: outcome.cancelled,
    };
    store.close().await;
    Ok(summary)
}

/// The first messages that have not arrived as they should.
async fn left_over(store: &Store, mailbox: MailboxId) -> Result<Vec<LeftOver>> {
    let mut conn = store.reader().await?;
    let job = mailboxes::get(&mut conn, mailbox).await?.ok_or(Error::NotFound("mailbox"))?.job_id;
    let filter = ResidueFilter { mailbox_id: Some(mailbox), ..ResidueFilter::default() };
    let first = PageQuery { per_page: NAMED, ..PageQuery::default() };
    let page = messages::residue(&mut conn, job, &filter, &first).await?;
    let named = |r: gatepost_contract::Residue| LeftOver {
        folder: r.folder,
        uid: r.source_uid,
        state: r.state,
        cause: r.cause,
    };
    Ok(page.items.into_iter().map(named).collect())
}

async fn verify(
    source: &dyn Driver,
    dest: &dyn Driver,
    ledger: &StoredLedger,
    watch: &Reporter,
    deep: bool,
    cancel: &CancellationToken,
) -> std::result::Result<bool, Fault> {
    let depth = if deep { Depth::Deep } else { Depth::Standard };
    let cancel = cancel.clone();
    let verify = Verify { source, dest, ledger, watch, depth, sample: None, after_cutover: false, cancel };
    let folders = verify.run().await?;
    Ok(folders.iter().all(|f| f.visited && f.tally.arrived == f.tally.source && f.changed + f.doubled == 0))
}

fn stopped(fault: Fault) -> Error {
    if fault.kind == FaultKind::Internal { Error::internal(fault) } else { Error::conflict("stopped", fault.sentence) }
}

fn access(request: &CopyRequest, side: &Endpoint, gmail_labels: Option<GmailLabels>) -> Result<Access> {
    let credential = match (&side.secret.password, &side.secret.oauth_token) {
        (Some(password), None) => Credential::Password(password.clone()),
        (None, Some(token)) => Credential::token(token.clone()),
        _ => {
            return Err(Error::field(
                "secret",
                format!("{} needs a password or an OAuth token, one of them", side.host),
            ));
        }
    };
    let (user, authz) = Access::identities(side.user.clone(), side.admin.clone());
    Ok(Access {
        host: side.host.clone(),
        port: side.port,
        security: side.security,
        insecure_tls: side.insecure_tls,
        user,
        authz,
        credential,
        ssh: None,
        web: None,
        gmail_labels,
        ca_file: request.ca_file.clone(),
        allow_plaintext: request.allow_plaintext,
        allowed_hosts: Vec::new(),
    })
}

/// The row that the ledger hangs on. A state file belongs to one pair of accounts.
async fn the_mailbox(store: &Store, request: &CopyRequest) -> Result<MailboxId> {
    let now = clock::now();
    let label = format!("{} to {} at {}", request.source.name(), request.dest.user, request.dest.host);
    let mut tx = store.begin().await?;
    if let Some(tenant) = tenants::by_name(&mut tx, &label).await? {
        let filter = gatepost_contract::JobFilter { tenant_id: Some(tenant.id), ..Default::default() };
        let page = PageQuery::default();
        if let Some(job) = jobs::list(&mut tx, &filter, &page).await?.items.first()
            && let Some(mailbox) = mailboxes::list(&mut tx, job.id).await?.first()
        {
            return Ok(mailbox.id);
        }
    }
    let others = tenants::list(&mut tx, &PageQuery::default()).await?;
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
    let server = match &request.source {
        Origin::Server(end) => Some(end),
        Origin::File(_) => None,
    };
    let file = match &request.source {
        Origin::Server(_) => None,
        Origin::File(access) => access.files.first(),
    };
    let origin = server.map_or_else(|| request.source.name(), |end| end.host.clone());
    let job = jobs::NewJobRow {
        tenant_id,
        ticket_id: None,
        domain: server.unwrap_or(&request.dest).host.clone(),
        source_server_label: origin,
        notes: String::new(),
        dest_imap_host: request.dest.host.clone(),
        dest_imap_port: request.dest.port,
        dest_imap_security: request.dest.security,
        dest_insecure_tls: request.dest.insecure_tls,
    };
    let job_id = jobs::insert(&mut tx, &job, &now).await?;
    let mailbox = mailboxes::NewMailboxRow {
        job_id,
        email: server.unwrap_or(&request.dest).user.clone(),
        source_type: file.map_or(SourceType::Imap, |file| file.kind),
        tool: Tool::Native,
        source_host: server.map(|end| end.host.clone()),
        source_port: server.map(|end| end.port),
        source_security: server.map(|end| end.security),
        source_insecure_tls: server.is_some_and(|end| end.insecure_tls),
        source_user: server.map(|end| end.user.clone()),
        source_admin: server.and_then(|end| end.admin.clone()),
        dest_user: Some(request.dest.user.clone()),
        dest_admin: request.dest.admin.clone(),
        path: file.map(|file| file.path.display().to_string()),
        folder_map: request.folder_map.clone(),
    };
    let id = mailboxes::insert(&mut tx, &mailbox, &now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Turns the engine's calls into progress.
struct Reporter {
    progress: Box<dyn Fn(CopyProgress) + Send + Sync>,
    state: Mutex<Reported>,
}

#[derive(Default)]
struct Reported {
    steps: Vec<Step>,
    pace: Pace,
    total_at: Option<Instant>,
}

struct Step {
    name: String,
    figures: Figures,
}

impl Reported {
    /// The total, unless it was reported just now.
    fn total(&mut self, now: Instant) -> Option<CopyProgress> {
        let sum = pace::sum(self.steps.iter().map(|s| s.figures));
        let through = sum.done >= sum.total;
        if !through && self.total_at.is_some_and(|at| now.duration_since(at) < TOTAL_EVERY) {
            return None;
        }
        self.total_at = Some(now);
        self.pace.note(now, &sum);
        Some(CopyProgress::Total {
            done: sum.done,
            total: sum.total,
            bytes_done: sum.bytes_done,
            bytes_total: sum.bytes_total,
            bytes_per_second: self.pace.bytes_per_second(),
            left: self.pace.left(&sum),
        })
    }
}

impl Reporter {
    fn new(progress: impl Fn(CopyProgress) + Send + Sync + 'static, source: &Arc<Budget>, dest: &Arc<Budget>) -> Self {
        let mut state = Reported::default();
        state.pace.bind(source.clone(), dest.clone());
        Self { progress: Box::new(progress), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, Reported> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, step: usize, finished: Option<String>, change: impl FnOnce(&mut Figures)) {
        let (folder, total) = {
            let mut state = self.state();
            let Some(Step { name, figures }) = state.steps.get_mut(step) else { return };
            change(figures);
            figures.counted |= finished.is_some();
            let folder = CopyProgress::Folder {
                source: name.clone(),
                begun: figures.begun,
                done: figures.done,
                total: figures.total,
                bytes_done: figures.bytes_done,
                bytes_total: figures.bytes_total,
                finished,
            };
            (folder, state.total(Instant::now()))
        };
        (self.progress)(folder);
        if let Some(total) = total {
            (self.progress)(total);
        }
    }
}

impl Watch for Reporter {
    fn steps(&self, names: &[String]) {
        {
            let mut state = self.state();
            let step = |name: &String| Step { name: name.clone(), figures: Figures::default() };
            state.steps = names.iter().map(step).collect();
            state.pace.restart();
        }
        (self.progress)(CopyProgress::Planned(names.to_vec()));
    }

    fn expect(&self, step: usize, messages: u64) {
        self.report(step, None, |figures| figures.expect(messages));
    }

    fn begin(&self, step: usize, messages: u64, bytes: u64) {
        self.report(step, None, |figures| figures.begin(messages, bytes));
    }

    fn done(&self, step: usize, messages: u64, bytes: u64) {
        self.report(step, None, |figures| figures.add(messages, bytes));
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
