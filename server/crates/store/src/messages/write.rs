//! What a run writes into the ledger, in batches.
//!
//! A batch is one statement with many rows of values. The batches are small on purpose: SQLite finds each `$n` by going
//! through all of them, so the cost of a statement grows with their number's square.

use super::DigestRow;
use crate::{
    Conn, Error, Result,
    sql::{Sql, changed, clean, int},
};
use gatepost_contract::{CauseKind, FolderId, MailboxId};

/// How many rows one statement writes.
pub(super) const BATCH: usize = 64;
/// How many UIDs one statement names.
const NAMED: usize = 256;

/// A message that a listing found for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its UID.
    pub uid: i64,
    /// Its size as listed.
    pub size: i64,
    /// When it was received, RFC 3339 with its zone.
    pub internal_date: String,
    /// Its flags, separated by spaces.
    pub flags: String,
}

/// A message that the destination acknowledged, or that was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedRow {
    /// Its UID at the source.
    pub uid: i64,
    /// Its UID at the destination, where that is known.
    pub dest_uid: Option<i64>,
    /// What the source's bytes digest to.
    pub digests: DigestRow,
    /// Flags that the folder could not keep, separated by spaces; empty for none.
    pub dropped_flags: String,
    /// Found at the destination instead of sent there.
    pub adopted: bool,
}

/// A message that could not be copied: its UID, the cause for programs, and the cause for people.
pub type RefusedRow = (i64, CauseKind, String);

/// Adds messages as pending; those that are there already stay as they are. Says how many were new.
pub async fn add(conn: &mut Conn, folder: FolderId, messages: &[NewMessage], now: &str) -> Result<u64> {
    add_because(conn, folder, messages, None, now).await
}

/// The same, with why they are pending.
pub async fn add_because(
    conn: &mut Conn,
    folder: FolderId,
    messages: &[NewMessage],
    cause: Option<(CauseKind, &str)>,
    now: &str,
) -> Result<u64> {
    let mut added = 0;
    for batch in messages.chunks(BATCH) {
        let mut sql = Sql::new(
            "INSERT INTO migration_messages (folder_id, uid, size, internal_date, flags, first_seen_at, cause_kind, cause)
             VALUES ",
        );
        for (n, message) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(folder.0)?;
            sql.push(", ").bind(message.uid)?;
            sql.push(", ").bind(message.size)?;
            sql.push(", ").bind(message.internal_date.as_str())?;
            sql.push(", ").bind(clean(&message.flags))?;
            sql.push(", ").bind(now)?;
            sql.push(", ").bind(cause.map(|(kind, _)| kind.as_str()))?;
            sql.push(", ").bind(cause.map(|(_, text)| clean(text)))?.push(")");
        }
        sql.push(" ON CONFLICT (folder_id, uid) DO NOTHING");
        let result = run(conn, sql, batch.len())
            .await
            .map_err(|e| Error::named(e, Error::Exists { what: "message" }, "folder"))?;
        added += result;
    }
    Ok(added)
}

/// These have arrived.
pub async fn arrived(conn: &mut Conn, folder: FolderId, arrivals: &[ArrivedRow], now: &str) -> Result<()> {
    for batch in arrivals.chunks(BATCH) {
        let mut sql = Sql::new("WITH v (uid, dest_uid, digest, canonical, bytes, dropped, adopted) AS (VALUES ");
        for (n, row) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(row.uid)?;
            sql.push(", ").bind(row.dest_uid)?;
            sql.push(", ").bind(row.digests.exact.as_slice())?;
            sql.push(", ").bind(row.digests.canonical.as_slice())?;
            sql.push(", ").bind(row.digests.bytes)?;
            sql.push(", ").bind((!row.dropped_flags.is_empty()).then(|| clean(&row.dropped_flags)))?;
            sql.push(", ").bind(int(row.adopted))?.push(")");
        }
        sql.push(
            ") UPDATE migration_messages SET state = 'arrived', cause = NULL, cause_kind = NULL,
                 dest_uid = v.dest_uid, digest = v.digest,
                 canonical_digest = v.canonical, bytes = v.bytes, dropped_flags = v.dropped, adopted = v.adopted,
                 fidelity = NULL, verified_at = NULL, copied_at = ",
        )
        .bind(now)?;
        sql.push(" FROM v WHERE migration_messages.uid = v.uid AND migration_messages.folder_id = ").bind(folder.0)?;
        run(conn, sql, batch.len()).await?;
    }
    Ok(())
}

/// These were refused: quarantined, with their cause. What has arrived or was waived stays as it is.
pub async fn refused(conn: &mut Conn, folder: FolderId, refusals: &[RefusedRow]) -> Result<()> {
    let text = " UPDATE migration_messages SET state = 'quarantined', cause = v.text, cause_kind = v.kind FROM v
         WHERE migration_messages.uid = v.uid AND state IN ('pending', 'quarantined')
             AND migration_messages.folder_id = ";
    caused(conn, text, folder, refusals).await
}

/// These could not be copied this time: still pending, with their cause.
pub async fn hindered(conn: &mut Conn, folder: FolderId, causes: &[RefusedRow]) -> Result<()> {
    let text = " UPDATE migration_messages SET cause = v.text, cause_kind = v.kind FROM v
         WHERE migration_messages.uid = v.uid AND state = 'pending' AND migration_messages.folder_id = ";
    caused(conn, text, folder, causes).await
}

/// These carry other flags at the source now.
pub async fn flags(conn: &mut Conn, folder: FolderId, changes: &[(i64, String)]) -> Result<()> {
    for batch in changes.chunks(BATCH) {
        let mut sql = pairs(batch)?;
        sql.push(
            " UPDATE migration_messages SET flags = v.text FROM v
             WHERE migration_messages.uid = v.uid AND migration_messages.folder_id = ",
        )
        .bind(folder.0)?;
        run(conn, sql, batch.len()).await?;
    }
    Ok(())
}

/// These are not at the source any more: their rows go. A waiver's own row stays.
pub async fn vanished(conn: &mut Conn, folder: FolderId, uids: &[i64]) -> Result<()> {
    named(conn, "DELETE FROM migration_messages WHERE folder_id = ", folder, uids).await
}

/// These are not at the destination any more: pending again, if they had arrived.
pub async fn lost(conn: &mut Conn, folder: FolderId, uids: &[i64]) -> Result<()> {
    let text = "UPDATE migration_messages SET state = 'pending', cause = NULL, cause_kind = NULL, dest_uid = NULL,
            adopted = 0, dropped_flags = NULL, fidelity = NULL, verified_at = NULL, copied_at = NULL
        WHERE state = 'arrived' AND folder_id = ";
    named(conn, text, folder, uids).await
}

/// The source's UIDs mean nothing any more: all rows of the folder go, and its cursor. The copies at the destination
/// are found again by a full listing.
pub async fn reset_source(conn: &mut Conn, folder: FolderId) -> Result<()> {
    sqlx::query("DELETE FROM migration_messages WHERE folder_id = $1").bind(folder.0).execute(&mut *conn).await?;
    let result = sqlx::query(
        "UPDATE migration_folders SET cursor_epoch = NULL, cursor_next_uid = NULL, cursor_modseq = NULL WHERE id = $1",
    )
    .bind(folder.0)
    .execute(conn)
    .await?;
    changed(&result, "folder")
}

/// The destination's UIDs mean nothing any more, or are written for the first time: what had arrived in the folder is
/// pending again, and the new epoch stands.
pub async fn reset_dest(conn: &mut Conn, folder: FolderId, epoch: i64) -> Result<()> {
    unplace(conn, folder).await?;
    let result = sqlx::query("UPDATE migration_folders SET dest_epoch = $2 WHERE id = $1")
        .bind(folder.0)
        .bind(epoch)
        .execute(conn)
        .await?;
    changed(&result, "folder")
}

/// What had arrived in the folder is pending again, and nothing else there has a copy.
pub(crate) async fn unplace(conn: &mut Conn, folder: FolderId) -> Result<()> {
    sqlx::query(
        "UPDATE migration_messages SET state = 'pending', cause = NULL, cause_kind = NULL, dest_uid = NULL,
             adopted = 0, dropped_flags = NULL, fidelity = NULL, verified_at = NULL, copied_at = NULL
         WHERE state = 'arrived' AND folder_id = $1",
    )
    .bind(folder.0)
    .execute(&mut *conn)
    .await?;
    unlink(conn, folder).await
}

/// What was refused or given up has no copy that is known: its UID there would be a stranger's.
pub(super) async fn unlink(conn: &mut Conn, folder: FolderId) -> Result<()> {
    sqlx::query(
        "UPDATE migration_messages SET dest_uid = NULL, fidelity = NULL
         WHERE folder_id = $1 AND state IN ('quarantined', 'waived') AND dest_uid IS NOT NULL",
    )
    .bind(folder.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Every quarantined message of a mailbox is to be tried again; says how many.
pub async fn retry_quarantined(conn: &mut Conn, mailbox: MailboxId) -> Result<u64> {
    let result = sqlx::query(
        "UPDATE migration_messages SET state = 'pending', cause = NULL, cause_kind = NULL WHERE state = 'quarantined'
             AND folder_id IN (SELECT id FROM migration_folders WHERE mailbox_id = $1)",
    )
    .bind(mailbox.0)
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

async fn caused(conn: &mut Conn, text: &str, folder: FolderId, rows: &[RefusedRow]) -> Result<()> {
    for batch in rows.chunks(BATCH) {
        let mut sql = Sql::new("WITH v (uid, kind, text) AS (VALUES ");
        for (n, (uid, kind, text)) in batch.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(*uid)?;
            sql.push(", ").bind(kind.as_str())?;
            sql.push(", ").bind(clean(text))?.push(")");
        }
        sql.push(")").push(text).bind(folder.0)?;
        run(conn, sql, batch.len()).await?;
    }
    Ok(())
}

fn pairs(batch: &[(i64, String)]) -> Result<Sql> {
    let mut sql = Sql::new("WITH v (uid, text) AS (VALUES ");
    for (n, (uid, text)) in batch.iter().enumerate() {
        sql.push(if n == 0 { "(" } else { ", (" }).bind(*uid)?;
        sql.push(", ").bind(clean(text))?.push(")");
    }
    sql.push(")");
    Ok(sql)
}

async fn named(conn: &mut Conn, text: &str, folder: FolderId, uids: &[i64]) -> Result<()> {
    for batch in uids.chunks(NAMED) {
        let mut sql = Sql::new(text);
        sql.bind(folder.0)?;
        sql.push(" AND uid IN (").bind_list(batch.iter().copied())?.push(")");
        let query = if batch.len() == NAMED { sql.query() } else { sql.query_once() };
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Full batches come again and are worth keeping prepared.
pub(super) async fn run(conn: &mut Conn, sql: Sql, rows: usize) -> std::result::Result<u64, sqlx::Error> {
    let query = if rows == BATCH || rows == 1 { sql.query() } else { sql.query_once() };
    Ok(query.execute(conn).await?.rows_affected())
}
