//! How the service reaches mail without knowing protocols: whoever starts it hands in a maker of drivers.

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
    /// The log-in name.
    pub user: String,
    /// The secret.
    pub credential: Credential,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Plain connections beyond the loopback addresses.
    pub allow_plaintext: bool,
    /// Hosts that may be used although their addresses are refused otherwise.
    pub allowed_hosts: Vec<String>,
}

/// Makes drivers.
pub trait Drivers: Send + Sync {
    /// A driver for an IMAP account. Nothing is connected yet.
    fn imap(&self, access: Access) -> Arc<dyn Driver>;
}
