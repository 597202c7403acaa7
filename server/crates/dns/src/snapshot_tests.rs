//! Against servers of our own on loopback.

use super::*;
use crate::read::mx_hosts;
use gatepost_contract::RecordType::{Mx, Srv};
use gatepost_testkit::{DnsServer, Mischief};

const DOMAIN: &str = "moved.example";
const AT: &str = "2026-11-21T10:00:00.000Z";

fn server(lines: &str) -> DnsServer {
    let server = DnsServer::start().unwrap();
    server.zone(lines);
    server
}

fn asked() -> Asked {
    Asked {
        domain: DOMAIN.into(),
        old_hosts: vec!["imap.old.example".into()],
        new_hosts: vec!["mx.new.example".into()],
        selectors: vec!["mine".into()],
    }
}

fn options(port: u16) -> Options {
    Options { timeout: Duration::from_secs(60), at_once: 8, authoritative_port: port, private_servers: true }
}

async fn taken(servers: &[&DnsServer], options: Options) -> DnsSnapshot {
    let dns = Dns::new(servers.iter().map(|server| server.address()).collect(), options);
    dns.snapshot(&asked(), DnsMoment::Before, "ana", AT).await
}

fn answer<'a>(
    snapshot: &'a DnsSnapshot,
    resolver: &str,
    name: &str,
    kind: gatepost_contract::RecordType,
) -> &'a DnsAnswer {
    let mut all = snapshot.answers.iter();
    let found = all.find(|a| a.resolver == resolver && a.name == name && a.record_type == kind);
    found.unwrap_or_else(|| panic!("{resolver} was not asked for {name} {kind}: {snapshot:#?}"))
}

const ZONE: &str = "
moved.example 86400 SOA ns.moved.example. admin.moved.example. 7 3600 600 86400 300
moved.example 86400 NS ns.moved.example.
ns.moved.example 86400 A 127.0.0.1
moved.example 86400 MX 20 MX2.Old.Example.
moved.example 86400 MX 10 mx1.old.example.
moved.example 3600 TXT \"v=spf1 include:spf.old.example -all\"
_dmarc.moved.example 3600 TXT \"v=DMARC1; p=reject\"
autodiscover.moved.example 600 CNAME autodiscover.old.example.
_imaps._tcp.moved.example 600 SRV 0 1 993 imap.old.example.
mine._domainkey.moved.example 600 TXT \"v=DKIM1; p=AAAA\"
";
const ELSEWHERE: &str = "
mx1.old.example 300 A 192.0.2.1
mx2.old.example 300 AAAA 2001:db8::2
imap.old.example 300 A 192.0.2.1
autodiscover.old.example 300 A 192.0.2.1
mx.new.example 300 A 198.51.100.1
spf.old.example 300 TXT \"v=spf1 ip4:192.0.2.0/24 include:deeper.old.example -all\"
deeper.old.example 300 TXT \"v=spf1 ip4:203.0.113.0/24 -all\"
";

#[tokio::test]
async fn a_domain_is_read_from_resolvers_and_from_its_own_server() {
    let (own, resolver) = (server(ZONE), server(ZONE));
    resolver.zone(ELSEWHERE);
    // A resolver has kept the MX for a while already.
    resolver.set(DOMAIN, "MX", 4321, &["10 mx1.old.example.", "20 mx2.old.example."]);
    let snapshot = taken(&[&resolver], options(own.address().port())).await;
    let names: Vec<(&str, bool)> = snapshot.resolvers.iter().map(|r| (r.name.as_str(), r.authoritative)).collect();
    let by_resolver = resolver.address().to_string();
    assert_eq!(names, [(by_resolver.as_str(), false), ("ns.moved.example (127.0.0.1)", true)]);

    let mx = answer(&snapshot, "ns.moved.example (127.0.0.1)", DOMAIN, Mx);
    let data: Vec<(&str, u32)> = mx.records.iter().map(|r| (r.data.as_str(), r.ttl)).collect();
    assert_eq!(data, [("10 mx1.old.example.", 86_400), ("20 mx2.old.example.", 86_400)]);
    assert_eq!(answer(&snapshot, &by_resolver, DOMAIN, Mx).records[0].ttl, 4321);
    assert_eq!(mx_hosts(&snapshot), ["mx1.old.example", "mx2.old.example"]);

    let alias = answer(&snapshot, &by_resolver, "autodiscover.moved.example", A);
    let kinds: Vec<String> = alias.records.iter().map(|r| format!("{} {}", r.record_type, r.data)).collect();
    assert_eq!(kinds, ["CNAME autodiscover.old.example.", "A 192.0.2.1"]);
    assert_eq!(answer(&snapshot, &by_resolver, "_imaps._tcp.moved.example", Srv).status, LookupStatus::Answered);
    assert_eq!(answer(&snapshot, &by_resolver, "mx2.old.example", Aaaa).records[0].data, "2001:db8::2");
    assert_eq!(answer(&snapshot, &by_resolver, "deeper.old.example", Txt).status, LookupStatus::Answered);
    assert_eq!(answer(&snapshot, &by_resolver, "imap.moved.example", A).status, LookupStatus::Nxdomain);
    assert_eq!(answer(&snapshot, &by_resolver, DOMAIN, Aaaa).status, LookupStatus::Empty);
    assert!(own.asked().iter().all(|(name, _)| name.ends_with("moved.example.")), "{:?}", own.asked());
}

#[tokio::test]
async fn whatever_a_resolver_does_is_shown_as_such() {
    let table = [
        (None, LookupStatus::Answered, ""),
        (Some(Mischief::ServFail), LookupStatus::Servfail, "SERVFAIL"),
        (Some(Mischief::Refused), LookupStatus::Refused, "REFUSED"),
        (Some(Mischief::Silent), LookupStatus::Timeout, "no answer"),
        (Some(Mischief::Truncated), LookupStatus::Answered, ""),
        (Some(Mischief::AlwaysTruncated), LookupStatus::Failed, "cut short"),
        (Some(Mischief::Huge(1_000)), LookupStatus::Answered, "1002 records came; 100 of them are shown"),
        (Some(Mischief::Unasked), LookupStatus::Empty, ""),
    ];
    for (mischief, status, note) in table {
        let bad = server(ZONE);
        if let Some(mischief) = &mischief {
            bad.mischief_at(DOMAIN, mischief.clone());
        }
        let patience = Duration::from_secs(if status == LookupStatus::Timeout { 2 } else { 60 });
        let upstream = Upstream::new("bad".into(), bad.address(), false, patience).unwrap();
        let answer = upstream.ask(DOMAIN, Mx).await;
        assert_eq!(answer.status, status, "{mischief:?}: {answer:?}");
        let given = answer.note.unwrap_or_default();
        assert!(given.contains(note) && given.is_empty() == note.is_empty(), "{mischief:?}: {given:?}");
        assert!(answer.records.len() <= 100);
    }
}

#[tokio::test]
async fn a_text_that_is_too_long_is_left_out_whole_and_said_to_be() {
    let long = server(ZONE);
    let text = format!("\"{}\"", "x".repeat(250));
    long.set("long.example", "TXT", 60, &[&vec![text.as_str(); 20].join(" "), "\"short\""]);
    let upstream = Upstream::new("long".into(), long.address(), false, Duration::from_secs(60)).unwrap();
    let answer = upstream.ask("long.example", Txt).await;
    let data: Vec<&str> = answer.records.iter().map(|record| record.data.as_str()).collect();
    assert_eq!((answer.status, data), (LookupStatus::Answered, vec!["\"short\""]));
    assert_eq!(answer.note.as_deref(), Some("1 of the records not shown, being longer than 4096 bytes"));
}

#[tokio::test]
async fn a_resolver_that_lies_is_seen_beside_one_that_does_not() {
    let (honest, liar) = (server(ZONE), server(ZONE));
    honest.zone(ELSEWHERE);
    liar.set(DOMAIN, "MX", 60, &["5 mx.evil.example."]);
    let snapshot = taken(&[&honest, &liar], options(honest.address().port())).await;
    let found =
        crate::findings(&snapshot, &crate::Plan { new_host: "mx.new.example".into(), ..crate::Plan::default() });
    let lie = found.iter().find(|f| f.kind == gatepost_contract::DnsFindingKind::Disagreement).unwrap();
    for part in ["mx.evil.example", "mx1.old.example", &liar.address().to_string()] {
        assert!(lie.sentence.contains(part), "{}", lie.sentence);
    }
}

#[tokio::test]
async fn a_dead_resolver_is_left_alone_after_a_few_questions() {
    let (alive, dead) = (server(ZONE), server(ZONE));
    alive.zone(ELSEWHERE);
    dead.mischief(Some(Mischief::Silent));
    // Long enough for the one that answers on a busy machine, short enough to wait for the other.
    let options = Options { timeout: Duration::from_secs(5), ..options(alive.address().port()) };
    let snapshot = taken(&[&alive, &dead], options).await;
    let name = dead.address().to_string();
    let answers = || snapshot.answers.iter().filter(|a| a.resolver == name);
    assert!(answers().all(|a| a.status == LookupStatus::Timeout));
    let skipped = answers().filter(|a| a.note.as_deref().is_some_and(|note| note.starts_with("not asked"))).count();
    assert!(skipped * 2 > answers().count(), "{skipped} of {} were not asked", answers().count());
    assert_eq!(mx_hosts(&snapshot).len(), 2, "the other one answered");
}

#[tokio::test]
async fn a_zone_cannot_send_questions_into_the_private_network() {
    let resolver = server(ZONE);
    let options = Options { private_servers: false, ..options(resolver.address().port()) };
    let snapshot = taken(&[&resolver], options).await;
    let own = snapshot.resolvers.iter().find(|resolver| resolver.authoritative).unwrap();
    assert_eq!(own.not_asked.as_deref(), Some("127.0.0.1 is a loopback address"));
    assert!(snapshot.answers.iter().all(|answer| answer.resolver != own.name));
}

#[tokio::test]
async fn the_servers_of_a_domain_without_a_zone_of_its_own_are_found_above_it() {
    let zone = ZONE
        .replace("moved.example 86400 NS", "example.org 86400 NS")
        .replace("moved.example 86400 SOA", "example.org 86400 SOA");
    let resolver = server(&zone);
    resolver.zone("sub.example.org 60 MX 10 mx.sub.example.org.");
    let dns = Dns::new(vec![resolver.address()], options(resolver.address().port()));
    let asked = Asked { domain: "sub.example.org".into(), ..Asked::default() };
    let snapshot = dns.snapshot(&asked, DnsMoment::Before, "ana", AT).await;
    assert!(snapshot.resolvers.iter().any(|resolver| resolver.authoritative), "{:?}", snapshot.resolvers);
}

#[tokio::test]
async fn nonsense_in_names_is_an_answer_and_no_panic() {
    let resolver = server("moved.example 60 NS .");
    resolver.strange_mx(DOMAIN, b"a b\xff\0.\n;");
    let snapshot = taken(&[&resolver], options(resolver.address().port())).await;
    assert_eq!(mx_hosts(&snapshot).len(), 1);
    let asked = Asked { domain: "x".repeat(300), old_hosts: vec!["a..b".into(), String::new()], ..Asked::default() };
    let dns = Dns::new(vec![resolver.address()], options(53));
    let snapshot = dns.snapshot(&asked, DnsMoment::Before, "ana", AT).await;
    assert!(snapshot.answers.iter().all(|answer| answer.status != LookupStatus::Answered));
}
