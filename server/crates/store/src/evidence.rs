//! `migration_evidence` and `migration_evidence_folders`: what verifications read. Rows are added, never changed.

use crate::{Conn, Error, Result, read::Columns, sql::int};
use gatepost_contract::{
    Depth, EvidenceId, FolderEvidence, FolderId, JobEvidence, JobId, MailboxEvidence, MailboxId, RunId, SpecialUse,
    Tally,
};
use sqlx::any::AnyRow;
use std::collections::HashMap;

/// What one verification read of one mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvidence {
    /// The job.
    pub job_id: JobId,
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// The run that read it.
    pub run_id: RunId,
    /// The evidence that this one follows from by a waiver, without another reading.
    pub replaces: Option<EvidenceId>,
    /// How thoroughly.
    pub depth: Depth,
    /// When.
    pub read_at: String,
    /// The sums.
    pub tally: Tally,
    /// By folder.
    pub folders: Vec<FolderEvidence>,
}

/// Adds evidence.
pub async fn add(conn: &mut Conn, new: &NewEvidence) -> Result<EvidenceId> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO migration_evidence (job_id, mailbox_id, run_id, replaces, depth, read_at, source, arrived, pending,
             quarantined, waived)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id",
    )
    .bind(new.job_id.0)
    .bind(new.mailbox_id.0)
    .bind(new.run_id.0)
    .bind(new.replaces.map(|e| e.0))
    .bind(new.depth.as_str())
    .bind(new.read_at.as_str())
    .bind(new.tally.source)
    .bind(new.tally.arrived)
    .bind(new.tally.pending)
    .bind(new.tally.quarantined)
    .bind(new.tally.waived)
    .fetch_one(&mut *conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "evidence" }, "job or mailbox"))?;
    for (position, folder) in (1_i64..).zip(&new.folders) {
        sqlx::query(
            "INSERT INTO migration_evidence_folders (evidence_id, position, folder_id, source_path, dest_path,
                 special_use, visited, source, arrived, pending, quarantined, waived, extra, changed, rewritten,
                 flags_lost, misplaced, doubled, bodies_read, note)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                 $20)",
        )
        .bind(id)
        .bind(position)
        .bind(folder.folder_id.map(|f| f.0))
        .bind(folder.source_path.as_str())
        .bind(folder.dest_path.as_deref())
        .bind(folder.special_use.map(SpecialUse::as_str))
        .bind(int(folder.visited))
        .bind(folder.tally.source)
        .bind(folder.tally.arrived)
        .bind(folder.tally.pending)
        .bind(folder.tally.quarantined)
        .bind(folder.tally.waived)
        .bind(folder.extra)
        .bind(folder.changed)
        .bind(folder.rewritten)
        .bind(folder.flags_lost)
        .bind(folder.misplaced)
        .bind(folder.doubled)
        .bind(folder.bodies_read)
        .bind(folder.note.as_deref().map(crate::sql::clean))
        .execute(&mut *conn)
        .await?;
    }
    Ok(EvidenceId(id))
}

/// The newest evidence of a mailbox.
pub async fn latest(conn: &mut Conn, mailbox: MailboxId) -> Result<Option<(EvidenceId, MailboxEvidence)>> {
    let row = sqlx::query(
        "SELECT b.id AS mailbox, b.email, e.* FROM migration_evidence e
         JOIN migration_mailboxes b ON b.id = e.mailbox_id
         WHERE e.mailbox_id = $1 ORDER BY e.id DESC LIMIT 1",
    )
    .bind(mailbox.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (id, mut evidence) = read(&row)?;
    let Some(id) = id else { return Ok(None) };
    let folders = sqlx::query("SELECT * FROM migration_evidence_folders WHERE evidence_id = $1 ORDER BY position")
        .bind(id.0)
        .fetch_all(conn)
        .await?;
    evidence.folders = folders.iter().map(read_folder).collect::<Result<_>>()?;
    Ok(Some((id, evidence)))
}

/// Folders of which the ledger knows worse by now than this evidence says, in its order: at most so many. A verification
/// that broke off has written what it had found until then.
pub async fn contradicted(conn: &mut Conn, id: EvidenceId, most: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT f.source_path FROM migration_evidence_folders f
         WHERE f.evidence_id = $1 AND (
             (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.folder_id
                 AND m.state IN ('pending', 'quarantined')) > f.pending + f.quarantined
             OR (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.folder_id
                 AND m.state = 'arrived' AND m.fidelity = 'changed') > f.changed
             OR (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.folder_id
                 AND m.state = 'arrived' AND m.cause_kind = 'doubled') > f.doubled)
         ORDER BY f.position LIMIT $2",
    )
    .bind(id.0)
    .bind(most)
    .fetch_all(conn)
    .await?)
}

/// The newest evidence of every mailbox of a job, those that were never verified included, in the order in which they
/// were added. Its id is that of the newest part, once every mailbox has been verified.
pub async fn for_job(conn: &mut Conn, job: JobId) -> Result<JobEvidence> {
    as_of(conn, job, EvidenceId(i64::MAX)).await
}

/// The same as it was when this evidence was the newest, of the mailboxes that the job has today.
pub async fn as_of(conn: &mut Conn, job: JobId, newest: EvidenceId) -> Result<JobEvidence> {
    let rows = sqlx::query(
        "SELECT b.id AS mailbox, b.email, e.* FROM migration_mailboxes b
         LEFT JOIN migration_evidence e ON e.id = (SELECT max(n.id) FROM migration_evidence n
             WHERE n.mailbox_id = b.id AND n.id <= $2)
         WHERE b.job_id = $1 ORDER BY b.id",
    )
    .bind(job.0)
    .bind(newest.0)
    .fetch_all(&mut *conn)
    .await?;
    let folders = sqlx::query(
        "SELECT f.* FROM migration_mailboxes b JOIN migration_evidence_folders f
             ON f.evidence_id = (SELECT max(n.id) FROM migration_evidence n
             WHERE n.mailbox_id = b.id AND n.id <= $2)
         WHERE b.job_id = $1 ORDER BY f.evidence_id, f.position",
    )
    .bind(job.0)
    .bind(newest.0)
    .fetch_all(conn)
    .await?;
    let mut by_evidence: HashMap<i64, Vec<FolderEvidence>> = HashMap::new();
    for row in &folders {
        by_evidence.entry(row.integer("evidence_id")?).or_default().push(read_folder(row)?);
    }
    let mut whole = JobEvidence {
        job_id: job,
        evidence_id: None,
        evidence_at: None,
        totals: Tally::default(),
        worst_ratio: None,
        mailboxes: Vec::with_capacity(rows.len()),
    };
    let mut complete = !rows.is_empty();
    for row in &rows {
        let (id, mut evidence) = read(row)?;
        match id {
            None => complete = false,
            Some(id) => {
                evidence.folders = by_evidence.remove(&id.0).unwrap_or_default();
                whole.evidence_id = whole.evidence_id.max(Some(id));
                whole.evidence_at = whole.evidence_at.max(evidence.read_at.clone());
                whole.totals += evidence.tally;
                whole.worst_ratio = Some(whole.worst_ratio.map_or(evidence.ratio, |worst| worst.min(evidence.ratio)));
            }
        }
        whole.mailboxes.push(evidence);
    }
    if !complete {
        whole.evidence_id = None;
    }
    Ok(whole)
}

fn read(row: &AnyRow) -> Result<(Option<EvidenceId>, MailboxEvidence)> {
    let id = row.maybe_integer("id")?.map(EvidenceId);
    let tally = if id.is_some() { tally(row)? } else { Tally::default() };
    let evidence = MailboxEvidence {
        mailbox_id: MailboxId(row.integer("mailbox")?),
        email: row.text("email")?,
        run_id: row.maybe_integer("run_id")?.map(RunId),
        read_at: row.maybe_text("read_at")?,
        depth: row.maybe_name("depth")?,
        tally,
        // What was never read proves nothing, not even that there was nothing to read.
        ratio: if id.is_some() { tally.ratio() } else { 0.0 },
        folders: Vec::new(),
    };
    Ok((id, evidence))
}

fn read_folder(row: &AnyRow) -> Result<FolderEvidence> {
    Ok(FolderEvidence {
        folder_id: row.maybe_integer("folder_id")?.map(FolderId),
        source_path: row.text("source_path")?,
        dest_path: row.maybe_text("dest_path")?,
        special_use: row.maybe_name("special_use")?,
        visited: row.truth("visited")?,
        tally: tally(row)?,
        extra: row.integer("extra")?,
        changed: row.integer("changed")?,
        rewritten: row.integer("rewritten")?,
        flags_lost: row.integer("flags_lost")?,
        misplaced: row.integer("misplaced")?,
        doubled: row.integer("doubled")?,
        bodies_read: row.integer("bodies_read")?,
        note: row.maybe_text("note")?,
    })
}

fn tally(row: &AnyRow) -> Result<Tally> {
    Ok(Tally {
        source: row.integer("source")?,
        arrived: row.integer("arrived")?,
        pending: row.integer("pending")?,
        quarantined: row.integer("quarantined")?,
        waived: row.integer("waived")?,
    })
}
