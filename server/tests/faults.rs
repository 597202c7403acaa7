//! What goes wrong on the way: each fault is one clear sentence, and no message is lost or doubled by it.

mod common;

use common::{
    Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, check, deliver, id, ids, letter, mailbox, new_server,
    number, old_server, sized_letter, stat, text,
};
use gatepost_testkit::{
    Dovecot, InternalDate, Proxy, ScriptedImap, Snapshot, dovecot::Certificate, on, proxy::Direction, scripted::Mailbox,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};

/// Letters of about 4 KB.
fn fill_inbox(server: &Dovecot, count: usize) {
    deliver(
        &server.account(USER),
        (0..count).map(|n| sized_letter("INBOX", &format!("letter-{n}"), &["\\Seen"], 4_000)),
    );
}

#[test]
fn a_source_that_breaks_off_again_and_again_is_connected_to_anew_in_the_same_run() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    let line = Proxy::start(old.imap_port()).expect("a proxy");
    let journey = Journey::between(line.port(), new.imap_port());
    breaks(&journey, &line, Direction::ToClient, &old, &new);
}

#[test]
fn so_is_a_destination() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    let journey = Journey::between(old.imap_port(), line.port());
    breaks(&journey, &line, Direction::ToServer, &old, &new);
}

fn breaks(journey: &Journey, line: &Proxy, direction: Direction, old: &Dovecot, new: &Dovecot) {
    fill_inbox(old, 250);
    journey.succeed("preflight");
    let before = line.connections();
    // About a quarter of the mail goes through each connection.
    line.cut_each_after(direction, 300_000);
    let run = journey.succeed("initial");
    line.never_cut();
    let log = journey.log(&run);
    assert!(line.connections() - before >= 4, "{log}");
    assert!(log.contains("broke off") && log.contains("Trying again"), "{log}");
    assert_same(&old.account(USER), &new.account(USER));
    assert_eq!(stat(&run, "transferred") + stat(&run, "adopted"), 250, "{run:#}");
}

#[test]
fn a_full_account_ends_the_run_with_a_sentence_and_more_room_lets_it_go_on() {
    let old = old_server().start().expect("a server");
    let mut new = new_server().user_quota_bytes(100_000).start().expect("a server");
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.succeed("preflight");
    // More than the preflight has seen.
    fill_inbox(&old, 40);
    let run = journey.run("initial").remove(0);
    assert_eq!(run["status"], "failed", "{run:#}");
    let mailbox = journey.mailbox();
    let why = text(&mailbox["last_error"]);
    assert_eq!(mailbox["status"], "error");
    assert!(why.contains("is full") && why.contains("Raise its quota"), "{why}");
    let copied = Snapshot::read(&new.account(USER)).expect("it reads").messages.len() as i64;
    assert!((1..40).contains(&copied), "{copied}");
    assert_eq!(number(&mailbox["messages_dest"]), copied, "what arrived is recorded: {mailbox:#}");

    let users = new.dir().join("users");
    let roomier = fs::read_to_string(&users).expect("a file").replace("bytes=100000", "bytes=10000000");
    fs::write(&users, roomier).expect("a file");
    new.restart().expect("a server");
    let again = journey.post(&format!("/migration/runs/{}/retry", id(&run)), &Value::Null).expect(202).json();
    let run = journey.ended(ids(&again)[0]);
    assert_eq!((&run["status"], stat(&run, "transferred")), (&json!("success"), 40 - copied), "{run:#}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_message_that_is_too_large_is_quarantined_shuts_the_gate_and_can_be_waived() {
    let old = old_server().start().expect("a server");
    let new = new_server().max_message_bytes(50_000).start().expect("a server");
    deliver(&old.account(USER), [letter("INBOX", "one", &[]), letter("INBOX", "two", &[])]);
    deliver(&old.account(USER), [sized_letter("INBOX", "huge", &[], 100_000)]);
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.run("preflight");
    let initial = journey.run("initial").remove(0);
    assert_eq!((&initial["status"], stat(&initial, "quarantined")), (&json!("partial"), 1), "{initial:#}");
    assert_eq!(journey.mailbox()["status"], "quarantine");
    journey.run("delta");
    journey.run("verify");
    let gate = journey.gate();
    assert_eq!((&gate["gate"], check(&gate, "pst_quarantine").0.as_str()), (&json!("blocked"), "fail"), "{gate:#}");
    let held = journey.get(&journey.path("/quarantine"));
    assert_eq!(number(&held["total"]), 1, "{held:#}");
    let cause = text(&held["items"][0]["cause"]);
    assert!(cause.contains("50000") && cause.contains("waive"), "{cause}");

    let waive = format!("/migration/quarantine/{}/waive", number(&held["items"][0]["message_id"]));
    let reason = json!({"reason": "The sender has it, the customer said."});
    journey.server.call(&journey.technician, "POST", &waive, &reason).problem(403, "forbidden");
    journey.server.call(&journey.lead, "POST", &waive, &json!({"reason": "short"})).problem(422, "invalid");
    journey.server.call(&journey.lead, "POST", &waive, &reason).expect(204);
    let gate = journey.gate();
    assert_eq!((&gate["gate"], check(&gate, "pst_quarantine").0.as_str()), (&json!("warning"), "warn"), "{gate:#}");
    let totals = journey.evidence()["totals"].clone();
    assert_eq!(["source", "arrived", "waived", "quarantined"].map(|of| number(&totals[of])), [3, 2, 1, 0]);
    assert_eq!(journey.audit("message.waive").len(), 1);
    journey.run("delta");
    journey.run("verify");
    assert_eq!(journey.gate()["gate"], "warning", "a waiver outlives the next verification");
}

#[test]
fn each_server_that_cannot_be_used_is_a_sentence_of_its_own_and_the_other_mailboxes_go_on() {
    let old = old_server().start().expect("a server");
    let expired = old_server().certificate(Certificate::Expired).start().expect("a server");
    let smtp = ScriptedImap::builder().greeting("220 mx.example ESMTP\r\n").start().expect("a server");
    let closed = Proxy::start(old.imap_port()).expect("a proxy");
    closed.refuse(true);
    deliver(&old.account(USER), [letter("INBOX", "one", &[])]);
    let cases = [
        ("fine", json!({}), "Ready to copy"),
        ("password", json!({"source_secret": {"password": "wrong one"}}), "password"),
        ("unknown", json!({"source_host": "no-such-host.invalid"}), "does not resolve"),
        ("closed", json!({"source_port": closed.port()}), "127.0.0.1"),
        ("smtp", json!({"source_port": smtp.port()}), "Check the host and the port"),
        ("untrusted", json!({"source_port": old.imaps_port(), "source_security": "tls"}), "certificate"),
        ("expired", json!({"source_port": expired.imaps_port(), "source_security": "tls"}), "certificate"),
        ("plaintext", json!({"source_port": old.imap_port(), "source_security": "tls"}), "TLS"),
        ("metadata", json!({"source_host": "169.254.169.254", "source_security": "tls"}), "metadata"),
        ("mapped", json!({"source_host": "::ffff:169.254.169.254", "source_security": "tls"}), "metadata"),
    ];
    let new = cases.iter().fold(new_server(), |new, (name, ..)| new.user(format!("{name}@move.example"), NEW_PASSWORD));
    let new = new.start().expect("a server");
    let mailboxes: Vec<Value> = cases
        .iter()
        .map(|(name, change, _)| {
            let mut mailbox = mailbox(&format!("{name}@move.example"), old.imap_port());
            mailbox["source_user"] = json!(USER);
            for (key, value) in change.as_object().expect("an object") {
                mailbox[key] = value.clone();
            }
            mailbox
        })
        .collect();
    let journey = Journey::with(&[("GATEPOST_WORKERS", "4")], new.imap_port(), &mailboxes);
    let runs = journey.run("preflight");
    for (((name, _, says), run), mailbox) in cases.iter().zip(&runs).zip(journey.mailboxes()) {
        let summary = text(&run["summary"]);
        assert!(summary.contains(says), "{name}: {summary}");
        assert!(!summary.contains(OLD_PASSWORD) && !summary.contains(NEW_PASSWORD), "{name}: {summary}");
        if *name == "fine" {
            assert_eq!((&run["status"], &mailbox["last_error"]), (&json!("success"), &Value::Null), "{summary}");
        } else {
            assert_eq!((&run["status"], &mailbox["status"]), (&json!("failed"), &json!("error")), "{name}: {summary}");
            assert_eq!(text(&mailbox["last_error"]), summary);
            assert!(summary.len() > 40 && summary.ends_with('.'), "{name}: {summary}");
        }
    }
    let said: BTreeSet<String> = runs.iter().map(|run| text(&run["summary"])).collect();
    assert_eq!(said.len(), cases.len(), "no two faults read alike: {said:#?}");
    assert_eq!(journey.job()["phase"], "preflight", "one mailbox is ready");
}

#[test]
fn a_folder_that_vanishes_is_named_and_the_others_are_copied() {
    let date = InternalDate { unix_seconds: 1_700_000_000, zone_minutes: 0 };
    let with_mail = |name: &str| {
        let messages = (0..3).map(|n| letter(name, &format!("{name}-{n}"), &[]).bytes);
        messages.fold(Mailbox::new(name), |mailbox, bytes| mailbox.message(bytes, date, &[]))
    };
    let old = ScriptedImap::builder()
        .user(USER, OLD_PASSWORD)
        .mailbox(with_mail("INBOX"))
        .mailbox(with_mail("Velha"))
        .mailbox(with_mail("Zebra"))
        .start()
        .expect("a server");
    let new = new_server().start().expect("a server");
    let journey = Journey::between(old.port(), new.imap_port());
    journey.succeed("preflight");
    old.rule(on("EXAMINE Velha").no("[NONEXISTENT] Mailbox doesn't exist: Velha"));
    let run = journey.run("initial").remove(0);
    assert_eq!((&run["status"], stat(&run, "transferred")), (&json!("partial"), 6), "{run:#}");
    let mailbox = journey.mailbox();
    let why = text(&mailbox["last_error"]);
    assert!(why.contains("Velha") && why.contains("renamed or deleted"), "{why}");
    assert_eq!(mailbox["status"], "error");
    let steps = journey.get(&format!("/migration/runs/{}", id(&run)))["steps"].clone();
    let failed: Vec<&Value> = steps.as_array().expect("a list").iter().filter(|s| s["status"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{steps:#}");
    assert_eq!(failed[0]["name"], "Velha");

    old.clear_rules();
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 3);
    journey.succeed("verify");
    assert_eq!(journey.mailbox()["last_error"], Value::Null);
    assert_same(&old.account(), &new.account(USER));
    let changing = ["SELECT", "STORE", "UID STORE", "EXPUNGE", "DELETE", "RENAME", "CREATE", "APPEND", "COPY", "CLOSE"];
    let sent: Vec<String> = changing.iter().flat_map(|command| old.commands_matching(command)).collect();
    assert!(sent.is_empty(), "the source was sent {sent:?}");
}
