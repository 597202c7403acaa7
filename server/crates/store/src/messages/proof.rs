//! What a verification reads of the ledger and writes into it. It compares the ledger with what it saw by itself, so
//! what cannot be right is told as an error and never taken for something else.

use super::write::{BATCH, run, unlink};
use crate::{
    Conn, Error, Result,
    read::parse,
    sql::{Sql, clean, int},
};
use futures::TryStreamExt;
use gatepost_contract::{CauseKind, Fidelity, FolderId, MessageId, MessageState};
use sqlx::Row;

/// A message of the ledger, as a verification needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofRow {
    /// The row.
    pub id: MessageId,
    /// Its UID at the source.
    pub uid: i64,
    /// Its size as first listed.
    pub size: i64,
    /// When it was received, RFC 3339 with its zone.
    pub internal_date: String,
    /// Its flags when they were last copied, separated by spaces.
    pub flags: String,
    /// Where it stands.
    pub state: MessageState,
    /// Whether it is marked as waived while no waiver says by whom and why.
    pub unwaived: bool,
    /// Its UID at the destination.
    pub dest_uid: Option<i64>,
    /// Whether it has been copied once.
    pub copied: bool,
    /// Whether a verification has read both sides of its folder since it was copied.
    pub proved: bool,
    /// How its copy compared when it was last looked at.
    pub fidelity: Option<Fidelity>,
    /// Why it does not stand where it should.
    pub cause: Option<String>,
    /// The same for programs.
    pub kind: Option<CauseKind>,
    /// Whether its headers have been kept.
    pub headed: bool,
}

/// What a verification found about one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The row.
    pub id: MessageId,
    /// Where it stands now.
    pub state: MessageState,
    /// Why it stands there, unless it simply arrived. A person's waiver and a server's refusal keep their own where this
    /// is none.
    pub cause: Option<String>,
    /// The same for programs.
    pub kind: Option<CauseKind>,
    /// How the copy compares, where there is one.
    pub fidelity: Option<Fidelity>,
    /// Its UID at the destination.
    pub dest_uid: Option<i64>,
    /// Whether a waiver of it has ended; otherwise what was waived stays waived, unless it has arrived.
    pub waiver_over: bool,
    /// Its size and date (RFC 3339), where it is another message than the one that was first listed.
    pub listed: Option<(i64, String)>,
}

/// The headers by which a person knows a message, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadRow {
    /// Its UID at the source.
    pub uid: i64,
    /// Message-Id.
    pub message_id: Option<String>,
    /// From.
    pub from: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// Date.
    pub date: Option<String>,
}

/// The messages of a folder above a UID, by ascending UID, at most `limit`.
pub async fn proofs(conn: &mut Conn, folder: FolderId, after_uid: i64, limit: u32) -> Result<Vec<ProofRow>> {
    let mut rows = sqlx::query(
        "SELECT id, uid, size, internal_date, flags, state, dest_uid, fidelity, cause, cause_kind,
             CASE WHEN copied_at IS NULL THEN 0 ELSE 1 END,
             CASE WHEN header_from IS NULL AND header_subject IS NULL AND message_id_header IS NULL THEN 0 ELSE 1 END,
             CASE WHEN state = 'waived' AND NOT EXISTS (SELECT 1 FROM migration_waivers w
                  WHERE w.message_id = migration_messages.id AND w.expired_at IS NULL) THEN 1 ELSE 0 END,
             CASE WHEN digest IS NULL OR length(digest) = 32 AND length(canonical_digest) = 32 THEN 1 ELSE 0 END,
             CASE WHEN copied_at <= (SELECT max(e.read_at) FROM migration_evidence e
                  JOIN migration_evidence_folders p ON p.evidence_id = e.id
                  WHERE e.mailbox_id = (SELECT f.mailbox_id FROM migration_folders f WHERE f.id = $1)
                      AND p.folder_id = $1 AND p.visited = 1) THEN 1 ELSE 0 END
         FROM migration_messages WHERE folder_id = $1 AND uid > $2 ORDER BY uid LIMIT $3",
    )
    .bind(folder.0)
    .bind(after_uid)
    .bind(i64::from(limit))
    .fetch(conn);
    let mut all = Vec::with_capacity(limit as usize);
    while let Some(row) = rows.try_next().await? {
        let dest_uid: Option<i64> = row.try_get(6)?;
        if row.try_get::<i64, _>(13)? == 0 {
            return Err(Error::Corrupt { column: "digest", reason: "what stands there has not 32 bytes".to_owned() });
        }
        let fidelity: Option<&str> = row.try_get(7)?;
        let kind: Option<&str> = row.try_get(9)?;
        all.push(ProofRow {
            id: MessageId(row.try_get(0)?),
            uid: row.try_get(1)?,
            size: row.try_get(2)?,
            internal_date: row.try_get(3)?,
            flags: row.try_get(4)?,
            state: parse("state", row.try_get(5)?)?,
            dest_uid,
            copied: dest_uid.is_some() || row.try_get::<i64, _>(10)? != 0,
            fidelity: fidelity.map(|text| parse("fidelity", text)).transpose()?,
            cause: row.try_get(8)?,
            kind: kind.map(|text| parse("cause_kind", text)).transpose()?,
            headed: row.try_get::<i64, _>(11)? != 0,
            unwaived: row.try_get::<i64, _>(12)? != 0,
            proved: row.try_get::<i64, _>(14)? != 0,
        });
    }
    Ok(all)
}

/// What a verification found, for rows that stand otherwise than the ledger has it.
pub async fn verified(conn: &mut Conn, folder: FolderId, verdicts: &[Verdict], now: &str) -> Result<()> {
    for batch in verdicts.chunks(BATCH) {
        let mut sql = Sql::new("WITH v (id, state, cause, kind, fidelity, dest_uid, over, size, dated) AS (VALUES ");
        for (n, verdict) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(verdict.id.0)?;
            sql.push(", ").bind(verdict.state.as_str())?;
            sql.push(", ").bind(verdict.cause.as_deref().map(clean))?;
            sql.push(", ").bind(verdict.kind.map(CauseKind::as_str))?;
            sql.push(", ").bind(verdict.fidelity.map(Fidelity::as_str))?;
            sql.push(", ").bind(verdict.dest_uid)?;
            sql.push(", ").bind(int(verdict.waiver_over))?;
            sql.push(", ").bind(verdict.listed.as_ref().map(|(size, _)| *size))?;
            sql.push(", ").bind(verdict.listed.as_ref().map(|(_, date)| date.as_str()))?.push(")");
        }
        sql.push(
            // What a person gave up, and why a server refused it, outlives a verdict that only finds it missing.
            ") UPDATE migration_messages SET
                 state = CASE WHEN migration_messages.state = 'waived' AND v.state <> 'arrived' AND v.over = 0
                              THEN 'waived' ELSE v.state END,
                 cause = CASE WHEN v.cause IS NULL AND v.state IN ('quarantined', 'waived')
                              THEN migration_messages.cause ELSE v.cause END,
                 cause_kind = CASE WHEN v.kind IS NULL AND v.state IN ('quarantined', 'waived')
                                   THEN migration_messages.cause_kind ELSE v.kind END,
                 fidelity = v.fidelity, dest_uid = v.dest_uid, size = coalesce(v.size, migration_messages.size),
                 internal_date = coalesce(v.dated, migration_messages.internal_date), verified_at = ",
        )
        .bind(now)?;
        sql.push(" FROM v WHERE migration_messages.id = v.id AND migration_messages.folder_id = ").bind(folder.0)?;
        run(conn, sql, batch.len()).await?;
    }
    Ok(())
}

/// Nothing is known any more of any copy of a folder's messages: what had arrived is pending, for this reason. What was
/// refused or given up stays so, without a copy.
pub async fn unproved(conn: &mut Conn, folder: FolderId, kind: CauseKind, cause: &str, now: &str) -> Result<()> {
    sqlx::query(
        "UPDATE migration_messages SET state = 'pending', cause = $3, cause_kind = $2, dest_uid = NULL, fidelity = NULL,
             verified_at = $4
         WHERE folder_id = $1 AND state IN ('arrived', 'pending')",
    )
    .bind(folder.0)
    .bind(kind.as_str())
    .bind(clean(cause))
    .bind(now)
    .execute(&mut *conn)
    .await?;
    unlink(conn, folder).await
}

/// The headers of messages that people will look at.
pub async fn headed(conn: &mut Conn, folder: FolderId, heads: &[HeadRow]) -> Result<()> {
    for batch in heads.chunks(BATCH) {
        let mut sql = Sql::new("WITH v (uid, message_id, sender, subject, dated) AS (VALUES ");
        for (n, head) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(head.uid)?;
            for text in [&head.message_id, &head.from, &head.subject, &head.date] {
                sql.push(", ").bind(text.as_deref().map(clean))?;
            }
            sql.push(")");
        }
        sql.push(
            ") UPDATE migration_messages SET message_id_header = v.message_id, header_from = v.sender,
                 header_subject = v.subject, header_date = v.dated
             FROM v WHERE migration_messages.uid = v.uid AND migration_messages.folder_id = ",
        )
        .bind(folder.0)?;
        run(conn, sql, batch.len()).await?;
    }
    Ok(())
}

/// Folders that messages of the ledger name and that do not exist, which only damage can bring about; 20 at most. Goes
/// from folder to folder by the index instead of through every message.
pub async fn lost_folders(conn: &mut Conn) -> Result<Vec<FolderId>> {
    let lost = sqlx::query_scalar::<_, i64>(
        "WITH RECURSIVE named (id) AS (
             SELECT min(folder_id) FROM migration_messages
             UNION ALL
             SELECT (SELECT min(folder_id) FROM migration_messages WHERE folder_id > named.id)
             FROM named WHERE named.id IS NOT NULL
         )
         SELECT id FROM named
         WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM migration_folders f WHERE f.id = named.id)
         ORDER BY id LIMIT 20",
    )
    .fetch_all(conn)
    .await?;
    Ok(lost.into_iter().map(FolderId).collect())
}
