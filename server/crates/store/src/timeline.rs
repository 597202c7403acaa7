//! A job's timeline: what the tables of phases, verdicts and runs and the audit log tell of it, in one order. Nothing is
//! stored for it.

use crate::{
    Conn, Result,
    read::Columns,
    sql::{Conditions, List},
};
use gatepost_contract::{EvidenceId, JobId, Page, PageQuery, RunId, TimelineEntry, TimelineFilter, TimelineKind};
use sqlx::any::AnyRow;

/// One row an event. `place` orders what happened in the same millisecond as cause and effect do: a run ends, an approval
/// is given, the verdict follows, then the phase.
macro_rules! events {
    () => {
        "(SELECT job_id, 'phase' AS kind, 4000000000000 + id AS place, at, 'job.phase' AS action, actor,
              from_phase AS was, to_phase AS became, reason AS told, CAST(NULL AS TEXT) AS subject, CAST(NULL AS BIGINT) AS run_id,
              CAST(NULL AS BIGINT) AS evidence_id
          FROM migration_phase_history
          UNION ALL
          SELECT job_id, 'gate', 3000000000000 + id, at, 'gate.change', actor, from_gate, to_gate, reason, CAST(NULL AS TEXT),
              CAST(NULL AS BIGINT), evidence_id
          FROM migration_gate_history
          UNION ALL
          SELECT r.job_id, 'run', r.id, r.started_at, r.run_type, coalesce(u.email, r.triggered_by),
              CAST(NULL AS TEXT), 'running', CAST(NULL AS TEXT), b.email, r.id, CAST(NULL AS BIGINT)
          FROM migration_runs r LEFT JOIN migration_mailboxes b ON b.id = r.mailbox_id
              LEFT JOIN users u ON u.id = CASE WHEN substr(r.triggered_by, 1, 1) BETWEEN '0' AND '9'
                  THEN CAST(r.triggered_by AS BIGINT) END
          WHERE r.started_at IS NOT NULL
          UNION ALL
          SELECT r.job_id, 'run', 1000000000000 + r.id, r.finished_at, r.run_type, coalesce(u.email, r.triggered_by), 'running',
              r.status, r.summary, b.email, r.id, (SELECT max(e.id) FROM migration_evidence e WHERE e.run_id = r.id
                  AND e.mailbox_id = r.mailbox_id AND e.replaces IS NULL)
          FROM migration_runs r LEFT JOIN migration_mailboxes b ON b.id = r.mailbox_id
              LEFT JOIN users u ON u.id = CASE WHEN substr(r.triggered_by, 1, 1) BETWEEN '0' AND '9'
                  THEN CAST(r.triggered_by AS BIGINT) END
          WHERE r.finished_at IS NOT NULL
          UNION ALL
          SELECT job_id,
              CASE WHEN action LIKE 'gate.%' THEN 'approval' WHEN action LIKE 'dns.%' THEN 'dns'
                  WHEN action LIKE 'report.%' OR action LIKE 'link.%' THEN 'report' ELSE 'waiver' END,
              2000000000000 + id, at, action, actor, CAST(NULL AS TEXT), CAST(NULL AS TEXT), coalesce(reason, after),
              CASE WHEN subject LIKE 'job/%' THEN CAST(NULL AS TEXT) ELSE subject END, CAST(NULL AS BIGINT),
              CAST(NULL AS BIGINT)
          FROM audit_log
          WHERE (action LIKE 'gate.%' AND action <> 'gate.change') OR action LIKE 'dns.%' OR action LIKE 'report.%'
              OR action LIKE 'link.%' OR action LIKE 'message.waive%' OR action LIKE 'messages.waive%'
              OR action LIKE 'waiver%') AS t"
    };
}

pub(crate) const LIST: List = List {
    select: "SELECT t.*",
    from: events!(),
    count_from: events!(),
    sorts: &[("at", "t.at")],
    usual: "-at",
    id: "t.place",
};

/// The events of a job, in pages, newest first unless asked otherwise.
pub async fn list(
    conn: &mut Conn,
    job: JobId,
    filter: &TimelineFilter,
    page: &PageQuery,
) -> Result<Page<TimelineEntry>> {
    LIST.page(conn, &conditions(job, filter), page, read).await
}

pub(crate) fn conditions(job: JobId, filter: &TimelineFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.integer("t.job_id = ?", Some(job.0));
    wanted.text("t.kind = ?", filter.kind.map(TimelineKind::as_str));
    wanted
}

fn read(row: &AnyRow) -> Result<TimelineEntry> {
    Ok(TimelineEntry {
        at: row.text("at")?,
        kind: row.name("kind")?,
        action: row.text("action")?,
        actor: row.text("actor")?,
        from: row.maybe_text("was")?,
        to: row.maybe_text("became")?,
        text: row.maybe_text("told")?,
        subject: row.maybe_text("subject")?,
        run_id: row.maybe_integer("run_id")?.map(RunId),
        evidence_id: row.maybe_integer("evidence_id")?.map(EvidenceId),
    })
}
