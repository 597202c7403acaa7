//! What is due is started, once, however many processes look. Whoever writes the row of a moment has it; the runs are
//! queued in the same transaction.

use super::{PHASES, SCHEDULE, all_in_force, in_force, plan, plan::Verdict, rule::Rule};
use crate::{Actor, Error, Gatepost, Result, clock, jobs::found, runs};
use gatepost_contract::{Job, JobId, MailboxId, OccurrenceState, Pause, PauseScope, RunType, WaveId};
use gatepost_store::{
    Conn, import_previews, jobs, oauth_requests, pauses,
    schedules::{self as rows, Candidate, NewOccurrence, ScheduleRow, Subject},
};
use serde_json::json;
use std::{collections::HashMap, time::Duration as StdDuration};
use time::{Duration, OffsetDateTime};

/// How often it is looked what is due.
const TICK: StdDuration = StdDuration::from_secs(15);
/// What was decided so long from now was decided by a clock that is not to be believed.
const TOO_FAR_AHEAD: Duration = Duration::hours(1);
/// So long is it kept what became of a moment.
const KEPT: Duration = Duration::days(90);
/// After so many ticks the oldest rows are forgotten.
const PRUNE_EVERY: u32 = 240;
/// After so many, sealed files and log-ins at providers whose time has ended.
const EXPIRE_EVERY: u32 = 20;

/// A look at what is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// The present.
    pub now: OffsetDateTime,
    /// The machine whose clock says so.
    pub by: &'a str,
}

impl<'a> Look<'a> {
    /// By the clock of the machine on which this worker (`HOST:PID:START`) is: a clock is its machine's, and outlives the
    /// process that read it.
    pub fn new(now: OffsetDateTime, worker: &'a str) -> Self {
        Self { now, by: worker.rsplitn(3, ':').last().unwrap_or(worker) }
    }
}

/// What came of a moment.
struct Outcome {
    state: OccurrenceState,
    reason: Option<String>,
    runs: i64,
}

impl Outcome {
    fn skipped(reason: String) -> Self {
        Self { state: OccurrenceState::Skipped, reason: Some(reason), runs: 0 }
    }
}

impl Gatepost {
    /// Starts what is due until the process is to end.
    pub(crate) async fn keep_schedules(&self) {
        let stopping = self.crew().stopping().clone();
        let mut ticks = 0_u32;
        loop {
            let now = OffsetDateTime::now_utc();
            if let Err(error) = self.tend_schedules(now).await {
                tracing::warn!(%error, "schedules could not be looked after");
            }
            if ticks.is_multiple_of(PRUNE_EVERY)
                && let Err(error) = self.forget_old_occurrences(now).await
            {
                tracing::warn!(%error, "old rows of schedules could not be removed");
            }
            if ticks.is_multiple_of(EXPIRE_EVERY)
                && let Err(error) = self.forget_expired(now).await
            {
                tracing::warn!(%error, "what has expired could not be removed");
            }
            ticks = ticks.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    /// Starts the runs that are due at a moment, and writes down what was skipped and missed.
    pub async fn tend_schedules(&self, now: OffsetDateTime) -> Result<()> {
        self.tend_schedules_by(Look::new(now, self.crew().name())).await
    }

    pub(super) async fn tend_schedules_by(&self, look: Look<'_>) -> Result<()> {
        self.forget_the_future(look).await?;
        let (all, candidates) = {
            let mut conn = self.store().reader().await?;
            (rows::list(&mut conn).await?, rows::candidates(&mut conn, &PHASES, None).await?)
        };
        let rules: HashMap<_, Rule> = all
            .iter()
            .filter(|row| row.terms.enabled)
            .filter_map(|row| Rule::read(&row.terms).ok().map(|rule| (row.id, rule)))
            .collect();
        for candidate in &candidates {
            for schedule in all_in_force(&all, candidate) {
                let Some(rule) = rules.get(&schedule.id) else { continue };
                // One job's trouble is no other's.
                if let Err(error) = self.tend_schedule(&all, candidate, schedule, rule, look).await {
                    tracing::warn!(job = %candidate.job, schedule = %schedule.id, %error, "a schedule was not kept");
                }
            }
        }
        Ok(())
    }

    pub(super) async fn tend_schedule(
        &self,
        all: &[ScheduleRow],
        candidate: &Candidate,
        schedule: &ScheduleRow,
        rule: &Rule,
        look: Look<'_>,
    ) -> Result<()> {
        let now = look.now;
        let decided = {
            let mut conn = self.store().reader().await?;
            rows::last_due(&mut conn, schedule.id, candidate.job, &clock::text(now)).await?
        };
        // A time far ahead was written by a clock that was wrong: were it believed, nothing would start until it comes.
        let believed = |at: &OffsetDateTime| *at <= now + TOO_FAR_AHEAD;
        let last = [
            Some(schedule.since.as_str()),
            Some(candidate.entered_at.as_str()),
            candidate.scheduled_since.as_deref(),
            decided.as_deref(),
        ];
        let last = last.into_iter().flatten().filter_map(clock::parse).filter(believed).max();
        let last = last.unwrap_or_else(|| plan::just_before(rule, now));
        for due in plan::due(rule, candidate.job.0, last, now) {
            let due_at = clock::text(due.moment);
            let state = match due.verdict {
                Verdict::Start => self.start_due(all, candidate, schedule, &due_at, None, look).await?,
                Verdict::CatchUp(late) => self.start_due(all, candidate, schedule, &due_at, Some(late), look).await?,
                Verdict::Missed(before) => {
                    let mut reason = "Gatepost was not at work then, and when it was again it was too late.".to_owned();
                    if before > 0 {
                        reason.push_str(&format!(" So it was {before} times more before that."));
                    }
                    let outcome = Outcome { state: OccurrenceState::Missed, reason: Some(reason), runs: 0 };
                    self.note_moment(candidate.job, schedule, &due_at, &outcome, look).await?
                }
            };
            if let Some(state) = state {
                metrics::counter!("gatepost_schedule_moments_total", "state" => state.as_str()).increment(1);
            }
        }
        Ok(())
    }

    /// Starts the runs of a moment; nothing where another process has it.
    async fn start_due(
        &self,
        all: &[ScheduleRow],
        candidate: &Candidate,
        schedule: &ScheduleRow,
        due_at: &str,
        late: Option<Duration>,
        look: Look<'_>,
    ) -> Result<Option<OccurrenceState>> {
        let mut tx = self.store().begin().await?;
        let first = NewOccurrence {
            schedule_id: schedule.id,
            job_id: candidate.job,
            due_at,
            decided_by: look.by,
            state: OccurrenceState::Started,
            reason: None,
            runs: 0,
        };
        let Some(id) = rows::take(&mut tx, &first, &clock::text(look.now)).await? else { return Ok(None) };
        let outcome = match self.start_mailboxes(&mut tx, all, candidate, schedule, look.now).await {
            Ok(outcome) => outcome,
            Err(Error::Conflict { code, detail, .. }) => {
                // What was begun is undone; what became of the moment is written all the same.
                tx.rollback().await?;
                let state = match code {
                    "already_running" => OccurrenceState::Skipped,
                    _ => OccurrenceState::Failed,
                };
                let outcome = Outcome { state, reason: Some(detail), runs: 0 };
                return self.note_moment(candidate.job, schedule, due_at, &outcome, look).await;
            }
            Err(error) => return Err(error),
        };
        let Outcome { state, mut reason, runs } = outcome;
        if let (Some(late), OccurrenceState::Started) = (late, state) {
            let caught_up = format!("Caught up {} minutes late: Gatepost was not at work then.", late.whole_minutes());
            reason = Some(reason.map_or(caught_up.clone(), |reason| format!("{caught_up} {reason}")));
        }
        rows::settle(&mut tx, id, state, reason.as_deref(), runs).await?;
        tx.commit().await?;
        if runs > 0 {
            tracing::info!(job = %candidate.job, schedule = %schedule.id, due_at, runs, "deltas started by schedule");
            self.crew().wake();
        }
        Ok(Some(state))
    }

    async fn start_mailboxes(
        &self,
        tx: &mut Conn,
        all: &[ScheduleRow],
        candidate: &Candidate,
        schedule: &ScheduleRow,
        now: OffsetDateTime,
    ) -> Result<Outcome> {
        let job = found(jobs::get(tx, candidate.job).await?)?;
        let under_it = |subject: &Subject| {
            in_force(all, candidate.job, candidate.wave, subject.wave).is_some_and(|row| row.id == schedule.id)
        };
        let subjects: Vec<Subject> = rows::subjects(tx, job.id).await?.into_iter().filter(under_it).collect();
        let pauses = if pauses::any(tx).await? { pauses::of_job(tx, job.id).await? } else { Vec::new() };
        let read_again =
            clock::text(now - Duration::hours(i64::try_from(self.config().delta_max_age_hours / 2).unwrap_or(12)));
        let (mut start, mut busy, mut unchanged, mut held): (Vec<MailboxId>, _, _, Vec<&Pause>) =
            (Vec::new(), 0_usize, 0_usize, Vec::new());
        for subject in &subjects {
            let wave = subject.wave.or(candidate.wave);
            if subject.busy {
                busy += 1;
            } else if let Some(pause) = pauses.iter().find(|pause| rests(pause, &job, wave, subject)) {
                held.push(pause);
            } else if subject.source_type.is_file() && subject.copied_at.as_ref().is_some_and(|at| *at > read_again) {
                // Nobody brings mail to a file: it is read again only so that the last delta is not too old for the gate.
                unchanged += 1;
            } else {
                start.push(subject.mailbox);
            }
        }
        if start.is_empty() {
            let reason = match (held.first(), busy) {
                _ if subjects.is_empty() => "No mailbox is under this schedule.".to_owned(),
                (Some(pause), _) => crate::pauses::sentence(pause),
                (None, 0) => "Its mail comes from files, which were read lately.".to_owned(),
                (None, _) => "The runs before are still at work.".to_owned(),
            };
            return Ok(Outcome::skipped(reason));
        }
        runs::enter_by_run(tx, &Actor::Worker, &job, RunType::Delta).await?;
        let params = json!({ (SCHEDULE): schedule.id }).to_string();
        for mailbox in &start {
            runs::enqueue(tx, &Actor::Worker, job.id, *mailbox, RunType::Delta, &params).await?;
        }
        let left: Vec<String> =
            [(busy, "still at work"), (held.len(), "paused"), (unchanged, "files that were read lately")]
                .into_iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
        let reason = (!left.is_empty())
            .then(|| format!("{} of {} mailboxes; left alone: {}.", start.len(), subjects.len(), left.join(", ")));
        let runs = i64::try_from(start.len()).unwrap_or(i64::MAX);
        Ok(Outcome { state: OccurrenceState::Started, reason, runs })
    }

    async fn note_moment(
        &self,
        job: JobId,
        schedule: &ScheduleRow,
        due_at: &str,
        outcome: &Outcome,
        look: Look<'_>,
    ) -> Result<Option<OccurrenceState>> {
        let row = NewOccurrence {
            schedule_id: schedule.id,
            job_id: job,
            due_at,
            decided_by: look.by,
            state: outcome.state,
            reason: outcome.reason.as_deref(),
            runs: outcome.runs,
        };
        let mut tx = self.store().begin().await?;
        let mine = rows::take(&mut tx, &row, &clock::text(look.now)).await?.is_some();
        tx.commit().await?;
        Ok(mine.then_some(outcome.state))
    }

    /// What this machine's clock has decided when it was far ahead counts not: those moments are still to come. Another
    /// machine's rows stay: were two of which one is ahead to void each other's, each would start all of it again.
    async fn forget_the_future(&self, look: Look<'_>) -> Result<()> {
        let from = clock::text(look.now + TOO_FAR_AHEAD);
        if rows::any_decided_since(&mut *self.store().reader().await?, look.by, &from).await? {
            let mut tx = self.store().begin().await?;
            let count = rows::forget_since(&mut tx, look.by, &from).await?;
            tx.commit().await?;
            tracing::warn!(count, "the clock went back: what was decided in its future is void");
        }
        Ok(())
    }

    async fn forget_old_occurrences(&self, now: OffsetDateTime) -> Result<()> {
        let mut tx = self.store().begin().await?;
        // A row that goes too early would make its moment due again: a clock that is ahead alone does not decide that.
        let database = gatepost_store::clock::seconds(&mut tx).await?;
        let now = OffsetDateTime::from_unix_timestamp(database).map_or(now, |database| database.min(now));
        rows::prune(&mut tx, &clock::text(now - KEPT)).await?;
        Ok(tx.commit().await?)
    }

    /// Removes sealed files that nobody stored, and log-ins at providers from which nobody came back.
    pub(crate) async fn forget_expired(&self, now: OffsetDateTime) -> Result<()> {
        let now = clock::text(now);
        let mut tx = self.store().begin().await?;
        import_previews::purge(&mut tx, &now).await?;
        oauth_requests::tidy(&mut tx, &now).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether a pause holds a mailbox; `wave` is the one that it counts in.
fn rests(pause: &Pause, job: &Job, wave: Option<WaveId>, subject: &Subject) -> bool {
    match pause.scope {
        PauseScope::Everything => true,
        PauseScope::Job => pause.job_id == Some(job.id),
        PauseScope::Wave => pause.wave_id.is_some() && pause.wave_id == wave,
        PauseScope::Host => {
            let is = |host: &str| pause.host.as_deref() == Some(host.to_lowercase().as_str());
            is(&job.dest_imap_host) || subject.source_host.as_deref().is_some_and(is)
        }
    }
}

impl Gatepost {
    /// When runs of a wave start next by themselves: of any job whose mailboxes are in it.
    pub(crate) async fn next_of_wave(
        &self,
        conn: &mut Conn,
        wave: WaveId,
        now: OffsetDateTime,
    ) -> Result<Option<String>> {
        let all = self.written(conn).await?;
        let of_wave = |candidate: &&Candidate| candidate.wave == Some(wave) || candidate.other_waves.contains(&wave);
        let mut soonest: Option<OffsetDateTime> = None;
        for candidate in rows::candidates(conn, &PHASES, None).await?.iter().filter(of_wave) {
            let own = candidate.other_waves.contains(&wave).then_some(wave);
            let whole = (candidate.wave == Some(wave)).then_some(None);
            for own in whole.into_iter().chain(own.map(Some)) {
                let Some(row) = in_force(&all, candidate.job, candidate.wave, own) else { continue };
                let Some(rule) = Rule::read(&row.terms).ok().filter(|_| row.terms.enabled) else { continue };
                let next = plan::next(&rule, candidate.job.0, now);
                soonest = match (soonest, next) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        Ok(soonest.map(clock::text))
    }
}
