//! What is asked about a domain whose mail moves.

use crate::snapshot::Asked;
use gatepost_contract::RecordType::{self, A, Aaaa, Mx, Ns, Soa, Srv, Txt};

/// The usual names of DKIM keys: those of large providers and of common software.
const SELECTORS: [&str; 9] = ["default", "dkim", "google", "k1", "k2", "mail", "s1", "selector1", "selector2"];
/// The most selectors of a job.
const MOST_SELECTORS: usize = 10;
/// Services that mail programs look for (RFC 6186, RFC 8314, Autodiscover).
const SERVICES: [&str; 6] =
    ["_imaps._tcp", "_imap._tcp", "_pop3s._tcp", "_submissions._tcp", "_submission._tcp", "_autodiscover._tcp"];
/// Hosts below the domain that mail programs are led to.
const CLIENTS: [&str; 6] = ["autodiscover", "autoconfig", "mail", "imap", "pop", "smtp"];

/// A question.
pub type Question = (String, RecordType);

/// What every resolver is asked.
pub fn everywhere(asked: &Asked) -> Vec<Question> {
    let domain = &asked.domain;
    let below = |name: &str| format!("{name}.{domain}");
    let mut all: Vec<Question> = [Mx, Ns, Soa, Txt, A, Aaaa].map(|kind| (domain.clone(), kind)).into();
    for name in ["_dmarc", "_mta-sts", "_smtp._tls"] {
        all.push((below(name), Txt));
    }
    all.push((below("mta-sts"), A));
    for name in SERVICES {
        all.push((below(name), Srv));
    }
    for name in CLIENTS {
        all.extend([A, Aaaa].map(|kind| (below(name), kind)));
    }
    for selector in asked.selectors.iter().take(MOST_SELECTORS) {
        all.push((dkim(selector, domain), Txt));
    }
    for host in asked.old_hosts.iter().chain(&asked.new_hosts) {
        all.extend(addresses(host));
    }
    unique(all)
}

/// What one resolver is asked: guesses, most of which lead nowhere.
pub fn guesses(asked: &Asked) -> Vec<Question> {
    let known = |selector: &&str| !asked.selectors.iter().any(|given| given == selector);
    SELECTORS.iter().filter(|s| known(s)).map(|selector| (dkim(selector, &asked.domain), Txt)).collect()
}

/// Where every DKIM key lies that may have been asked for.
pub fn dkim_names(domain: &str, selectors: &[String]) -> Vec<String> {
    let given = selectors.iter().take(MOST_SELECTORS).map(String::as_str);
    let usual = SELECTORS.into_iter().filter(|usual| !selectors.iter().any(|given| given == usual));
    given.chain(usual).map(|selector| dkim(selector, domain)).collect()
}

/// Where mail programs look.
pub fn client_names(domain: &str) -> Vec<String> {
    CLIENTS.iter().map(|name| format!("{name}.{domain}")).collect()
}

/// Where mail programs look for services.
pub fn service_names(domain: &str) -> Vec<String> {
    SERVICES.iter().map(|name| format!("{name}.{domain}")).collect()
}

/// The addresses of a host; none for what is an address itself.
pub fn addresses(host: &str) -> Vec<Question> {
    if host.is_empty() || host.parse::<std::net::IpAddr>().is_ok() {
        return Vec::new();
    }
    [A, Aaaa].map(|kind| (host.to_owned(), kind)).into()
}

/// Whether a name lies in a domain.
pub fn within(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn dkim(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

pub fn unique(all: Vec<Question>) -> Vec<Question> {
    let mut kept: Vec<Question> = Vec::with_capacity(all.len());
    for question in all {
        if !kept.contains(&question) {
            kept.push(question);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_is_asked_once_and_addresses_are_not_looked_up() {
        let asked = Asked {
            domain: "moved.example".into(),
            old_hosts: vec!["mail.moved.example".into(), "192.0.2.1".into()],
            new_hosts: vec!["mx.new.example".into()],
            selectors: vec!["s1".into(), "mine".into()],
        };
        let all = everywhere(&asked);
        assert_eq!(all.iter().filter(|q| q.0 == "mail.moved.example").count(), 2);
        assert!(!all.iter().any(|q| q.0 == "192.0.2.1"));
        assert!(all.contains(&("mine._domainkey.moved.example".into(), Txt)));
        assert!(!guesses(&asked).iter().any(|q| q.0.starts_with("s1.")), "it was asked everywhere");
    }

    #[test]
    fn a_name_lies_in_a_domain_only_behind_a_dot() {
        assert!(within("moved.example", "moved.example") && within("a.b.moved.example", "moved.example"));
        assert!(!within("unmoved.example", "moved.example") && !within("example", "moved.example"));
    }
}
