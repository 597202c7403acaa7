//! `webhook_deliveries`: each telling of an event to an address, written in the transaction of the event itself.
//!
//! A process takes a delivery by [`claim`], which gives it a lease: while that lasts nobody else posts to the same
//! address, so that deliveries stay in their order and a slow receiver holds up nobody but itself. A process that dies
//! lets its lease end, and the delivery is posted again under the same message id.

use crate::{
    Conn, Error, Result,
    dialect::Dialect,
    read::Columns,
    sql::{Conditions, List, clean},
};
use gatepost_contract::{
    DeliveryFilter, DeliveryId, DeliveryStatus, JobId, Page, PageQuery, WebhookDelivery, WebhookEvent, WebhookId,
};
use sqlx::{AssertSqlSafe, any::AnyRow};

const LIST: List = List {
    select: "SELECT *",
    from: "webhook_deliveries",
    count_from: "webhook_deliveries",
    sorts: &[("id", "id"), ("attempted_at", "attempted_at")],
    usual: "-id",
    id: "id",
};

/// A new delivery.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    /// To whom.
    pub webhook_id: WebhookId,
    /// What receivers know the event by.
    pub message_id: &'a str,
    /// What happened.
    pub event: WebhookEvent,
    /// The job it happened to.
    pub job_id: Option<JobId>,
    /// The bytes that are signed.
    pub payload: &'a str,
    /// The delivery that this one repeats.
    pub replay_of: Option<DeliveryId>,
}

/// A delivery in the hands of a process.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Which.
    pub id: DeliveryId,
    /// To whom.
    pub webhook_id: WebhookId,
    /// What receivers know the event by.
    pub message_id: String,
    /// The bytes that are signed.
    pub payload: String,
    /// The number of this attempt, from 1. Whoever writes down the end of an attempt must name it.
    pub attempt: i64,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Attempted<'a> {
    /// The new status.
    pub status: DeliveryStatus,
    /// When it is tried again, where it is.
    pub next_attempt_at: Option<&'a str>,
    /// The HTTP status of the answer, if there was one.
    pub response_status: Option<u16>,
    /// Why it failed.
    pub error: Option<&'a str>,
}

/// Puts one into the queue, due at once.
pub async fn insert(conn: &mut Conn, new: &NewDelivery<'_>, now: &str) -> Result<DeliveryId> {
    let id = sqlx::query_scalar(
        "INSERT INTO webhook_deliveries
             (webhook_id, message_id, event, job_id, payload, replay_of, next_attempt_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id",
    )
    .bind(new.webhook_id.0)
    .bind(new.message_id)
    .bind(new.event.as_str())
    .bind(new.job_id.map(|job| job.0))
    .bind(new.payload)
    .bind(new.replay_of.map(|id| id.0))
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(DeliveryId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: DeliveryId) -> Result<Option<WebhookDelivery>> {
    let row = sqlx::query("SELECT * FROM webhook_deliveries WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// Those to one address, in pages, the newest first.
pub async fn list(
    conn: &mut Conn,
    webhook: WebhookId,
    filter: &DeliveryFilter,
    page: &PageQuery,
) -> Result<Page<WebhookDelivery>> {
    let mut conditions = Conditions::default();
    conditions.integer("webhook_id = ?", Some(webhook.0));
    conditions.text("status = ?", filter.status.map(DeliveryStatus::as_str));
    conditions.text("event = ?", filter.event.map(WebhookEvent::as_str));
    LIST.page(conn, &conditions, page, read).await
}

/// Whether something is due. Cheap, and without the right to write, for the many times at which nothing is.
pub async fn is_due(conn: &mut Conn, now: &str) -> Result<bool> {
    let found =
        sqlx::query("SELECT id FROM webhook_deliveries WHERE status = 'queued' AND next_attempt_at <= $1 LIMIT 1")
            .bind(now)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// Hands out what has been due for longest, of an address that nobody is posting to.
pub async fn claim(conn: &mut Conn, now: &str, lease_until: &str) -> Result<Option<Claimed>> {
    let skip = Dialect::of(conn).skip_locked();
    let text = format!(
        "UPDATE webhook_deliveries SET lease_until = $1, attempts = attempts + 1
         WHERE id = (SELECT d.id FROM webhook_deliveries d
             WHERE d.status = 'queued' AND d.next_attempt_at <= $2
                 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries o
                     WHERE o.webhook_id = d.webhook_id AND o.lease_until > $2)
             ORDER BY d.next_attempt_at, d.id LIMIT 1{skip})
         RETURNING *"
    );
    let row = sqlx::query(AssertSqlSafe(text)).bind(lease_until).bind(now).fetch_optional(conn).await?;
    row.map(|row| {
        Ok(Claimed {
            id: DeliveryId(row.integer("id")?),
            webhook_id: WebhookId(row.integer("webhook_id")?),
            message_id: row.text("message_id")?,
            payload: row.text("payload")?,
            attempt: row.integer("attempts")?,
        })
    })
    .transpose()
}

/// Writes down how an attempt ended; false where it has been taken over or given up meanwhile.
pub async fn finish(conn: &mut Conn, claimed: &Claimed, ended: &Attempted<'_>, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE webhook_deliveries SET status = $3, next_attempt_at = coalesce($4, next_attempt_at), response_status = $5, error = $6,
             attempted_at = $7, delivered_at = CASE WHEN $3 = 'delivered' THEN $7 END, lease_until = NULL
         WHERE id = $1 AND attempts = $2 AND status = 'queued'",
    )
    .bind(claimed.id.0)
    .bind(claimed.attempt)
    .bind(ended.status.as_str())
    .bind(ended.next_attempt_at)
    .bind(ended.response_status.map(i64::from))
    .bind(ended.error.map(clean))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Gives up what still waits for an address.
pub async fn give_up(conn: &mut Conn, webhook: WebhookId, why: &str) -> Result<u64> {
    let result = sqlx::query(
        "UPDATE webhook_deliveries SET status = 'failed', error = $2, lease_until = NULL
         WHERE webhook_id = $1 AND status = 'queued'",
    )
    .bind(webhook.0)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Forgets what has ended and is older than a time.
pub async fn prune(conn: &mut Conn, before: &str) -> Result<u64> {
    let result = sqlx::query("DELETE FROM webhook_deliveries WHERE created_at < $1 AND status <> 'queued'")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(result.rows_affected())
}

fn read(row: &AnyRow) -> Result<WebhookDelivery> {
    let status: DeliveryStatus = row.name("status")?;
    let response = row.maybe_integer("response_status")?;
    let response = response
        .map(u16::try_from)
        .transpose()
        .map_err(|e| Error::Corrupt { column: "response_status", reason: e.to_string() })?;
    let next = (status == DeliveryStatus::Queued).then(|| row.text("next_attempt_at")).transpose()?;
    Ok(WebhookDelivery {
        id: DeliveryId(row.integer("id")?),
        webhook_id: WebhookId(row.integer("webhook_id")?),
        message_id: row.text("message_id")?,
        event: row.name("event")?,
        job_id: row.maybe_integer("job_id")?.map(JobId),
        status,
        attempts: row.integer("attempts")?,
        next_attempt_at: next,
        response_status: response,
        error: row.maybe_text("error")?,
        created_at: row.text("created_at")?,
        attempted_at: row.maybe_text("attempted_at")?,
        delivered_at: row.maybe_text("delivered_at")?,
        replay_of: row.maybe_integer("replay_of")?.map(DeliveryId),
        payload: row.text("payload")?,
    })
}
