//! Consents: asking for them, how they stand, trying them, taking them back.

use super::{accounts::dest_of, apps, is_for_owner, refused, registered::Registered, whose};
use crate::{
    Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found, mailboxes::open_for_changes, validate::Checker,
};
use gatepost_contract::{
    Consent, ConsentId, ConsentState, ConsentWay, JobId, Mailbox, MailboxId, MailboxSide, NewConsent, OauthApp,
    OauthProvider, Secret, SourceType,
};
use gatepost_oauth::{OauthError, Tokens};
use gatepost_store::{
    Conn, jobs, mailboxes,
    oauth_apps::StoredApp,
    oauth_consents::{self, Granted, NewConsentRow, Standing},
    oauth_requests, oauth_tokens,
};
use gatepost_vault::Sealed;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// Days before its end at which a consent is shown as ending.
const SOON: Duration = Duration::days(14);
/// How many ending ones are shown at once.
const MOST_ENDING: u32 = 50;
/// How often a rotation of keys goes over what others write at the same time.
const RESEALS: u32 = 3;

/// Who brought a consent here.
pub(super) struct By<'a> {
    /// As the audit log names them.
    pub label: &'a str,
    /// The link that they came by.
    pub link: Option<gatepost_contract::ConsentLinkId>,
    /// Whether another account than the mailbox's may consent: an ops lead or a super admin began it.
    pub any_account: bool,
}

impl Gatepost {
    /// All consents of a job: those for all its mailboxes first.
    pub async fn job_consents(&self, actor: &Actor, job: JobId) -> Result<Vec<Consent>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(oauth_consents::of_job(&mut conn, job, &clock::now()).await?)
    }

    /// What may open a mailbox: its own consents, then those for all mailboxes of its job.
    pub async fn mailbox_consents(&self, actor: &Actor, id: MailboxId) -> Result<Vec<Consent>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        let mailbox = mailboxes::get(&mut conn, id).await?.ok_or(Error::NotFound("mailbox"))?;
        Ok(oauth_consents::of_mailbox(&mut conn, mailbox.job_id, id, &clock::now()).await?)
    }

    /// One consent.
    pub async fn get_consent(&self, actor: &Actor, id: ConsentId) -> Result<Consent> {
        actor.staff()?;
        consent(&mut *self.store().reader().await?, id).await
    }

    /// Consents of open jobs that have ended, or will end by themselves within 14 days; at most 50.
    pub async fn ending_consents(&self, actor: &Actor) -> Result<Vec<Consent>> {
        actor.staff()?;
        let before = clock::text(OffsetDateTime::now_utc() + SOON);
        let mut conn = self.store().reader().await?;
        Ok(oauth_consents::ending(&mut conn, &before, MOST_ENDING, &clock::now()).await?)
    }

    /// How many consents of open jobs stand how, for measurements.
    pub async fn consents_by_state(&self) -> Result<Vec<(ConsentState, i64)>> {
        Ok(oauth_consents::count_by_state(&mut *self.store().reader().await?).await?)
    }

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
        if side == MailboxSide::Source && mailbox.source_type != SourceType::ImapOauth {
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
            self.give_back_tokens(there).await;
        }
        let mut tx = self.store().begin().await?;
        if let Some(there) = &there {
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
        Ok(asked)
    }

    /// Takes a consent back: its tokens are given back to the provider, where that takes them, and forgotten.
    pub async fn withdraw_consent(&self, actor: &Actor, id: ConsentId) -> Result<()> {
        let before = self.changeable(actor, id).await?;
        let given_back = self.give_back_tokens(&before).await;
        let mut tx = self.store().begin().await?;
        oauth_consents::delete(&mut tx, id).await?;
        Entry::new(actor, "consent.withdraw", format!("consent/{id}"))
            .job(before.job_id)
            .before(&before)
            .after(&json!({ "given_back": given_back }))
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes a token now, to see whether the provider gives one. A consent for all mailboxes of a job becomes valid by it.
    ///
    /// # Errors
    /// What the provider said, which is kept with the consent too.
    pub async fn check_consent(&self, actor: &Actor, id: ConsentId) -> Result<Consent> {
        let consent = self.changeable(actor, id).await?;
        if !consent.way.is_for_all() {
            self.renew_now(&consent).await?;
            return self.get_consent(actor, id).await;
        }
        self.try_for_all(&consent, &By { label: &actor.label(), link: None, any_account: true }).await
    }

    /// A consent that the actor may change: those for all mailboxes of a job only an ops lead or a super admin.
    pub(super) async fn changeable(&self, actor: &Actor, id: ConsentId) -> Result<Consent> {
        actor.manage()?;
        let consent = self.get_consent(actor, id).await?;
        if consent.mailbox_id.is_none() {
            actor.approve()?;
        }
        Ok(consent)
    }

    /// Asks for a token that an administrator's consent gives.
    pub(super) async fn try_for_all(&self, consent: &Consent, by: &By<'_>) -> Result<Consent> {
        match self.token_for_all(consent).await {
            Ok((subject, tokens)) => self.grant_consent(consent, &subject, &tokens, by).await,
            Err(Failure::Provider(error)) => {
                self.note_failure(consent, &error).await?;
                Err(refused(&error))
            }
            Err(Failure::Ours(error)) => Err(error),
        }
    }

    async fn token_for_all(&self, consent: &Consent) -> std::result::Result<(String, Tokens), Failure> {
        let (app, subject) = {
            let mut conn = self.store().reader().await.map_err(Error::from)?;
            let subject = some_account(&mut conn, consent).await?;
            (apps::stored(&mut conn, consent.app_id).await?, subject)
        };
        match self.registered(&app, consent)? {
            Registered::App(app) => Ok((String::new(), gatepost_oauth::client_credentials(&**self.web(), &app).await?)),
            Registered::Service(account, scope) => {
                let none = || {
                    let sentence = format!("There is no mailbox in {} to try it with. Add one first.", whose(consent));
                    Failure::Ours(Error::conflict("no_mailboxes", sentence))
                };
                let subject = subject.ok_or_else(none)?;
                let tokens = gatepost_oauth::service_account(&**self.web(), &account, &subject, &scope).await?;
                Ok((subject, tokens))
            }
        }
    }

    /// Keeps what somebody's consent brought.
    pub(super) async fn grant_consent(
        &self,
        before: &Consent,
        subject: &str,
        tokens: &Tokens,
        by: &By<'_>,
    ) -> Result<Consent> {
        if !by.any_account
            && let Err(why) = self.right_account(before, tokens).await?
        {
            self.note_refusal(before, !matches!(before.state, ConsentState::Valid), &why).await?;
            return Err(Error::conflict("other_account", why));
        }
        let now = clock::now();
        let until = until(tokens);
        let [access, refresh] =
            [Some(&tokens.access), tokens.refresh.as_ref()].map(|token| token.map(|t| self.seal_token(t)));
        // What cannot be renewed ends with its first token.
        let ends = (!before.way.is_for_all() && refresh.is_none()).then(|| until.clone());
        let mut tx = self.store().begin().await?;
        if let Some(link) = by.link
            && !oauth_requests::use_link(&mut tx, link, &now).await?
        {
            return Err(Error::Forbidden("This link was used already, or has ended. Ask for a new one.".into()));
        }
        let new = oauth_tokens::NewTokens {
            access_blob: access.as_deref().unwrap_or_default(),
            access_until: &until,
            refresh_blob: refresh.as_deref(),
        };
        oauth_tokens::put(&mut tx, before.id, subject, &new, &now).await?;
        let account = tokens.claims.account.as_deref();
        let granted = Granted { account, granted_by: by.label, expires_at: ends.as_deref() };
        oauth_consents::granted(&mut tx, before.id, &granted, &now).await?;
        oauth_requests::forget(&mut tx, before.id, &now).await?;
        let after = consent(&mut tx, before.id).await?;
        Entry::new(&Actor::Worker, "consent.grant", format!("consent/{}", before.id))
            .by(by.label)
            .job(before.job_id)
            .before(&before.state)
            .after(&after)
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        self.forgive_renewals();
        metrics::counter!("gatepost_oauth_consents_total", "provider" => before.provider.as_str(), "result" => "granted")
            .increment(1);
        Ok(after)
    }

    /// Whether the account that consented is the mailbox's, as far as the provider tells; or why it is not taken.
    async fn right_account(&self, before: &Consent, tokens: &Tokens) -> Result<std::result::Result<(), String>> {
        let (Some(id), Some(given)) = (before.mailbox_id, tokens.claims.account.as_deref()) else { return Ok(Ok(())) };
        let mailbox =
            mailboxes::get(&mut *self.store().reader().await?, id).await?.ok_or(Error::NotFound("mailbox"))?;
        let wanted = account(&mailbox, before.side);
        if given.eq_ignore_ascii_case(wanted) {
            return Ok(Ok(()));
        }
        Ok(Err(format!(
            "{given} has consented, and the account of this mailbox is {wanted}. Log in at the provider as {wanted}. For a \
             shared mailbox, which nobody logs in to, an ops lead or a super admin begins the consent."
        )))
    }

    /// Keeps why a consent did not come about. One that stands is not harmed by an attempt to give it again.
    pub(super) async fn note_failure(&self, before: &Consent, error: &OauthError) -> Result<()> {
        self.note_refusal(before, !error.is_transient(), &error.to_string()).await
    }

    /// The same in words. One that has come about meanwhile is not touched.
    async fn note_refusal(&self, before: &Consent, for_good: bool, sentence: &str) -> Result<()> {
        let state = match before.state {
            ConsentState::Pending if for_good => ConsentState::Failed,
            other => other,
        };
        let mut tx = self.store().begin().await?;
        let standing = Standing { state, error: Some(sentence) };
        oauth_consents::stand_as_read(&mut tx, before, standing, &clock::now()).await?;
        tx.commit().await?;
        metrics::counter!("gatepost_oauth_consents_total", "provider" => before.provider.as_str(), "result" => "refused")
            .increment(1);
        Ok(())
    }

    /// Gives the tokens of a consent back to the provider; whether it has taken them. Whatever hinders that hinders nothing
    /// else: they are forgotten here in any case.
    async fn give_back_tokens(&self, consent: &Consent) -> bool {
        match self.try_give_back(consent).await {
            Ok(taken) => taken,
            Err(why) => {
                tracing::warn!(consent = %consent.id, %why, "the provider did not take a consent's tokens back");
                false
            }
        }
    }

    async fn try_give_back(&self, consent: &Consent) -> std::result::Result<bool, String> {
        let left = {
            let mut conn = self.store().reader().await.map_err(|e| e.to_string())?;
            leftover(&mut conn, consent).await.map_err(|e| e.to_string())?
        };
        match left {
            Some(left) => self.revoke(&left).await,
            None => Ok(false),
        }
    }

    async fn revoke(&self, left: &Leftover) -> std::result::Result<bool, String> {
        let token = self.open_token(&left.blob).map_err(|e| e.to_string())?;
        let app = self.registered(&left.app, &left.consent).and_then(Registered::app).map_err(|e| e.to_string())?;
        gatepost_oauth::revoke(&**self.web(), &app, &token).await.map_err(|e| e.to_string())
    }

    /// Gives tokens back whose consents are forgotten here already. Nobody waits for it but the end of the process.
    pub(crate) fn give_back_later(&self, left: Vec<Leftover>) {
        for left in left {
            let gatepost = self.clone();
            self.consents().under_way.spawn(async move {
                if let Err(why) = gatepost.revoke(&left).await {
                    let consent = left.consent.id;
                    tracing::warn!(%consent, %why, "the provider did not take a consent's tokens back");
                }
            });
        }
    }

    /// Withdraws all consents of a job, or a mailbox's own. What comes of it is given back once the transaction stands.
    pub(crate) async fn withdraw_consents(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        (job, mailbox): (JobId, Option<MailboxId>),
        why: &str,
    ) -> Result<Vec<Leftover>> {
        let mut left = Vec::new();
        for consent in oauth_consents::of_job(tx, job, &clock::now()).await? {
            if mailbox.is_some() && consent.mailbox_id != mailbox {
                continue;
            }
            left.extend(leftover(tx, &consent).await?);
            oauth_consents::delete(tx, consent.id).await?;
            Entry::new(actor, "consent.withdraw", format!("consent/{}", consent.id))
                .job(job)
                .before(&consent)
                .reason(why)
                .write(tx)
                .await?;
        }
        Ok(left)
    }

    /// Lets the consents of a mailbox's owner be given again, because they were given for another account.
    pub(crate) async fn forget_consents(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        mailbox: &Mailbox,
    ) -> Result<Vec<Leftover>> {
        let mut left = Vec::new();
        let now = clock::now();
        for consent in oauth_consents::of_mailbox(tx, mailbox.job_id, mailbox.id, &now).await? {
            if consent.mailbox_id.is_none() {
                continue;
            }
            left.extend(leftover(tx, &consent).await?);
            oauth_tokens::forget(tx, consent.id).await?;
            oauth_requests::forget(tx, consent.id, &now).await?;
            if consent.granted_at.is_none() {
                continue;
            }
            let why = "The mailbox has got another account since the consent was given.";
            let standing = Standing { state: ConsentState::Pending, error: Some(why) };
            oauth_consents::stand(tx, consent.id, standing, &now).await?;
            Entry::new(actor, "consent.lost", format!("consent/{}", consent.id))
                .job(consent.job_id)
                .before(&consent.state)
                .after(&standing.state)
                .reason(why)
                .write(tx)
                .await?;
        }
        Ok(left)
    }

    pub(super) fn seal_token(&self, token: &Secret) -> Vec<u8> {
        self.vault().seal(&Sealed::oauth_token(token.0.clone()))
    }

    pub(super) fn open_token(&self, blob: &[u8]) -> Result<Secret> {
        let sealed = self.vault().open(blob).map_err(|e| Error::conflict("vault", e.to_string()))?;
        let token =
            sealed.oauth_token.ok_or_else(|| Error::conflict("vault", "There is no token in what is sealed."))?;
        Ok(Secret(token.expose().to_owned()))
    }

    /// Seals everything of OAuth anew that was not sealed with the first key; how much that was.
    pub(crate) async fn reseal_oauth(&self, tx: &mut Conn) -> Result<u64> {
        let anew = |blob: &[u8]| -> Result<Option<Vec<u8>>> {
            let old = self.vault().needs_rotation(blob);
            let rotated = old.then(|| self.vault().rotate(blob)).transpose();
            rotated.map_err(|e| Error::conflict("vault", e.to_string()))
        };
        let mut count = 0;
        // What another process writes meanwhile is not sealed over; it is looked at again.
        for _ in 0..RESEALS {
            let mut missed = false;
            let mut done = |written: bool| {
                count += u64::from(written);
                missed |= !written;
            };
            for (id, read) in gatepost_store::oauth_apps::sealed(tx).await? {
                if let Some(blob) = anew(&read)? {
                    done(gatepost_store::oauth_apps::reseal(tx, id, &read, &blob).await?);
                }
            }
            for (id, subject, row) in oauth_tokens::all(tx).await? {
                let access = row.access_blob.as_deref().map(anew).transpose()?.flatten();
                let refresh = row.refresh_blob.as_deref().map(anew).transpose()?.flatten();
                if access.is_some() || refresh.is_some() {
                    let (access, refresh) = (access.or(row.access_blob.clone()), refresh.or(row.refresh_blob.clone()));
                    done(oauth_tokens::reseal(tx, id, &subject, &row, access.as_deref(), refresh.as_deref()).await?);
                }
            }
            for (place, read) in oauth_requests::sealed(tx).await? {
                if let Some(blob) = anew(&read)? {
                    done(oauth_requests::reseal(tx, &place, &read, &blob).await?);
                }
            }
            if !missed {
                break;
            }
        }
        Ok(count)
    }
}

/// Tokens of a consent that a provider is to take back.
pub(crate) struct Leftover {
    consent: Consent,
    app: StoredApp,
    blob: Vec<u8>,
}

/// What there is to give back of a consent.
async fn leftover(conn: &mut Conn, consent: &Consent) -> Result<Option<Leftover>> {
    if consent.way.is_for_all() {
        return Ok(None);
    }
    let tokens = oauth_tokens::get(conn, consent.id, "").await?;
    let Some(blob) = tokens.and_then(|tokens| tokens.refresh_blob.or(tokens.access_blob)) else { return Ok(None) };
    let app = apps::stored(conn, consent.app_id).await?;
    Ok(Some(Leftover { consent: consent.clone(), app, blob }))
}

/// Whether it was the provider that refused, or we.
enum Failure {
    Provider(OauthError),
    Ours(Error),
}

impl From<OauthError> for Failure {
    fn from(error: OauthError) -> Self {
        Self::Provider(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// A consent that must exist.
pub(super) async fn consent(conn: &mut Conn, id: ConsentId) -> Result<Consent> {
    oauth_consents::get(conn, id, &clock::now()).await?.ok_or(Error::NotFound("consent"))
}

/// When tokens end that come now.
pub(super) fn until(tokens: &Tokens) -> String {
    let lasts = Duration::try_from(tokens.expires_in).unwrap_or(Duration::HOUR);
    clock::text(OffsetDateTime::now_utc() + lasts)
}

/// The log-in name of a mailbox at one of its servers.
pub(super) fn account(mailbox: &Mailbox, side: MailboxSide) -> &str {
    match side {
        MailboxSide::Source => mailbox.source_user.as_deref(),
        MailboxSide::Dest => mailbox.dest_user.as_deref(),
    }
    .unwrap_or(&mailbox.email)
}

/// Whether an account lies in a domain.
pub(super) fn lies_in(account: &str, domain: &str) -> bool {
    account.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain))
}

/// An account of the job that a consent serves, to try it with.
async fn some_account(conn: &mut Conn, consent: &Consent) -> Result<Option<String>> {
    let Some(domain) = &consent.domain else { return Ok(None) };
    let all = mailboxes::list(conn, consent.job_id).await?;
    let accounts = all.iter().filter(|mailbox| match consent.side {
        MailboxSide::Source => mailbox.source_type == SourceType::ImapOauth,
        MailboxSide::Dest => true,
    });
    let mut accounts = accounts.map(|mailbox| account(mailbox, consent.side));
    Ok(accounts.find(|account| lies_in(account, domain)).map(str::to_owned))
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

/// Refuses what cannot be asked of an owner by a link.
pub(super) fn owner_only(consent: &Consent) -> Result<()> {
    if is_for_owner(consent) {
        return Ok(());
    }
    Err(Error::conflict(
        "not_by_link",
        "Only the consent of one mailbox's owner in a browser can be asked for by a link.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_lies_in_its_own_domain_and_in_no_other() {
        for (account, domain, lies) in [
            ("ana@example.com", "example.com", true),
            ("ana@EXAMPLE.com", "example.com", true),
            ("a@b@example.com", "example.com", true),
            ("ana@sub.example.com", "example.com", false),
            ("ana@notexample.com", "example.com", false),
            ("ana@example.com.evil.test", "example.com", false),
            ("ana", "example.com", false),
            ("example.com", "example.com", false),
        ] {
            assert_eq!(lies_in(account, domain), lies, "{account} in {domain}");
        }
    }
}
