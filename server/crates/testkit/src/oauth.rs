//! An OAuth 2 authorization server for tests: pages on which people consent, tokens that rotate, end and are revoked at
//! will, and the lies that a client must bear. Dovecot asks it about tokens ([`crate::dovecot::Builder::oauth2`]).
//!
//! It is strict where a provider is: a code serves once and for one verifier, a refresh token that comes twice ends the
//! whole consent, statements must be signed with the right key.

mod mischief;
mod pages;
mod state;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::error::{Error, Result};
use crate::http::{HttpRequest, HttpResponse, HttpServer, send, value};
pub use mischief::Mischief;
use state::{Client, State};

/// The scope that this server calls mail.
pub const MAIL_SCOPE: &str = "mail";
/// The address of the service account that the server knows.
pub const SERVICE_ACCOUNT: &str = "gatepost@project.iam.test";

const KEY: &str = include_str!("oauth/rsa-key.pem");
const PUBLIC_KEY: &str = include_str!("oauth/rsa-public.pem");
const CERTIFICATE: &str = include_str!("oauth/rsa-certificate.pem");

/// What the server should be like.
#[derive(Clone, Default)]
pub struct Builder {
    users: HashMap<String, String>,
    clients: HashMap<String, Client>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Builder {
    /// Somebody who can consent.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.insert(name.into(), password.into());
        self
    }

    /// An application with a secret.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.clients.insert(id.into(), Client { secret: Some(secret.into()), ..Client::default() });
        self
    }

    /// An application without a secret.
    #[must_use]
    pub fn public_client(mut self, id: impl Into<String>) -> Self {
        self.clients.insert(id.into(), Client::default());
        self
    }

    /// An application that proves itself with the key of [`AuthServer::certificate`].
    #[must_use]
    pub fn certificate_client(mut self, id: impl Into<String>) -> Self {
        self.clients.insert(id.into(), Client { certificate: true, ..Client::default() });
        self
    }

    /// Starts the server.
    pub fn start(self) -> Result<AuthServer> {
        let state = Arc::new(Mutex::new(State::new(self.users, self.clients)));
        let shared = Arc::clone(&state);
        let http = HttpServer::start(move |request| answer(&shared, request))?;
        locked(&state).url = http.url();
        Ok(AuthServer { http, state })
    }
}

/// A running authorization server. Dropping it ends it.
pub struct AuthServer {
    http: HttpServer,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer").field("http", &self.http).finish_non_exhaustive()
    }
}

impl AuthServer {
    /// A server without users and applications.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:PORT`. Below it lie `/authorize`, `/token`, `/device`, `/device/code`, `/revoke`,
    /// `/adminconsent`, `/introspect`, `/introspect/app` and `/control/…`.
    #[must_use]
    pub fn url(&self) -> String {
        self.http.url()
    }

    /// The URL of an end point: `authorize`, `token`, `device/code`, `revoke`, …
    #[must_use]
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.http.url())
    }

    /// How long access tokens hold that are given from now on. An hour at first.
    pub fn lifetime(&self, lifetime: Duration) {
        self.state().lifetime = lifetime;
    }

    /// How long devices that begin from now on have to wait between two questions. A second at first.
    pub fn device_interval(&self, interval: Duration) {
        self.state().device_interval = interval;
    }

    /// Ends every access token at once, whatever its time; refresh tokens stay.
    pub fn expire_now(&self) {
        self.state().access.clear();
    }

    /// Takes everything back that a user consented to, as a changed password does.
    pub fn revoke_consent(&self, user: &str) {
        self.state().revoke_user(user);
    }

    /// Whether an administrator has consented to an application for everybody.
    pub fn tenant_consent(&self, client: &str, consented: bool) {
        self.state().tenant_consent(client, consented);
    }

    /// Whether the service account may act for users. It may at first.
    pub fn delegate(&self, delegated: bool) {
        self.state().delegated = delegated;
    }

    /// Whether each renewal brings a new refresh token, and ends the old one. It does at first.
    pub fn rotate(&self, rotates: bool) {
        self.state().rotates = rotates;
    }

    /// What the token end point does instead of answering as it should, from now on.
    pub fn mischief(&self, mischief: Option<Mischief>) {
        self.state().mischief = mischief;
    }

    /// What the end point that takes tokens back does instead, from now on.
    pub fn stubborn(&self, mischief: Option<Mischief>) {
        self.state().stubborn = mischief;
    }

    /// How often it was asked to take a token back.
    #[must_use]
    pub fn revocations(&self) -> usize {
        self.state().revocations
    }

    /// Whether anybody's consent to an application stands.
    #[must_use]
    pub fn holds(&self, user: &str, client: &str) -> bool {
        self.state().grants.iter().any(|grant| grant.user == user && grant.client == client && !grant.revoked)
    }

    /// The grant types that tokens were asked for with, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// An access token of a user, as if they had consented.
    #[must_use]
    pub fn token_of(&self, user: &str) -> String {
        let mut state = self.state();
        let grant = state.consent(user, "test", MAIL_SCOPE);
        state.new_access(grant, Some(user))
    }

    /// The tokens that it has given: `at-…` open a mailbox, and are named until they end; `rt-…` bring others.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        let state = self.state();
        state.access.keys().chain(state.refresh.keys()).cloned().collect()
    }

    /// Does what a person does on the page for consent; gives the address that the browser is sent back to.
    pub fn allow(&self, authorize_url: &str, user: &str, password: &str) -> Result<String> {
        self.decide(authorize_url, user, password, "allow")
    }

    /// The same with a no.
    pub fn refuse(&self, authorize_url: &str, user: &str, password: &str) -> Result<String> {
        self.decide(authorize_url, user, password, "refuse")
    }

    fn decide(&self, url: &str, user: &str, password: &str, decision: &str) -> Result<String> {
        let answer = send("POST", url, &[("user", user), ("password", password), ("decision", decision)])?;
        location(&answer)
    }

    /// Does what an administrator does on the page for the whole tenant.
    pub fn allow_tenant(&self, admin_url: &str) -> Result<String> {
        location(&send("POST", admin_url, &[("decision", "allow")])?)
    }

    /// Enters a device's code.
    pub fn enter_code(&self, user_code: &str, user: &str, password: &str, decision: &str) -> Result<()> {
        let form = [("user_code", user_code), ("user", user), ("password", password), ("decision", decision)];
        let answer = send("POST", &self.endpoint("device"), &form)?;
        if answer.status == 200 { Ok(()) } else { Err(unexpected(&answer)) }
    }

    /// The key file of the service account, as Google writes it.
    #[must_use]
    pub fn service_account_json(&self) -> String {
        json!({
            "type": "service_account",
            "project_id": "test",
            "private_key_id": "key-1",
            "private_key": KEY,
            "client_email": SERVICE_ACCOUNT,
            "client_id": "1012345",
            "token_uri": self.endpoint("token"),
        })
        .to_string()
    }

    /// The certificate and the key of applications that prove themselves so, PEM.
    #[must_use]
    pub const fn certificate() -> (&'static str, &'static str) {
        (CERTIFICATE, KEY)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

fn location(answer: &HttpResponse) -> Result<String> {
    let location = value(&answer.headers, "location").or_else(|| value(&answer.headers, "Location"));
    location.map(str::to_owned).ok_or_else(|| unexpected(answer))
}

fn unexpected(answer: &HttpResponse) -> Error {
    Error::Protocol(format!("HTTP {}: {}", answer.status, String::from_utf8_lossy(&answer.body)))
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(state: &Mutex<State>, request: &HttpRequest) -> HttpResponse {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/authorize") => pages::authorize(&locked(state), request, None),
        ("POST", "/authorize") => pages::authorized(&mut locked(state), request),
        ("GET", "/adminconsent") => pages::admin(request),
        ("POST", "/adminconsent") => pages::administered(&mut locked(state), request),
        ("GET", "/device") => pages::device(request, None),
        ("POST", "/device") => pages::device_entered(&mut locked(state), request),
        ("POST", "/device/code") => token::device_code(&mut locked(state), request),
        ("POST", "/token") => {
            // Without the lock: a slow answer must not make everything slow.
            let mischief = locked(state).mischief.clone();
            mischief.as_ref().and_then(Mischief::instead).unwrap_or_else(|| {
                let answer = token::token(&mut locked(state), request);
                mischief.map_or(answer.clone(), |mischief| mischief.bend(answer))
            })
        }
        ("POST", "/revoke") => {
            let mischief = {
                let mut state = locked(state);
                state.revocations += 1;
                state.stubborn.clone()
            };
            if let Some(Mischief::Slow(time)) = mischief {
                std::thread::sleep(time);
            }
            let instead = mischief.as_ref().and_then(Mischief::instead);
            instead.unwrap_or_else(|| token::revoke(&mut locked(state), request))
        }
        ("POST", "/introspect") => token::introspect(&mut locked(state), request, false),
        ("POST", "/introspect/app") => token::introspect(&mut locked(state), request, true),
        ("POST", path) if path.starts_with("/control/") => control(&mut locked(state), request, &path[9..]),
        _ => HttpResponse::html(404, "<h1>Not here</h1>"),
    }
}

/// The switches for those who reach the server by its port only.
fn control(state: &mut State, request: &HttpRequest, what: &str) -> HttpResponse {
    let form = request.form();
    let field = |name: &str| value(&form, name).unwrap_or_default();
    match what {
        "expire" => state.access.clear(),
        "revoke" => state.revoke_user(field("user")),
        "lifetime" => match field("seconds").parse() {
            Ok(seconds) => state.lifetime = Duration::from_secs(seconds),
            Err(_) => return HttpResponse::new(400, "text/plain", "seconds is no number"),
        },
        "tenant" => state.tenant_consent(field("client"), field("consented") == "true"),
        "delegate" => state.delegated = field("delegated") == "true",
        "mischief" => match Mischief::named(field("kind")) {
            Some(mischief) => state.mischief = mischief,
            None => return HttpResponse::new(400, "text/plain", "there is no such mischief"),
        },
        _ => return HttpResponse::new(404, "text/plain", "there is no such switch"),
    }
    HttpResponse::json(200, &json!({ "asked": state.asked }))
}
