//! Which logs of runs are needed no longer, and that they were removed. Where they lie is not known here.

use crate::{Conn, Result, read::Columns, sql::Sql};
use gatepost_contract::RunId;

/// So many of a mailbox's newest deltas keep their logs, whatever became of them.
pub const NEWEST_KEPT: i64 = 20;

/// Those of these runs whose logs are needed no longer; the flag tells that they were removed before. They ended before
/// this moment, and no evidence and no upload that is still there names them. They are of a job that was closed before
/// that moment, and left nothing over that is residue still; or a schedule started them, they left everything as it was,
/// a newer verification has read the mailbox, and [`NEWEST_KEPT`] newer deltas of it have run.
pub async fn disposable(conn: &mut Conn, runs: &[RunId], before: &str) -> Result<Vec<(RunId, bool)>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let rows = statement(runs, before)?.query_once().fetch_all(conn).await?;
    rows.iter().map(|row| Ok((RunId(row.integer("id")?), row.maybe_text("log_removed_at")?.is_some()))).collect()
}

pub(crate) fn statement(runs: &[RunId], before: &str) -> Result<Sql> {
    // `coalesce` keeps SQLite from looking for the runs among all that have ended.
    let mut sql = Sql::new(
        "SELECT r.id, r.log_removed_at FROM migration_runs r JOIN migration_jobs j ON j.id = r.job_id
         WHERE coalesce(r.status, '') IN ('success', 'partial', 'failed') AND r.finished_at < ",
    );
    sql.bind(before.to_owned())?;
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM migration_evidence e WHERE e.mailbox_id = r.mailbox_id AND e.run_id = r.id)
         AND NOT EXISTS (SELECT 1 FROM migration_uploads u WHERE u.mailbox_id = r.mailbox_id AND u.run_id = r.id
             AND u.state <> 'deleted')
         AND (j.phase = 'closed' AND coalesce((SELECT max(h.at) FROM migration_phase_history h
                 WHERE h.job_id = j.id AND h.to_phase = 'closed'), j.updated_at) < ",
    );
    sql.bind(before.to_owned())?;
    sql.push(
        " AND NOT (r.status <> 'success' AND EXISTS (SELECT 1 FROM migration_folders f
                 JOIN migration_messages m ON m.folder_id = f.id WHERE f.mailbox_id = r.mailbox_id
                 AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)))
             OR j.phase <> 'closed' AND r.run_type = 'delta' AND r.triggered_by = 'worker' AND r.idle = 1
             AND EXISTS (SELECT 1 FROM migration_evidence e WHERE e.mailbox_id = r.mailbox_id AND e.run_id > r.id)
             AND EXISTS (SELECT 1 FROM migration_runs n WHERE n.mailbox_id = r.mailbox_id AND n.run_type = 'delta'
                 AND n.id > r.id ORDER BY n.id LIMIT 1 OFFSET ",
    );
    sql.bind(NEWEST_KEPT - 1)?;
    sql.push(")) AND r.id IN (").bind_list(runs.iter().map(|run| run.0))?;
    sql.push(") ORDER BY r.id");
    Ok(sql)
}

/// The logs of these runs are removed now. Gives those of which that was not said before.
pub async fn set_removed(conn: &mut Conn, runs: &[RunId], now: &str) -> Result<Vec<RunId>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("UPDATE migration_runs SET log_removed_at = ");
    sql.bind(now.to_owned())?;
    sql.push(" WHERE log_removed_at IS NULL AND id IN (").bind_list(runs.iter().map(|run| run.0))?;
    sql.push(") RETURNING id");
    let rows = sql.query_once().fetch_all(conn).await?;
    let mut ids = rows.iter().map(|row| Ok(RunId(row.integer("id")?))).collect::<Result<Vec<_>>>()?;
    ids.sort_unstable();
    Ok(ids)
}
