//! `migration_mailboxes`. Whatever changes a count or a status brings the job's sums along in the same transaction.

use crate::{
    Conn, Error, Result, jobs,
    read::{Columns, percent},
    sql::{changed, int},
};
use gatepost_contract::{JobId, Mailbox, MailboxId, MailboxStatus, Security, SourceType, Tool};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// A new mailbox.
#[derive(Clone, Debug)]
pub struct NewMailboxRow {
    /// The job it belongs to.
    pub job_id: JobId,
    /// Its address.
    pub email: String,
    /// Where its mail comes from.
    pub source_type: SourceType,
    /// What does the copying.
    pub tool: Tool,
    /// The old server.
    pub source_host: Option<String>,
    /// Its port.
    pub source_port: Option<u16>,
    /// How the connection to it is protected.
    pub source_security: Option<Security>,
    /// True: its certificate is not verified.
    pub source_insecure_tls: bool,
    /// The log-in name there.
    pub source_user: Option<String>,
    /// Who logs in there for the user, where that is somebody else.
    pub source_admin: Option<String>,
    /// The log-in name at the new server.
    pub dest_user: Option<String>,
    /// Who logs in there for the user, where that is somebody else.
    pub dest_admin: Option<String>,
    /// The file, for a source that is one (`pst_path`).
    pub path: Option<String>,
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
}

/// What a person may change about a mailbox; all of it is written.
#[derive(Clone, Debug)]
pub struct MailboxSettings {
    /// What does the copying.
    pub tool: Tool,
    /// The old server.
    pub source_host: Option<String>,
    /// Its port.
    pub source_port: Option<u16>,
    /// How the connection to it is protected.
    pub source_security: Option<Security>,
    /// True: its certificate is not verified.
    pub source_insecure_tls: bool,
    /// The log-in name there.
    pub source_user: Option<String>,
    /// Who logs in there for the user, where that is somebody else.
    pub source_admin: Option<String>,
    /// The log-in name at the new server.
    pub dest_user: Option<String>,
    /// Who logs in there for the user, where that is somebody else.
    pub dest_admin: Option<String>,
    /// Where folders go that shall not go where the mapping would put them.
    pub folder_map: BTreeMap<String, String>,
}

/// What a mailbox refers to and does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxRefs {
    /// The id of the sealed secret for the old server.
    pub source_credentials: Option<String>,
    /// The id of the sealed secret for the new server.
    pub dest_credentials: Option<String>,
    /// The file, for a source that is one.
    pub path: Option<String>,
}

/// One side of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The old server.
    Source,
    /// The new server.
    Dest,
}

/// Messages and bytes on both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages at the source.
    pub messages_source: i64,
    /// Messages that have arrived.
    pub messages_dest: i64,
    /// Bytes at the source.
    pub bytes_source: i64,
    /// Bytes that have arrived.
    pub bytes_dest: i64,
}

/// A new mailbox. [`Error::Exists`] where the job has the same source for the same address already.
pub async fn insert(conn: &mut Conn, new: &NewMailboxRow, now: &str) -> Result<MailboxId> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO migration_mailboxes (job_id, email, source_type, tool, source_host, source_port, source_security,
             source_insecure_tls, source_user, dest_user, pst_path, folder_map_json, created_at, updated_at,
             source_admin, dest_admin)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15) RETURNING id",
    )
    .bind(new.job_id.0)
    .bind(new.email.as_str())
    .bind(new.source_type.as_str())
    .bind(new.tool.as_str())
    .bind(new.source_host.as_deref())
    .bind(new.source_port.map(i64::from))
    .bind(new.source_security.map(Security::as_str))
    .bind(int(new.source_insecure_tls))
    .bind(new.source_user.as_deref())
    .bind(new.dest_user.as_deref())
    .bind(new.path.as_deref())
    .bind(map_json(&new.folder_map))
    .bind(now)
    .bind(new.source_admin.as_deref())
    .bind(new.dest_admin.as_deref())
    .fetch_one(&mut *conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "mailbox" }, "job"))?;
    // A new mailbox counts nothing yet: adding one keeps the import of thousands linear.
    let result = sqlx::query("UPDATE migration_jobs SET mailboxes = mailboxes + 1 WHERE id = $1")
        .bind(new.job_id.0)
        .execute(conn)
        .await?;
    changed(&result, "job")?;
    Ok(MailboxId(id))
}

/// One of them.
pub async fn get(conn: &mut Conn, id: MailboxId) -> Result<Option<Mailbox>> {
    let row = sqlx::query("SELECT * FROM migration_mailboxes WHERE id = $1").bind(id.0).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// All of a job, in the order in which they were added.
pub async fn list(conn: &mut Conn, job: JobId) -> Result<Vec<Mailbox>> {
    let rows = sqlx::query("SELECT * FROM migration_mailboxes WHERE job_id = $1 ORDER BY id")
        .bind(job.0)
        .fetch_all(conn)
        .await?;
    rows.iter().map(read).collect()
}

/// What one refers to.
pub async fn refs(conn: &mut Conn, id: MailboxId) -> Result<Option<MailboxRefs>> {
    let row =
        sqlx::query("SELECT credentials_ref, dest_credentials_ref, pst_path FROM migration_mailboxes WHERE id = $1")
            .bind(id.0)
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        Ok(MailboxRefs {
            source_credentials: row.maybe_text("credentials_ref")?,
            dest_credentials: row.maybe_text("dest_credentials_ref")?,
            path: row.maybe_text("pst_path")?,
        })
    })
    .transpose()
}

/// Changes what a person may change. [`Error::Exists`] where it would become the same as another.
pub async fn update(conn: &mut Conn, id: MailboxId, settings: &MailboxSettings, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_mailboxes SET tool = $2, source_host = $3, source_port = $4, source_security = $5,
             source_insecure_tls = $6, source_user = $7, dest_user = $8, folder_map_json = $9, updated_at = $10,
             source_admin = $11, dest_admin = $12
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(settings.tool.as_str())
    .bind(settings.source_host.as_deref())
    .bind(settings.source_port.map(i64::from))
    .bind(settings.source_security.map(Security::as_str))
    .bind(int(settings.source_insecure_tls))
    .bind(settings.source_user.as_deref())
    .bind(settings.dest_user.as_deref())
    .bind(map_json(&settings.folder_map))
    .bind(now)
    .bind(settings.source_admin.as_deref())
    .bind(settings.dest_admin.as_deref())
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "mailbox" }, "job"))?;
    changed(&result, "mailbox")
}

/// Names the sealed secret for one side, or none.
pub async fn set_credentials(
    conn: &mut Conn,
    id: MailboxId,
    side: Side,
    credential: Option<&str>,
    now: &str,
) -> Result<()> {
    let text = match side {
        Side::Source => "UPDATE migration_mailboxes SET credentials_ref = $2, updated_at = $3 WHERE id = $1",
        Side::Dest => "UPDATE migration_mailboxes SET dest_credentials_ref = $2, updated_at = $3 WHERE id = $1",
    };
    let result = sqlx::query(text).bind(id.0).bind(credential).bind(now).execute(conn).await?;
    changed(&result, "mailbox")
}

/// Names the ways to the old server that programs take beside IMAP, or none.
pub async fn set_ways(conn: &mut Conn, id: MailboxId, ssh: Option<&str>, web: Option<&str>, now: &str) -> Result<()> {
    let text = "UPDATE migration_mailboxes SET source_ssh = $2, source_web = $3, updated_at = $4 WHERE id = $1";
    let result = sqlx::query(text).bind(id.0).bind(ssh).bind(web).bind(now).execute(conn).await?;
    changed(&result, "mailbox")
}

/// Names the newest file of a mailbox whose source is one, or none.
pub async fn set_path(conn: &mut Conn, id: MailboxId, path: Option<&str>, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_mailboxes SET pst_path = $2, updated_at = $3 WHERE id = $1")
        .bind(id.0)
        .bind(path)
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "mailbox")
}

/// Sets how a mailbox stands, and why.
pub async fn set_status(
    conn: &mut Conn,
    id: MailboxId,
    status: MailboxStatus,
    last_error: Option<&str>,
    now: &str,
) -> Result<()> {
    let job = sqlx::query_scalar(
        "UPDATE migration_mailboxes SET status = $2, last_error = $3, updated_at = $4 WHERE id = $1 RETURNING job_id",
    )
    .bind(id.0)
    .bind(status.as_str())
    .bind(last_error.map(crate::sql::clean))
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    jobs::refresh_sums(conn, JobId(job.ok_or(Error::Missing("mailbox"))?)).await
}

/// Sets the counts: those of the ledger, or, before anything is listed there, what a preflight has read from the servers.
pub async fn set_counts(conn: &mut Conn, id: MailboxId, counts: &Counts, now: &str) -> Result<()> {
    // A source that was counted and is empty has nothing left to do.
    let done = if counts.messages_source == 0 { 100.0 } else { percent(counts.messages_dest, counts.messages_source) };
    let job = sqlx::query_scalar(
        "UPDATE migration_mailboxes SET messages_source = $2, messages_dest = $3, bytes_source = $4, bytes_dest = $5,
             sync_percent = $6, updated_at = $7 WHERE id = $1 RETURNING job_id",
    )
    .bind(id.0)
    .bind(counts.messages_source)
    .bind(counts.messages_dest)
    .bind(counts.bytes_source)
    .bind(counts.bytes_dest)
    .bind(done)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    jobs::refresh_sums(conn, JobId(job.ok_or(Error::Missing("mailbox"))?)).await
}

/// Removes a mailbox with its ledger, runs, secrets and evidence. The audit log keeps what was done to it.
pub async fn delete(conn: &mut Conn, id: MailboxId) -> Result<()> {
    let job = sqlx::query_scalar("DELETE FROM migration_mailboxes WHERE id = $1 RETURNING job_id")
        .bind(id.0)
        .fetch_optional(&mut *conn)
        .await?;
    jobs::refresh_sums(conn, JobId(job.ok_or(Error::Missing("mailbox"))?)).await
}

fn map_json(map: &BTreeMap<String, String>) -> Option<String> {
    (!map.is_empty()).then(|| serde_json::to_string(map).expect("a map of text is JSON"))
}

fn read(row: &AnyRow) -> Result<Mailbox> {
    let folder_map = match row.maybe_text("folder_map_json")? {
        None => BTreeMap::new(),
        Some(_) => row.json("folder_map_json")?,
    };
    Ok(Mailbox {
        id: MailboxId(row.integer("id")?),
        job_id: JobId(row.integer("job_id")?),
        email: row.text("email")?,
        source_type: row.name("source_type")?,
        tool: row.name("tool")?,
        source_host: row.maybe_text("source_host")?,
        source_port: row.port("source_port")?,
        source_security: row.maybe_name("source_security")?,
        source_insecure_tls: row.truth("source_insecure_tls")?,
        source_user: row.maybe_text("source_user")?,
        source_admin: row.maybe_text("source_admin")?,
        source_ssh: row.maybe_text("source_ssh")?,
        source_web: row.maybe_text("source_web")?,
        dest_user: row.maybe_text("dest_user")?,
        dest_admin: row.maybe_text("dest_admin")?,
        has_source_secret: row.maybe_text("credentials_ref")?.is_some(),
        has_dest_secret: row.maybe_text("dest_credentials_ref")?.is_some(),
        folder_map,
        messages_source: row.integer("messages_source")?,
        messages_dest: row.integer("messages_dest")?,
        bytes_source: row.integer("bytes_source")?,
        bytes_dest: row.integer("bytes_dest")?,
        sync_percent: row.real("sync_percent")?,
        last_error: row.maybe_text("last_error")?,
        status: row.name("status")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
    })
}
