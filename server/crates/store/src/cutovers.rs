//! What `migration_jobs` and its messages say about a cutover: the settings, which jobs have stragglers to fetch, and
//! when the old server last had something new.

use crate::{Conn, Result, pauses, read::Columns, sql::changed};
use gatepost_contract::{CutoverSettings, JobId, RunType};
use sqlx::AssertSqlSafe;

/// How many runs after the cutover are added up.
const RUNS: i64 = 1_000;

/// A job's settings; [`None`] for an unknown job.
pub async fn settings(conn: &mut Conn, job: JobId) -> Result<Option<CutoverSettings>> {
    let row =
        sqlx::query("SELECT straggler_minutes, quiet_hours, new_mx, dkim_selectors FROM migration_jobs WHERE id = $1")
            .bind(job.0)
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        Ok(CutoverSettings {
            straggler_minutes: row.maybe_integer("straggler_minutes")?,
            quiet_hours: row.integer("quiet_hours")?,
            new_mx: split(&row.text("new_mx")?),
            dkim_selectors: split(&row.text("dkim_selectors")?),
        })
    })
    .transpose()
}

fn split(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Writes all of them.
pub async fn put_settings(conn: &mut Conn, job: JobId, settings: &CutoverSettings, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_jobs SET straggler_minutes = $2, quiet_hours = $3, new_mx = $4, dkim_selectors = $5,
             updated_at = $6 WHERE id = $1",
    )
    .bind(job.0)
    .bind(settings.straggler_minutes)
    .bind(settings.quiet_hours)
    .bind(settings.new_mx.join(","))
    .bind(settings.dkim_selectors.join(","))
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "job")
}

/// When the last `final` run of the job `j` ended, with the latest time that is believed bound as `$1`. An end after that
/// was written by a clock that was ahead: the moment at which that run was queued counts instead.
const LAST_FINAL_AT: &str = "(SELECT max(CASE WHEN r.finished_at <= $1 THEN r.finished_at
         WHEN r.queued_at <= $1 THEN r.queued_at END)
     FROM migration_runs r WHERE r.job_id = j.id AND r.run_type = 'final' AND r.finished_at IS NOT NULL)";

/// A job whose stragglers are fetched by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Straggling {
    /// Which.
    pub job: JobId,
    /// When the MX was changed.
    pub cutover_at: String,
    /// How often, in minutes.
    pub minutes: i64,
    /// How long the old server must have been quiet, in hours.
    pub quiet_hours: i64,
    /// When the last `final` run of it ended; none while there was none.
    pub last_final_at: Option<String>,
}

/// Jobs after their cutover that fetch stragglers by themselves and have nothing at work, oldest first. What rests under a
/// pause is not at work: it holds up its own mailbox and no other. An end after `believed` was written by a clock that was
/// ahead.
pub async fn straggling(conn: &mut Conn, believed: &str) -> Result<Vec<Straggling>> {
    let text = format!(
        "SELECT j.id, j.dns_cutover_at, j.straggler_minutes, j.quiet_hours, {LAST_FINAL_AT} AS last_final_at
         FROM migration_jobs j
         WHERE j.phase IN ('dns_cutover', 'final_sync') AND j.dns_cutover_at IS NOT NULL
             AND j.straggler_minutes IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM migration_runs r WHERE r.job_id = j.id AND (r.status = 'running'
                 OR r.status = 'queued' AND NOT EXISTS (SELECT 1 FROM migration_pauses p WHERE {})))
         ORDER BY j.id",
        pauses::HOLDS
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(believed).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Straggling {
                job: JobId(row.integer("id")?),
                cutover_at: row.text("dns_cutover_at")?,
                minutes: row.integer("straggler_minutes")?,
                quiet_hours: row.integer("quiet_hours")?,
                last_final_at: row.maybe_text("last_final_at")?,
            })
        })
        .collect()
}

/// When the last `final` run of a job ended, as in [`straggling`].
pub async fn last_final_at(conn: &mut Conn, job: JobId, believed: &str) -> Result<Option<String>> {
    let text = format!("SELECT {LAST_FINAL_AT} FROM migration_jobs j WHERE j.id = $2");
    let last: Option<Option<String>> =
        sqlx::query_scalar(AssertSqlSafe(text)).bind(believed).bind(job.0).fetch_optional(conn).await?;
    Ok(last.flatten())
}

/// Jobs that are about to be cut over and whose DNS was not read yet: at most so many.
pub async fn unread(conn: &mut Conn, most: i64) -> Result<Vec<JobId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT j.id FROM migration_jobs j
         WHERE j.phase IN ('delta_sync', 'cutover_ready') AND j.dns_cutover_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM migration_dns_snapshots s WHERE s.job_id = j.id)
         ORDER BY j.id LIMIT $1",
    )
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Jobs whose gate stands open before their cutover, above an id: at most so many, by ascending id.
pub async fn open_gates(conn: &mut Conn, after: JobId, most: i64) -> Result<Vec<JobId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM migration_jobs
         WHERE id > $1 AND migration_gate = 'ready_for_dns' AND phase <> 'closed' AND dns_cutover_at IS NULL
         ORDER BY id LIMIT $2",
    )
    .bind(after.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// When a message of a job's sources was last seen for the first time, those included that were deleted there since.
pub async fn newest_seen(conn: &mut Conn, job: JobId) -> Result<Option<String>> {
    let kept: Option<Option<String>> = sqlx::query_scalar("SELECT last_new_at FROM migration_jobs WHERE id = $1")
        .bind(job.0)
        .fetch_optional(&mut *conn)
        .await?;
    Ok(newest_held(conn, job).await?.max(kept.flatten()))
}

/// Keeps when the newest message was seen, before it may be deleted at the source: the clock never goes back.
pub async fn note_newest(conn: &mut Conn, job: JobId) -> Result<()> {
    let Some(newest) = newest_held(conn, job).await? else { return Ok(()) };
    sqlx::query(
        "UPDATE migration_jobs SET last_new_at = $2 WHERE id = $1 AND (last_new_at IS NULL OR last_new_at < $2)",
    )
    .bind(job.0)
    .bind(newest)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes `now` in place of the times after `believed` at which messages of a job were seen: a clock that was ahead wrote
/// them.
pub async fn settle_newest(conn: &mut Conn, job: JobId, believed: &str, now: &str) -> Result<()> {
    if newest_seen(conn, job).await?.is_none_or(|newest| newest.as_str() <= believed) {
        return Ok(());
    }
    for text in [
        "UPDATE migration_messages SET first_seen_at = $3 WHERE first_seen_at > $2 AND folder_id IN (
             SELECT f.id FROM migration_folders f JOIN migration_mailboxes b ON b.id = f.mailbox_id WHERE b.job_id = $1)",
        "UPDATE migration_jobs SET last_new_at = $3 WHERE last_new_at > $2 AND id = $1",
    ] {
        sqlx::query(text).bind(job.0).bind(believed).bind(now).execute(&mut *conn).await?;
    }
    Ok(())
}

/// The same of the messages that the ledger holds. UIDs only grow, so each folder's largest tells. Nobody brings mail to
/// a file: one that is uploaded after the cutover is no straggler.
async fn newest_held(conn: &mut Conn, job: JobId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "SELECT max(m.first_seen_at) FROM migration_mailboxes b
         JOIN migration_folders f ON f.mailbox_id = b.id
         JOIN migration_messages m ON m.folder_id = f.id
             AND m.uid = (SELECT max(n.uid) FROM migration_messages n WHERE n.folder_id = f.id)
         WHERE b.job_id = $1 AND b.source_type NOT IN ('pst', 'mbox', 'eml', 'tgz')",
    )
    .bind(job.0)
    .fetch_one(conn)
    .await?)
}

/// When the word came that the MX was changed.
pub async fn told_at(conn: &mut Conn, job: JobId) -> Result<Option<String>> {
    let told: Option<Option<String>> =
        sqlx::query_scalar("SELECT dns_cutover_told_at FROM migration_jobs WHERE id = $1")
            .bind(job.0)
            .fetch_optional(conn)
            .await?;
    Ok(told.flatten())
}

/// What `final` runs since the cutover brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Messages copied, of the newest thousand runs.
    pub messages: i64,
    /// When the last of them ended.
    pub last_run_at: Option<String>,
}

/// The sum over a job's `final` runs that were asked for since a moment.
pub async fn fetched(conn: &mut Conn, job: JobId, since: &str) -> Result<Fetched> {
    let rows = sqlx::query(
        "SELECT finished_at, stats_json FROM migration_runs
         WHERE job_id = $1 AND run_type = $2 AND queued_at >= $3 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT $4",
    )
    .bind(job.0)
    .bind(RunType::Final.as_str())
    .bind(since)
    .bind(RUNS)
    .fetch_all(conn)
    .await?;
    let mut fetched = Fetched::default();
    for row in &rows {
        let stats: serde_json::Value = row.json("stats_json")?;
        fetched.messages += stats.get("transferred").and_then(serde_json::Value::as_i64).unwrap_or(0);
        fetched.last_run_at = fetched.last_run_at.max(row.maybe_text("finished_at")?);
    }
    Ok(fetched)
}
