//! Asking for a consent: of a mailbox's owner, or of an administrator for all mailboxes of a job.

use super::{
    accounts::{dest_of, opens_by_consent},
    apps,
    consents::consent,
};
use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, mailboxes::open_for_changes, validate::Checker,
};
use gatepost_contract::{Consent, ConsentWay, JobId, MailboxId, MailboxSide, NewConsent, OauthApp, OauthProvider};
use gatepost_store::{
    Conn, jobs, mailboxes,
    oauth_consents::{self, NewConsentRow},
};

impl Gatepost {
    /// Asks for the consent of a mailbox's owner. One that is asked for in the same way already stays as it is.
    ///
    /// # Errors
    /// Wrong fields; a job that is closed; a mailbox whose source is no IMAP server with OAuth.
    pub async fn ask_mailbox_consent(&self, actor: &Actor, id: MailboxId, new: NewConsent) -> Result<Consent> {
        actor.manage()?;
        let (mailbox, app) = {
            let mut conn = self.store().reader().await?;
            let mailbox = mailboxes::get(&mut conn, id).await?.ok_or(Error::NotFound("mailbox"))?;
            let app = app(&mut conn, &new).await?;
            open_for_changes(&found(jobs::get(&mut conn, mailbox.job_id).await?)?)?;
            (mailbox, app)
        };
        let side = new.side.unwrap_or(MailboxSide::Source);
        let mut checker = Checker::new();
        if !opens_by_consent(&mailbox, side) {
            checker.error("side", "may be source where the source type is imap_oauth");
        }
        let way = way(&app, new.way, false, &mut checker);
        if new.domain.is_some() {
            checker.error("domain", "is for the consent that serves all mailboxes of a job");
        }
        let directory = directory(&app, new.directory, None, &mut checker);
        checker.finish()?;
        let row = NewConsentRow {
            app_id: app.id,
            job_id: mailbox.job_id,
            mailbox_id: Some(id),
            side,
            way,
            domain: None,
            directory: directory.as_deref(),
            dest: None,
            created_by: &actor.label(),
        };
        self.ask_consent(actor, &row).await
    }

    /// Asks for a consent that serves all mailboxes of a job whose accounts lie in its domain. An ops lead or a super
    /// admin may: it opens accounts that nobody was asked about one by one.
    ///
    /// # Errors
    /// As [`ask_mailbox_consent`](Self::ask_mailbox_consent).
    pub async fn ask_job_consent(&self, actor: &Actor, id: JobId, new: NewConsent) -> Result<Consent> {
        actor.approve()?;
        let (job, app) = {
            let mut conn = self.store().reader().await?;
            let job = found(jobs::get(&mut conn, id).await?)?;
            open_for_changes(&job)?;
            let app = app(&mut conn, &new).await?;
            (job, app)
        };
        let mut checker = Checker::new();
        let way = way(&app, new.way, true, &mut checker);
        let domain = match new.domain.as_deref().map(str::trim).filter(|domain| !domain.is_empty()) {
            Some(domain) => checker.domain("domain", domain),
            None => job.domain.clone(),
        };
        let dest = dest_of(&job);
        let directory = directory(&app, new.directory, Some(&domain), &mut checker);
        checker.finish()?;
        let row = NewConsentRow {
            app_id: app.id,
            job_id: id,
            mailbox_id: None,
            side: new.side.unwrap_or(MailboxSide::Source),
            way,
            domain: Some(&domain),
            directory: directory.as_deref(),
            dest: Some(&dest),
            created_by: &actor.label(),
        };
        self.ask_consent(actor, &row).await
    }

    async fn ask_consent(&self, actor: &Actor, new: &NewConsentRow<'_>) -> Result<Consent> {
        let now = clock::now();
        let all = oauth_consents::of_job(&mut *self.store().reader().await?, new.job_id, &now).await?;
        let there = all.into_iter().find(|one| one.mailbox_id == new.mailbox_id && one.side == new.side);
        if let Some(there) = &there {
            let same = there.app_id == new.app_id
                && there.way == new.way
                && there.directory.as_deref() == new.directory
                && there.domain.as_deref() == new.domain;
            if same {
                return Ok(there.clone());
            }
        }
        let mut tx = self.store().begin().await?;
        let mut left = None;
        if let Some(there) = &there {
            left = self.to_give_back(&mut tx, actor, there).await?;
            oauth_consents::delete(&mut tx, there.id).await?;
        }
        let id = oauth_consents::insert(&mut tx, new, &now).await?;
        let asked = consent(&mut tx, id).await?;
        let mut entry = Entry::new(actor, "consent.ask", format!("consent/{id}")).job(new.job_id).after(&asked);
        if let Some(there) = &there {
            entry = entry.before(there);
        }
        entry.write(&mut tx).await?;
        tx.commit().await?;
        self.give_back_later(left.into_iter().collect());
        Ok(asked)
    }
}

async fn app(conn: &mut Conn, new: &NewConsent) -> Result<OauthApp> {
    match apps::stored(conn, new.app_id).await {
        Ok(app) => Ok(apps::shown(app, "")),
        Err(Error::NotFound(_)) => Err(Error::field("app_id", "is no application that is registered here")),
        Err(other) => Err(other),
    }
}

/// How it is to be given, of the ways that the application has.
fn way(app: &OauthApp, wanted: Option<ConsentWay>, for_all: bool, checker: &mut Checker) -> ConsentWay {
    let mut possible = app.ways.iter().copied().filter(|way| way.is_for_all() == for_all);
    let chosen = match wanted {
        Some(wanted) => possible.find(|way| *way == wanted),
        None => possible.next(),
    };
    chosen.unwrap_or_else(|| {
        let whom = if for_all { "all mailboxes of a job" } else { "one mailbox" };
        checker.error("way", format!("is none that {} has for {whom}", app.name));
        ConsentWay::Code
    })
}

/// The directory that is asked: one that is named, or for a whole organisation the application's, or the domain's.
fn directory(app: &OauthApp, named: Option<String>, domain: Option<&str>, checker: &mut Checker) -> Option<String> {
    let named = named.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if app.provider != OauthProvider::Microsoft {
        if named.is_some() {
            checker.error("directory", "is Microsoft's; leave it out");
        }
        return None;
    }
    let any = |directory: &String| !["organizations", "common", "consumers"].contains(&directory.as_str());
    let chosen = match domain {
        Some(domain) => named.or_else(|| app.directory.clone().filter(any)).or_else(|| Some(domain.to_owned())),
        None => named,
    };
    if let Some(chosen) = &chosen
        && gatepost_oauth::admin_consent_url(chosen, "", "", "").is_err()
    {
        checker.error("directory", "must be the directory's id, or one of its domains such as example.onmicrosoft.com");
    }
    chosen
}
