//! An application as it is registered with a provider: who it is, how it proves that, whom it asks.

use crate::{
    OauthError,
    provider::{GOOGLE_MAIL_SCOPE, MICROSOFT_APP_SCOPE, MICROSOFT_MAIL_SCOPE, google, microsoft},
};
use gatepost_contract::Secret;
use std::fmt;
use url::Url;

/// Where a provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where people consent. Without it there is no flow in a browser.
    pub authorize: Option<Url>,
    /// Where tokens are given.
    pub token: Url,
    /// Where codes for devices are given (RFC 8628).
    pub device: Option<Url>,
    /// Where tokens are given back (RFC 7009).
    pub revoke: Option<Url>,
}

impl Endpoints {
    /// Reads addresses that were typed in; empty ones are none.
    ///
    /// # Errors
    /// [`OauthError::Setup`], naming the address that is no http or https URL, or one with a fragment (RFC 6749 section
    /// 3.1) or a password in it.
    pub fn read(authorize: &str, token: &str, device: &str, revoke: &str) -> Result<Self, OauthError> {
        let token = address("token", token)?;
        Ok(Self {
            authorize: address("authorization", authorize)?,
            token: token.ok_or_else(|| OauthError::Setup("The address of the token end point is missing.".into()))?,
            device: address("device", device)?,
            revoke: address("revocation", revoke)?,
        })
    }
}

fn address(name: &str, text: &str) -> Result<Option<Url>, OauthError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let broken = |why: &str| OauthError::Setup(format!("The address of the {name} end point {why}."));
    let url = Url::parse(text).map_err(|_| broken("is no URL"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(broken("must begin with https://"));
    }
    if url.fragment().is_some() {
        return Err(broken("must not have a part after #"));
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err(broken("must not hold a user name or a password"));
    }
    Ok(Some(url))
}

/// How an application proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: a public client.
    Public,
    /// By a client secret.
    Secret(Secret),
    /// By a signed statement (RFC 7523 section 2.2), as Microsoft wants it where secrets are not allowed.
    Certificate(Certificate),
}

/// A certificate that is registered with a provider, and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its RSA key, PEM (PKCS #8 or PKCS #1).
    pub key: Secret,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "Public",
            Self::Secret(_) => "Secret([secret])",
            Self::Certificate(_) => "Certificate([secret])",
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate([secret])")
    }
}

/// Where a client secret is put (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretIn {
    /// Among the parameters, as Microsoft and Google document it.
    Body,
    /// Into the Authorization header, which every server must understand.
    Header,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id at the provider.
    pub client_id: String,
    /// How it proves who it is.
    pub proof: Proof,
    /// Where a client secret is put.
    pub secret_in: SecretIn,
    /// Whom it asks.
    pub endpoints: Endpoints,
    /// What people are asked to consent to.
    pub scopes: Vec<String>,
    /// What it asks for by itself ([`client_credentials`](crate::client_credentials)).
    pub app_scopes: Vec<String>,
    /// The scope without which there is no mail, where that is known: people may tick it off.
    pub mail_scope: Option<String>,
    /// What else the authorization page is told.
    pub authorize_with: Vec<(String, String)>,
}

impl App {
    /// An application of Microsoft 365. The tenant is a directory's id or one of its domains; `organizations` for any, in
    /// flows with people.
    ///
    /// # Errors
    /// [`OauthError::Setup`] where the tenant can be none.
    pub fn microsoft(tenant: &str, client_id: impl Into<String>, proof: Proof) -> Result<Self, OauthError> {
        Ok(Self {
            client_id: client_id.into(),
            proof,
            secret_in: SecretIn::Body,
            endpoints: microsoft(tenant)?,
            scopes: words(&[MICROSOFT_MAIL_SCOPE, "offline_access", "openid", "email"]),
            app_scopes: words(&[MICROSOFT_APP_SCOPE]),
            mail_scope: Some(MICROSOFT_MAIL_SCOPE.into()),
            // Somebody who is logged in with another account must be able to choose.
            authorize_with: vec![("prompt".into(), "select_account".into())],
        })
    }

    /// An application of Google.
    #[must_use]
    pub fn google(client_id: impl Into<String>, proof: Proof) -> Self {
        Self {
            client_id: client_id.into(),
            proof,
            secret_in: SecretIn::Body,
            endpoints: google(),
            scopes: words(&[GOOGLE_MAIL_SCOPE, "openid", "email"]),
            app_scopes: words(&[GOOGLE_MAIL_SCOPE]),
            mail_scope: Some(GOOGLE_MAIL_SCOPE.into()),
            // Without both, Google gives no refresh token from the second consent on.
            authorize_with: vec![
                ("access_type".into(), "offline".into()),
                ("prompt".into(), "consent select_account".into()),
            ],
        }
    }

    /// An application of any other provider.
    #[must_use]
    pub fn custom(client_id: impl Into<String>, proof: Proof, endpoints: Endpoints, scopes: &str) -> Self {
        let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        Self {
            client_id: client_id.into(),
            proof,
            secret_in: SecretIn::Header,
            endpoints,
            app_scopes: scopes.iter().filter(|s| *s != "offline_access" && *s != "openid").cloned().collect(),
            scopes,
            mail_scope: None,
            authorize_with: Vec::new(),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let app = App::google("id", Proof::Secret(Secret("hunter2".into())));
        let key = Certificate { certificate: String::new(), key: Secret("hunter2".into()) };
        let shown = format!("{app:?} {key:?} {:?}", Proof::Certificate(key.clone()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn addresses_that_cannot_be_end_points_are_named() {
        for (token, device, words) in [
            ("", "", "token end point is missing"),
            ("nonsense", "", "token end point is no URL"),
            ("ftp://example.com/", "", "must begin with https://"),
            ("https://example.com/t#x", "", "after #"),
            ("https://example.com/t", "https://ana:x@example.com/", "device end point must not hold a user name"),
        ] {
            let refused = Endpoints::read("", token, device, "").unwrap_err().to_string();
            assert!(refused.contains(words), "{token} {device}: {refused}");
        }
        let read = Endpoints::read(" https://a.example/x ", "http://127.0.0.1:9/t", "", "").unwrap();
        assert!(read.authorize.is_some() && read.device.is_none() && read.revoke.is_none());
    }
}
