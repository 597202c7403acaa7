//! The protocols that this program brings: core asks here for a driver and knows no protocol itself.

use gatepost_core::{Access, Courier, Credential, Drivers, GmailLabels, Outbound};
use gatepost_courier::HttpCourier;
use gatepost_imap::{Account, ImapDriver, NetPolicy, Timeouts};
use gatepost_transfer::Driver;
use std::sync::Arc;

/// IMAP by the built-in engine.
#[derive(Clone, Copy, Debug)]
pub struct Imap;

impl Drivers for Imap {
    fn imap(&self, access: Access) -> Arc<dyn Driver> {
        let secret = match access.credential {
            Credential::Password(password) => gatepost_imap::Credential::Password(password),
            Credential::OauthToken(token) => gatepost_imap::Credential::OauthToken(token),
        };
        Arc::new(ImapDriver::new(Account {
            host: access.host,
            port: access.port,
            security: access.security,
            insecure_tls: access.insecure_tls,
            ca_file: access.ca_file,
            user: access.user,
            authz: access.authz,
            secret,
            gmail_labels: access.gmail_labels.map(|rule| match rule {
                GmailLabels::Each => gatepost_imap::GmailLabels::Each,
                GmailLabels::Once => gatepost_imap::GmailLabels::Once,
            }),
            policy: NetPolicy {
                allow_plaintext_beyond_loopback: access.allow_plaintext,
                allowed_hosts: access.allowed_hosts,
                timeouts: Timeouts::default(),
            },
        }))
    }

    fn courier(&self, outbound: Outbound) -> Arc<dyn Courier> {
        Arc::new(HttpCourier::new(outbound))
    }
}
