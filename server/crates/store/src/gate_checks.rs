//! `migration_gate_checks`: the present result of each check of a job.

use crate::{Conn, Error, Result, read::Columns};
use gatepost_contract::{Check, CheckId, JobId};

/// Stores these results over the former ones.
pub async fn put(conn: &mut Conn, job: JobId, checks: &[Check]) -> Result<()> {
    for check in checks {
        sqlx::query(
            "INSERT INTO migration_gate_checks (job_id, check_id, status, message, checked_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (job_id, check_id) DO UPDATE
             SET status = excluded.status, message = excluded.message, checked_at = excluded.checked_at",
        )
        .bind(job.0)
        .bind(check.check_id.as_str())
        .bind(check.status.as_str())
        .bind(check.message.as_str())
        .bind(check.checked_at.as_str())
        .execute(&mut *conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "check" }, "job"))?;
    }
    Ok(())
}

/// The results of a job, in the order of the data model.
pub async fn list(conn: &mut Conn, job: JobId) -> Result<Vec<Check>> {
    let rows = sqlx::query("SELECT * FROM migration_gate_checks WHERE job_id = $1").bind(job.0).fetch_all(conn).await?;
    let mut checks = rows
        .iter()
        .map(|row| {
            Ok(Check {
                check_id: row.name::<CheckId>("check_id")?,
                status: row.name("status")?,
                message: row.text("message")?,
                checked_at: row.text("checked_at")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    checks.sort_by_key(|check| check.check_id);
    Ok(checks)
}
