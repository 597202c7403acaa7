//! Tries IMAP servers that strangers have named: connects, reads what they say of themselves, logs in nowhere.

use async_trait::async_trait;
use gatepost_contract::{Secret, Security};
use gatepost_core::Outbound;
use gatepost_discovery::{Greeted, Prober, Unseen};
use gatepost_imap::{Account, Credential, NetPolicy, Timeouts, look};
use gatepost_transfer::FaultKind;
use std::time::Duration;

/// How long a server may take for each step.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries them over verified TLS, at addresses of the internet and those that the settings allow.
pub(crate) struct ImapProber(pub Outbound);

#[async_trait]
impl Prober for ImapProber {
    async fn probe(&self, host: &str, port: u16, security: Security) -> Result<Greeted, Unseen> {
        let account = Account {
            host: host.to_owned(),
            port,
            security,
            insecure_tls: false,
            ca_file: self.0.ca_file.clone(),
            user: String::new(),
            authz: None,
            secret: Credential::Password(Secret(String::new())),
            gmail_labels: None,
            policy: NetPolicy {
                allow_plaintext_beyond_loopback: false,
                allowed_hosts: self.0.allowed_hosts.clone(),
                public_only: true,
                timeouts: Timeouts { connect: PATIENCE, read: PATIENCE, write: PATIENCE, ..Timeouts::default() },
            },
        };
        match Box::pin(look(&account)).await {
            Ok(seen) => Ok(Greeted { greeting: seen.greeting, capabilities: seen.capabilities }),
            Err(fault) if fault.kind == FaultKind::Forbidden => Err(Unseen::NotTried(format!(
                "It was not tried: {host} leads to an address that is not of the internet. If this is right, name it in \
                 MIGRATION_ALLOWED_HOSTS."
            ))),
            Err(fault) => Err(Unseen::Failed(fault.sentence)),
        }
    }
}
