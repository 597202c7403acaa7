//! Workers: they take queued runs, keep their lease while they work, and write down how it ended.
//!
//! The runs table is the queue. A worker that dies stops renewing its lease; when that ends, or when a process on
//! the same machine sees that the worker's process is gone, the run is taken up again and goes on from the ledger.

pub(crate) mod counts;

use crate::{
    Actor, Error, Gatepost, Result, clock,
    jobs::found,
    phases, proof, schedules, stragglers, webhooks,
    work::{self, Ended, RunWatch},
};
use futures::FutureExt;
use gatepost_contract::{Level, MailboxId, MailboxStatus, Phase, Run, RunId, RunStatus, RunType};
use gatepost_gate::phase;
use gatepost_store::{
    Conn, evidence, jobs, mailboxes, messages, runs,
    runs::{ClaimedRun, Finish, Renewed},
    steps,
};
use gatepost_transfer::Watch;
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// A run whose worker has been silent for so long is taken up by another.
const LEASE_SECONDS: i64 = 60;
/// What one run may weigh, in MB: the listings of a folder of 100,000 messages on both sides and what is in flight.
const RUN_MB: u64 = 48;
/// How often a lease is renewed and a request to cancel is seen.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How often an idle worker looks for runs that another process has queued.
const POLL: Duration = Duration::from_secs(1);
/// How many runs are asked for by name in one statement.
const NAMED_AT_ONCE: usize = 500;

/// As many folders as a run keeps by name.
const CONTRADICTED_NAMED: i64 = 20;

/// Another worker has the run.
#[derive(Debug)]
struct Lost;

/// The workers of this process.
pub(crate) struct Crew {
    name: String,
    wake: Notify,
    stopping: CancellationToken,
    at_work: Mutex<HashMap<RunId, CancellationToken>>,
    hands: tokio::sync::Mutex<JoinSet<()>>,
}

impl Crew {
    pub fn new() -> Self {
        Self {
            name: worker_name(std::process::id()),
            wake: Notify::new(),
            stopping: CancellationToken::new(),
            at_work: Mutex::default(),
            hands: tokio::sync::Mutex::default(),
        }
    }

    /// What this process calls itself towards others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cancelled when the process is to end.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// There may be work.
    pub fn wake(&self) {
        self.wake.notify_waiters();
    }

    /// Ends a run of this process at once; those of others see it in the store.
    pub fn cancel(&self, run: RunId) {
        if let Some(token) = self.at_work().get(&run) {
            token.cancel();
        }
    }

    fn at_work(&self) -> MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        self.at_work.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Gatepost {
    /// Starts the workers. Runs that a dead process of this machine had are taken up at once.
    pub async fn start_workers(&self) -> Result<()> {
        if !self.config().enabled {
            return Ok(());
        }
        self.release_dead_workers().await?;
        self.keep_default_schedule().await?;
        let mut hands = self.crew().hands.lock().await;
        let affordable = usize::try_from(self.config().memory_budget_mb / RUN_MB).unwrap_or(usize::MAX);
        if affordable < self.config().workers {
            tracing::warn!(
                workers = affordable.max(1),
                "fewer mailboxes at once than asked for: the memory budget allows no more"
            );
        }
        for _ in 0..self.config().workers.min(affordable).max(1) {
            let gatepost = self.clone();
            hands.spawn(async move { gatepost.work().await });
        }
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.carry_webhooks().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.tend().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.keep_measuring().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.keep_schedules().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.keep_uploads().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.keep_logs().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.tend_logins().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.watch_devices().await });
        let gatepost = self.clone();
        hands.spawn(async move { gatepost.keep_giving_back().await });
        Ok(())
    }

    /// Stops taking runs, ends those at work cleanly and hands them back to the queue.
    pub async fn shutdown(&self) {
        let crew = self.crew();
        crew.stopping.cancel();
        for token in crew.at_work().values() {
            token.cancel();
        }
        let mut hands = crew.hands.lock().await;
        while hands.join_next().await.is_some() {}
        self.await_providers().await;
    }

    /// Does these runs here and no others but those that have their turn before them at the same mailboxes; what another
    /// process has it leaves alone. Returns when all have ended.
    pub async fn work_on(&self, actor: &Actor, wanted: &[RunId]) -> Result<()> {
        actor.manage()?;
        loop {
            let open = self.in_the_way_of(wanted).await?;
            if open.is_empty() {
                return Ok(());
            }
            let mut worked = false;
            for some in open.chunks(NAMED_AT_ONCE) {
                worked |= self.work_once(Some(some)).await?;
            }
            if !worked {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// What has to end before all of these runs have: those that have not, and what is queued before them.
    async fn in_the_way_of(&self, wanted: &[RunId]) -> Result<Vec<RunId>> {
        let mut conn = self.store().reader().await?;
        let mut open = Vec::new();
        for id in wanted {
            open.extend(runs::get(&mut conn, *id).await?.filter(|run| !run.status.is_final()));
        }
        let mut ids: BTreeSet<RunId> = open.iter().map(|run| run.id).collect();
        for job in open.iter().map(|run| run.job_id).collect::<BTreeSet<_>>() {
            let before = |one: &Run| open.iter().any(|run| one.mailbox_id == run.mailbox_id && one.id < run.id);
            ids.extend(runs::active_for_job(&mut conn, job).await?.into_iter().filter(before).map(|run| run.id));
        }
        Ok(ids.into_iter().collect())
    }

    async fn work(&self) {
        let crew = self.crew();
        while !crew.stopping.is_cancelled() {
            let woken = crew.wake.notified();
            match self.work_once(None).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    // Logs what lies behind.
                    let _ = gatepost_contract::Problem::from(error);
                }
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(POLL) => {}
                () = crew.stopping.cancelled() => {}
            }
        }
    }

    /// Takes one run, of these where they are named, and does it; false where there is none.
    async fn work_once(&self, named: Option<&[RunId]>) -> Result<bool> {
        let claimed = {
            let mut tx = self.store().begin().await?;
            // Of other machines it is not known; here another worker that lives keeps what it has at work.
            let mut alive = runs::workers(&mut tx).await?;
            alive.retain(|worker| *worker != self.crew().name && worker_lives(worker) == Some(true));
            let now = gatepost_store::clock::seconds(&mut tx).await?;
            let (me, at) = (&self.crew().name, clock::now());
            let claimed = match named {
                None => runs::claim(&mut tx, me, &at, now, LEASE_SECONDS, &alive).await?,
                Some(named) => runs::claim_named(&mut tx, named, me, &at, now, LEASE_SECONDS, &alive).await?,
            };
            // A run that another hand of this process still has at work: its lease had lapsed (the clock jumped, the
            // machine slept) and is renewed by this; it is not begun twice.
            let claimed = claimed.filter(|run| !self.crew().at_work().contains_key(&run.id));
            if let Some(run) = &claimed {
                let log = self.config().data_path.join("logs").join(format!("run-{}.log", run.id));
                runs::set_log_path(&mut tx, run.id, &log.display().to_string()).await?;
                steps::clear(&mut tx, run.id).await?;
                if let Some(mailbox) = run.mailbox_id {
                    mailboxes::set_status(&mut tx, mailbox, MailboxStatus::Syncing, None, &clock::now()).await?;
                }
            }
            tx.commit().await?;
            claimed
        };
        let Some(run) = claimed else { return Ok(false) };
        // Every line that is logged from here on says which run it is about.
        let (number, mailbox) = (run.id.0, run.mailbox_id.map(|m| m.0));
        let span = tracing::info_span!("run", run = number, job = run.job_id.0, mailbox, kind = %run.run_type, tool = %run.tool);
        tracing::Instrument::instrument(self.do_run(run), span).await?;
        Ok(true)
    }

    async fn do_run(&self, run: ClaimedRun) -> Result<()> {
        let cancel = CancellationToken::new();
        self.crew().at_work().insert(run.id, cancel.clone());
        if run.cancel_requested || self.crew().stopping.is_cancelled() {
            cancel.cancel();
        }
        let log = self.config().data_path.join("logs").join(format!("run-{}.log", run.id));
        let watch = Arc::new(RunWatch::new(run.id, self.crew().name.clone(), log));
        let again = if run.attempts > 1 { " again, after an interruption" } else { "" };
        watch.note(Level::Info, "run", format!("{} began{again}.", run.run_type));
        self.changed(run.id);

        // The sentence of the pause that holds the run, once one does.
        let held = OnceLock::new();
        // On the heap, because it is large. A panic is a fault of ours, and must not leave the run without an end.
        let work = Box::pin(work::execute(self, &run, watch.clone(), cancel.clone()));
        let work = AssertUnwindSafe(work).catch_unwind();
        let through = CancellationToken::new();
        let working = async {
            let ended = tokio::select! {
                ended = work => Ok(ended.unwrap_or_else(|_| Ended::failed(&work::internal("the run panicked")))),
                // The work is dropped where it is: its connections are closed and its programs end. The other worker
                // has begun, and goes on from the ledger as after a crash.
                lost = self.keep_lease(run.id, &cancel, &watch, &held) => Err(lost),
            };
            through.cancel();
            ended
        };
        let ended = tokio::join!(working, watch.keep_writing(self, &through), self.keep_counts(&run, &through)).0;
        self.crew().at_work().remove(&run.id);
        let ended = match ended {
            Ok(ended) => ended,
            Err(Lost) => {
                tracing::warn!("another worker has the run: this one has dropped it");
                return Ok(());
            }
        };

        let stopping = self.crew().stopping.is_cancelled();
        let rests = held.get().is_some() && !self.is_cancelled(run.id).await?;
        let handed_back = (stopping || rests) && ended.exit_code == 130;
        if handed_back {
            let why = held.get().map_or("The worker is shutting down.", String::as_str);
            watch.note(Level::Info, "run", format!("{why} The run goes back to the queue."));
        } else {
            let level = match ended.status {
                RunStatus::Failed => Level::Error,
                RunStatus::Partial => Level::Warn,
                _ => Level::Info,
            };
            watch.note(level, "run", format!("{}: {}", ended.status, ended.summary));
        }
        watch.flush(self).await;
        if handed_back {
            let mut tx = self.store().begin().await?;
            if runs::hand_back(&mut tx, run.id, &self.crew().name).await? && rests {
                rest(&mut tx, &run).await?;
            }
            tx.commit().await?;
            // What it leaves undone is as final now as it gets until the pause ends.
            if rests && let Err(error) = self.gate_view(&Actor::Worker, run.job_id).await {
                tracing::warn!(run = %run.id, %error, "the gate of a job whose run rests could not be judged");
            }
        } else if let Err(error) = self.conclude(&run, &ended).await {
            self.end_unsettled(&run, error).await?;
        }
        self.changed(run.id);
        if !handed_back {
            self.attach_due_reports().await;
        }
        Ok(())
    }

    /// Whether a person wants a run of this worker to end.
    async fn is_cancelled(&self, run: RunId) -> Result<bool> {
        let mut tx = self.store().begin().await?;
        let renewed = self.renew(&mut tx, run).await?;
        tx.commit().await?;
        Ok(renewed.cancel_requested)
    }

    async fn renew(&self, tx: &mut Conn, run: RunId) -> Result<Renewed> {
        let until = gatepost_store::clock::seconds(tx).await? + LEASE_SECONDS;
        Ok(runs::renew(tx, run, &self.crew().name, until).await?)
    }

    /// Renews the lease until dropped, or until another worker has the run. Cancels the run when a person asks for it, when
    /// a pause holds it, or when the lease can be renewed no longer. Keeps its speed in step with its wave.
    async fn keep_lease(
        &self,
        run: RunId,
        cancel: &CancellationToken,
        watch: &RunWatch,
        held: &OnceLock<String>,
    ) -> Lost {
        let mut tick = tokio::time::interval(HEARTBEAT);
        let mut renewed_at = Instant::now();
        loop {
            tick.tick().await;
            if renewed_at.elapsed() > Duration::from_secs(LEASE_SECONDS.unsigned_abs() - 10) {
                // Somebody else may take the run up at any moment.
                cancel.cancel();
            }
            let renewed = async {
                let mut tx = self.store().begin().await?;
                let renewed = self.renew(&mut tx, run).await?;
                tx.commit().await?;
                Result::Ok(renewed)
            };
            match renewed.await {
                Ok(Renewed { still_mine: false, .. }) => return Lost,
                Ok(Renewed { cancel_requested: true, .. }) => {
                    cancel.cancel();
                    continue;
                }
                Ok(_) => renewed_at = Instant::now(),
                Err(error) => tracing::warn!(%run, %error, "the lease of a run could not be renewed"),
            }
            // What a person has cancelled ends; it does not rest.
            match self.held_back(run).await {
                Ok(Some(why)) if !cancel.is_cancelled() => {
                    let _ = held.set(why);
                    cancel.cancel();
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%run, %error, "it could not be read whether a run is paused"),
            }
            if let Err(error) = self.keep_speed(run, &watch.throttle).await {
                tracing::warn!(%run, %error, "the speed of a run could not be read");
            }
        }
    }

    /// Writes down how a run ended and what follows from it, all in one transaction.
    async fn conclude(&self, run: &ClaimedRun, ended: &Ended) -> Result<()> {
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let stats = contradictions(&mut tx, run, ended).await?;
        let idle = proof::is_idle(run.run_type, ended.status, &stats);
        let stats = Value::Object(stats).to_string();
        let finish = Finish {
            status: ended.status,
            exit_code: Some(ended.exit_code),
            stats_json: &stats,
            summary: &ended.summary,
            idle,
        };
        if !runs::finish(&mut tx, run.id, &self.crew().name, &finish, &now).await? {
            // Another worker has it: what it finds counts.
            return Ok(());
        }
        steps::end_open(&mut tx, run.id, ended.status, &now).await?;
        // Only here, where the run is known to be still this worker's: no attempt that was cut off leaves evidence.
        if let Some(evidence) = &ended.evidence {
            evidence::add(&mut tx, evidence).await?;
        }
        if let Some(mailbox) = run.mailbox_id {
            settle_mailbox(&mut tx, mailbox, run, ended, &now).await?;
        }
        stragglers::note_newest(&mut tx, run.job_id).await?;
        self.follow_up(&mut tx, run, ended.evidence.is_some()).await?;
        self.judge_job(&mut tx, &Actor::Worker, run.job_id).await?;
        webhooks::run_finished(&mut tx, run.id).await?;
        tx.commit().await?;
        self.meter().ended(run.run_type, run.tool, ended.status, &ended.stats);
        Ok(())
    }

    /// Ends a run as failed when what follows from its end cannot be told, because a row of the database holds what no
    /// version of this program writes: taken up again, it would end the same way for ever. After every other error the
    /// run stays open, and is taken up again.
    async fn end_unsettled(&self, run: &ClaimedRun, error: Error) -> Result<()> {
        let Some(damage) = error.damage() else { return Err(error) };
        let summary = format!(
            "The ledger is damaged: {damage}. Restore the database from a backup, or remove the mailbox from the job and \
             add it again: what has arrived is recognised at the destination."
        );
        tracing::error!(run = %run.id, damage, "a run could not be settled");
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let finish =
            Finish { status: RunStatus::Failed, exit_code: Some(1), stats_json: "{}", summary: &summary, idle: false };
        if !runs::finish(&mut tx, run.id, &self.crew().name, &finish, &now).await? {
            return Ok(());
        }
        steps::end_open(&mut tx, run.id, RunStatus::Failed, &now).await?;
        if let Some(mailbox) = run.mailbox_id {
            mailboxes::set_status(&mut tx, mailbox, MailboxStatus::Error, Some(&summary), &now).await?;
        }
        webhooks::run_finished(&mut tx, run.id).await?;
        tx.commit().await?;
        // The damage may stand in the way of this too, which must not bring the run back.
        let followed = async {
            let mut tx = self.store().begin().await?;
            self.follow_up(&mut tx, run, false).await?;
            self.judge_job(&mut tx, &Actor::Worker, run.job_id).await?;
            tx.commit().await?;
            Result::Ok(())
        };
        if let Err(error) = followed.await {
            tracing::error!(run = %run.id, %error, "what follows from the end of a run could not be told");
        }
        Ok(())
    }

    /// The phase that follows from a run's end: `verified` after a proof, `failed` when nothing worked.
    async fn follow_up(&self, tx: &mut Conn, run: &ClaimedRun, proved: bool) -> Result<()> {
        let job = found(jobs::get(tx, run.job_id).await?)?;
        if !runs::active_for_job(tx, job.id).await?.is_empty() {
            return Ok(());
        }
        if proved {
            return proof::close_in(tx, &Actor::Worker, job.id).await;
        }
        if run.run_type == RunType::PstExtract {
            // A file that is of no use is replaced by another; the job goes on from where it is.
            return Ok(());
        }
        let all = mailboxes::list(tx, job.id).await?;
        let mut all_failed = !all.is_empty();
        let types: Vec<RunType> = RunType::ALL.iter().copied().filter(|t| *t != RunType::PstExtract).collect();
        for mailbox in all {
            let last = runs::latest_finished(tx, mailbox.id, &types).await?;
            all_failed &= last.is_some_and(|r| r.status == RunStatus::Failed);
        }
        if !all_failed || job.dns_cutover_at.is_some() {
            return Ok(());
        }
        if schedules::started(run) {
            // The next moment of a schedule tries again: a short outage must not end the schedule of every job on that
            // server. But nobody has signed that the old server can no longer be read, unless by an override.
            let given = jobs::approval(tx, job.id).await?;
            let overrides =
                |given: &jobs::ApprovalRow| given.override_reason.as_deref().is_some_and(|why| !why.trim().is_empty());
            if !given.as_ref().is_some_and(overrides) {
                let why = "the scheduled delta failed for every mailbox";
                phases::revoke(tx, &job, why, &clock::now()).await?;
            }
            return Ok(());
        }
        if phase::allowed(job.phase, Phase::Failed, job.failed_phase) {
            let why = format!("{} failed for every mailbox", run.run_type);
            phases::enter(tx, &Actor::Worker, &job, Phase::Failed, &why).await?;
        }
        Ok(())
    }

    async fn release_dead_workers(&self) -> Result<()> {
        let mut tx = self.store().begin().await?;
        for worker in runs::workers(&mut tx).await? {
            if worker_lives(&worker) == Some(false) {
                let count = runs::release_worker(&mut tx, &worker).await?;
                tracing::info!(worker, count, "took over the runs of a worker that has died");
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// A verification that broke off, or only counted, makes no evidence. Where the ledger is worse by now than the newest
/// evidence, the run says so: that evidence proves nothing any more.
async fn contradictions(tx: &mut Conn, run: &ClaimedRun, ended: &Ended) -> Result<serde_json::Map<String, Value>> {
    let mut stats = ended.stats.clone();
    let Some(mailbox) = run.mailbox_id.filter(|_| ended.evidence.is_none()) else { return Ok(stats) };
    if !matches!(run.run_type, RunType::Verify | RunType::Final) {
        return Ok(stats);
    }
    let Some((newest, _)) = evidence::latest(tx, mailbox).await? else { return Ok(stats) };
    let found = evidence::contradicted(tx, newest, CONTRADICTED_NAMED).await?;
    if !found.is_empty() {
        let known = stats.entry("contradicted").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(known) = known {
            known.extend(found.into_iter().map(Value::String));
            let mut seen = HashSet::new();
            known.retain(|folder| seen.insert(folder.to_string()));
        }
    }
    Ok(stats)
}

/// A mailbox whose run rests is not being copied.
async fn rest(tx: &mut Conn, run: &ClaimedRun) -> Result<()> {
    let Some(mailbox) = run.mailbox_id else { return Ok(()) };
    let status = match messages::mailbox_tally(tx, mailbox).await?.quarantined {
        0 => MailboxStatus::Pending,
        _ => MailboxStatus::Quarantine,
    };
    Ok(mailboxes::set_status(tx, mailbox, status, None, &clock::now()).await?)
}

async fn settle_mailbox(tx: &mut Conn, mailbox: MailboxId, run: &ClaimedRun, ended: &Ended, now: &str) -> Result<()> {
    let only_looked = matches!(run.run_type, RunType::Preflight | RunType::PstExtract);
    match run.run_type {
        RunType::PstExtract => {}
        RunType::Preflight => counts::settle(tx, mailbox, counts::looked_at(&ended.stats), now).await?,
        // Of a source that holds nothing.
        _ if ended.status == RunStatus::Success => {
            counts::settle(tx, mailbox, Some(mailboxes::Counts::default()), now).await?;
        }
        _ => counts::settle(tx, mailbox, None, now).await?,
    }
    let quarantined = messages::mailbox_tally(tx, mailbox).await?.quarantined;
    let status = match ended.status {
        RunStatus::Failed => MailboxStatus::Error,
        _ if ended.error.is_some() => MailboxStatus::Error,
        _ if quarantined > 0 => MailboxStatus::Quarantine,
        _ if only_looked => MailboxStatus::Pending,
        _ => MailboxStatus::Ok,
    };
    mailboxes::set_status(tx, mailbox, status, ended.error.as_deref(), now).await?;
    Ok(())
}

/// `HOST:PID:START`: the start time tells a process from a later one with the same number.
pub(crate) fn worker_name(pid: u32) -> String {
    format!("{}:{pid}:{}", host_name(), start_time(pid).unwrap_or_default())
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".into(), |h| h.trim().to_owned())
}

/// The 22nd field of /proc/PID/stat (proc(5)), in clock ticks since boot.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // One that has ended and was not yet waited for is listed still.
    let lives = !matches!(fields.next()?, "Z" | "X");
    fields.nth(18).filter(|_| lives).map(str::to_owned)
}

/// Whether a worker's process lives; none where that cannot be seen, because it is on another machine.
fn worker_lives(name: &str) -> Option<bool> {
    let mut parts = name.rsplitn(3, ':');
    let (start, pid, host) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    (host == host_name()).then(|| start_time(pid).as_deref() == Some(start))
}

#[cfg(test)]
pub(crate) mod endings;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_dead_when_its_process_is_gone_or_another_has_its_number() {
        let me = worker_name(std::process::id());
        assert_eq!(worker_lives(&me), Some(true));
        let (rest, _) = me.rsplit_once(':').unwrap();
        assert_eq!(worker_lives(&format!("{rest}:0")), Some(false));
        assert_eq!(worker_lives("another-host:1:2"), None, "other machines are not ours to judge");
    }
}
