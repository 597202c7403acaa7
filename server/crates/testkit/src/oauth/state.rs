//! Who consented to what, and which tokens came of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;

use super::Mischief;

/// An application.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) secret: Option<String>,
    pub(super) certificate: bool,
    /// Whether an administrator consented to it for everybody.
    pub(super) tenant: bool,
}

/// Something that somebody consented to.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) user: String,
    pub(super) client: String,
    pub(super) scope: String,
    pub(super) revoked: bool,
}

/// A code that the browser carries back.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) grant: usize,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) used: bool,
}

/// A code that a person types in.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) user_code: String,
    pub(super) client: String,
    pub(super) scope: String,
    pub(super) ends: Instant,
    pub(super) interval: Duration,
    pub(super) asked: Option<Instant>,
    pub(super) decision: Option<Decision>,
}

#[derive(Debug)]
pub(super) enum Decision {
    Allowed(usize),
    Refused,
}

/// An access token.
#[derive(Debug)]
pub(super) struct Access {
    /// Whose mailbox it opens; every one's where there is none.
    pub(super) user: Option<String>,
    pub(super) grant: Option<usize>,
    pub(super) ends: Instant,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) users: HashMap<String, String>,
    pub(super) clients: HashMap<String, Client>,
    pub(super) grants: Vec<Grant>,
    pub(super) codes: HashMap<String, Code>,
    pub(super) devices: HashMap<String, Device>,
    pub(super) access: HashMap<String, Access>,
    /// Of which grant, and whether another has taken its place.
    pub(super) refresh: HashMap<String, (usize, bool)>,
    pub(super) lifetime: Duration,
    /// How long a device has to wait between two questions.
    pub(super) device_interval: Duration,
    pub(super) rotates: bool,
    pub(super) delegated: bool,
    pub(super) mischief: Option<Mischief>,
    /// Of the end point that takes tokens back.
    pub(super) stubborn: Option<Mischief>,
    /// How often it was asked to.
    pub(super) revocations: usize,
    pub(super) asked: Vec<String>,
}

impl State {
    pub(super) fn new(users: HashMap<String, String>, clients: HashMap<String, Client>) -> Self {
        Self {
            url: String::new(),
            users,
            clients,
            grants: Vec::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            lifetime: Duration::from_secs(3600),
            device_interval: Duration::from_secs(1),
            rotates: true,
            delegated: true,
            mischief: None,
            stubborn: None,
            revocations: 0,
            asked: Vec::new(),
        }
    }

    pub(super) fn knows(&self, user: &str, password: &str) -> bool {
        self.users.get(user).is_some_and(|known| known == password)
    }

    pub(super) fn consent(&mut self, user: &str, client: &str, scope: &str) -> usize {
        let (user, client, scope) = (user.to_owned(), client.to_owned(), scope.to_owned());
        self.grants.push(Grant { user, client, scope, revoked: false });
        self.grants.len() - 1
    }

    pub(super) fn new_access(&mut self, grant: usize, user: Option<&str>) -> String {
        self.give(Some(grant), user)
    }

    pub(super) fn give(&mut self, grant: Option<usize>, user: Option<&str>) -> String {
        let token = format!("at-{}", random());
        let access = Access { user: user.map(str::to_owned), grant, ends: Instant::now() + self.lifetime };
        self.access.insert(token.clone(), access);
        token
    }

    pub(super) fn new_refresh(&mut self, grant: usize) -> String {
        let token = format!("rt-{}", random());
        self.refresh.insert(token.clone(), (grant, false));
        token
    }

    /// A token that still holds.
    pub(super) fn holding(&self, token: &str) -> Option<&Access> {
        self.access.get(token).filter(|access| access.ends > Instant::now())
    }

    pub(super) fn revoke_grant(&mut self, grant: usize) {
        if let Some(known) = self.grants.get_mut(grant) {
            known.revoked = true;
        }
        self.access.retain(|_, access| access.grant != Some(grant));
    }

    pub(super) fn revoke_user(&mut self, user: &str) {
        let grants: Vec<usize> =
            self.grants.iter().enumerate().filter(|(_, grant)| grant.user == user).map(|(at, _)| at).collect();
        for grant in grants {
            self.revoke_grant(grant);
        }
        self.access.retain(|_, access| access.user.as_deref() != Some(user));
    }

    pub(super) fn tenant_consent(&mut self, client: &str, consented: bool) {
        if let Some(known) = self.clients.get_mut(client) {
            known.tenant = consented;
        }
        if !consented {
            self.access.retain(|_, access| access.user.is_some());
        }
    }
}

pub(super) fn random() -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
