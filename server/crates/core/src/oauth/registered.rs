//! An application as the protocol needs it: what is stored of it, with its secret opened for the time of one request.

use crate::{Gatepost, names_host};
use gatepost_contract::{Consent, OauthProof, OauthProvider, Secret};
use gatepost_oauth::{App, Certificate, Endpoints, GOOGLE_MAIL_SCOPE, OauthError, Proof, ServiceAccount};
use gatepost_store::oauth_apps::{AppRow, StoredApp};

/// What asks for tokens.
pub(super) enum Registered {
    /// An application.
    App(Box<App>),
    /// A service account, and the scope that it asks for.
    Service(Box<ServiceAccount>, String),
}

impl Registered {
    /// The application, for what a service account cannot do.
    pub fn app(self) -> Result<App, OauthError> {
        match self {
            Self::App(app) => Ok(*app),
            Self::Service(..) => Err(OauthError::Setup(
                "A service account has no log-in page: an administrator of the domain lets it in.".into(),
            )),
        }
    }
}

/// Any of Microsoft's directories, in flows with people.
const ANY_DIRECTORY: &str = "organizations";

impl Gatepost {
    /// The application of a consent.
    pub(super) fn registered(&self, stored: &StoredApp, consent: &Consent) -> Result<Registered, OauthError> {
        self.registered_row(&stored.row, consent.directory.as_deref())
    }

    /// An application that is stored, or is about to be.
    pub(super) fn registered_row(&self, row: &AppRow, directory: Option<&str>) -> Result<Registered, OauthError> {
        let secret = row.secret_blob.as_ref().map(|blob| self.vault().open(blob)).transpose();
        let secret = secret.map_err(|error| OauthError::Setup(format!("{}: {error}", row.name)))?;
        let secret = secret.and_then(|sealed| sealed.password).map(|text| Secret(text.expose().to_owned()));
        let missing = || OauthError::Setup(format!("The secret of {} is missing. Enter it again.", row.name));
        let proof = match row.proof {
            OauthProof::Nothing => Proof::Public,
            OauthProof::Secret => Proof::Secret(secret.ok_or_else(missing)?),
            OauthProof::Certificate => Proof::Certificate(Certificate {
                certificate: row.certificate.clone().ok_or_else(missing)?,
                key: secret.ok_or_else(missing)?,
            }),
            OauthProof::ServiceAccount => {
                let account = ServiceAccount::from_json(&secret.ok_or_else(missing)?.0)?;
                let scope = if row.scopes.is_empty() { GOOGLE_MAIL_SCOPE } else { &row.scopes };
                return Ok(Registered::Service(Box::new(account), scope.to_owned()));
            }
        };
        let id = row.client_id.clone();
        let app = match row.provider {
            OauthProvider::Microsoft => {
                App::microsoft(directory.or(row.directory.as_deref()).unwrap_or(ANY_DIRECTORY), id, proof)?
            }
            OauthProvider::Google => App::google(id, proof),
            OauthProvider::Custom => {
                let text = |url: &Option<String>| url.clone().unwrap_or_default();
                let endpoints = Endpoints::read(
                    &text(&row.authorize_url),
                    &text(&row.token_url),
                    &text(&row.device_url),
                    &text(&row.revoke_url),
                )?;
                App::custom(id, proof, endpoints, &row.scopes)
            }
        };
        Ok(Registered::App(Box::new(app)))
    }

    /// Whether an end point may be asked: by https, or at a host that the settings name.
    pub(super) fn may_ask(&self, url: &url::Url) -> bool {
        url.scheme() == "https" || url.host_str().is_some_and(|host| names_host(&self.config().allowed_hosts, host))
    }
}
