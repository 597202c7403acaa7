//! Autodiscover: the plain old XML that Outlook posts ([MS-OXDSCLI]), which many hosting panels answer too, and the
//! JSON by which Exchange Online says that a mailbox is its own.

use crate::{
    candidate::{Candidate, host, within},
    subject::Subject,
    xml::{self, Unreadable},
};
use gatepost_contract::{LoginName, ProposalOrigin, Security, SourceType};
use serde::Deserialize;

/// The most servers of one answer that are proposed.
const MOST: usize = 6;

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// IMAP servers with a protected connection.
    pub candidates: Vec<Candidate>,
    /// How many IMAP servers it names without protection.
    pub plain: usize,
    /// Another URL that is to be asked instead.
    pub elsewhere: Option<String>,
    /// Another address that is to be asked for instead.
    pub other_address: Option<String>,
}

/// The request for an address.
#[must_use]
pub fn request(subject: &Subject) -> String {
    let address = subject.address().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">\
         <Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>\
         http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
         </AcceptableResponseSchema></Request></Autodiscover>"
    )
}

/// Reads an answer in XML. `place` says in words whose it is.
///
/// # Errors
/// [`Unreadable`] for what is no XML of the kind.
pub fn read(bytes: &[u8], subject: &Subject, place: &str) -> Result<Said, Unreadable> {
    let document = xml::read(bytes)?;
    if document.name != "autodiscover" {
        return Err(Unreadable::Malformed);
    }
    let mut said = Said::default();
    let Some(account) = document.at(&["response", "account"]) else { return Ok(said) };
    match account.value("action").to_lowercase().as_str() {
        "redirecturl" => said.elsewhere = Some(account.value("redirecturl").to_owned()),
        "redirectaddr" => said.other_address = Some(account.value("redirectaddr").to_owned()),
        _ => {}
    }
    for protocol in account.all("protocol").filter(|one| {
        let kind = if one.value("type").is_empty() { one.kind.as_str() } else { one.value("type") };
        kind.eq_ignore_ascii_case("imap")
    }) {
        let port: Option<u16> = protocol.value("port").parse().ok().filter(|port| *port > 0);
        let Some(security) = security(protocol.value("encryption"), protocol.value("ssl"), port) else {
            said.plain += 1;
            continue;
        };
        let Some(host) = host(protocol.value("server")).filter(|_| said.candidates.len() < MOST) else { continue };
        let name = protocol.value("loginname");
        let login = if name.is_empty() || name.eq_ignore_ascii_case(&subject.address()) {
            LoginName::Address
        } else if name.eq_ignore_ascii_case(subject.local()) {
            LoginName::Local
        } else {
            LoginName::Other
        };
        said.candidates.push(Candidate {
            host,
            port: port.unwrap_or(security.default_port()),
            security,
            login,
            source_type: SourceType::Imap,
            origin: ProposalOrigin::Autodiscover,
            responsible: true,
            why: format!("{place} names it."),
            advice: (login == LoginName::Other)
                .then(|| "The log-in name is neither the address nor its first part: ask the provider.".to_owned()),
        });
    }
    Ok(said)
}

/// `Encryption` counts before `SSL` where both are there; `on` alone means TLS from the first byte on, but on the port of
/// STARTTLS.
fn security(encryption: &str, ssl: &str, port: Option<u16>) -> Option<Security> {
    match encryption.to_lowercase().as_str() {
        "ssl" => Some(Security::Tls),
        "tls" => Some(Security::Starttls),
        "none" => None,
        _ if ssl.eq_ignore_ascii_case("off") => None,
        _ if port == Some(143) => Some(Security::Starttls),
        _ => Some(Security::Tls),
    }
}

/// Whether an answer in JSON leads to Exchange Online.
#[must_use]
pub fn is_exchange_online(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Url", default)]
        url: String,
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else { return false };
    let Ok(url) = url::Url::parse(&answer.url) else { return false };
    url.scheme() == "https" && url.host_str().is_some_and(is_microsofts)
}

/// Whether a host is one of Exchange Online's.
#[must_use]
pub fn is_microsofts(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_lowercase();
    ["outlook.office365.com", "office365.com", "outlook.com", "outlook.office.com"].iter().any(|own| within(&host, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(account: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\
             <Response xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\">\
             <Account><AccountType>email</AccountType><Action>settings</Action>{account}</Account></Response></Autodiscover>"
        )
    }

    #[test]
    fn an_answer_gives_its_imap_servers() {
        let subject = Subject::of_address("ana@moved.example", "moved.example");
        let protocol =
            |more: &str| format!("<Protocol><Type>IMAP</Type><Server>mail.old.example</Server>{more}</Protocol>");
        for (more, expect) in [
            (
                "<Port>993</Port><SSL>on</SSL><LoginName>ana@moved.example</LoginName>",
                Some((993, Security::Tls, LoginName::Address)),
            ),
            (
                "<Port>143</Port><SSL>on</SSL><LoginName>ANA</LoginName>",
                Some((143, Security::Starttls, LoginName::Local)),
            ),
            (
                "<Encryption>TLS</Encryption><LoginName>CORP\\ana</LoginName>",
                Some((143, Security::Starttls, LoginName::Other)),
            ),
            ("<Encryption>SSL</Encryption>", Some((993, Security::Tls, LoginName::Address))),
            ("<Port>143</Port><SSL>off</SSL>", None),
            ("<Encryption>None</Encryption>", None),
        ] {
            let said = read(answer(&protocol(more)).as_bytes(), &subject, "It").expect("an answer");
            let seen = said.candidates.first().map(|c| (c.port, c.security, c.login));
            assert_eq!(seen, expect, "{more}");
            assert_eq!(said.plain, usize::from(expect.is_none()), "{more}");
        }
    }

    #[test]
    fn redirections_are_told_and_not_followed_here() {
        let subject = Subject::of_domain("moved.example");
        let text = answer("<Action>redirectUrl</Action>").replace("<Action>settings</Action>", "").replace(
            "<Action>redirectUrl</Action>",
            "<Action>redirectUrl</Action><RedirectUrl>https://a.example/x</RedirectUrl>",
        );
        let said = read(text.as_bytes(), &subject, "It").expect("an answer");
        assert_eq!(said.elsewhere.as_deref(), Some("https://a.example/x"));
        assert!(read(b"<html/>", &subject, "It").is_err());
    }

    #[test]
    fn the_request_asks_for_the_address_and_nothing_slips_into_its_xml() {
        let request = request(&Subject::of_address("a<b&c@moved.example", "moved.example"));
        assert!(request.contains("<EMailAddress>a&lt;b&amp;c@moved.example</EMailAddress>"), "{request}");
        assert!(xml::read(request.as_bytes()).is_ok());
    }

    #[test]
    fn only_microsofts_own_hosts_are_exchange_online() {
        for (answer, online) in [
            (
                r#"{"Protocol":"AutodiscoverV1","Url":"https://outlook.office365.com/autodiscover/autodiscover.xml"}"#,
                true,
            ),
            (r#"{"Url":"https://eur01.outlook.office365.com/x"}"#, true),
            (r#"{"Url":"https://outlook.office365.com.evil.example/x"}"#, false),
            (r#"{"Url":"http://outlook.office365.com/x"}"#, false),
            (r#"{"ErrorCode":"UserNotFound"}"#, false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(is_exchange_online(answer.as_bytes()), online, "{answer}");
        }
    }
}
