//! What people see of the ledger: sums, and what has not arrived as it should.

use crate::{
    Conn, Result,
    mailboxes::Counts,
    read::Columns,
    sql::{Conditions, List, Sql},
};
use gatepost_contract::{
    CauseKind, FolderId, JobId, MailboxId, MessageId, MessageState, Page, PageQuery, Residue, ResidueClass,
    ResidueFilter, Tally, Waiver, WaiverId,
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
    /// The source's UIDVALIDITY when the folder was last listed.
    pub epoch: Option<i64>,
    /// Whether its folder has gone from the source.
    pub folder_gone: bool,
}

/// What has not arrived as it should, as idx_migration_messages_residue has it.
const AMISS: &str = "(m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)";

pub(crate) const LIST: List = List {
    select:
        "SELECT m.id, m.folder_id, m.uid, m.state, m.fidelity, m.internal_date, m.size, m.message_id_header, m.cause,
        m.cause_kind, m.header_from, m.header_subject, m.header_date, m.first_seen_at, f.source_path, f.cursor_epoch,
        f.gone_at, b.id AS mailbox_id, b.job_id, b.email, w.id AS waiver_id, w.batch AS waiver_batch,
        w.actor AS waiver_actor, w.reason AS waiver_reason, w.at AS waiver_at",
    from: "migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
        JOIN migration_messages m ON m.folder_id = f.id
        LEFT JOIN migration_waivers w ON w.id =
            (SELECT max(x.id) FROM migration_waivers x WHERE x.message_id = m.id AND x.expired_at IS NULL)",
    count_from: "migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
        JOIN migration_messages m ON m.folder_id = f.id",
    sorts: &[
        ("id", "m.id"),
        ("email", "lower(b.email)"),
        ("folder", "f.source_path"),
        ("state", "m.state"),
        ("cause_kind", "m.cause_kind"),
        ("from", "lower(m.header_from)"),
        ("subject", "lower(m.header_subject)"),
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

/// What a folder holds that is amiss and not given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amiss {
    /// Of which mailbox.
    pub mailbox: MailboxId,
    /// The folder.
    pub folder: FolderId,
    /// Its path at the source.
    pub source_path: String,
    /// Still to be copied.
    pub pending: i64,
    /// Refused.
    pub quarantined: i64,
    /// There, with another body or date.
    pub changed: i64,
}

/// What is amiss in the folders of a job's mailboxes; those in order are left out. Walks the residue's index, never the
/// whole ledger.
pub async fn amiss_of_job(conn: &mut Conn, job: JobId) -> Result<Vec<Amiss>> {
    let rows = sqlx::query(AMISS_OF_JOB).bind(job.0).fetch_all(conn).await?;
    let all = rows.iter().map(|row| {
        Ok(Amiss {
            mailbox: MailboxId(row.integer("mailbox_id")?),
            folder: FolderId(row.integer("id")?),
            source_path: row.text("source_path")?,
            pending: row.integer("pending")?,
            quarantined: row.integer("quarantined")?,
            changed: row.integer("changed")?,
        })
    });
    all.collect()
}

pub(crate) const AMISS_OF_JOB: &str = "SELECT f.mailbox_id, f.id, f.source_path,
         CAST(sum(CASE WHEN m.state = 'pending' THEN 1 ELSE 0 END) AS BIGINT) AS pending,
         CAST(sum(CASE WHEN m.state = 'quarantined' THEN 1 ELSE 0 END) AS BIGINT) AS quarantined,
         CAST(sum(CASE WHEN m.state = 'arrived' AND m.fidelity = 'changed' THEN 1 ELSE 0 END) AS BIGINT) AS changed
     FROM migration_mailboxes b JOIN migration_folders f ON f.mailbox_id = b.id
         JOIN migration_messages m ON m.folder_id = f.id
     WHERE b.job_id = $1 AND f.gone_at IS NULL
         AND (m.state <> 'arrived' OR m.fidelity = 'changed' OR m.cause_kind IS NOT NULL)
     GROUP BY f.mailbox_id, f.id, f.source_path ORDER BY f.id";

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

/// The same without pages: those behind a row, by ascending row, at most `limit`.
pub async fn residue_after(
    conn: &mut Conn,
    job: JobId,
    filter: &ResidueFilter,
    after: MessageId,
    limit: u32,
) -> Result<Vec<Residue>> {
    let mut wanted = conditions(job, filter);
    wanted.integer("m.id > ?", Some(after.0));
    let page = PageQuery { per_page: limit, ..PageQuery::default() };
    let rows = LIST.statement(&wanted, &page)?.query().fetch_all(conn).await?;
    rows.iter().map(read).collect()
}

/// What can be done with residue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Give it up: whatever is not given up already.
    Waive,
    /// Try it again: what was refused.
    Retry,
}

/// Messages that are to be handled at once.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Of this job.
    pub job: JobId,
    /// As these conditions have it.
    pub filter: ResidueFilter,
    /// Only these; none named means no such limit.
    pub only: Vec<MessageId>,
    /// What for.
    pub act: Act,
}

impl Selection {
    pub(crate) fn conditions(&self) -> Conditions {
        let mut wanted = conditions(self.job, &self.filter);
        if !self.only.is_empty() {
            wanted.among("m.id", self.only.iter().map(|m| m.0));
        }
        wanted.fixed(match self.act {
            Act::Waive => "m.state <> 'waived'",
            Act::Retry => "m.state = 'quarantined'",
        });
        wanted
    }
}

/// How many messages are meant, by mailbox; mailboxes without any are left out.
pub async fn selected(conn: &mut Conn, selection: &Selection) -> Result<Vec<(MailboxId, i64)>> {
    let mut sql = Sql::new("SELECT b.id, count(*) FROM ");
    sql.push(LIST.count_from);
    selection.conditions().write(&mut sql)?;
    sql.push(" GROUP BY b.id ORDER BY b.id");
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter().map(|row| Ok((MailboxId(row.try_get(0)?), row.try_get(1)?))).collect()
}

/// The classes of a job's residue: what stands in one folder, in one state, for one reason. The largest first, at
/// most `limit`.
pub async fn classes(conn: &mut Conn, job: JobId, filter: &ResidueFilter, limit: u32) -> Result<Vec<ResidueClass>> {
    let mut sql = Sql::new(
        "SELECT b.id AS mailbox_id, b.email, f.id AS folder_id, f.source_path, m.state, m.cause_kind,
             count(*) AS messages, CAST(sum(m.size) AS BIGINT) AS bytes FROM ",
    );
    sql.push(LIST.count_from);
    conditions(job, filter).write(&mut sql)?;
    sql.push(" GROUP BY b.id, b.email, f.id, f.source_path, m.state, m.cause_kind");
    sql.push(" ORDER BY messages DESC, b.id, f.id, m.state, m.cause_kind LIMIT ").bind(i64::from(limit))?;
    let rows = sql.query().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(ResidueClass {
                mailbox_id: MailboxId(row.integer("mailbox_id")?),
                email: row.text("email")?,
                folder_id: FolderId(row.integer("folder_id")?),
                folder: row.text("source_path")?,
                state: row.name("state")?,
                cause_kind: row.maybe_name("cause_kind")?,
                messages: row.integer("messages")?,
                bytes: row.integer("bytes")?,
            })
        })
        .collect()
}

/// Refused messages are to be tried again: pending, without their cause.
pub async fn retry(conn: &mut Conn, selection: &Selection) -> Result<u64> {
    let mut sql = Sql::new("UPDATE migration_messages SET state = 'pending', cause = NULL, cause_kind = NULL");
    sql.push(" WHERE id IN (SELECT m.id FROM ").push(LIST.count_from);
    selection.conditions().write(&mut sql)?;
    sql.push(")");
    Ok(sql.query().execute(conn).await?.rows_affected())
}

pub(crate) fn conditions(job: JobId, filter: &ResidueFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.integer("b.job_id = ?", Some(job.0));
    wanted.integer("b.id = ?", filter.mailbox_id.map(|m| m.0));
    wanted.integer("f.id = ?", filter.folder_id.map(|f| f.0));
    wanted.fixed("f.gone_at IS NULL");
    wanted.fixed(AMISS);
    wanted.text("m.state = ?", filter.state.map(MessageState::as_str));
    wanted.text("m.cause_kind = ?", filter.cause_kind.map(CauseKind::as_str));
    wanted.words(
        r"(lower(b.email) LIKE lower(?) ESCAPE '\' OR lower(f.source_path) LIKE lower(?) ESCAPE '\'
           OR lower(coalesce(m.header_from, '')) LIKE lower(?) ESCAPE '\'
           OR lower(coalesce(m.header_subject, '')) LIKE lower(?) ESCAPE '\'
           OR lower(coalesce(m.message_id_header, '')) LIKE lower(?) ESCAPE '\'
           OR lower(coalesce(m.cause, '')) LIKE lower(?) ESCAPE '\')",
        filter.q.as_deref(),
    );
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
            epoch: row.maybe_integer("cursor_epoch")?,
            folder_gone: row.maybe_text("gone_at")?.is_some(),
        })
    })
    .transpose()
}

fn read(row: &AnyRow) -> Result<Residue> {
    Ok(Residue {
        message_id: MessageId(row.integer("id")?),
        mailbox_id: MailboxId(row.integer("mailbox_id")?),
        email: row.text("email")?,
        folder_id: FolderId(row.integer("folder_id")?),
        folder: row.text("source_path")?,
        source_uid: row.integer("uid")?,
        state: row.name("state")?,
        fidelity: row.maybe_name("fidelity")?,
        internal_date: row.text("internal_date")?,
        size: row.integer("size")?,
        message_id_header: row.maybe_text("message_id_header")?,
        from: row.maybe_text("header_from")?,
        subject: row.maybe_text("header_subject")?,
        date: row.maybe_text("header_date")?,
        cause_kind: row.maybe_name("cause_kind")?,
        cause: row.maybe_text("cause")?,
        first_seen_at: row.text("first_seen_at")?,
        waiver: match row.maybe_integer("waiver_id")? {
            None => None,
            Some(id) => Some(Waiver {
                id: WaiverId(id),
                batch: row.maybe_text("waiver_batch")?,
                actor: row.text("waiver_actor")?,
                reason: row.text("waiver_reason")?,
                at: row.text("waiver_at")?,
            }),
        },
    })
}
