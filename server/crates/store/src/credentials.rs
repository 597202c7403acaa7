//! `migration_credentials`: sealed secrets. What is in them is not known here.

use crate::{Conn, Error, Result, read::Columns, sql::changed};
use gatepost_contract::MailboxId;
use std::fmt;

/// A sealed secret.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// What a mailbox refers to it by.
    pub id: String,
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// The sealed bytes.
    pub secret_blob: Vec<u8>,
}

impl fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRow")
            .field("id", &self.id)
            .field("mailbox_id", &self.mailbox_id)
            .finish_non_exhaustive()
    }
}

/// Stores a new one under an id that the caller made.
pub async fn put(
    conn: &mut Conn,
    id: &str,
    mailbox: MailboxId,
    secret_blob: &[u8],
    expires_at: Option<&str>,
    now: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO migration_credentials (id, mailbox_id, secret_blob, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(mailbox.0)
    .bind(secret_blob)
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "credential" }, "mailbox"))?;
    Ok(())
}

/// The sealed bytes.
pub async fn get(conn: &mut Conn, id: &str) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT secret_blob FROM migration_credentials WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// Seals one anew, for a rotation of keys.
pub async fn replace(conn: &mut Conn, id: &str, secret_blob: &[u8]) -> Result<()> {
    let result = sqlx::query("UPDATE migration_credentials SET secret_blob = $2 WHERE id = $1")
        .bind(id)
        .bind(secret_blob)
        .execute(conn)
        .await?;
    changed(&result, "credential")
}

/// Forgets one.
pub async fn delete(conn: &mut Conn, id: &str) -> Result<()> {
    sqlx::query("DELETE FROM migration_credentials WHERE id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// All of them, for a rotation of keys.
pub async fn all(conn: &mut Conn) -> Result<Vec<CredentialRow>> {
    let rows = sqlx::query("SELECT id, mailbox_id, secret_blob FROM migration_credentials ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(CredentialRow {
                id: row.text("id")?,
                mailbox_id: MailboxId(row.integer("mailbox_id")?),
                secret_blob: row.bytes("secret_blob")?,
            })
        })
        .collect()
}
