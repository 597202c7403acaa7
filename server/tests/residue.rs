//! What is missing after a copy between two real servers: listed, read, downloaded, tried again, given up and taken
//! back, through the REST API of a real `gatepost`.

mod common;

use common::{
    Journey, USER, deliver, ids, letter, mailbox, new_server, number, old_server, raw::Raw, sized_letter, text,
    wait_for,
};
use gatepost_testkit::{Dovecot, InternalDate, ScriptedImap, on, scripted::Mailbox};
use serde_json::{Value, json};

/// What the new server takes at most, in bytes.
const LIMIT: u64 = 50_000;

/// Two servers and a job whose first copy left three letters over: two of the INBOX, one of the folder of sent mail.
struct Stage {
    old: Dovecot,
    new: Dovecot,
    journey: Journey,
}

impl Stage {
    fn set() -> Self {
        let old = old_server().start().expect("a server");
        let new = new_server().max_message_bytes(LIMIT).start().expect("a server");
        let large = |folder: &str, name: &str| sized_letter(folder, name, &["\\Seen"], 60_000);
        deliver(
            &old.account(USER),
            [
                letter("INBOX", "small-1", &[]),
                large("INBOX", "large-1"),
                large("INBOX", "large-2"),
                letter("Enviados", "small-2", &[]),
                large("Enviados", "large-3"),
            ],
        );
        let journey = Journey::between(old.imap_port(), new.imap_port());
        journey.succeed("preflight");
        let run = journey.run("initial").remove(0);
        assert_eq!(run["status"], "partial", "{run:#}\n{}", journey.log(&run));
        journey.run("verify");
        Self { old, new, journey }
    }

    /// The residue with a filter.
    #[track_caller]
    fn residue(&self, filter: &str) -> Vec<Value> {
        let page = self.journey.get(&self.journey.path(&format!("/residue?sort=id&{filter}")));
        page["items"].as_array().expect("a list").clone()
    }

    #[track_caller]
    fn lead(&self, method: &str, path: &str, body: &Value) -> common::kit::Reply {
        self.journey.server.call(&self.journey.lead, method, path, body)
    }

    /// `arrived + pending + quarantined + waived` of the whole job.
    #[track_caller]
    fn sum(&self) -> [i64; 4] {
        let totals = self.journey.evidence()["totals"].clone();
        ["arrived", "pending", "quarantined", "waived"].map(|part| number(&totals[part]))
    }

    fn raise_limit(&mut self) {
        self.new.restart_with_limit(50_000_000).expect("a server");
    }
}

#[test]
fn what_is_refused_is_listed_read_and_downloaded_as_it_is() {
    let stage = Stage::set();
    let journey = &stage.journey;
    let items = stage.residue("");
    assert_eq!(items.len(), 3, "{items:#?}");
    for item in &items {
        assert_eq!((&item["state"], &item["cause_kind"]), (&json!("quarantined"), &json!("too_large")), "{item:#}");
        assert!(text(&item["cause"]).contains("50"), "the limit is named: {item:#}");
        assert!(text(&item["first_seen_at"]).ends_with('Z') && item["folder_id"].is_i64(), "{item:#}");
        assert_eq!(item["from"], "a@b.example", "{item:#}");
    }
    assert_eq!(items[0]["subject"], "large-1");
    let folder = &items[0]["folder_id"];
    for (filter, count) in [
        ("cause_kind=too_large", 3),
        ("cause_kind=gone", 0),
        ("state=waived", 0),
        ("q=large-3", 1),
        (format!("folder_id={folder}").as_str(), 2),
    ] {
        assert_eq!(stage.residue(filter).len(), count, "{filter}");
    }
    journey.server.get(&journey.technician, &journey.path("/residue?cause_kind=bad_luck")).problem(422, "invalid");
    let classes = journey.get(&journey.path("/residue/classes"));
    let sizes: Vec<i64> = classes.as_array().expect("a list").iter().map(|class| number(&class["messages"])).collect();
    assert_eq!(sizes, [2, 1]);

    let csv = journey.server.get(&journey.technician, &journey.path("/residue.csv")).expect(200);
    assert_eq!(csv.text.lines().count(), 4, "{}", csv.text);
    assert!(csv.header("content-disposition").starts_with("attachment"), "{csv:?}");
    let json = journey.get(&journey.path("/residue.json"));
    assert_eq!(json["items"].as_array().expect("a list"), &items);

    let message = format!("/migration/quarantine/{}", items[0]["message_id"]);
    let headers = journey.get(&format!("{message}/headers"));
    let lines: Vec<String> = headers["lines"].as_array().expect("a list").iter().map(text).collect();
    assert_eq!(lines[2], "Subject: large-1", "{lines:#?}");
    assert_eq!((lines.len(), &headers["truncated"]), (4, &json!(false)));
    let file = journey.server.get(&journey.technician, &format!("{message}/message")).expect(200);
    assert_eq!(file.text.as_bytes(), sized_letter("INBOX", "large-1", &[], 60_000).bytes);
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", &format!("attachment; filename=\"message-{}.eml\"", items[0]["message_id"])),
        ("content-length", &file.text.len().to_string()),
    ] {
        assert_eq!(file.header(name), value);
    }
    assert!(file.header("content-security-policy").contains("sandbox"), "{file:?}");
    // Who reads the customer's mail is written down; what has arrived can be read by nobody here.
    assert_eq!((journey.audit("message.headers").len(), journey.audit("message.download").len()), (1, 1));
    let all: Vec<i64> = items.iter().map(|item| number(&item["message_id"])).collect();
    let arrived = (1..=5).find(|id| !all.contains(id)).expect("two have arrived");
    let path = format!("/migration/quarantine/{arrived}/message");
    journey.server.get(&journey.technician, &path).problem(404, "not_found");
}

#[test]
fn a_class_is_waived_only_as_it_was_shown_and_can_be_taken_back() {
    let stage = Stage::set();
    let journey = &stage.journey;
    assert_eq!(stage.sum(), [2, 0, 3, 0]);
    let before = journey.evidence()["evidence_id"].clone();
    let inbox = stage.residue("q=large-1")[0]["folder_id"].clone();
    let path = journey.path("/waivers");
    let class = |count: i64| json!({"folder_id": inbox, "cause_kind": "too_large", "expected_count": count, "reason": "agreed by telephone"});
    journey.post(&path, &class(2)).problem(403, "forbidden");
    let problem = stage.lead("POST", &path, &class(3)).problem(409, "residue_changed");
    assert!(text(&problem["detail"]).contains("3 messages were shown, 2 match now"), "{problem}");
    assert_eq!(problem["changes"], json!([{"figure": "messages", "seen": 3, "now": 2}]));
    let problem = stage.lead("POST", &path, &json!({"reason": "short", "expected_count": 0})).problem(422, "invalid");
    assert_eq!(problem["errors"].as_array().expect("a list").len(), 2, "{problem}");
    assert_eq!(stage.sum(), [2, 0, 3, 0]);

    let reply = stage.lead("POST", &path, &class(2)).expect(201);
    let decision = reply.json();
    assert_eq!(reply.header("location"), format!("/api/v1/migration/waivers/{}", decision["id"]));
    assert_eq!((number(&decision["messages"]), number(&decision["standing"])), (2, 2));
    assert_eq!((&decision["folder"], &decision["email"]), (&json!("INBOX"), &json!(USER)));
    assert_eq!(stage.sum(), [2, 0, 1, 2]);
    assert_ne!(journey.evidence()["evidence_id"], before, "new evidence stands beside the old");
    let waived = stage.residue("state=waived");
    assert_eq!(waived[0]["waiver"]["reason"], "agreed by telephone", "{:#}", waived[0]);
    let rows = journey.audit("messages.waive");
    assert_eq!(rows.len(), 1, "one row for the whole class");
    let after = text(&rows[0]["after"]);
    assert!(after.contains("\"messages\":2") && after.contains("too_large"), "{after}");
    stage.lead("POST", &path, &class(2)).problem(409, "residue_changed");

    // A verification finds them missing as before, and leaves them waived.
    journey.run("verify");
    assert_eq!(stage.sum(), [2, 0, 1, 2]);

    let one = format!("/migration/waivers/{}", decision["id"]);
    journey.server.call(&journey.technician, "DELETE", &one, &Value::Null).problem(403, "forbidden");
    stage.lead("DELETE", &format!("{one}?batch=true&reason=too+hasty"), &Value::Null).expect(204);
    assert_eq!(stage.sum(), [2, 0, 3, 0]);
    let listed = journey.get(&path)["items"][0].clone();
    assert_eq!(number(&listed["standing"]), 0);
    assert!(text(&listed["expired_why"]).ends_with("too hasty"), "{listed:#}");
    stage.lead("DELETE", &one, &Value::Null).problem(409, "not_standing");
    assert_eq!(journey.audit("waiver.withdraw").len(), 1);
}

#[test]
fn refused_messages_are_tried_again_one_by_one_and_together() {
    let mut stage = Stage::set();
    let items = stage.residue("");
    let path = format!("/migration/quarantine/{}/retry", items[0]["message_id"]);
    let retried = stage.journey.post(&path, &Value::Null).expect(202).json();
    assert_eq!(number(&retried["messages"]), 1);
    let run = stage.journey.ended(ids(&retried)[0]);
    assert_eq!(run["run_type"], "delta", "{run:#}");
    assert_eq!(stage.residue("state=quarantined").len(), 3, "the limit is as it was");

    stage.raise_limit();
    let all = stage.journey.path("/quarantine/retry");
    stage.journey.post(&all, &json!({"expected_count": 7})).problem(409, "residue_changed");
    wait_for("the end of all runs", || (number(&stage.journey.job()["active_runs"]) == 0).then_some(()));
    let retried = stage.journey.post(&all, &json!({"expected_count": 3})).expect(202).json();
    assert_eq!((number(&retried["messages"]), ids(&retried).len()), (3, 1));
    let run = stage.journey.ended(ids(&retried)[0]);
    assert_eq!(run["status"], "success", "{run:#}\n{}", stage.journey.log(&run));
    wait_for("the end of all runs", || (number(&stage.journey.job()["active_runs"]) == 0).then_some(()));
    assert!(stage.residue("").is_empty());
    stage.journey.post(&all, &json!({})).problem(409, "nothing_selected");
    common::assert_same(&stage.old.account(USER), &stage.new.account(USER));
}

#[test]
fn a_waiver_ends_when_its_message_arrives_after_all_or_goes_from_the_source() {
    let stage = Stage::set();
    let journey = &stage.journey;
    // Somebody deletes a message that had arrived; it is given up together with those that were refused.
    Raw::within(&stage.new.account(USER), "INBOX", &["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"]);
    journey.run("verify");
    assert_eq!(stage.sum(), [1, 1, 3, 0]);
    let path = journey.path("/waivers");
    stage.lead("POST", &path, &json!({"expected_count": 4, "reason": "agreed by telephone"})).expect(201);
    assert_eq!(stage.sum(), [1, 0, 0, 4]);
    // It is put back by hand, and one of the others is deleted at the source.
    deliver(&stage.new.account(USER), [letter("INBOX", "small-1", &[])]);
    Raw::within(&stage.old.account(USER), "Enviados", &["STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"]);
    journey.succeed("delta");
    wait_for("the end of all runs", || (number(&journey.job()["active_runs"]) == 0).then_some(()));
    journey.run("verify");
    assert_eq!(stage.sum(), [2, 0, 0, 2]);
    let decision = journey.get(&path)["items"][0].clone();
    assert_eq!((number(&decision["messages"]), number(&decision["standing"])), (4, 2), "{decision:#}");
    let reasons: Vec<String> = journey.audit("waiver.expire").iter().map(|row| text(&row["reason"])).collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("arrived after all")), "{reasons:?}");
    assert!(reasons.iter().any(|why| why.contains("not at the source any more")), "{reasons:?}");
}

#[test]
fn a_source_that_does_not_deliver_is_told_in_its_own_words() {
    let mail = |n: u32| format!("Subject: letter {n}\r\nMessage-Id: <{n}@b.example>\r\n\r\nhello {n}\r\n").into_bytes();
    let date = InternalDate { unix_seconds: 1_700_000_000, zone_minutes: 0 };
    let inbox = Mailbox::new("INBOX").message(mail(1), date, &[]).message(mail(2), date, &[]);
    let old = ScriptedImap::builder().mailbox(inbox).start().expect("a server");
    let new = new_server().start().expect("a server");
    let journey = Journey::with(&[], new.imap_port(), &[mailbox(USER, old.port())]);
    journey.succeed("preflight");
    // It refuses to deliver any body, so both are quarantined.
    for uids in ["1:2 ", "1 ", "2 ", "1,2 "] {
        old.rule(on(format!("UID FETCH {uids}")).no("the disk is worn"));
    }
    let run = journey.run("initial").remove(0);
    let residue = journey.get(&journey.path("/residue?sort=id"));
    let items = residue["items"].as_array().expect("a list");
    assert!(!items.is_empty(), "{run:#}\n{}", journey.log(&run));
    let message = format!("/migration/quarantine/{}", items[0]["message_id"]);
    for what in ["message", "headers"] {
        let reply = journey.server.get(&journey.technician, &format!("{message}/{what}"));
        let problem = reply.problem(502, "source_failed");
        assert!(text(&problem["detail"]).contains("the disk is worn"), "{problem}");
    }
    old.clear_rules();
    let file = journey.server.get(&journey.technician, &format!("{message}/message")).expect(200);
    assert_eq!(file.text.as_bytes(), mail(1));
    assert!(old.changing_commands().is_empty(), "{:?}", old.changing_commands());

    // A message that has gone, and a folder that was numbered anew, are no longer what the ledger means.
    old.change("INBOX", |inbox| inbox.renumber(77));
    let problem = journey.server.get(&journey.technician, &format!("{message}/message")).problem(409, "source_gone");
    assert!(text(&problem["detail"]).contains("UIDVALIDITY"), "{problem}");
    journey.server.get(&journey.technician, "/migration/quarantine/999999/headers").problem(404, "not_found");
}
