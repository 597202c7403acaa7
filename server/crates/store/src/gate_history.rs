//! `migration_gate_history`: every change of a job's verdict, with the checks as they were. Rows are added, never
//! changed.

use crate::{Conn, Error, Result, read::Columns, sql::clean};
use gatepost_contract::{Gate, GateChange, JobId};

/// Notes a change. Call it within the transaction of the change.
pub async fn add(conn: &mut Conn, job: JobId, change: &GateChange) -> Result<()> {
    let checks = serde_json::to_string(&change.checks)
        .map_err(|e| Error::Corrupt { column: "checks_json", reason: e.to_string() })?;
    sqlx::query(
        "INSERT INTO migration_gate_history (job_id, at, from_gate, to_gate, reason, evidence_id, checks_json, actor)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(job.0)
    .bind(change.at.as_str())
    .bind(change.from.as_str())
    .bind(change.to.as_str())
    .bind(clean(&change.reason))
    .bind(change.evidence_id.map(|e| e.0))
    .bind(clean(&checks))
    .bind(change.actor.as_str())
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "gate change" }, "job"))?;
    Ok(())
}

/// When the gate last opened; none where it never did.
pub async fn opened_at(conn: &mut Conn, job: JobId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(
        "SELECT at FROM migration_gate_history WHERE job_id = $1 AND to_gate = $2 AND from_gate <> $2
         ORDER BY id DESC LIMIT 1",
    )
    .bind(job.0)
    .bind(Gate::ReadyForDns.as_str())
    .fetch_optional(conn)
    .await?)
}

/// All of a job, oldest first.
pub async fn list(conn: &mut Conn, job: JobId) -> Result<Vec<GateChange>> {
    let rows = sqlx::query("SELECT * FROM migration_gate_history WHERE job_id = $1 ORDER BY id")
        .bind(job.0)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(GateChange {
                at: row.text("at")?,
                from: row.name("from_gate")?,
                to: row.name("to_gate")?,
                reason: row.text("reason")?,
                evidence_id: row.maybe_integer("evidence_id")?.map(gatepost_contract::EvidenceId),
                checks: row.json("checks_json")?,
                actor: row.text("actor")?,
            })
        })
        .collect()
}
