use super::*;
use gatepost_contract::{DnsAnswer, DnsMoment, DnsRecord, DnsResolver, LookupStatus, RecordType};

/// A snapshot from lines `name ttl TYPE data`, as one resolver gives it; without data the name has no such record.
pub fn snapshot(lines: &str) -> DnsSnapshot {
    let mut made = DnsSnapshot {
        id: None,
        domain: "moved.example".into(),
        taken_at: "2026-11-21T10:00:00Z".into(),
        moment: DnsMoment::Before,
        taken_by: "ana".into(),
        resolvers: Vec::new(),
        answers: Vec::new(),
    };
    hear(&mut made, "192.0.2.53", false, lines);
    made
}

/// Adds what another resolver says.
pub fn hear(snapshot: &mut DnsSnapshot, resolver: &str, authoritative: bool, lines: &str) {
    snapshot.resolvers.push(DnsResolver { name: resolver.into(), authoritative, not_asked: None });
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(4, ' ');
        let (name, ttl, kind) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let data = words.next();
        let asked: RecordType = if kind == "CNAME" { RecordType::A } else { kind.parse().unwrap() };
        let answers = &mut snapshot.answers;
        let known = answers.iter().position(|a| a.resolver == resolver && a.name == name && a.record_type == asked);
        let place = known.unwrap_or_else(|| {
            answers.push(DnsAnswer {
                name: name.into(),
                record_type: asked,
                resolver: resolver.into(),
                status: LookupStatus::Empty,
                records: Vec::new(),
                note: None,
            });
            answers.len() - 1
        });
        match (data, ttl) {
            (Some(data), _) => {
                answers[place].status = LookupStatus::Answered;
                answers[place].records.push(DnsRecord {
                    name: name.into(),
                    record_type: kind.parse().unwrap(),
                    ttl: ttl.parse().unwrap(),
                    data: data.into(),
                });
            }
            (None, "!") => answers[place].status = LookupStatus::Servfail,
            (None, _) => {}
        }
    }
}

fn plan() -> Plan {
    Plan { old_hosts: vec!["imap.old.example".into()], new_host: "mx.new.example".into(), ..Plan::default() }
}

const GOOD: &str = "
moved.example 300 MX 10 mx.old.example.
mx.old.example 300 A 192.0.2.1
mx.old.example 300 AAAA
imap.old.example 300 A 192.0.2.1
imap.old.example 300 AAAA
mx.new.example 300 A 198.51.100.1
mx.new.example 300 AAAA
moved.example 300 TXT \"v=spf1 mx -all\"
_dmarc.moved.example 300 TXT \"v=DMARC1; p=none\"
mine._domainkey.moved.example 300 TXT \"v=DKIM1; p=AAAA\"
";

fn kinds(lines: &str, plan: &Plan) -> Vec<(Severity, DnsFindingKind)> {
    let plan = Plan { selectors: vec!["mine".into()], ..plan.clone() };
    findings(&snapshot(&format!("{GOOD}{lines}")), &plan).into_iter().map(|f| (f.severity, f.kind)).collect()
}

#[test]
fn a_domain_that_is_ready_has_only_its_dkim_key_to_think_of() {
    assert_eq!(kinds("", &plan()), [(Severity::Info, DnsFindingKind::DkimOld)]);
}

#[test]
fn each_trap_is_found() {
    use DnsFindingKind as K;
    use Severity::{Info, Problem, Warning};
    let table = [
        ("moved.example 86400 MX 20 mx.old.example.", Warning, K::MxTtl),
        ("moved.example 1800 MX 20 mx.old.example.", Info, K::MxTtl),
        ("moved.example 300 MX 20 mx.new.example.", Problem, K::MxMixed),
        ("moved.example 300 MX 20 192.0.2.9.", Problem, K::MxCname),
        ("mx.old.example 300 CNAME other.example.", Warning, K::MxCname),
        ("moved.example 300 MX 20 gone.example.\ngone.example 1 A\ngone.example 1 AAAA", Warning, K::MxNoAddress),
        ("moved.example 300 TXT \"v=spf1 -all\"", Problem, K::SpfSeveral),
        ("_dmarc.moved.example 300 TXT", Info, K::DkimOld),
        ("_mta-sts.moved.example 300 TXT \"v=STSv1; id=1\"", Warning, K::MtaSts),
        ("autodiscover.moved.example 300 CNAME imap.old.example.", Warning, K::ClientsOld),
        ("mail.moved.example 300 A 192.0.2.1", Warning, K::ClientsOld),
        ("_imaps._tcp.moved.example 300 SRV 0 1 993 imap.old.example.", Warning, K::ClientsOld),
    ];
    for (lines, severity, kind) in table {
        let found = kinds(lines, &plan());
        assert!(found.contains(&(severity, kind)), "{lines}: {found:?}");
    }
}

#[test]
fn what_is_missing_is_found_too() {
    use DnsFindingKind as K;
    let table = [
        ("moved.example 300 MX", K::MxMissing),
        ("moved.example 300 MX 0 .", K::MxNull),
        ("moved.example 300 MX 10 mx.new.example.\nmx.new.example 300 A\nmx.new.example 300 AAAA", K::NewHostNoAddress),
        ("moved.example 300 MX 10 mx.new.example.", K::MxChanged),
        ("moved.example 300 MX 10 mx.old.example.\nmoved.example 300 TXT", K::SpfMissing),
        ("moved.example 300 MX 10 mx.old.example.\n_dmarc.moved.example 300 TXT", K::DmarcMissing),
        (
            "moved.example 300 MX 10 mx.old.example.\n_dmarc.moved.example 300 TXT \"v=DMARC1; p=reject\"",
            K::DmarcStrict,
        ),
        ("moved.example 300 MX 10 mx.old.example.", K::DkimMissing),
        ("moved.example ! MX", K::NoAnswer),
        (
            "moved.example 300 MX 10 mx.old.example.\nmoved.example 300 TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
             mx.new.example 300 A 198.51.100.1\nmx.new.example 300 AAAA",
            K::SpfNewHost,
        ),
    ];
    for (lines, kind) in table {
        let found = findings(&snapshot(lines), &plan());
        assert!(found.iter().any(|f| f.kind == kind), "{lines}: {found:#?}");
    }
    let plan = Plan { old_hosts: vec!["mail.moved.example".into()], ..plan() };
    let found = findings(&snapshot("moved.example 300 MX 10 mail.moved.example."), &plan);
    assert!(found.iter().any(|f| f.kind == K::OldHostInDomain), "{found:#?}");
}

#[test]
fn after_the_change_the_new_mx_is_no_finding_and_the_old_ttl_neither() {
    let plan = Plan { applied: true, ..plan() };
    let lines = GOOD.replace("moved.example 300 MX 10 mx.old", "moved.example 86400 MX 10 mx.new");
    let found = findings(&snapshot(&lines), &plan);
    let wrong = [DnsFindingKind::MxChanged, DnsFindingKind::MxTtl, DnsFindingKind::MxMixed];
    assert!(!found.iter().any(|f| wrong.contains(&f.kind)), "{found:#?}");
}

#[test]
fn the_gravest_stands_first_and_silence_is_told() {
    let mut made = snapshot(&format!("{GOOD}moved.example 300 MX 20 mx.new.example."));
    hear(&mut made, "192.0.2.54", false, "moved.example ! MX");
    hear(&mut made, "ns.moved.example (192.0.2.55)", true, "moved.example 86400 MX 10 mx.old.example.");
    let found = findings(&made, &plan());
    assert!(found.is_sorted_by_key(|f| std::cmp::Reverse(f.severity)), "{found:#?}");
    let silent = found.iter().find(|f| f.kind == DnsFindingKind::ResolverSilent).unwrap();
    assert_eq!(silent.subject, "192.0.2.54");
    assert!(found.iter().any(|f| f.kind == DnsFindingKind::Disagreement));
    let ttl = found.iter().find(|f| f.kind == DnsFindingKind::MxTtl).unwrap();
    assert!(ttl.sentence.contains("for 1 day (TTL 86400)"), "the zone's own server knows the TTL: {}", ttl.sentence);
}

#[test]
fn spans_of_time_are_said_in_words() {
    for (seconds, words) in [
        (1, "1 second"),
        (90, "90 seconds"),
        (300, "5 minutes"),
        (3_600, "60 minutes"),
        (14_400, "4 hours"),
        (86_400, "1 day"),
        (172_800, "2 days"),
        (u32::MAX, "49711 days"),
    ] {
        assert_eq!(in_words(seconds), words);
    }
}
