//! Browsers that go to a provider and come back (authorization code with PKCE, Microsoft's admin consent).
//!
//! What comes back counts once, within ten minutes, and only in the browser that left: the state names the request, a
//! cookie the browser. The code verifier stays here, sealed.

use super::{accounts::account, apps, consents::consent, digest, granting::By, refused, registered::Registered};
use crate::{Actor, Error, Gatepost, Result, clock};
use gatepost_contract::{Consent, ConsentId, ConsentWay, OauthProvider, Secret};
use gatepost_oauth::{Callback, OauthError, Pkce, admin_consent_url, authorize_url, new_state};
use gatepost_store::{
    mailboxes,
    oauth_requests::{self, RequestRow},
};
use gatepost_vault::Sealed;
use std::{fmt, net::IpAddr};
use time::{Duration, OffsetDateTime};
use url::Url;

/// How long a person may take at the provider's page.
const AWAY: Duration = Duration::minutes(10);

/// A browser that is to leave.
#[derive(Clone)]
pub struct Departure {
    /// Where to.
    pub url: String,
    /// What it keeps, in a cookie, until it comes back.
    pub browser: Secret,
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Departure")
    }
}

/// A browser that has come back.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What it went for, as it stands now.
    pub consent: Consent,
    /// Whether it is the browser of a mailbox's owner, who came by a link.
    pub guest: bool,
    /// Why there is no consent, where there is none.
    pub refused: Option<String>,
}

impl Gatepost {
    /// Sends a browser of the staff to the provider. `host` is where it reached the Desk.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a consent that is given in another way.
    pub async fn begin_consent(&self, actor: &Actor, id: ConsentId, host: Option<&str>) -> Result<Departure> {
        let consent = self.changeable(actor, id).await?;
        let by = By { label: &actor.label(), link: None, any_account: actor.approve().is_ok() };
        self.depart(&consent, &by, host).await
    }

    pub(super) async fn depart(&self, consent: &Consent, by: &By<'_>, host: Option<&str>) -> Result<Departure> {
        let (app, hint) = {
            let mut conn = self.store().reader().await?;
            let mailbox = match consent.mailbox_id {
                Some(id) => mailboxes::get(&mut conn, id).await?,
                None => None,
            };
            let hint = mailbox.map(|mailbox| account(&mailbox, consent.side).to_owned());
            (apps::stored(&mut conn, consent.app_id).await?, hint)
        };
        let app = self.registered(&app, consent).and_then(Registered::app).map_err(|error| refused(&error))?;
        let redirect = self.oauth_redirect(host);
        let (state, pkce) = (new_state(), Pkce::new());
        let url = match (consent.way, consent.provider) {
            (ConsentWay::Code, _) => authorize_url(&app, &redirect, &state, &pkce, hint.as_deref()),
            (ConsentWay::Client, OauthProvider::Microsoft) => {
                let directory = consent.directory.as_deref().unwrap_or_default();
                admin_consent_url(directory, &app.client_id, &redirect, &state)
            }
            _ => {
                return Err(Error::conflict(
                    "not_in_browser",
                    "This consent is not given in a browser that comes back here.",
                ));
            }
        };
        let url = url.map_err(|error| refused(&error))?;
        // Anew each time: what a browser has kept, somebody else may have put there.
        let browser = new_state();
        let request = RequestRow {
            consent_id: consent.id,
            browser_digest: digest(&browser),
            verifier_blob: self.vault().seal(&Sealed::password(pkce.verifier().0.clone())),
            redirect_url: redirect,
            link_id: by.link,
            asked_by: by.label.to_owned(),
            any_account: by.any_account,
        };
        let now = clock::now();
        let expires = clock::text(OffsetDateTime::now_utc() + AWAY);
        let mut tx = self.store().begin().await?;
        oauth_requests::tidy(&mut tx, &now).await?;
        oauth_requests::insert(&mut tx, &digest(&state), &request, &expires, &now).await?;
        tx.commit().await?;
        Ok(Departure { url: url.into(), browser: Secret(browser) })
    }

    /// Takes a browser in that comes back from a provider, with what its address says and what it has kept.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for whatever does not belong to a request of this browser, with one sentence for all of it;
    /// [`Error::TooMany`].
    pub async fn finish_consent(
        &self,
        parameters: &[(String, String)],
        browser: Option<&str>,
        client: IpAddr,
    ) -> Result<Arrival> {
        self.consents().arrived.check(&client.into())?;
        let stray = || {
            Error::Forbidden(
                "This answer belongs to no request of this browser, or was used already, or came too late. Start the \
                 consent again."
                    .into(),
            )
        };
        let mut states = parameters.iter().filter(|(name, _)| name == "state").map(|(_, value)| value);
        let (state, browser) = match (states.next(), states.next(), browser) {
            (Some(state), None, Some(browser)) if is_kept(state) && is_kept(browser) => (state, browser),
            _ => return Err(stray()),
        };
        let mut tx = self.store().begin().await?;
        let request = oauth_requests::redeem(&mut tx, &digest(state), &digest(browser), &clock::now()).await?;
        tx.commit().await?;
        let request = request.ok_or_else(stray)?;
        let before = consent(&mut *self.store().reader().await?, request.consent_id).await?;
        let by = By { label: &request.asked_by, link: request.link_id, any_account: request.any_account };
        let guest = request.link_id.is_some();
        match self.use_answer(&before, &request, parameters, &by).await {
            Ok(consent) => Ok(Arrival { consent, guest, refused: None }),
            Err(error @ (Error::Internal(_) | Error::Forbidden(_) | Error::TooMany { .. })) => Err(error),
            Err(error) => {
                let consent = consent(&mut *self.store().reader().await?, request.consent_id).await?;
                Ok(Arrival { consent, guest, refused: Some(error.to_string()) })
            }
        }
    }

    async fn use_answer(
        &self,
        before: &Consent,
        request: &RequestRow,
        parameters: &[(String, String)],
        by: &By<'_>,
    ) -> Result<Consent> {
        let failed = async |error: OauthError| match self.note_failure(before, &error).await {
            Ok(()) => refused(&error),
            Err(fault) => fault,
        };
        let provider = match before.provider {
            OauthProvider::Microsoft => "Microsoft",
            OauthProvider::Google => "Google",
            OauthProvider::Custom => &before.app_name,
        };
        let code = match (Callback::read(provider, parameters), before.way) {
            (Ok(Callback::Code(code)), ConsentWay::Code) => code,
            (Ok(Callback::AdminConsent { .. }), ConsentWay::Client) => return self.try_for_all(before, by).await,
            (Ok(_), _) => {
                let what = "its page sent the browser back with an answer to another question".into();
                return Err(failed(OauthError::Nonsense { host: provider.to_owned(), what }).await);
            }
            (Err(error), _) => return Err(failed(error).await),
        };
        let app = apps::stored(&mut *self.store().reader().await?, before.app_id).await?;
        let app = match self.registered(&app, before).and_then(Registered::app) {
            Ok(app) => app,
            Err(error) => return Err(failed(error).await),
        };
        if !is_of_issuer(parameters, app.endpoints.authorize.as_ref()) {
            let what = "its page sent the browser back in another provider's name".into();
            return Err(failed(OauthError::Nonsense { host: provider.to_owned(), what }).await);
        }
        let sealed = self.vault().open(&request.verifier_blob).map_err(|e| Error::conflict("vault", e.to_string()))?;
        let verifier =
            sealed.password.ok_or_else(|| Error::conflict("vault", "There is no verifier in what is sealed."))?;
        let pkce = Pkce::kept(Secret(verifier.expose().to_owned()));
        match gatepost_oauth::exchange(&**self.web(), &app, &code, &request.redirect_url, &pkce).await {
            Ok(tokens) => self.grant_consent(before, "", &tokens, by).await,
            Err(error) => Err(failed(error).await),
        }
    }
}

/// Whether an answer comes from whom the browser was sent to, where it says from whom (RFC 9207 section 2.4): two
/// providers send browsers back to one address here. Issuers and log-in pages lie at one origin.
fn is_of_issuer(parameters: &[(String, String)], page: Option<&Url>) -> bool {
    let issuers = parameters.iter().filter(|(name, _)| name == "iss");
    issuers.map(|(_, issuer)| Url::parse(issuer)).all(|issuer| match (issuer, page) {
        (Ok(issuer), Some(page)) => issuer.origin() == page.origin(),
        _ => false,
    })
}

/// Whether a text can be a state, or what a browser keeps.
fn is_kept(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_the_name_of_another_provider_is_none() {
        let page = Url::parse("https://accounts.google.com/o/oauth2/v2/auth").expect("it is well formed");
        for (issuers, fine) in [
            (&[][..], true),
            (&["https://accounts.google.com"], true),
            (&["https://accounts.google.com:444"], false),
            (&["http://accounts.google.com"], false),
            (&["https://login.example"], false),
            (&["https://accounts.google.com", "https://login.example"], false),
            (&["accounts.google.com"], false),
            (&[""], false),
        ] {
            let parameters: Vec<(String, String)> =
                issuers.iter().map(|issuer| ("iss".to_owned(), (*issuer).to_owned())).collect();
            assert_eq!(is_of_issuer(&parameters, Some(&page)), fine, "{issuers:?}");
        }
    }
}
