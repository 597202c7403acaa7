//! Removing files: by a person, or when their time is over. What was decided is looked at once more in the transaction
//! that removes, so that no run begins and no proof is lost in between.

use super::{UploadRefusal, blocking, subject, told};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, files, jobs::found, validate::Checker};
use gatepost_contract::{Phase, UploadState};
use gatepost_store::{
    Conn, evidence, jobs, runs,
    uploads::{self as rows, StoredUpload},
};
use time::OffsetDateTime;

/// How long a reason may be.
const REASON: usize = 2000;

/// Why a file goes.
enum Cause<'a> {
    /// A person wants it; with the reason why it may go before its mail is proved to have arrived.
    Person { early: Option<&'a str> },
    /// Its time was over at this moment.
    Expired { why: &'a str, now: &'a str },
}

impl Gatepost {
    /// Removes a file. One that never was whole is forgotten, of others the row stays. A file that holds mail goes before
    /// that is proved to have arrived only with a reason (`early`), which the gate shows from then on.
    pub async fn delete_upload(&self, actor: &Actor, id: &str, early: Option<&str>) -> Result<()> {
        actor.manage()?;
        let early = early.map(reason).transpose()?;
        let row = self.upload_row(id).await?;
        if row.upload.state == UploadState::Deleted {
            return Err(UploadRefusal::Deleted.into());
        }
        let cause = Cause::Person { early: early.as_deref() };
        // Before whoever writes to it is sent away.
        may_go(&mut *self.store().reader().await?, &row, &cause).await?;
        self.discard(actor, row, cause).await
    }

    /// Removes a finished file whose time was over at this moment.
    pub(super) async fn expire_finished(&self, row: StoredUpload, why: &str, now: OffsetDateTime) -> Result<()> {
        let now = clock::text(now);
        let cause = Cause::Expired { why, now: &now };
        may_go(&mut *self.store().reader().await?, &row, &cause).await?;
        self.discard(&Actor::Worker, row, cause).await
    }

    /// Gives up waiting for the rest of a file. Its bytes go; the row stays as refused until a person removes it, since
    /// somebody attached it and its mail is missing.
    pub(super) async fn expire_unfinished(&self, row: StoredUpload, why: &str, now: OffsetDateTime) -> Result<()> {
        let (id, now) = (row.upload.id.as_str(), clock::text(now));
        let pen = if row.is_ours() { self.take_over(&row).await? } else { None };
        let mut tx = self.store().begin().await?;
        let before = rows::get(&mut tx, id).await?.ok_or(Error::NotFound("file"))?;
        // What is all there waits for its check, however long.
        let all_there = before.upload.received >= before.upload.bytes || !before.is_ours();
        if !before.is_receiving() || all_there || !is_over(&before, &now) {
            return Ok(());
        }
        let sentence = format!(
            "{} did not arrive in time; bring it again, then remove this one. Or remove it if nobody needs it.",
            before.upload.name
        );
        rows::set_refused(&mut tx, id, &sentence, &clock::now()).await?;
        rows::pieces::delete_from(&mut tx, id, 0).await?;
        Entry::new(&Actor::Worker, "upload.refuse", subject(id))
            .job(before.upload.job_id)
            .before(&told(&before.upload))
            .reason(why)
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, &Actor::Worker, before.upload.job_id).await?;
        tx.commit().await?;
        let shelf = self.shelf().clone();
        blocking(move || {
            shelf.erase(&before);
            drop(pen);
        })
        .await
    }

    /// Removes a file whose removal was decided.
    async fn discard(&self, actor: &Actor, row: StoredUpload, cause: Cause<'_>) -> Result<()> {
        let id = row.upload.id.clone();
        // Whoever writes to it ends first.
        let pen = if row.is_ours() {
            self.take_over(&row).await?
        } else {
            if let Some(reading) = self.shelf().writer(&id) {
                reading.give_way.cancel();
            }
            None
        };
        let mut tx = self.store().begin().await?;
        let before = rows::get(&mut tx, &id).await?.ok_or(Error::NotFound("file"))?;
        // Whoever looks at the file from here on waits, and finds it removed.
        if !rows::set_deleted(&mut tx, &id, None, &clock::now()).await? {
            return Err(UploadRefusal::Deleted.into());
        }
        let needs_a_reason = may_go(&mut tx, &before, &cause).await?;
        let mut entry =
            Entry::new(actor, "upload.delete", subject(&id)).job(row.upload.job_id).before(&told(&before.upload));
        match cause {
            Cause::Expired { why, .. } => entry = entry.reason(why),
            Cause::Person { early } => {
                if needs_a_reason {
                    rows::set_removed_early(&mut tx, &id, &actor.label(), early).await?;
                }
                if let Some(why) = early {
                    entry = entry.reason(why);
                }
            }
        }
        entry.write(&mut tx).await?;
        self.judge_job(&mut tx, actor, row.upload.job_id).await?;
        tx.commit().await?;
        let shelf = self.shelf().clone();
        let erased = before.clone();
        blocking(move || {
            shelf.erase(&erased);
            // The lock goes with it, after the bytes.
            drop(pen);
        })
        .await?;
        if !before.was_whole() {
            let mut tx = self.store().begin().await?;
            rows::delete(&mut tx, &id).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Refuses to remove a file, as it was before, that must stay for now. True where it goes only for the reason given.
async fn may_go(conn: &mut Conn, file: &StoredUpload, cause: &Cause<'_>) -> Result<bool> {
    let upload = &file.upload;
    let busy = runs::active_for_job(conn, upload.job_id).await?;
    if !file.is_receiving() && busy.iter().any(|run| run.mailbox_id == Some(upload.mailbox_id)) {
        return Err(Error::conflict(
            "already_running",
            "A run is at work on this mailbox. Wait for it, or cancel it first.",
        ));
    }
    let unproved = is_unproved(conn, file).await?;
    match cause {
        Cause::Person { early: None } if unproved => Err(Error::conflict(
            "copied_from",
            format!(
                "{} holds mail, and it is not proved yet that all of it arrived. Without the file nobody can prove that any \
                 more. Remove it only on purpose (force), and say why: the gate shows the reason.",
                upload.name
            ),
        )),
        Cause::Expired { now, .. } if unproved || upload.state != UploadState::Ready || !is_over(file, now) => {
            Err(Error::conflict("still_needed", format!("{} is needed again.", upload.name)))
        }
        _ => Ok(unproved),
    }
}

/// Whether a file holds mail of which no verification has proved that it arrived.
async fn is_unproved(conn: &mut Conn, file: &StoredUpload) -> Result<bool> {
    let upload = &file.upload;
    let holds_mail = upload.inspection.as_ref().is_some_and(|found| found.messages > 0)
        || rows::was_copied_from(conn, upload.mailbox_id, upload.slot).await?;
    if !holds_mail {
        return Ok(false);
    }
    let job = found(jobs::get(conn, upload.job_id).await?)?;
    if !matches!(job.phase, Phase::Verified | Phase::Closed) {
        return Ok(true);
    }
    let proofs = evidence::for_job(conn, upload.job_id).await?.mailboxes;
    let proof = proofs.iter().find(|proof| proof.mailbox_id == upload.mailbox_id).and_then(|proof| proof.run_id);
    Ok(files::is_later(upload, proof))
}

fn is_over(file: &StoredUpload, now: &str) -> bool {
    file.upload.expires_at.as_deref().is_some_and(|at| at <= now)
}

fn reason(text: &str) -> Result<String> {
    let mut checker = Checker::new();
    let reason = checker.text("reason", text, 1..=REASON, true);
    checker.finish()?;
    Ok(reason)
}
