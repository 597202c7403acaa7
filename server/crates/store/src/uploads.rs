//! `migration_uploads`: files that are sources of mailboxes. Where their bytes lie is written here; the bytes themselves
//! are core's business.

pub mod pieces;
mod summary;

use crate::{
    Conn, Error, Result,
    read::Columns,
    sql::{changed, clean},
};
use futures::TryStreamExt;
use gatepost_contract::{Inspection, JobId, MailboxId, RunId, Upload, UploadOrigin, UploadState};
use sqlx::any::AnyRow;

/// How many files a mailbox can have in its life: the number of a file is the upper part of its messages' UIDs.
pub const MAX_FILES: i64 = 255;
/// Bits of a UID below the number of its file.
const SLOT_BITS: u32 = 24;
/// The column of what was found in a file.
const INSPECTION: &str = "inspection_json";

/// A file that is to come, or that lies somewhere already.
#[derive(Clone, Copy, Debug)]
pub struct NewUploadRow<'a> {
    /// A UUID.
    pub id: &'a str,
    /// The mailbox whose mail it holds.
    pub mailbox_id: MailboxId,
    /// That mailbox's job.
    pub job_id: JobId,
    /// What it is called.
    pub name: &'a str,
    /// How it comes.
    pub origin: UploadOrigin,
    /// Where its bytes lie: relative to the data path, or absolute.
    pub path: &'a str,
    /// Bytes that it has in all.
    pub bytes: i64,
    /// Bytes that are there.
    pub received: i64,
    /// The digest that the sender told.
    pub sha256_expected: Option<&'a str>,
    /// What else the sender told, as it was written.
    pub metadata: Option<&'a str>,
    /// Who brings it.
    pub created_by: &'a str,
    /// When it is removed if it is not finished by then.
    pub expires_at: Option<&'a str>,
}

/// A file with what is not shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredUpload {
    /// The file.
    pub upload: Upload,
    /// Where its bytes lie: relative to the data path, or absolute for a file of the server.
    pub path: String,
    /// The digest that the sender told.
    pub sha256_expected: Option<String>,
    /// What else the sender told, as it was written.
    pub metadata: Option<String>,
    /// Set where it was removed before its mail was proved to have arrived.
    pub removed_early: Option<RemovedEarly>,
}

/// That a person removed a file before its mail was proved to have arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedEarly {
    /// Who.
    pub by: String,
    /// Why, where a reason was given.
    pub reason: Option<String>,
}

/// A new file, under the next number of its mailbox; false where the mailbox has had [`MAX_FILES`]. [`Error::Exists`]
/// where another took that number at the same moment.
pub async fn insert(conn: &mut Conn, new: &NewUploadRow<'_>, now: &str) -> Result<bool> {
    let last: Option<i64> = sqlx::query_scalar("SELECT max(slot) FROM migration_uploads WHERE mailbox_id = $1")
        .bind(new.mailbox_id.0)
        .fetch_one(&mut *conn)
        .await?;
    let slot = last.map_or(0, |last| last + 1);
    if slot >= MAX_FILES {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO migration_uploads (id, mailbox_id, job_id, slot, name, origin, path, bytes, received,
             sha256_expected, metadata, created_by, expires_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
    )
    .bind(new.id)
    .bind(new.mailbox_id.0)
    .bind(new.job_id.0)
    .bind(slot)
    .bind(clean(new.name))
    .bind(new.origin.as_str())
    .bind(new.path)
    .bind(new.bytes)
    .bind(new.received)
    .bind(new.sha256_expected)
    .bind(new.metadata)
    .bind(new.created_by)
    .bind(new.expires_at)
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "file" }, "mailbox"))?;
    Ok(true)
}

/// One of them.
pub async fn get(conn: &mut Conn, id: &str) -> Result<Option<StoredUpload>> {
    let row = sqlx::query("SELECT * FROM migration_uploads WHERE id = $1").bind(id).fetch_optional(conn).await?;
    row.as_ref().map(read).transpose()
}

/// All of a mailbox, by number, deleted ones included.
pub async fn of_mailbox(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<StoredUpload>> {
    let rows = sqlx::query("SELECT * FROM migration_uploads WHERE mailbox_id = $1 ORDER BY slot")
        .bind(mailbox.0)
        .fetch_all(conn)
        .await?;
    rows.iter().map(read).collect()
}

/// The mailboxes of a job that have or had a file.
pub async fn mailboxes_of_job(conn: &mut Conn, job: JobId) -> Result<Vec<MailboxId>> {
    let ids: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT mailbox_id FROM migration_uploads WHERE job_id = $1")
        .bind(job.0)
        .fetch_all(conn)
        .await?;
    Ok(ids.into_iter().map(MailboxId).collect())
}

/// All of a mailbox for a list: of what was found in them the sums, without the folders and with the first sentences about
/// damage. A list of them all would be large otherwise.
pub async fn summaries_of_mailbox(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<Upload>> {
    let query = sqlx::query("SELECT * FROM migration_uploads WHERE mailbox_id = $1 ORDER BY slot").bind(mailbox.0);
    // One by one, so that no more than one inspection is held whole.
    query.fetch(conn).map_err(Error::from).and_then(async |row| summary::read(&row)).try_collect().await
}

/// All of a job for a list, by mailbox and number, deleted ones included.
pub async fn summaries_of_job(conn: &mut Conn, job: JobId) -> Result<Vec<Upload>> {
    let query = sqlx::query("SELECT * FROM migration_uploads WHERE job_id = $1 ORDER BY mailbox_id, slot").bind(job.0);
    query.fetch(conn).map_err(Error::from).and_then(async |row| summary::read(&row)).try_collect().await
}

/// The files of a mailbox whose bytes are all there, by number: those to be read through, to be copied from, and those
/// that could not be read.
pub async fn stored_of_mailbox(conn: &mut Conn, mailbox: MailboxId) -> Result<Vec<StoredUpload>> {
    let rows = sqlx::query(
        "SELECT * FROM migration_uploads WHERE mailbox_id = $1 AND state IN ('stored', 'ready', 'refused')
         ORDER BY slot",
    )
    .bind(mailbox.0)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Those whose bytes are still to come or to be checked, of all mailboxes.
pub async fn receiving(conn: &mut Conn) -> Result<Vec<StoredUpload>> {
    let rows = sqlx::query("SELECT * FROM migration_uploads WHERE state = 'receiving' ORDER BY created_at, id")
        .fetch_all(conn)
        .await?;
    rows.iter().map(read).collect()
}

/// Those that nobody has begun to read through, of all mailboxes.
pub async fn unread(conn: &mut Conn) -> Result<Vec<StoredUpload>> {
    let rows = sqlx::query("SELECT * FROM migration_uploads WHERE state = 'stored' AND run_id IS NULL ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter().map(read).collect()
}

/// Those whose time was over at a moment: unfinished ones, and those that were read through.
pub async fn expired(conn: &mut Conn, now: &str) -> Result<Vec<StoredUpload>> {
    let rows = sqlx::query(
        "SELECT * FROM migration_uploads WHERE expires_at IS NOT NULL AND expires_at <= $1
             AND state IN ('receiving', 'ready')
         ORDER BY expires_at, id",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    rows.iter().map(read).collect()
}

/// Files that this program keeps and that were read through, of jobs that are verified or closed, with the moment from
/// which they are not needed: when their job came there, or when the file last changed, whichever is later. Only those
/// whose time is not set yet.
pub async fn kept_of_finished_jobs(conn: &mut Conn) -> Result<Vec<(StoredUpload, String)>> {
    let rows = sqlx::query(
        "SELECT u.*, coalesce(
             (SELECT max(h.at) FROM migration_phase_history h WHERE h.job_id = j.id AND h.to_phase = 'verified'),
             j.updated_at) AS finished_at
         FROM migration_uploads u JOIN migration_jobs j ON j.id = u.job_id
         WHERE j.phase IN ('verified', 'closed') AND u.state = 'ready' AND u.origin <> 'server'
             AND u.expires_at IS NULL
         ORDER BY u.id",
    )
    .fetch_all(conn)
    .await?;
    let each = rows.iter().map(|row| {
        let stored = read(row)?;
        let from = row.text("finished_at")?.max(stored.upload.updated_at.clone());
        Ok((stored, from))
    });
    each.collect()
}

/// Takes back the time that was set for finished files whose jobs have gone on meanwhile.
pub async fn keep_those_of_open_jobs(conn: &mut Conn) -> Result<u64> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET expires_at = NULL
         WHERE expires_at IS NOT NULL AND state IN ('stored', 'ready', 'refused')
             AND job_id IN (SELECT id FROM migration_jobs WHERE phase NOT IN ('verified', 'closed'))",
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Bytes that are still to come to those unfinished files that were begun or got bytes since a moment. One that nobody
/// goes on with keeps no room from others.
pub async fn awaited(conn: &mut Conn, since: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT CAST(coalesce(sum(bytes - received), 0) AS BIGINT) FROM migration_uploads
         WHERE state = 'receiving' AND origin <> 'server' AND received < bytes AND updated_at >= $1",
    )
    .bind(since)
    .fetch_one(conn)
    .await?)
}

/// How many unfinished files somebody has brought, those of the server not counted.
pub async fn unfinished_of(conn: &mut Conn, created_by: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM migration_uploads
         WHERE state = 'receiving' AND origin <> 'server' AND received < bytes AND created_by = $1",
    )
    .bind(created_by)
    .fetch_one(conn)
    .await?)
}

/// The file of a mailbox that has these bytes, among those that are stored.
pub async fn with_bytes(conn: &mut Conn, mailbox: MailboxId, sha256: &str) -> Result<Option<StoredUpload>> {
    let row = sqlx::query(
        "SELECT * FROM migration_uploads WHERE mailbox_id = $1 AND sha256 = $2 AND state IN ('stored', 'ready')",
    )
    .bind(mailbox.0)
    .bind(sha256)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Whether the ledger holds messages of this file.
pub async fn was_copied_from(conn: &mut Conn, mailbox: MailboxId, slot: u32) -> Result<bool> {
    let first = i64::from(slot) << SLOT_BITS;
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT m.id FROM migration_messages m JOIN migration_folders f ON f.id = m.folder_id
         WHERE f.mailbox_id = $1 AND m.uid >= $2 AND m.uid < $3 AND m.copied_at IS NOT NULL LIMIT 1",
    )
    .bind(mailbox.0)
    .bind(first)
    .bind(first + (1 << SLOT_BITS))
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Notes how many bytes are there. False where the file is not being received any more.
pub async fn set_received(
    conn: &mut Conn,
    id: &str,
    received: i64,
    expires_at: Option<&str>,
    error: Option<&str>,
    now: &str,
) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET received = $2, expires_at = coalesce($3, expires_at), error = $4, updated_at = $5
         WHERE id = $1 AND state = 'receiving'",
    )
    .bind(id)
    .bind(received)
    .bind(expires_at)
    .bind(error.map(clean))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// All bytes are there and checked. [`Error::Exists`] where the mailbox has a file with the same bytes, and
/// [`Error::Missing`] where the file is not being received any more.
pub async fn set_stored(conn: &mut Conn, id: &str, sha256: &str, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET state = 'stored', received = bytes, sha256 = $2, expires_at = NULL, error = NULL,
             updated_at = $3 WHERE id = $1 AND state = 'receiving'",
    )
    .bind(id)
    .bind(sha256)
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "file" }, "file"))?;
    changed(&result, "file")
}

/// The run that reads it through.
pub async fn set_run(conn: &mut Conn, id: &str, run: Option<RunId>, now: &str) -> Result<()> {
    let result = sqlx::query("UPDATE migration_uploads SET run_id = $2, updated_at = $3 WHERE id = $1")
        .bind(id)
        .bind(run.map(|run| run.0))
        .bind(now)
        .execute(conn)
        .await?;
    changed(&result, "file")
}

/// It was read through and can be copied from.
pub async fn set_ready(conn: &mut Conn, id: &str, found: &Inspection, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET state = 'ready', inspection_json = $2, error = NULL, expires_at = NULL,
             updated_at = $3
         WHERE id = $1 AND state IN ('stored', 'ready', 'refused')",
    )
    .bind(id)
    .bind(clean(&serde_json::to_string(found).expect("an inspection has only text and numbers")))
    .bind(now)
    .execute(conn)
    .await
    .map_err(|e| Error::named(e, Error::Exists { what: "file" }, "file"))?;
    changed(&result, "file")
}

/// It cannot be used, for this reason. It stays until a person removes it.
pub async fn set_refused(conn: &mut Conn, id: &str, why: &str, now: &str) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET state = 'refused', error = $2, expires_at = NULL, updated_at = $3
         WHERE id = $1 AND state <> 'deleted'",
    )
    .bind(id)
    .bind(clean(why))
    .bind(now)
    .execute(conn)
    .await?;
    changed(&result, "file")
}

/// The files of a mailbox are to be read through anew, unless their bytes were never all there.
pub async fn read_again(conn: &mut Conn, mailbox: MailboxId, now: &str) -> Result<()> {
    sqlx::query(
        "UPDATE migration_uploads SET state = 'stored', inspection_json = NULL, error = NULL, expires_at = NULL,
             updated_at = $2
         WHERE mailbox_id = $1 AND state IN ('ready', 'refused') AND sha256 IS NOT NULL",
    )
    .bind(mailbox.0)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// It is removed by itself then, or never.
pub async fn set_expiry(conn: &mut Conn, id: &str, at: Option<&str>) -> Result<()> {
    let result = sqlx::query("UPDATE migration_uploads SET expires_at = $2 WHERE id = $1 AND state <> 'deleted'")
        .bind(id)
        .bind(at)
        .execute(conn)
        .await?;
    changed(&result, "file")
}

/// Its bytes go, the row stays. False where they were deleted before.
pub async fn set_deleted(conn: &mut Conn, id: &str, error: Option<&str>, now: &str) -> Result<bool> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET state = 'deleted', deleted_at = $2, updated_at = $2, expires_at = NULL,
             error = coalesce($3, error) WHERE id = $1 AND state <> 'deleted'",
    )
    .bind(id)
    .bind(now)
    .bind(error.map(clean))
    .execute(&mut *conn)
    .await?;
    // Nobody goes on with it: what its pieces were matters no more.
    pieces::delete_from(conn, id, 0).await?;
    Ok(result.rows_affected() > 0)
}

/// It was removed before its mail was proved to have arrived, by whom and why.
pub async fn set_removed_early(conn: &mut Conn, id: &str, by: &str, reason: Option<&str>) -> Result<()> {
    let result = sqlx::query(
        "UPDATE migration_uploads SET removed_early_by = $2, removed_early_why = $3 WHERE id = $1 AND state = 'deleted'",
    )
    .bind(id)
    .bind(clean(by))
    .bind(reason.map(clean))
    .execute(conn)
    .await?;
    changed(&result, "file")
}

/// Forgets one that never was whole. Its number may be given again.
pub async fn delete(conn: &mut Conn, id: &str) -> Result<()> {
    let result = sqlx::query("DELETE FROM migration_uploads WHERE id = $1").bind(id).execute(conn).await?;
    changed(&result, "file")
}

fn read(row: &AnyRow) -> Result<StoredUpload> {
    let inspection = match row.maybe_text(INSPECTION)? {
        None => None,
        Some(_) => Some(row.json(INSPECTION)?),
    };
    Ok(StoredUpload {
        path: row.text("path")?,
        sha256_expected: row.maybe_text("sha256_expected")?,
        metadata: row.maybe_text("metadata")?,
        removed_early: match row.maybe_text("removed_early_by")? {
            None => None,
            Some(by) => Some(RemovedEarly { by, reason: row.maybe_text("removed_early_why")? }),
        },
        upload: read_upload(row, inspection)?,
    })
}

fn read_upload(row: &AnyRow, inspection: Option<Inspection>) -> Result<Upload> {
    let slot = row.integer("slot")?;
    Ok(Upload {
        id: row.text("id")?,
        mailbox_id: MailboxId(row.integer("mailbox_id")?),
        job_id: JobId(row.integer("job_id")?),
        slot: u32::try_from(slot).map_err(|e| Error::Corrupt { column: "slot", reason: e.to_string() })?,
        name: row.text("name")?,
        origin: row.name("origin")?,
        state: row.name("state")?,
        bytes: row.integer("bytes")?,
        received: row.integer("received")?,
        sha256: row.maybe_text("sha256")?,
        run_id: row.maybe_integer("run_id")?.map(RunId),
        inspection,
        error: row.maybe_text("error")?,
        created_by: row.text("created_by")?,
        created_at: row.text("created_at")?,
        updated_at: row.text("updated_at")?,
        expires_at: row.maybe_text("expires_at")?,
        deleted_at: row.maybe_text("deleted_at")?,
    })
}

impl StoredUpload {
    /// Whether its bytes were ever all there and checked: then messages may carry its number, and the row stays.
    #[must_use]
    pub fn was_whole(&self) -> bool {
        self.upload.sha256.is_some() || self.upload.inspection.is_some() || self.upload.run_id.is_some()
    }

    /// Whether its bytes are this program's own, and not a file that lay on the server before.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.upload.origin != UploadOrigin::Server
    }

    /// Whether bytes are still to come or to be checked.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        self.upload.state == UploadState::Receiving
    }
}
