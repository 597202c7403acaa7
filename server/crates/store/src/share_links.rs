//! `share_links`: signed links to one job. Of a token only its nonce is known here; the signature is core's business.

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{Conditions, List, changed},
};
use gatepost_contract::{JobId, LinkId, LinkKind, Page, PageQuery, ShareLink};
use sqlx::any::AnyRow;

const LIST: List = List {
    select: "SELECT *",
    from: "share_links",
    count_from: "share_links",
    sorts: &[
        ("id", "id"),
        ("kind", "kind"),
        ("created_at", "created_at"),
        ("expires_at", "expires_at"),
        ("last_used_at", "last_used_at"),
    ],
    usual: "-id",
    id: "id",
};

/// A link that is to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewShareLink<'a> {
    /// The job that it shows.
    pub job_id: JobId,
    /// What it shows of it.
    pub kind: LinkKind,
    /// Where it is used.
    pub label: &'a str,
    /// What its token is made of, beside its id.
    pub nonce: &'a str,
    /// Who makes it.
    pub created_by: &'a str,
    /// After this it is refused.
    pub expires_at: &'a str,
}

/// A new link.
pub async fn insert(conn: &mut Conn, new: &NewShareLink<'_>, now: &str) -> Result<LinkId> {
    let id = sqlx::query_scalar(
        "INSERT INTO share_links (job_id, kind, label, nonce, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(new.job_id.0)
    .bind(new.kind.as_str())
    .bind(new.label)
    .bind(new.nonce)
    .bind(new.created_by)
    .bind(now)
    .bind(new.expires_at)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "link" }, "job"))?;
    Ok(LinkId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: LinkId, now: &str) -> Result<Option<ShareLink>> {
    let row = sqlx::query("SELECT * FROM share_links WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(|row| read(row, now)).transpose()
}

/// The one with this id and this nonce, revoked and expired ones included.
pub async fn by_nonce(conn: &mut Conn, id: LinkId, nonce: &str, now: &str) -> Result<Option<ShareLink>> {
    let row = sqlx::query("SELECT * FROM share_links WHERE id = $1 AND nonce = $2")
        .bind(id.0)
        .bind(nonce)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(|row| read(row, now)).transpose()
}

/// A job's links, in pages.
pub async fn list(conn: &mut Conn, job: JobId, page: &PageQuery, now: &str) -> Result<Page<ShareLink>> {
    let mut conditions = Conditions::default();
    conditions.integer("job_id = ?", Some(job.0));
    LIST.page(conn, &conditions, page, |row| read(row, now)).await
}

/// How many links of a job are neither revoked nor expired.
pub async fn usable(conn: &mut Conn, job: JobId, now: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM share_links WHERE job_id = $1 AND revoked_at IS NULL AND expires_at > $2",
    )
    .bind(job.0)
    .bind(now)
    .fetch_one(conn)
    .await?)
}

/// Notes that one was used.
pub async fn used(conn: &mut Conn, id: LinkId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE share_links SET last_used_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "link")
}

/// Ends one; the first time stays.
pub async fn revoke(conn: &mut Conn, id: LinkId, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE share_links SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1")
        .bind(id.0)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "link")
}

fn read(row: &AnyRow, now: &str) -> Result<ShareLink> {
    let (expires_at, revoked_at) = (row.text("expires_at")?, row.maybe_text("revoked_at")?);
    Ok(ShareLink {
        id: LinkId(row.integer("id")?),
        job_id: JobId(row.integer("job_id")?),
        kind: row.name("kind")?,
        label: row.text("label")?,
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        usable: revoked_at.is_none() && expires_at.as_str() > now,
        expires_at,
        revoked_at,
        last_used_at: row.maybe_text("last_used_at")?,
    })
}
