//! Whole migrations between two real servers: from the ticket to the gate, and what users do to their mail meanwhile.

mod common;

use common::{
    DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, check, deliver, difference, id, ids, letter, mail,
    mailbox, new_server, number, old_server, raw::Raw, sized_letter, stat, text, wait_for,
};
use gatepost_testkit::{
    Account, Dovecot, Generated, Proxy, Snapshot, fill,
    proxy::{Direction, Hold},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Two servers, the old one with mail.
fn servers(messages: usize) -> (Dovecot, Dovecot) {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    fill(&old.account(USER), &mail(messages)).expect("the old server takes mail");
    (old, new)
}

/// Two servers with a few letters in the INBOX and in one more folder.
fn servers_with_letters(count: usize) -> (Dovecot, Dovecot) {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), letters("INBOX", count));
    deliver(&old.account(USER), letters("Projetos", count));
    (old, new)
}

fn letters(folder: &str, count: usize) -> Vec<Generated> {
    (0..count).map(|n| letter(folder, &format!("{folder}-{n}"), &["\\Seen"])).collect()
}

#[test]
fn a_ticket_becomes_an_open_gate_and_a_verified_job() {
    let (old, new) = servers(150);
    let mut journey = Journey::between(old.imap_port(), new.imap_port());
    let ticket = json!({"tenant_id": journey.tenant, "subject": "Move our mail"});
    let ticket = id(&journey.post("/tickets", &ticket).expect(201).json());
    let job = json!({
        "domain": "ticket.example", "tenant_id": journey.tenant, "ticket_id": ticket, "dest_imap_host": "127.0.0.1",
        "dest_imap_port": new.imap_port(), "dest_imap_security": "plain",
        "mailboxes": [mailbox(USER, old.imap_port())],
    });
    journey.job = id(&journey.post("/migration/jobs", &job).expect(201).json());
    let gate = |journey: &Journey| journey.get("/migration/gate?domain=ticket.example");
    let wizard = json!({"scopes": ["gate:read", "dns:write"], "name": "wizard"});
    let wizard = journey.server.call(&journey.admin, "POST", "/tokens", &wizard).expect(201).json();
    let wizard = text(&wizard["secret"]);
    let dns = json!({"domain": "ticket.example", "mx": "mx.new.example"});
    let applied = |journey: &Journey| journey.server.call(&wizard, "POST", "/migration/webhooks/dns-applied", &dns);

    assert_eq!(gate(&journey)["gate"], "blocked");
    let preflight = journey.succeed("preflight");
    assert_eq!(stat(&preflight, "messages"), 150);
    assert!(Snapshot::read(&new.account(USER)).expect("it reads").messages.is_empty(), "a preflight copies nothing");
    assert_eq!(stat(&journey.succeed("initial"), "transferred"), 150);
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 0);
    assert_eq!(gate(&journey)["gate"], "blocked", "the engine's own word opens nothing");
    journey.approve().problem(409, "gate_checks_failed");
    journey.succeed("verify");
    let totals = journey.evidence()["totals"].clone();
    assert_eq!((number(&totals["source"]), number(&totals["arrived"])), (150, 150));
    assert_same(&old.account(USER), &new.account(USER));

    let waiting = gate(&journey);
    assert_eq!((&waiting["gate"], &waiting["dns_allowed"]), (&json!("warning"), &json!(false)), "{waiting:#}");
    applied(&journey).problem(409, "gate_shut");
    journey
        .server
        .call(&journey.technician, "POST", &journey.path("/approve-gate"), &json!({}))
        .problem(403, "forbidden");
    journey.approve().expect(200);
    let open = gate(&journey);
    assert_eq!((&open["gate"], &open["dns_allowed"]), (&json!("ready_for_dns"), &json!(true)), "{open:#}");
    assert_eq!(open["approved_by"], "ops_lead@desk.example");
    assert_eq!(journey.job()["phase"], "cutover_ready");
    let shown = journey.get(&format!("/tickets/{ticket}"));
    let payload = &shown["payload"];
    assert_eq!(number(&payload["migration_job_id"]), journey.job, "{shown:#}");
    assert_eq!(payload["migration_gate"], "ready_for_dns", "{shown:#}");
    assert_eq!(payload["migration_sync_percent"].as_f64(), Some(100.0), "{shown:#}");

    applied(&journey).expect(200);
    assert_eq!(journey.job()["phase"], "dns_cutover");
    deliver(&old.account(USER), [letter("INBOX", "straggler", &[])]);
    assert_eq!(stat(&journey.succeed("final"), "transferred"), 1);
    assert_eq!(journey.job()["phase"], "verified", "a final run ends with its own proof");
    assert_eq!(number(&journey.evidence()["totals"]["arrived"]), 151);
    assert_same(&old.account(USER), &new.account(USER));

    for action in ["gate.approve", "gate.change", "dns.applied", "job.phase"] {
        assert!(!journey.audit(action).is_empty(), "no audit row for {action}");
    }
    let phases = journey.get(&journey.path("/phases"));
    let went: Vec<String> = phases.as_array().expect("a list").iter().map(|p| text(&p["to"])).collect();
    let way = ["preflight", "initial_sync", "delta_sync", "cutover_ready", "dns_cutover", "final_sync", "verified"];
    assert!(went.ends_with(&way.map(str::to_owned)), "{went:?}");
}

#[test]
fn a_delta_carries_new_mail_and_changed_flags_and_leaves_the_users_own_changes_alone() {
    let (old, new) = servers_with_letters(6);
    let (source, dest) = (old.account(USER), new.account(USER));
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.succeed("preflight");
    assert_eq!(stat(&journey.succeed("initial"), "transferred"), 12);
    assert_same(&source, &dest);

    deliver(&source, [letter("INBOX", "new", &["\\Flagged"]), letter("Pasta nova", "first", &[])]);
    Raw::within(&source, "INBOX", &["STORE 1 +FLAGS (\\Answered urgente)", "STORE 2 -FLAGS (\\Seen)"]);
    Raw::within(&dest, "INBOX", &["STORE 3 +FLAGS (\\Flagged mine)", "STORE 1 +FLAGS (\\Draft)"]);
    let delta = journey.succeed("delta");
    assert_eq!((stat(&delta, "transferred"), stat(&delta, "flags_changed")), (2, 2), "{delta:#}");
    let there = Snapshot::read(&dest).expect("it reads");
    let flags: Vec<String> = there.folder("INBOX").take(3).map(|m| m.flags.join(" ")).collect();
    assert_eq!(flags, ["\\Answered \\Draft \\Seen urgente", "", "\\Flagged \\Seen mine"]);
    assert_eq!(there.folder("INBOX").count(), 7);
    assert_eq!(there.folder("Pasta nova").count(), 1);

    let again = journey.succeed("delta");
    assert_eq!((stat(&again, "transferred"), stat(&again, "flags_changed")), (0, 0), "{again:#}");
    let found = difference(&source, &dest);
    assert!(found.missing.is_empty() && found.extra.is_empty(), "{found}");
    assert_eq!(found.flags_differ.len(), 2, "only what the user changed differs: {found}");
}

/// Deletes a folder and makes it anew with the same mail, as a rebuilt server does.
fn rebuild(server: &Dovecot, folder: &str) {
    let account = server.account(USER);
    let validity = || {
        let opened = Raw::within(&account, folder, &[]);
        opened.lines().find(|line| line.contains("UIDVALIDITY")).expect("the answer has it").to_owned()
    };
    let before = validity();
    Raw::log_in(&account).command(&format!("DELETE \"{folder}\""));
    // In another order, so that the old numbers name other messages.
    deliver(&account, letters(folder, 6).into_iter().rev());
    assert_ne!(before, validity());
}

#[test]
fn new_numbers_on_either_side_double_nothing_and_lose_nothing() {
    let (old, new) = servers_with_letters(6);
    let (source, dest) = (old.account(USER), new.account(USER));
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.to_evidence();
    for (side, server) in [("source", &old), ("destination", &new)] {
        rebuild(server, "Projetos");
        journey.run("verify");
        assert_eq!(journey.gate()["gate"], "blocked", "old numbers at the {side} prove nothing");
        let delta = journey.succeed("delta");
        assert_eq!((stat(&delta, "transferred"), stat(&delta, "adopted")), (0, 6), "{side}: {delta:#}");
        assert_same(&source, &dest);
        journey.succeed("verify");
        assert_eq!(journey.gate()["gate"], "warning", "{side}");
    }
}

#[test]
fn mail_that_was_at_the_destination_before_is_recognised() {
    let (old, new) = servers_with_letters(5);
    deliver(&new.account(USER), letters("INBOX", 5));
    deliver(&new.account(USER), letters("Projetos", 2));
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.succeed("preflight");
    let initial = journey.succeed("initial");
    assert_eq!((stat(&initial, "transferred"), stat(&initial, "adopted")), (3, 7), "{initial:#}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_message_lost_at_the_destination_shuts_the_gate_and_a_delta_brings_it_back() {
    let (old, new) = servers_with_letters(5);
    let (source, dest) = (old.account(USER), new.account(USER));
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.to_evidence();
    journey.approve().expect(200);
    assert_eq!(journey.gate()["gate"], "ready_for_dns");

    Raw::within(&dest, "INBOX", &["STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"]);
    assert_eq!(journey.gate()["gate"], "ready_for_dns", "nobody has looked since");
    let verify = journey.run("verify").remove(0);
    assert_eq!((verify["status"].clone(), stat(&verify, "pending")), (json!("partial"), 1), "{verify:#}");
    assert_eq!(number(&journey.evidence()["totals"]["pending"]), 1);
    let gate = journey.gate();
    assert_eq!((&gate["gate"], &gate["approved_by"]), (&json!("blocked"), &Value::Null), "{gate:#}");
    assert_eq!(check(&gate, "inbox_complete").0, "fail", "{gate:#}");
    assert_eq!(journey.job()["phase"], "delta_sync");
    assert_eq!(journey.audit("gate.revoke").len(), 1);
    let residue = journey.get(&journey.path("/residue"));
    assert_eq!(residue["total"], 1, "{residue:#}");
    assert_eq!((&residue["items"][0]["folder"], &residue["items"][0]["state"]), (&json!("INBOX"), &json!("pending")));

    let delta = journey.succeed("delta");
    assert_eq!(stat(&delta, "transferred"), 1, "{delta:#}");
    assert_same(&source, &dest);
    journey.succeed("verify");
    assert_eq!(journey.gate()["gate"], "warning", "an approval that was taken away stays away");
}

#[test]
fn mail_that_came_after_the_last_delta_is_named_by_the_next_verification() {
    let (old, new) = servers_with_letters(5);
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.to_evidence();
    deliver(&old.account(USER), [letter("INBOX", "late", &[]), letter("Pasta nova", "later", &[])]);
    let verify = journey.run("verify").remove(0);
    assert_eq!(verify["status"], "partial", "{verify:#}");
    let totals = journey.evidence()["totals"].clone();
    assert_eq!((number(&totals["source"]), number(&totals["pending"])), (12, 2));
    let gate = journey.gate();
    assert_eq!(gate["gate"], "blocked");
    assert_eq!(check(&gate, "inbox_complete").0, "fail", "{gate:#}");
    assert_eq!(check(&gate, "folder_coverage").0, "fail", "{gate:#}");
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 2);
    journey.succeed("verify");
    assert_eq!(journey.gate()["gate"], "warning");
}

#[test]
fn one_wrong_password_stops_its_own_mailbox_alone_until_it_is_put_right() {
    let bob = "bob@move.example";
    let old = old_server().user(bob, "another").start().expect("a server");
    let new = new_server().user(bob, NEW_PASSWORD).start().expect("a server");
    for user in [USER, bob] {
        deliver(&old.account(user), letters("INBOX", 8));
    }
    let mailboxes = [mailbox(USER, old.imap_port()), mailbox(bob, old.imap_port())];
    let journey = Journey::with(&[("GATEPOST_WORKERS", "2")], new.imap_port(), &mailboxes);
    journey.run("preflight");
    let runs = journey.run("initial");
    assert_eq!([&runs[0]["status"], &runs[1]["status"]], ["success", "failed"], "{runs:#?}");
    assert_same(&old.account(USER), &new.account(USER));
    let [ana, wrong]: [Value; 2] = journey.mailboxes().try_into().expect("two mailboxes");
    assert_eq!((&ana["status"], &ana["last_error"]), (&json!("ok"), &Value::Null));
    assert_eq!(wrong["status"], "error");
    let why = text(&wrong["last_error"]);
    assert!(why.contains(bob) && why.contains("password") && !why.contains(OLD_PASSWORD), "{why}");
    assert_eq!(journey.job()["phase"], "initial_sync", "the job goes on");
    assert_eq!(journey.job()["mailboxes_in_trouble"], 1);

    let patch = json!({"source_secret": {"password": "another"}});
    let path = format!("/migration/mailboxes/{}", id(&wrong));
    journey.server.call(&journey.technician, "PATCH", &path, &patch).expect(200);
    let again = journey.post(&format!("/migration/runs/{}/retry", id(&runs[1])), &Value::Null).expect(202).json();
    let run = journey.ended(ids(&again)[0]);
    assert_eq!(run["status"], "success", "{run:#}");
    assert_same(&old.account(bob), &new.account(bob));
    let fine = journey.get(&path);
    assert_eq!((&fine["status"], &fine["last_error"]), (&json!("ok"), &Value::Null));
}

#[test]
fn a_job_whose_every_mailbox_failed_is_failed_and_a_retry_returns_to_its_phase() {
    let (old, new) = servers_with_letters(2);
    let mut wrong = mailbox(USER, old.imap_port());
    wrong["dest_secret"]["password"] = json!("wrong");
    let journey = Journey::with(&[], new.imap_port(), &[wrong]);
    let failed = journey.run("preflight").remove(0);
    assert_eq!(failed["status"], "failed", "{failed:#}");
    let job = journey.job();
    assert_eq!((&job["phase"], &job["failed_phase"]), (&json!("failed"), &json!("preflight")));
    journey.post(&journey.path("/sync"), &json!({"type": "initial"})).problem(409, "phase");
    let patch = json!({"dest_secret": {"password": NEW_PASSWORD}});
    let path = format!("/migration/mailboxes/{}", id(&journey.mailbox()));
    journey.server.call(&journey.technician, "PATCH", &path, &patch).expect(200);
    let again = journey.post(&format!("/migration/runs/{}/retry", id(&failed)), &Value::Null).expect(202).json();
    assert_eq!(journey.ended(ids(&again)[0])["status"], "success");
    assert_eq!(journey.job()["phase"], "preflight");
    journey.succeed("initial");
}

#[test]
fn a_run_that_was_cancelled_goes_on_where_it_ended() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    let (source, dest) = (old.account(USER), new.account(USER));
    let many = (0..3000).map(|n| sized_letter("INBOX", &format!("letter-{n}"), &[], 20_000));
    deliver(&source, many);
    // A slow line, so that the copy is still at work when it is cancelled.
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    line.delay(Duration::from_millis(400));
    let journey = Journey::between(old.imap_port(), line.port());
    journey.succeed("preflight");
    // However late it is cancelled, a half of the mail is still to be sent.
    let hold = Hold::default();
    hold.after(3000 * 10_000);
    line.hold(Direction::ToServer, &hold);
    let run = journey.start("initial").remove(0);
    journey.post(&journey.path("/sync"), &json!({"type": "initial"})).problem(409, "already_running");
    let path = format!("/migration/runs/{run}");
    wait_for("progress", || (number(&journey.get(&path)["run"]["progress"]["done"]) > 0).then_some(()));
    journey.post(&format!("{path}/cancel"), &Value::Null).expect(200);
    hold.release();
    let run = journey.ended(run);
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("partial"), &json!(130)), "{run:#}");
    let copied = Snapshot::read(&dest).expect("it reads").messages.len() as i64;
    assert!((1..3000).contains(&copied), "{copied} were copied");
    assert_eq!(stat(&run, "transferred"), copied, "what was copied is recorded");
    journey.post(&format!("{path}/cancel"), &Value::Null).problem(409, "not_active");
    line.delay(Duration::ZERO);
    let delta = journey.succeed("delta");
    assert_eq!((stat(&delta, "transferred"), stat(&delta, "adopted")), (3000 - copied, 0), "{delta:#}");
    assert_same(&source, &dest);
}

#[test]
fn the_gate_knows_no_job_takes_the_worst_of_several_and_lets_one_role_override() {
    let (old, new) = servers_with_letters(2);
    let mut journey = Journey::between(old.imap_port(), new.imap_port());
    let unknown = journey.get("/migration/gate?domain=unknown.example");
    assert_eq!((&unknown["gate"], &unknown["reason"]), (&json!("blocked"), &json!("no_job")));
    assert_eq!((&unknown["dns_allowed"], &unknown["job_id"]), (&json!(false), &Value::Null));
    journey.to_evidence();
    journey.approve().expect(200);
    assert_eq!(journey.gate()["gate"], "ready_for_dns");

    let first = journey.job;
    journey.job = journey.open_job(new.imap_port(), &[mailbox("bob@move.example", old.imap_port())]);
    let gate = journey.gate();
    assert_eq!((&gate["gate"], number(&gate["job_id"])), (&json!("blocked"), journey.job), "the worst job answers");
    let path = journey.path("/approve-gate");
    let reason = "The customer has read the list and agreed.";
    let over = |token: &str, reason: &str| {
        journey.server.call(token, "POST", &path, &json!({"override": true, "reason": reason}))
    };
    over(&journey.technician, reason).problem(403, "forbidden");
    over(&journey.lead, reason).problem(403, "forbidden");
    over(&journey.admin, "short").problem(422, "invalid");
    assert_eq!(journey.gate()["gate"], "blocked");
    over(&journey.admin, reason).problem(409, "no_evidence");

    journey.job = first;
    Raw::within(&new.account(USER), "INBOX", &["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"]);
    journey.run("verify");
    let override_first = json!({"override": true, "reason": reason});
    let path = journey.path("/approve-gate");
    journey.server.call(&journey.lead, "POST", &path, &override_first).problem(403, "forbidden");
    let view = journey.server.call(&journey.admin, "POST", &path, &override_first).expect(200).json();
    assert_eq!((&view["gate"], &view["override_reason"]), (&json!("ready_for_dns"), &json!(reason)), "{view:#}");
    assert_eq!(text(&journey.audit("gate.override")[0]["reason"]), reason);
    assert_eq!(journey.gate()["gate"], "blocked", "the other job still answers for {DOMAIN}");
}

#[test]
fn an_approval_signs_the_evidence_that_its_author_has_seen() {
    let (old, new) = servers_with_letters(2);
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.to_evidence();
    let seen = journey.evidence()["evidence_id"].clone();
    journey.succeed("verify");
    let path = journey.path("/approve-gate");
    let stale = journey.server.call(&journey.lead, "POST", &path, &json!({"evidence_id": seen}));
    stale.problem(409, "evidence_replaced");
    assert_eq!(journey.gate()["gate"], "warning");
    let newest = journey.evidence()["evidence_id"].clone();
    journey.server.call(&journey.lead, "POST", &path, &json!({"evidence_id": newest})).expect(200);
    assert_eq!(journey.gate()["gate"], "ready_for_dns");
}

#[test]
fn what_is_deleted_at_the_source_stays_at_the_destination_and_is_missed_by_nobody() {
    let (old, new) = servers_with_letters(4);
    let (source, dest) = (old.account(USER), new.account(USER));
    let journey = Journey::between(old.imap_port(), new.imap_port());
    journey.to_evidence();
    Raw::within(&source, "INBOX", &["STORE 1:2 +FLAGS (\\Deleted)", "EXPUNGE"]);
    Raw::log_in(&source).command("DELETE \"Projetos\"");
    let delta = journey.succeed("delta");
    assert_eq!(stat(&delta, "transferred"), 0, "{delta:#}");
    journey.succeed("verify");
    let totals = journey.evidence()["totals"].clone();
    assert_eq!((number(&totals["source"]), number(&totals["arrived"])), (2, 2), "{totals}");
    assert_eq!(journey.gate()["gate"], "warning");
    let found = difference(&source, &dest);
    assert_eq!((found.missing.len(), found.extra.len()), (0, 6), "nothing is ever deleted: {found}");
}

#[test]
fn folders_that_are_merged_by_the_users_map_stay_whole_through_losses_and_new_numbers() {
    let (old, new) = servers_with_letters(4);
    let (source, dest) = (old.account(USER), new.account(USER));
    // The same message in both folders: two places at the source, two copies at the destination.
    deliver(&source, letters("INBOX", 4).into_iter().map(|letter| Generated { folder: "Projetos".into(), ..letter }));
    let mut merged = mailbox(USER, old.imap_port());
    merged["folder_map"] = json!({"Projetos": "Tudo", "INBOX": "Tudo"});
    let journey = Journey::with(&[], new.imap_port(), &[merged]);
    journey.to_evidence();
    let count = |account: &Account| Snapshot::read(account).expect("it reads").messages.len();
    assert_eq!((count(&source), count(&dest)), (12, 12));
    assert_eq!(Snapshot::read(&dest).expect("it reads").folder("Tudo").count(), 12);

    Raw::within(&dest, "Tudo", &["STORE 1,12 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let verify = journey.run("verify").remove(0);
    assert_eq!(stat(&verify, "pending"), 2, "{verify:#}");
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 2);
    journey.succeed("verify");
    assert_eq!(count(&dest), 12);

    let kept = Snapshot::read(&dest).expect("it reads");
    let letter_of = |digest| {
        letters("INBOX", 4).into_iter().chain(letters("Projetos", 4)).find(|l| blake3::hash(&l.bytes) == digest)
    };
    let again: Vec<Generated> = kept.messages.iter().filter_map(|m| letter_of(m.digest)).collect();
    assert_eq!(again.len(), 12);
    Raw::log_in(&dest).command("DELETE \"Tudo\"");
    deliver(&dest, again.into_iter().map(|letter| Generated { folder: "Tudo".into(), ..letter }));
    let delta = journey.succeed("delta");
    assert_eq!((stat(&delta, "transferred"), stat(&delta, "adopted")), (0, 12), "{delta:#}");
    journey.succeed("verify");
    assert_eq!(count(&dest), 12);
}
