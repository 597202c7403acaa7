//! Access tokens for log-ins, renewed shortly before they end.
//!
//! Many connections, runs and processes may find at the same moment that a token has ended. One of them takes the row,
//! asks the provider, and writes what comes; the others wait for that. The renewal is a task of its own, so that a run
//! that is cancelled meanwhile does not lose a refresh token that has just taken the place of another.

use super::{Failed, apps, consents::consent, fault, granting::until, registered::Registered, whose};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, work::internal};
use async_trait::async_trait;
use gatepost_contract::{Consent, ConsentId, ConsentState, ConsentWay, Secret};
use gatepost_oauth::{OauthError, Tokens};
use gatepost_store::{
    Conn,
    oauth_consents::{self, Standing},
    oauth_tokens::{self, TokenRow},
};
use gatepost_transfer::{AccessTokens, Fault, FaultKind};
use std::{
    fmt,
    sync::PoisonError,
    time::{Duration as Pause, Instant},
};
use time::{Duration, OffsetDateTime};

/// A token that ends within this is renewed, unless it lasts hardly longer: then when half of it is over.
const SHORTLY: Duration = Duration::minutes(5);
/// How long one renewal may take before another process takes it over: longer than any answer is waited for.
const RENEWAL: Duration = Duration::seconds(90);
/// How far the clocks of two processes may be apart. Who has a row for longer than this allows has it by a wrong clock.
const AHEAD: Duration = Duration::minutes(10);
/// How long is waited for a renewal of somebody else.
const PATIENCE: Pause = Pause::from_secs(100);
/// How often is looked whether it has come.
const LOOK: Pause = Pause::from_millis(100);
/// How long a renewal that has failed is not tried again by this process.
const PEACE: Pause = Pause::from_secs(5);
/// The most that a provider may ask for.
const LONGEST_PEACE: Pause = Pause::from_secs(120);
/// How often is tried to write down what a provider gave: a refresh token that is lost ends the consent.
const WRITES: u32 = 6;

/// What a log-in is answered.
type Answer<T> = std::result::Result<T, Fault>;

/// The tokens of a consent for one account. Asked at each connection.
pub(crate) struct ConsentTokens {
    gatepost: Gatepost,
    consent: ConsentId,
    /// The account, where the provider gives tokens by account.
    subject: String,
}

impl ConsentTokens {
    /// Those of a consent for an account.
    pub fn new(gatepost: Gatepost, consent: &Consent, account: &str) -> Self {
        let subject = if consent.way == ConsentWay::ServiceAccount { account.to_owned() } else { String::new() };
        Self { gatepost, consent: consent.id, subject }
    }

    fn wanted(&self, refused: Option<Secret>) -> Wanted {
        let (gatepost, subject) = (self.gatepost.clone(), self.subject.clone());
        Wanted { gatepost, consent: self.consent, subject, refused, anew: false }
    }
}

impl fmt::Debug for ConsentTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsentTokens").field("consent", &self.consent).finish_non_exhaustive()
    }
}

#[async_trait]
impl AccessTokens for ConsentTokens {
    async fn token(&self) -> Answer<Secret> {
        self.wanted(None).token().await
    }

    async fn renew(&self, refused: &Secret) -> Answer<Option<Secret>> {
        self.wanted(Some(refused.clone())).token().await.map(Some)
    }
}

/// A token that is wanted.
#[derive(Clone)]
struct Wanted {
    gatepost: Gatepost,
    consent: ConsentId,
    subject: String,
    /// The token that a server refused: it does not count as one, however long it should hold.
    refused: Option<Secret>,
    /// A new one in any case.
    anew: bool,
}

impl Wanted {
    async fn token(&self) -> Answer<Secret> {
        let began = Instant::now();
        loop {
            let (row, standing) = {
                let mut conn = self.gatepost.store().reader().await.map_err(internal)?;
                let row = self.row(&mut conn).await?;
                (row, consent(&mut conn, self.consent).await.map_err(gone)?)
            };
            if matches!(standing.state, ConsentState::Valid | ConsentState::Failed)
                && let Some(token) = self.held(&row, true)?
            {
                return Ok(token);
            }
            self.gatepost.may_renew(&standing)?;
            if let Some(fault) = self.failed_just_now() {
                // A token that ends soon is better than none.
                return self.held(&row, false)?.ok_or(fault);
            }
            if let Some(renewer) = self.take().await.map_err(internal)? {
                return self.renewed_by(renewer, standing).await;
            }
            if began.elapsed() > PATIENCE {
                let whose = whose(&standing);
                let sentence =
                    format!("The access token of {whose} is being renewed elsewhere, and that takes too long.");
                return Err(Fault::new(FaultKind::Timeout, sentence));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn row(&self, conn: &mut Conn) -> Answer<TokenRow> {
        let row = oauth_tokens::get(conn, self.consent, &self.subject).await.map_err(internal)?;
        Ok(row.unwrap_or_default())
    }

    /// The token of a row, if it holds still: for a while, or at all.
    fn held(&self, row: &TokenRow, for_a_while: bool) -> Answer<Option<Secret>> {
        let (Some(blob), Some(until)) = (&row.access_blob, row.access_until.as_deref().and_then(clock::parse)) else {
            return Ok(None);
        };
        let margin = match row.refreshed_at.as_deref().and_then(clock::parse) {
            _ if !for_a_while => Duration::ZERO,
            Some(came) => SHORTLY.min((until - came) / 2),
            None => SHORTLY,
        };
        if self.anew || until - OffsetDateTime::now_utc() <= margin {
            return Ok(None);
        }
        let token = self.gatepost.open_token(blob).map_err(internal)?;
        Ok((self.refused.as_ref() != Some(&token)).then_some(token))
    }

    /// Takes the row for a renewal: the name to do it under, unless somebody else has it.
    async fn take(&self) -> Result<Option<String>> {
        let renewer = uuid::Uuid::new_v4().to_string();
        let now = OffsetDateTime::now_utc();
        let [until, too_late] = [now + RENEWAL, now + RENEWAL + AHEAD].map(clock::text);
        let mut tx = self.gatepost.store().begin().await?;
        let (id, now) = (self.consent, clock::now());
        let taken = oauth_tokens::take(&mut tx, id, &self.subject, &renewer, &until, &too_late, &now).await?;
        tx.commit().await?;
        Ok(taken.then_some(renewer))
    }

    async fn give_back(&self, renewer: &str) -> Result<()> {
        let mut tx = self.gatepost.store().begin().await?;
        oauth_tokens::give_back(&mut tx, self.consent, &self.subject, renewer).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Renews in a task of its own, which comes to its end although nobody may wait for it any more but the end of the
    /// process.
    async fn renewed_by(&self, renewer: String, consent: Consent) -> Answer<Secret> {
        let wanted = self.clone();
        let renewal = async move { wanted.renewal(&renewer, &consent).await };
        self.gatepost.consents().under_way.spawn(renewal).await.map_err(internal)?
    }

    async fn renewal(&self, renewer: &str, consent: &Consent) -> Answer<Secret> {
        let row = {
            let mut conn = self.gatepost.store().reader().await.map_err(internal)?;
            self.row(&mut conn).await?
        };
        // Somebody may have renewed it between our look and our taking it.
        if let Some(token) = self.held(&row, true)? {
            self.give_back(renewer).await.map_err(internal)?;
            return Ok(token);
        }
        let asked = self.ask(consent, &row).await;
        let result = if asked.is_ok() { "renewed" } else { "failed" };
        metrics::counter!("gatepost_oauth_renewals_total", "provider" => consent.provider.as_str(), "result" => result)
            .increment(1);
        // What the provider says now counts, and not what it said before.
        self.forget();
        let error = match asked {
            Ok(tokens) => return self.keep(renewer, consent, &tokens).await,
            Err(error) => error,
        };
        let fault = fault(&error, &self.gatepost.again(consent));
        self.note(renewer, consent, &error).await.map_err(internal)?;
        if !matches!(error, OauthError::Unreachable { .. } | OauthError::Nonsense { .. }) {
            return Err(fault);
        }
        self.remember(&fault);
        self.held(&row, false)?.ok_or(fault)
    }

    async fn ask(&self, consent: &Consent, row: &TokenRow) -> std::result::Result<Tokens, OauthError> {
        let ours = |error: Error| OauthError::Setup(error.to_string());
        let app = {
            let mut conn = self.gatepost.store().reader().await.map_err(|error| ours(error.into()))?;
            apps::stored(&mut conn, consent.app_id).await.map_err(ours)?
        };
        let web = &**self.gatepost.web();
        match self.gatepost.registered(&app, consent)? {
            Registered::Service(account, scope) => {
                gatepost_oauth::service_account(web, &account, &self.subject, &scope).await
            }
            Registered::App(app) if consent.way == ConsentWay::Client => {
                gatepost_oauth::client_credentials(web, &app).await
            }
            Registered::App(app) => {
                let none = || OauthError::ConsentGone {
                    description: "The provider gave a token that ends and nothing to renew it with.".into(),
                };
                let blob = row.refresh_blob.as_deref().ok_or_else(none)?;
                gatepost_oauth::refresh(web, &app, &self.gatepost.open_token(blob).map_err(ours)?).await
            }
        }
    }

    /// Writes new tokens down before anybody uses them.
    async fn keep(&self, renewer: &str, consent: &Consent, tokens: &Tokens) -> Answer<Secret> {
        let access = self.gatepost.seal_token(&tokens.access);
        let refresh = tokens.refresh.as_ref().map(|token| self.gatepost.seal_token(token));
        let access_until = until(tokens);
        let new = oauth_tokens::NewTokens {
            access_blob: &access,
            access_until: &access_until,
            refresh_blob: refresh.as_deref(),
        };
        let mut attempt = 1;
        let kept = loop {
            match self.try_keep(renewer, consent, &new).await {
                Ok(kept) => break kept,
                Err(error) if attempt == WRITES => return Err(internal(error)),
                Err(error) => {
                    tracing::warn!(consent = %consent.id, %error, attempt, "a renewed token could not be written down yet");
                    tokio::time::sleep(Pause::from_millis(100 << attempt)).await;
                    attempt += 1;
                }
            }
        };
        if kept {
            return Ok(tokens.access.clone());
        }
        // The consent was given anew or withdrawn meanwhile: what that brought counts.
        let row = self.row(&mut *self.gatepost.store().reader().await.map_err(internal)?).await?;
        Self { anew: false, ..self.clone() }.held(&row, false)?.ok_or_else(|| {
            let sentence = format!("The consent for {} has just been changed. Start the run again.", whose(consent));
            Fault::new(FaultKind::Login, sentence)
        })
    }

    async fn try_keep(&self, renewer: &str, consent: &Consent, new: &oauth_tokens::NewTokens<'_>) -> Result<bool> {
        let now = clock::now();
        let mut tx = self.gatepost.store().begin().await?;
        let kept = oauth_tokens::renewed(&mut tx, self.consent, &self.subject, renewer, new, &now).await?;
        if kept && (consent.error.is_some() || consent.state != ConsentState::Valid) {
            let standing = Standing { state: ConsentState::Valid, error: None };
            oauth_consents::stand(&mut tx, consent.id, standing, &now).await?;
        }
        tx.commit().await?;
        Ok(kept)
    }

    /// Writes down why there is no new token. A consent that was given anew meanwhile is not touched.
    async fn note(&self, renewer: &str, consent: &Consent, error: &OauthError) -> Result<()> {
        let now = clock::now();
        let (state, sentence) = match error {
            // One account that the service account does not reach says nothing of the others.
            OauthError::Refused { .. } if !self.subject.is_empty() => {
                (consent.state, format!("{}: {error}", self.subject))
            }
            _ => (state_after(consent, error), error.to_string()),
        };
        let mut tx = self.gatepost.store().begin().await?;
        if oauth_tokens::give_back(&mut tx, self.consent, &self.subject, renewer).await? {
            let standing = Standing { state, error: Some(&sentence) };
            oauth_consents::stand(&mut tx, consent.id, standing, &now).await?;
            if state != consent.state {
                Entry::new(&Actor::Worker, "consent.lost", format!("consent/{}", consent.id))
                    .job(consent.job_id)
                    .before(&consent.state)
                    .after(&state)
                    .reason(&sentence)
                    .write(&mut tx)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    fn remember(&self, fault: &Fault) {
        let peace = fault.retry_after.unwrap_or(PEACE).clamp(PEACE, LONGEST_PEACE);
        let failed = Failed { until: Instant::now() + peace, kind: fault.kind, sentence: fault.sentence.clone() };
        let mut all = self.gatepost.consents().failed.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, failed| failed.until > Instant::now());
        all.insert((self.consent, self.subject.clone()), failed);
    }

    fn forget(&self) {
        let mut all = self.gatepost.consents().failed.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(self.consent, self.subject.clone()));
    }

    fn failed_just_now(&self) -> Option<Fault> {
        let all = self.gatepost.consents().failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = all.get(&(self.consent, self.subject.clone()))?;
        let left = failed.until.checked_duration_since(Instant::now())?;
        Some(Fault { retry_after: Some(left), ..Fault::new(failed.kind, failed.sentence.clone()) })
    }
}

impl Gatepost {
    /// Takes a new token, whether the present one has ended or not.
    ///
    /// # Errors
    /// What the provider said, as a conflict; it is kept with the consent too.
    pub(super) async fn renew_now(&self, consent: &Consent) -> Result<()> {
        let told = |fault: Fault| match fault.kind {
            FaultKind::Internal => Error::internal(fault),
            FaultKind::Timeout | FaultKind::WrongService => {
                Error::Elsewhere { code: "provider_failed", detail: fault.sentence }
            }
            _ => Error::conflict("consent_refused", fault.sentence),
        };
        self.may_renew(consent).map_err(told)?;
        let (gatepost, subject) = (self.clone(), String::new());
        let wanted = Wanted { gatepost, consent: consent.id, subject, refused: None, anew: true };
        let renewer = wanted.take().await?.ok_or_else(|| {
            Error::conflict("being_renewed", "The token is being renewed at this moment. Look again in a minute.")
        })?;
        wanted.renewed_by(renewer, consent.clone()).await.map(drop).map_err(told)
    }

    /// Whether it makes sense to ask the provider.
    fn may_renew(&self, consent: &Consent) -> Answer<()> {
        let said = consent.error.as_deref().map(|error| format!(" {error}")).unwrap_or_default();
        let (whose, again) = (whose(consent), self.again(consent));
        let sentence = match consent.state {
            ConsentState::Valid | ConsentState::Failed if consent.granted_at.is_some() => return Ok(()),
            ConsentState::Valid | ConsentState::Failed | ConsentState::Pending => {
                format!("Nobody has consented yet that the mail of {whose} is moved.{said} {again}")
            }
            ConsentState::Expired => format!("The consent for {whose} has expired.{said} {again}"),
            ConsentState::Revoked => format!("The consent for {whose} was revoked.{said} {again}"),
        };
        Err(Fault::new(FaultKind::Login, sentence))
    }

    /// Where a consent is renewed, as the end of a sentence.
    fn again(&self, consent: &Consent) -> String {
        format!("Renew the consent at {}{}, then start the run again.", self.base(None), consent.path())
    }

    /// Something was changed that may cure what failed.
    pub(super) fn forgive_renewals(&self) {
        self.consents().failed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// How a consent stands after a provider refused.
fn state_after(consent: &Consent, error: &OauthError) -> ConsentState {
    // Microsoft tells apart what has lapsed and what was revoked; others do not.
    let lapsed = |said: &str| {
        ["AADSTS70008)", "AADSTS70043)", "AADSTS70044)", "AADSTS700082)", "AADSTS700084)"]
            .iter()
            .any(|n| said.contains(n))
    };
    match error {
        OauthError::ConsentGone { description } => {
            let ended = consent.expires_at.as_ref().is_some_and(|at| at.as_str() <= clock::now().as_str());
            if ended || lapsed(description) { ConsentState::Expired } else { ConsentState::Revoked }
        }
        OauthError::Denied { .. } | OauthError::ScopeMissing { .. } => ConsentState::Revoked,
        OauthError::Expired => ConsentState::Expired,
        OauthError::Refused { .. } | OauthError::Setup(_) => ConsentState::Failed,
        // Whoever answers nonsense today may answer tomorrow.
        OauthError::Unreachable { .. } | OauthError::Nonsense { .. } | OauthError::Pending | OauthError::SlowDown => {
            consent.state
        }
    }
}

/// The consent that a run began with does not exist any more.
fn gone(error: Error) -> Fault {
    match error {
        Error::NotFound(_) => {
            Fault::new(FaultKind::Login, "The consent was withdrawn. Ask for a new one, then start the run again.")
        }
        other => internal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{JobId, MailboxSide, OauthAppId, OauthProvider};

    fn given(expires_at: Option<&str>) -> Consent {
        Consent {
            id: ConsentId(1),
            app_id: OauthAppId(1),
            app_name: "Desk".into(),
            provider: OauthProvider::Microsoft,
            way: ConsentWay::Code,
            side: MailboxSide::Source,
            job_id: JobId(1),
            mailbox_id: None,
            email: None,
            domain: None,
            directory: None,
            state: ConsentState::Valid,
            error: None,
            account: None,
            granted_by: None,
            granted_at: None,
            expires_at: expires_at.map(str::to_owned),
            refreshed_at: None,
            device: None,
            link_until: None,
            created_by: String::new(),
            created_at: String::new(),
            updated_at: String::new(),
        }
    }

    #[test]
    fn what_a_provider_answers_decides_whether_a_consent_stands() {
        let gone = |said: &str| OauthError::ConsentGone { description: said.into() };
        let unreachable = OauthError::Unreachable { sentence: String::new(), retry_after: None };
        let nonsense = OauthError::Nonsense { host: String::new(), what: String::new() };
        let refused = OauthError::Refused { code: String::new(), description: String::new() };
        for (error, state) in [
            (gone("The password was changed (AADSTS50173)."), ConsentState::Revoked),
            (gone("The consent has lapsed or was revoked (AADSTS700082)."), ConsentState::Expired),
            (gone("login.example says: Token has been revoked."), ConsentState::Revoked),
            (OauthError::Denied { description: None }, ConsentState::Revoked),
            (refused, ConsentState::Failed),
            (OauthError::Setup(String::new()), ConsentState::Failed),
            (unreachable, ConsentState::Valid),
            (nonsense, ConsentState::Valid),
        ] {
            assert_eq!(state_after(&given(None), &error), state, "{error:?}");
        }
        assert_eq!(state_after(&given(Some("2020-01-01T00:00:00.000Z")), &gone("")), ConsentState::Expired);
        assert_eq!(state_after(&given(Some("2999-01-01T00:00:00.000Z")), &gone("")), ConsentState::Revoked);
    }
}
