//! `migration_phase_history`: every change of a job's phase.

use crate::{Conn, Error, Result, read::Columns};
use gatepost_contract::{JobId, Phase, PhaseChange};

/// Notes a change. Call it within the transaction of the change.
pub async fn add(
    conn: &mut Conn,
    job: JobId,
    from: Phase,
    to: Phase,
    actor: &str,
    reason: &str,
    now: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO migration_phase_history (job_id, from_phase, to_phase, at, actor, reason)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(job.0)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(now)
    .bind(actor)
    .bind(reason)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "phase change" }, "job"))?;
    Ok(())
}

/// All of a job, oldest first.
pub async fn list(conn: &mut Conn, job: JobId) -> Result<Vec<PhaseChange>> {
    let rows = sqlx::query("SELECT * FROM migration_phase_history WHERE job_id = $1 ORDER BY id")
        .bind(job.0)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(PhaseChange {
                from: row.name("from_phase")?,
                to: row.name("to_phase")?,
                at: row.text("at")?,
                actor: row.text("actor")?,
                reason: row.text("reason")?,
            })
        })
        .collect()
}
