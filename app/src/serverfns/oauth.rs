//! OAuth 2: applications, and consents.

use gatepost_contract::{ConsentId, JobId, MailboxId, OauthAppId, Problem, Secret};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form of an application, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OauthAppForm {
    /// What people call it.
    pub name: String,
    /// With whom it is registered.
    pub provider: String,
    /// Its id there.
    pub client_id: String,
    /// A client secret.
    pub client_secret: Secret,
    /// A certificate.
    pub certificate: String,
    /// The certificate's key.
    pub private_key: Secret,
    /// The key of a service account.
    pub service_account: Secret,
    /// Microsoft's directory.
    pub directory: String,
    /// Where people consent.
    pub authorize_url: String,
    /// Where tokens are given.
    pub token_url: String,
    /// Where codes for devices are given.
    pub device_url: String,
    /// Where tokens are given back.
    pub revoke_url: String,
    /// What is asked for.
    pub scopes: String,
    /// Mail servers, one on each line.
    pub mail_hosts: String,
    /// The day on which the secret ends.
    pub secret_expires_on: String,
}

/// The form that asks for a consent, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsentForm {
    /// An application's id and a way, with a blank between.
    pub choice: String,
    /// For which server.
    pub side: String,
    /// Microsoft's directory.
    pub directory: String,
    /// The domain of the accounts.
    pub domain: String,
}

/// Registers an application.
#[server(prefix = "/api/fn", endpoint = "create_oauth_app")]
pub async fn create_oauth_app(#[server(flatten)] form: OauthAppForm) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, text},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let provider = fields.must("provider", &form.provider);
    fields.done()?;
    let Some(provider) = provider else { return Err(Problem::internal()) };
    let new = gatepost_contract::NewOauthApp {
        provider,
        mail_hosts: lines(&form.mail_hosts),
        name: form.name,
        client_id: form.client_id,
        client_secret: given(form.client_secret),
        certificate: text(&form.certificate),
        private_key: given(form.private_key),
        service_account: given(form.service_account),
        directory: text(&form.directory),
        authorize_url: text(&form.authorize_url),
        token_url: text(&form.token_url),
        device_url: text(&form.device_url),
        revoke_url: text(&form.revoke_url),
        scopes: form.scopes,
        secret_expires_on: text(&form.secret_expires_on),
    };
    let app = desk.gatepost.create_oauth_app(&desk.actor, new, context::host().as_deref()).await?;
    context::go(&format!("/settings/oauth/{}?notice=oauth_app_created", app.id));
    Ok(())
}

/// Changes an application. Empty secrets stay as they are.
#[server(prefix = "/api/fn", endpoint = "update_oauth_app")]
pub async fn update_oauth_app(app_id: OauthAppId, #[server(flatten)] form: OauthAppForm) -> Result<(), Problem> {
    use crate::{context, serverfns::input::text};
    let desk = context::desk()?;
    let patch = gatepost_contract::OauthAppPatch {
        mail_hosts: Some(lines(&form.mail_hosts)),
        name: Some(form.name),
        client_id: Some(form.client_id),
        client_secret: given(form.client_secret),
        certificate: text(&form.certificate),
        private_key: given(form.private_key),
        service_account: given(form.service_account),
        directory: Some(form.directory),
        authorize_url: Some(form.authorize_url),
        token_url: Some(form.token_url),
        device_url: Some(form.device_url),
        revoke_url: Some(form.revoke_url),
        scopes: Some(form.scopes),
        secret_expires_on: Some(form.secret_expires_on),
    };
    desk.gatepost.update_oauth_app(&desk.actor, app_id, patch, context::host().as_deref()).await?;
    context::go(&format!("/settings/oauth/{app_id}?notice=saved"));
    Ok(())
}

/// Forgets an application.
#[server(prefix = "/api/fn", endpoint = "delete_oauth_app")]
pub async fn delete_oauth_app(app_id: OauthAppId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.delete_oauth_app(&desk.actor, app_id).await?;
    context::go("/settings/oauth?notice=oauth_app_deleted");
    Ok(())
}

/// Asks for the consent of a mailbox's owner.
#[server(prefix = "/api/fn", endpoint = "ask_mailbox_consent")]
pub async fn ask_mailbox_consent(mailbox_id: MailboxId, #[server(flatten)] form: ConsentForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let new = asked(&form)?;
    let consent = desk.gatepost.ask_mailbox_consent(&desk.actor, mailbox_id, new).await?;
    context::go(&format!("{}?notice=consent_asked", consent.path()));
    Ok(())
}

/// Asks for a consent that serves all mailboxes of a job.
#[server(prefix = "/api/fn", endpoint = "ask_job_consent")]
pub async fn ask_job_consent(job_id: JobId, #[server(flatten)] form: ConsentForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let new = asked(&form)?;
    let consent = desk.gatepost.ask_job_consent(&desk.actor, job_id, new).await?;
    context::go(&format!("{}?notice=consent_asked", consent.path()));
    Ok(())
}

/// Confirms the accounts that the page has shown.
#[server(prefix = "/api/fn", endpoint = "confirm_accounts")]
pub async fn confirm_accounts(job_id: JobId, seen: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.confirm_accounts(&desk.actor, job_id, &seen).await?;
    context::go(&format!("/jobs/{job_id}/consents?notice=saved"));
    Ok(())
}

/// Gets a code that is typed in at the provider's page.
#[server(prefix = "/api/fn", endpoint = "begin_device_consent")]
pub async fn begin_device_consent(consent_id: ConsentId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let consent = desk.gatepost.begin_device_consent(&desk.actor, consent_id).await?;
    context::go(&format!("{}?notice=consent_code", consent.path()));
    Ok(())
}

/// Takes a token now.
#[server(prefix = "/api/fn", endpoint = "check_consent")]
pub async fn check_consent(consent_id: ConsentId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let consent = desk.gatepost.check_consent(&desk.actor, consent_id).await?;
    context::go(&format!("{}?notice=consent_checked", consent.path()));
    Ok(())
}

/// Takes a consent back.
#[server(prefix = "/api/fn", endpoint = "withdraw_consent")]
pub async fn withdraw_consent(consent_id: ConsentId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let path = desk.gatepost.get_consent(&desk.actor, consent_id).await?.path();
    desk.gatepost.withdraw_consent(&desk.actor, consent_id).await?;
    context::go(&format!("{path}?notice=consent_withdrawn"));
    Ok(())
}

/// Makes a link for the owner of a mailbox. It waits in memory for the page that is shown next.
#[server(prefix = "/api/fn", endpoint = "issue_consent_link")]
pub async fn issue_consent_link(consent_id: ConsentId, #[server(default)] days: String) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let days = fields.maybe("days", &days);
    fields.done()?;
    let new = gatepost_contract::NewConsentLink { days };
    let host = context::host();
    let link = desk.gatepost.issue_consent_link(&desk.actor, consent_id, new, host.as_deref()).await?;
    issued::keep(&desk.actor, link);
    let path = desk.gatepost.get_consent(&desk.actor, consent_id).await?.path();
    context::go(&path);
    Ok(())
}

/// A secret that was entered.
#[cfg(feature = "ssr")]
fn given(secret: Secret) -> Option<Secret> {
    (!secret.0.trim().is_empty()).then_some(secret)
}

#[cfg(feature = "ssr")]
fn lines(text: &str) -> Vec<String> {
    text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(feature = "ssr")]
fn asked(form: &ConsentForm) -> Result<gatepost_contract::NewConsent, Problem> {
    use crate::serverfns::input::{Fields, text};
    let mut fields = Fields::new();
    let (app, way) = form.choice.split_once(' ').unwrap_or_default();
    let (app_id, way) = (fields.must("choice", app), fields.maybe("choice", way));
    let side = fields.maybe("side", &form.side);
    fields.done()?;
    let Some(app_id) = app_id else { return Err(Problem::internal()) };
    Ok(gatepost_contract::NewConsent {
        app_id,
        way,
        side,
        directory: text(&form.directory),
        domain: text(&form.domain),
    })
}

/// New links between the form that made them and the page that shows them.
#[cfg(feature = "ssr")]
pub mod issued {
    use crate::serverfns::once::Once;
    use gatepost_contract::{ConsentId, IssuedConsentLink};
    use gatepost_core::Actor;

    static WAITING: Once<IssuedConsentLink> = Once::new();

    fn key(actor: &Actor, consent: ConsentId) -> String {
        format!("{consent} {}", actor.label())
    }

    /// Keeps a link for the person who made it.
    pub fn keep(actor: &Actor, link: IssuedConsentLink) {
        WAITING.keep(key(actor, link.consent_id), link);
    }

    /// Hands it out, once.
    pub fn take(actor: &Actor, consent: ConsentId) -> Option<IssuedConsentLink> {
        WAITING.take(&key(actor, consent))
    }
}
