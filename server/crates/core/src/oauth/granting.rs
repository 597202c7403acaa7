//! What somebody's consent brings: the tokens that are kept, or why there are none.

use super::{
    accounts::{account, lies_in, opens_by_consent},
    apps,
    consents::consent,
    refused,
    registered::Registered,
    whose,
};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock};
use gatepost_contract::{Consent, ConsentLinkId, ConsentState};
use gatepost_oauth::{OauthError, Tokens};
use gatepost_store::{
    Conn, mailboxes,
    oauth_consents::{self, Granted, Standing},
    oauth_requests, oauth_tokens,
};
use time::{Duration, OffsetDateTime};

/// Who brought a consent here.
pub(super) struct By<'a> {
    /// As the audit log names them.
    pub label: &'a str,
    /// The link that they came by.
    pub link: Option<ConsentLinkId>,
    /// Whether another account than the mailbox's may consent: an ops lead or a super admin began it.
    pub any_account: bool,
}

impl Gatepost {
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
            self.note_other_account(before, tokens, by, &why).await?;
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

    /// Keeps why tokens for another account are not taken; they go back to where they came from.
    async fn note_other_account(&self, before: &Consent, tokens: &Tokens, by: &By<'_>, why: &str) -> Result<()> {
        let mut tx = self.store().begin().await?;
        refuse(&mut tx, before, before.state != ConsentState::Valid, why).await?;
        let left = self.to_give_back_untaken(&mut tx, by.label, before, tokens).await?;
        tx.commit().await?;
        self.give_back_later(left.into_iter().collect());
        count_refused(before);
        Ok(())
    }

    /// Keeps why a consent did not come about. One that stands is not harmed by an attempt to give it again.
    pub(super) async fn note_failure(&self, before: &Consent, error: &OauthError) -> Result<()> {
        let mut tx = self.store().begin().await?;
        refuse(&mut tx, before, !error.is_transient(), &error.to_string()).await?;
        tx.commit().await?;
        count_refused(before);
        Ok(())
    }
}

/// Writes down why a consent did not come about. One that has come about meanwhile is not touched.
async fn refuse(tx: &mut Conn, before: &Consent, for_good: bool, sentence: &str) -> Result<()> {
    let state = match before.state {
        ConsentState::Pending if for_good => ConsentState::Failed,
        other => other,
    };
    let standing = Standing { state, error: Some(sentence) };
    oauth_consents::stand_as_read(tx, before, standing, &clock::now()).await?;
    Ok(())
}

fn count_refused(before: &Consent) {
    metrics::counter!("gatepost_oauth_consents_total", "provider" => before.provider.as_str(), "result" => "refused")
        .increment(1);
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

/// When tokens end that come now.
pub(super) fn until(tokens: &Tokens) -> String {
    let lasts = Duration::try_from(tokens.expires_in).unwrap_or(Duration::HOUR);
    clock::text(OffsetDateTime::now_utc() + lasts)
}

/// An account of the job that a consent serves, to try it with.
async fn some_account(conn: &mut Conn, consent: &Consent) -> Result<Option<String>> {
    let Some(domain) = &consent.domain else { return Ok(None) };
    let all = mailboxes::list(conn, consent.job_id).await?;
    let opened = all.iter().filter(|mailbox| opens_by_consent(mailbox, consent.side));
    let mut accounts = opened.map(|mailbox| account(mailbox, consent.side));
    Ok(accounts.find(|account| lies_in(account, domain)).map(str::to_owned))
}
