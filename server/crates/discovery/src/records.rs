//! What the DNS says of a domain, as far as it leads to settings.

use crate::candidate::host;
use gatepost_contract::{DnsAnswer, DnsRecord, LookupStatus, RecordType};
use gatepost_dns::{Dns, is_conclusive, leads_to};

/// The most MX hosts and targets of a service that are looked at.
const MOST: usize = 6;

/// A target of a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A service of the domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its targets, the preferred first.
    pub targets: Vec<Target>,
    /// Whether the domain says that it has no such service (RFC 6186 section 3.4).
    pub denied: bool,
}

/// The records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The MX hosts, the preferred first.
    pub mx: Vec<String>,
    /// Whether the domain says that it takes no mail (RFC 7505).
    pub null_mx: bool,
    /// Whether the domain exists at all, where that is known.
    pub exists: Option<bool>,
    /// Its SPF record.
    pub spf: Option<String>,
    /// `_imaps._tcp`.
    pub imaps: Service,
    /// `_imap._tcp`.
    pub imap: Service,
    /// `_autodiscover._tcp`.
    pub autodiscover: Service,
    /// Where the name `autodiscover` of the domain leads.
    pub autodiscover_alias: Option<String>,
    /// Why the DNS said nothing.
    pub failure: Option<String>,
    hosts: Vec<(String, bool)>,
}

impl Records {
    /// Nothing is known, and why.
    pub fn unknown(why: &str) -> Self {
        Self { failure: Some(why.to_owned()), ..Self::default() }
    }

    /// Whether a host has an address; nothing where it was not found out.
    pub fn has_address(&self, host: &str) -> Option<bool> {
        self.hosts.iter().find(|(name, _)| name == host).map(|(_, has)| *has)
    }
}

/// The names below a domain that are looked at as hosts.
pub fn names(domain: &str) -> Vec<String> {
    let below = ["autoconfig", "autodiscover", "imap", "mail"].map(|name| format!("{name}.{domain}"));
    below.into_iter().chain([domain.to_owned()]).collect()
}

/// Asks for the records.
pub async fn look_up(dns: &Dns, domain: &str) -> Records {
    use RecordType::{A, Aaaa, Mx, Srv, Txt};
    let below = |name: &str| format!("{name}.{domain}");
    let mut questions = vec![
        (domain.to_owned(), Mx),
        (domain.to_owned(), Txt),
        (below("_imaps._tcp"), Srv),
        (below("_imap._tcp"), Srv),
        (below("_autodiscover._tcp"), Srv),
    ];
    questions.extend(names(domain).into_iter().flat_map(|name| [A, Aaaa].map(|kind| (name.clone(), kind))));
    read(domain, &dns.lookup(&questions).await)
}

fn read(domain: &str, answers: &[DnsAnswer]) -> Records {
    let of =
        |name: &str, kind: RecordType| answers.iter().find(|answer| answer.name == name && answer.record_type == kind);
    let records = |name: &str, kind: RecordType| -> Vec<&DnsRecord> {
        let all = of(name, kind).map(|answer| answer.records.as_slice()).unwrap_or_default();
        all.iter().filter(|record| record.record_type == kind).collect()
    };
    let service = |name: &str| service(&records(&format!("{name}.{domain}"), RecordType::Srv));
    let mx: Vec<&str> = records(domain, RecordType::Mx).into_iter().filter_map(leads_to).collect();
    let spf = records(domain, RecordType::Txt).into_iter().map(|record| unquoted(&record.data));
    let autodiscover = format!("autodiscover.{domain}");
    let alias =
        [RecordType::A, RecordType::Aaaa].into_iter().filter_map(|kind| of(&autodiscover, kind)).find_map(|a| {
            a.records
                .iter()
                .rfind(|record| record.record_type == RecordType::Cname)
                .and_then(leads_to)
                .map(str::to_owned)
        });
    let hosts = names(domain).into_iter().filter_map(|name| {
        let both = [RecordType::A, RecordType::Aaaa].map(|kind| of(&name, kind));
        let has = both.iter().flatten().any(|answer| answer.status == LookupStatus::Answered);
        let known = has || both.iter().flatten().all(|answer| is_conclusive(answer));
        known.then_some((name, has))
    });
    let main = of(domain, RecordType::Mx);
    let failure = main.filter(|answer| !is_conclusive(answer)).map(|answer| {
        let note = answer.note.as_deref().unwrap_or("it said nothing");
        format!("The DNS could not be asked: {note}.")
    });
    Records {
        null_mx: mx == [""],
        mx: mx.into_iter().filter_map(host).take(MOST).collect(),
        exists: main.filter(|answer| is_conclusive(answer)).map(|answer| answer.status != LookupStatus::Nxdomain),
        spf: spf.into_iter().find(|text| text.to_lowercase().starts_with("v=spf1")),
        imaps: service("_imaps._tcp"),
        imap: service("_imap._tcp"),
        autodiscover: service("_autodiscover._tcp"),
        autodiscover_alias: alias,
        failure,
        hosts: hosts.collect(),
    }
}

/// RFC 2782: the lowest priority first, then the heaviest.
fn service(records: &[&DnsRecord]) -> Service {
    let mut all: Vec<(u16, std::cmp::Reverse<u16>, Target)> = Vec::new();
    let mut denied = false;
    for record in records {
        let mut words = record.data.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u16>().ok());
        let (Some(priority), Some(weight), Some(port)) = (number(), number(), number()) else { continue };
        match leads_to(record) {
            Some("") => denied = true,
            Some(name) => {
                if let Some(host) = host(name).filter(|_| port > 0) {
                    all.push((priority, std::cmp::Reverse(weight), Target { host, port }));
                }
            }
            None => {}
        }
    }
    all.sort_by(|a, b| (a.0, a.1, &a.2.host).cmp(&(b.0, b.1, &b.2.host)));
    let targets: Vec<Target> = all.into_iter().map(|(_, _, target)| target).take(MOST).collect();
    Service { denied: denied && targets.is_empty(), targets }
}

/// The text of a TXT record without the quotes of a zone file. What SPF needs has no escapes.
fn unquoted(data: &str) -> String {
    data.replace("\" \"", "").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, kind: RecordType, status: LookupStatus, data: &[(RecordType, &str)]) -> DnsAnswer {
        let record = |(kind, data): &(RecordType, &str)| DnsRecord {
            name: name.to_owned(),
            record_type: *kind,
            ttl: 300,
            data: (*data).to_owned(),
        };
        DnsAnswer {
            name: name.to_owned(),
            record_type: kind,
            resolver: "one".to_owned(),
            status,
            records: data.iter().map(record).collect(),
            note: None,
        }
    }

    #[test]
    fn services_come_in_their_order_and_may_be_denied() {
        use LookupStatus::Answered;
        use RecordType::{A, Aaaa, Cname, Mx, Srv, Txt};
        let found = read(
            "moved.example",
            &[
                answer("moved.example", Mx, Answered, &[(Mx, "10 mx1.old.example."), (Mx, "20 mx2.old.example.")]),
                answer(
                    "moved.example",
                    Txt,
                    Answered,
                    &[(Txt, "\"x\""), (Txt, "\"v=spf1 include:a.\" \"example -all\"")],
                ),
                answer(
                    "_imaps._tcp.moved.example",
                    Srv,
                    Answered,
                    &[
                        (Srv, "10 1 993 b.example."),
                        (Srv, "0 5 1993 c.example."),
                        (Srv, "0 9 993 a.example."),
                        (Srv, "0 0 0 ."),
                    ],
                ),
                answer("_imap._tcp.moved.example", Srv, Answered, &[(Srv, "0 0 0 .")]),
                answer(
                    "autodiscover.moved.example",
                    A,
                    Answered,
                    &[(Cname, "autodiscover.outlook.com."), (A, "192.0.2.1")],
                ),
                answer("imap.moved.example", A, LookupStatus::Nxdomain, &[]),
                answer("imap.moved.example", Aaaa, LookupStatus::Nxdomain, &[]),
                answer("mail.moved.example", A, LookupStatus::Timeout, &[]),
            ],
        );
        assert_eq!(found.mx, ["mx1.old.example", "mx2.old.example"]);
        assert_eq!(found.spf.as_deref(), Some("v=spf1 include:a.example -all"));
        let targets: Vec<_> = found.imaps.targets.iter().map(|t| (t.host.as_str(), t.port)).collect();
        assert_eq!(targets, [("a.example", 993), ("c.example", 1993), ("b.example", 993)]);
        assert!(found.imap.denied && !found.imaps.denied);
        assert_eq!(found.autodiscover_alias.as_deref(), Some("autodiscover.outlook.com"));
        assert_eq!(found.has_address("autodiscover.moved.example"), Some(true));
        assert_eq!(found.has_address("imap.moved.example"), Some(false));
        assert_eq!(found.has_address("mail.moved.example"), None, "nobody could tell");
        assert_eq!((found.exists, found.failure), (Some(true), None));
    }

    #[test]
    fn a_domain_may_take_no_mail_and_may_not_exist() {
        use RecordType::Mx;
        let null = read("a.example", &[answer("a.example", Mx, LookupStatus::Answered, &[(Mx, "0 .")])]);
        assert!(null.null_mx && null.mx.is_empty());
        let none = read("a.example", &[answer("a.example", Mx, LookupStatus::Nxdomain, &[])]);
        assert_eq!(none.exists, Some(false));
        let silent = read("a.example", &[answer("a.example", Mx, LookupStatus::Timeout, &[])]);
        assert!(silent.exists.is_none() && silent.failure.is_some());
    }
}
