//! Tokens that go back to the provider (RFC 7009): of consents that are withdrawn, asked for anew, or given for an account
//! that is not, or no longer, the mailbox's.
//!
//! Here they are forgotten in any case. What the provider is to be told is written down, sealed, in the same transaction;
//! it is asked at once, and again less and less often by the workers, until it has confirmed or a day is over.

use super::{apps, registered::Registered};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, jobs::found};
use futures::StreamExt;
use gatepost_contract::{Consent, ConsentState, JobId, Mailbox, MailboxId, OauthAppId, Revocation, RevocationId};
use gatepost_oauth::{OauthError, Tokens};
use gatepost_store::{
    Conn, jobs, mailboxes,
    oauth_consents::{self, Standing},
    oauth_requests,
    oauth_revocations::{self, RevocationRow},
    oauth_tokens,
};
use serde_json::json;
use std::time::Duration as Pause;
use time::{Duration, OffsetDateTime};

/// How long is waited after each attempt. The attempt after the last of these is the last one.
const AGAIN: [Duration; 7] = [
    Duration::minutes(1),
    Duration::minutes(5),
    Duration::minutes(20),
    Duration::hours(1),
    Duration::hours(3),
    Duration::hours(6),
    Duration::hours(12),
];
/// How long one attempt may take before another process may begin one: longer than any answer is waited for.
const ATTEMPT: Duration = Duration::minutes(3);
/// The longest that a provider may ask to be left alone for.
const LONGEST: Duration = Duration::hours(12);
/// Nothing waits for longer. A time beyond that was written by a clock that was ahead.
const AHEAD: Duration = Duration::hours(13);
/// How often the workers look for what is due.
const LOOK: Pause = Pause::from_secs(2);
/// How long somebody who withdraws a consent waits for the provider.
const PATIENCE: Pause = Pause::from_secs(5);
/// How many providers, or times one of them, are asked at once.
const AT_ONCE: usize = 4;
/// How many are looked at in one go.
const MOST: u32 = 20;
/// How many are shown.
const SHOWN: u32 = 50;

impl Gatepost {
    /// What was taken back of a job's consents, the newest first, and how far the provider has followed; at most 50.
    pub async fn job_revocations(&self, actor: &Actor, job: JobId) -> Result<Vec<Revocation>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(oauth_revocations::of_job(&mut conn, job, SHOWN).await?)
    }

    /// The same of one mailbox.
    pub async fn mailbox_revocations(&self, actor: &Actor, id: MailboxId) -> Result<Vec<Revocation>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        mailboxes::get(&mut conn, id).await?.ok_or(Error::NotFound("mailbox"))?;
        Ok(oauth_revocations::of_mailbox(&mut conn, id, SHOWN).await?)
    }

    /// Writes down what there is to give back of a consent whose tokens are about to be forgotten.
    pub(super) async fn to_give_back(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        consent: &Consent,
    ) -> Result<Option<RevocationId>> {
        if consent.way.is_for_all() {
            return Ok(None);
        }
        let tokens = oauth_tokens::get(tx, consent.id, "").await?;
        let Some(blob) = tokens.and_then(|tokens| tokens.refresh_blob.or(tokens.access_blob)) else { return Ok(None) };
        self.keep_to_give_back(tx, &actor.label(), consent, &blob).await
    }

    /// The same of tokens that have just come for an account that is not the mailbox's. Where a consent of that account
    /// stands they are let be: some providers take back with one token all that the account has consented to.
    pub(super) async fn to_give_back_untaken(
        &self,
        tx: &mut Conn,
        by: &str,
        consent: &Consent,
        tokens: &Tokens,
    ) -> Result<Option<RevocationId>> {
        if let Some(account) = &tokens.claims.account
            && oauth_consents::is_held(tx, consent.app_id, account).await?
        {
            return Ok(None);
        }
        let blob = self.seal_token(tokens.refresh.as_ref().unwrap_or(&tokens.access));
        self.keep_to_give_back(tx, by, consent, &blob).await
    }

    async fn keep_to_give_back(
        &self,
        tx: &mut Conn,
        by: &str,
        consent: &Consent,
        blob: &[u8],
    ) -> Result<Option<RevocationId>> {
        let app = apps::stored(tx, consent.app_id).await?;
        // An application that cannot be used at the moment may be mended while there is time.
        if let Ok(Registered::App(app)) = self.registered(&app, consent)
            && app.endpoints.revoke.is_none()
        {
            return Ok(None);
        }
        Ok(Some(oauth_revocations::insert(tx, consent, blob, by, &clock::now()).await?))
    }

    /// Gives back what was written down, once that stands. Nobody waits for it but the end of the process, and that only for
    /// the attempts that are under way.
    pub(crate) fn give_back_later(&self, left: Vec<RevocationId>) {
        if left.is_empty() {
            return;
        }
        let gatepost = self.clone();
        self.consents().under_way.spawn(async move {
            let stopping = gatepost.crew().stopping().clone();
            let each = futures::stream::iter(left).take_until(stopping.cancelled_owned());
            each.for_each_concurrent(AT_ONCE, |id| gatepost.give_back_or_log(id)).await;
        });
    }

    /// The same, and waits for a moment, so that whoever withdrew the consent sees what came of it.
    pub(super) async fn give_back_now(&self, id: RevocationId) {
        let gatepost = self.clone();
        let asked = self.consents().under_way.spawn(async move { gatepost.give_back_or_log(id).await });
        // What takes longer goes on by itself.
        let _ = tokio::time::timeout(PATIENCE, asked).await;
    }

    /// Asks providers again until the process ends.
    pub(crate) async fn keep_giving_back(&self) {
        let stopping = self.crew().stopping();
        while !stopping.is_cancelled() {
            tokio::select! {
                given = self.give_back_due() => if let Err(error) = given {
                    // Logs what lies behind.
                    let _ = gatepost_contract::Problem::from(error);
                },
                // An attempt that is broken off counts as one that failed.
                () = stopping.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stopping.cancelled() => {}
            }
        }
    }

    async fn give_back_due(&self) -> Result<()> {
        let too_late = clock::text(OffsetDateTime::now_utc() + AHEAD);
        let due = oauth_revocations::due(&mut *self.store().reader().await?, &clock::now(), &too_late, MOST).await?;
        let due = futures::stream::iter(due);
        due.for_each_concurrent(AT_ONCE, |id| self.give_back_or_log(id)).await;
        Ok(())
    }

    async fn give_back_or_log(&self, id: RevocationId) {
        if let Err(error) = self.give_back(id).await {
            // Logs what lies behind. The row stands, and is tried again.
            let _ = gatepost_contract::Problem::from(error);
        }
    }

    /// One attempt, unless somebody else is at it or there is nothing to do any more.
    async fn give_back(&self, id: RevocationId) -> Result<()> {
        let now = OffsetDateTime::now_utc();
        let [until, too_late] = [now + ATTEMPT, now + AHEAD].map(clock::text);
        let mut tx = self.store().begin().await?;
        let row = oauth_revocations::take(&mut tx, id, &clock::text(now), &too_late, &until).await?;
        tx.commit().await?;
        let Some(row) = row else { return Ok(()) };
        match self.revoke(&row).await {
            Ok(()) => self.confirmed(&row).await,
            Err(error) => self.not_confirmed(&row, &error).await,
        }
    }

    async fn revoke(&self, row: &RevocationRow) -> std::result::Result<(), OauthError> {
        let setup = |error: Error| OauthError::Setup(error.to_string());
        let app = {
            let mut conn = self.store().reader().await.map_err(|error| setup(error.into()))?;
            apps::stored(&mut conn, row.app_id).await.map_err(setup)?
        };
        let token = self.open_token(&row.token_blob).map_err(setup)?;
        let app = self.registered_row(&app.row, row.directory.as_deref()).and_then(Registered::app)?;
        if gatepost_oauth::revoke(&**self.web(), &app, &token).await? {
            return Ok(());
        }
        Err(OauthError::Setup("The application has no address at which tokens are taken back.".into()))
    }

    async fn confirmed(&self, row: &RevocationRow) -> Result<()> {
        let mut tx = self.store().begin().await?;
        if oauth_revocations::confirm(&mut tx, row.id, &clock::now()).await? {
            Entry::new(&Actor::Worker, "consent.given_back", format!("consent/{}", row.consent_id))
                .job(row.job_id)
                .after(&json!({ "tries": row.tries }))
                .write(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn not_confirmed(&self, row: &RevocationRow, error: &OauthError) -> Result<()> {
        let consent = row.consent_id;
        tracing::warn!(%consent, %error, tries = row.tries, "the provider has not taken a consent's tokens back");
        let mut tx = self.store().begin().await?;
        match pause_after(row.tries, error) {
            Some(pause) => {
                let next = clock::text(OffsetDateTime::now_utc() + pause);
                oauth_revocations::put_off(&mut tx, row.id, &error.to_string(), &next).await?;
            }
            None => give_up(&mut tx, &Actor::Worker, (row.id, consent, row.job_id), &error.to_string()).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// Withdraws all consents of a job, or a mailbox's own. What comes of it is given back once the transaction stands.
    pub(crate) async fn withdraw_consents(
        &self,
        tx: &mut Conn,
        actor: &Actor,
        (job, mailbox): (JobId, Option<MailboxId>),
        why: &str,
    ) -> Result<Vec<RevocationId>> {
        let mut left = Vec::new();
        for consent in oauth_consents::of_job(tx, job, &clock::now()).await? {
            if mailbox.is_some() && consent.mailbox_id != mailbox {
                continue;
            }
            left.extend(self.to_give_back(tx, actor, &consent).await?);
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
    ) -> Result<Vec<RevocationId>> {
        let mut left = Vec::new();
        let now = clock::now();
        for consent in oauth_consents::of_mailbox(tx, mailbox.job_id, mailbox.id, &now).await? {
            if consent.mailbox_id.is_none() {
                continue;
            }
            left.extend(self.to_give_back(tx, actor, &consent).await?);
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
}

/// Gives up what waits for an application that is removed, or would send it to another address from now on.
pub(super) async fn give_up_of_app(tx: &mut Conn, actor: &Actor, app: OauthAppId, why: &str) -> Result<()> {
    for one in oauth_revocations::waiting_of_app(tx, app).await? {
        give_up(tx, actor, (one.id, one.consent_id, one.job_id), why).await?;
    }
    Ok(())
}

async fn give_up(
    tx: &mut Conn,
    actor: &Actor,
    (id, consent, job): (RevocationId, gatepost_contract::ConsentId, JobId),
    why: &str,
) -> Result<()> {
    if oauth_revocations::give_up(tx, id, why, &clock::now()).await? {
        Entry::new(actor, "consent.not_given_back", format!("consent/{consent}"))
            .job(job)
            .reason(why)
            .write(tx)
            .await?;
    }
    Ok(())
}

/// How long to wait after an attempt; none after the last one.
fn pause_after(tries: i64, error: &OauthError) -> Option<Duration> {
    let pause = usize::try_from(tries - 1).ok().and_then(|n| AGAIN.get(n))?;
    let wanted = match error {
        OauthError::Unreachable { retry_after: Some(wanted), .. } => Duration::try_from(*wanted).unwrap_or(LONGEST),
        _ => Duration::ZERO,
    };
    Some((*pause).max(wanted.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_eight_times_within_a_day_and_later_where_it_wants_that() {
        let error = OauthError::Setup(String::new());
        let pauses: Vec<Duration> = (1..).map_while(|tries| pause_after(tries, &error)).collect();
        assert_eq!(pauses.len() + 1, 8);
        let all: Duration = pauses.iter().sum();
        assert!(all > Duration::hours(22) && all <= Duration::DAY, "{all}");
        assert!(pauses.is_sorted() && pauses.iter().all(|pause| *pause < AHEAD));
        let later = |seconds: u64| OauthError::Unreachable {
            sentence: String::new(),
            retry_after: Some(std::time::Duration::from_secs(seconds)),
        };
        assert_eq!(pause_after(1, &later(600)), Some(Duration::minutes(10)));
        assert_eq!(pause_after(4, &later(600)), Some(Duration::hours(1)));
        assert_eq!(pause_after(1, &later(u64::MAX)), Some(LONGEST));
        assert_eq!(pause_after(8, &later(600)), None);
        assert_eq!(pause_after(0, &error), None, "a number that none wrote here ends it");
    }
}
