//! `migration_messages`, the ledger: which source message became which destination message.
//!
//! What a run writes comes in batches (`write`); what people look at comes in sums and pages (`residue`). Messages of a
//! folder that has gone from the source count nowhere.

pub(crate) mod residue;
mod write;

pub use residue::{MessageDetail, get, mailbox_tally, pending, residue, sums, tally};
pub(crate) use write::unplace;
pub use write::{
    ArrivedRow, NewMessage, Verdict, add, arrived, flags, lost, refused, reset_dest, reset_source, retry_quarantined,
    set_waived, vanished, verified,
};

use crate::{Conn, Error, Result, read::parse};
use futures::TryStreamExt;
use gatepost_contract::{FolderId, MessageId, MessageState};
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

async fn read_rows(
    conn: &mut Conn,
    folder: FolderId,
    after: i64,
    limit: i64,
    expected: usize,
) -> Result<Vec<LedgerRow>> {
    let mut stream = sqlx::query(
        "SELECT id, uid, size, internal_date, flags, state, dest_uid, digest, canonical_digest, bytes
         FROM migration_messages WHERE folder_id = $1 AND uid > $2 ORDER BY uid LIMIT $3",
    )
    .bind(folder.0)
    .bind(after)
    .bind(limit)
    .fetch(conn);
    let mut all = Vec::with_capacity(expected);
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
    Ok(all)
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
