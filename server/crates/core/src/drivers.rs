//! How the service reaches mail without knowing protocols: whoever starts it hands in a maker of drivers.

use crate::{Courier, Outbound};
use gatepost_contract::{Secret, Security};
use gatepost_transfer::Driver;
use std::{path::PathBuf, sync::Arc};

/// A secret, opened for the time of one run.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// An OAuth 2 access token.
    OauthToken(Secret),
}

/// How often a message of Gmail that has several labels arrives. In either case "All Mail" holds only mail without a
/// label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GmailLabels {
    /// In the folder of each of its labels.
    #[default]
    Each,
    /// In the first of its folders: INBOX, Sent, Drafts, then the labels by their paths.
    Once,
}

/// Everything that is needed to reach an account on a server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// True: its certificate is not verified.
    pub insecure_tls: bool,
    /// Who logs in.
    pub user: String,
    /// Whose mailbox it is, where an administrator logs in for somebody else.
    pub authz: Option<String>,
    /// The secret.
    pub credential: Credential,
    /// How labels of Gmail are read; `None` for an account that is written to.
    pub gmail_labels: Option<GmailLabels>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Plain connections beyond the loopback addresses.
    pub allow_plaintext: bool,
    /// Hosts that may be used although their addresses are refused otherwise.
    pub allowed_hosts: Vec<String>,
}

impl Access {
    /// Whose mailbox it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.authz.as_deref().unwrap_or(&self.user)
    }

    /// Who logs in, and for whom where these are two: `(user, authz)`.
    #[must_use]
    pub fn identities(owner: String, admin: Option<String>) -> (String, Option<String>) {
        match admin {
            Some(admin) if admin != owner => (admin, Some(owner)),
            _ => (owner, None),
        }
    }
}

/// Makes drivers.
pub trait Drivers: Send + Sync {
    /// A driver for an IMAP account. Nothing is connected yet.
    fn imap(&self, access: Access) -> Arc<dyn Driver>;

    /// What posts to addresses outside. It is made once.
    fn courier(&self, outbound: Outbound) -> Arc<dyn Courier>;
}
