//! Whatever records a domain has, they are judged without a panic and within bounds: what breaks at the cutover, the way
//! back, how far a change has come. A line is `TYPE NAME DATA`; one that begins with `!` goes to a second resolver.
#![no_main]

use gatepost_contract::{DnsAnswer, DnsMoment, DnsRecord, DnsResolver, DnsSnapshot, LookupStatus};
use gatepost_dns::{Plan, findings, mx_hosts, propagation, rollback};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut answers = Vec::new();
    for line in text.lines().take(200) {
        let (resolver, line) = line.strip_prefix('!').map_or(("192.0.2.1:53", line), |rest| ("192.0.2.2:53", rest));
        let mut words = line.splitn(3, ' ');
        let Some(record_type) = words.next().and_then(|word| word.parse().ok()) else { continue };
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let data = words.next().unwrap_or_default().to_owned();
        let status = match data.as_str() {
            "" => LookupStatus::Empty,
            "-" => LookupStatus::Nxdomain,
            _ => LookupStatus::Answered,
        };
        let records = match status {
            LookupStatus::Answered => {
                vec![DnsRecord { name: name.clone(), record_type, ttl: data.len() as u32 * 60, data }]
            }
            _ => Vec::new(),
        };
        answers.push(DnsAnswer { name, record_type, resolver: resolver.to_owned(), status, records, note: None });
    }
    let resolver = |name: &str, authoritative| DnsResolver { name: name.to_owned(), authoritative, not_asked: None };
    let snapshot = DnsSnapshot {
        id: None,
        domain: "moved.example".to_owned(),
        taken_at: "2026-11-21T04:12:00.000Z".to_owned(),
        moment: DnsMoment::Before,
        taken_by: "1".to_owned(),
        resolvers: vec![resolver("192.0.2.1:53", true), resolver("192.0.2.2:53", false)],
        answers,
    };
    let plan = Plan {
        old_hosts: vec!["old.example".to_owned()],
        new_host: "new.example".to_owned(),
        new_mx: Vec::new(),
        selectors: vec!["s1".to_owned()],
        applied: text.len() % 2 == 0,
    };
    let found = findings(&snapshot, &plan);
    assert!(found.len() <= 50 + 4 * snapshot.answers.len(), "{} findings", found.len());
    assert!(found.iter().all(|finding| !finding.sentence.is_empty()));
    assert!(found.windows(2).all(|pair| pair[0].severity >= pair[1].severity));
    assert!(mx_hosts(&snapshot).len() <= snapshot.answers.len());
    let sheet = rollback(&snapshot, Some(&snapshot));
    assert!(sheet.remove.is_empty(), "there is nothing to take back");
    assert_eq!(propagation(&snapshot, Some(&snapshot), &plan).len(), 2);
});
