//! Uploads: files that are sources of mailboxes, from their first byte to their deletion. Who may bring and remove them,
//! where they lie, how they are checked and how long they stay.
//!
//! The bytes of a file lie below `uploads/` of the data path under the file's id, or stay where they lay on the server.
//! How far an unfinished file is, its length on the disk says; the row says at least what was noted. Once all bytes are
//! there the file is read back and compared with what came. What is in it is not known here: a run reads it through.

mod append;
mod check;
mod keep;
mod pen;
mod refusal;
mod remove;
mod server_file;
mod shelf;
mod space;
#[cfg(test)]
mod tests;
mod whole;

pub use append::UploadBody;
pub use pen::Checksum;
pub use refusal::UploadRefusal;
pub(crate) use shelf::Shelf;
pub use shelf::UploadFiles;
pub use whole::ReceivedFile;

use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, mailboxes::open_for_changes,
    uploads::space::figure, validate::Checker,
};
use gatepost_contract::{Job, JobId, Mailbox, MailboxId, NewUpload, Scope, Upload, UploadOrigin, UploadPiece};
use gatepost_store::{
    Error as StoreError, jobs, mailboxes,
    uploads::{self as rows, NewUploadRow, StoredUpload, pieces},
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// The most pieces that are answered at once.
pub const MAX_PIECES: i64 = 10_000;
/// The longest name that is kept of a file.
const NAME: usize = 255;
/// The most unfinished uploads of one person.
const MAX_UNFINISHED: i64 = 100;
/// How often a number is asked for that others take at the same moment. Each time one of them has got its own.
const TRIES: usize = 10;
/// How long room is kept for an upload to which no bytes come.
const ROOM_KEPT: Duration = Duration::HOUR;
/// The longest metadata that are kept as they came.
const METADATA: usize = 4096;

/// What uploads may be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// The largest file, in bytes.
    pub max_bytes: u64,
    /// Whether files of the server may be taken.
    pub server_files: bool,
}

impl Gatepost {
    /// What uploads may be here.
    #[must_use]
    pub fn upload_limits(&self) -> UploadLimits {
        let config = self.config();
        UploadLimits {
            max_bytes: config.max_pst_gb.saturating_mul(1 << 30),
            server_files: config.import_path.is_some(),
        }
    }

    /// The files of a mailbox by their numbers, deleted ones included; of what was found in them the sums, without folders.
    pub async fn uploads_of(&self, actor: &Actor, mailbox: MailboxId) -> Result<Vec<Upload>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        if mailboxes::get(&mut conn, mailbox).await?.is_none() {
            return Err(Error::NotFound("mailbox"));
        }
        Ok(rows::summaries_of_mailbox(&mut conn, mailbox).await?)
    }

    /// The files of all mailboxes of a job; of what was found in them the sums, without folders.
    pub async fn uploads_of_job(&self, actor: &Actor, job: JobId) -> Result<Vec<Upload>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(rows::summaries_of_job(&mut conn, job).await?)
    }

    /// One file.
    pub async fn upload(&self, actor: &Actor, id: &str) -> Result<Upload> {
        actor.read(Scope::JobsRead)?;
        Ok(self.upload_row(id).await?.upload)
    }

    /// The pieces of a file from an offset on, as they arrived.
    pub async fn upload_pieces(&self, actor: &Actor, id: &str, from: i64, limit: i64) -> Result<Vec<UploadPiece>> {
        actor.read(Scope::JobsRead)?;
        let row = self.upload_row(id).await?;
        let mut conn = self.store().reader().await?;
        Ok(pieces::list(&mut conn, &row.upload.id, from.max(0), limit.clamp(1, MAX_PIECES)).await?)
    }

    /// What is no mail in a file, as a zip; and what it may be called. Who reads it is in the audit log.
    pub async fn upload_items(&self, actor: &Actor, id: &str) -> Result<(std::fs::File, String)> {
        actor.staff()?;
        let row = self.upload_row(id).await?;
        if !row.upload.inspection.as_ref().is_some_and(|found| found.has_items) {
            return Err(Error::NotFound("file of contacts and appointments"));
        }
        let path = self.shelf().items(&row.upload.id);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotFound("file of contacts and appointments"));
            }
            Err(e) => return Err(Error::internal(e)),
        };
        let mut tx = self.store().begin().await?;
        Entry::new(actor, "upload.items", subject(id))
            .job(row.upload.job_id)
            .after(&row.upload.name)
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        Ok((file, format!("{}-items.zip", row.upload.id)))
    }

    /// Makes ready for a file that comes in pieces.
    pub async fn create_upload(&self, actor: &Actor, new: NewUpload) -> Result<Upload> {
        actor.manage()?;
        let mut checker = Checker::new();
        let name = file_name(&new.name);
        if new.bytes <= 0 {
            checker.error("bytes", "must be the file's length; an empty file holds no mail");
        }
        let sha256 = check_sha256(new.sha256.as_deref(), &mut checker);
        if new.metadata.as_ref().is_some_and(|text| text.len() > METADATA) {
            checker.error("metadata", format!("must have at most {METADATA} bytes"));
        }
        checker.finish()?;
        let bytes = u64::try_from(new.bytes).unwrap_or(u64::MAX);
        self.refuse_too_large(bytes)?;
        let (mailbox, job) = self.may_attach(new.mailbox_id, sha256.as_deref()).await?;
        self.refuse_too_many_unfinished(actor).await?;
        self.refuse_without_room(bytes).await?;

        let id = new_id();
        let path = self.shelf().own_path(&id);
        drop(self.create_pen(&path).await?);
        let expires_at = self.unfinished_until();
        let row = NewUploadRow {
            id: &id,
            mailbox_id: mailbox.id,
            job_id: job.id,
            name: &name,
            origin: UploadOrigin::Tus,
            path: &path,
            bytes: new.bytes,
            received: 0,
            sha256_expected: sha256.as_deref(),
            metadata: new.metadata.as_deref(),
            created_by: &actor.label(),
            expires_at: Some(&expires_at),
        };
        let inserted = self.insert_upload(actor, &row, &[]).await;
        if inserted.is_err() {
            self.shelf().erase_own(&path);
        }
        inserted
    }

    /// Where the bytes of a file lie, and what was made of them.
    ///
    /// # Errors
    /// A file of the server that is not where it was, or lies outside of the allowed folder by now: with a sentence.
    pub fn upload_files(&self, row: &StoredUpload) -> Result<UploadFiles> {
        let shelf = self.shelf();
        let bytes = if row.is_ours() { shelf.bytes(&row.path) } else { self.server_path_of(row)? };
        let id = &row.upload.id;
        Ok(UploadFiles { bytes, catalogue: shelf.catalogue(id), items: shelf.items(id), readpst: shelf.readpst(id) })
    }

    /// Removes what lies on the disk of files whose rows are gone. Files of the server stay where they are.
    pub(crate) fn erase_upload_files(&self, rows: &[StoredUpload]) {
        for row in rows {
            self.shelf().erase(row);
        }
    }

    /// A file with what is not shown of it.
    pub(crate) async fn upload_row(&self, id: &str) -> Result<StoredUpload> {
        // Any other text names no file, and must not get near the disk.
        if uuid::Uuid::try_parse(id).is_err() {
            return Err(Error::NotFound("file"));
        }
        rows::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("file"))
    }

    /// A mailbox that takes files and its job, as long as files may come.
    async fn may_attach(&self, id: MailboxId, sha256: Option<&str>) -> Result<(Mailbox, Job)> {
        let mut conn = self.store().reader().await?;
        let Some(mailbox) = mailboxes::get(&mut conn, id).await? else {
            return Err(Error::field("mailbox_id", "is no mailbox"));
        };
        let job = found(jobs::get(&mut conn, mailbox.job_id).await?)?;
        open_for_changes(&job)?;
        if !mailbox.source_type.is_file() {
            return Err(Error::conflict(
                "not_a_file_mailbox",
                format!(
                    "{} takes its mail from a server ({}). Add a mailbox whose source is pst, mbox, eml or tgz.",
                    mailbox.email, mailbox.source_type
                ),
            ));
        }
        if let Some(sha256) = sha256
            && let Some(same) = rows::with_bytes(&mut conn, id, sha256).await?
        {
            return Err(already_uploaded(&same.upload));
        }
        Ok((mailbox, job))
    }

    fn refuse_too_large(&self, bytes: u64) -> Result<()> {
        let most = self.upload_limits().max_bytes;
        if bytes > most { Err(UploadRefusal::TooLarge { bytes, most }.into()) } else { Ok(()) }
    }

    /// Each unfinished file is a row, a file on the disk and room that others do not get.
    async fn refuse_too_many_unfinished(&self, actor: &Actor) -> Result<()> {
        let open = rows::unfinished_of(&mut *self.store().reader().await?, &actor.label()).await?;
        if open < MAX_UNFINISHED {
            return Ok(());
        }
        Err(Error::conflict(
            "too_many_unfinished",
            format!("You have {open} unfinished uploads. Finish or remove some before you begin another."),
        ))
    }

    async fn refuse_without_room(&self, bytes: u64) -> Result<()> {
        let since = clock::text(OffsetDateTime::now_utc() - ROOM_KEPT);
        let awaited = rows::awaited(&mut *self.store().reader().await?, &since).await?;
        let shelf = self.shelf().clone();
        let awaited = u64::try_from(awaited).unwrap_or(0);
        blocking(move || shelf.room.for_file(&shelf.folder(), bytes, awaited)).await?.map_err(Error::internal)??;
        Ok(())
    }

    /// Notes a new file, with the pieces of it that are there. Where others come to the mailbox at the same moment, it
    /// takes a number after theirs: a form that was refused for that would have sent its file in vain.
    async fn insert_upload(&self, actor: &Actor, row: &NewUploadRow<'_>, came: &[UploadPiece]) -> Result<Upload> {
        while_taken(|| self.try_to_insert(actor, row, came)).await
    }

    /// `None` where another took its number at the same moment.
    async fn try_to_insert(
        &self,
        actor: &Actor,
        row: &NewUploadRow<'_>,
        came: &[UploadPiece],
    ) -> Result<Option<Upload>> {
        let mut tx = self.store().begin().await?;
        match rows::insert(&mut tx, row, &clock::now()).await {
            Ok(true) => {}
            Ok(false) => {
                return Err(Error::conflict(
                    "too_many_files",
                    format!("The mailbox has had {} files, and takes no more.", rows::MAX_FILES),
                ));
            }
            Err(StoreError::Exists { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        pieces::add(&mut tx, row.id, came).await?;
        let upload = rows::get(&mut tx, row.id).await?.ok_or(Error::NotFound("file"))?.upload;
        Entry::new(actor, "upload.create", subject(row.id))
            .job(row.job_id)
            .after(&told(&upload))
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, row.job_id).await?;
        tx.commit().await?;
        Ok(Some(upload))
    }

    /// Until when a file is kept that is not finished now.
    fn unfinished_until(&self) -> String {
        let hours = i64::try_from(self.config().upload_expiry_hours).unwrap_or(168);
        clock::text(OffsetDateTime::now_utc() + Duration::hours(hours))
    }
}

/// Tries until a number was free, as often as that is likely to help.
async fn while_taken<T, F: Future<Output = Result<Option<T>>>>(attempt: impl Fn() -> F) -> Result<T> {
    for _ in 0..TRIES {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(Error::conflict("busy", "Another file came to the mailbox at the same moment. Try again."))
}

/// What the audit log tells of a file.
fn told(upload: &Upload) -> serde_json::Value {
    json!({
        "mailbox_id": upload.mailbox_id, "slot": upload.slot, "name": upload.name, "origin": upload.origin,
        "state": upload.state, "bytes": upload.bytes, "received": upload.received, "sha256": upload.sha256,
    })
}

fn subject(id: &str) -> String {
    format!("upload/{id}")
}

fn already_uploaded(same: &Upload) -> Error {
    Error::conflict("already_uploaded", same_bytes(same))
}

fn same_bytes(same: &Upload) -> String {
    let size = figure(u64::try_from(same.bytes).unwrap_or(0));
    format!("The mailbox has these bytes already: {} ({size}). A file is taken into a mailbox once.", same.name)
}

/// A name for people: without folders, without what turns text round, and not too long.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let clean: String = last.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).take(NAME).collect();
    let clean = clean.trim();
    if clean.is_empty() || clean == "." || clean == ".." { "file".to_owned() } else { clean.to_owned() }
}

/// A digest in lower case, or none; anything else is a wrong field.
fn check_sha256(given: Option<&str>, checker: &mut Checker) -> Option<String> {
    let text = given.map(str::trim).filter(|text| !text.is_empty())?.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(text);
    }
    checker.error("sha256", "must be 64 hexadecimal digits");
    None
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Does what waits for the disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}
