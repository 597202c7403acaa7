//! Consents that are there: how they stand, who may change them, trying them, taking them back.

use super::granting::By;
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found};
use gatepost_contract::{Consent, ConsentId, ConsentState, JobId, MailboxId};
use gatepost_store::{Conn, jobs, mailboxes, oauth_consents};
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// Days before its end at which a consent is shown as ending.
const SOON: Duration = Duration::days(14);
/// How many ending ones are shown at once.
const MOST_ENDING: u32 = 50;

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

    /// Takes a consent back: its tokens are forgotten here at once, and given back to the provider, where that takes them.
    pub async fn withdraw_consent(&self, actor: &Actor, id: ConsentId) -> Result<()> {
        let before = self.changeable(actor, id).await?;
        let mut tx = self.store().begin().await?;
        let left = self.to_give_back(&mut tx, actor, &before).await?;
        oauth_consents::delete(&mut tx, id).await?;
        Entry::new(actor, "consent.withdraw", format!("consent/{id}"))
            .job(before.job_id)
            .before(&before)
            .after(&json!({ "to_give_back": left.is_some() }))
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        if let Some(left) = left {
            self.give_back_now(left).await;
        }
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
}

/// A consent that must exist.
pub(super) async fn consent(conn: &mut Conn, id: ConsentId) -> Result<Consent> {
    oauth_consents::get(conn, id, &clock::now()).await?.ok_or(Error::NotFound("consent"))
}
