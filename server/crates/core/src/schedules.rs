//! Schedules: when deltas start by themselves. For each mailbox one is in force: that of its own wave, else that of its
//! job, else that of its job's wave, else the installation's.

mod plan;
mod rule;
#[cfg(test)]
pub(crate) mod tests;
mod tick;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, users::checked_page, waves};
use gatepost_contract::{
    FieldError, Job, JobId, JobPlan, Occurrence, OccurrenceFilter, Page, PageQuery, Phase, Schedule, ScheduleId,
    ScheduleInput, ScheduleMoment, ScheduleScope, Scope, WaveId,
};
use gatepost_store::{
    Conn, jobs, pauses,
    runs::ClaimedRun,
    schedules::{self as rows, Candidate, Owner, ScheduleRow, Terms},
    waves as wave_rows,
};
use rule::{Rule, zone_name};
use serde_json::Value;
use time::OffsetDateTime;

/// The phases in which deltas start by themselves. After the cutover stragglers are fetched in their own way.
const PHASES: [Phase; 2] = [Phase::DeltaSync, Phase::CutoverReady];
/// How many minutes jobs are spread over where nobody says otherwise.
const USUAL_JITTER: i64 = 10;
/// As many moments are shown.
const SHOWN: usize = 5;
/// As many occurrences are shown with a job or a wave.
pub(crate) const NEWEST: u32 = 20;

/// Where a run's parameters name the schedule that started it.
const SCHEDULE: &str = "schedule";

/// Whether a schedule started a run.
pub(crate) fn started(run: &ClaimedRun) -> bool {
    serde_json::from_str::<Value>(&run.params_json).is_ok_and(|params| params.get(SCHEDULE).is_some())
}

/// What is wrong with a cron expression or a time zone, as a sentence that begins with what it is.
///
/// # Errors
/// That sentence.
pub fn check_schedule(expression: &str, time_zone: &str) -> std::result::Result<(), String> {
    let terms = Terms {
        expression: expression.to_owned(),
        time_zone: time_zone.to_owned(),
        window: None,
        jitter_minutes: 0,
        enabled: true,
    };
    match Rule::new(&terms, OffsetDateTime::now_utc()) {
        Ok(_) => Ok(()),
        Err(wrong) => {
            Err(wrong.into_iter().map(|wrong| format!("{} {}", wrong.field, wrong.why)).collect::<Vec<_>>().join("; "))
        }
    }
}

impl Gatepost {
    /// All schedules: the installation's, those of waves, those of jobs.
    pub async fn schedules(&self, actor: &Actor) -> Result<Vec<Schedule>> {
        actor.read(Scope::JobsRead)?;
        let now = OffsetDateTime::now_utc();
        let mut found = rows::list(&mut *self.store().reader().await?).await?;
        if !found.iter().any(|row| row.owner == Owner::Default) {
            found.insert(0, self.unwritten());
        }
        Ok(found.into_iter().map(|row| view(row, now)).collect())
    }

    /// What a job will do by itself, and what it did.
    pub async fn job_plan(&self, actor: &Actor, id: JobId) -> Result<JobPlan> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        let job = found(jobs::get(&mut conn, id).await?)?;
        self.plan(&mut conn, &job, OffsetDateTime::now_utc()).await
    }

    async fn plan(&self, conn: &mut Conn, job: &Job, now: OffsetDateTime) -> Result<JobPlan> {
        let wave = wave_rows::of_job(conn, job.id).await?;
        let all = self.written(conn).await?;
        let row = in_force(&all, job.id, wave.as_ref().map(|wave| wave.id), None)
            .cloned()
            .unwrap_or_else(|| self.unwritten());
        let idle = self.idle(job, &row);
        let rule = Rule::read(&row.terms).ok().filter(|_| idle.is_none());
        let filter = OccurrenceFilter { job_id: Some(job.id), ..OccurrenceFilter::default() };
        let newest = PageQuery { per_page: NEWEST, ..PageQuery::default() };
        Ok(JobPlan {
            next_at: rule.and_then(|rule| plan::next(&rule, job.id.0, now)).map(clock::text),
            idle,
            schedule: view(row, now),
            wave,
            pauses: pauses::of_job(conn, job.id).await?,
            occurrences: rows::occurrences(conn, &filter, &newest).await?.items,
        })
    }

    /// Why nothing starts by itself.
    fn idle(&self, job: &Job, schedule: &ScheduleRow) -> Option<String> {
        let why = match job.phase {
            Phase::Discovered | Phase::Preflight | Phase::InitialSync => {
                "Deltas start by themselves once the first one was started by hand."
            }
            Phase::DnsCutover | Phase::FinalSync => {
                "The MX was changed: stragglers are fetched instead, as the cutover's settings say."
            }
            Phase::Verified | Phase::Closed => "The job is done.",
            Phase::Failed => "The job failed. Retry it first.",
            Phase::DeltaSync | Phase::CutoverReady if !schedule.terms.enabled => "Its schedule is switched off.",
            Phase::DeltaSync | Phase::CutoverReady if !self.config().enabled => {
                "The migration module is switched off on this server."
            }
            Phase::DeltaSync | Phase::CutoverReady => return None,
        };
        Some(why.to_owned())
    }

    /// Gives a job a schedule of its own.
    pub async fn set_job_schedule(&self, actor: &Actor, id: JobId, input: ScheduleInput) -> Result<JobPlan> {
        actor.manage()?;
        let now = OffsetDateTime::now_utc();
        let terms = self.checked_terms(&input, now)?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        if job.phase == Phase::Closed {
            return Err(Error::conflict("closed", "The job is closed. Open a new one."));
        }
        self.write_schedule(&mut tx, actor, Owner::Job(id), &terms).await?;
        let plan = self.plan(&mut tx, &job, now).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// Takes a job's own schedule away: that of its wave is in force again, or the installation's.
    pub async fn clear_job_schedule(&self, actor: &Actor, id: JobId) -> Result<JobPlan> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        remove_schedule(&mut tx, actor, Owner::Job(id)).await?;
        let plan = self.plan(&mut tx, &job, OffsetDateTime::now_utc()).await?;
        tx.commit().await?;
        Ok(plan)
    }

    /// Gives a wave a schedule.
    pub async fn set_wave_schedule(&self, actor: &Actor, id: WaveId, input: ScheduleInput) -> Result<Schedule> {
        actor.manage()?;
        let now = OffsetDateTime::now_utc();
        let terms = self.checked_terms(&input, now)?;
        let mut tx = self.store().begin().await?;
        waves::known(&mut tx, id).await?;
        waves::may_change(&mut tx, actor, id).await?;
        let row = self.write_schedule(&mut tx, actor, Owner::Wave(id), &terms).await?;
        tx.commit().await?;
        Ok(view(row, now))
    }

    /// Takes a wave's schedule away.
    pub async fn clear_wave_schedule(&self, actor: &Actor, id: WaveId) -> Result<()> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        waves::known(&mut tx, id).await?;
        waves::may_change(&mut tx, actor, id).await?;
        remove_schedule(&mut tx, actor, Owner::Wave(id)).await?;
        Ok(tx.commit().await?)
    }

    /// The next moments of a schedule that is not stored: what a form shows before it is sent.
    pub async fn preview_schedule(&self, actor: &Actor, input: ScheduleInput) -> Result<Vec<ScheduleMoment>> {
        actor.manage()?;
        let now = OffsetDateTime::now_utc();
        let terms = self.checked_terms(&input, now)?;
        Ok(Rule::read(&terms).map(|rule| moments(&rule, now)).unwrap_or_default())
    }

    /// Moments at which runs were due and what became of them, newest first.
    pub async fn occurrences(
        &self,
        actor: &Actor,
        filter: OccurrenceFilter,
        page: PageQuery,
    ) -> Result<Page<Occurrence>> {
        actor.read(Scope::JobsRead)?;
        Ok(rows::occurrences(&mut *self.store().reader().await?, &filter, &checked_page(page)?).await?)
    }

    async fn write_schedule(&self, tx: &mut Conn, actor: &Actor, owner: Owner, terms: &Terms) -> Result<ScheduleRow> {
        let before = rows::of(tx, owner).await?;
        rows::put(tx, owner, terms, &actor.label(), &clock::now()).await?;
        let after = rows::of(tx, owner).await?.ok_or(Error::NotFound("schedule"))?;
        let entry = entry(actor, "schedule.set", owner).after(&said(&after.terms));
        match before {
            Some(before) => entry.before(&said(&before.terms)),
            None => entry,
        }
        .write(tx)
        .await?;
        Ok(after)
    }

    /// Checks what a person says.
    fn checked_terms(&self, input: &ScheduleInput, now: OffsetDateTime) -> Result<Terms> {
        let given =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let zone = given(&input.time_zone).unwrap_or_else(|| self.config().time_zone.clone());
        let terms = Terms {
            expression: input.expression.split_whitespace().collect::<Vec<_>>().join(" "),
            time_zone: zone_name(&zone).unwrap_or(zone),
            window: given(&input.window).map(|text| text.replace(' ', "")),
            jitter_minutes: input.jitter_minutes.unwrap_or(USUAL_JITTER),
            enabled: input.enabled,
        };
        match Rule::new(&terms, now) {
            Ok(_) => Ok(terms),
            Err(wrong) => {
                let field = |wrong: rule::Wrong| FieldError { field: wrong.field.into(), message: wrong.why };
                Err(Error::Invalid(wrong.into_iter().map(field).collect()))
            }
        }
    }

    /// All schedules, the installation's among them although no worker has written it yet.
    async fn written(&self, conn: &mut Conn) -> Result<Vec<ScheduleRow>> {
        let mut all = rows::list(conn).await?;
        if !all.iter().any(|row| row.owner == Owner::Default) {
            all.push(self.unwritten());
        }
        Ok(all)
    }

    /// The installation's schedule as the configuration says it.
    fn unwritten(&self) -> ScheduleRow {
        let config = self.config();
        ScheduleRow {
            id: ScheduleId(0),
            owner: Owner::Default,
            subject: String::new(),
            terms: Terms {
                expression: config.delta_schedule.clone().unwrap_or_else(|| "0 */6 * * *".into()),
                time_zone: config.time_zone.clone(),
                window: None,
                jitter_minutes: USUAL_JITTER,
                enabled: config.delta_schedule.is_some(),
            },
            since: clock::now(),
            updated_by: "configuration".into(),
            updated_at: clock::now(),
        }
    }

    /// Writes the installation's schedule where the configuration says another than before.
    pub(crate) async fn keep_default_schedule(&self) -> Result<()> {
        let wanted = self.unwritten();
        let mut tx = self.store().begin().await?;
        if rows::of(&mut tx, Owner::Default).await?.is_none_or(|row| row.terms != wanted.terms) {
            rows::put(&mut tx, Owner::Default, &wanted.terms, &wanted.updated_by, &wanted.since).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn remove_schedule(tx: &mut Conn, actor: &Actor, owner: Owner) -> Result<()> {
    let Some(before) = rows::of(tx, owner).await? else {
        return Err(Error::conflict("no_schedule", "It has no schedule of its own."));
    };
    rows::delete(tx, owner, &clock::now()).await?;
    entry(actor, "schedule.clear", owner).before(&said(&before.terms)).write(tx).await?;
    Ok(())
}

fn entry(actor: &Actor, action: &'static str, owner: Owner) -> Entry {
    match owner {
        Owner::Default => Entry::new(actor, action, "schedule".into()),
        Owner::Wave(id) => Entry::new(actor, action, format!("wave/{id}")),
        Owner::Job(id) => Entry::new(actor, action, format!("job/{id}")).job(id),
    }
}

/// A schedule as the audit log keeps it.
fn said(terms: &Terms) -> ScheduleInput {
    ScheduleInput {
        expression: terms.expression.clone(),
        time_zone: Some(terms.time_zone.clone()),
        window: terms.window.clone(),
        jitter_minutes: Some(terms.jitter_minutes),
        enabled: terms.enabled,
    }
}

/// The schedule in force for a mailbox of a job: `own` is the wave that it is in by itself, `wave` that of its job.
fn in_force(all: &[ScheduleRow], job: JobId, wave: Option<WaveId>, own: Option<WaveId>) -> Option<&ScheduleRow> {
    let of = |owner: Owner| all.iter().find(|row| row.owner == owner);
    own.and_then(|own| of(Owner::Wave(own)))
        .or_else(|| of(Owner::Job(job)))
        .or_else(|| wave.and_then(|wave| of(Owner::Wave(wave))))
        .or_else(|| of(Owner::Default))
}

/// The schedules in force for the mailboxes of a job, each once.
fn all_in_force<'a>(all: &'a [ScheduleRow], of: &Candidate) -> Vec<&'a ScheduleRow> {
    let waves = std::iter::once(None).chain(of.other_waves.iter().copied().map(Some));
    let mut found: Vec<&ScheduleRow> = Vec::new();
    for row in waves.filter_map(|own| in_force(all, of.job, of.wave, own)) {
        if !found.iter().any(|known| known.id == row.id) {
            found.push(row);
        }
    }
    found
}

fn moments(rule: &Rule, now: OffsetDateTime) -> Vec<ScheduleMoment> {
    let all = std::iter::successors(rule.after(now), |at| rule.after(*at));
    all.take(SHOWN).map(|at| ScheduleMoment { at: clock::text(at), local: rule.on_the_wall(at) }).collect()
}

pub(crate) fn view(row: ScheduleRow, now: OffsetDateTime) -> Schedule {
    let (scope, job_id, wave_id) = match row.owner {
        Owner::Default => (ScheduleScope::Default, None, None),
        Owner::Wave(id) => (ScheduleScope::Wave, None, Some(id)),
        Owner::Job(id) => (ScheduleScope::Job, Some(id), None),
    };
    let rule = Rule::read(&row.terms).ok().filter(|_| row.terms.enabled);
    Schedule {
        id: row.id,
        scope,
        job_id,
        wave_id,
        subject: row.subject,
        next: rule.map(|rule| moments(&rule, now)).unwrap_or_default(),
        expression: row.terms.expression,
        time_zone: row.terms.time_zone,
        window: row.terms.window,
        jitter_minutes: row.terms.jitter_minutes,
        enabled: row.terms.enabled,
        updated_by: row.updated_by,
        updated_at: row.updated_at,
    }
}
