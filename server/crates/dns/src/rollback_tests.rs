use super::*;
use crate::findings::tests::snapshot;

const BEFORE: &str = "
moved.example 86400 MX 10 mx1.old.example.
moved.example 86400 MX 20 mx2.old.example.
moved.example 3600 TXT \"v=spf1 mx -all\"
moved.example 3600 TXT \"verification=1\"
autodiscover.moved.example 600 CNAME autodiscover.old.example.
mail.moved.example 600 A 192.0.2.1
moved.example 1 NS ns.old.example.
mx1.old.example 300 A 192.0.2.1
";

fn lines(records: &[DnsRecord]) -> Vec<String> {
    records.iter().map(|r| format!("{} {} {}", r.name, r.record_type, r.data)).collect()
}

#[test]
fn without_a_newer_reading_all_old_values_of_the_domain_are_on_the_sheet() {
    let sheet = rollback(&snapshot(BEFORE), None);
    assert_eq!(sheet.records.len(), 6, "the old servers' own names are not ours: {:?}", lines(&sheet.records));
    for line in [
        "moved.example. 86400 IN MX 10 mx1.old.example.",
        "autodiscover.moved.example. 600 IN CNAME autodiscover.old.example.",
    ] {
        assert!(sheet.zone.lines().any(|l| l == line), "{}", sheet.zone);
    }
    assert!(sheet.remove.is_empty());
}

#[test]
fn only_what_differs_is_put_back_and_what_is_new_is_taken_out() {
    let now = BEFORE
        .replace("moved.example 86400 MX 10 mx1.old", "moved.example 300 MX 10 mx.new")
        .replace("moved.example 86400 MX 20 mx2.old.example.", "")
        .replace("v=spf1 mx -all", "v=spf1 a:mx.new.example -all")
        .replace(
            "autodiscover.moved.example 600 CNAME autodiscover.old.example.",
            "autodiscover.moved.example 600 A 198.51.100.1",
        )
        .replace("mail.moved.example 600 A 192.0.2.1", "mail.moved.example 60 A 192.0.2.1");
    let sheet = rollback(&snapshot(BEFORE), Some(&snapshot(&now)));
    assert_eq!(
        lines(&sheet.records),
        [
            "moved.example MX 10 mx1.old.example.",
            "moved.example MX 20 mx2.old.example.",
            "moved.example TXT \"v=spf1 mx -all\"",
            "autodiscover.moved.example CNAME autodiscover.old.example.",
        ]
    );
    assert_eq!(
        lines(&sheet.remove),
        [
            "moved.example MX 10 mx.new.example.",
            "moved.example TXT \"v=spf1 a:mx.new.example -all\"",
            "autodiscover.moved.example A 198.51.100.1",
        ]
    );
    // A zone file that a server can read: what is taken out and what stays are comments.
    let active: Vec<&str> = sheet.zone.lines().filter(|l| !l.is_empty() && !l.starts_with([';', '$'])).collect();
    assert_eq!(active.len(), 4, "{}", sheet.zone);
    assert!(sheet.zone.contains("; mail.moved.example. 600 IN A 192.0.2.1"), "{}", sheet.zone);
}

#[test]
fn where_nothing_was_changed_there_is_nothing_to_put_back() {
    let sheet = rollback(&snapshot(BEFORE), Some(&snapshot(BEFORE)));
    assert!(sheet.records.is_empty() && sheet.remove.is_empty());
    assert!(sheet.zone.contains("nothing to put back"), "{}", sheet.zone);
}

#[test]
fn what_could_not_be_read_again_is_put_back_once_too_often_rather_than_not() {
    let sheet = rollback(&snapshot("moved.example 60 MX 10 mx.old.example."), Some(&snapshot("moved.example ! MX")));
    assert_eq!(lines(&sheet.records), ["moved.example MX 10 mx.old.example."]);
}

#[test]
fn what_was_left_out_of_the_old_values_is_named_on_the_sheet() {
    let mut before = snapshot(BEFORE);
    let text = before.answers.iter_mut().find(|a| a.record_type == RecordType::Txt).unwrap();
    text.note = Some("1 of the records not shown,\nbeing longer than 4096 bytes".into());
    let sheet = rollback(&before, Some(&before));
    let line = "; moved.example. TXT: 1 of the records not shown, being longer than 4096 bytes";
    assert!(sheet.zone.lines().any(|l| l == line), "{}", sheet.zone);
    assert!(!rollback(&snapshot(BEFORE), None).zone.contains("by hand"));
}
