//! `migration_waves`, and who is in them. A mailbox is in its own wave, else in its job's.

pub mod progress;

use crate::{
    Conn, Error, Result,
    dialect::Dialect,
    read::Columns,
    sql::{Sql, changed},
};
use gatepost_contract::{JobId, MailboxId, Wave, WaveId, WaveRef};
use sqlx::{AssertSqlSafe, Row, any::AnyRow};

/// What a person says of a wave; all of it is written.
#[derive(Clone, Debug)]
pub struct WaveRow {
    /// Its name.
    pub name: String,
    /// Free text.
    pub notes: String,
    /// Its place.
    pub position: i64,
    /// So many of its mailboxes are worked on at once at most.
    pub mailboxes_at_once: Option<i64>,
    /// So many bytes in a second at most.
    pub bytes_per_second: Option<i64>,
}

/// What handing out runs has to know of a wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which.
    pub id: WaveId,
    /// Its name.
    pub name: String,
    /// So many of its mailboxes are worked on at once at most.
    pub mailboxes_at_once: Option<i64>,
    /// How many are at the moment.
    pub running: i64,
}

impl Limit {
    /// Whether no other run of it may begin.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.mailboxes_at_once.is_some_and(|most| self.running >= most)
    }
}

const SELECT: &str = "SELECT w.*,
    (SELECT count(*) FROM migration_jobs j WHERE j.wave_id = w.id) AS jobs,
    (SELECT count(*) FROM migration_mailboxes m WHERE m.wave_id = w.id)
        + (SELECT count(*) FROM migration_jobs j JOIN migration_mailboxes m ON m.job_id = j.id
            WHERE j.wave_id = w.id AND m.wave_id IS NULL) AS mailboxes
    FROM migration_waves w";

/// A new one. [`Error::Exists`] where another has the name.
pub async fn insert(conn: &mut Conn, new: &WaveRow, created_by: &str, now: &str) -> Result<WaveId> {
    let id = sqlx::query_scalar(
        "INSERT INTO migration_waves
             (name, notes, position, mailboxes_at_once, bytes_per_second, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
    )
    .bind(new.name.as_str())
    .bind(new.notes.as_str())
    .bind(new.position)
    .bind(new.mailboxes_at_once)
    .bind(new.bytes_per_second)
    .bind(created_by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "wave" }, "wave"))?;
    Ok(WaveId(id))
}

/// Writes what a person says of it.
pub async fn update(conn: &mut Conn, id: WaveId, row: &WaveRow, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_waves SET name = $2, notes = $3, position = $4, mailboxes_at_once = $5,
             bytes_per_second = $6, updated_at = $7 WHERE id = $1",
    )
    .bind(id.0)
    .bind(row.name.as_str())
    .bind(row.notes.as_str())
    .bind(row.position)
    .bind(row.mailboxes_at_once)
    .bind(row.bytes_per_second)
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "wave" }, "wave"))?;
    changed(&result, "wave")
}

/// Removes it; who was in it is in none.
pub async fn delete(conn: &mut Conn, id: WaveId) -> Result<()> {
    let result = sqlx::query("DELETE FROM migration_waves WHERE id = $1").bind(id.0).execute(&mut *conn).await?;
    changed(&result, "wave")?;
    refresh_runs(conn).await
}

/// One of them, without its schedule and its pause.
pub async fn get(conn: &mut Conn, id: WaveId) -> Result<Option<Wave>> {
    let mut sql = Sql::new(SELECT);
    sql.push(" WHERE w.id = ").bind(id.0)?;
    let row = sql.query().fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// The one of this name, in any case of letters.
pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<WaveId>> {
    let id: Option<i64> = sqlx::query_scalar("SELECT id FROM migration_waves WHERE lower(name) = lower($1)")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(id.map(WaveId))
}

/// All of them in their order, without schedules and pauses.
pub async fn list(conn: &mut Conn) -> Result<Vec<Wave>> {
    let mut sql = Sql::new(SELECT);
    sql.push(" ORDER BY w.position, w.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// The place behind the last.
pub async fn next_position(conn: &mut Conn) -> Result<i64> {
    let last: i64 = sqlx::query("SELECT CAST(coalesce(max(position), 0) AS BIGINT) FROM migration_waves")
        .fetch_one(conn)
        .await?
        .try_get(0)?;
    Ok(last.saturating_add(1).min(1_000_000))
}

/// The wave that a job as a whole is in.
pub async fn of_job(conn: &mut Conn, job: JobId) -> Result<Option<WaveRef>> {
    let row = sqlx::query(
        "SELECT w.id, w.name FROM migration_jobs j JOIN migration_waves w ON w.id = j.wave_id WHERE j.id = $1",
    )
    .bind(job.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(WaveRef { id: WaveId(row.integer("id")?), name: row.text("name")? })).transpose()
}

/// The wave that a mailbox is in by itself.
pub async fn of_mailbox(conn: &mut Conn, mailbox: MailboxId) -> Result<Option<WaveRef>> {
    let row = sqlx::query(
        "SELECT w.id, w.name FROM migration_mailboxes m JOIN migration_waves w ON w.id = m.wave_id WHERE m.id = $1",
    )
    .bind(mailbox.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(WaveRef { id: WaveId(row.integer("id")?), name: row.text("name")? })).transpose()
}

/// Puts jobs into a wave, or into none; [`refresh_runs`] is to follow.
pub async fn put_jobs(conn: &mut Conn, wave: Option<WaveId>, jobs: &[JobId], now: &str) -> Result<()> {
    for job in jobs {
        let result = sqlx::query("UPDATE migration_jobs SET wave_id = $2, scheduled_since = $3 WHERE id = $1")
            .bind(job.0)
            .bind(wave.map(|wave| wave.0))
            .bind(now)
            .execute(&mut *conn)
            .await?;
        changed(&result, "job")?;
    }
    Ok(())
}

/// Puts mailboxes into a wave by themselves, or into none; [`refresh_runs`] is to follow.
pub async fn put_mailboxes(conn: &mut Conn, wave: Option<WaveId>, mailboxes: &[MailboxId], now: &str) -> Result<()> {
    for mailbox in mailboxes {
        let job: Option<i64> =
            sqlx::query_scalar("UPDATE migration_mailboxes SET wave_id = $2 WHERE id = $1 RETURNING job_id")
                .bind(mailbox.0)
                .bind(wave.map(|wave| wave.0))
                .fetch_optional(&mut *conn)
                .await?;
        let job = job.ok_or(Error::Missing("mailbox"))?;
        // Its other mailboxes go on as before; what they may lose is one catching up.
        sqlx::query("UPDATE migration_jobs SET scheduled_since = $2 WHERE id = $1")
            .bind(job)
            .bind(now)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// The jobs and the single mailboxes that are in a wave.
pub async fn members(conn: &mut Conn, id: WaveId) -> Result<(Vec<JobId>, Vec<(JobId, MailboxId)>)> {
    let jobs: Vec<i64> = sqlx::query_scalar("SELECT id FROM migration_jobs WHERE wave_id = $1 ORDER BY id")
        .bind(id.0)
        .fetch_all(&mut *conn)
        .await?;
    let rows = sqlx::query("SELECT job_id, id FROM migration_mailboxes WHERE wave_id = $1 ORDER BY job_id, id")
        .bind(id.0)
        .fetch_all(conn)
        .await?;
    let single = rows.iter().map(|row| Ok((JobId(row.integer("job_id")?), MailboxId(row.integer("id")?))));
    Ok((jobs.into_iter().map(JobId).collect(), single.collect::<Result<_>>()?))
}

/// How many jobs are in a wave, as a whole or with single mailboxes.
pub async fn jobs_in(conn: &mut Conn, id: WaveId) -> Result<i64> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT id FROM migration_jobs WHERE wave_id = $1
             UNION SELECT job_id FROM migration_mailboxes WHERE wave_id = $1) AS any_of",
    )
    .bind(id.0)
    .fetch_one(conn)
    .await?;
    Ok(count)
}

/// Every mailbox of a wave with its job, by job: those of its jobs that are in no other wave, and the single ones.
pub async fn mailboxes(conn: &mut Conn, id: WaveId) -> Result<Vec<(JobId, MailboxId)>> {
    let rows = sqlx::query(
        "SELECT m.job_id, m.id FROM migration_mailboxes m JOIN migration_jobs j ON j.id = m.job_id
         WHERE m.wave_id = $1 OR m.wave_id IS NULL AND j.wave_id = $1 ORDER BY m.job_id, m.id",
    )
    .bind(id.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((JobId(row.integer("job_id")?), MailboxId(row.integer("id")?)))).collect()
}

/// Writes the wave of every run that is queued or running anew, after somebody has joined or left one.
pub async fn refresh_runs(conn: &mut Conn) -> Result<()> {
    sqlx::query(
        "UPDATE migration_runs SET wave_id = (SELECT coalesce(m.wave_id, j.wave_id) FROM migration_jobs j
             LEFT JOIN migration_mailboxes m ON m.id = migration_runs.mailbox_id WHERE j.id = migration_runs.job_id)
         WHERE status IN ('queued', 'running')",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The same for the runs of one mailbox.
pub async fn refresh_runs_of(conn: &mut Conn, mailbox: MailboxId) -> Result<()> {
    sqlx::query(
        "UPDATE migration_runs SET wave_id = (SELECT coalesce(m.wave_id, j.wave_id) FROM migration_mailboxes m
             JOIN migration_jobs j ON j.id = m.job_id WHERE m.id = $1)
         WHERE mailbox_id = $1 AND status IN ('queued', 'running')",
    )
    .bind(mailbox.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// The waves with what limits them. With `lock`, nobody else reads them so until the transaction ends: two workers must
/// not both take the last free place.
pub async fn limits(conn: &mut Conn, now_seconds: i64, lock: bool) -> Result<Vec<Limit>> {
    let locking = Dialect::of(conn).lock_rows();
    if lock && !locking.is_empty() {
        // By itself: a statement that waits for a lock counts as of before it waited, the next one as of after.
        let text = format!("SELECT id FROM migration_waves ORDER BY id{locking}");
        sqlx::query(AssertSqlSafe(text)).fetch_all(&mut *conn).await?;
    }
    let rows = sqlx::query(
        "SELECT w.id, w.name, w.mailboxes_at_once,
             (SELECT count(*) FROM migration_runs r WHERE r.wave_id = w.id AND r.status = 'running'
                 AND r.lease_until > $1) AS running
         FROM migration_waves w ORDER BY w.id",
    )
    .bind(now_seconds)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Limit {
                id: WaveId(row.integer("id")?),
                name: row.text("name")?,
                mailboxes_at_once: row.maybe_integer("mailboxes_at_once")?,
                running: row.integer("running")?,
            })
        })
        .collect()
}

/// How fast the wave of a run may be, where that is limited: which wave, bytes in a second, and among how many processes
/// that is shared.
pub async fn speed_limit(conn: &mut Conn, run: gatepost_contract::RunId) -> Result<Option<(WaveId, i64, i64)>> {
    let row = sqlx::query(
        "SELECT w.id, w.bytes_per_second,
             (SELECT count(DISTINCT o.worker) FROM migration_runs o WHERE o.wave_id = w.id AND o.status = 'running')
                 AS workers
         FROM migration_runs r JOIN migration_waves w ON w.id = r.wave_id
         WHERE r.id = $1 AND w.bytes_per_second IS NOT NULL",
    )
    .bind(run.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((WaveId(row.integer("id")?), row.integer("bytes_per_second")?, row.integer("workers")?)))
        .transpose()
}

fn read(row: &AnyRow) -> Result<Wave> {
    Ok(Wave {
        id: WaveId(row.integer("id")?),
        name: row.text("name")?,
        notes: row.text("notes")?,
        position: row.integer("position")?,
        mailboxes_at_once: row.maybe_integer("mailboxes_at_once")?,
        bytes_per_second: row.maybe_integer("bytes_per_second")?,
        jobs: row.integer("jobs")?,
        mailboxes: row.integer("mailboxes")?,
        schedule: None,
        pause: None,
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
    })
}
