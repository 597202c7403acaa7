//! A job's report at its end: what it says of a whole migration, and that it lies on the ticket by itself.

mod common;

use common::{
    Journey, USER, assert_same, deliver, id, letter, mail, mailbox, new_server, number, old_server, stat, text,
    wait_for,
};
use gatepost_testkit::fill;
use serde_json::{Value, json};

fn attachments(journey: &Journey, ticket: i64) -> Vec<Value> {
    let ticket = journey.get(&format!("/tickets/{ticket}"));
    ticket["attachments"].as_array().expect("a list").clone()
}

#[test]
fn a_verified_job_puts_its_signed_report_on_the_ticket_once() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    fill(&old.account(USER), &mail(60)).expect("the old server takes mail");
    let mut journey = Journey::between(old.imap_port(), new.imap_port());
    let ticket = json!({"tenant_id": journey.tenant, "subject": "Move our mail"});
    let ticket = id(&journey.post("/tickets", &ticket).expect(201).json());
    let job = json!({
        "domain": "paper.example", "tenant_id": journey.tenant, "ticket_id": ticket, "dest_imap_host": "127.0.0.1",
        "dest_imap_port": new.imap_port(), "dest_imap_security": "plain", "mailboxes": [mailbox(USER, old.imap_port())],
    });
    journey.job = id(&journey.post("/migration/jobs", &job).expect(201).json());
    journey.to_evidence();
    journey.approve().expect(200);
    let applied = json!({"domain": "paper.example", "mx": "mx.new.example"});
    journey.server.call(&journey.admin, "POST", "/migration/webhooks/dns-applied", &applied).expect(200);
    assert!(attachments(&journey, ticket).is_empty(), "nothing is verified yet");
    deliver(&old.account(USER), [letter("INBOX", "straggler", &[])]);
    assert_eq!(stat(&journey.succeed("final"), "transferred"), 1);
    assert_eq!(journey.job()["phase"], "verified");
    assert_same(&old.account(USER), &new.account(USER));

    let files = wait_for("the report on the ticket", || {
        let files = attachments(&journey, ticket);
        (files.len() == 3).then_some(files)
    });
    let file = |ending: &str| {
        let file = files.iter().find(|file| text(&file["name"]).ends_with(ending)).expect("it is there");
        let path = format!("/tickets/{ticket}/attachments/{}", file["id"]);
        journey.server.get(&journey.technician, &path).expect(200).text
    };
    let (document, signature) = (file(".json"), file(".json.sig"));
    let key = text(&journey.get("/report-key")["public_key"]);
    let report = gatepost_report::check(document.as_bytes(), signature.as_bytes(), &key).expect("it is ours").report;
    let said: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!((report.summary.tally.source, report.summary.tally.arrived), (61, 61), "{said:#}");
    assert!(report.summary.all_arrived && report.summary.all_explained);
    assert_eq!(report.gate.approval.as_ref().map(|a| a.by.as_str()), Some("ops_lead@desk.example"));
    assert_eq!(number(&said["mailboxes"][0]["tally"]["source"]), 61);
    assert!(report.mailboxes[0].folders.iter().all(|f| f.tally.adds_up() && f.bytes_source.is_some()));
    assert_eq!(report.runs.iter().map(|run| run.messages).sum::<i64>(), 61, "what the runs copied");
    assert!(report.timeline.windows(2).all(|pair| pair[0].at <= pair[1].at), "time goes on");
    let phases: Vec<_> = report.timeline.iter().filter_map(|entry| entry.to.as_deref()).collect();
    for expected in ["initial_sync", "ready_for_dns", "dns_cutover", "verified"] {
        assert!(phases.contains(&expected), "{phases:?} lacks {expected}");
    }
    assert!(report.residue.items.is_empty() && report.residue.total == 0);
    assert_eq!(report.audit.head_hash.as_ref().map(String::len), Some(64));

    // Another proof of the same job changes nothing on the ticket.
    journey.succeed("verify");
    assert_eq!(attachments(&journey, ticket).len(), 3);
    let view = journey.get(&journey.path("/report"));
    assert_eq!((&view["attached"][0]["automatic"], view["attached"].as_array().map(Vec::len)), (&json!(true), Some(1)));
}
