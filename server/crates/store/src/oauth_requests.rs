//! `oauth_requests`, `oauth_devices`, `oauth_links`: consents on their way. A request is a browser that was sent to a
//! provider and has to come back; a device is a code that waits to be typed in; a link asks a mailbox's owner.

use crate::{Conn, Error, Result, read::Columns, sql::int};
use gatepost_contract::{ConsentId, ConsentLinkId};
use std::fmt;

/// A browser on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// What it asks for.
    pub consent_id: ConsentId,
    /// The digest of what the browser keeps.
    pub browser_digest: String,
    /// The code verifier, sealed.
    pub verifier_blob: Vec<u8>,
    /// The address that it was told to come back to.
    pub redirect_url: String,
    /// The link that it came by.
    pub link_id: Option<ConsentLinkId>,
    /// Who sent it.
    pub asked_by: String,
    /// Whether another account than the mailbox's may consent, as for a shared mailbox.
    pub any_account: bool,
}

impl fmt::Debug for RequestRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRow")
            .field("consent_id", &self.consent_id)
            .field("link_id", &self.link_id)
            .finish_non_exhaustive()
    }
}

/// A code that waits to be typed in.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// What it asks for.
    pub consent_id: ConsentId,
    /// What the provider is asked with, sealed.
    pub device_blob: Vec<u8>,
    /// What is typed in.
    pub user_code: String,
    /// Where.
    pub verification_url: String,
    /// Seconds between two questions.
    pub interval_seconds: i64,
    /// Not asked before this.
    pub next_poll_at: String,
    /// After this it is of no use.
    pub expires_at: String,
    /// Who asked for it.
    pub asked_by: String,
    /// Whether another account than the mailbox's may consent, as for a shared mailbox.
    pub any_account: bool,
}

impl fmt::Debug for DeviceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceRow").field("consent_id", &self.consent_id).finish_non_exhaustive()
    }
}

/// A link to a mailbox's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Its id.
    pub id: ConsentLinkId,
    /// What it asks for.
    pub consent_id: ConsentId,
    /// After this it is refused.
    pub expires_at: String,
    /// Whether it can be used.
    pub usable: bool,
}

/// Keeps a request under the digest of its state.
pub async fn insert(
    conn: &mut Conn,
    state_digest: &str,
    request: &RequestRow,
    expires_at: &str,
    now: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO oauth_requests (state_digest, consent_id, browser_digest, verifier_blob, redirect_url, link_id,
             asked_by, any_account, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(state_digest)
    .bind(request.consent_id.0)
    .bind(request.browser_digest.as_str())
    .bind(request.verifier_blob.as_slice())
    .bind(request.redirect_url.as_str())
    .bind(request.link_id.map(|id| id.0))
    .bind(request.asked_by.as_str())
    .bind(int(request.any_account))
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "request" }, "consent"))?;
    Ok(())
}

/// Uses up a request: only in the browser that left, only in its time, and only once.
pub async fn redeem(
    conn: &mut Conn,
    state_digest: &str,
    browser_digest: &str,
    now: &str,
) -> Result<Option<RequestRow>> {
    let row = sqlx::query(
        "UPDATE oauth_requests SET used_at = $3
         WHERE state_digest = $1 AND browser_digest = $2 AND used_at IS NULL AND expires_at > $3
         RETURNING consent_id, browser_digest, verifier_blob, redirect_url, link_id, asked_by,
             any_account",
    )
    .bind(state_digest)
    .bind(browser_digest)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(RequestRow {
            consent_id: ConsentId(row.integer("consent_id")?),
            browser_digest: row.text("browser_digest")?,
            verifier_blob: row.bytes("verifier_blob")?,
            redirect_url: row.text("redirect_url")?,
            link_id: row.maybe_integer("link_id")?.map(ConsentLinkId),
            asked_by: row.text("asked_by")?,
            any_account: row.truth("any_account")?,
        })
    })
    .transpose()
}

/// Forgets all that is on its way to a consent: it has come, or is wanted no more.
pub async fn forget(conn: &mut Conn, consent: ConsentId, now: &str) -> Result<()> {
    sqlx::query("DELETE FROM oauth_requests WHERE consent_id = $1").bind(consent.0).execute(&mut *conn).await?;
    drop_device(conn, consent).await?;
    revoke_links(conn, consent, now).await
}

/// Removes the requests that ended before a time, with their verifiers. A code goes when it is asked about for the last
/// time.
pub async fn tidy(conn: &mut Conn, before: &str) -> Result<u64> {
    let requests =
        sqlx::query("DELETE FROM oauth_requests WHERE expires_at < $1").bind(before).execute(&mut *conn).await?;
    Ok(requests.rows_affected())
}

/// Keeps a code in the place of the one before.
pub async fn put_device(conn: &mut Conn, device: &DeviceRow) -> Result<()> {
    drop_device(conn, device.consent_id).await?;
    sqlx::query(
        "INSERT INTO oauth_devices (consent_id, device_blob, user_code, verification_url, interval_seconds, next_poll_at,
             expires_at, asked_by, any_account)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(device.consent_id.0)
    .bind(device.device_blob.as_slice())
    .bind(device.user_code.as_str())
    .bind(device.verification_url.as_str())
    .bind(device.interval_seconds)
    .bind(device.next_poll_at.as_str())
    .bind(device.expires_at.as_str())
    .bind(device.asked_by.as_str())
    .bind(int(device.any_account))
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "code" }, "consent"))?;
    Ok(())
}

/// Takes a code that may be asked about, and puts off the next question; none where it is not time yet, or another has
/// just asked.
pub async fn take_device(
    conn: &mut Conn,
    consent: ConsentId,
    next_poll_at: &str,
    now: &str,
) -> Result<Option<DeviceRow>> {
    let row = sqlx::query(
        "UPDATE oauth_devices SET next_poll_at = $2 WHERE consent_id = $1 AND next_poll_at <= $3 RETURNING *",
    )
    .bind(consent.0)
    .bind(next_poll_at)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(DeviceRow {
            consent_id: ConsentId(row.integer("consent_id")?),
            device_blob: row.bytes("device_blob")?,
            user_code: row.text("user_code")?,
            verification_url: row.text("verification_url")?,
            interval_seconds: row.integer("interval_seconds")?,
            next_poll_at: row.text("next_poll_at")?,
            expires_at: row.text("expires_at")?,
            asked_by: row.text("asked_by")?,
            any_account: row.truth("any_account")?,
        })
    })
    .transpose()
}

/// Says when a code may be asked about again.
pub async fn put_off(conn: &mut Conn, consent: ConsentId, interval_seconds: i64, next_poll_at: &str) -> Result<()> {
    sqlx::query("UPDATE oauth_devices SET interval_seconds = $2, next_poll_at = $3 WHERE consent_id = $1")
        .bind(consent.0)
        .bind(interval_seconds)
        .bind(next_poll_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The consents whose codes may be asked about.
pub async fn due_devices(conn: &mut Conn, now: &str) -> Result<Vec<ConsentId>> {
    let rows = sqlx::query_scalar(
        "SELECT consent_id FROM oauth_devices WHERE next_poll_at <= $1 ORDER BY next_poll_at LIMIT 20",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(ConsentId).collect())
}

/// Forgets a code; whether there was one.
pub async fn drop_device(conn: &mut Conn, consent: ConsentId) -> Result<bool> {
    let result = sqlx::query("DELETE FROM oauth_devices WHERE consent_id = $1").bind(consent.0).execute(conn).await?;
    Ok(result.rows_affected() > 0)
}

/// A new link; those before it that were not used are refused from now on.
pub async fn insert_link(
    conn: &mut Conn,
    consent: ConsentId,
    nonce: &str,
    created_by: &str,
    expires_at: &str,
    now: &str,
) -> Result<ConsentLinkId> {
    revoke_links(conn, consent, now).await?;
    let id = sqlx::query_scalar(
        "INSERT INTO oauth_links (consent_id, nonce, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         RETURNING id",
    )
    .bind(consent.0)
    .bind(nonce)
    .bind(created_by)
    .bind(now)
    .bind(expires_at)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "link" }, "consent"))?;
    Ok(ConsentLinkId(id))
}

/// Refuses the links of a consent that were not used.
pub async fn revoke_links(conn: &mut Conn, consent: ConsentId, now: &str) -> Result<()> {
    sqlx::query(
        "UPDATE oauth_links SET revoked_at = $2 WHERE consent_id = $1 AND used_at IS NULL AND revoked_at IS NULL",
    )
    .bind(consent.0)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The link with this id and this nonce, whether it can be used or not.
pub async fn link(conn: &mut Conn, id: ConsentLinkId, nonce: &str, now: &str) -> Result<Option<LinkRow>> {
    let row = sqlx::query("SELECT * FROM oauth_links WHERE id = $1 AND nonce = $2")
        .bind(id.0)
        .bind(nonce)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        let expires_at = row.text("expires_at")?;
        let ended = row.maybe_text("used_at")?.is_some() || row.maybe_text("revoked_at")?.is_some();
        Ok(LinkRow {
            id: ConsentLinkId(row.integer("id")?),
            consent_id: ConsentId(row.integer("consent_id")?),
            usable: !ended && expires_at.as_str() > now,
            expires_at,
        })
    })
    .transpose()
}

/// Uses up a link; whether it could be used.
pub async fn use_link(conn: &mut Conn, id: ConsentLinkId, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE oauth_links SET used_at = $2
         WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(id.0)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// The sealed verifiers and device codes, for a rotation of keys: each under the key that [`reseal`] takes.
pub async fn sealed(conn: &mut Conn) -> Result<Vec<(SealedPlace, Vec<u8>)>> {
    let mut found = Vec::new();
    for row in &sqlx::query("SELECT state_digest, verifier_blob FROM oauth_requests").fetch_all(&mut *conn).await? {
        found.push((SealedPlace::Request(row.text("state_digest")?), row.bytes("verifier_blob")?));
    }
    for row in &sqlx::query("SELECT consent_id, device_blob FROM oauth_devices").fetch_all(conn).await? {
        found.push((SealedPlace::Device(ConsentId(row.integer("consent_id")?)), row.bytes("device_blob")?));
    }
    Ok(found)
}

/// Where something sealed stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedPlace {
    /// A request, by the digest of its state.
    Request(String),
    /// A code.
    Device(ConsentId),
}

/// Seals one anew, for a rotation of keys, unless it has served or was replaced meanwhile.
pub async fn reseal(conn: &mut Conn, place: &SealedPlace, read: &[u8], blob: &[u8]) -> Result<bool> {
    let result = match place {
        SealedPlace::Request(digest) => {
            sqlx::query("UPDATE oauth_requests SET verifier_blob = $2 WHERE state_digest = $1 AND verifier_blob = $3")
                .bind(digest.as_str())
                .bind(blob)
                .bind(read)
                .execute(conn)
                .await?
        }
        SealedPlace::Device(consent) => {
            sqlx::query("UPDATE oauth_devices SET device_blob = $2 WHERE consent_id = $1 AND device_blob = $3")
                .bind(consent.0)
                .bind(blob)
                .bind(read)
                .execute(conn)
                .await?
        }
    };
    Ok(result.rows_affected() > 0)
}
