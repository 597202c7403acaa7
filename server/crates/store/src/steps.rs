//! `migration_run_steps`: the parts of a run, in order.

use crate::{Conn, Error, Result, read::Columns, sql::clean};
use gatepost_contract::{RunId, RunStatus, Step, StepId};

/// A step as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct NewStep {
    /// Its place in the run, from 1.
    pub position: i64,
    /// What it is: `login`, `plan`, or `folder`.
    pub kind: String,
    /// A folder's path, or what else the step is about.
    pub name: String,
    /// How it stands.
    pub status: RunStatus,
    /// Messages done.
    pub done: i64,
    /// Messages to do.
    pub total: i64,
    /// Bytes done.
    pub bytes_done: i64,
    /// Bytes to do.
    pub bytes_total: i64,
    /// Why it failed, or what is worth knowing.
    pub note: Option<String>,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// Stores a step, over the one that stood at its position.
pub async fn put(conn: &mut Conn, run: RunId, step: &NewStep) -> Result<()> {
    sqlx::query(
        "INSERT INTO migration_run_steps (run_id, position, kind, name, status, done, total, bytes_done, bytes_total,
             note, started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (run_id, position) DO UPDATE SET kind = excluded.kind, name = excluded.name,
             status = excluded.status, done = excluded.done, total = excluded.total, bytes_done = excluded.bytes_done,
             bytes_total = excluded.bytes_total, note = excluded.note, started_at = excluded.started_at,
             finished_at = excluded.finished_at",
    )
    .bind(run.0)
    .bind(step.position)
    .bind(step.kind.as_str())
    .bind(clean(&step.name))
    .bind(step.status.as_str())
    .bind(step.done)
    .bind(step.total)
    .bind(step.bytes_done)
    .bind(step.bytes_total)
    .bind(step.note.as_deref().map(clean))
    .bind(step.started_at.as_deref())
    .bind(step.finished_at.as_deref())
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "step" }, "run"))?;
    Ok(())
}

/// All of a run, in order.
pub async fn list(conn: &mut Conn, run: RunId) -> Result<Vec<Step>> {
    let rows = sqlx::query("SELECT * FROM migration_run_steps WHERE run_id = $1 ORDER BY position")
        .bind(run.0)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Step {
                id: StepId(row.integer("id")?),
                position: row.integer("position")?,
                kind: row.text("kind")?,
                name: row.text("name")?,
                status: row.name("status")?,
                done: row.integer("done")?,
                total: row.integer("total")?,
                bytes_done: row.integer("bytes_done")?,
                bytes_total: row.integer("bytes_total")?,
                note: row.maybe_text("note")?,
                started_at: row.maybe_text("started_at")?,
                finished_at: row.maybe_text("finished_at")?,
            })
        })
        .collect()
}

/// Forgets those of an earlier attempt.
pub async fn clear(conn: &mut Conn, run: RunId) -> Result<()> {
    sqlx::query("DELETE FROM migration_run_steps WHERE run_id = $1").bind(run.0).execute(conn).await?;
    Ok(())
}

/// Ends every step that has not ended, with the run.
pub async fn end_open(conn: &mut Conn, run: RunId, status: RunStatus, now: &str) -> Result<()> {
    sqlx::query(
        "UPDATE migration_run_steps SET status = $2, finished_at = $3
         WHERE run_id = $1 AND status IN ('queued', 'running')",
    )
    .bind(run.0)
    .bind(status.as_str())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
