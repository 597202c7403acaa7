//! Files that come in one request: a form whose fields may be in any order, so that the file may come before anybody
//! knows for which mailbox. Of one that breaks off nothing is kept.

use super::{
    UploadRefusal,
    append::{BodyRef, End, no_room_or},
    blocking, check_sha256, file_name, new_id,
    pen::Pen,
    shelf::erase_one,
};
use crate::{Actor, Error, Gatepost, Result, jobs::found, mailboxes::open_for_changes, validate::Checker};
use gatepost_contract::{JobId, MailboxId, Upload, UploadOrigin, UploadPiece};
use gatepost_store::{jobs, uploads::NewUploadRow};
use std::path::PathBuf;

/// A file that has come and is not anybody's yet. Its bytes go when it is dropped.
#[derive(Debug)]
pub struct ReceivedFile {
    id: String,
    spool: Spool,
    bytes: u64,
    sha256: String,
    pieces: Vec<UploadPiece>,
    /// Holds the lock, so that nobody takes it for a leftover.
    _pen: Locked,
}

struct Locked(#[expect(dead_code, reason = "it is held, not used")] Pen);

impl std::fmt::Debug for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Locked")
    }
}

/// A file that is removed unless it was kept.
#[derive(Debug)]
struct Spool {
    path: PathBuf,
    kept: bool,
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.kept {
            erase_one(&self.path);
        }
    }
}

impl Gatepost {
    /// Refuses who may not bring files to a job, before anything is read of what they send.
    pub async fn may_bring_files(&self, actor: &Actor, job: JobId) -> Result<()> {
        actor.manage()?;
        open_for_changes(&found(jobs::get(&mut *self.store().reader().await?, job).await?)?)
    }

    /// Takes the bytes of a form's file. `declared` is about how many come, where that is known.
    pub async fn receive_file(
        &self,
        actor: &Actor,
        job: JobId,
        declared: Option<u64>,
        body: BodyRef<'_>,
    ) -> Result<ReceivedFile> {
        self.may_bring_files(actor, job).await?;
        let most = self.upload_limits().max_bytes;
        if let Some(declared) = declared {
            // The form around the file counts here too; it is small.
            self.refuse_too_large(declared.saturating_sub(FORM))?;
        }
        self.refuse_without_room(declared.unwrap_or(0)).await?;
        let id = new_id();
        let spool = Spool { path: self.shelf().spool(&id), kept: false };
        let path = spool.path.clone();
        let pen = match blocking(move || Pen::create(&path)).await? {
            Ok(pen) => pen,
            Err(super::pen::NotOpen::Failed(error)) => return Err(no_room_or(error, self.shelf())),
            Err(_) => return Err(Error::internal("the folder of the uploads is not there")),
        };
        let mut pen = pen;
        pen.digest_all();
        let (mut pen, end) = self.pour(pen, most, body, None).await?;
        match end {
            End::Whole => {}
            End::Cut => return Err(UploadRefusal::FormCut.into()),
            End::TooMuch => return Err(UploadRefusal::TooLarge { bytes: most.saturating_add(1), most }.into()),
            End::Refused(error) => return Err(error),
        }
        if pen.at() == 0 {
            return Err(Error::field("file", "is empty; an empty file holds no mail"));
        }
        pen.end_piece();
        let (pen, synced) = blocking(move || {
            let synced = pen.sync();
            (pen, synced)
        })
        .await?;
        synced.map_err(|error| no_room_or(error, self.shelf()))?;
        let mut pen = pen;
        let sha256 = pen.digest_of_all().unwrap_or_default();
        Ok(ReceivedFile { id, spool, bytes: pen.at(), sha256, pieces: pen.take_pieces(), _pen: Locked(pen) })
    }

    /// Makes a received file one of a mailbox of this job, and checks it.
    pub async fn keep_file(
        &self,
        actor: &Actor,
        job: JobId,
        mailbox: MailboxId,
        name: &str,
        sha256: Option<&str>,
        received: ReceivedFile,
    ) -> Result<Upload> {
        actor.manage()?;
        let mut checker = Checker::new();
        let expected = check_sha256(sha256, &mut checker);
        if expected.as_ref().is_some_and(|expected| *expected != received.sha256) {
            checker.error("sha256", format!("is not that of the file that arrived, which is {}", received.sha256));
        }
        checker.finish()?;
        let (mailbox, its_job) = self.may_attach(mailbox, Some(&received.sha256)).await?;
        if its_job.id != job {
            return Err(Error::field("mailbox_id", "is no mailbox of this job"));
        }
        let ReceivedFile { id, mut spool, bytes, pieces: came, _pen, .. } = received;
        let path = self.shelf().own_path(&id);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let expires_at = self.unfinished_until();
        let row = NewUploadRow {
            id: &id,
            mailbox_id: mailbox.id,
            job_id: job,
            name: &file_name(name),
            origin: UploadOrigin::Multipart,
            path: &path,
            bytes,
            received: bytes,
            sha256_expected: expected.as_deref(),
            metadata: None,
            created_by: &actor.label(),
            expires_at: Some(&expires_at),
        };
        self.insert_upload(actor, &row, &came).await?;
        // The file takes its place last, so that each one there has a row. Where the process ends in between, it is put
        // into its place when the folder is tidied.
        spool.kept = true;
        let (from, to) = (spool.path.clone(), self.shelf().bytes(&path));
        blocking(move || std::fs::rename(from, to)).await?.map_err(Error::internal)?;
        drop(_pen);
        let kept = self.after_check(&id).await;
        if matches!(kept, Err(Error::NotFound(_))) {
            // Somebody removed it before it had its place.
            self.shelf().erase_own(&path);
        }
        kept
    }
}

/// More than the parts of a form take that are not the file.
const FORM: u64 = 64 << 10;
