//! Thunderbird's autoconfig: `config-v1.1.xml` of a domain, of its provider or of the public database
//! (<https://www.bucksch.org/1/projects/thunderbird/autoconfiguration/config-file-format.html>).

use crate::{
    candidate::{Candidate, host},
    subject::Subject,
    xml::{self, Element, Unreadable},
};
use gatepost_contract::{LoginName, ProposalOrigin, Security, SourceType};

/// The most servers of one file that are proposed.
const MOST: usize = 6;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The IMAP servers with a protected connection, in the file's order.
    pub candidates: Vec<Candidate>,
    /// How many IMAP servers it names without protection.
    pub plain: usize,
}

/// Reads a file. `place` says in words where it was found.
///
/// # Errors
/// [`Unreadable`] for what is no XML of the kind.
pub fn read(bytes: &[u8], subject: &Subject, origin: ProposalOrigin, place: &str) -> Result<Said, Unreadable> {
    let document = xml::read(bytes)?;
    if document.name != "clientconfig" {
        return Err(Unreadable::Malformed);
    }
    let mut said = Said::default();
    let servers = document.all("emailprovider").flat_map(|provider| provider.all("incomingserver"));
    for server in servers.filter(|server| server.kind == "imap") {
        match security(server.value("sockettype")) {
            Some(security) if said.candidates.len() < MOST => {
                said.candidates.extend(candidate(server, security, subject, origin, place));
            }
            Some(_) => {}
            None => said.plain += 1,
        }
    }
    Ok(said)
}

fn security(text: &str) -> Option<Security> {
    match text.to_ascii_uppercase().as_str() {
        "SSL" | "TLS" => Some(Security::Tls),
        "STARTTLS" => Some(Security::Starttls),
        _ => None,
    }
}

fn candidate(
    server: &Element,
    security: Security,
    subject: &Subject,
    origin: ProposalOrigin,
    place: &str,
) -> Option<Candidate> {
    let host = host(&filled(server.value("hostname"), subject))?;
    let port = server.value("port").parse().ok().filter(|port| *port > 0).unwrap_or(security.default_port());
    let ways: Vec<String> = server.all("authentication").map(|way| way.text.to_lowercase()).collect();
    // A file that names OAuth first names a password next where it takes one.
    let password = ways.is_empty() || ways.iter().any(|way| way.contains("password") || way == "plain");
    let login = match server.value("username").to_ascii_uppercase().as_str() {
        "%EMAILADDRESS%" | "" => LoginName::Address,
        "%EMAILLOCALPART%" => LoginName::Local,
        _ => LoginName::Other,
    };
    Some(Candidate {
        host,
        port,
        security,
        login,
        source_type: if password { SourceType::Imap } else { SourceType::ImapOauth },
        origin,
        responsible: true,
        why: format!("{place} names it."),
        advice: (login == LoginName::Other)
            .then(|| "The log-in name is neither the address nor its first part: ask the provider.".to_owned()),
    })
}

/// A text with its placeholders filled.
fn filled(text: &str, subject: &Subject) -> String {
    text.replace("%EMAILDOMAIN%", &subject.domain)
        .replace("%EMAILLOCALPART%", subject.local())
        .replace("%EMAILADDRESS%", &subject.address())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1"><emailProvider id="moved.example"><domain>moved.example</domain>
<incomingServer type="pop3"><hostname>pop.old.example</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap"><hostname>IMAP.%EMAILDOMAIN%</hostname><port>1993</port><socketType>SSL</socketType>
<username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication></incomingServer>
<incomingServer type="imap"><hostname>oauth.old.example</hostname><socketType>STARTTLS</socketType>
<username>%EMAILADDRESS%</username><authentication>OAuth2</authentication></incomingServer>
<incomingServer type="imap"><hostname>plain.old.example</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<incomingServer type="imap"><hostname>bad host</hostname><port>993</port><socketType>SSL</socketType></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.old.example</hostname></outgoingServer>
</emailProvider></clientConfig>"#;

    #[test]
    fn a_file_gives_its_imap_servers_and_how_one_logs_in() {
        let subject = Subject::of_address("ana@moved.example", "moved.example");
        let said = read(FILE.as_bytes(), &subject, ProposalOrigin::Autoconfig, "The file").expect("a file");
        let seen: Vec<_> =
            said.candidates.iter().map(|c| (c.host.as_str(), c.port, c.security, c.login, c.source_type)).collect();
        assert_eq!(
            seen,
            [
                ("imap.moved.example", 1993, Security::Tls, LoginName::Local, SourceType::Imap),
                ("oauth.old.example", 143, Security::Starttls, LoginName::Address, SourceType::ImapOauth),
            ]
        );
        assert_eq!(said.plain, 1);
    }

    #[test]
    fn other_xml_and_pages_are_no_file() {
        let subject = Subject::of_domain("moved.example");
        for other in ["<html><body>404</body></html>", "<!DOCTYPE html><html></html>", "<clientConfig>", ""] {
            assert!(read(other.as_bytes(), &subject, ProposalOrigin::Ispdb, "x").is_err(), "{other}");
        }
        let many = format!(
            "<clientConfig><emailProvider>{}</emailProvider></clientConfig>",
            "<incomingServer type='imap'><hostname>a.example</hostname><socketType>SSL</socketType></incomingServer>"
                .repeat(40)
        );
        let said = read(many.as_bytes(), &subject, ProposalOrigin::Ispdb, "x").expect("a file");
        assert_eq!(said.candidates.len(), MOST);
    }
}
