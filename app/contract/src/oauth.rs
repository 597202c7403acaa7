//! OAuth 2: applications that are registered with providers, and consents to read or write mailboxes.

use crate::{
    ConsentId, JobId, MailboxId, OauthAppId, Secret,
    names::{UnknownName, names},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Who gives tokens.
    "provider" OauthProvider {
        /// Microsoft 365.
        Microsoft = "microsoft",
        /// Gmail and Google Workspace.
        Google = "google",
        /// Any other, by the addresses of its end points.
        Custom = "custom",
    }
}

names! {
    /// How somebody consents.
    "way to consent" ConsentWay {
        /// The mailbox's owner, in a browser that comes back here (authorization code with PKCE).
        Code = "authorization_code",
        /// The mailbox's owner, by a short code that is typed in at the provider's page (RFC 8628).
        Device = "device_code",
        /// An administrator, once for the whole organisation (client credentials).
        Client = "client_credentials",
        /// An administrator, once for the whole domain (service account with domain-wide delegation).
        ServiceAccount = "service_account",
    }
}

impl ConsentWay {
    /// Whether one consent of this kind serves all mailboxes of a job.
    #[must_use]
    pub const fn is_for_all(self) -> bool {
        matches!(self, Self::Client | Self::ServiceAccount)
    }
}

names! {
    /// How an application proves to the provider who it is.
    "proof" OauthProof {
        /// Not at all: a public client.
        Nothing = "none",
        /// By a client secret.
        Secret = "secret",
        /// By a certificate.
        Certificate = "certificate",
        /// By the key of a service account.
        ServiceAccount = "service_account",
    }
}

names! {
    /// Which of a move's two servers.
    "side" MailboxSide {
        /// The old one.
        Source = "source",
        /// The new one.
        Dest = "dest",
    }
}

names! {
    /// How a consent stands.
    "consent state" ConsentState {
        /// Nobody has consented yet.
        Pending = "pending",
        /// There are tokens, or can be.
        Valid = "valid",
        /// It has ended by itself and must be given again.
        Expired = "expired",
        /// It was taken back, here or at the provider, and must be given again.
        Revoked = "revoked",
        /// The provider refused for another reason; the error says which.
        Failed = "failed",
    }
}

impl ConsentState {
    /// Whether somebody has to do something before a run can log in with it.
    #[must_use]
    pub const fn is_wanting(self) -> bool {
        !matches!(self, Self::Valid)
    }
}

/// An application, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OauthApp {
    /// Its id.
    pub id: OauthAppId,
    /// What people call it.
    pub name: String,
    /// With whom it is registered.
    pub provider: OauthProvider,
    /// Its id there. Of a service account, the number that an administrator enters.
    pub client_id: String,
    /// How it proves who it is.
    pub proof: OauthProof,
    /// Microsoft's directory that it asks where a consent names no other: an id, a domain, or `organizations`.
    pub directory: Option<String>,
    /// Where people consent; of a custom provider.
    pub authorize_url: Option<String>,
    /// Where tokens are given; of a custom provider.
    pub token_url: Option<String>,
    /// Where codes for devices are given; of a custom provider.
    pub device_url: Option<String>,
    /// Where tokens are given back; of a custom provider.
    pub revoke_url: Option<String>,
    /// What is asked for, with blanks between; of a custom provider.
    pub scopes: String,
    /// The mail servers that its tokens may be shown to. No other gets one.
    pub mail_hosts: Vec<String>,
    /// The day on which its secret or certificate ends, as the provider's page said.
    pub secret_expires_on: Option<String>,
    /// Whether that is within 30 days, or past.
    pub secret_ends_soon: bool,
    /// The ways to consent that it can be used for.
    pub ways: Vec<ConsentWay>,
    /// The address that must be entered at the provider.
    pub redirect_url: String,
    /// How many consents were asked for with it.
    pub consents: i64,
    /// Who registered it here.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// A new application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewOauthApp {
    /// 1 to 100 characters; no two are called the same.
    pub name: String,
    /// With whom it is registered.
    pub provider: OauthProvider,
    /// Its id there; taken from the key of a service account where left out.
    #[serde(default)]
    pub client_id: String,
    /// A client secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A certificate, PEM; with `private_key`.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The certificate's RSA key, PEM.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// The key of a service account: the JSON file, whole.
    #[serde(default)]
    pub service_account: Option<Secret>,
    /// Microsoft's directory; `organizations` where left out.
    #[serde(default)]
    pub directory: Option<String>,
    /// Where people consent; of a custom provider.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Where tokens are given; of a custom provider.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Where codes for devices are given; of a custom provider.
    #[serde(default)]
    pub device_url: Option<String>,
    /// Where tokens are given back; of a custom provider.
    #[serde(default)]
    pub revoke_url: Option<String>,
    /// What is asked for; of a custom provider.
    #[serde(default)]
    pub scopes: String,
    /// The mail servers that tokens may be shown to; needed of a custom provider, known of the others.
    #[serde(default)]
    pub mail_hosts: Vec<String>,
    /// The day on which the secret or certificate ends: `2027-11-21`.
    #[serde(default)]
    pub secret_expires_on: Option<String>,
}

/// What changes about an application; what is left out stays. Its provider stays in any case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OauthAppPatch {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// Another id at the provider.
    #[serde(default)]
    pub client_id: Option<String>,
    /// A new client secret.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A new certificate; with its `private_key`.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The new certificate's key.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// A new key of the service account.
    #[serde(default)]
    pub service_account: Option<Secret>,
    /// Another directory; empty for `organizations`.
    #[serde(default)]
    pub directory: Option<String>,
    /// Where people consent.
    #[serde(default)]
    pub authorize_url: Option<String>,
    /// Where tokens are given.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Where codes for devices are given.
    #[serde(default)]
    pub device_url: Option<String>,
    /// Where tokens are given back.
    #[serde(default)]
    pub revoke_url: Option<String>,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Option<String>,
    /// The mail servers that tokens may be shown to.
    #[serde(default)]
    pub mail_hosts: Option<Vec<String>>,
    /// The day on which the secret or certificate ends; empty for an unknown one.
    #[serde(default)]
    pub secret_expires_on: Option<String>,
}

/// Somebody's consent, without its tokens: of one mailbox's owner, or for all mailboxes of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// The application that was consented to.
    pub app_id: OauthAppId,
    /// What people call it.
    pub app_name: String,
    /// With whom it is registered.
    pub provider: OauthProvider,
    /// How it is given.
    pub way: ConsentWay,
    /// The server that it opens.
    pub side: MailboxSide,
    /// The job.
    pub job_id: JobId,
    /// The mailbox; none where it serves all mailboxes of the job.
    pub mailbox_id: Option<MailboxId>,
    /// The mailbox's address.
    pub email: Option<String>,
    /// The domain of the accounts that it serves, where it serves all of a job.
    pub domain: Option<String>,
    /// Microsoft's directory, where the application's is not meant.
    pub directory: Option<String>,
    /// How it stands.
    pub state: ConsentState,
    /// Why it does not stand, or what hindered the last renewal, and what to do.
    pub error: Option<String>,
    /// The account that consented, as far as the provider tells.
    pub account: Option<String>,
    /// By whom it was brought here: a user's address, or the mailbox's owner.
    pub granted_by: Option<String>,
    /// When.
    pub granted_at: Option<String>,
    /// When it ends by itself, where that is known.
    pub expires_at: Option<String>,
    /// When the last token was taken.
    pub refreshed_at: Option<String>,
    /// A code that waits to be typed in.
    pub device: Option<ConsentCode>,
    /// Until when a link that was sent to the owner can be used.
    pub link_until: Option<String>,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl Consent {
    /// Where it is given and renewed in the Desk.
    #[must_use]
    pub fn path(&self) -> String {
        match self.mailbox_id {
            Some(mailbox) => format!("/mailboxes/{mailbox}/consent"),
            None => format!("/jobs/{}/consents", self.job_id),
        }
    }
}

/// A code that the owner types in at the provider's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsentCode {
    /// What is typed in.
    pub user_code: String,
    /// Where.
    pub verification_url: String,
    /// Until when.
    pub expires_at: String,
}

/// A consent that is to be asked for. It takes the place of the one that the same mailbox, or the job, has for the same
/// server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewConsent {
    /// With which application.
    pub app_id: OauthAppId,
    /// How it is to be given; the application's first way where left out.
    #[serde(default)]
    pub way: Option<ConsentWay>,
    /// For which server; the old one where left out.
    #[serde(default)]
    pub side: Option<MailboxSide>,
    /// Microsoft's directory, where the application's is not meant. For a whole organisation: its id or a domain.
    #[serde(default)]
    pub directory: Option<String>,
    /// The domain of the accounts, for all mailboxes of a job; the job's where left out.
    #[serde(default)]
    pub domain: Option<String>,
}

/// The accounts of a job that a consent for all its mailboxes serves only once they are confirmed: those that are not
/// called as their mailbox, and all of them once the job has another new server than whoever asked for the consent knew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnconfirmedAccounts {
    /// Stands for all of the list; it is sent back to confirm it.
    pub seen: String,
    /// The mailboxes.
    pub mailboxes: Vec<UnconfirmedAccount>,
}

/// The accounts of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnconfirmedAccount {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// The account at the old server.
    pub source_account: String,
    /// The account at the new server.
    pub dest_account: String,
    /// Who logs in for these, where somebody else does.
    pub admins: Vec<String>,
    /// The new server, `HOST:PORT`.
    pub dest: String,
}

/// Accounts that are confirmed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmAccounts {
    /// The `seen` of the list.
    pub seen: String,
}

/// A link to be sent to the owner of a mailbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewConsentLink {
    /// Days until it is refused, 1 to 30; 7 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

/// The link, on the one occasion on which it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedConsentLink {
    /// What it asks for.
    pub consent_id: ConsentId,
    /// The address to be sent.
    pub url: Secret,
    /// After this it is refused; it is also refused once it was used.
    pub expires_at: String,
}

/// All that the owner of a mailbox sees behind such a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedConsent {
    /// The mailbox's address.
    pub email: String,
    /// With whom it lies.
    pub provider: OauthProvider,
    /// The application's name.
    pub app_name: String,
    /// Whether mail is read from there, or written to there.
    pub side: MailboxSide,
    /// Until when the link can be used.
    pub expires_at: String,
}
