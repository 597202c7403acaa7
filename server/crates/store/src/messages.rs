//! `migration_messages`, the ledger: which source message became which destination message.
//!
//! What a run writes comes in batches (`write`); what people look at comes in sums and pages (`residue`). Messages of a
//! folder that has gone from the source count nowhere.

mod proof;
pub(crate) mod residue;
mod write;

pub use proof::{HeadRow, ProofRow, Verdict, headed, lost_folders, proofs, unproved, verified};
pub use residue::{
    Act, Amiss, MessageDetail, Selection, amiss_of_job, classes, get, mailbox_tally, residue, residue_after, retry,
    selected, sums, tally,
};
pub(crate) use write::unplace;
pub use write::{
    ArrivedRow, NewMessage, RefusedRow, add, add_because, arrived, flags, hindered, lost, refused, reset_dest,
    reset_source, retry_quarantined, vanished,
};

use crate::{Conn, Error, Result, read::parse, sql::Sql};
use futures::{Stream, TryStreamExt};
use gatepost_contract::{FolderId, MailboxId, MessageId, MessageState};
use sqlx::{Row, any::AnyRow};
use std::{collections::HashSet, sync::Arc};

/// Both digests of a message's bytes and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestRow {
    /// Of the bytes as they came.
    pub exact: [u8; 32],
    /// Of the bytes with their line endings mended.
    pub canonical: [u8; 32],
    /// How many bytes came.
    pub bytes: i64,
}

/// A message of the ledger, as a run needs it. A hundred thousand of them take some 20 MB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The row.
    pub id: MessageId,
    /// Its UID at the source.
    pub uid: i64,
    /// Its size as listed.
    pub size: i64,
    /// When it was received, RFC 3339 with its zone.
    pub internal_date: Box<str>,
    /// Its flags at the last listing, separated by spaces; equal ones are held once.
    pub flags: Arc<str>,
    /// Where it stands.
    pub state: MessageState,
    /// Its UID at the destination.
    pub dest_uid: Option<i64>,
    /// What the source's bytes digest to, where they were read.
    pub digests: Option<DigestRow>,
}

/// Every message of a folder, by ascending UID.
pub async fn rows(conn: &mut Conn, folder: FolderId) -> Result<Vec<LedgerRow>> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM migration_messages WHERE folder_id = $1")
        .bind(folder.0)
        .fetch_one(&mut *conn)
        .await?;
    read_rows(conn, folder, -1, i64::MAX, usize::try_from(count).unwrap_or_default()).await
}

/// The messages of a folder above a UID, by ascending UID, at most `limit`: for going through a folder in pages.
pub async fn rows_after(conn: &mut Conn, folder: FolderId, after_uid: i64, limit: u32) -> Result<Vec<LedgerRow>> {
    read_rows(conn, folder, after_uid, i64::from(limit), 0).await
}

/// The columns of a [`LedgerRow`].
const COLUMNS: &str = "SELECT id, uid, size, internal_date, flags, state, dest_uid, digest, canonical_digest, bytes
    FROM migration_messages WHERE folder_id = ";

/// How many UIDs one statement names.
const NAMED: usize = 256;

/// These messages of a folder, as far as the ledger has them.
pub async fn rows_of(conn: &mut Conn, folder: FolderId, uids: &[i64]) -> Result<Vec<LedgerRow>> {
    let mut all = Vec::with_capacity(uids.len());
    for batch in uids.chunks(NAMED) {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(folder.0)?.push(" AND uid IN (").bind_list(batch.iter().copied())?.push(")");
        let query = if batch.len() == NAMED { sql.query() } else { sql.query_once() };
        collect(query.fetch(&mut *conn), &mut all).await?;
    }
    Ok(all)
}

/// Messages still to be copied, by ascending row, from behind a row on, at most `limit`.
pub async fn pending_after(conn: &mut Conn, folder: FolderId, after: i64, limit: u32) -> Result<Vec<LedgerRow>> {
    let mut sql = Sql::new(COLUMNS);
    sql.bind(folder.0)?;
    // The first condition is the partial index's own: without it, SQLite would not use it.
    sql.push(
        " AND (state <> 'arrived' OR fidelity = 'changed' OR cause_kind IS NOT NULL) AND state = 'pending' AND id > ",
    )
    .bind(after)?;
    sql.push(" ORDER BY id LIMIT ").bind(i64::from(limit))?;
    let mut all = Vec::with_capacity(limit as usize);
    collect(sql.query().fetch(conn), &mut all).await?;
    Ok(all)
}

/// Messages that were acknowledged without a UID at the destination.
pub async fn nameless(conn: &mut Conn, folder: FolderId) -> Result<Vec<LedgerRow>> {
    let mut sql = Sql::new(COLUMNS);
    sql.bind(folder.0)?.push(" AND state = 'arrived' AND dest_uid IS NULL ORDER BY uid");
    let mut all = Vec::new();
    collect(sql.query().fetch(conn), &mut all).await?;
    Ok(all)
}

/// Every UID of a folder at the source, ascending.
pub async fn uids(conn: &mut Conn, folder: FolderId) -> Result<Vec<i64>> {
    let sql = "SELECT uid FROM migration_messages WHERE folder_id = $1 ORDER BY uid";
    Ok(sqlx::query_scalar(sql).bind(folder.0).fetch_all(conn).await?)
}

/// Every UID at the destination that a message of the folder has.
pub async fn dest_uids(conn: &mut Conn, folder: FolderId) -> Result<Vec<i64>> {
    let sql = "SELECT dest_uid FROM migration_messages WHERE folder_id = $1 AND dest_uid IS NOT NULL";
    Ok(sqlx::query_scalar(sql).bind(folder.0).fetch_all(conn).await?)
}

/// How a folder's messages stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandingRow {
    /// The folder.
    pub folder: FolderId,
    /// Messages.
    pub messages: i64,
    /// Of them, those that have not arrived.
    pub elsewhere: i64,
    /// Of those, the ones still to be copied, and their bytes.
    pub pending: (i64, i64),
}

/// How each of a mailbox's folders stands, or only this one; those that have gone from the source are left out. Counts by the indexes
/// alone: a folder in which everything has arrived costs next to nothing.
pub async fn standing(conn: &mut Conn, mailbox: MailboxId, only: Option<FolderId>) -> Result<Vec<StandingRow>> {
    let rows = sqlx::query(
        "SELECT f.id,
             (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.id),
             (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.id
                  AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)
                  AND m.state <> 'arrived'),
             (SELECT count(*) FROM migration_messages m WHERE m.folder_id = f.id
                  AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)
                  AND m.state = 'pending'),
             (SELECT CAST(coalesce(sum(m.size), 0) AS BIGINT) FROM migration_messages m WHERE m.folder_id = f.id
                  AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)
                  AND m.state = 'pending')
         FROM migration_folders f WHERE f.mailbox_id = $1 AND f.gone_at IS NULL AND ($2 < 0 OR f.id = $2)",
    )
    .bind(mailbox.0)
    .bind(only.map_or(-1, |folder| folder.0))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StandingRow {
                folder: FolderId(row.try_get(0)?),
                messages: row.try_get(1)?,
                elsewhere: row.try_get(2)?,
                pending: (row.try_get(3)?, row.try_get(4)?),
            })
        })
        .collect()
}

async fn read_rows(
    conn: &mut Conn,
    folder: FolderId,
    after: i64,
    limit: i64,
    expected: usize,
) -> Result<Vec<LedgerRow>> {
    let mut sql = Sql::new(COLUMNS);
    sql.bind(folder.0)?.push(" AND uid > ").bind(after)?.push(" ORDER BY uid LIMIT ").bind(limit)?;
    let mut all = Vec::with_capacity(expected);
    collect(sql.query().fetch(conn), &mut all).await?;
    Ok(all)
}

async fn collect(mut stream: impl Stream<Item = sqlx::Result<AnyRow>> + Unpin, all: &mut Vec<LedgerRow>) -> Result<()> {
    let mut known: HashSet<Arc<str>> = HashSet::new();
    while let Some(row) = stream.try_next().await? {
        let flags: &str = row.try_get(4)?;
        let flags = known.get(flags).cloned().unwrap_or_else(|| {
            let flags: Arc<str> = flags.into();
            known.insert(Arc::clone(&flags));
            flags
        });
        all.push(LedgerRow {
            id: MessageId(row.try_get(0)?),
            uid: row.try_get(1)?,
            size: row.try_get(2)?,
            internal_date: row.try_get::<&str, _>(3)?.into(),
            flags,
            state: parse("state", row.try_get(5)?)?,
            dest_uid: row.try_get(6)?,
            digests: digests(&row)?,
        });
    }
    Ok(())
}

fn digests(row: &AnyRow) -> Result<Option<DigestRow>> {
    let (Some(exact), Some(canonical), Some(bytes)) =
        (row.try_get::<Option<&[u8]>, _>(7)?, row.try_get::<Option<&[u8]>, _>(8)?, row.try_get::<Option<i64>, _>(9)?)
    else {
        return Ok(None);
    };
    let fixed = |column: &'static str, bytes: &[u8]| {
        bytes.try_into().map_err(|_| Error::Corrupt { column, reason: format!("it has {} bytes, not 32", bytes.len()) })
    };
    Ok(Some(DigestRow { exact: fixed("digest", exact)?, canonical: fixed("canonical_digest", canonical)?, bytes }))
}
