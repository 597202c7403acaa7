//! Which consent opens an account, and whether its tokens may be shown to the account's server.

use super::{ConsentTokens, accounts::lies_in, apps};
use crate::{Error, Gatepost, clock, work::internal};
use gatepost_contract::{Consent, Mailbox, MailboxSide, Security, SourceType};
use gatepost_store::{Conn, oauth_consents};
use gatepost_transfer::{AccessTokens, Fault, FaultKind};
use std::{net::IpAddr, sync::Arc};

/// The consents that may open an account of a mailbox.
#[derive(Default)]
pub(crate) struct Serving {
    /// Its owner's.
    pub own: Option<Consent>,
    /// The one for all mailboxes of the job.
    pub for_all: Option<Consent>,
}

impl Serving {
    /// Those for one side of a mailbox.
    pub async fn of(conn: &mut Conn, mailbox: &Mailbox, side: MailboxSide) -> Result<Self, Fault> {
        if side == MailboxSide::Source && mailbox.source_type != SourceType::ImapOauth {
            return Ok(Self::default());
        }
        let all =
            oauth_consents::of_mailbox(conn, mailbox.job_id, mailbox.id, &clock::now()).await.map_err(internal)?;
        let (own, for_all): (Vec<_>, Vec<_>) =
            all.into_iter().filter(|consent| consent.side == side).partition(|consent| consent.mailbox_id.is_some());
        Ok(Self { own: own.into_iter().next(), for_all: for_all.into_iter().next() })
    }
}

/// The server that an account's tokens would be shown to.
pub(crate) struct ShownTo<'a> {
    /// Its name.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Whether its certificate goes unverified.
    pub insecure_tls: bool,
    /// The account.
    pub account: &'a str,
}

/// The tokens of a consent for an account at a server. Nothing is asked of the provider yet.
pub(crate) async fn tokens(
    gatepost: &Gatepost,
    conn: &mut Conn,
    consent: &Consent,
    server: &ShownTo<'_>,
) -> Result<Arc<dyn AccessTokens>, Fault> {
    let app = apps::stored(conn, consent.app_id).await.map_err(|error| match error {
        told @ Error::NotFound(_) => Fault::new(FaultKind::Login, told.to_string()),
        other => internal(other),
    })?;
    let forbidden = |why: String| Err(Fault::new(FaultKind::Forbidden, why));
    let place = place(server.host, server.port);
    if !app.row.mail_hosts.iter().any(|named| names(named, server.host, server.port)) {
        return forbidden(format!(
            "The tokens of the application {} are for {} and are not shown to {place}. Correct the server's name or port, \
             or let the application name it; a port other than 993 and 143 is named with it.",
            app.row.name,
            app.row.mail_hosts.join(", "),
        ));
    }
    let on_this_machine = server.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if server.security == Security::Plain && !on_this_machine && !gatepost.config().allow_plaintext {
        return forbidden(format!(
            "An access token is not shown to {place} over a connection without TLS. Choose TLS or STARTTLS."
        ));
    }
    if server.insecure_tls {
        return forbidden(format!(
            "An access token is not shown to {place} while its certificate is not verified. Switch the verification on."
        ));
    }
    if let Some(domain) = &consent.domain
        && !lies_in(server.account, domain)
    {
        return forbidden(format!(
            "The consent for all mailboxes of the job is for accounts of {domain}, and {} is none. Ask for a consent of \
             this mailbox.",
            server.account
        ));
    }
    Ok(Arc::new(ConsentTokens::new(gatepost.clone(), consent, server.account)))
}

/// The ports of IMAP (RFC 8314 section 7.3, RFC 9051 section 2.1): at them an application's server is meant without more.
const IMAP_PORTS: [u16; 2] = [993, 143];

/// A host with its port, as applications name it.
fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether a server of an application is this one.
fn names(named: &str, host: &str, port: u16) -> bool {
    named.eq_ignore_ascii_case(&place(host, port)) || IMAP_PORTS.contains(&port) && named.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_its_port_or_at_the_ports_of_imap() {
        for (named, host, port, fine) in [
            ("imap.example.com", "IMAP.example.com", 993, true),
            ("imap.example.com", "imap.example.com", 143, true),
            ("imap.example.com", "imap.example.com", 1143, false),
            ("imap.example.com:1143", "imap.example.com", 1143, true),
            ("imap.example.com:1143", "imap.example.com", 993, false),
            ("imap.example.com", "imap.example.com.evil.test", 993, false),
            ("::1", "::1", 993, true),
            ("[::1]:1143", "::1", 1143, true),
            ("::1", "::1", 1143, false),
        ] {
            assert_eq!(names(named, host, port), fine, "{named} {host} {port}");
        }
    }
}
