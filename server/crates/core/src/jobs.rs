//! Jobs: one domain's move.

use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, mailboxes, oauth::dest_of, phases, users::checked_page,
    validate::Checker,
};
use gatepost_contract::{
    Job, JobFilter, JobId, JobPatch, MailboxSide, NewJob, Overview, Page, PageQuery, Phase, PhaseChange, Scope,
    Security,
};
use gatepost_store::{
    folders, jobs,
    mailboxes::{self as mailbox_rows, Side},
    oauth_consents, phase_history, tenants, tickets,
};

impl Gatepost {
    /// Opens a job, with its mailboxes where they are given: all or nothing.
    pub async fn create_job(&self, actor: &Actor, new: NewJob) -> Result<Job> {
        actor.manage()?;
        let mut checker = Checker::new();
        let domain = checker.domain("domain", &new.domain);
        let label = checker.text("source_server_label", &new.source_server_label, 0..=200, false);
        let notes = checker.text("notes", &new.notes, 0..=20_000, true);
        let host = match new.dest_imap_host.as_deref().filter(|h| !h.trim().is_empty()) {
            Some(host) => Some(checker.host("dest_imap_host", host)),
            None => self.config().dest_imap_host.clone(),
        };
        if host.is_none() {
            checker.error("dest_imap_host", "must name the new server; MIGRATION_DEST_IMAP_HOST can set a default");
        }
        checker.port("dest_imap_port", new.dest_imap_port);
        if new.tenant_id.is_none() {
            checker.error("tenant_id", "must name the customer");
        }
        let security = new.dest_imap_security.unwrap_or(self.config().dest_imap_security);
        let port = new
            .dest_imap_port
            .or(self.config().dest_imap_port.filter(|_| new.dest_imap_host.is_none()))
            .unwrap_or(security.default_port());
        if new.dest_insecure_tls && security == Security::Plain {
            checker.error("dest_insecure_tls", "makes no sense without TLS");
        }
        for (n, mailbox) in new.mailboxes.iter().enumerate() {
            let mut inner = Checker::prefixed(format!("mailboxes[{n}]."));
            mailboxes::check_new(mailbox, &mut inner);
            for error in inner.take() {
                checker.error(&error.field, error.message);
            }
        }
        checker.finish()?;
        let (host, tenant_id) = (host.unwrap_or_default(), new.tenant_id.ok_or(Error::NotFound("tenant"))?);

        let mut tx = self.store().begin().await?;
        if tenants::get(&mut tx, tenant_id).await?.is_none() {
            return Err(Error::field("tenant_id", "names no customer"));
        }
        if let Some(ticket) = new.ticket_id {
            match tickets::get(&mut tx, ticket).await? {
                None => return Err(Error::field("ticket_id", "names no ticket")),
                Some(t) if t.tenant_id != tenant_id => {
                    return Err(Error::field("ticket_id", "belongs to another customer"));
                }
                Some(_) => {}
            }
        }
        let row = jobs::NewJobRow {
            tenant_id,
            ticket_id: new.ticket_id,
            domain,
            source_server_label: label,
            dest_imap_host: host,
            dest_imap_port: port,
            dest_imap_security: security,
            dest_insecure_tls: new.dest_insecure_tls,
            notes,
        };
        let id = jobs::insert(&mut tx, &row, &clock::now()).await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        Entry::new(actor, "job.create", format!("job/{id}")).job(id).after(&job).write(&mut tx).await?;
        self.insert_mailboxes(&mut tx, actor, id, &new.mailboxes).await?;
        self.judge_job(&mut tx, actor, id).await?;
        let job = found(jobs::get(&mut tx, id).await?)?;
        tx.commit().await?;
        Ok(job)
    }

    /// Lists jobs.
    pub async fn list_jobs(&self, actor: &Actor, filter: JobFilter, page: PageQuery) -> Result<Page<Job>> {
        actor.read(Scope::JobsRead)?;
        Ok(jobs::list(&mut *self.store().reader().await?, &filter, &checked_page(page)?).await?)
    }

    /// One job.
    pub async fn get_job(&self, actor: &Actor, id: JobId) -> Result<Job> {
        actor.read(Scope::JobsRead)?;
        found(jobs::get(&mut *self.store().reader().await?, id).await?)
    }

    /// Changes a job. Another destination is refused once mail has been copied to the present one.
    pub async fn update_job(&self, actor: &Actor, id: JobId, patch: JobPatch) -> Result<Job> {
        actor.manage()?;
        let mut checker = Checker::new();
        let label = patch.source_server_label.as_ref().map(|l| checker.text("source_server_label", l, 0..=200, false));
        let notes = patch.notes.as_ref().map(|n| checker.text("notes", n, 0..=20_000, true));
        let host = patch.dest_imap_host.as_ref().map(|h| checker.host("dest_imap_host", h));
        checker.port("dest_imap_port", patch.dest_imap_port);
        if patch.phase.is_some_and(|p| p != Phase::Closed) {
            checker.error("phase", "can only be set to closed; runs and approvals move it otherwise");
        }
        checker.finish()?;
        let mut tx = self.store().begin().await?;
        let before = found(jobs::get(&mut tx, id).await?)?;
        let security = patch.dest_imap_security.unwrap_or(before.dest_imap_security);
        let mut row = jobs::JobSettings {
            source_server_label: label.unwrap_or_else(|| before.source_server_label.clone()),
            notes: notes.unwrap_or_else(|| before.notes.clone()),
            dest_imap_host: host.unwrap_or_else(|| before.dest_imap_host.clone()),
            dest_imap_port: patch.dest_imap_port.unwrap_or(before.dest_imap_port),
            dest_imap_security: security,
            dest_insecure_tls: patch.dest_insecure_tls.unwrap_or(before.dest_insecure_tls),
            ticket_id: before.ticket_id,
        };
        if patch.dest_imap_security.is_some() && patch.dest_imap_port.is_none() && security != before.dest_imap_security
        {
            row.dest_imap_port = security.default_port();
        }
        if let Some(ticket) = patch.ticket_id {
            match tickets::get(&mut tx, ticket).await? {
                Some(t) if t.tenant_id == before.tenant_id => row.ticket_id = Some(ticket),
                _ => return Err(Error::field("ticket_id", "names no ticket of this customer")),
            }
        }
        if before.phase == Phase::Closed {
            return Err(Error::conflict("closed", "The job is closed. Open a new one."));
        }
        let moved = (&row.dest_imap_host, row.dest_imap_port) != (&before.dest_imap_host, before.dest_imap_port);
        let closes = patch.phase == Some(Phase::Closed);
        if before.active_runs > 0 && closes {
            // Also one that rests: after the pause it would copy into a job that is done, with log-ins given back.
            return Err(Error::conflict(
                "already_running",
                "Runs of this job are at work or wait for their turn. Let them end, or cancel them, then close it.",
            ));
        }
        if before.active_runs > 0 && moved {
            return Err(Error::conflict(
                "already_running",
                "Runs are at work on this job. Wait for them, or cancel them first.",
            ));
        }
        let weaker = row.dest_imap_security != before.dest_imap_security && row.dest_imap_security != Security::Tls
            || row.dest_insecure_tls && !before.dest_insecure_tls;
        for mailbox in mailbox_rows::list(&mut tx, id).await? {
            if moved && !folders::rows(&mut tx, mailbox.id).await?.is_empty() {
                return Err(Error::conflict(
                    "destination_in_use",
                    "Mail has been copied to this destination already. Open a new job for another one.",
                ));
            }
            if moved || weaker {
                // A stored secret goes only where the person who gave it meant it to go.
                self.forget(&mut tx, mailbox.id, Side::Dest).await?;
            }
        }
        jobs::update(&mut tx, id, &row, &clock::now()).await?;
        let otherwise =
            (row.dest_imap_security, row.dest_insecure_tls) != (before.dest_imap_security, before.dest_insecure_tls);
        if moved || otherwise {
            // What was found of these log-ins was found at another place.
            gatepost_store::login_checks::forget_side(&mut tx, id, MailboxSide::Dest).await?;
        }
        let mut left = Vec::new();
        if closes {
            phases::enter(&mut tx, actor, &before, Phase::Closed, "closed by hand").await?;
            // Nothing of it is copied any more.
            left = self.withdraw_consents(&mut tx, actor, (id, None), "the job was closed").await?;
        }
        let after = found(jobs::get(&mut tx, id).await?)?;
        if moved && actor.approve().is_ok() {
            oauth_consents::set_dest(&mut tx, id, &dest_of(&after)).await?;
        }
        Entry::new(actor, "job.update", format!("job/{id}"))
            .job(id)
            .before(&before)
            .after(&after)
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        self.give_back_later(left);
        Ok(after)
    }

    /// The Desk at a glance.
    pub async fn overview(&self, actor: &Actor) -> Result<Overview> {
        actor.staff()?;
        Ok(jobs::overview(&mut *self.store().reader().await?).await?)
    }

    /// How a job came to its phase, oldest first.
    pub async fn phase_history(&self, actor: &Actor, id: JobId) -> Result<Vec<PhaseChange>> {
        actor.read(Scope::JobsRead)?;
        Ok(phase_history::list(&mut *self.store().reader().await?, id).await?)
    }
}

pub(crate) fn found(job: Option<Job>) -> Result<Job> {
    job.ok_or(Error::NotFound("job"))
}
