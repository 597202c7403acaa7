//! Tokens that nobody logs in for: the application's own (RFC 6749 section 4.4), and those of a service account in a
//! user's name (RFC 7523). The statements for both are signed here; they hold for minutes.

use crate::{
    App, Certificate, OauthError, Tokens,
    answer::{Form, tokens},
    explain::Asking,
    pkce::random,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatepost_contract::Secret;
use gatepost_web::Web;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use url::Url;

/// How long a signed statement holds, in seconds. Google takes at most an hour.
const HOLDS: u64 = 600;

/// Asks for a token of the application itself, which an administrator of the domain has consented to. It opens every
/// mailbox that the administrator opened to the application.
///
/// # Errors
/// [`OauthError::Refused`] above all: nobody has to consent, but somebody may have to mend.
pub async fn client_credentials(web: &dyn Web, app: &App) -> Result<Tokens, OauthError> {
    let mut form = Form::grant("client_credentials");
    if !app.app_scopes.is_empty() {
        form = form.with("scope", app.app_scopes.join(" "));
    }
    tokens(web, &app.endpoints.token, form.by(app)?, Asking::Machine).await
}

/// A service account of Google, or of any server that takes signed statements (RFC 7523 section 2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its address: who states.
    pub email: String,
    /// Its id, which an administrator delegates to.
    pub client_id: Option<String>,
    /// Its RSA key, PEM (PKCS #8 or PKCS #1).
    pub key: Secret,
    /// Which of its keys that is.
    pub key_id: Option<String>,
    /// Whom it asks.
    pub token: Url,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

impl ServiceAccount {
    /// Reads the JSON file that Google gives for a key, and tries the key.
    ///
    /// # Errors
    /// [`OauthError::Setup`], saying what is wrong with the file without quoting it.
    pub fn from_json(json: &str) -> Result<Self, OauthError> {
        #[derive(Deserialize)]
        struct KeyFile {
            #[serde(rename = "type")]
            kind: String,
            client_email: String,
            client_id: Option<String>,
            private_key: String,
            private_key_id: Option<String>,
            token_uri: Option<String>,
        }
        let wrong = |why: &str| OauthError::Setup(format!("The service account's key file {why}."));
        let file: KeyFile = serde_json::from_str(json).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                wrong("lacks client_email or private_key: it is no key of a service account")
            }
            _ => wrong("is no JSON"),
        })?;
        if file.kind != "service_account" {
            return Err(wrong("is of another type; make a key of the service account, in JSON"));
        }
        let token = file.token_uri.as_deref().unwrap_or("https://oauth2.googleapis.com/token");
        let token = Url::parse(token).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let account = Self {
            email: file.client_email,
            client_id: file.client_id,
            key: Secret(file.private_key),
            key_id: file.private_key_id,
            token: token.ok_or_else(|| wrong("names a token end point that is no URL"))?,
        };
        account.state("", "")?;
        Ok(account)
    }

    /// A statement that asks for a scope in a user's name.
    fn state(&self, subject: &str, scope: &str) -> Result<Secret, OauthError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        let claims = Statement { scope: Some(scope), ..Statement::new(&self.email, subject, self.token.as_str()) };
        sign(&header, &claims, &self.key, "The service account's key")
    }
}

/// Asks for a token that opens one user's mailbox.
///
/// # Errors
/// [`OauthError::Refused`] above all, with what the domain's administrator must grant.
pub async fn service_account(
    web: &dyn Web,
    account: &ServiceAccount,
    subject: &str,
    scope: &str,
) -> Result<Tokens, OauthError> {
    let form =
        Form::grant("urn:ietf:params:oauth:grant-type:jwt-bearer").with("assertion", account.state(subject, scope)?.0);
    tokens(web, &account.token, form, Asking::Service).await
}

/// Proves who an application is by its certificate (RFC 7523 section 2.2), in the form that Entra ID documents.
pub(crate) fn client_assertion(app: &App, certificate: &Certificate) -> Result<Secret, OauthError> {
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(thumbprint(&certificate.certificate)?);
    let claims = Statement::new(&app.client_id, &app.client_id, app.endpoints.token.as_str());
    sign(&header, &claims, &certificate.key, "The certificate's key")
}

/// The SHA-256 of the first certificate of a PEM text, as JWTs write it (RFC 7515 section 4.1.8).
fn thumbprint(pem: &str) -> Result<String, OauthError> {
    let inner = pem.split_once("-----BEGIN CERTIFICATE-----").and_then(|(_, rest)| rest.split_once("-----END"));
    let der = inner.and_then(|(body, _)| {
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        STANDARD.decode(body).ok().filter(|der| !der.is_empty())
    });
    let der = der.ok_or_else(|| OauthError::Setup("The certificate is no PEM text (BEGIN CERTIFICATE).".into()))?;
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(der)))
}

#[derive(Serialize)]
struct Statement<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    iat: u64,
    exp: u64,
    jti: String,
}

impl<'a> Statement<'a> {
    fn new(iss: &'a str, sub: &'a str, aud: &'a str) -> Self {
        let iat = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { iss, sub, aud, scope: None, iat, exp: iat + HOLDS, jti: random() }
    }
}

fn sign(header: &Header, claims: &Statement<'_>, key: &Secret, whose: &str) -> Result<Secret, OauthError> {
    let wrong = || OauthError::Setup(format!("{whose} is no RSA key in PEM (BEGIN PRIVATE KEY)."));
    let key = EncodingKey::from_rsa_pem(key.0.as_bytes()).map_err(|_| wrong())?;
    encode(header, claims, &key).map(Secret).map_err(|_| wrong())
}
