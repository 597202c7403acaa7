//! `webhooks`: addresses that are told of events. What is in the sealed URLs and secrets is not known
//! here.

use crate::{
    Conn, Result,
    read::{Columns, parse},
    sql::{Conditions, List, changed, int},
};
use gatepost_contract::{Page, PageQuery, Webhook, WebhookEvent, WebhookId};
use sqlx::any::AnyRow;
use std::fmt;

const SELECT: &str = "SELECT w.*, (SELECT count(*) FROM webhook_deliveries d
    WHERE d.webhook_id = w.id AND d.status = 'queued') AS waiting";

const SEALED: &str = "SELECT id, url_blob, secret_blob, old_secret_blob, old_secret_until FROM webhooks";

const LIST: List = List {
    select: SELECT,
    from: "webhooks w",
    count_from: "webhooks w",
    sorts: &[
        ("id", "w.id"),
        ("origin", "w.origin"),
        ("created_at", "w.created_at"),
        ("last_attempt_at", "w.last_attempt_at"),
    ],
    usual: "id",
    id: "w.id",
};

/// What is sealed of a webhook: where it is, and the secrets that sign.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// The whole URL.
    pub url_blob: Vec<u8>,
    /// The present secret.
    pub secret_blob: Vec<u8>,
    /// The one before it.
    pub old_secret_blob: Option<Vec<u8>>,
    /// Until when that one still signs.
    pub old_secret_until: Option<String>,
}

impl fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRow").field("old_secret_until", &self.old_secret_until).finish_non_exhaustive()
    }
}

/// A new one.
#[derive(Clone, Copy)]
pub struct NewWebhookRow<'a> {
    /// Scheme, host and port: what may be read of the URL.
    pub origin: &'a str,
    /// The whole URL, sealed.
    pub url_blob: &'a [u8],
    /// What it is for.
    pub description: &'a str,
    /// What it is told of.
    pub events: &'a [WebhookEvent],
    /// The secret, sealed.
    pub secret_blob: &'a [u8],
    /// Who made it.
    pub created_by: &'a str,
}

impl fmt::Debug for NewWebhookRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWebhookRow").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Writes a new one.
pub async fn insert(conn: &mut Conn, new: &NewWebhookRow<'_>, now: &str) -> Result<WebhookId> {
    let id = sqlx::query_scalar(
        "INSERT INTO webhooks (origin, url_blob, description, events, secret_blob, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
    )
    .bind(new.origin)
    .bind(new.url_blob)
    .bind(new.description)
    .bind(written(new.events))
    .bind(new.secret_blob)
    .bind(new.created_by)
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(WebhookId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: WebhookId) -> Result<Option<Webhook>> {
    let text = format!("{SELECT} FROM webhooks w WHERE w.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// All of them, in pages.
pub async fn list(conn: &mut Conn, page: &PageQuery) -> Result<Page<Webhook>> {
    LIST.page(conn, &Conditions::default(), page, read).await
}

/// How many there are.
pub async fn count(conn: &mut Conn) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM webhooks").fetch_one(conn).await?)
}

/// Those that are told of an event.
pub async fn told_of(conn: &mut Conn, event: WebhookEvent) -> Result<Vec<WebhookId>> {
    let rows = sqlx::query("SELECT id, events FROM webhooks WHERE disabled = 0 ORDER BY id").fetch_all(conn).await?;
    let mut told = Vec::new();
    for row in &rows {
        if events(row)?.contains(&event) {
            told.push(WebhookId(row.integer("id")?));
        }
    }
    Ok(told)
}

/// Changes what people choose about one, but for its address.
pub async fn update(
    conn: &mut Conn,
    id: WebhookId,
    description: &str,
    events: &[WebhookEvent],
    disabled: bool,
    now: &str,
) -> Result<()> {
    let result =
        sqlx::query("UPDATE webhooks SET description = $2, events = $3, disabled = $4, updated_at = $5 WHERE id = $1")
            .bind(id.0)
            .bind(description)
            .bind(written(events))
            .bind(int(disabled))
            .bind(now)
            .execute(conn)
            .await?;
    changed(&result, "webhook")
}

/// Gives one a new address.
pub async fn replace_url(conn: &mut Conn, id: WebhookId, origin: &str, url_blob: &[u8], now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE webhooks SET origin = $2, url_blob = $3, updated_at = $4 WHERE id = $1")
        .bind(id.0)
        .bind(origin)
        .bind(url_blob)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "webhook")
}

/// Tells one of nothing any more.
pub async fn disable(conn: &mut Conn, id: WebhookId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE webhooks SET disabled = 1, updated_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "webhook")
}

/// Gives one a new secret. The present one goes on signing until `old_until`.
pub async fn replace_secret(
    conn: &mut Conn,
    id: WebhookId,
    secret_blob: &[u8],
    old_until: &str,
    now: &str,
) -> Result<()> {
    let result = sqlx::query(
        "UPDATE webhooks SET old_secret_blob = secret_blob, old_secret_until = $3, secret_blob = $2, updated_at = $4
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(secret_blob)
    .bind(old_until)
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "webhook")
}

/// Notes how the last attempt went.
pub async fn attempted(conn: &mut Conn, id: WebhookId, error: Option<&str>, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE webhooks SET last_attempt_at = $2, last_error = $3 WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .bind(error)
        .execute(conn)
        .await?;
    changed(&result, "webhook")
}

/// Forgets one and its deliveries.
pub async fn delete(conn: &mut Conn, id: WebhookId) -> Result<()> {
    let result = sqlx::query("DELETE FROM webhooks WHERE id = $1").bind(id.0).execute(conn).await?;
    changed(&result, "webhook")
}

/// What is sealed of one.
pub async fn sealed(conn: &mut Conn, id: WebhookId) -> Result<Option<SealedRow>> {
    let row =
        sqlx::query(sqlx::AssertSqlSafe(format!("{SEALED} WHERE id = $1"))).bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read_sealed).transpose()
}

/// What is sealed of all, for a rotation of keys.
pub async fn all_sealed(conn: &mut Conn) -> Result<Vec<(WebhookId, SealedRow)>> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SEALED} ORDER BY id"))).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((WebhookId(row.integer("id")?), read_sealed(row)?))).collect()
}

/// Seals them anew, for a rotation of keys.
pub async fn reseal(conn: &mut Conn, id: WebhookId, row: &SealedRow) -> Result<()> {
    let result = sqlx::query("UPDATE webhooks SET url_blob = $2, secret_blob = $3, old_secret_blob = $4 WHERE id = $1")
        .bind(id.0)
        .bind(row.url_blob.as_slice())
        .bind(row.secret_blob.as_slice())
        .bind(row.old_secret_blob.as_deref())
        .execute(conn)
        .await?;
    changed(&result, "webhook")
}

fn written(events: &[WebhookEvent]) -> String {
    events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(" ")
}

fn events(row: &AnyRow) -> Result<Vec<WebhookEvent>> {
    row.text("events")?.split_whitespace().map(|name| parse("events", name)).collect()
}

fn read_sealed(row: &AnyRow) -> Result<SealedRow> {
    Ok(SealedRow {
        url_blob: row.bytes("url_blob")?,
        secret_blob: row.bytes("secret_blob")?,
        old_secret_blob: row.maybe_bytes("old_secret_blob")?,
        old_secret_until: row.maybe_text("old_secret_until")?,
    })
}

fn read(row: &AnyRow) -> Result<Webhook> {
    Ok(Webhook {
        id: WebhookId(row.integer("id")?),
        origin: row.text("origin")?,
        description: row.text("description")?,
        events: events(row)?,
        disabled: row.truth("disabled")?,
        old_secret_until: row.maybe_text("old_secret_until")?,
        waiting: row.integer("waiting")?,
        last_attempt_at: row.maybe_text("last_attempt_at")?,
        last_error: row.maybe_text("last_error")?,
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
    })
}
