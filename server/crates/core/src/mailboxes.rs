//! Mailboxes of a job: adding them, reading them, removing them.

mod changes;
mod checks;
mod secrets;

pub(crate) use checks::check_new;

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, validate::Checker, ways::Ways};
use gatepost_contract::{
    Folder, Job, JobId, Mailbox, MailboxId, NewMailbox, Phase, Scope, Security, SourceType, Tool, UploadState,
};
use gatepost_store::{
    Conn, folders, jobs,
    mailboxes::{self, Side},
    runs, uploads,
};
use serde_json::json;
use std::collections::HashMap;

impl Gatepost {
    /// Adds a mailbox.
    pub async fn add_mailbox(&self, actor: &Actor, job: JobId, new: NewMailbox) -> Result<Mailbox> {
        actor.manage()?;
        let mut checker = Checker::new();
        check_new(&new, &mut checker);
        checker.finish()?;
        let id = self.store_mailboxes(actor, job, std::slice::from_ref(&new)).await?[0];
        self.get_mailbox(actor, id).await
    }

    /// Stores checked mailboxes, all or none.
    pub(crate) async fn store_mailboxes(
        &self,
        actor: &Actor,
        job: JobId,
        new: &[NewMailbox],
    ) -> Result<Vec<MailboxId>> {
        let mut tx = self.store().begin().await?;
        let known = found(jobs::get(&mut tx, job).await?)?;
        open_for_changes(&known)?;
        let ids = self.insert_mailboxes(&mut tx, actor, job, new).await?;
        self.judge_job(&mut tx, actor, job).await?;
        tx.commit().await?;
        Ok(ids)
    }

    pub(crate) async fn insert_mailboxes(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        job: JobId,
        new: &[NewMailbox],
    ) -> Result<Vec<MailboxId>> {
        let now = clock::now();
        let mut ids = Vec::with_capacity(new.len());
        let mut accounts = Accounts::of(tx, job, None).await?;
        let known = found(jobs::get(tx, job).await?)?;
        for mailbox in new {
            let ways = Ways::of(mailbox.source_ssh.as_ref(), mailbox.source_web.as_ref());
            ways.allowed(actor)?;
            let mut fold = Checker::new();
            let email = fold.email("email", &mailbox.email);
            // What reads a file asks no server.
            let server = !mailbox.source_type.is_file();
            let host = mailbox.source_host.as_ref().filter(|_| server).map(|h| fold.host("source_host", h));
            let security = mailbox.source_security.unwrap_or(Security::Tls);
            let user =
                |name: &Option<String>| name.as_deref().map(str::trim).filter(|u| !u.is_empty()).map(str::to_owned);
            let row = mailboxes::NewMailboxRow {
                job_id: job,
                email: email.clone(),
                source_type: mailbox.source_type,
                tool: mailbox.tool.unwrap_or(Tool::Native),
                source_host: host,
                source_port: server.then(|| mailbox.source_port.unwrap_or(security.default_port())),
                source_security: server.then_some(security),
                source_insecure_tls: mailbox.source_insecure_tls,
                source_user: user(&mailbox.source_user),
                source_admin: user(&mailbox.source_admin),
                dest_user: user(&mailbox.dest_user),
                dest_admin: user(&mailbox.dest_admin),
                path: None,
                folder_map: mailbox.folder_map.clone(),
            };
            accounts.add(&email, row.dest_user.as_deref(), row.source_type)?;
            let id = mailboxes::insert(tx, &row, &now).await.map_err(|e| match e {
                gatepost_store::Error::Exists { .. } => {
                    Error::conflict("exists", format!("{email} is in this job already with the same source."))
                }
                other => other.into(),
            })?;
            if ways.ssh.is_some() || ways.web.is_some() {
                mailboxes::set_ways(tx, id, ways.ssh, ways.web, &now).await?;
            }
            for (side, secret) in [(Side::Source, &mailbox.source_secret), (Side::Dest, &mailbox.dest_secret)] {
                if let Some(secret) = secret {
                    self.seal(tx, id, side, secret).await?;
                }
            }
            let stored = mailboxes::get(tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
            self.confirm_by_naming(tx, actor, &known, &stored).await?;
            Entry::new(actor, "mailbox.create", format!("mailbox/{id}")).job(job).after(&stored).write(tx).await?;
            ids.push(id);
        }
        Ok(ids)
    }

    /// The mailboxes of a job.
    pub async fn list_mailboxes(&self, actor: &Actor, job: JobId) -> Result<Vec<Mailbox>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(mailboxes::list(&mut conn, job).await?)
    }

    /// One mailbox.
    pub async fn get_mailbox(&self, actor: &Actor, id: MailboxId) -> Result<Mailbox> {
        actor.read(Scope::JobsRead)?;
        mailboxes::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("mailbox"))
    }

    /// Removes a mailbox with its ledger and the files that were uploaded for it. Mail at either server is not touched, nor
    /// are files that lay on this machine before.
    pub async fn delete_mailbox(&self, actor: &Actor, id: MailboxId) -> Result<()> {
        actor.manage()?;
        let mut tx = self.store().begin().await?;
        let before = mailboxes::get(&mut tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
        let job = found(jobs::get(&mut tx, before.job_id).await?)?;
        open_for_changes(&job)?;
        if job.dns_cutover_at.is_some() {
            return Err(Error::conflict(
                "after_cutover",
                "The MX has been changed: the proof of this mailbox must stay.",
            ));
        }
        if runs::active_for_job(&mut tx, before.job_id).await?.iter().any(|r| r.mailbox_id == Some(id)) {
            return Err(Error::conflict("already_running", "A run is at work on this mailbox. Cancel it first."));
        }
        let files = uploads::of_mailbox(&mut tx, id).await?;
        for file in files.iter().filter(|file| file.upload.state != UploadState::Deleted) {
            let upload = &file.upload;
            let told = json!({
                "name": upload.name, "state": upload.state, "bytes": upload.bytes, "sha256": upload.sha256,
                "origin": upload.origin,
            });
            Entry::new(actor, "upload.delete", format!("upload/{}", upload.id))
                .job(before.job_id)
                .before(&told)
                .reason("its mailbox was removed")
                .write(&mut tx)
                .await?;
        }
        let left = self.withdraw_consents(&mut tx, actor, (before.job_id, Some(id)), "its mailbox was removed").await?;
        mailboxes::delete(&mut tx, id).await?;
        Entry::new(actor, "mailbox.delete", format!("mailbox/{id}"))
            .job(before.job_id)
            .before(&before)
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, before.job_id).await?;
        tx.commit().await?;
        self.give_back_later(left);
        let gatepost = self.clone();
        // Large files take a moment.
        tokio::task::spawn_blocking(move || gatepost.erase_upload_files(&files)).await.map_err(Error::internal)
    }

    /// The folders of a mailbox and what the ledger holds of them.
    pub async fn folders(&self, actor: &Actor, id: MailboxId) -> Result<Vec<Folder>> {
        actor.read(Scope::JobsRead)?;
        let mut conn = self.store().reader().await?;
        if mailboxes::get(&mut conn, id).await?.is_none() {
            return Err(Error::NotFound("mailbox"));
        }
        Ok(folders::list(&mut conn, id).await?)
    }
}

/// The accounts at the new server that the mailboxes of a job feed, in lower case, each with the mailbox that does: two
/// that feed one could each take the other's copies for its own.
struct Accounts(HashMap<String, (String, SourceType)>);

impl Accounts {
    /// Those of a job, but for one of its mailboxes.
    async fn of(tx: &mut Conn, job: JobId, but: Option<MailboxId>) -> Result<Self> {
        let all = mailboxes::list(tx, job).await?.into_iter().filter(|one| Some(one.id) != but);
        let account = |one: &Mailbox| one.dest_user.as_deref().unwrap_or(&one.email).to_lowercase();
        Ok(Self(all.map(|one| (account(&one), (one.email, one.source_type))).collect()))
    }

    /// Adds that of one more mailbox.
    ///
    /// # Errors
    /// Where another mailbox feeds it already.
    fn add(&mut self, email: &str, dest_user: Option<&str>, source_type: SourceType) -> Result<()> {
        let account = dest_user.unwrap_or(email).to_lowercase();
        let Some((other, other_type)) = self.0.get(&account) else {
            self.0.insert(account, (email.to_owned(), source_type));
            return Ok(());
        };
        let instead = match (source_type.is_file(), other_type.is_file()) {
            (true, true) if source_type == *other_type => " It takes several files: add this one to it.",
            (false, false) => "",
            _ => " Open a second job of the domain for the other source: the gate waits for both.",
        };
        let sentence = format!(
            "{other} of this job goes to the account {account} already. One mailbox of a job feeds one account.{instead}"
        );
        Err(Error::conflict("exists", sentence))
    }
}

/// A job that is closed stays as it is.
pub(crate) fn open_for_changes(job: &Job) -> Result<()> {
    if job.phase == Phase::Closed {
        return Err(Error::conflict("closed", "The job is closed. Open a new one."));
    }
    Ok(())
}
