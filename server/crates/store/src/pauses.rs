//! `migration_pauses`: what rests, and which runs that holds back.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Sql, clean},
};
use gatepost_contract::{JobId, Pause, PauseId, PauseScope, RunId, WaveId};
use sqlx::{Row, any::AnyRow};

/// That the pause `p` holds the run `r` back. What reads a file through asks no host.
pub(crate) const HOLDS: &str = "(p.scope = 'everything' OR p.job_id = r.job_id OR p.wave_id = r.wave_id
    OR p.host IS NOT NULL AND r.run_type <> 'pst_extract' AND (
        EXISTS (SELECT 1 FROM migration_jobs pj WHERE pj.id = r.job_id AND lower(pj.dest_imap_host) = p.host)
        OR EXISTS (SELECT 1 FROM migration_mailboxes pm WHERE pm.id = r.mailbox_id AND lower(pm.source_host) = p.host)))";

/// A pause to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewPauseRow<'a> {
    /// What rests.
    pub scope: PauseScope,
    /// The job, for that scope.
    pub job_id: Option<JobId>,
    /// The wave, for that scope.
    pub wave_id: Option<WaveId>,
    /// The host in lower case, for that scope.
    pub host: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// Who.
    pub paused_by: &'a str,
}

const SELECT: &str = "SELECT p.*, j.domain AS job_domain, w.name AS wave_name,
    (SELECT count(*) FROM migration_runs r WHERE r.status IN ('queued', 'running') AND ";
const FROM: &str = ") AS held FROM migration_pauses p LEFT JOIN migration_jobs j ON j.id = p.job_id
    LEFT JOIN migration_waves w ON w.id = p.wave_id";

fn select() -> Sql {
    let mut sql = Sql::new(SELECT);
    sql.push(HOLDS).push(FROM);
    sql
}

/// A new one. [`Error::Exists`] where the same rests already.
pub async fn insert(conn: &mut Conn, new: &NewPauseRow<'_>, now: &str) -> Result<PauseId> {
    let id = sqlx::query_scalar(
        "INSERT INTO migration_pauses (scope, job_id, wave_id, host, reason, paused_by, paused_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(new.scope.as_str())
    .bind(new.job_id.map(|job| job.0))
    .bind(new.wave_id.map(|wave| wave.0))
    .bind(new.host)
    .bind(clean(new.reason))
    .bind(new.paused_by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "pause" }, "job or wave"))?;
    Ok(PauseId(id))
}

/// All of them, the widest first.
pub async fn list(conn: &mut Conn) -> Result<Vec<Pause>> {
    let mut sql = select();
    sql.push(" ORDER BY CASE p.scope WHEN 'everything' THEN 0 WHEN 'host' THEN 1 WHEN 'wave' THEN 2 ELSE 3 END, p.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// One of them.
pub async fn get(conn: &mut Conn, id: PauseId) -> Result<Option<Pause>> {
    let mut sql = select();
    sql.push(" WHERE p.id = ").bind(id.0)?;
    let row = sql.query().fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// Ends one; false where it had ended.
pub async fn delete(conn: &mut Conn, id: PauseId) -> Result<bool> {
    let result = sqlx::query("DELETE FROM migration_pauses WHERE id = $1").bind(id.0).execute(conn).await?;
    Ok(result.rows_affected() > 0)
}

/// Whether there is any: cheap, for the many times at which there is none.
pub async fn any(conn: &mut Conn) -> Result<bool> {
    Ok(sqlx::query("SELECT id FROM migration_pauses LIMIT 1").fetch_optional(conn).await?.is_some())
}

/// The pause that holds a run back, the widest where there are several.
pub async fn holding(conn: &mut Conn, run: RunId) -> Result<Option<PauseId>> {
    let mut sql = Sql::new("SELECT min(p.id) FROM migration_pauses p JOIN migration_runs r ON ");
    sql.push(HOLDS).push(" WHERE r.id = ").bind(run.0)?;
    let id: Option<i64> = sql.query().fetch_one(conn).await?.try_get(0)?;
    Ok(id.map(PauseId))
}

/// Which of these runs are held back, and by what.
pub async fn held(conn: &mut Conn, runs: &[RunId]) -> Result<Vec<(RunId, PauseId)>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("SELECT r.id, min(p.id) FROM migration_pauses p JOIN migration_runs r ON ");
    sql.push(HOLDS).push(" WHERE r.id IN (").bind_list(runs.iter().map(|run| run.0))?;
    sql.push(") GROUP BY r.id");
    let rows = sql.query_once().fetch_all(conn).await?;
    rows.iter().map(|row| Ok((RunId(row.try_get(0)?), PauseId(row.try_get(1)?)))).collect()
}

/// The pauses that concern a job: everything's, its own, its wave's, those of the waves of single mailboxes of it, and
/// those of hosts that it works with.
pub async fn of_job(conn: &mut Conn, job: JobId) -> Result<Vec<Pause>> {
    let mut sql = select();
    sql.push(" WHERE p.scope = 'everything' OR p.job_id = ").bind(job.0)?;
    sql.push(" OR p.wave_id IN (SELECT x.wave_id FROM migration_jobs x WHERE x.id = ").bind(job.0)?;
    sql.push(") OR p.wave_id IN (SELECT x.wave_id FROM migration_mailboxes x WHERE x.job_id = ").bind(job.0)?;
    sql.push(") OR p.host IN (SELECT lower(x.dest_imap_host) FROM migration_jobs x WHERE x.id = ").bind(job.0)?;
    sql.push(") OR p.host IN (SELECT lower(x.source_host) FROM migration_mailboxes x WHERE x.job_id = ").bind(job.0)?;
    sql.push(") ORDER BY p.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Pause> {
    let host = row.maybe_text("host")?;
    let subject = match row.maybe_text("job_domain")? {
        Some(domain) => domain,
        None => row.maybe_text("wave_name")?.or_else(|| host.clone()).unwrap_or_default(),
    };
    Ok(Pause {
        id: PauseId(row.integer("id")?),
        scope: row.name("scope")?,
        job_id: row.maybe_integer("job_id")?.map(JobId),
        wave_id: row.maybe_integer("wave_id")?.map(WaveId),
        host,
        subject,
        reason: row.text("reason")?,
        paused_by: row.text("paused_by")?,
        paused_at: row.text("paused_at")?,
        runs: row.integer("held")?,
    })
}
