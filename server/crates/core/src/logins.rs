//! The check of all log-ins of a job, both sides: no run, nothing is copied. Asking for it returns at once; the workers
//! take one log-in after another and write down what came of it.
//!
//! Servers shut out who fails too often. Of each host only a few log-ins are tried at once, none of them twice, and after
//! several refusals in a row the rest is held back.

use crate::{
    Access, Actor, Gatepost, Result,
    access::{SourceAccess, dest_access, source_access},
    audit::Entry,
    clock,
    jobs::found,
    mailboxes::open_for_changes,
    pauses::sentence,
};
use gatepost_contract::{
    Job, JobId, LoginCheck, LoginChoice, LoginCounts, LoginReport, LoginRequest, LoginState, Mailbox, MailboxLogins,
    MailboxSide, Pause, PauseScope, Problem, Scope, Security,
};
use gatepost_store::{
    Conn, jobs,
    login_checks::{self as rows, ClaimedCheck, NewCheck, Outcome},
    mailboxes, pauses,
};
use gatepost_transfer::{Fault, FaultKind, Limits, RemoteFolder, budget::Budget};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How many log-ins this process tries at once.
const AT_ONCE: usize = 12;
/// How many of them at one host, over all processes.
const AT_ONE_HOST: i64 = 4;
/// After so many refusals in a row a host is left alone.
const REFUSALS: usize = 5;
/// How long a log-in may take with everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one waits for a connection that a host's budget grants.
const BUDGET_PATIENCE: Duration = Duration::from_secs(45);
/// Longer than both together.
const LEASE_SECONDS: i64 = 150;
/// How often somebody with nothing to do looks for what was asked for.
const POLL: Duration = Duration::from_secs(1);
/// How long those under way may take when the process ends.
const LAST_WAIT: Duration = Duration::from_secs(3);

impl Gatepost {
    /// The log-ins of a job as they were checked last.
    pub async fn logins(&self, actor: &Actor, id: JobId) -> Result<LoginReport> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        let all = mailboxes::list(&mut conn, id).await?;
        let checks = rows::of_job(&mut conn, id).await?;
        Ok(report(&job, all, checks))
    }

    /// Asks for a check of a job's log-ins and returns at once. What is being checked already goes on.
    pub async fn check_logins(&self, actor: &Actor, id: JobId, request: &LoginRequest) -> Result<LoginReport> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        open_for_changes(&job)?;
        let known: HashMap<_, LoginState> = rows::of_job(&mut tx, id)
            .await?
            .into_iter()
            .map(|(mailbox, side, check)| ((mailbox, side), check.state))
            .collect();
        let chosen: Option<HashSet<_>> = request.mailbox_ids.as_ref().map(|ids| ids.iter().copied().collect());
        let (now, by) = (clock::now(), actor.label());
        let mut asked = 0_i64;
        for mailbox in mailboxes::list(&mut tx, id).await? {
            if chosen.as_ref().is_some_and(|chosen| !chosen.contains(&mailbox.id)) {
                continue;
            }
            for side in [MailboxSide::Source, MailboxSide::Dest] {
                let state = known.get(&(mailbox.id, side));
                let again = match request.only {
                    LoginChoice::All => true,
                    LoginChoice::Failed => matches!(state, None | Some(LoginState::Bad | LoginState::Held)),
                };
                if again {
                    let check = new_check(&job, &mailbox, side);
                    asked += i64::from(check.state == LoginState::Waiting);
                    rows::request(&mut tx, id, &check, &by, &now).await?;
                }
            }
        }
        if asked > 0 {
            Entry::new(actor, "job.check_logins", format!("job/{id}"))
                .job(id)
                .after(&serde_json::json!({"only": request.only, "log_ins": asked}))
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        self.crew().wake();
        self.logins(actor, id).await
    }

    /// Checks what was asked for until the workers stop.
    pub(crate) async fn tend_logins(&self) {
        let stopping = self.crew().stopping();
        let mut under_way = JoinSet::new();
        while !stopping.is_cancelled() {
            let taken = match self.take_logins(AT_ONCE - under_way.len().min(AT_ONCE)).await {
                Ok(taken) => taken,
                Err(error) => {
                    // Logs what lies behind.
                    let _ = Problem::from(error);
                    Vec::new()
                }
            };
            for check in taken {
                let gatepost = self.clone();
                under_way.spawn(async move { gatepost.check_login(check).await });
            }
            tokio::select! {
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = tokio::time::sleep(POLL) => {}
                () = stopping.cancelled() => {}
            }
        }
        let ended = async { while under_way.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WAIT, ended).await;
        under_way.shutdown().await;
        let handed_back = async {
            let mut tx = self.store().begin().await?;
            rows::hand_back(&mut tx, self.crew().name()).await?;
            tx.commit().await?;
            Result::Ok(())
        };
        if let Err(error) = handed_back.await {
            tracing::warn!(%error, "log-ins under check could not be handed back");
        }
    }

    async fn take_logins(&self, room: usize) -> Result<Vec<ClaimedCheck>> {
        // Looking costs nobody a turn as writer.
        if room == 0 || !rows::any_open(&mut *self.store().reader().await?).await? {
            return Ok(Vec::new());
        }
        let now = clock::seconds();
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        let mut tx = self.store().begin().await?;
        let taken = rows::claim(&mut tx, self.crew().name(), now, now + LEASE_SECONDS, most, AT_ONE_HOST).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn check_login(&self, check: ClaimedCheck) {
        let span = tracing::info_span!("log-in", job = %check.job_id, mailbox = %check.mailbox_id, side = %check.side);
        let done = tracing::Instrument::instrument(Box::pin(self.check_and_note(&check)), span).await;
        if let Err(error) = done {
            // Logs what lies behind. The lease ends, and somebody tries again.
            let _ = Problem::from(error);
        }
    }

    async fn check_and_note(&self, check: &ClaimedCheck) -> Result<()> {
        let result =
            if self.is_shut_out(check).await? { Checked::held(&check.host) } else { self.try_login(check).await? };
        let mut tx = self.store().begin().await?;
        let outcome = Outcome {
            state: result.state,
            sentence: result.sentence.as_deref(),
            kind: result.kind,
            unprotected: result.unprotected,
            folders: result.folders,
            server: result.server.as_deref(),
            milliseconds: result.milliseconds,
        };
        let now = clock::now();
        rows::finish(&mut tx, check, self.crew().name(), &outcome, &now).await?;
        if result.state == LoginState::Held && result.kind == Some(SHUT_OUT) {
            rows::hold(&mut tx, check.job_id, &check.host, &held_sentence(&check.host), &now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether the host has refused so many log-ins of this check in a row that it is left alone.
    async fn is_shut_out(&self, check: &ClaimedCheck) -> Result<bool> {
        let mut conn = self.store().reader().await?;
        let most = i64::try_from(REFUSALS).unwrap_or(i64::MAX);
        let last = rows::last_at(&mut conn, check.job_id, &check.host, &check.requested_at, most).await?;
        Ok(last.len() >= REFUSALS && last.iter().all(|kind| kind.as_deref() == Some(kind_name(FaultKind::Login))))
    }

    async fn try_login(&self, check: &ClaimedCheck) -> Result<Checked> {
        let access = {
            let mut conn = self.store().reader().await?;
            if let Some(why) = resting(&mut conn, &check.host).await? {
                return Ok(Checked { sentence: Some(why), kind: Some("paused"), ..Checked::of(LoginState::Held) });
            }
            let job = found(jobs::get(&mut conn, check.job_id).await?)?;
            let Some(mailbox) = mailboxes::get(&mut conn, check.mailbox_id).await? else { return Ok(Checked::none()) };
            match check.side {
                MailboxSide::Source => match source_access(self, &mut conn, &mailbox).await {
                    Ok(SourceAccess::Server(access)) => Ok(access),
                    Ok(SourceAccess::Files(_)) => return Ok(Checked::none()),
                    Err(fault) => Err(fault),
                },
                MailboxSide::Dest => dest_access(self, &mut conn, &job, &mailbox).await,
            }
        };
        let access = match access {
            Ok(access) => access,
            // Nobody was asked: what is missing is missing here.
            Err(fault) => return Ok(Checked { kind: Some("settings"), ..Checked::failed(&fault) }),
        };
        let unprotected = access.insecure_tls || access.security == Security::Plain;
        let kept = self.budgets().of(self.store(), &access.host, access.owner()).await?;
        let waits = Mutex::new(String::new());
        let tell = |_, why: String| *waits.lock().unwrap_or_else(PoisonError::into_inner) = why;
        let unlimited = Budget::unlimited();
        let granted = Budget::connections(&kept.budget, &unlimited, &tell);
        let Ok(_granted) = tokio::time::timeout(BUDGET_PATIENCE, granted).await else {
            let why = waits.lock().unwrap_or_else(PoisonError::into_inner).clone();
            return Ok(Checked { sentence: Some(why), kind: Some("budget"), ..Checked::of(LoginState::Held) });
        };
        let began = Instant::now();
        let host = access.host.clone();
        let opened = tokio::time::timeout(PATIENCE, Box::pin(self.open_account(access, check.side)))
            .await
            .unwrap_or_else(|_| {
                let sentence =
                    format!("{host} did not come to an end of the log-in within {} seconds.", PATIENCE.as_secs());
                Err(Fault::new(FaultKind::Timeout, sentence))
            });
        let milliseconds = i64::try_from(began.elapsed().as_millis()).ok();
        Ok(Checked { unprotected, milliseconds, ..opened.unwrap_or_else(|fault| Checked::failed(&fault)) })
    }

    /// Logs in, lists the folders, and says goodbye.
    async fn open_account(&self, access: Access, side: MailboxSide) -> std::result::Result<Checked, Fault> {
        let driver = self.drivers().imap(access);
        let (limits, folders): (Limits, Vec<RemoteFolder>) = match side {
            MailboxSide::Source => {
                let mut account = driver.source().await?;
                let seen = (account.limits().await?, account.folders().await?);
                account.close().await;
                seen
            }
            MailboxSide::Dest => {
                let mut account = driver.destination().await?;
                let seen = (account.limits().await?, account.folders().await?);
                account.close().await;
                seen
            }
        };
        Ok(Checked {
            folders: i64::try_from(folders.len()).ok(),
            server: limits.server,
            ..Checked::of(LoginState::Good)
        })
    }
}

/// Why a host is left alone, where somebody has paused it or everything. A job or a wave that rests may have its log-ins
/// checked: that is no run.
async fn resting(conn: &mut Conn, host: &str) -> Result<Option<String>> {
    if !pauses::any(conn).await? {
        return Ok(None);
    }
    let all = pauses::list(conn).await?;
    let holds = |pause: &&Pause| match pause.scope {
        PauseScope::Everything => true,
        PauseScope::Host => pause.host.as_deref() == Some(host),
        PauseScope::Job | PauseScope::Wave => false,
    };
    Ok(all.iter().find(holds).map(sentence))
}

/// The kind of what was held back because of refusals.
const SHUT_OUT: &str = "refusals";

/// What came of a check.
struct Checked {
    state: LoginState,
    sentence: Option<String>,
    kind: Option<&'static str>,
    unprotected: bool,
    folders: Option<i64>,
    server: Option<String>,
    milliseconds: Option<i64>,
}

impl Checked {
    const fn of(state: LoginState) -> Self {
        Self { state, sentence: None, kind: None, unprotected: false, folders: None, server: None, milliseconds: None }
    }

    const fn none() -> Self {
        Self::of(LoginState::None)
    }

    fn failed(fault: &Fault) -> Self {
        let (sentence, kind) = (Some(fault.sentence.clone()), Some(kind_name(fault.kind)));
        Self { sentence, kind, ..Self::of(LoginState::Bad) }
    }

    fn held(host: &str) -> Self {
        Self { sentence: Some(held_sentence(host)), kind: Some(SHUT_OUT), ..Self::of(LoginState::Held) }
    }
}

fn held_sentence(host: &str) -> String {
    format!(
        "{REFUSALS} log-ins in a row were refused at {host}. The rest was not tried, so that the server does not shut this \
         machine out. Put right what was refused, then check again."
    )
}

const fn kind_name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Unreachable => "unreachable",
        FaultKind::Forbidden => "forbidden",
        FaultKind::Tls => "tls",
        FaultKind::WrongService => "wrong_service",
        FaultKind::Login => "login",
        FaultKind::Refused => "refused",
        FaultKind::FolderGone => "folder_gone",
        FaultKind::Quota => "quota",
        FaultKind::Throttled => "throttled",
        FaultKind::Lost => "lost",
        FaultKind::Timeout => "timeout",
        FaultKind::Protocol => "protocol",
        FaultKind::Damaged => "damaged",
        FaultKind::Cancelled => "cancelled",
        FaultKind::Internal => "internal",
    }
}

fn new_check(job: &Job, mailbox: &Mailbox, side: MailboxSide) -> NewCheck {
    let host = match side {
        MailboxSide::Source => mailbox.source_host.as_deref().filter(|_| !mailbox.source_type.is_file()),
        MailboxSide::Dest => Some(job.dest_imap_host.as_str()),
    };
    NewCheck {
        mailbox_id: mailbox.id,
        side,
        host: host.unwrap_or_default().to_lowercase(),
        state: if mailbox.source_type.is_file() && side == MailboxSide::Source {
            LoginState::None
        } else {
            LoginState::Waiting
        },
    }
}

fn report(
    job: &Job,
    all: Vec<Mailbox>,
    checks: Vec<(gatepost_contract::MailboxId, MailboxSide, LoginCheck)>,
) -> LoginReport {
    let mut by_side: HashMap<_, LoginCheck> =
        checks.into_iter().map(|(mailbox, side, check)| ((mailbox, side), check)).collect();
    let mut counts = LoginCounts::default();
    let dest_server = format!("{}:{}", job.dest_imap_host, job.dest_imap_port);
    let mailboxes = all.into_iter().map(|mailbox| {
        let source = by_side.remove(&(mailbox.id, MailboxSide::Source));
        let dest = by_side.remove(&(mailbox.id, MailboxSide::Dest));
        if !mailbox.source_type.is_file() {
            count(&mut counts, source.as_ref());
        }
        count(&mut counts, dest.as_ref());
        let port = mailbox.source_port;
        MailboxLogins {
            mailbox_id: mailbox.id,
            source_server: mailbox.source_host.map(|host| match port {
                Some(port) => format!("{host}:{port}"),
                None => host,
            }),
            email: mailbox.email,
            source_type: mailbox.source_type,
            dest_server: dest_server.clone(),
            source,
            dest,
        }
    });
    let mailboxes = mailboxes.collect();
    LoginReport { job_id: job.id, counts, mailboxes }
}

fn count(counts: &mut LoginCounts, check: Option<&LoginCheck>) {
    counts.total += 1;
    match check.map(|check| check.state) {
        None | Some(LoginState::None) => counts.unchecked += 1,
        Some(LoginState::Waiting | LoginState::Checking) => counts.open += 1,
        Some(LoginState::Good) => counts.good += 1,
        Some(LoginState::Bad) => counts.bad += 1,
        Some(LoginState::Held) => counts.held += 1,
    }
}
