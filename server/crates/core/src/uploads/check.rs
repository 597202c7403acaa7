//! A file whose bytes are all there is read back: each piece must be as it arrived, and the whole as its sender said.
//! Then it is stored, and a run is to read it through.

use super::{
    UploadRefusal,
    append::no_room_or,
    blocking,
    pen::{Pen, ends_at, read_range},
    same_bytes, server_file,
    shelf::Writing,
    subject, told,
};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, runs::enqueue};
use gatepost_contract::{MailboxId, RunType, Upload, UploadOrigin, UploadPiece, UploadState};
use gatepost_gate::phase;
use gatepost_store::{
    Conn, Error as StoreError, jobs, mailboxes, runs,
    uploads::{self as rows, StoredUpload, pieces},
};
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, fs::File, io, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// So many pieces are fetched at once.
const PIECES: i64 = 1000;
/// So much is read before anybody else is looked after; of a file of the server it is noted then.
const STRIDE: u64 = 64 << 20;
/// How long a request waits for its file to be checked, so that small ones are answered with how it ended.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What reading back found.
enum Found {
    /// Everything is as it arrived; this is the digest.
    Right(String),
    /// From here on it is not.
    DamagedFrom(u64),
    /// It is not as it was when it was taken.
    Changed(String),
    /// Somebody wants it removed, or the process is to end.
    Interrupted,
}

impl Gatepost {
    /// Checks a file that is all there, beside what else is done.
    pub(super) fn check_later(&self, id: &str) -> JoinHandle<()> {
        let (gatepost, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = gatepost.check(&id).await {
                tracing::warn!(upload = id, cause = ?error, "an upload could not be checked; it is tried again");
            }
        })
    }

    /// The file after its check, or as it stands when that takes long.
    pub(super) async fn after_check(&self, id: &str) -> Result<Upload> {
        // Whether the time is over or the check ended: the row tells how it stands.
        let _ = tokio::time::timeout(ANSWER_WITHIN, self.check_later(id)).await;
        let row = self.upload_row(id).await?;
        if row.upload.state == UploadState::Deleted && !row.was_whole() {
            // It was new, and has the bytes of another: nobody needs to see it again.
            let same = row.upload.error.clone().unwrap_or_default();
            let mut tx = self.store().begin().await?;
            rows::delete(&mut tx, id).await?;
            tx.commit().await?;
            return Err(Error::conflict("already_uploaded", same));
        }
        Ok(row.upload)
    }

    async fn check(&self, id: &str) -> Result<()> {
        let Some(_only) = self.shelf().begin_check(id) else { return Ok(()) };
        let _turn = self.shelf().checks.acquire().await.map_err(Error::internal)?;
        let row = self.upload_row(id).await?;
        if !row.is_receiving() {
            return Ok(());
        }
        if row.upload.origin == UploadOrigin::Server {
            let place = self.shelf().enter(id);
            let found = match self.server_path_of(&row) {
                Ok(path) => self.read_server_file(&row, path, &place.writing).await?,
                Err(error) => Found::Changed(error.to_string()),
            };
            return self.decide(&row, None, found).await;
        }
        let pen = match self.take_pen(&row).await {
            Ok(pen) => pen,
            // Whoever has it ends it, or it is looked at again.
            Err(Error::Upload(UploadRefusal::Locked)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let place = self.shelf().enter(id);
        let row = self.upload_row(id).await?;
        let (pen, there) = self.settle(&row, pen).await?;
        if !row.is_receiving() || there != row.upload.bytes {
            return Ok(());
        }
        let reading = pen.reading().map_err(Error::internal)?;
        let found = self.read_back(&row, reading, &place.writing).await?;
        self.decide(&row, Some(pen), found).await
    }

    /// Compares what is on the disk with what arrived.
    async fn read_back(&self, row: &StoredUpload, file: File, writing: &Writing) -> Result<Found> {
        let file = Arc::new(file);
        let mut whole = Sha256::new();
        let mut at = 0;
        let mut waiting = VecDeque::new();
        loop {
            if self.crew().stopping().is_cancelled() || writing.give_way.is_cancelled() {
                return Ok(Found::Interrupted);
            }
            writing.heard();
            if waiting.is_empty() {
                waiting = pieces::list(&mut *self.store().reader().await?, &row.upload.id, at, PIECES).await?.into();
            }
            let next = stride(&mut waiting);
            if next.is_empty() {
                break;
            }
            let (reading, from) = (Arc::clone(&file), at);
            let (digest, compared) = blocking(move || compare(&reading, whole, from, &next)).await?;
            whole = digest;
            match compared.map_err(Error::internal)? {
                Ok(end) => at = end,
                Err(damaged) => return Ok(Found::DamagedFrom(u64::try_from(damaged).unwrap_or(0))),
            }
        }
        let end = u64::try_from(at).unwrap_or(0);
        if at != row.upload.bytes {
            return Ok(Found::DamagedFrom(end));
        }
        if !blocking(move || ends_at(&file, end)).await?.map_err(Error::internal)? {
            return Ok(Found::DamagedFrom(end));
        }
        Ok(Found::Right(hex::encode(whole.finalize())))
    }

    /// Reads a file or folder of the server from its first byte to its last.
    async fn read_server_file(&self, row: &StoredUpload, path: std::path::PathBuf, writing: &Writing) -> Result<Found> {
        let root = self.import_root()?;
        let listed = {
            let (root, path) = (root.clone(), path.clone());
            blocking(move || server_file::contents(&root, &path)).await?
        };
        let contents = match listed {
            Ok(contents) => contents,
            Err(why) => return Ok(Found::Changed(why)),
        };
        let changed =
            || Found::Changed("The file was changed while it was read. Wait until it stays as it is.".to_owned());
        if contents.bytes != u64::try_from(row.upload.bytes).unwrap_or(0) {
            return Ok(changed());
        }
        let mut whole = Sha256::new();
        let mut done = 0;
        for one in &contents.files {
            if contents.is_folder {
                whole.update(server_file::heading(one));
            }
            let its_path = if contents.is_folder { path.join(&one.path) } else { path.clone() };
            let shown = server_file::shown(&root, &its_path);
            let opened = blocking(move || server_file::open(&its_path)).await?;
            let file = match opened {
                Ok(file) => Arc::new(file),
                Err(error) => return Ok(Found::Changed(format!("{shown} cannot be read: {error}"))),
            };
            let mut at = 0;
            while at < one.bytes {
                if self.crew().stopping().is_cancelled() || writing.give_way.is_cancelled() {
                    return Ok(Found::Interrupted);
                }
                let (reading, from, bytes) = (Arc::clone(&file), at, STRIDE.min(one.bytes - at));
                let (digest, read) = blocking(move || {
                    let read = read_range(&reading, from, bytes, |block| whole.update(block));
                    (whole, read)
                })
                .await?;
                whole = digest;
                match read {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(changed()),
                    Err(error) => return Ok(Found::Changed(format!("{shown} cannot be read: {error}"))),
                }
                at += bytes;
                done += bytes;
                if bytes == STRIDE {
                    self.note(&row.upload.id, &[], done, None).await?;
                }
            }
            let end = one.bytes;
            if !blocking(move || ends_at(&file, end)).await?.map_err(Error::internal)? {
                return Ok(changed());
            }
        }
        Ok(Found::Right(hex::encode(whole.finalize())))
    }

    /// Writes down what came of a check. The pen holds the file's lock.
    async fn decide(&self, row: &StoredUpload, pen: Option<Pen>, found: Found) -> Result<()> {
        match found {
            Found::Interrupted => Ok(()),
            Found::DamagedFrom(offset) => self.fall_back(row, pen, offset).await,
            Found::Changed(why) => self.refuse_upload(row, &why).await,
            Found::Right(sha256) => {
                if let Some(expected) = row.sha256_expected.as_deref().filter(|expected| *expected != sha256) {
                    let why = format!(
                        "The file that arrived is not the one that was meant: its SHA-256 is {sha256}, and {expected} was \
                         told. Remove it, and upload the right one."
                    );
                    self.refuse_upload(row, &why).await?;
                    self.shelf().erase(row);
                    return Ok(());
                }
                self.keep_checked(row, &sha256).await
            }
        }
    }

    /// What is not on the disk as it arrived comes once more.
    async fn fall_back(&self, row: &StoredUpload, pen: Option<Pen>, offset: u64) -> Result<()> {
        tracing::warn!(upload = row.upload.id, offset, "bytes on the disk are not those that arrived");
        let Some(mut pen) = pen else { return Ok(()) };
        let pen = blocking(move || pen.cut_to(offset).map(|()| pen)).await?.map_err(|e| no_room_or(e, self.shelf()))?;
        let at = i64::try_from(offset).unwrap_or(i64::MAX);
        if row.upload.origin != UploadOrigin::Tus {
            drop(pen);
            let why = "What the disk holds is not what arrived. Check the disk, remove the file, and upload it again.";
            return self.refuse_upload(row, why).await;
        }
        let why = format!(
            "From byte {offset} on the disk does not hold what arrived. Send the rest once more; if it comes again, check \
             the disk."
        );
        let mut tx = self.store().begin().await?;
        pieces::delete_from(&mut tx, &row.upload.id, at).await?;
        rows::set_received(&mut tx, &row.upload.id, at, Some(&self.unfinished_until()), Some(&why), &clock::now())
            .await?;
        tx.commit().await?;
        drop(pen);
        Ok(())
    }

    async fn refuse_upload(&self, row: &StoredUpload, why: &str) -> Result<()> {
        let mut tx = self.store().begin().await?;
        rows::set_refused(&mut tx, &row.upload.id, why, &clock::now()).await?;
        Entry::new(&Actor::Worker, "upload.refuse", subject(&row.upload.id))
            .job(row.upload.job_id)
            .before(&told(&row.upload))
            .reason(why)
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, &Actor::Worker, row.upload.job_id).await?;
        Ok(tx.commit().await?)
    }

    async fn keep_checked(&self, row: &StoredUpload, sha256: &str) -> Result<()> {
        let id = row.upload.id.as_str();
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        if let Some(same) = rows::with_bytes(&mut tx, row.upload.mailbox_id, sha256).await? {
            let why = same_bytes(&same.upload);
            rows::set_deleted(&mut tx, id, Some(&why), &now).await?;
            Entry::new(&Actor::Worker, "upload.refuse", subject(id))
                .job(row.upload.job_id)
                .before(&told(&row.upload))
                .reason(why)
                .write(&mut tx)
                .await?;
            self.judge_job(&mut tx, &Actor::Worker, row.upload.job_id).await?;
            tx.commit().await?;
            self.shelf().erase(row);
            return Ok(());
        }
        match rows::set_stored(&mut tx, id, sha256, &now).await {
            // Another process was quicker with the same bytes: the next look finds them.
            Err(StoreError::Exists { .. } | StoreError::Missing(_)) => return Ok(()),
            other => other?,
        }
        mailboxes::set_path(&mut tx, row.upload.mailbox_id, Some(&row.path), &now).await?;
        let after = rows::get(&mut tx, id).await?.ok_or(Error::NotFound("file"))?;
        Entry::new(&Actor::Worker, "upload.complete", subject(id))
            .job(row.upload.job_id)
            .after(&told(&after.upload))
            .write(&mut tx)
            .await?;
        // In the same transaction: whoever sees the file sees the run that reads it.
        let queued = queue_reading(&mut tx, row.upload.mailbox_id).await?;
        self.judge_job(&mut tx, &Actor::Worker, row.upload.job_id).await?;
        tx.commit().await?;
        if queued {
            self.crew().wake();
        }
        Ok(())
    }

    /// Queues the run that reads the new files of a mailbox through. False where that must wait: a run is at work on the
    /// mailbox, or the job's phase allows none.
    pub(super) async fn read_through(&self, mailbox: MailboxId) -> Result<bool> {
        let mut tx = self.store().begin().await?;
        let queued = queue_reading(&mut tx, mailbox).await?;
        tx.commit().await?;
        if queued {
            self.crew().wake();
        }
        Ok(queued)
    }
}

async fn queue_reading(tx: &mut Conn, mailbox: MailboxId) -> Result<bool> {
    let Some(found_mailbox) = mailboxes::get(tx, mailbox).await? else { return Ok(false) };
    let job = found(jobs::get(tx, found_mailbox.job_id).await?)?;
    let mut new = rows::stored_of_mailbox(tx, mailbox).await?;
    new.retain(|row| row.upload.state == UploadState::Stored);
    let busy = runs::active_for_job(tx, job.id).await?.iter().any(|run| run.mailbox_id == Some(mailbox));
    if new.is_empty() || busy || phase::run_allowed(job.phase, RunType::PstExtract).is_err() {
        return Ok(false);
    }
    let run = enqueue(tx, &Actor::Worker, job.id, mailbox, RunType::PstExtract, "{}").await?;
    for row in new {
        rows::set_run(tx, &row.upload.id, Some(run), &clock::now()).await?;
    }
    Ok(true)
}

/// Takes the next pieces, as many as make a stride.
fn stride(waiting: &mut VecDeque<UploadPiece>) -> Vec<UploadPiece> {
    let mut bytes = 0;
    let mut taken = Vec::new();
    while bytes < STRIDE
        && let Some(piece) = waiting.pop_front()
    {
        bytes += u64::try_from(piece.bytes).unwrap_or(0);
        taken.push(piece);
    }
    taken
}

type Compared = io::Result<std::result::Result<i64, i64>>;

/// Compares pieces with the file: where they end, or where the first begins that is not as it arrived.
fn compare(file: &File, mut whole: Sha256, from: i64, pieces: &[UploadPiece]) -> (Sha256, Compared) {
    let mut at = from;
    for piece in pieces {
        let (Ok(offset), Ok(bytes)) = (u64::try_from(piece.offset), u64::try_from(piece.bytes)) else {
            return (whole, Ok(Err(at)));
        };
        if piece.offset != at {
            return (whole, Ok(Err(at)));
        }
        let mut digest = Sha256::new();
        let read = read_range(file, offset, bytes, |block| {
            digest.update(block);
            whole.update(block);
        });
        match read {
            Ok(()) if hex::encode(digest.finalize()) == piece.sha256 => at += piece.bytes,
            Ok(()) => return (whole, Ok(Err(at))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return (whole, Ok(Err(at))),
            Err(error) => return (whole, Err(error)),
        }
    }
    (whole, Ok(Ok(at)))
}
