//! `tickets`, with how each one's migration stands.

use crate::{
    Conn, Error, Result, attachments,
    read::{Columns, percent},
    sql::{Conditions, List, changed},
};
use gatepost_contract::{JobId, Page, PageQuery, TenantId, Ticket, TicketFilter, TicketId, TicketPayload};
use sqlx::any::AnyRow;

/// The newest job of a ticket is the one that its payload tells of.
const LIST: List = List {
    select: "SELECT k.*, t.name AS tenant_name, j.id AS job_id, j.phase AS job_phase, j.migration_gate AS job_gate,
        j.messages_source AS job_source, j.messages_dest AS job_dest",
    from: "tickets k LEFT JOIN tenants t ON t.id = k.tenant_id
        LEFT JOIN migration_jobs j ON j.id = (SELECT max(n.id) FROM migration_jobs n WHERE n.ticket_id = k.id)",
    count_from: "tickets k",
    sorts: &[
        ("id", "k.id"),
        ("subject", "lower(k.subject)"),
        ("status", "k.status"),
        ("tenant_name", "lower(t.name)"),
        ("created_at", "k.created_at"),
        ("updated_at", "k.updated_at"),
    ],
    usual: "-id",
    id: "k.id",
};

/// A new ticket. [`Error::Missing`] for an unknown tenant.
pub async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    subject: &str,
    body: &str,
    created_by: &str,
    now: &str,
) -> Result<TicketId> {
    let id = sqlx::query_scalar(
        "INSERT INTO tickets (tenant_id, subject, body, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
    )
    .bind(tenant.0)
    .bind(subject)
    .bind(body)
    .bind(created_by)
    .bind(now)
    .fetch_one(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "ticket" }, "tenant"))?;
    Ok(TicketId(id))
}

/// One of them, with its attachments.
pub async fn get(conn: &mut Conn, id: TicketId) -> Result<Option<Ticket>> {
    let mut only = Conditions::default();
    only.integer("k.id = ?", Some(id.0));
    let row = LIST.statement(&only, &PageQuery::default())?.query().fetch_optional(&mut *conn).await?;
    let Some(mut ticket) = row.as_ref().map(read).transpose()? else { return Ok(None) };
    ticket.attachments = attachments::list(conn, id).await?;
    Ok(Some(ticket))
}

/// Those that are wanted, in pages, without their attachments.
pub async fn list(conn: &mut Conn, filter: &TicketFilter, page: &PageQuery) -> Result<Page<Ticket>> {
    let mut wanted = Conditions::default();
    wanted.integer("k.tenant_id = ?", filter.tenant_id.map(|t| t.0));
    wanted.text("k.status = ?", filter.status.as_deref());
    wanted.words(r"lower(k.subject) LIKE lower(?) ESCAPE '\'", filter.q.as_deref());
    LIST.page(conn, &wanted, page, read).await
}

/// Changes one.
pub async fn update(conn: &mut Conn, id: TicketId, subject: &str, body: &str, status: &str, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE tickets SET subject = $2, body = $3, status = $4, updated_at = $5 WHERE id = $1")
        .bind(id.0)
        .bind(subject)
        .bind(body)
        .bind(status)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "ticket")
}

fn read(row: &AnyRow) -> Result<Ticket> {
    let payload = match row.maybe_integer("job_id")? {
        None => None,
        Some(job) => Some(TicketPayload {
            migration_job_id: JobId(job),
            migration_phase: row.name("job_phase")?,
            migration_gate: row.name("job_gate")?,
            migration_sync_percent: percent(row.integer("job_dest")?, row.integer("job_source")?),
        }),
    };
    Ok(Ticket {
        id: TicketId(row.integer("id")?),
        tenant_id: TenantId(row.integer("tenant_id")?),
        tenant_name: row.text("tenant_name")?,
        subject: row.text("subject")?,
        body: row.text("body")?,
        status: row.text("status")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
        payload,
        attachments: Vec::new(),
    })
}
