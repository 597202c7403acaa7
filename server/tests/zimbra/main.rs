//! Mailboxes of Zimbra and Carbonio by way of their own archives: over SSH by a real sshd, and over HTTPS. What exports and
//! imports is a stand-in that turns real Dovecot accounts into real archives and back; the proof is IMAP on both servers.

#[path = "../common/mod.rs"]
mod common;

mod place;

use common::{DOMAIN, OLD_PASSWORD, USER, id, letter, number, stat, text};
use place::{Place, Way};
use serde_json::json;

#[test]
fn a_mailbox_moves_from_zmmailbox_to_zmmailbox_and_is_proved_by_imap() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(60);
    place.journey.succeed("preflight");
    let run = place.journey.succeed("initial");
    assert_eq!(run["tool"], "zmmailbox", "{run:#}");
    let said = &run["stats"]["zmmailbox"];
    assert_eq!((number(&said["messages"]), &said["archive_whole"]), (60, &json!(true)), "{run:#}");
    assert_eq!(stat(&run, "transferred"), 60, "{run:#}");
    place.journey.succeed("verify");
    assert_eq!(place.totals(), [60, 60, 0, 0]);
    place.assert_same();
    // Nothing is exported again: what is new comes once, and what the user has moved or deleted there stays so.
    common::raw::Raw::within(
        &place.new_account(),
        "INBOX",
        &["UID STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "UID MOVE 2 Sent"],
    );
    let asked = place.old_sshd().log().matches("Accepted publickey").count();
    place.journey.succeed("delta");
    assert_eq!(place.old_sshd().log().matches("Accepted publickey").count(), asked);
    common::deliver(&place.old_account(), [letter("INBOX", "late", &["\\Seen"]), letter("Ação", "novo", &[])]);
    let delta = place.journey.succeed("delta");
    assert_eq!(stat(&delta, "transferred"), 2, "{delta:#}");
    assert!(place.journey.log(&delta).contains("60 messages have arrived already"), "{}", place.journey.log(&delta));
    assert_eq!(place.old_sshd().log().matches("Accepted publickey").count(), asked);
    assert_eq!(place.arrived(), 61, "what was deleted came back, or what was moved is there twice");
}

#[test]
fn a_mailbox_moves_by_https_and_by_one_of_each() {
    for (source, dest) in [(Way::Https, Way::Https), (Way::Https, Way::Ssh), (Way::Ssh, Way::Https)] {
        let place = Place::new(source, dest);
        place.fill(20);
        place.journey.succeed("preflight");
        let run = place.journey.succeed("initial");
        let said = &run["stats"]["zmmailbox"];
        let by = |way| if way == Way::Https { "https://127.0.0.1:" } else { "zmmailbox on 127.0.0.1:" };
        assert!(text(&said["exported_by"]).starts_with(by(source)), "{run:#}");
        assert!(text(&said["imported_by"]).starts_with(by(dest)), "{run:#}");
        place.journey.succeed("verify");
        assert_eq!(place.totals(), [20, 20, 0, 0], "{source:?} to {dest:?}");
        place.assert_same();
    }
}

#[test]
fn an_archive_that_breaks_off_is_no_success_and_the_next_run_goes_on() {
    for way in [Way::Ssh, Way::Https] {
        let place = Place::new(way, way);
        place.fill(40);
        place.journey.succeed("preflight");
        // The export says that all is well, each time. First nothing of use comes, then a bit is wrong, then it breaks off.
        place.set_mode(json!({"mode": "cut", "bytes": 30}));
        let run = place.journey.run("initial").remove(0);
        assert_eq!((text(&run["status"]), place.arrived()), ("partial".to_owned(), 0), "{run:#}");
        assert!(text(&run["summary"]).contains("Start the run again"), "{run:#}");
        let (mode, told) =
            if way == Way::Ssh { ("cut", "is not whole: it breaks off") } else { ("flip", "is not whole") };
        place.set_mode(json!({"mode": mode, "bytes": 20_000}));
        let run = place.retry(&run);
        assert_ne!(run["status"], "success", "{run:#}");
        assert!(text(&run["summary"]).contains(told), "{run:#}");
        assert_eq!(run["stats"]["zmmailbox"]["archive_whole"], false, "{run:#}");
        place.set_mode(json!({}));
        let run = place.retry(&run);
        assert_eq!(run["status"], "success", "{run:#}");
        place.journey.succeed("verify");
        assert_eq!(place.totals(), [40, 40, 0, 0]);
        place.assert_same();
        assert_eq!(place.arrived(), 40, "nothing came twice");
    }
}

#[test]
fn an_import_that_broke_off_is_waited_for_by_whatever_program_copies_next() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(40);
    place.journey.succeed("preflight");
    place.set_mode(json!({"mode": "cut", "bytes": 20_000}));
    let run = place.journey.run("initial").remove(0);
    assert_ne!(run["status"], "success", "{run:#}");
    let mailbox = format!("/migration/mailboxes/{}", id(&place.journey.mailbox()));
    let native = json!({"tool": "native"});
    place.journey.server.call(&place.journey.technician, "PATCH", &mailbox, &native).expect(200);
    let run = place.retry(&run);
    assert_eq!((text(&run["tool"]), text(&run["status"])), ("native".to_owned(), "success".to_owned()), "{run:#}");
    assert!(place.journey.log(&run).contains("Waiting until nothing changes"), "{}", place.journey.log(&run));
    place.journey.succeed("verify");
    assert_eq!((place.totals(), place.arrived()), ([40, 40, 0, 0], 40));
    // It is over with the first copy that ended well.
    common::deliver(&place.old_account(), [letter("INBOX", "late", &[])]);
    let run = place.journey.succeed("delta");
    assert!(!place.journey.log(&run).contains("Waiting until nothing changes"), "{}", place.journey.log(&run));
}

#[test]
fn a_message_that_lies_twice_in_a_folder_is_left_over_and_not_forgotten() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(4);
    common::deliver(&place.old_account(), [letter("INBOX", "twice", &[]), letter("INBOX", "twice", &[])]);
    place.journey.succeed("preflight");
    let run = place.journey.run("initial").remove(0);
    assert_eq!((text(&run["status"]), stat(&run, "transferred")), ("partial".to_owned(), 5), "{run:#}");
    assert!(text(&run["summary"]).contains("1 messages have not arrived"), "{run:#}");
    // The built-in engine finishes what an archive cannot.
    place.journey.succeed("delta");
    place.journey.succeed("verify");
    assert_eq!(place.totals(), [6, 6, 0, 0]);
    place.assert_same();
}

#[test]
fn an_import_that_claims_success_and_adds_nothing_opens_no_gate() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(10);
    place.journey.succeed("preflight");
    place.set_mode(json!({"mode": "liar"}));
    let run = place.journey.run("initial").remove(0);
    assert_eq!(run["stats"]["zmmailbox"]["import_exit_code"], 0, "{run:#}");
    place.set_mode(json!({"mode": "early"}));
    for run in [&run, &place.retry(&run)] {
        assert_eq!((run["status"] == "success", stat(run, "transferred")), (false, 0), "{run:#}");
    }
    assert_eq!((place.arrived(), &place.journey.gate()["gate"]), (0, &json!("blocked")));
}

#[test]
fn what_hinders_either_end_is_said_before_anything_is_moved() {
    let mut place = Place::new(Way::Ssh, Way::Https);
    place.fill(5);
    place.set_mode(json!({"mode": "refuse"}));
    let run = place.journey.run("preflight").remove(0);
    let words = format!("{run:#}\n{}", place.journey.log(&run));
    assert!(words.contains("has no account ana@move.example"), "{words}");
    place.set_mode(json!({}));
    let run = place.retry(&run);
    assert_eq!(run["status"], "success", "{run:#}");
    // A machine that was set up anew, or one in between.
    let before = place.old_sshd().fingerprint().expect("a fingerprint");
    place.change_old_host_key();
    let after = place.old_sshd().fingerprint().expect("a fingerprint");
    let run = place.journey.run("initial").remove(0);
    assert_eq!(run["status"], "failed", "{run:#}");
    for part in [&before, &after, "gatepost ssh trust 127.0.0.1:"] {
        assert!(text(&run["summary"]).contains(part), "{part}: {run:#}");
    }
    let last_error = text(&place.journey.mailbox()["last_error"]);
    assert!(last_error.contains("has changed"), "{last_error}");
    assert!(!place.old_sshd().log().contains("Accepted publickey"), "{}", place.old_sshd().log());
    // Another fingerprint than the one that is shown confirms nothing.
    let host = place.old_sshd().host();
    let told = place.gatepost(&["ssh", "trust", &host, "--fingerprint", &before]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let told = place.gatepost(&["ssh", "trust", &host]);
    assert_eq!(told.status.code(), Some(2), "there is nobody to ask: {told:?}");
    let told = place.gatepost(&["ssh", "trust", &host, "--fingerprint", &after]);
    assert!(told.status.success(), "{told:?}");
    let run = place.retry(&run);
    assert_eq!(run["status"], "success", "{run:#}");
    // Forgotten, it is asked for again.
    let told = place.gatepost(&["ssh", "forget", &host]);
    assert!(told.status.success(), "{told:?}");
    let run = place.journey.run("preflight").remove(0);
    let words = format!("{run:#}\n{}", place.journey.log(&run));
    assert!(words.contains("Nobody has confirmed the SSH host key"), "{words}");
}

#[test]
fn a_zmmailbox_that_dies_or_is_not_there_is_named_and_nothing_is_taken_for_moved() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(5);
    place.journey.succeed("preflight");
    // It dies in the middle of its export, and leaves no code behind.
    place.set_old_zmmailbox(Some("#!/bin/sh\nprintf half\nkill -KILL $$\n"));
    let run = place.journey.run("initial").remove(0);
    assert_ne!(run["status"], "success", "{run:#}");
    assert_eq!((stat(&run, "transferred"), place.arrived()), (0, 0), "{run:#}");
    let told = format!("{run:#}\n{}", place.journey.log(&run));
    assert!(told.contains("The SSH connection to 127.0.0.1") && told.contains(" broke"), "{told}");
    place.set_old_zmmailbox(None);
    let run = place.journey.run("preflight").remove(0);
    let told = format!("{run:#}\n{}", place.journey.log(&run));
    assert_ne!(run["status"], "success", "{told}");
    assert!(told.contains("There is no zmmailbox on 127.0.0.1"), "{told}");
    assert_eq!(place.journey.gate()["gate"], "blocked");
}

#[test]
fn a_run_that_is_cancelled_or_killed_leaves_nothing_running_and_loses_nothing() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(8);
    place.journey.succeed("preflight");
    place.set_mode(json!({"mode": "hang"}));
    let run = place.journey.start("initial")[0];
    common::wait_for("the export", || (!place.sessions().is_empty()).then_some(()));
    place.journey.post(&format!("/migration/runs/{run}/cancel"), &json!(null)).expect(200);
    let run = place.journey.ended(run);
    assert_eq!(number(&run["exit_code"]), 130, "{run:#}");
    common::wait_for("the end of ssh", || place.sessions().is_empty().then_some(()));
    place.journey.start("initial");
    common::wait_for("the export", || (!place.sessions().is_empty()).then_some(()));
    // What is at work hangs on; the next does not.
    place.set_mode(json!({}));
    let place = place.killed_and_restarted();
    let runs = place.journey.get(&place.journey.path("/runs"));
    for run in runs["items"].as_array().expect("a list") {
        place.journey.ended(id(run));
    }
    common::wait_for("the end of ssh", || place.sessions().is_empty().then_some(()));
    place.journey.succeed("verify");
    assert_eq!(place.totals(), [8, 8, 0, 0]);
}

#[test]
fn a_folder_that_is_to_go_elsewhere_is_refused_because_an_archive_cannot() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    place.fill(5);
    common::deliver(&place.old_account(), [letter("Ação", "um", &[])]);
    let mailbox = format!("/migration/mailboxes/{}", id(&place.journey.mailbox()));
    place.journey.succeed("preflight");
    let map = json!({"folder_map": {"Ação": "Outra"}});
    place.journey.server.call(&place.journey.technician, "PATCH", &mailbox, &map).expect(200);
    let run = place.journey.run("initial").remove(0);
    assert!(text(&run["summary"]).contains("Ação is to go to Outra"), "{run:#}");
    assert_eq!(place.arrived(), 0, "nothing was imported into a wrong folder");
}

#[test]
fn who_may_set_a_way_by_ssh_and_when_it_is_forgotten() {
    let place = Place::new(Way::Ssh, Way::Ssh);
    let journey = &place.journey;
    let path = format!("/migration/mailboxes/{}", id(&journey.mailbox()));
    let patch = |who: &str, body| journey.server.call(who, "PATCH", &path, &body);
    let ssh = text(&journey.mailbox()["source_ssh"]);
    patch(&journey.technician, json!({"source_ssh": "root@elsewhere.example"})).problem(403, "forbidden");
    // As it stood is no decision.
    patch(&journey.technician, json!({"source_ssh": ssh, "dest_user": USER})).expect(200);
    patch(&journey.lead, json!({"source_ssh": "-oProxyCommand=id"})).problem(422, "invalid");
    // Another server: the way was for the old one, and so was the password.
    patch(&journey.technician, json!({"source_host": "localhost"})).expect(200);
    let mailbox = journey.mailbox();
    assert_eq!((&mailbox["source_ssh"], &mailbox["has_source_secret"]), (&json!(null), &json!(false)), "{mailbox:#}");
    // A password goes to the web address that it was given for.
    patch(&journey.technician, json!({"source_secret": {"password": OLD_PASSWORD}})).expect(200);
    patch(&journey.technician, json!({"source_web": "https://elsewhere.example"})).expect(200);
    assert_eq!(journey.mailbox()["has_source_secret"], false);
    let new = json!({
        "email": format!("other@{DOMAIN}"), "source_type": "zimbra", "tool": "zmmailbox", "source_host": "127.0.0.1",
        "source_ssh": "root@127.0.0.1",
    });
    journey.post(&journey.path("/mailboxes"), &new).problem(403, "forbidden");
    let other = json!({
        "email": format!("third@{DOMAIN}"), "source_type": "imap", "tool": "zmmailbox", "source_host": "127.0.0.1",
    });
    journey.post(&journey.path("/mailboxes"), &other).problem(422, "invalid");
}
