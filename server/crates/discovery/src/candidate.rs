//! What one source of settings says, before it is put beside what others say.

use gatepost_contract::{LoginName, ProposalOrigin, Security, SourceType};

/// A server that somebody names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The server, lower case, without a last dot.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected. Never plain: nobody is led to send a password in the clear.
    pub security: Security,
    /// What one logs in with.
    pub login: LoginName,
    /// With a password, or by OAuth only.
    pub source_type: SourceType,
    /// Who names it.
    pub origin: ProposalOrigin,
    /// Whether that is somebody who is responsible for the domain or for the server.
    pub responsible: bool,
    /// Where it was found, in a sentence.
    pub why: String,
    /// What has to be done before it works.
    pub advice: Option<String>,
}

/// A host's name as it may stand in a proposal: a DNS name with a dot or `localhost`, or an address; lower case.
#[must_use]
pub fn host(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Some(bare.to_owned());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let fine = text.len() <= 253 && (text.contains('.') || text == "localhost") && text.split('.').all(label);
    fine.then_some(text)
}

/// Whether a name is a domain or lies in it.
#[must_use]
pub fn within(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_and_nothing_else() {
        for (given, expect) in [
            (" IMAP.Moved.Example. ", Some("imap.moved.example")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("localhost", Some("localhost")),
            ("imap", None),
            ("", None),
            ("imap.moved.example:993", None),
            ("imap.moved.example/x", None),
            ("user@imap.moved.example", None),
            ("-a.example", None),
            ("a..example", None),
            ("b\u{fc}cher.example", None),
        ] {
            assert_eq!(host(given).as_deref(), expect, "{given:?}");
        }
    }
}
