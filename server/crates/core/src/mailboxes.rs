//! Mailboxes of a job, and their sealed secrets.

use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, validate::Checker, ways::Ways};
use gatepost_contract::{
    Folder, Job, JobId, Mailbox, MailboxId, MailboxPatch, NewMailbox, Phase, Scope, SecretInput, Security, SourceType,
    Tool, UploadState,
};
use gatepost_store::{
    Conn, credentials, folders, jobs,
    mailboxes::{self, Side},
    runs, uploads,
};
use gatepost_vault::{Sealed, SecretText};
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

    /// Seals a secret and takes the place of the one before.
    async fn seal(&self, tx: &mut Conn, mailbox: MailboxId, side: Side, secret: &SecretInput) -> Result<()> {
        let text = |s: &Option<gatepost_contract::Secret>| s.as_ref().map(|s| SecretText::new(s.0.clone()));
        let sealed = Sealed { password: text(&secret.password), oauth_token: text(&secret.oauth_token) };
        let id = uuid::Uuid::new_v4().to_string();
        let blob = self.vault().seal(&sealed);
        let old = mailboxes::refs(tx, mailbox).await?.and_then(|refs| reference(refs, side));
        let now = clock::now();
        credentials::put(tx, &id, mailbox, &blob, None, &now).await?;
        mailboxes::set_credentials(tx, mailbox, side, Some(&id), &now).await?;
        if let Some(old) = old {
            credentials::delete(tx, &old).await?;
        }
        Ok(())
    }

    /// Opens a mailbox's secret for the time of a run.
    pub(crate) async fn unseal(&self, conn: &mut Conn, mailbox: MailboxId, side: Side) -> Result<Option<Sealed>> {
        let Some(id) = mailboxes::refs(conn, mailbox).await?.and_then(|refs| reference(refs, side)) else {
            return Ok(None);
        };
        let Some(blob) = credentials::get(conn, &id).await? else { return Ok(None) };
        self.vault().open(&blob).map(Some).map_err(|e| Error::conflict("vault", e.to_string()))
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

    /// Changes a mailbox.
    pub async fn update_mailbox(&self, actor: &Actor, id: MailboxId, patch: MailboxPatch) -> Result<Mailbox> {
        actor.manage()?;
        let mut checker = Checker::new();
        let host = patch.source_host.as_ref().filter(|h| !h.trim().is_empty());
        let host = host.map(|h| checker.host("source_host", h));
        checker.port("source_port", patch.source_port);
        let user = |field: &str, value: &Option<String>, checker: &mut Checker| {
            value.as_ref().map(|v| checker.text(field, v, 0..=320, false))
        };
        let source_user = user("source_user", &patch.source_user, &mut checker);
        let source_admin = user("source_admin", &patch.source_admin, &mut checker);
        let dest_user = user("dest_user", &patch.dest_user, &mut checker);
        let dest_admin = user("dest_admin", &patch.dest_admin, &mut checker);
        check_secret("source_secret", patch.source_secret.as_ref(), &mut checker);
        check_secret("dest_secret", patch.dest_secret.as_ref(), &mut checker);
        if let Some(map) = &patch.folder_map {
            check_folder_map(map, &mut checker);
        }
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        let before = mailboxes::get(&mut tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
        let mut checker = Checker::new();
        check_tool(patch.tool, before.source_type, &mut checker);
        let ways = Ways::of(patch.source_ssh.as_ref(), patch.source_web.as_ref());
        ways.check(before.source_type, &mut checker);
        if before.source_type.is_file() {
            check_no_server(&ServerFields::of_patch(&patch), &mut checker);
        } else if patch.source_host.as_ref().is_some_and(|h| h.trim().is_empty()) {
            checker.error("source_host", "must name the old server");
        }
        checker.finish()?;
        let job = found(jobs::get(&mut tx, before.job_id).await?)?;
        open_for_changes(&job)?;
        if runs::active_for_job(&mut tx, before.job_id).await?.iter().any(|r| r.mailbox_id == Some(id)) {
            return Err(Error::conflict(
                "already_running",
                "A run is at work on this mailbox. Wait for it, or cancel it first.",
            ));
        }
        let filled = |new: Option<String>, old: &Option<String>| match new {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(text),
            None => old.clone(),
        };
        let server = !before.source_type.is_file();
        let row = mailboxes::MailboxSettings {
            tool: patch.tool.unwrap_or(before.tool),
            source_host: host.filter(|_| server).or_else(|| before.source_host.clone()),
            source_port: patch.source_port.filter(|_| server).or(match patch.source_security {
                Some(security) if server && Some(security) != before.source_security => Some(security.default_port()),
                _ => before.source_port,
            }),
            source_security: patch.source_security.filter(|_| server).or(before.source_security),
            source_insecure_tls: patch.source_insecure_tls.unwrap_or(before.source_insecure_tls),
            source_user: filled(source_user, &before.source_user),
            source_admin: filled(source_admin, &before.source_admin),
            dest_user: filled(dest_user, &before.dest_user),
            dest_admin: filled(dest_admin, &before.dest_admin),
            folder_map: patch.folder_map.unwrap_or_else(|| before.folder_map.clone()),
        };
        let moved = (&row.source_host, row.source_port) != (&before.source_host, before.source_port);
        let other = moved || row.source_user != before.source_user || row.dest_user != before.dest_user;
        if other && !folders::rows(&mut tx, id).await?.is_empty() {
            return Err(Error::conflict(
                "in_use",
                "Mail of this account has been copied already, and the proof of it belongs to this account. Remove the \
                 mailbox and add it anew.",
            ));
        }
        if row.dest_user != before.dest_user {
            let mut accounts = Accounts::of(&mut tx, before.job_id, Some(id)).await?;
            accounts.add(&before.email, row.dest_user.as_deref(), before.source_type)?;
        }
        if row.tool != before.tool && before.source_type.is_file() {
            if !folders::rows(&mut tx, id).await?.is_empty() {
                return Err(Error::conflict(
                    "in_use",
                    format!(
                        "Mail of these files has been copied as {} reads it, and the proof compares with that. Remove the \
                         mailbox and add it anew to take {}.",
                        before.tool, row.tool
                    ),
                ));
            }
            // Each program reads the files in its own way.
            uploads::read_again(&mut tx, id, &clock::now()).await?;
        }
        mailboxes::update(&mut tx, id, &row, &clock::now()).await?;
        // What was found of these log-ins was found with other settings.
        gatepost_store::login_checks::forget_mailbox(&mut tx, id).await?;
        // What is sent back as it stood is nobody's decision.
        let other_way = moved
            || (&row.source_user, &row.source_admin) != (&before.source_user, &before.source_admin)
            || (row.source_security, row.source_insecure_tls) != (before.source_security, before.source_insecure_tls);
        let new_ssh = ways.ssh.filter(|ssh| other_way || Some(*ssh) != before.source_ssh.as_deref());
        Ways { ssh: new_ssh, web: None }.allowed(actor)?;
        // A way by SSH was given for one account of one server, reached in one way.
        let ssh =
            if patch.source_ssh.is_some() { ways.ssh } else { before.source_ssh.as_deref().filter(|_| !other_way) };
        let web = if patch.source_web.is_some() { ways.web } else { before.source_web.as_deref().filter(|_| !moved) };
        mailboxes::set_ways(&mut tx, id, ssh, web, &clock::now()).await?;
        let other_web = web.is_some() && web != before.source_web.as_deref();
        // A stored secret goes only where the person who gave it meant it to go.
        let weaker = row.source_security != before.source_security && row.source_security != Some(Security::Tls)
            || row.source_insecure_tls && !before.source_insecure_tls;
        // An administrator's secret opens every mailbox: it stays with the one that it was given for.
        let reaches_further = |admin: (&Option<String>, &Option<String>), user: (&Option<String>, &Option<String>)| {
            admin.0 != admin.1 || admin.0.is_some() && user.0 != user.1
        };
        let source_further =
            reaches_further((&row.source_admin, &before.source_admin), (&row.source_user, &before.source_user));
        let dest_further = reaches_further((&row.dest_admin, &before.dest_admin), (&row.dest_user, &before.dest_user));
        if (moved || weaker || source_further || other_web) && patch.source_secret.is_none() {
            self.forget(&mut tx, id, Side::Source).await?;
        }
        if dest_further && patch.dest_secret.is_none() {
            self.forget(&mut tx, id, Side::Dest).await?;
        }
        for (side, secret) in [(Side::Source, &patch.source_secret), (Side::Dest, &patch.dest_secret)] {
            if let Some(secret) = secret {
                self.seal(&mut tx, id, side, secret).await?;
            }
        }
        let after = mailboxes::get(&mut tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
        let accounts =
            |one: &Mailbox| [&one.source_user, &one.dest_user, &one.source_admin, &one.dest_admin].map(Clone::clone);
        let mut left = Vec::new();
        if accounts(&after) != accounts(&before) {
            if (&after.source_user, &after.dest_user) != (&before.source_user, &before.dest_user) {
                left = self.forget_consents(&mut tx, actor, &after).await?;
            }
            self.confirm_by_naming(&mut tx, actor, &job, &after).await?;
        }
        let action = if patch.source_secret.is_some() || patch.dest_secret.is_some() {
            "mailbox.secret"
        } else {
            "mailbox.update"
        };
        Entry::new(actor, action, format!("mailbox/{id}"))
            .job(after.job_id)
            .before(&before)
            .after(&after)
            .write(&mut tx)
            .await?;
        self.judge_job(&mut tx, actor, after.job_id).await?;
        tx.commit().await?;
        self.give_back_later(left);
        Ok(after)
    }

    /// Drops a stored secret.
    pub(crate) async fn forget(&self, tx: &mut Conn, mailbox: MailboxId, side: Side) -> Result<()> {
        if let Some(old) = mailboxes::refs(tx, mailbox).await?.and_then(|refs| reference(refs, side)) {
            mailboxes::set_credentials(tx, mailbox, side, None, &clock::now()).await?;
            credentials::delete(tx, &old).await?;
        }
        Ok(())
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

/// Checks a mailbox that is to be stored.
pub(crate) fn check_new(new: &NewMailbox, checker: &mut Checker) {
    checker.email("email", &new.email);
    if new.source_type.is_file() {
        check_no_server(&ServerFields::of_new(new), checker);
    } else {
        match &new.source_host {
            Some(host) if !host.trim().is_empty() => {
                checker.host("source_host", host);
            }
            _ => checker.error("source_host", "must name the old server"),
        }
    }
    check_tool(new.tool, new.source_type, checker);
    Ways::of(new.source_ssh.as_ref(), new.source_web.as_ref()).check(new.source_type, checker);
    checker.port("source_port", new.source_port);
    for (field, user) in [
        ("source_user", &new.source_user),
        ("source_admin", &new.source_admin),
        ("dest_user", &new.dest_user),
        ("dest_admin", &new.dest_admin),
    ] {
        if let Some(user) = user {
            checker.text(field, user, 0..=320, false);
        }
    }
    if new.source_insecure_tls && new.source_security == Some(Security::Plain) {
        checker.error("source_insecure_tls", "makes no sense without TLS");
    }
    check_secret("source_secret", new.source_secret.as_ref(), checker);
    check_secret("dest_secret", new.dest_secret.as_ref(), checker);
    if new.source_type == SourceType::ImapOauth && new.source_secret.as_ref().is_some_and(|s| s.password.is_some()) {
        checker.error("source_secret", "must be an oauth_token for imap_oauth");
    }
    check_folder_map(&new.folder_map, checker);
}

/// The engines that can be chosen. readpst opens Outlook's files only, imap_upload.py sends what readpst has written;
/// imapsync reads any server, doveadm a Dovecot, zmmailbox a Zimbra or Carbonio.
fn check_tool(tool: Option<Tool>, source_type: SourceType, checker: &mut Checker) {
    let Some(tool) = tool else { return };
    if tool.reads(source_type) {
        return;
    }
    let sentence = match tool {
        Tool::Readpst | Tool::ImapUpload => format!("{tool} reads PST files only; choose native for {source_type}"),
        Tool::Imapsync => format!("imapsync copies from a server; choose native for {source_type}"),
        Tool::Doveadm => format!("doveadm copies from one Dovecot to another; choose native for {source_type}"),
        Tool::Zmmailbox => format!("zmmailbox copies from Zimbra or Carbonio; choose native for {source_type}"),
        Tool::Native | Tool::Verify => "may be native, imapsync, doveadm, zmmailbox, readpst or imap-upload".to_owned(),
    };
    checker.error("tool", sentence);
}

/// What tells how to reach an old server.
struct ServerFields<'a> {
    host: Option<&'a str>,
    user: Option<&'a str>,
    admin: Option<&'a str>,
    secret: bool,
    /// Port, security or certificate were said.
    line: bool,
}

impl<'a> ServerFields<'a> {
    fn of_new(new: &'a NewMailbox) -> Self {
        Self {
            host: new.source_host.as_deref(),
            user: new.source_user.as_deref(),
            admin: new.source_admin.as_deref(),
            secret: new.source_secret.is_some(),
            line: new.source_insecure_tls,
        }
    }

    fn of_patch(patch: &'a MailboxPatch) -> Self {
        Self {
            host: patch.source_host.as_deref(),
            user: patch.source_user.as_deref(),
            admin: patch.source_admin.as_deref(),
            secret: patch.source_secret.is_some(),
            line: patch.source_insecure_tls == Some(true),
        }
    }
}

/// A mailbox whose mail comes from files has no old server. Ports and kinds of security are let pass: forms send those
/// that are chosen by themselves.
fn check_no_server(fields: &ServerFields<'_>, checker: &mut Checker) {
    let said = |text: Option<&str>| text.is_some_and(|t| !t.trim().is_empty());
    for (field, said) in [
        ("source_host", said(fields.host)),
        ("source_user", said(fields.user)),
        ("source_admin", said(fields.admin)),
        ("source_secret", fields.secret),
        ("source_insecure_tls", fields.line),
    ] {
        if said {
            checker.error(field, "means nothing for a file, which no server is asked for; leave it out");
        }
    }
}

fn check_secret(field: &str, secret: Option<&SecretInput>, checker: &mut Checker) {
    let Some(secret) = secret else { return };
    match (&secret.password, &secret.oauth_token) {
        (Some(one), None) | (None, Some(one)) => checker.secret(field, one),
        (None, None) => checker.error(field, "must hold a password or an oauth_token"),
        (Some(_), Some(_)) => checker.error(field, "must hold a password or an oauth_token, not both"),
    }
}

fn check_folder_map(map: &std::collections::BTreeMap<String, String>, checker: &mut Checker) {
    if map.len() > 2000 {
        checker.error("folder_map", "must have at most 2,000 entries");
    }
    for (from, to) in map {
        let fine = |path: &str| {
            !path.is_empty()
                && path.chars().count() <= 1000
                && !path.chars().any(char::is_control)
                && path.split('/').all(|level| !level.is_empty())
        };
        if !fine(from) || !fine(to) {
            let shown: String = from.chars().take(80).collect();
            checker.error("folder_map", format!("{shown:?}: both paths need 1 to 1,000 characters and no empty level"));
        }
    }
}

fn reference(refs: mailboxes::MailboxRefs, side: Side) -> Option<String> {
    match side {
        Side::Source => refs.source_credentials,
        Side::Dest => refs.dest_credentials,
    }
}
