//! `oauth_tokens`: the sealed tokens of consents. What is in them is not known here.
//!
//! Whoever renews a token [takes](take) its row first, under a name that is used once, and what comes of it is written
//! only while the row still has that name. So one process asks the provider at a time, and an answer that comes late
//! does not replace what a newer consent brought.

use crate::{Conn, Result, read::Columns, sql::changed};
use gatepost_contract::ConsentId;
use sqlx::any::AnyRow;
use std::fmt;

/// The tokens of one account.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// What a mail server is shown, sealed.
    pub access_blob: Option<Vec<u8>>,
    /// Until when it holds.
    pub access_until: Option<String>,
    /// What gets the next one, sealed.
    pub refresh_blob: Option<Vec<u8>>,
    /// When they came.
    pub refreshed_at: Option<String>,
    /// Who renews them at the moment.
    pub renewer: Option<String>,
    /// Until when nobody else does.
    pub renewer_until: Option<String>,
}

impl fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRow")
            .field("access_until", &self.access_until)
            .field("renewer_until", &self.renewer_until)
            .finish_non_exhaustive()
    }
}

/// New tokens, sealed.
#[derive(Clone, Copy)]
pub struct NewTokens<'a> {
    /// What a mail server is shown.
    pub access_blob: &'a [u8],
    /// Until when it holds.
    pub access_until: &'a str,
    /// What gets the next one; the one before stays where there is none.
    pub refresh_blob: Option<&'a [u8]>,
}

impl fmt::Debug for NewTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewTokens").field("access_until", &self.access_until).finish_non_exhaustive()
    }
}

/// The tokens of an account, where there are any.
pub async fn get(conn: &mut Conn, consent: ConsentId, subject: &str) -> Result<Option<TokenRow>> {
    let row = sqlx::query("SELECT * FROM oauth_tokens WHERE consent_id = $1 AND subject = $2")
        .bind(consent.0)
        .bind(subject)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Takes the row of an account for a renewal, unless somebody else has it; whether that was so. Makes the row where there
/// is none. Whoever says to have it until after `too_late` said so by a clock that was ahead: that does not count.
pub async fn take(
    conn: &mut Conn,
    consent: ConsentId,
    subject: &str,
    renewer: &str,
    until: &str,
    too_late: &str,
    now: &str,
) -> Result<bool> {
    let taken = sqlx::query(
        "INSERT INTO oauth_tokens (consent_id, subject, renewer, renewer_until) VALUES ($1, $2, $3, $4)
         ON CONFLICT (consent_id, subject) DO UPDATE SET renewer = excluded.renewer,
             renewer_until = excluded.renewer_until
         WHERE oauth_tokens.renewer IS NULL OR oauth_tokens.renewer_until <= $5 OR oauth_tokens.renewer_until > $6",
    )
    .bind(consent.0)
    .bind(subject)
    .bind(renewer)
    .bind(until)
    .bind(now)
    .bind(too_late)
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() > 0)
}

/// Writes what a renewal brought and gives the row back; whether the row was still the renewer's.
pub async fn renewed(
    conn: &mut Conn,
    consent: ConsentId,
    subject: &str,
    renewer: &str,
    new: &NewTokens<'_>,
    now: &str,
) -> Result<bool> {
    let written = sqlx::query(
        "UPDATE oauth_tokens SET access_blob = $4, access_until = $5, refresh_blob = coalesce($6, refresh_blob),
             refreshed_at = $7, renewer = NULL, renewer_until = NULL
         WHERE consent_id = $1 AND subject = $2 AND renewer = $3",
    )
    .bind(consent.0)
    .bind(subject)
    .bind(renewer)
    .bind(new.access_blob)
    .bind(new.access_until)
    .bind(new.refresh_blob)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Gives a row back without new tokens; whether it was still the renewer's.
pub async fn give_back(conn: &mut Conn, consent: ConsentId, subject: &str, renewer: &str) -> Result<bool> {
    let given = sqlx::query(
        "UPDATE oauth_tokens SET renewer = NULL, renewer_until = NULL
         WHERE consent_id = $1 AND subject = $2 AND renewer = $3",
    )
    .bind(consent.0)
    .bind(subject)
    .bind(renewer)
    .execute(conn)
    .await?;
    Ok(given.rows_affected() > 0)
}

/// Puts the tokens of a new consent in the place of all that there were. Renewals that are under way come to nothing.
pub async fn put(conn: &mut Conn, consent: ConsentId, subject: &str, new: &NewTokens<'_>, now: &str) -> Result<()> {
    forget(conn, consent).await?;
    let result = sqlx::query(
        "INSERT INTO oauth_tokens (consent_id, subject, access_blob, access_until, refresh_blob, refreshed_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(consent.0)
    .bind(subject)
    .bind(new.access_blob)
    .bind(new.access_until)
    .bind(new.refresh_blob)
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "consent")
}

/// Forgets all tokens of a consent.
pub async fn forget(conn: &mut Conn, consent: ConsentId) -> Result<()> {
    sqlx::query("DELETE FROM oauth_tokens WHERE consent_id = $1").bind(consent.0).execute(conn).await?;
    Ok(())
}

/// Forgets what an application got, where it has become another.
pub async fn forget_access(conn: &mut Conn, app: gatepost_contract::OauthAppId) -> Result<()> {
    sqlx::query(
        "UPDATE oauth_tokens SET access_blob = NULL, access_until = NULL
         WHERE consent_id IN (SELECT id FROM oauth_consents WHERE app_id = $1)",
    )
    .bind(app.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// All sealed tokens with their accounts, for a rotation of keys.
pub async fn all(conn: &mut Conn) -> Result<Vec<(ConsentId, String, TokenRow)>> {
    let rows = sqlx::query("SELECT * FROM oauth_tokens ORDER BY consent_id, subject").fetch_all(conn).await?;
    rows.iter().map(|row| Ok((ConsentId(row.integer("consent_id")?), row.text("subject")?, read(row)?))).collect()
}

/// Seals one anew, for a rotation of keys, unless a renewal has written another meanwhile; whether it was still the one
/// that was read.
pub async fn reseal(
    conn: &mut Conn,
    consent: ConsentId,
    subject: &str,
    read: &TokenRow,
    access_blob: Option<&[u8]>,
    refresh_blob: Option<&[u8]>,
) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE oauth_tokens SET access_blob = $3, refresh_blob = $4
         WHERE consent_id = $1 AND subject = $2
             AND access_blob IS NOT DISTINCT FROM $5 AND refresh_blob IS NOT DISTINCT FROM $6",
    )
    .bind(consent.0)
    .bind(subject)
    .bind(access_blob)
    .bind(refresh_blob)
    .bind(read.access_blob.as_deref())
    .bind(read.refresh_blob.as_deref())
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

fn read(row: &AnyRow) -> Result<TokenRow> {
    Ok(TokenRow {
        access_blob: row.maybe_bytes("access_blob")?,
        access_until: row.maybe_text("access_until")?,
        refresh_blob: row.maybe_bytes("refresh_blob")?,
        refreshed_at: row.maybe_text("refreshed_at")?,
        renewer: row.maybe_text("renewer")?,
        renewer_until: row.maybe_text("renewer_until")?,
    })
}
