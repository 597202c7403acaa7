//! Changing a mailbox. Secrets, ways, consents and proof were given for its accounts and its old server as they were: what
//! a change takes from under them is refused, forgotten or asked for anew.

use super::{
    Accounts,
    checks::{ServerFields, check_folder_map, check_no_server, check_secret, check_tool},
    open_for_changes,
};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, validate::Checker, ways::Ways};
use gatepost_contract::{Job, Mailbox, MailboxId, MailboxPatch, RevocationId, Security, SourceType};
use gatepost_store::{
    Conn, folders, jobs, login_checks,
    mailboxes::{self, MailboxSettings, Side},
    runs, uploads,
};

impl Gatepost {
    /// Changes a mailbox.
    pub async fn update_mailbox(&self, actor: &Actor, id: MailboxId, patch: MailboxPatch) -> Result<Mailbox> {
        actor.manage()?;
        let texts = Texts::checked(&patch)?;
        let mut tx = self.store().begin().await?;
        let before = mailboxes::get(&mut tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
        check_fits(&patch, before.source_type)?;
        let job = found(jobs::get(&mut tx, before.job_id).await?)?;
        open_for_changes(&job)?;
        if runs::active_for_job(&mut tx, before.job_id).await?.iter().any(|r| r.mailbox_id == Some(id)) {
            return Err(Error::conflict(
                "already_running",
                "A run is at work on this mailbox. Wait for it, or cancel it first.",
            ));
        }
        let change = Change { now: &texts.settings(&patch, &before), before: &before };
        change.agrees_with_copies(&mut tx).await?;
        if change.now.dest_user != before.dest_user {
            let mut accounts = Accounts::of(&mut tx, before.job_id, Some(id)).await?;
            accounts.add(&before.email, change.now.dest_user.as_deref(), before.source_type)?;
        }
        if change.reads_files_otherwise() {
            uploads::read_again(&mut tx, id, &clock::now()).await?;
        }
        mailboxes::update(&mut tx, id, change.now, &clock::now()).await?;
        // What was found of these log-ins was found with other settings.
        login_checks::forget_mailbox(&mut tx, id).await?;
        let is_web_new = change.set_ways(&mut tx, actor, &patch).await?;
        self.set_secrets(&mut tx, &change, is_web_new, &patch).await?;
        let after = mailboxes::get(&mut tx, id).await?.ok_or(Error::NotFound("mailbox"))?;
        let left = self.set_consents(&mut tx, actor, &job, &before, &after).await?;
        let has_secret = patch.source_secret.is_some() || patch.dest_secret.is_some();
        let action = if has_secret { "mailbox.secret" } else { "mailbox.update" };
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

    /// Seals the secrets that were said. One that is stored goes only where the person who gave it meant it to go.
    async fn set_secrets(
        &self,
        tx: &mut Conn,
        change: &Change<'_>,
        is_web_new: bool,
        patch: &MailboxPatch,
    ) -> Result<()> {
        let source_elsewhere = change.is_another_server()
            || change.is_less_protected()
            || change.reaches_further(Side::Source)
            || is_web_new;
        let dest_elsewhere = change.reaches_further(Side::Dest);
        for (side, said, elsewhere) in
            [(Side::Source, &patch.source_secret, source_elsewhere), (Side::Dest, &patch.dest_secret, dest_elsewhere)]
        {
            match said {
                Some(secret) => self.seal(tx, change.before.id, side, secret).await?,
                None if elsewhere => self.forget(tx, change.before.id, side).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Lets consents that were given for other accounts be given again, and notes who has named these. What comes of it is
    /// given back once the transaction stands.
    async fn set_consents(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        job: &Job,
        before: &Mailbox,
        after: &Mailbox,
    ) -> Result<Vec<RevocationId>> {
        let same_users = (&after.source_user, &after.dest_user) == (&before.source_user, &before.dest_user);
        let same_admins = (&after.source_admin, &after.dest_admin) == (&before.source_admin, &before.dest_admin);
        let left = if same_users { Vec::new() } else { self.forget_consents(tx, actor, after).await? };
        if !(same_users && same_admins) {
            self.confirm_by_naming(tx, actor, job, after).await?;
        }
        Ok(left)
    }
}

/// What was said in words, in the shape that is stored.
struct Texts {
    source_host: Option<String>,
    source_user: Option<String>,
    source_admin: Option<String>,
    dest_user: Option<String>,
    dest_admin: Option<String>,
}

impl Texts {
    /// Checks what can be checked without knowing the mailbox.
    fn checked(patch: &MailboxPatch) -> Result<Self> {
        let mut checker = Checker::new();
        let host = patch.source_host.as_ref().filter(|host| !host.trim().is_empty());
        let source_host = host.map(|host| checker.host("source_host", host));
        checker.port("source_port", patch.source_port);
        let mut user =
            |field: &str, said: &Option<String>| said.as_ref().map(|said| checker.text(field, said, 0..=320, false));
        let source_user = user("source_user", &patch.source_user);
        let source_admin = user("source_admin", &patch.source_admin);
        let dest_user = user("dest_user", &patch.dest_user);
        let dest_admin = user("dest_admin", &patch.dest_admin);
        check_secret("source_secret", patch.source_secret.as_ref(), &mut checker);
        check_secret("dest_secret", patch.dest_secret.as_ref(), &mut checker);
        if let Some(map) = &patch.folder_map {
            check_folder_map(map, &mut checker);
        }
        checker.finish()?;
        Ok(Self { source_host, source_user, source_admin, dest_user, dest_admin })
    }

    /// What the mailbox becomes: what is left out stays, and an empty text takes away what was there.
    fn settings(self, patch: &MailboxPatch, before: &Mailbox) -> MailboxSettings {
        let filled = |said: Option<String>, before: &Option<String>| match said {
            Some(text) => Some(text).filter(|text| !text.is_empty()),
            None => before.clone(),
        };
        let has_server = !before.source_type.is_file();
        let usual_port = patch.source_security.filter(|said| Some(*said) != before.source_security);
        let said_port = patch.source_port.or(usual_port.map(Security::default_port));
        MailboxSettings {
            tool: patch.tool.unwrap_or(before.tool),
            source_host: self.source_host.filter(|_| has_server).or_else(|| before.source_host.clone()),
            source_port: said_port.filter(|_| has_server).or(before.source_port),
            source_security: patch.source_security.filter(|_| has_server).or(before.source_security),
            source_insecure_tls: patch.source_insecure_tls.unwrap_or(before.source_insecure_tls),
            source_user: filled(self.source_user, &before.source_user),
            source_admin: filled(self.source_admin, &before.source_admin),
            dest_user: filled(self.dest_user, &before.dest_user),
            dest_admin: filled(self.dest_admin, &before.dest_admin),
            folder_map: patch.folder_map.clone().unwrap_or_else(|| before.folder_map.clone()),
        }
    }
}

/// Checks what depends on the kind of source that the mailbox has.
fn check_fits(patch: &MailboxPatch, source_type: SourceType) -> Result<()> {
    let mut checker = Checker::new();
    check_tool(patch.tool, source_type, &mut checker);
    Ways::of(patch.source_ssh.as_ref(), patch.source_web.as_ref()).check(source_type, &mut checker);
    if source_type.is_file() {
        check_no_server(&ServerFields::of_patch(patch), &mut checker);
    } else if patch.source_host.as_ref().is_some_and(|host| host.trim().is_empty()) {
        checker.error("source_host", "must name the old server");
    }
    checker.finish()
}

/// A mailbox as it was, and its settings as they are to be.
struct Change<'a> {
    before: &'a Mailbox,
    now: &'a MailboxSettings,
}

impl Change<'_> {
    /// Another old server.
    fn is_another_server(&self) -> bool {
        let (before, now) = (self.before, self.now);
        (&now.source_host, now.source_port) != (&before.source_host, before.source_port)
    }

    /// Mail goes from another account or to another one.
    fn is_another_account(&self) -> bool {
        let (before, now) = (self.before, self.now);
        self.is_another_server() || (&now.source_user, &now.dest_user) != (&before.source_user, &before.dest_user)
    }

    /// The old server is another, or is reached as somebody else or otherwise protected.
    fn is_another_way(&self) -> bool {
        let (before, now) = (self.before, self.now);
        self.is_another_server()
            || (&now.source_user, &now.source_admin) != (&before.source_user, &before.source_admin)
            || (now.source_security, now.source_insecure_tls) != (before.source_security, before.source_insecure_tls)
    }

    /// A secret would travel to the old server less protected than it was given for.
    fn is_less_protected(&self) -> bool {
        let (before, now) = (self.before, self.now);
        now.source_security != before.source_security && now.source_security != Some(Security::Tls)
            || now.source_insecure_tls && !before.source_insecure_tls
    }

    /// An administrator's secret opens every mailbox: it stays with the one that it was given for.
    fn reaches_further(&self, side: Side) -> bool {
        let (before, now) = (self.before, self.now);
        let (admins, users) = match side {
            Side::Source => ([&before.source_admin, &now.source_admin], [&before.source_user, &now.source_user]),
            Side::Dest => ([&before.dest_admin, &now.dest_admin], [&before.dest_user, &now.dest_user]),
        };
        admins[0] != admins[1] || admins[1].is_some() && users[0] != users[1]
    }

    /// Each program reads files in its own way.
    fn reads_files_otherwise(&self) -> bool {
        self.now.tool != self.before.tool && self.before.source_type.is_file()
    }

    /// Refuses what would make the proof of mail that was copied already one of something else.
    async fn agrees_with_copies(&self, tx: &mut Conn) -> Result<()> {
        let (other_account, read_otherwise) = (self.is_another_account(), self.reads_files_otherwise());
        if !(other_account || read_otherwise) || folders::rows(tx, self.before.id).await?.is_empty() {
            return Ok(());
        }
        let sentence = if other_account {
            "Mail of this account has been copied already, and the proof of it belongs to this account. Remove the mailbox \
             and add it anew."
                .to_owned()
        } else {
            format!(
                "Mail of these files has been copied as {} reads it, and the proof compares with that. Remove the mailbox \
                 and add it anew to take {}.",
                self.before.tool, self.now.tool
            )
        };
        Err(Error::conflict("in_use", sentence))
    }

    /// Keeps the ways that were said, and of those before what still holds. Whether the old server's HTTPS is a new one.
    async fn set_ways(&self, tx: &mut Conn, actor: &Actor, patch: &MailboxPatch) -> Result<bool> {
        let said = Ways::of(patch.source_ssh.as_ref(), patch.source_web.as_ref());
        let (ssh_before, web_before) = (self.before.source_ssh.as_deref(), self.before.source_web.as_deref());
        // What is sent back as it stood is nobody's decision.
        let decided = said.ssh.filter(|ssh| self.is_another_way() || Some(*ssh) != ssh_before);
        Ways { ssh: decided, web: None }.allowed(actor)?;
        // A way by SSH was given for one account of one server, reached in one way.
        let ssh = match patch.source_ssh {
            Some(_) => said.ssh,
            None => ssh_before.filter(|_| !self.is_another_way()),
        };
        let web = match patch.source_web {
            Some(_) => said.web,
            None => web_before.filter(|_| !self.is_another_server()),
        };
        mailboxes::set_ways(tx, self.before.id, ssh, web, &clock::now()).await?;
        Ok(web.is_some() && web != web_before)
    }
}
