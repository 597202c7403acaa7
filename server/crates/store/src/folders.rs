//! `migration_folders` and `migration_cursor_history`: the folders of a source, their places, and how far each was
//! listed.

use crate::{Conn, Error, Result, messages, read::Columns, sql::changed};
use gatepost_contract::{Folder, FolderId, MailboxId, SpecialUse};
use sqlx::any::AnyRow;

/// A folder of the source and the place that the mapping gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFolder {
    /// Its path at the source, as text.
    pub source_path: String,
    /// Its path at the destination, as text.
    pub dest_path: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// How far a folder was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorRow {
    /// UIDVALIDITY.
    pub epoch: i64,
    /// UIDNEXT.
    pub next_uid: i64,
    /// HIGHESTMODSEQ; it has 63 bits (RFC 7162 section 3.1).
    pub modseq: Option<i64>,
}

/// A folder as a run needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its id.
    pub id: FolderId,
    /// Its path at the source, as text.
    pub source_path: String,
    /// Its path at the destination, as text.
    pub dest_path: String,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// The destination's UIDVALIDITY when the ledger's destination UIDs were written.
    pub dest_epoch: Option<i64>,
    /// How far it was listed.
    pub cursor: Option<CursorRow>,
    /// When a run last listed it.
    pub visited_at: Option<String>,
    /// Since when it is not at the source any more.
    pub gone_at: Option<String>,
}

/// Records the plan of a mailbox, and gives its folders in the same order. Known folders that the plan does not name
/// are marked as gone, with their messages; one that comes back is as it was. Where a folder gets another place, what
/// arrived in the former one is pending again.
pub async fn place(conn: &mut Conn, mailbox: MailboxId, plan: &[PlannedFolder], now: &str) -> Result<Vec<FolderRow>> {
    sqlx::query("UPDATE migration_folders SET gone_at = coalesce(gone_at, $2) WHERE mailbox_id = $1")
        .bind(mailbox.0)
        .bind(now)
        .execute(&mut *conn)
        .await?;
    let mut placed = Vec::with_capacity(plan.len());
    for folder in plan {
        let known =
            sqlx::query("SELECT id, dest_path FROM migration_folders WHERE mailbox_id = $1 AND source_path = $2")
                .bind(mailbox.0)
                .bind(folder.source_path.as_str())
                .fetch_optional(&mut *conn)
                .await?;
        if let Some(known) = known
            && known.text("dest_path")? != folder.dest_path
        {
            let id = known.integer("id")?;
            messages::unplace(conn, FolderId(id)).await?;
            sqlx::query("UPDATE migration_folders SET dest_epoch = NULL WHERE id = $1")
                .bind(id)
                .execute(&mut *conn)
                .await?;
        }
        let row = sqlx::query(
            "INSERT INTO migration_folders (mailbox_id, source_path, dest_path, special_use) VALUES ($1, $2, $3, $4)
             ON CONFLICT (mailbox_id, source_path) DO UPDATE
             SET dest_path = excluded.dest_path, special_use = excluded.special_use, gone_at = NULL
             RETURNING *",
        )
        .bind(mailbox.0)
        .bind(folder.source_path.as_str())
        .bind(folder.dest_path.as_str())
        .bind(folder.special_use.map(SpecialUse::as_str))
        .fetch_one(&mut *conn)
        .await
        .map_err(|e| Error::named(e, Error::Exists { what: "folder" }, "mailbox"))?;
        placed.push(read(&row)?);
    }
    Ok(placed)
}

/// Those that are at the source, by path.
pub async fn rows(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<FolderRow>> {
    let rows =
        sqlx::query("SELECT * FROM migration_folders WHERE mailbox_id = $1 AND gone_at IS NULL ORDER BY source_path")
            .bind(mailbox.0)
            .fetch_all(conn)
            .await?;
    rows.iter().map(read).collect()
}

/// Those that are at the source, by path, with what the ledger holds of each.
pub async fn list(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<Folder>> {
    let rows = sqlx::query(
        "SELECT f.id, f.source_path, f.dest_path, f.special_use, f.visited_at, count(m.id) AS messages,
             CAST(coalesce(sum(m.size), 0) AS BIGINT) AS bytes,
             CAST(coalesce(sum(CASE m.state WHEN 'arrived' THEN 1 ELSE 0 END), 0) AS BIGINT) AS arrived,
             CAST(coalesce(sum(CASE m.state WHEN 'pending' THEN 1 ELSE 0 END), 0) AS BIGINT) AS pending,
             CAST(coalesce(sum(CASE m.state WHEN 'quarantined' THEN 1 ELSE 0 END), 0) AS BIGINT) AS quarantined,
             CAST(coalesce(sum(CASE m.state WHEN 'waived' THEN 1 ELSE 0 END), 0) AS BIGINT) AS waived
         FROM migration_folders f LEFT JOIN migration_messages m ON m.folder_id = f.id
         WHERE f.mailbox_id = $1 AND f.gone_at IS NULL
         GROUP BY f.id, f.source_path, f.dest_path, f.special_use, f.visited_at ORDER BY f.source_path",
    )
    .bind(mailbox.0)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Folder {
                id: FolderId(row.integer("id")?),
                source_path: row.text("source_path")?,
                dest_path: row.text("dest_path")?,
                special_use: row.maybe_name("special_use")?,
                messages: row.integer("messages")?,
                bytes: row.integer("bytes")?,
                arrived: row.integer("arrived")?,
                pending: row.integer("pending")?,
                quarantined: row.integer("quarantined")?,
                waived: row.integer("waived")?,
                visited_at: row.maybe_text("visited_at")?,
            })
        })
        .collect()
}

/// Notes that a run has listed a folder.
pub async fn visited(conn: &mut Conn, id: FolderId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_folders SET visited_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "folder")
}

/// Moves the cursor, notes the visit, and keeps the cursor in the history where it differs from the one before. Call it
/// only after what the cursor covers is in the ledger.
pub async fn advance(conn: &mut Conn, id: FolderId, cursor: &CursorRow, now: &str) -> Result<()> {
    let row =
        sqlx::query("SELECT * FROM migration_folders WHERE id = $1").bind(id.0).fetch_optional(&mut *conn).await?;
    let before = read(&row.ok_or(Error::Missing("folder"))?)?.cursor;
    sqlx::query(
        "UPDATE migration_folders SET cursor_epoch = $2, cursor_next_uid = $3, cursor_modseq = $4, visited_at = $5
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(cursor.epoch)
    .bind(cursor.next_uid)
    .bind(cursor.modseq)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if before.as_ref() != Some(cursor) {
        sqlx::query(
            "INSERT INTO migration_cursor_history (folder_id, epoch, next_uid, modseq, at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id.0)
        .bind(cursor.epoch)
        .bind(cursor.next_uid)
        .bind(cursor.modseq)
        .bind(now)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// The cursors that a folder has had and since when, newest first.
pub async fn cursor_history(conn: &mut Conn, id: FolderId, limit: u32) -> Result<Vec<(CursorRow, String)>> {
    let rows = sqlx::query("SELECT * FROM migration_cursor_history WHERE folder_id = $1 ORDER BY id DESC LIMIT $2")
        .bind(id.0)
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let cursor = CursorRow {
                epoch: row.integer("epoch")?,
                next_uid: row.integer("next_uid")?,
                modseq: row.maybe_integer("modseq")?,
            };
            Ok((cursor, row.text("at")?))
        })
        .collect()
}

fn read(row: &AnyRow) -> Result<FolderRow> {
    let cursor = match (row.maybe_integer("cursor_epoch")?, row.maybe_integer("cursor_next_uid")?) {
        (Some(epoch), Some(next_uid)) => {
            Some(CursorRow { epoch, next_uid, modseq: row.maybe_integer("cursor_modseq")? })
        }
        _ => None,
    };
    Ok(FolderRow {
        id: FolderId(row.integer("id")?),
        source_path: row.text("source_path")?,
        dest_path: row.text("dest_path")?,
        special_use: row.maybe_name("special_use")?,
        dest_epoch: row.maybe_integer("dest_epoch")?,
        cursor,
        visited_at: row.maybe_text("visited_at")?,
        gone_at: row.maybe_text("gone_at")?,
    })
}
