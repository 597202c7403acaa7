//! `ticket_attachments`: files on a ticket, reports above all.

use crate::{Conn, Error, Result, read::Columns};
use gatepost_contract::{Attachment, AttachmentId, TicketId};
use sqlx::any::AnyRow;

/// A file to attach.
#[derive(Clone, Copy, Debug)]
pub struct NewAttachment<'a> {
    /// Its file name.
    pub name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// The digest of its content, as the caller writes digests.
    pub digest: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
    /// Who attached it.
    pub created_by: &'a str,
}

/// Attaches a file. [`Error::Missing`] for an unknown ticket.
pub async fn add(conn: &mut Conn, ticket: TicketId, new: &NewAttachment<'_>, now: &str) -> Result<AttachmentId> {
    let size = i64::try_from(new.content.len()).unwrap_or(i64::MAX);
    let id = sqlx::query_scalar(
        "INSERT INTO ticket_attachments (ticket_id, name, media_type, size, digest, content, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(ticket.0)
    .bind(new.name)
    .bind(new.media_type)
    .bind(size)
    .bind(new.digest)
    .bind(new.content)
    .bind(new.created_by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "attachment" }, "ticket"))?;
    Ok(AttachmentId(id))
}

/// Those of a ticket, oldest first, without their content.
pub async fn list(conn: &mut Conn, ticket: TicketId) -> Result<Vec<Attachment>> {
    let rows = sqlx::query(
        "SELECT id, name, media_type, size, created_at FROM ticket_attachments WHERE ticket_id = $1 ORDER BY id",
    )
    .bind(ticket.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// How many a ticket holds.
pub async fn count(conn: &mut Conn, ticket: TicketId) -> Result<i64> {
    let count = sqlx::query_scalar("SELECT count(*) FROM ticket_attachments WHERE ticket_id = $1");
    Ok(count.bind(ticket.0).fetch_one(conn).await?)
}

/// One of this ticket, with its content.
pub async fn get(conn: &mut Conn, ticket: TicketId, id: AttachmentId) -> Result<Option<(Attachment, Vec<u8>)>> {
    let row = sqlx::query(
        "SELECT id, name, media_type, size, created_at, content FROM ticket_attachments
         WHERE id = $1 AND ticket_id = $2",
    )
    .bind(id.0)
    .bind(ticket.0)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((read(&row)?, row.bytes("content")?))).transpose()
}

fn read(row: &AnyRow) -> Result<Attachment> {
    Ok(Attachment {
        id: AttachmentId(row.integer("id")?),
        name: row.text("name")?,
        media_type: row.text("media_type")?,
        size: row.integer("size")?,
        created_at: row.text("created_at")?,
    })
}
