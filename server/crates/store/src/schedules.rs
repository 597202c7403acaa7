//! `migration_schedules` and `migration_schedule_runs`: when runs start by themselves, and what became of each moment.
//! Which moments a schedule has is not known here.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Conditions, List, clean, int},
};
use gatepost_contract::{
    JobId, MailboxId, Occurrence, OccurrenceFilter, OccurrenceId, OccurrenceState, Page, PageQuery, Phase, ScheduleId,
    ScheduleScope, SourceType, WaveId,
};
use sqlx::any::AnyRow;

/// Whose schedule it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The installation's.
    Default,
    /// A wave's.
    Wave(WaveId),
    /// A job's.
    Job(JobId),
}

impl Owner {
    const fn parts(self) -> (ScheduleScope, Option<i64>, Option<i64>) {
        match self {
            Self::Default => (ScheduleScope::Default, None, None),
            Self::Wave(id) => (ScheduleScope::Wave, None, Some(id.0)),
            Self::Job(id) => (ScheduleScope::Job, Some(id.0), None),
        }
    }
}

/// What a schedule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Five fields.
    pub expression: String,
    /// A name of the IANA database.
    pub time_zone: String,
    /// `HH:MM-HH:MM`.
    pub window: Option<String>,
    /// 0 to 720.
    pub jitter_minutes: i64,
    /// Whether anything starts.
    pub enabled: bool,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its id.
    pub id: ScheduleId,
    /// Whose it is.
    pub owner: Owner,
    /// The job's domain or the wave's name; empty for the installation's.
    pub subject: String,
    /// What it says.
    pub terms: Terms,
    /// Moments before this one are none of it.
    pub since: String,
    /// Who last changed it.
    pub updated_by: String,
    /// When.
    pub updated_at: String,
}

/// A job for which runs may start by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The job.
    pub job: JobId,
    /// Its domain.
    pub domain: String,
    /// The wave that it is in as a whole.
    pub wave: Option<WaveId>,
    /// Other waves that single mailboxes of it are in.
    pub other_waves: Vec<WaveId>,
    /// Since when it is in a phase in which deltas start by themselves.
    pub entered_at: String,
    /// Since when it is under the schedule that it is under, where that changed.
    pub scheduled_since: Option<String>,
}

/// A mailbox of such a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The wave that it is in by itself.
    pub wave: Option<WaveId>,
    /// Where its mail comes from.
    pub source_type: SourceType,
    /// From which host, where it is a server.
    pub source_host: Option<String>,
    /// Whether a run of it is queued or running.
    pub busy: bool,
    /// When its last delta, or other copy, ended.
    pub copied_at: Option<String>,
}

/// A moment with what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct NewOccurrence<'a> {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// The job.
    pub job_id: JobId,
    /// When it was due.
    pub due_at: &'a str,
    /// The machine by whose clock that is decided.
    pub decided_by: &'a str,
    /// What becomes of it.
    pub state: OccurrenceState,
    /// Why.
    pub reason: Option<&'a str>,
    /// How many runs were started.
    pub runs: i64,
}

const SELECT: &str = "SELECT s.*, coalesce(j.domain, w.name, '') AS subject FROM migration_schedules s
    LEFT JOIN migration_jobs j ON j.id = s.job_id LEFT JOIN migration_waves w ON w.id = s.wave_id";

pub(crate) const OCCURRENCES: List = List {
    select: "SELECT o.*, j.domain AS domain",
    from: "migration_schedule_runs o JOIN migration_jobs j ON j.id = o.job_id
        JOIN migration_schedules s ON s.id = o.schedule_id",
    count_from: "migration_schedule_runs o JOIN migration_schedules s ON s.id = o.schedule_id",
    sorts: &[("id", "o.id"), ("due_at", "o.due_at"), ("state", "o.state")],
    usual: "-due_at",
    id: "o.id",
};

/// The schedule of somebody.
pub async fn of(conn: &mut Conn, owner: Owner) -> Result<Option<ScheduleRow>> {
    let (scope, job, wave) = owner.parts();
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE s.scope = $1 AND coalesce(s.job_id, 0) = $2 AND coalesce(s.wave_id, 0) = $3"
    )))
    .bind(scope.as_str())
    .bind(job.unwrap_or(0))
    .bind(wave.unwrap_or(0))
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// All of them: the installation's, those of waves, those of jobs.
pub async fn list(conn: &mut Conn) -> Result<Vec<ScheduleRow>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{SELECT} ORDER BY CASE s.scope WHEN 'default' THEN 0 WHEN 'wave' THEN 1 ELSE 2 END, s.id"
    )))
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Writes the schedule of somebody, who had one or not. What was due before counts not.
pub async fn put(conn: &mut Conn, owner: Owner, terms: &Terms, by: &str, now: &str) -> Result<ScheduleId> {
    let (scope, job, wave) = owner.parts();
    let id = sqlx::query_scalar(
        "INSERT INTO migration_schedules (scope, job_id, wave_id, expression, time_zone, open_hours, jitter_minutes,
             enabled, since, updated_by, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9)
         ON CONFLICT (scope, coalesce(job_id, 0), coalesce(wave_id, 0)) DO UPDATE SET
             expression = excluded.expression, time_zone = excluded.time_zone, open_hours = excluded.open_hours,
             jitter_minutes = excluded.jitter_minutes, enabled = excluded.enabled, since = excluded.since,
             updated_by = excluded.updated_by, updated_at = excluded.updated_at
         RETURNING id",
    )
    .bind(scope.as_str())
    .bind(job)
    .bind(wave)
    .bind(terms.expression.as_str())
    .bind(terms.time_zone.as_str())
    .bind(terms.window.as_deref())
    .bind(terms.jitter_minutes)
    .bind(int(terms.enabled))
    .bind(now)
    .bind(by)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "schedule" }, "job or wave"))?;
    Ok(ScheduleId(id))
}

/// Removes the schedule of somebody, with what it did; false where there was none. The jobs that it was in force for are
/// under another one from now on.
pub async fn delete(conn: &mut Conn, owner: Owner, now: &str) -> Result<bool> {
    let (scope, job, wave) = owner.parts();
    let result = sqlx::query(
        "DELETE FROM migration_schedules
         WHERE scope = $1 AND coalesce(job_id, 0) = $2 AND coalesce(wave_id, 0) = $3",
    )
    .bind(scope.as_str())
    .bind(job.unwrap_or(0))
    .bind(wave.unwrap_or(0))
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "UPDATE migration_jobs SET scheduled_since = $3 WHERE id = $1 OR wave_id = $2
             OR id IN (SELECT m.job_id FROM migration_mailboxes m WHERE m.wave_id = $2)",
    )
    .bind(job)
    .bind(wave)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// The jobs in these phases, with since when they have been in one of them.
pub async fn candidates(conn: &mut Conn, phases: &[Phase], only: Option<JobId>) -> Result<Vec<Candidate>> {
    let among = |sql: &mut crate::sql::Sql| -> Result<()> {
        sql.push("(").bind_list(phases.iter().map(|phase| phase.as_str()))?;
        sql.push(")");
        Ok(())
    };
    let mut sql = crate::sql::Sql::new(
        "SELECT j.id, j.domain, j.wave_id, j.created_at, j.scheduled_since,
             (SELECT max(h.at) FROM migration_phase_history h WHERE h.job_id = j.id AND h.to_phase IN ",
    );
    among(&mut sql)?;
    sql.push(" AND h.from_phase NOT IN ");
    among(&mut sql)?;
    sql.push(") AS entered_at FROM migration_jobs j WHERE j.phase IN ");
    among(&mut sql)?;
    if let Some(job) = only {
        sql.push(" AND j.id = ").bind(job.0)?;
    }
    sql.push(" ORDER BY j.id");
    let rows = sql.query().fetch_all(&mut *conn).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let entered_at = match row.maybe_text("entered_at")? {
            Some(at) => at,
            None => row.text("created_at")?,
        };
        found.push(Candidate {
            job: JobId(row.integer("id")?),
            domain: row.text("domain")?,
            wave: row.maybe_integer("wave_id")?.map(WaveId),
            other_waves: Vec::new(),
            entered_at,
            scheduled_since: row.maybe_text("scheduled_since")?,
        });
    }
    let rows = sqlx::query(
        "SELECT DISTINCT job_id, wave_id FROM migration_mailboxes WHERE wave_id IS NOT NULL ORDER BY job_id, wave_id",
    )
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let (job, wave) = (JobId(row.integer("job_id")?), WaveId(row.integer("wave_id")?));
        if let Ok(at) = found.binary_search_by_key(&job, |candidate| candidate.job) {
            found[at].other_waves.push(wave);
        }
    }
    Ok(found)
}

/// The mailboxes of a job, in their order.
pub async fn subjects(conn: &mut Conn, job: JobId) -> Result<Vec<Subject>> {
    let rows = sqlx::query(
        "SELECT m.id, m.wave_id, m.source_type, m.source_host,
             CASE WHEN EXISTS (SELECT 1 FROM migration_runs r WHERE r.mailbox_id = m.id
                 AND coalesce(r.status, '') IN ('queued', 'running')) THEN 1 ELSE 0 END AS busy,
             (SELECT max(r.finished_at) FROM migration_runs r WHERE r.mailbox_id = m.id
                 AND r.run_type IN ('initial', 'delta', 'final') AND r.status IN ('success', 'partial')) AS copied_at
         FROM migration_mailboxes m WHERE m.job_id = $1 ORDER BY m.id",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Subject {
                mailbox: MailboxId(row.integer("id")?),
                wave: row.maybe_integer("wave_id")?.map(WaveId),
                source_type: row.name("source_type")?,
                source_host: row.maybe_text("source_host")?,
                busy: row.truth("busy")?,
                copied_at: row.maybe_text("copied_at")?,
            })
        })
        .collect()
}

/// The last moment, up to a time, that was decided for a job by a schedule.
pub async fn last_due(conn: &mut Conn, schedule: ScheduleId, job: JobId, until: &str) -> Result<Option<String>> {
    let last: Option<Option<String>> = sqlx::query_scalar(
        "SELECT max(due_at) FROM migration_schedule_runs WHERE schedule_id = $1 AND job_id = $2 AND due_at <= $3",
    )
    .bind(schedule.0)
    .bind(job.0)
    .bind(until)
    .fetch_optional(conn)
    .await?;
    Ok(last.flatten())
}

/// Takes a moment: none where somebody else has it.
pub async fn take(conn: &mut Conn, new: &NewOccurrence<'_>, now: &str) -> Result<Option<OccurrenceId>> {
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO migration_schedule_runs (schedule_id, job_id, due_at, decided_at, decided_by, state, reason,
             runs)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (schedule_id, job_id, due_at) DO NOTHING RETURNING id",
    )
    .bind(new.schedule_id.0)
    .bind(new.job_id.0)
    .bind(new.due_at)
    .bind(now)
    .bind(new.decided_by)
    .bind(new.state.as_str())
    .bind(new.reason.map(clean))
    .bind(new.runs)
    .fetch_optional(conn)
    .await?;
    Ok(id.map(OccurrenceId))
}

/// Writes what became of a moment that was taken.
pub async fn settle(
    conn: &mut Conn,
    id: OccurrenceId,
    state: OccurrenceState,
    reason: Option<&str>,
    runs: i64,
) -> Result<()> {
    sqlx::query("UPDATE migration_schedule_runs SET state = $2, reason = $3, runs = $4 WHERE id = $1")
        .bind(id.0)
        .bind(state.as_str())
        .bind(reason.map(clean))
        .bind(runs)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a machine decided something at or after a time.
pub async fn any_decided_since(conn: &mut Conn, by: &str, at: &str) -> Result<bool> {
    let found =
        sqlx::query("SELECT id FROM migration_schedule_runs WHERE decided_at >= $1 AND decided_by = $2 LIMIT 1")
            .bind(at)
            .bind(by)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// Forgets what a machine decided at or after a time: its clock was far ahead when it wrote that. What another machine
/// decided stays, for whose clock is right is not known.
pub async fn forget_since(conn: &mut Conn, by: &str, at: &str) -> Result<u64> {
    let result = sqlx::query("DELETE FROM migration_schedule_runs WHERE decided_at >= $1 AND decided_by = $2")
        .bind(at)
        .bind(by)
        .execute(conn)
        .await?;
    Ok(result.rows_affected())
}

/// Forgets what was decided before a time.
pub async fn prune(conn: &mut Conn, before: &str) -> Result<u64> {
    let result =
        sqlx::query("DELETE FROM migration_schedule_runs WHERE decided_at < $1").bind(before).execute(conn).await?;
    Ok(result.rows_affected())
}

/// Moments and what became of them, in pages, the newest first.
pub async fn occurrences(conn: &mut Conn, filter: &OccurrenceFilter, page: &PageQuery) -> Result<Page<Occurrence>> {
    let mut wanted = Conditions::default();
    wanted.integer("o.job_id = ?", filter.job_id.map(|job| job.0));
    wanted.integer("s.wave_id = ?", filter.wave_id.map(|wave| wave.0));
    wanted.text("o.state = ?", filter.state.map(OccurrenceState::as_str));
    OCCURRENCES.page(conn, &wanted, page, read_occurrence).await
}

fn read_occurrence(row: &AnyRow) -> Result<Occurrence> {
    Ok(Occurrence {
        id: OccurrenceId(row.integer("id")?),
        schedule_id: ScheduleId(row.integer("schedule_id")?),
        job_id: JobId(row.integer("job_id")?),
        domain: row.text("domain")?,
        due_at: row.text("due_at")?,
        decided_at: row.text("decided_at")?,
        state: row.name("state")?,
        reason: row.maybe_text("reason")?,
        runs: row.integer("runs")?,
    })
}

fn read(row: &AnyRow) -> Result<ScheduleRow> {
    let owner = match (row.maybe_integer("job_id")?, row.maybe_integer("wave_id")?) {
        (Some(job), _) => Owner::Job(JobId(job)),
        (None, Some(wave)) => Owner::Wave(WaveId(wave)),
        (None, None) => Owner::Default,
    };
    Ok(ScheduleRow {
        id: ScheduleId(row.integer("id")?),
        owner,
        subject: row.text("subject")?,
        terms: Terms {
            expression: row.text("expression")?,
            time_zone: row.text("time_zone")?,
            window: row.maybe_text("open_hours")?,
            jitter_minutes: row.integer("jitter_minutes")?,
            enabled: row.truth("enabled")?,
        },
        since: row.text("since")?,
        updated_by: row.text("updated_by")?,
        updated_at: row.text("updated_at")?,
    })
}
