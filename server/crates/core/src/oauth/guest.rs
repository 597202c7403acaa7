//! Links that ask the owner of a mailbox: signed, for a while, used up by the consent. Whoever has one sees the mailbox's
//! address and the provider's name, and can give the consent; nothing else of the Desk is open to them.

use super::{consents::consent, granting::By};
use crate::{Actor, Departure, Error, Gatepost, Result, audit::Entry, clock, validate::Checker};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use gatepost_contract::{
    Consent, ConsentId, ConsentLinkId, ConsentWay, IssuedConsentLink, LinkId, NewConsentLink, Secret, SharedConsent,
};
use gatepost_store::oauth_requests::{self, LinkRow};
use rand::RngCore as _;
use serde_json::json;
use std::net::IpAddr;

/// Days that a link is good for where nothing else is said.
const USUAL_DAYS: u32 = 7;
/// Days that a link is good for at most.
const MAX_DAYS: u32 = 30;

impl Gatepost {
    /// Makes a link to be sent to the owner of a mailbox. Those that were made before and not used are refused from then
    /// on. `host` is where the caller reached the Desk.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a consent that is not an owner's in a browser.
    pub async fn issue_consent_link(
        &self,
        actor: &Actor,
        id: ConsentId,
        new: NewConsentLink,
        host: Option<&str>,
    ) -> Result<IssuedConsentLink> {
        actor.manage()?;
        let days = new.days.unwrap_or(USUAL_DAYS);
        let mut checker = Checker::new();
        if !(1..=MAX_DAYS).contains(&days) {
            checker.error("days", format!("must be between 1 and {MAX_DAYS}"));
        }
        checker.finish()?;
        let mut nonce = [0; 16];
        rand::rng().fill_bytes(&mut nonce);
        let nonce = BASE64.encode(nonce);
        let expires_at = clock::text(time::OffsetDateTime::now_utc() + time::Duration::days(days.into()));
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let asked = consent(&mut tx, id).await?;
        owner_only(&asked)?;
        let link = oauth_requests::insert_link(&mut tx, id, &nonce, &actor.label(), &expires_at, &now).await?;
        Entry::new(actor, "consent.link", format!("consent/{id}"))
            .job(asked.job_id)
            .after(&json!({ "link": link, "expires_at": expires_at }))
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        let token = self.consents().signer.sign(LinkId(link.0), &nonce);
        Ok(IssuedConsentLink {
            consent_id: id,
            url: Secret(format!("{}/consent/{}", self.base(host), token.0)),
            expires_at,
        })
    }

    /// What a link asks for.
    ///
    /// # Errors
    /// One sentence for whatever is wrong with the token; [`Error::TooMany`].
    pub async fn shared_consent(&self, token: &str, client: IpAddr) -> Result<SharedConsent> {
        let (link, consent) = self.asked_by_link(token, client).await?;
        Ok(SharedConsent {
            email: consent.email.unwrap_or_default(),
            provider: consent.provider,
            app_name: consent.app_name,
            side: consent.side,
            expires_at: link.expires_at,
        })
    }

    /// Sends the browser of a mailbox's owner to the provider.
    ///
    /// # Errors
    /// As [`shared_consent`](Self::shared_consent), and where the application cannot work.
    pub async fn begin_shared_consent(&self, token: &str, client: IpAddr, host: Option<&str>) -> Result<Departure> {
        let (link, consent) = self.asked_by_link(token, client).await?;
        let owner = format!("owner of {}", consent.email.as_deref().unwrap_or_default());
        self.depart(&consent, &By { label: &owner, link: Some(link.id), any_account: false }, host).await
    }

    async fn asked_by_link(&self, token: &str, client: IpAddr) -> Result<(LinkRow, Consent)> {
        let refused = || self.consents().signer.refusal(client);
        let (id, nonce) = self.consents().signer.open(token).ok_or_else(refused)?;
        let id = ConsentLinkId(id.0);
        self.consents().opened.check(&id)?;
        let mut conn = self.store().reader().await?;
        let link = oauth_requests::link(&mut conn, id, nonce, &clock::now()).await?.filter(|link| link.usable);
        let link = link.ok_or_else(refused)?;
        let consent = match consent(&mut conn, link.consent_id).await {
            Err(Error::NotFound(_)) => return Err(refused()),
            other => other?,
        };
        owner_only(&consent)?;
        Ok((link, consent))
    }
}

/// Refuses what no owner can be asked for by a link: it is given in a browser, for one mailbox.
fn owner_only(consent: &Consent) -> Result<()> {
    if consent.way == ConsentWay::Code && consent.mailbox_id.is_some() {
        return Ok(());
    }
    Err(Error::conflict(
        "not_by_link",
        "Only the consent of one mailbox's owner in a browser can be asked for by a link.",
    ))
}
