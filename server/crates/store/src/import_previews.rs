//! `import_previews`: files of mailboxes that were looked at and not stored yet, sealed.

use crate::{Conn, Result, read::Columns};
use gatepost_contract::JobId;
use std::fmt;

/// A file, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPreview {
    /// The job that it is for.
    pub job_id: JobId,
    /// The file.
    pub file_blob: Vec<u8>,
    /// Who brought it.
    pub created_by: String,
    /// When it is forgotten.
    pub expires_at: String,
}

impl fmt::Debug for StoredPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPreview").field("job_id", &self.job_id).finish_non_exhaustive()
    }
}

/// Keeps a file. Those that have expired go, and so do the oldest of its maker beyond `most`.
pub async fn put(conn: &mut Conn, id: &str, preview: &StoredPreview, now: &str, most: i64) -> Result<()> {
    purge(conn, now).await?;
    sqlx::query(
        "INSERT INTO import_previews (id, job_id, file_blob, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(preview.job_id.0)
    .bind(preview.file_blob.as_slice())
    .bind(preview.created_by.as_str())
    .bind(now)
    .bind(preview.expires_at.as_str())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "DELETE FROM import_previews WHERE created_by = $1 AND id NOT IN
             (SELECT id FROM import_previews WHERE created_by = $1 ORDER BY created_at DESC, id DESC LIMIT $2)",
    )
    .bind(preview.created_by.as_str())
    .bind(most)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the files that have expired; how many.
pub async fn purge(conn: &mut Conn, now: &str) -> Result<u64> {
    let done = sqlx::query("DELETE FROM import_previews WHERE expires_at <= $1").bind(now).execute(conn).await?;
    Ok(done.rows_affected())
}

/// A file that has not expired.
pub async fn get(conn: &mut Conn, id: &str, now: &str) -> Result<Option<StoredPreview>> {
    let row = sqlx::query(
        "SELECT job_id, file_blob, created_by, expires_at FROM import_previews WHERE id = $1 AND expires_at > $2",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(StoredPreview {
            job_id: JobId(row.integer("job_id")?),
            file_blob: row.bytes("file_blob")?,
            created_by: row.text("created_by")?,
            expires_at: row.text("expires_at")?,
        })
    })
    .transpose()
}

/// Forgets a file; false where it is gone already, so that of two who store it one does.
pub async fn delete(conn: &mut Conn, id: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM import_previews WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}
