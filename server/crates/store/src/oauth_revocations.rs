//! `oauth_revocations`: sealed tokens that a provider is to take back. What is in them is not known here.
//!
//! Whoever asks the provider [takes](take) the row first, which puts the next attempt off for as long as an answer may
//! take: one process asks at a time, and one that dies leaves the row to the next.

use crate::{Conn, Error, Result, read::Columns};
use gatepost_contract::{Consent, ConsentId, JobId, MailboxId, OauthAppId, Revocation, RevocationId};
use sqlx::{AssertSqlSafe, any::AnyRow};
use std::fmt;

/// A row that was taken.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationRow {
    /// Its id.
    pub id: RevocationId,
    /// The consent that it was of.
    pub consent_id: ConsentId,
    /// The application.
    pub app_id: OauthAppId,
    /// The job.
    pub job_id: JobId,
    /// Microsoft's directory, where the application's is not meant.
    pub directory: Option<String>,
    /// The token, sealed.
    pub token_blob: Vec<u8>,
    /// How many attempts there were, with the one that begins.
    pub tries: i64,
}

impl fmt::Debug for RevocationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationRow").field("id", &self.id).field("tries", &self.tries).finish_non_exhaustive()
    }
}

/// Keeps a token that is to be taken back; it may be tried at once.
pub async fn insert(conn: &mut Conn, consent: &Consent, blob: &[u8], by: &str, now: &str) -> Result<RevocationId> {
    let id = sqlx::query_scalar(
        "INSERT INTO oauth_revocations (consent_id, app_id, app_name, job_id, mailbox_id, email, side, directory, token_blob,
             withdrawn_by, withdrawn_at, next_try_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id",
    )
    .bind(consent.id.0)
    .bind(consent.app_id.0)
    .bind(consent.app_name.as_str())
    .bind(consent.job_id.0)
    .bind(consent.mailbox_id.map(|id| id.0))
    .bind(consent.email.as_deref().or(consent.domain.as_deref()).unwrap_or_default())
    .bind(consent.side.as_str())
    .bind(consent.directory.as_deref())
    .bind(blob)
    .bind(by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "revocation" }, "application, job or mailbox"))?;
    Ok(RevocationId(id))
}

/// Those that may be tried, the longest due first. A time beyond `too_late` was written by a clock that was ahead.
pub async fn due(conn: &mut Conn, now: &str, too_late: &str, most: u32) -> Result<Vec<RevocationId>> {
    let rows = sqlx::query_scalar(
        "SELECT id FROM oauth_revocations WHERE state = 'waiting' AND (next_try_at <= $1 OR next_try_at > $2)
         ORDER BY next_try_at, id LIMIT $3",
    )
    .bind(now)
    .bind(too_late)
    .bind(i64::from(most))
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(RevocationId).collect())
}

/// Takes one that is due: nobody else tries it before `until`.
pub async fn take(
    conn: &mut Conn,
    id: RevocationId,
    now: &str,
    too_late: &str,
    until: &str,
) -> Result<Option<RevocationRow>> {
    let row = sqlx::query(
        "UPDATE oauth_revocations SET tries = tries + 1, next_try_at = $4
         WHERE id = $1 AND state = 'waiting' AND app_id IS NOT NULL AND (next_try_at <= $2 OR next_try_at > $3)
         RETURNING id, consent_id, app_id, job_id, directory, token_blob, tries",
    )
    .bind(id.0)
    .bind(now)
    .bind(too_late)
    .bind(until)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(RevocationRow {
            id: RevocationId(row.integer("id")?),
            consent_id: ConsentId(row.integer("consent_id")?),
            app_id: OauthAppId(row.integer("app_id")?),
            job_id: JobId(row.integer("job_id")?),
            directory: row.maybe_text("directory")?,
            token_blob: row.bytes("token_blob")?,
            tries: row.integer("tries")?,
        })
    })
    .transpose()
}

/// The provider has taken one back; whether it was still waited for.
pub async fn confirm(conn: &mut Conn, id: RevocationId, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE oauth_revocations SET state = 'confirmed', error = NULL, token_blob = NULL, next_try_at = NULL,
             settled_at = $2 WHERE id = $1 AND state = 'waiting'",
    )
    .bind(id.0)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// It has not: another attempt follows.
pub async fn put_off(conn: &mut Conn, id: RevocationId, error: &str, next: &str) -> Result<()> {
    sqlx::query("UPDATE oauth_revocations SET error = $2, next_try_at = $3 WHERE id = $1 AND state = 'waiting'")
        .bind(id.0)
        .bind(crate::sql::clean(error))
        .bind(next)
        .execute(conn)
        .await?;
    Ok(())
}

/// It will not be asked again; whether it was still waited for.
pub async fn give_up(conn: &mut Conn, id: RevocationId, error: &str, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE oauth_revocations SET state = 'given_up', error = $2, token_blob = NULL, next_try_at = NULL,
             settled_at = $3 WHERE id = $1 AND state = 'waiting'",
    )
    .bind(id.0)
    .bind(crate::sql::clean(error))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Those of an application that are waited for.
pub async fn waiting_of_app(conn: &mut Conn, app: OauthAppId) -> Result<Vec<Revocation>> {
    let text = "SELECT * FROM oauth_revocations WHERE app_id = $1 AND state = 'waiting' ORDER BY id";
    let rows = sqlx::query(text).bind(app.0).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// Those of a job, the newest first.
pub async fn of_job(conn: &mut Conn, job: JobId, most: u32) -> Result<Vec<Revocation>> {
    list(conn, "job_id", job.0, most).await
}

/// Those of a mailbox, the newest first.
pub async fn of_mailbox(conn: &mut Conn, mailbox: MailboxId, most: u32) -> Result<Vec<Revocation>> {
    list(conn, "mailbox_id", mailbox.0, most).await
}

async fn list(conn: &mut Conn, column: &'static str, id: i64, most: u32) -> Result<Vec<Revocation>> {
    let text = format!("SELECT * FROM oauth_revocations WHERE {column} = $1 ORDER BY id DESC LIMIT $2");
    let rows = sqlx::query(AssertSqlSafe(text)).bind(id).bind(i64::from(most)).fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// All sealed tokens, for a rotation of keys.
pub async fn sealed(conn: &mut Conn) -> Result<Vec<(RevocationId, Vec<u8>)>> {
    let rows = sqlx::query("SELECT id, token_blob FROM oauth_revocations WHERE token_blob IS NOT NULL ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| Ok((RevocationId(row.integer("id")?), row.bytes("token_blob")?))).collect()
}

/// Seals one anew, for a rotation of keys; whether it was still the one that was read, or is of no use any more.
pub async fn reseal(conn: &mut Conn, id: RevocationId, read: &[u8], blob: &[u8]) -> Result<bool> {
    let result = sqlx::query("UPDATE oauth_revocations SET token_blob = $3 WHERE id = $1 AND token_blob = $2")
        .bind(id.0)
        .bind(read)
        .bind(blob)
        .execute(conn)
        .await?;
    Ok(result.rows_affected() > 0)
}

fn read(row: &AnyRow) -> Result<Revocation> {
    Ok(Revocation {
        id: RevocationId(row.integer("id")?),
        consent_id: ConsentId(row.integer("consent_id")?),
        app_name: row.text("app_name")?,
        job_id: JobId(row.integer("job_id")?),
        mailbox_id: row.maybe_integer("mailbox_id")?.map(MailboxId),
        email: row.text("email")?,
        side: row.name("side")?,
        state: row.name("state")?,
        tries: row.integer("tries")?,
        error: row.maybe_text("error")?,
        withdrawn_by: row.text("withdrawn_by")?,
        withdrawn_at: row.text("withdrawn_at")?,
        next_try_at: row.maybe_text("next_try_at")?,
        settled_at: row.maybe_text("settled_at")?,
    })
}
