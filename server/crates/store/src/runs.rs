//! `migration_runs`: what was and is being done, and the queue of it.
//!
//! A worker takes a run by [`claim`] and holds it by a lease that it must [`renew`]. A run whose lease has ended, because
//! its worker died, is handed out again. Everything a worker writes about a run is written only while it holds it.

use crate::{
    Conn, Error, Result,
    dialect::Dialect,
    pauses,
    read::Columns,
    sql::{Conditions, List, Sql, changed, clean, int},
    waves::{self, Limit},
};
use gatepost_contract::{JobId, MailboxId, Page, PageQuery, Progress, Run, RunId, RunStatus, RunType, Tool};
use sqlx::any::AnyRow;

pub mod history;
pub mod logs;

/// So long after the end of its lease a run is left to a worker that lives.
pub const GRACE_SECONDS: i64 = 600;
/// The exit code of a run that was cancelled.
const CANCELLED: i64 = 130;

/// A run to queue.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// The job.
    pub job_id: JobId,
    /// The mailbox, or none for a run on the whole job.
    pub mailbox_id: Option<MailboxId>,
    /// What it does.
    pub run_type: RunType,
    /// With what.
    pub tool: Tool,
    /// A user's id, or `worker`.
    pub triggered_by: &'a str,
    /// What the caller wants to find again, as JSON.
    pub params_json: &'a str,
}

/// A run in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedRun {
    /// Its id.
    pub id: RunId,
    /// The job.
    pub job_id: JobId,
    /// The mailbox, or none for a run on the whole job.
    pub mailbox_id: Option<MailboxId>,
    /// What it does.
    pub run_type: RunType,
    /// With what.
    pub tool: Tool,
    /// As it was queued.
    pub params_json: String,
    /// How often it was handed out, this time included.
    pub attempts: i64,
    /// A user's id, or `worker`.
    pub triggered_by: String,
    /// Its log file, from an earlier attempt; empty before.
    pub log_path: String,
    /// Whether it was to be cancelled while nobody held it.
    pub cancel_requested: bool,
}

/// What a renewal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// False: another worker has the run, or it has ended. Stop, and write nothing more.
    pub still_mine: bool,
    /// Whether the run is to stop.
    pub cancel_requested: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// `success`, `partial` or `failed`.
    pub status: RunStatus,
    /// 0 success, 1 failed, 3 something left over, 130 cancelled; that of an external program otherwise.
    pub exit_code: Option<i64>,
    /// Figures by name, as a JSON object.
    pub stats_json: &'a str,
    /// The closing sentence.
    pub summary: &'a str,
    /// Whether it left everything as it was, and found nothing that speaks against what was read before it.
    pub idle: bool,
}

/// What came of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The run had not begun and has ended now.
    Ended,
    /// Its worker learns of it at the next renewal.
    Requested,
    /// It had ended before.
    NotActive,
}

/// Which runs are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunFilter {
    /// Of this job.
    pub job_id: Option<JobId>,
    /// Of this mailbox.
    pub mailbox_id: Option<MailboxId>,
    /// Of this type.
    pub run_type: Option<RunType>,
    /// That stand so.
    pub status: Option<RunStatus>,
}

pub(crate) const LIST: List = List {
    select: "SELECT r.*, j.domain AS job_domain, m.email AS mailbox_email",
    from: "migration_runs r LEFT JOIN migration_jobs j ON j.id = r.job_id
        LEFT JOIN migration_mailboxes m ON m.id = r.mailbox_id",
    count_from: "migration_runs r",
    sorts: &[
        ("id", "r.id"),
        ("run_type", "r.run_type"),
        ("tool", "r.tool"),
        ("status", "r.status"),
        ("queued_at", "r.queued_at"),
        ("started_at", "r.started_at"),
        ("finished_at", "r.finished_at"),
    ],
    usual: "-id",
    id: "r.id",
};

/// Queues a run. [`Error::AlreadyRunning`] while another one of the mailbox is queued or running; runs that read files
/// through do not count.
pub async fn enqueue(conn: &mut Conn, new: &NewRun<'_>, now: &str) -> Result<RunId> {
    let id = sqlx::query_scalar(
        "INSERT INTO migration_runs (job_id, mailbox_id, run_type, tool, triggered_by, params_json, queued_at, wave_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce((SELECT wave_id FROM migration_mailboxes WHERE id = $2),
             (SELECT wave_id FROM migration_jobs WHERE id = $1))) RETURNING id",
    )
    .bind(new.job_id.0)
    .bind(new.mailbox_id.map(|m| m.0))
    .bind(new.run_type.as_str())
    .bind(new.tool.as_str())
    .bind(new.triggered_by)
    .bind(new.params_json)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::AlreadyRunning, "job or mailbox"))?;
    Ok(RunId(id))
}

/// Hands the oldest waiting run to a worker: one that is queued, or one whose worker let its lease end. Runs of one
/// mailbox have their turn one after the other, in the order in which they were queued. What a pause holds back waits,
/// and so does what a wave has no place for; runs of no wave come first, then those of the waves in their order. Within a
/// transaction no two workers get the same. To workers that are known to live theirs are left for [`GRACE_SECONDS`] more:
/// their machine slept or its clock jumped, and they are about to renew. Seconds are those of the database's clock
/// ([`clock::seconds`](crate::clock::seconds)): it is one for all workers.
pub async fn claim(
    conn: &mut Conn,
    worker: &str,
    now: &str,
    now_seconds: i64,
    lease_seconds: i64,
    alive: &[String],
) -> Result<Option<ClaimedRun>> {
    hand_out(conn, None, worker, now, now_seconds, lease_seconds, alive).await
}

/// Hands out the oldest of these runs alone, by the rules of [`claim`]; none where none of them may be taken now.
pub async fn claim_named(
    conn: &mut Conn,
    named: &[RunId],
    worker: &str,
    now: &str,
    now_seconds: i64,
    lease_seconds: i64,
    alive: &[String],
) -> Result<Option<ClaimedRun>> {
    if named.is_empty() {
        return Ok(None);
    }
    hand_out(conn, Some(named), worker, now, now_seconds, lease_seconds, alive).await
}

async fn hand_out(
    conn: &mut Conn,
    named: Option<&[RunId]>,
    worker: &str,
    now: &str,
    now_seconds: i64,
    lease_seconds: i64,
    alive: &[String],
) -> Result<Option<ClaimedRun>> {
    let skip = Dialect::of(conn).skip_locked();
    let waves = waves::limits(conn, now_seconds, true).await?;
    // `coalesce` keeps SQLite from looking for the earlier runs of a mailbox among all that are queued.
    let mut sql = Sql::new("UPDATE migration_runs SET status = 'running', worker = ");
    sql.bind(worker.to_owned())?;
    sql.push(", lease_until = ").bind(now_seconds.saturating_add(lease_seconds))?;
    sql.push(", attempts = attempts + 1, waiting = NULL, started_at = coalesce(started_at, ").bind(now.to_owned())?;
    sql.push(
        ") WHERE id = (SELECT r.id FROM migration_runs r WHERE r.status IN ('queued', 'running')
             AND (r.status = 'queued' OR r.lease_until <= ",
    );
    sql.bind(now_seconds)?;
    if !alive.is_empty() {
        sql.push(" AND (r.worker NOT IN (").bind_list(alive.iter().cloned())?;
        sql.push(") OR r.lease_until <= ").bind(now_seconds.saturating_sub(GRACE_SECONDS))?;
        sql.push(")");
    }
    sql.push(
        ") AND NOT EXISTS (SELECT 1 FROM migration_runs e WHERE e.mailbox_id = r.mailbox_id AND e.id < r.id
                 AND coalesce(e.status, '') IN ('queued', 'running'))
             AND NOT EXISTS (SELECT 1 FROM migration_pauses p WHERE ",
    );
    sql.push(pauses::HOLDS).push(")");
    if let Some(named) = named {
        sql.push(" AND r.id IN (").bind_list(named.iter().map(|id| id.0))?;
        sql.push(")");
    }
    let full: Vec<i64> = waves.iter().filter(|wave| wave.is_full()).map(|wave| wave.id.0).collect();
    if !full.is_empty() {
        sql.push(" AND (r.wave_id IS NULL OR r.wave_id NOT IN (").bind_list(full)?;
        sql.push("))");
    }
    sql.push(" ORDER BY ");
    if !waves.is_empty() {
        sql.push("coalesce((SELECT w.position FROM migration_waves w WHERE w.id = r.wave_id), 0), ");
    }
    sql.push("r.id LIMIT 1").push(skip).push(") RETURNING *");
    let row = sql.query().fetch_optional(conn).await?;
    row.map(|row| {
        Ok(ClaimedRun {
            id: RunId(row.integer("id")?),
            job_id: JobId(row.integer("job_id")?),
            mailbox_id: row.maybe_integer("mailbox_id")?.map(MailboxId),
            run_type: row.name("run_type")?,
            tool: row.name("tool")?,
            params_json: row.text("params_json")?,
            attempts: row.integer("attempts")?,
            triggered_by: row.text("triggered_by")?,
            log_path: row.text("log_path")?,
            cancel_requested: row.truth("cancel_requested")?,
        })
    })
    .transpose()
}

/// Holds a run for longer, and learns whether it is to stop.
pub async fn renew(conn: &mut Conn, id: RunId, worker: &str, lease_until: i64) -> Result<Renewed> {
    let cancel: Option<i64> = sqlx::query_scalar(
        "UPDATE migration_runs SET lease_until = $3 WHERE id = $1 AND worker = $2 AND status = 'running'
         RETURNING cancel_requested",
    )
    .bind(id.0)
    .bind(worker)
    .bind(lease_until)
    .fetch_optional(conn)
    .await?;
    Ok(Renewed { still_mine: cancel.is_some(), cancel_requested: cancel.is_some_and(|c| c != 0) })
}

/// Notes how far a run is; false where the worker does not hold it any more.
pub async fn progress(conn: &mut Conn, id: RunId, worker: &str, progress: &Progress) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_runs SET done = $3, total = $4, bytes_done = $5, bytes_total = $6, bytes_per_second = $7,
             eta_seconds = $8, waiting = $9 WHERE id = $1 AND worker = $2 AND status = 'running'",
    )
    .bind(id.0)
    .bind(worker)
    .bind(progress.done)
    .bind(progress.total)
    .bind(progress.bytes_done)
    .bind(progress.bytes_total)
    .bind(progress.bytes_per_second)
    .bind(progress.eta_seconds)
    .bind(progress.waiting.as_deref().map(clean))
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Ends a run; false where the worker does not hold it any more, and then nothing is written.
pub async fn finish(conn: &mut Conn, id: RunId, worker: &str, end: &Finish<'_>, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_runs SET status = $3, exit_code = $4, stats_json = $5, summary = $6, finished_at = $7, idle = $8,
             lease_until = NULL, worker = NULL, bytes_per_second = 0, eta_seconds = NULL, waiting = NULL
         WHERE id = $1 AND worker = $2 AND status = 'running'",
    )
    .bind(id.0)
    .bind(worker)
    .bind(end.status.as_str())
    .bind(end.exit_code)
    .bind(end.stats_json)
    .bind(clean(end.summary))
    .bind(now)
    .bind(int(end.idle))
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Asks for an end. A run that nobody has begun ends at once, as `partial` with exit code 130.
pub async fn request_cancel(conn: &mut Conn, id: RunId, now: &str) -> Result<Cancelled> {
    let ended = sqlx::query(
        "UPDATE migration_runs SET status = 'partial', exit_code = $2, finished_at = $3, cancel_requested = 1,
             summary = 'Cancelled while it waited for a worker.'
         WHERE id = $1 AND status = 'queued'",
    )
    .bind(id.0)
    .bind(CANCELLED)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() > 0 {
        return Ok(Cancelled::Ended);
    }
    let asked = sqlx::query("UPDATE migration_runs SET cancel_requested = 1 WHERE id = $1 AND status = 'running'")
        .bind(id.0)
        .execute(conn)
        .await?;
    Ok(if asked.rows_affected() > 0 { Cancelled::Requested } else { Cancelled::NotActive })
}

/// Puts back what a worker held that has died; says how many.
pub async fn release_worker(conn: &mut Conn, worker: &str) -> Result<u64> {
    let result = sqlx::query(
        "UPDATE migration_runs SET status = 'queued', worker = NULL, lease_until = NULL
         WHERE status = 'running' AND worker = $1",
    )
    .bind(worker)
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Puts one run back, when the worker that holds it shuts down; false where it holds it no longer.
pub async fn hand_back(conn: &mut Conn, id: RunId, worker: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_runs SET status = 'queued', worker = NULL, lease_until = NULL
         WHERE id = $1 AND status = 'running' AND worker = $2",
    )
    .bind(id.0)
    .bind(worker)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// The waves of these runs that have no place for another mailbox at the moment, for those that wait for one.
pub async fn waiting_for_a_place(conn: &mut Conn, ids: &[RunId], now_seconds: i64) -> Result<Vec<(RunId, Limit)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let full: Vec<Limit> = waves::limits(conn, now_seconds, false).await?.into_iter().filter(Limit::is_full).collect();
    if full.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("SELECT id, wave_id FROM migration_runs WHERE status = 'queued' AND wave_id IS NOT NULL");
    sql.push(" AND id IN (").bind_list(ids.iter().map(|id| id.0))?;
    sql.push(")");
    let rows = sql.query_once().fetch_all(conn).await?;
    let mut found = Vec::new();
    for row in &rows {
        let (id, wave) = (RunId(row.integer("id")?), row.integer("wave_id")?);
        found.extend(full.iter().find(|limit| limit.id.0 == wave).map(|limit| (id, limit.clone())));
    }
    Ok(found)
}

/// Names the workers that hold runs.
pub async fn workers(conn: &mut Conn) -> Result<Vec<String>> {
    let names = sqlx::query_scalar(
        "SELECT DISTINCT worker FROM migration_runs WHERE status = 'running' AND worker IS NOT NULL",
    )
    .fetch_all(conn)
    .await?;
    Ok(names)
}

/// Names the log file.
pub async fn set_log_path(conn: &mut Conn, id: RunId, path: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_runs SET log_path = $2 WHERE id = $1")
        .bind(id.0)
        .bind(path)
        .execute(conn)
        .await?;
    changed(&result, "run")
}

/// The log file; empty before there is one.
pub async fn log_path(conn: &mut Conn, id: RunId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("SELECT log_path FROM migration_runs WHERE id = $1").bind(id.0).fetch_optional(conn).await?)
}

/// What the run was queued with.
pub async fn params(conn: &mut Conn, id: RunId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("SELECT params_json FROM migration_runs WHERE id = $1")
        .bind(id.0)
        .fetch_optional(conn)
        .await?)
}

/// One of them.
pub async fn get(conn: &mut Conn, id: RunId) -> Result<Option<Run>> {
    let mut only = Conditions::default();
    only.integer("r.id = ?", Some(id.0));
    let row = LIST.statement(&only, &PageQuery::default())?.query().fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// Those that are wanted, in pages, newest first unless asked otherwise.
pub async fn list(conn: &mut Conn, filter: &RunFilter, page: &PageQuery) -> Result<Page<Run>> {
    LIST.page(conn, &conditions(filter), page, read).await
}

pub(crate) fn conditions(filter: &RunFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.integer("r.job_id = ?", filter.job_id.map(|j| j.0));
    wanted.integer("r.mailbox_id = ?", filter.mailbox_id.map(|m| m.0));
    wanted.text("r.run_type = ?", filter.run_type.map(RunType::as_str));
    wanted.text("r.status = ?", filter.status.map(RunStatus::as_str));
    wanted
}

/// Those that run now, oldest first.
pub async fn at_work(conn: &mut Conn, limit: u32) -> Result<Vec<Run>> {
    let filter = RunFilter { status: Some(RunStatus::Running), ..RunFilter::default() };
    let page = PageQuery { page: 1, per_page: limit, sort: Some("id".into()) };
    let rows = LIST.statement(&conditions(&filter), &page)?.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Those of a job that are queued or running, oldest first.
pub async fn active_for_job(conn: &mut Conn, job: JobId) -> Result<Vec<Run>> {
    let mut sql = Sql::new(LIST.select);
    sql.push(" FROM ").push(LIST.from).push(" WHERE r.job_id = ").bind(job.0)?;
    sql.push(" AND r.status IN ('queued', 'running') ORDER BY r.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// The newest of a mailbox among these types, ended or not.
pub async fn latest(conn: &mut Conn, mailbox: MailboxId, types: &[RunType]) -> Result<Option<Run>> {
    newest(conn, "r.mailbox_id = ", mailbox.0, types, "r.id").await
}

/// The newest of a mailbox among these types that has ended.
pub async fn latest_finished(conn: &mut Conn, mailbox: MailboxId, types: &[RunType]) -> Result<Option<Run>> {
    newest(conn, "r.finished_at IS NOT NULL AND r.mailbox_id = ", mailbox.0, types, "r.id").await
}

/// The one of a job and type that ended last.
pub async fn last_finished(conn: &mut Conn, job: JobId, run_type: RunType) -> Result<Option<Run>> {
    let condition = "r.finished_at IS NOT NULL AND r.job_id = ";
    newest(conn, condition, job.0, &[run_type], "r.finished_at DESC, r.id").await
}

async fn newest(conn: &mut Conn, condition: &str, of: i64, types: &[RunType], order: &str) -> Result<Option<Run>> {
    if types.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::new(LIST.select);
    sql.push(" FROM ").push(LIST.from).push(" WHERE ").push(condition).bind(of)?;
    sql.push(" AND r.run_type IN (").bind_list(types.iter().map(|t| t.as_str()))?;
    sql.push(") ORDER BY ").push(order).push(" DESC LIMIT 1");
    let row = sql.query().fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

pub(crate) fn read(row: &AnyRow) -> Result<Run> {
    Ok(Run {
        id: RunId(row.integer("id")?),
        job_id: JobId(row.integer("job_id")?),
        domain: row.text("job_domain")?,
        mailbox_id: row.maybe_integer("mailbox_id")?.map(MailboxId),
        email: row.maybe_text("mailbox_email")?,
        run_type: row.name("run_type")?,
        tool: row.name("tool")?,
        status: row.name("status")?,
        exit_code: row.maybe_integer("exit_code")?,
        stats: row.json("stats_json")?,
        summary: row.maybe_text("summary")?,
        queued_at: row.text("queued_at")?,
        started_at: row.maybe_text("started_at")?,
        finished_at: row.maybe_text("finished_at")?,
        triggered_by: row.text("triggered_by")?,
        log_removed_at: row.maybe_text("log_removed_at")?,
        progress: Progress {
            done: row.integer("done")?,
            total: row.integer("total")?,
            bytes_done: row.integer("bytes_done")?,
            bytes_total: row.integer("bytes_total")?,
            bytes_per_second: row.real("bytes_per_second")?,
            eta_seconds: row.maybe_integer("eta_seconds")?,
            waiting: row.maybe_text("waiting")?,
        },
    })
}
