use super::*;
use crate::findings::tests::{hear, snapshot};

const BEFORE: &str = "moved.example 86400 MX 10 mx1.old.example.\nmoved.example 86400 MX 20 mx2.old.example.";

fn plan(new_mx: &[&str]) -> Plan {
    Plan {
        new_host: "imap.new.example".into(),
        new_mx: new_mx.iter().map(|&host| host.to_owned()).collect(),
        applied: true,
        ..Plan::default()
    }
}

#[test]
fn each_resolver_gives_the_old_mx_the_new_one_or_something_else() {
    let before = snapshot(BEFORE);
    let table = [
        ("moved.example 60 MX 10 mx2.old.example.\nmoved.example 60 MX 20 mx1.old.example.", Spread::Old, Spread::Old),
        ("moved.example 60 MX 10 mx.new.example.", Spread::New, Spread::New),
        ("moved.example 60 MX 10 imap.new.example.", Spread::New, Spread::Other),
        ("moved.example 60 MX 10 mx.evil.example.", Spread::New, Spread::Other),
        (
            "moved.example 60 MX 10 mx.new.example.\nmoved.example 60 MX 20 mx1.old.example.",
            Spread::Other,
            Spread::Other,
        ),
        ("moved.example 60 MX", Spread::Other, Spread::Other),
        ("moved.example ! MX", Spread::Unknown, Spread::Unknown),
    ];
    for (lines, guessed, told) in table {
        let now = snapshot(lines);
        for (plan, expect) in [(plan(&[]), guessed), (plan(&["mx.new.example"]), told)] {
            assert_eq!(propagation(&now, Some(&before), &plan)[0].spread, expect, "{lines} {:?}", plan.new_mx);
        }
    }
}

#[test]
fn a_resolver_is_told_with_its_hosts_and_how_long_it_may_go_on() {
    let mut now = snapshot("moved.example 120 MX 20 mx2.old.example.\nmoved.example 90 MX 10 mx1.old.example.");
    hear(&mut now, "ns (192.0.2.2)", true, "moved.example 300 MX 10 mx.new.example.");
    let told = propagation(&now, Some(&snapshot(BEFORE)), &plan(&["mx.new.example"]));
    assert_eq!(told[0].hosts, ["mx1.old.example", "mx2.old.example"]);
    assert_eq!((told[0].ttl, told[0].spread, told[0].authoritative), (Some(120), Spread::Old, false));
    assert_eq!((told[1].spread, told[1].authoritative), (Spread::New, true));
}

#[test]
fn the_old_mx_is_gone_when_the_last_cache_that_may_hold_it_has_let_it_go() {
    let day = 86_400;
    let reading = |at, ttl| Reading { at, ttl };
    let gone = |readings: &[Reading], cutover, now| {
        let told = countdown(readings, cutover, now).unwrap();
        let gone = OffsetDateTime::parse(&told.old_gone_at, &Rfc3339).unwrap().unix_timestamp();
        (gone, told.seconds_left, told.short_since.is_some())
    };
    // Nothing was lowered: a day after the cutover.
    assert_eq!(gone(&[reading(0, 86_400)], Some(1_000), 1_500), (1_000 + day, day - 500, false));
    // Lowered at some time before 5,000: caches may have fetched the long one until then.
    let lowered = [reading(0, 86_400), reading(5_000, 300)];
    assert_eq!(gone(&lowered, Some(6_000), 6_000).0, 5_000 + day);
    // Lowered long before: five minutes.
    assert_eq!(gone(&lowered, Some(5_000 + 2 * day), 5_000 + 2 * day), (5_000 + 2 * day + 300, 300, false));
    // Over.
    assert_eq!(gone(&[reading(0, 300)], Some(1_000), 9_000), (1_300, 0, false));
    // Before the cutover, as if it were now; the short TTL is everywhere a day after it was seen.
    let told = countdown(&lowered, None, 6_000).unwrap();
    assert_eq!(told.short_since.as_deref(), Some(written(5_000 + day).as_str()));
    assert_eq!((told.ttl, told.longest_ttl), (300, 86_400));
    assert!(!gone(&[reading(0, 86_400)], None, 10).2);
    // A reading after the cutover says nothing about the old MX.
    assert_eq!(gone(&[reading(0, 300), reading(2_000, 86_400)], Some(1_000), 2_500).0, 1_300);
    assert_eq!(countdown(&[], Some(1), 2), None);
}
