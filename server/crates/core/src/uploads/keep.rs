//! What happens to uploads while nobody asks: files that are all there are checked and read through, unfinished ones and
//! those that nobody needs any more are removed, and leftovers of ended processes are tidied away.

use super::{
    pen::{NotOpen, Pen},
    shelf::{SPOOL, erase_one},
};
use crate::{Error, Gatepost, Result, clock};
use gatepost_contract::UploadState;
use gatepost_store::uploads::{self as rows, StoredUpload};
use std::{
    path::{Path, PathBuf},
    time::Duration as StdDuration,
};
use time::{Duration, OffsetDateTime};

/// How often it is looked what is to be done.
const TICK: StdDuration = StdDuration::from_secs(3);
/// After how many ticks files whose time is over are removed, and after how many the folder is tidied.
const EXPIRE_EVERY: u32 = 20;
const TIDY_EVERY: u32 = 1200;
/// The length of an id.
const ID: usize = 36;

impl Gatepost {
    /// Looks after uploads until the process is to end.
    pub(crate) async fn keep_uploads(&self) {
        let stopping = self.crew().stopping().clone();
        let mut ticks = 0_u32;
        loop {
            if ticks.is_multiple_of(TIDY_EVERY) {
                self.told("the folder of the uploads could not be tidied", self.tidy_uploads().await);
            }
            if ticks.is_multiple_of(EXPIRE_EVERY) {
                let done = self.expire_uploads(OffsetDateTime::now_utc()).await;
                self.told("uploads whose time is over could not be removed", done);
            }
            self.told("uploads could not be looked after", self.go_on_with_uploads().await);
            ticks = ticks.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    fn told(&self, what: &str, done: Result<()>) {
        if let Err(error) = done {
            tracing::warn!(cause = ?error, "{what}");
        }
    }

    /// Checks what is all there and was not checked, and has read through what nobody has begun to read.
    async fn go_on_with_uploads(&self) -> Result<()> {
        let (receiving, unread) = {
            let mut conn = self.store().reader().await?;
            (rows::receiving(&mut conn).await?, rows::unread(&mut conn).await?)
        };
        for row in receiving {
            // A file of the server is all there from the start.
            if row.upload.received >= row.upload.bytes || !row.is_ours() {
                self.check_later(&row.upload.id);
            }
        }
        let mut mailboxes: Vec<_> = unread.iter().map(|row| row.upload.mailbox_id).collect();
        mailboxes.dedup();
        for mailbox in mailboxes {
            self.read_through(mailbox).await?;
        }
        Ok(())
    }

    /// Removes the files whose time is over at a moment.
    pub async fn expire_uploads(&self, now: OffsetDateTime) -> Result<()> {
        let days = i64::try_from(self.config().upload_retention_days).unwrap_or(0);
        let expired = {
            let mut tx = self.store().begin().await?;
            rows::keep_those_of_open_jobs(&mut tx).await?;
            if days > 0 {
                for (row, from) in rows::kept_of_finished_jobs(&mut tx).await? {
                    let at = clock::parse(&from).and_then(|at| at.checked_add(Duration::days(days)));
                    rows::set_expiry(&mut tx, &row.upload.id, at.map(clock::text).as_deref()).await?;
                }
            }
            let expired = rows::expired(&mut tx, &clock::text(now)).await?;
            tx.commit().await?;
            expired
        };
        for row in expired {
            let unfinished = row.is_receiving();
            if !unfinished && days == 0 {
                continue;
            }
            let id = row.upload.id.clone();
            let done = if unfinished {
                let why = "it was not finished in time (GATEPOST_UPLOAD_EXPIRY_HOURS)";
                self.expire_unfinished(row, why, now).await
            } else {
                let why =
                    "the time was over for which files of verified jobs are kept (GATEPOST_UPLOAD_RETENTION_DAYS)";
                self.expire_finished(row, why, now).await
            };
            match done {
                Ok(()) => {}
                // It is looked at again.
                Err(Error::Conflict { .. }) => tracing::debug!(upload = id, "an upload is still needed"),
                // One file's trouble is no other's.
                Err(error) => {
                    tracing::warn!(upload = id, cause = ?error, "an upload whose time is over could not be removed");
                }
            }
        }
        Ok(())
    }

    /// Removes what ended processes left behind: files of forms, and bytes of files whose rows say that they are gone.
    /// What belongs to no row is left alone, since it may belong to another database.
    pub(super) async fn tidy_uploads(&self) -> Result<()> {
        let folder = self.shelf().folder();
        let listed = super::blocking(move || list(folder)).await?.map_err(Error::internal)?;
        let mut strangers = 0;
        let mut conn = self.store().reader().await?;
        for (path, name) in listed {
            if let Some(id) = name.strip_suffix(SPOOL) {
                let row = rows::get(&mut conn, id).await?.filter(StoredUpload::is_receiving);
                let place = row.as_ref().map(|row| self.shelf().bytes(&row.path));
                if super::blocking(move || tidy_spool(&path, place.as_deref())).await? {
                    self.check_later(id);
                }
                continue;
            }
            let Some(id) = name.get(..ID).filter(|id| uuid::Uuid::try_parse(id).is_ok()) else { continue };
            match rows::get(&mut conn, id).await? {
                None => strangers += 1,
                Some(row) if row.upload.state == UploadState::Deleted => {
                    super::blocking(move || erase_one(&path)).await?;
                }
                Some(_) => {}
            }
        }
        if strangers > 0 {
            tracing::warn!(
                files = strangers,
                "files below uploads/ belong to no upload of this database; they are left alone"
            );
        }
        Ok(())
    }
}

fn list(folder: PathBuf) -> std::io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((entry.path(), name));
        }
    }
    Ok(found)
}

/// Removes a form's file unless somebody holds its lock. One that has a row has come whole: it is put into its place, and
/// the answer is true.
fn tidy_spool(path: &Path, place: Option<&Path>) -> bool {
    let _pen = match Pen::open(path) {
        Ok(pen) => pen,
        Err(NotOpen::Locked | NotOpen::Missing) => return false,
        Err(NotOpen::Failed(error)) => {
            tracing::warn!(path = %path.display(), %error, "a leftover of a form could not be removed");
            return false;
        }
    };
    let Some(place) = place else {
        erase_one(path);
        return false;
    };
    match std::fs::rename(path, place) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a form's file could not be put into its place");
            false
        }
    }
}
