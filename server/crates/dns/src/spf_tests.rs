use super::*;
use crate::findings::tests::snapshot;

fn covered(zone: &str, ip: &str) -> Covered {
    let snapshot = snapshot(zone);
    let mx = ["198.51.100.7".parse().unwrap()].into();
    covers(View(&snapshot), "moved.example", &mx, &[ip.parse().unwrap()].into())
}

#[test]
fn an_address_is_covered_by_what_spf_says() {
    let table = [
        ("v=spf1 ip4:192.0.2.1 -all", "192.0.2.1", Covered::Yes),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.99", Covered::Yes),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.1", Covered::No),
        ("v=spf1 ip4:0.0.0.0/0", "203.0.113.1", Covered::Yes),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", Covered::Yes),
        ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", Covered::No),
        ("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", Covered::No),
        ("v=spf1 ~ip4:192.0.2.1 +all", "192.0.2.1", Covered::No),
        ("V=SPF1 +ALL", "192.0.2.1", Covered::Yes),
        ("v=spf1 mx -all", "198.51.100.7", Covered::Yes),
        ("v=spf1 mx/24 -all", "198.51.100.9", Covered::Yes),
        ("v=spf1 mx -all", "198.51.100.8", Covered::No),
        ("v=spf1 a:host.example -all", "203.0.113.5", Covered::Yes),
        ("v=spf1 a -all", "203.0.113.6", Covered::Yes),
        ("v=spf1 a:unknown.example -all", "203.0.113.5", Covered::Unknown),
        // What stands behind cannot help either, as long as something before it is unknown.
        ("v=spf1 exists:%{i}.example -all", "203.0.113.5", Covered::Unknown),
        ("v=spf1 include:spf.example -all", "203.0.113.9", Covered::Yes),
        ("v=spf1 include:loop.example -all", "203.0.113.9", Covered::No),
        ("v=spf1 include:unread.example", "203.0.113.9", Covered::Unknown),
        ("v=spf1 redirect=spf.example", "203.0.113.9", Covered::Yes),
        ("v=spf1 ip4:nonsense/99 ip4:/ a: include: -all", "203.0.113.9", Covered::No),
        ("v=spf10 +all", "203.0.113.9", Covered::No),
    ];
    for (record, ip, expect) in table {
        let zone = format!(
            "moved.example 60 TXT \"{record}\"\nmoved.example 60 A 203.0.113.6\nmoved.example 60 AAAA\n\
             host.example 60 A 203.0.113.5\nhost.example 60 AAAA\n\
             spf.example 60 TXT \"v=spf1 ip4:203.0.113.9\"\nloop.example 60 TXT \"v=spf1 include:loop.example -all\""
        );
        assert_eq!(covered(&zone, ip), expect, "{record} {ip}");
    }
}

#[test]
fn includes_are_followed_until_all_are_known() {
    let zone = "moved.example 60 TXT \"v=spf1 include:A.example include:b.example -all\"\n\
        a.example 60 TXT \"v=spf1 include:a.example include:c.example. -all\"";
    let one = snapshot(zone);
    assert_eq!(next_include(View(&one), "moved.example").as_deref(), Some("b.example"));
    let two = snapshot(&format!("{zone}\nb.example 60 TXT\n"));
    assert_eq!(next_include(View(&two), "moved.example").as_deref(), Some("c.example"));
    let three = snapshot(&format!("{zone}\nb.example 60 TXT\nc.example 60 TXT \"v=spf1 ip4:192.0.2.1\""));
    assert_eq!(next_include(View(&three), "moved.example"), None);
}
