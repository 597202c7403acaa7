//! What a report is made of and no other table's file gives, and `migration_reports`: which reports were made.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{int, like},
};
use gatepost_contract::{
    CauseKind, EvidenceId, Fidelity, FolderId, JobId, MailboxId, MessageState, RunStatus, RunType, Tool,
};
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, HashMap};

/// A message that has not arrived as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidueRow {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The folder at the source.
    pub folder: String,
    /// The UID there.
    pub uid: i64,
    /// Where it stands.
    pub state: MessageState,
    /// How its copy compares.
    pub fidelity: Option<Fidelity>,
    /// Why, for programs.
    pub cause_kind: Option<CauseKind>,
    /// Why, for people.
    pub cause: Option<String>,
    /// INTERNALDATE.
    pub internal_date: String,
    /// Its sender.
    pub from: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its Message-Id.
    pub message_id: Option<String>,
    /// Bytes.
    pub size: i64,
    /// When it was first listed.
    pub first_seen_at: String,
}

/// Messages of one state and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseRow {
    /// Where they stand.
    pub state: MessageState,
    /// Why.
    pub cause_kind: Option<CauseKind>,
    /// How many.
    pub messages: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// Waivers given at one time in one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverSum {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
    /// How many messages.
    pub messages: i64,
    /// How many of them are covered no more.
    pub expired: i64,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its number.
    pub id: i64,
    /// The mailbox.
    pub mailbox: Option<MailboxId>,
    /// What it did.
    pub run_type: RunType,
    /// With what.
    pub tool: Tool,
    /// How it ended.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// What it was asked.
    pub params: BTreeMap<String, serde_json::Value>,
    /// Its figures.
    pub stats: BTreeMap<String, serde_json::Value>,
}

/// A report that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// When.
    pub generated_at: String,
    /// `full` or `customer`.
    pub edition: String,
    /// The evidence that it shows.
    pub evidence_id: Option<EvidenceId>,
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// The signature file, as JSON.
    pub signature: String,
    /// By whom.
    pub made_by: String,
    /// When it was attached to the ticket.
    pub attached_at: Option<String>,
    /// Whether Gatepost attached it by itself.
    pub automatic: bool,
}

/// As idx_migration_messages_residue has it.
macro_rules! residue {
    () => {
        " FROM migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
              JOIN migration_messages m ON m.folder_id = f.id
          WHERE b.job_id = $1 AND f.gone_at IS NULL
              AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)"
    };
}

/// The residue of a job, by mailbox, folder and UID; at most so many messages.
pub async fn residue(conn: &mut Conn, job: JobId, most: i64) -> Result<Vec<ResidueRow>> {
    let rows = sqlx::query(concat!(
        "SELECT b.id AS mailbox, f.source_path, m.uid, m.state, m.fidelity, m.cause_kind, m.cause, m.internal_date,
             m.header_from, m.header_subject, m.message_id_header, m.size, m.first_seen_at",
        residue!(),
        " ORDER BY b.id, f.source_path, m.uid LIMIT $2"
    ))
    .bind(job.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ResidueRow {
                mailbox: MailboxId(row.integer("mailbox")?),
                folder: row.text("source_path")?,
                uid: row.integer("uid")?,
                state: row.name("state")?,
                fidelity: row.maybe_name("fidelity")?,
                cause_kind: row.maybe_name("cause_kind")?,
                cause: row.maybe_text("cause")?,
                internal_date: row.text("internal_date")?,
                from: row.maybe_text("header_from")?,
                subject: row.maybe_text("header_subject")?,
                message_id: row.maybe_text("message_id_header")?,
                size: row.integer("size")?,
                first_seen_at: row.text("first_seen_at")?,
            })
        })
        .collect()
}

/// The residue of a job by state and cause, the most frequent first.
pub async fn causes(conn: &mut Conn, job: JobId) -> Result<Vec<CauseRow>> {
    let rows = sqlx::query(concat!(
        "SELECT m.state, m.cause_kind, count(*) AS messages, CAST(sum(m.size) AS BIGINT) AS bytes",
        residue!(),
        " GROUP BY m.state, m.cause_kind ORDER BY 3 DESC, 1, 2"
    ))
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CauseRow {
                state: row.name("state")?,
                cause_kind: row.maybe_name("cause_kind")?,
                messages: row.integer("messages")?,
                bytes: row.integer("bytes")?,
            })
        })
        .collect()
}

/// The bytes that the source held in each folder of a job at its last listing.
pub async fn folder_bytes(conn: &mut Conn, job: JobId) -> Result<HashMap<FolderId, i64>> {
    let rows = sqlx::query(
        "SELECT f.id, CAST(coalesce(sum(m.size), 0) AS BIGINT) AS bytes
         FROM migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
             LEFT JOIN migration_messages m ON m.folder_id = f.id
         WHERE b.job_id = $1 GROUP BY f.id",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((FolderId(row.integer("id")?), row.integer("bytes")?))).collect()
}

/// The waivers of a job: those given at once to messages of one mailbox are one row. Oldest first.
pub async fn waivers(conn: &mut Conn, job: JobId) -> Result<Vec<WaiverSum>> {
    let rows = sqlx::query(
        "SELECT b.id AS mailbox, w.actor, w.reason, w.at, count(*) AS messages,
             CAST(sum(CASE WHEN w.expired_at IS NULL THEN 0 ELSE 1 END) AS BIGINT) AS expired
         FROM migration_waivers w JOIN migration_mailboxes b ON b.id = w.mailbox_id
         WHERE b.job_id = $1
         GROUP BY b.id, coalesce(w.batch, CAST(w.id AS TEXT)), w.actor, w.reason, w.at ORDER BY w.at, b.id",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(WaiverSum {
                mailbox: MailboxId(row.integer("mailbox")?),
                actor: row.text("actor")?,
                reason: row.text("reason")?,
                at: row.text("at")?,
                messages: row.integer("messages")?,
                expired: row.integer("expired")?,
            })
        })
        .collect()
}

/// The newest runs of a job that have ended, in the order in which they ended; at most so many.
pub async fn runs(conn: &mut Conn, job: JobId, most: i64) -> Result<Vec<RunRow>> {
    let rows = sqlx::query(
        "SELECT id, mailbox_id, run_type, tool, status, started_at, finished_at, params_json, stats_json
         FROM migration_runs WHERE job_id = $1 AND finished_at IS NOT NULL ORDER BY finished_at DESC, id DESC LIMIT $2",
    )
    .bind(job.0)
    .bind(most)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(RunRow {
                id: row.integer("id")?,
                mailbox: row.maybe_integer("mailbox_id")?.map(MailboxId),
                run_type: row.name("run_type")?,
                tool: row.name("tool")?,
                status: row.name("status")?,
                started_at: row.maybe_text("started_at")?,
                finished_at: row.maybe_text("finished_at")?,
                params: row.json("params_json")?,
                stats: row.json("stats_json")?,
            })
        })
        .collect()
}

/// Notes that a report was made. [`Error::Exists`] where Gatepost has attached one for this evidence by itself already.
pub async fn add(conn: &mut Conn, job: JobId, new: &ReportRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO migration_reports (job_id, generated_at, edition, evidence_id, digest, signature, made_by,
             attached_at, automatic)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(job.0)
    .bind(new.generated_at.as_str())
    .bind(new.edition.as_str())
    .bind(new.evidence_id.map(|e| e.0))
    .bind(new.digest.as_str())
    .bind(new.signature.as_str())
    .bind(new.made_by.as_str())
    .bind(new.attached_at.as_deref())
    .bind(int(new.automatic))
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "report" }, "job"))?;
    Ok(())
}

/// Forgets those of an edition that were only looked at and are older than the newest of them, so many; what was attached
/// stays, and so does the other edition, however often this one is looked at.
pub async fn forget(conn: &mut Conn, job: JobId, edition: &str, kept: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM migration_reports WHERE job_id = $1 AND edition = $3 AND attached_at IS NULL
             AND id NOT IN (SELECT id FROM migration_reports WHERE job_id = $1 AND edition = $3 AND attached_at IS NULL
                            ORDER BY id DESC LIMIT $2)",
    )
    .bind(job.0)
    .bind(kept)
    .bind(edition)
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest of a job and edition whose digest begins like this; an empty text finds the newest of all.
pub async fn find(conn: &mut Conn, job: JobId, edition: &str, digest: &str) -> Result<Option<ReportRow>> {
    let pattern = like(digest);
    let row = sqlx::query(
        "SELECT * FROM migration_reports WHERE job_id = $1 AND edition = $2 AND digest LIKE $3 ESCAPE '\\'
         ORDER BY id DESC LIMIT 1",
    )
    .bind(job.0)
    .bind(edition)
    .bind(pattern.strip_prefix('%').unwrap_or(&pattern))
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Those that were attached to the job's ticket, newest first, at most 20.
pub async fn attached(conn: &mut Conn, job: JobId) -> Result<Vec<ReportRow>> {
    let rows = sqlx::query(
        "SELECT * FROM migration_reports WHERE job_id = $1 AND attached_at IS NOT NULL ORDER BY id DESC LIMIT 20",
    )
    .bind(job.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Verified jobs with a ticket for whose evidence, since they were verified, no report was attached by itself.
pub async fn due(conn: &mut Conn) -> Result<Vec<JobId>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT j.id FROM migration_jobs j
         WHERE j.phase = 'verified' AND j.ticket_id IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM migration_reports r WHERE r.job_id = j.id AND r.automatic = 1
                 AND (r.generated_at >= (SELECT max(h.at) FROM migration_phase_history h
                                         WHERE h.job_id = j.id AND h.to_phase = 'verified')
                      OR r.evidence_id = (SELECT max(e.id) FROM migration_evidence e WHERE e.job_id = j.id)))
         ORDER BY j.id",
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

fn read(row: &AnyRow) -> Result<ReportRow> {
    Ok(ReportRow {
        generated_at: row.text("generated_at")?,
        edition: row.text("edition")?,
        evidence_id: row.maybe_integer("evidence_id")?.map(EvidenceId),
        digest: row.text("digest")?,
        signature: row.text("signature")?,
        made_by: row.text("made_by")?,
        attached_at: row.maybe_text("attached_at")?,
        automatic: row.truth("automatic")?,
    })
}
