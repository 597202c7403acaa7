//! What people see of the ledger: sums, and what has not arrived as it should.

use crate::{
    Conn, Result,
    mailboxes::Counts,
    read::Columns,
    sql::{Conditions, List},
};
use gatepost_contract::{
    FolderId, JobId, MailboxId, MessageId, MessageState, Page, PageQuery, Residue, ResidueFilter, Tally,
};
use sqlx::{Row, any::AnyRow};

/// A message with what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDetail {
    /// The message.
    pub residue: Residue,
    /// The job.
    pub job_id: JobId,
    /// The folder.
    pub folder_id: FolderId,
}

pub(crate) const LIST: List = List {
    select:
        "SELECT m.id, m.folder_id, m.uid, m.state, m.fidelity, m.internal_date, m.size, m.message_id_header, m.cause,
        m.first_seen_at, f.source_path, b.id AS mailbox_id, b.job_id, b.email",
    from: "migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
        JOIN migration_messages m ON m.folder_id = f.id",
    count_from: "migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
        JOIN migration_messages m ON m.folder_id = f.id",
    sorts: &[
        ("id", "m.id"),
        ("email", "lower(b.email)"),
        ("folder", "f.source_path"),
        ("state", "m.state"),
        ("size", "m.size"),
        ("internal_date", "m.internal_date"),
        ("first_seen_at", "m.first_seen_at"),
    ],
    usual: "id",
    id: "m.id",
};

/// Counts by state of one folder.
pub async fn tally(conn: &mut Conn, folder: FolderId) -> Result<Tally> {
    let rows =
        sqlx::query("SELECT state, count(*) AS messages FROM migration_messages WHERE folder_id = $1 GROUP BY state")
            .bind(folder.0)
            .fetch_all(conn)
            .await?;
    add_up(&rows)
}

/// Counts by state of one mailbox.
pub async fn mailbox_tally(conn: &mut Conn, mailbox: MailboxId) -> Result<Tally> {
    let rows = sqlx::query(
        "SELECT m.state, count(*) AS messages FROM migration_folders f
         JOIN migration_messages m ON m.folder_id = f.id
         WHERE f.mailbox_id = $1 AND f.gone_at IS NULL GROUP BY m.state",
    )
    .bind(mailbox.0)
    .fetch_all(conn)
    .await?;
    add_up(&rows)
}

/// How many messages of a mailbox are still to be copied. Walks the residue's index, never the whole ledger.
pub async fn pending(conn: &mut Conn, mailbox: MailboxId) -> Result<i64> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM migration_folders f JOIN migration_messages m ON m.folder_id = f.id
         WHERE f.mailbox_id = $1 AND f.gone_at IS NULL AND m.state = 'pending'
           AND (m.state <> 'arrived' OR m.fidelity = 'changed')",
    )
    .bind(mailbox.0)
    .fetch_one(conn)
    .await?;
    Ok(count)
}

fn add_up(rows: &[AnyRow]) -> Result<Tally> {
    let mut tally = Tally::default();
    for row in rows {
        let messages = row.integer("messages")?;
        tally.source += messages;
        match row.name("state")? {
            MessageState::Arrived => tally.arrived = messages,
            MessageState::Pending => tally.pending = messages,
            MessageState::Quarantined => tally.quarantined = messages,
            MessageState::Waived => tally.waived = messages,
        }
    }
    Ok(tally)
}

/// Messages and bytes of a mailbox, all and arrived.
pub async fn sums(conn: &mut Conn, mailbox: MailboxId) -> Result<Counts> {
    let row = sqlx::query(
        "SELECT count(*), CAST(coalesce(sum(CASE m.state WHEN 'arrived' THEN 1 ELSE 0 END), 0) AS BIGINT),
             CAST(coalesce(sum(m.size), 0) AS BIGINT),
             CAST(coalesce(sum(CASE m.state WHEN 'arrived' THEN m.size ELSE 0 END), 0) AS BIGINT)
         FROM migration_folders f JOIN migration_messages m ON m.folder_id = f.id
         WHERE f.mailbox_id = $1 AND f.gone_at IS NULL",
    )
    .bind(mailbox.0)
    .fetch_one(conn)
    .await?;
    Ok(Counts {
        messages_source: row.try_get(0)?,
        messages_dest: row.try_get(1)?,
        bytes_source: row.try_get(2)?,
        bytes_dest: row.try_get(3)?,
    })
}

/// What has not arrived as it should, of one job, in pages.
pub async fn residue(conn: &mut Conn, job: JobId, filter: &ResidueFilter, page: &PageQuery) -> Result<Page<Residue>> {
    LIST.page(conn, &conditions(job, filter), page, read).await
}

pub(crate) fn conditions(job: JobId, filter: &ResidueFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.integer("b.job_id = ?", Some(job.0));
    wanted.integer("b.id = ?", filter.mailbox_id.map(|m| m.0));
    wanted.fixed("f.gone_at IS NULL");
    // As idx_migration_messages_residue has it.
    wanted.fixed("(m.state <> 'arrived' OR m.fidelity = 'changed')");
    wanted.text("m.state = ?", filter.state.map(MessageState::as_str));
    wanted
}

/// One message.
pub async fn get(conn: &mut Conn, id: MessageId) -> Result<Option<MessageDetail>> {
    let mut only = Conditions::default();
    only.integer("m.id = ?", Some(id.0));
    let row = LIST.statement(&only, &PageQuery::default())?.query().fetch_optional(conn).await?;
    row.map(|row| {
        Ok(MessageDetail {
            residue: read(&row)?,
            job_id: JobId(row.integer("job_id")?),
            folder_id: FolderId(row.integer("folder_id")?),
        })
    })
    .transpose()
}

fn read(row: &AnyRow) -> Result<Residue> {
    Ok(Residue {
        message_id: MessageId(row.integer("id")?),
        mailbox_id: MailboxId(row.integer("mailbox_id")?),
        email: row.text("email")?,
        folder: row.text("source_path")?,
        source_uid: row.integer("uid")?,
        state: row.name("state")?,
        fidelity: row.maybe_name("fidelity")?,
        internal_date: row.text("internal_date")?,
        size: row.integer("size")?,
        message_id_header: row.maybe_text("message_id_header")?,
        cause: row.maybe_text("cause")?,
        first_seen_at: row.text("first_seen_at")?,
    })
}
