//! Mail that comes from files: uploaded to a real `gatepost`, read through, looked at, copied to a real Dovecot, proved,
//! and let through the gate.

mod common;

use common::{
    DOMAIN, Journey, NEW_PASSWORD, USER, check, id, ids,
    kit::{Reply, Server},
    new_server, number, stat, text, wait_for,
};
use gatepost_testkit::{
    Dovecot, Proxy, Snapshot,
    archives::{
        self, damage,
        mbox::{Quoting, mbox},
        zimbra::{Exported, Zimbra},
        zip::Zip,
    },
    proxy::{Direction, Hold},
    pst, samples,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A mailbox whose mail comes from files of a kind.
fn file_mailbox(user: &str, kind: &str) -> Value {
    json!({"email": user, "source_type": kind, "dest_secret": {"password": NEW_PASSWORD}})
}

/// A new server and a job with one mailbox whose mail comes from files.
struct Desk {
    new: Dovecot,
    journey: Journey,
    mailbox: i64,
}

impl Desk {
    fn of(kind: &str) -> Self {
        let new = new_server().start().expect("a server");
        Self::on(new, kind, &[])
    }

    fn on(new: Dovecot, kind: &str, settings: &[(&str, &str)]) -> Self {
        let journey = Journey::with(settings, new.imap_port(), &[file_mailbox(USER, kind)]);
        let mailbox = id(&journey.mailbox());
        Self { new, journey, mailbox }
    }

    #[track_caller]
    fn upload(&self, name: &str, bytes: &[u8]) -> Reply {
        self.journey.upload(self.mailbox, name, bytes)
    }

    /// Uploads a file that is read through without complaint; the file.
    #[track_caller]
    fn bring(&self, name: &str, bytes: &[u8]) -> Value {
        let file = self.upload(name, bytes).expect(201).json();
        let file = self.journey.settled(&file);
        assert_eq!(file["state"], "ready", "{file:#}");
        file
    }

    /// What lies at the new server: folder and digest, sorted.
    #[track_caller]
    fn there(&self) -> Vec<(String, String)> {
        let read = Snapshot::read(&self.new.account(USER)).expect("it reads");
        let mut there: Vec<(String, String)> =
            read.messages.iter().map(|m| (m.folder.clone(), m.digest.to_hex().to_string())).collect();
        there.sort();
        there
    }

    #[track_caller]
    fn totals(&self) -> [i64; 5] {
        let totals = self.journey.evidence()["totals"].clone();
        ["source", "arrived", "pending", "quarantined", "waived"].map(|part| number(&totals[part]))
    }

    #[track_caller]
    fn residue(&self) -> Vec<Value> {
        let page = self.journey.get(&self.journey.path("/residue?sort=id"));
        page["items"].as_array().expect("a list").clone()
    }
}

/// Some mail of a number range, as an mbox.
fn letters(numbers: std::ops::Range<usize>) -> Vec<u8> {
    mbox(Quoting::Each, &numbers.map(archives::eml).collect::<Vec<_>>())
}

/// A PST with something of everything: 12 mails and 6 items that are no mail.
fn everything() -> Vec<u8> {
    let mut file = pst::Pst::memory(pst::Options::default());
    pst::everything(&mut file).expect("memory takes it");
    file.bytes()
}

/// A Zimbra export with some mail and a contact.
fn zimbra() -> Vec<u8> {
    let message = |folder: &'static str, number: u64, flags: &'static str| Exported {
        folder,
        date: 1_559_233_855 + number,
        flags,
        tags: "",
        subject: "Mensagem",
        bytes: archives::eml(usize::try_from(number).expect("it is small")),
    };
    Zimbra::new()
        .message(&message("/Inbox", 1, ""))
        .message(&message("/Inbox/Clientes", 2, "u"))
        .message(&message("/Sent", 3, "s"))
        .contact("/Contacts", "Maria", "maria@example.test")
        .finish()
}

#[test]
fn a_file_of_each_kind_becomes_an_open_gate() {
    let zip = Zip::new().file("Inbox/1.eml", &archives::eml(1)).file("Projetos/Ação/2.eml", &archives::eml(2)).finish();
    for (kind, name, bytes, messages, others) in [
        ("pst", "archive.pst", everything(), 12, 6),
        ("mbox", "Inbox.mbox", letters(0..25), 25, 0),
        ("eml", "letters.zip", zip, 2, 0),
        ("tgz", "ana.tgz", zimbra(), 3, 1),
    ] {
        let desk = Desk::of(kind);
        let journey = &desk.journey;
        let file = desk.bring(name, &bytes);
        assert_eq!(number(&file["inspection"]["messages"]), messages, "{kind}: {file:#}");
        let kinds = file["inspection"]["others"].as_object().expect("an object");
        assert_eq!(kinds.values().map(number).sum::<i64>(), others, "{kind}: {file:#}");
        let read = journey.get(&format!("/migration/runs/{}", file["run_id"]));
        assert_eq!((&read["run"]["run_type"], &read["run"]["status"]), (&json!("pst_extract"), &json!("success")));
        assert_eq!((&read["steps"][0]["kind"], &read["steps"][0]["name"]), (&json!("file"), &json!(name)));

        let preflight = journey.succeed("preflight");
        assert_eq!(stat(&preflight, "messages"), messages, "{kind}: {preflight:#}");
        assert_eq!(preflight["stats"]["files"][0]["name"], name);
        assert_eq!(preflight["stats"]["report"]["present"], 0, "{kind}");
        assert!(desk.there().is_empty(), "{kind}: a preflight copies nothing");
        assert_eq!(stat(&journey.succeed("initial"), "transferred"), messages, "{kind}");
        assert_eq!(stat(&journey.succeed("delta"), "transferred"), 0, "{kind}");
        assert_eq!(journey.gate()["gate"], "blocked", "{kind}: the engine's own word opens nothing");
        journey.succeed("verify");
        assert_eq!(desk.totals(), [messages, messages, 0, 0, 0], "{kind}");
        let there = desk.there();
        assert_eq!(there.len() as i64, messages, "{kind}: {there:#?}");
        assert_eq!(journey.gate()["gate"], "warning", "{kind}: {:#}", journey.gate());
        journey.approve().expect(200);
        assert_eq!(journey.gate()["gate"], "ready_for_dns", "{kind}");

        // Everything a second time: nothing is doubled.
        let delta = journey.succeed("delta");
        assert_eq!((stat(&delta, "transferred"), stat(&delta, "adopted")), (0, 0), "{kind}: {delta:#}");
        assert_eq!(desk.there(), there, "{kind}");
        let report = journey.get(&journey.path("/report.json"));
        assert_eq!(report["job"]["domain"], DOMAIN, "{kind}: {report:#}");
        let part = &report["mailboxes"][0]["files"][0];
        assert_eq!((&part["name"], &part["sha256"]), (&json!(name), &file["sha256"]), "{kind}: {report:#}");

        // Nobody brings mail to a file: the first final run after the cutover is the last.
        let wizard = json!({"scopes": ["dns:write"], "name": "wizard"});
        let wizard = journey.server.call(&journey.admin, "POST", "/tokens", &wizard).expect(201).json();
        let dns = json!({"domain": DOMAIN, "mx": "mx.new.example"});
        let wizard = text(&wizard["secret"]);
        journey.server.call(&wizard, "POST", "/migration/webhooks/dns-applied", &dns).expect(200);
        journey.succeed("final");
        assert_eq!(journey.job()["phase"], "verified", "{kind}");
        assert_eq!(desk.there(), there, "{kind}");
    }
}

#[test]
fn the_same_file_again_adds_nothing_by_whatever_way_it_comes() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    let bytes = letters(0..20);
    desk.bring("a.mbox", &bytes);
    desk.upload("b.mbox", &bytes).problem(409, "already_uploaded");
    for what in ["preflight", "initial"] {
        journey.succeed(what);
    }
    let there = desk.there();
    assert_eq!(there.len(), 20);
    // Another job knows nothing of the first.
    let again = Journey { job: journey.open_job(desk.new.imap_port(), &[file_mailbox(USER, "mbox")]), ..desk.journey };
    let mailbox = id(&again.mailbox());
    let file = again.upload(mailbox, "a.mbox", &bytes).expect(201).json();
    assert_eq!(again.settled(&file)["state"], "ready");
    let preflight = again.succeed("preflight");
    assert_eq!(preflight["stats"]["report"]["present"], 20, "{preflight:#}");
    assert!(again.log(&preflight).contains("in the mailbox already"), "{}", again.log(&preflight));
    let initial = again.succeed("initial");
    assert_eq!((stat(&initial, "transferred"), stat(&initial, "adopted")), (0, 20), "{initial:#}");
    let read = Snapshot::read(&desk.new.account(USER)).expect("it reads");
    assert_eq!(read.messages.len(), 20);
}

#[test]
fn several_files_come_together_in_one_mailbox() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    desk.bring("first.mbox", &letters(0..20));
    journey.to_evidence();
    assert_eq!(desk.totals(), [20, 20, 0, 0, 0]);
    journey.approve().expect(200);
    assert_eq!(journey.gate()["gate"], "ready_for_dns");

    let second = desk.bring("second.mbox", &letters(15..30));
    assert_eq!(number(&second["slot"]), 1);
    let gate = journey.gate();
    assert_eq!(gate["gate"], "blocked", "a file that came later was not copied: {gate:#}");
    let (status, message) = check(&gate, "folder_coverage");
    assert_eq!(status, "fail");
    assert!(message.contains("second.mbox was read after the last verification"), "{message}");
    assert_eq!(journey.audit("gate.revoke").len(), 1, "the approval was of other mail");

    let delta = journey.succeed("delta");
    assert_eq!(stat(&delta, "transferred") + stat(&delta, "adopted"), 15 - overlap(&second), "{delta:#}");
    journey.succeed("verify");
    assert_eq!(desk.there().len() as i64, desk.totals()[1]);
    assert_eq!(journey.gate()["gate"], "warning", "{:#}", journey.gate());
}

/// How many messages of a file an earlier one holds.
#[track_caller]
fn overlap(file: &Value) -> i64 {
    number(&file["inspection"]["overlapping"])
}

#[test]
fn messages_that_two_files_share_are_copied_once() {
    let desk = Desk::of("eml");
    let letters = |numbers: std::ops::Range<usize>| {
        let add = |zip: Zip, n: usize| zip.file(format!("INBOX/{n}.eml"), &archives::eml(n));
        numbers.fold(Zip::new(), add).finish()
    };
    desk.bring("first.zip", &letters(0..20));
    let second = desk.bring("second.zip", &letters(15..30));
    assert_eq!(overlap(&second), 5, "{second:#}");
    desk.journey.to_evidence();
    assert_eq!(desk.totals(), [30, 30, 0, 0, 0]);
    assert_eq!(desk.there().len(), 30);
}

#[test]
fn two_files_that_come_to_one_mailbox_at_once_are_both_read_and_copied() {
    let desk = Desk::of("mbox");
    let files = [("a.mbox", letters(0..30)), ("b.mbox", letters(30..50))];
    let brought: Vec<Value> = std::thread::scope(|scope| {
        let desk = &desk;
        let uploads = files.each_ref().map(|(name, bytes)| scope.spawn(move || desk.upload(name, bytes)));
        uploads.map(|upload| upload.join().expect("it answers").expect(201).json()).into()
    });
    let mut slots: Vec<i64> = brought.iter().map(|file| number(&file["slot"])).collect();
    slots.sort_unstable();
    assert_eq!(slots, [0, 1]);
    for (file, messages) in brought.iter().zip([30, 20]) {
        let file = desk.journey.settled(file);
        assert_eq!((&file["state"], number(&file["inspection"]["messages"])), (&json!("ready"), messages), "{file:#}");
    }
    desk.journey.to_evidence();
    assert_eq!(desk.totals(), [50, 50, 0, 0, 0]);
    assert_eq!(desk.there().len(), 50);
}

#[test]
fn a_file_that_cannot_be_read_keeps_the_gate_shut_until_it_is_deleted() {
    let desk = Desk::of("pst");
    let journey = &desk.journey;
    let mut no_pst = b"This is a text that somebody has called a PST.\r\n".to_vec();
    no_pst.resize(4_096, b'x');
    let refused = desk.upload("text.pst", &no_pst).expect(201).json();
    let refused = journey.settled(&refused);
    assert_eq!(refused["state"], "refused", "{refused:#}");
    let why = text(&refused["error"]);
    assert!(why.len() > 20 && !why.contains("panicked"), "{why}");
    let run = journey.ended(number(&refused["run_id"]));
    assert_eq!((&run["status"], stat(&run, "files_refused")), (&json!("failed"), 1), "{run:#}");
    let mailbox = journey.mailbox();
    assert_eq!(mailbox["status"], "error", "{mailbox:#}");
    assert!(text(&mailbox["last_error"]).contains("text.pst"), "{mailbox:#}");
    assert_eq!(journey.job()["phase"], "discovered", "a wrong file is no end of a job");
    let preflight = journey.run("preflight").remove(0);
    assert_eq!(preflight["status"], "failed", "there is nothing to read: {preflight:#}");
    assert!(text(&preflight["summary"]).contains("text.pst"), "{preflight:#}");

    desk.bring("archive.pst", &everything());
    let again = journey.post(&format!("/migration/runs/{}/retry", id(&preflight)), &Value::Null).expect(202).json();
    let preflight = journey.ended(ids(&again)[0]);
    assert_eq!(preflight["status"], "success", "{preflight:#}");
    assert!(journey.log(&preflight).contains("text.pst is left out"), "{}", journey.log(&preflight));
    for what in ["initial", "delta", "verify"] {
        journey.succeed(what);
    }
    let gate = journey.gate();
    assert_eq!(gate["gate"], "blocked", "{gate:#}");
    for of in ["count_ratio", "folder_coverage"] {
        let (status, message) = check(&gate, of);
        assert_eq!(status, "fail", "{of}: {gate:#}");
        assert!(message.contains(&format!("{USER}: text.pst could not be read")), "{message}");
    }
    journey.approve().problem(409, "gate_checks_failed");

    let path = format!("/uploads/{}", text(&refused["id"]));
    journey.server.call(&journey.technician, "DELETE", &path, &Value::Null).expect(204);
    assert_eq!(journey.gate()["gate"], "warning", "{:#}", journey.gate());
    journey.approve().expect(200);
    for action in ["upload.refuse", "upload.read", "upload.delete"] {
        assert!(!journey.audit(action).is_empty(), "no audit row for {action}");
    }
}

#[test]
fn a_file_that_goes_before_its_proof_goes_with_a_reason_that_the_gate_shows_until_it_comes_again() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    desk.bring("first.mbox", &letters(0..10));
    let second = desk.bring("second.mbox", &letters(10..20));
    for what in ["preflight", "initial"] {
        journey.succeed(what);
    }
    let path = format!("/uploads/{}", text(&second["id"]));
    let delete =
        |query: &str| journey.server.call(&journey.technician, "DELETE", &format!("{path}{query}"), &Value::Null);
    delete("").problem(409, "copied_from");
    assert_eq!(delete("?force=true").status, 422, "nobody has said why");
    delete("?force=true&reason=It%20was%20somebody%20else%27s.").expect(204);
    for what in ["delta", "verify"] {
        journey.run(what);
    }
    let (status, message) = check(&journey.gate(), "folder_coverage");
    assert_eq!(status, "warn", "{message}");
    assert!(message.contains("second.mbox was removed before it was proved, by "), "{message}");
    assert!(message.contains(": It was somebody else's."), "{message}");

    desk.bring("second.mbox", &letters(10..20));
    journey.succeed("delta");
    journey.succeed("verify");
    assert_eq!(desk.totals(), [20, 20, 0, 0, 0]);
    assert_eq!(desk.there().len(), 20, "nothing came twice");
    let (status, message) = check(&journey.gate(), "folder_coverage");
    assert_eq!(status, "pass", "{message}");
}

#[test]
fn what_a_file_leaves_over_is_named_read_and_given_up_like_any_mail() {
    let new = new_server().max_message_bytes(50_000).start().expect("a server");
    let desk = Desk::on(new, "mbox", &[]);
    let journey = &desk.journey;
    let mut large = archives::eml(90);
    large.extend_from_slice("A line of a long letter.\r\n".repeat(3_000).as_bytes());
    desk.bring("mail.mbox", &mbox(Quoting::Each, &[archives::eml(1), large, archives::eml(2)]));
    let preflight = journey.succeed("preflight");
    assert_eq!(preflight["stats"]["report"]["oversize_total"], 1, "{preflight:#}");
    let initial = journey.run("initial").remove(0);
    assert_eq!((&initial["status"], stat(&initial, "quarantined")), (&json!("partial"), 1), "{initial:#}");
    journey.run("delta");
    journey.run("verify");
    assert_eq!(desk.totals(), [3, 2, 0, 1, 0]);
    let residue = desk.residue();
    assert_eq!(residue.len(), 1, "{residue:#?}");
    assert_eq!((&residue[0]["cause_kind"], &residue[0]["subject"]), (&json!("too_large"), &json!("Mensagem 90")));
    let message = format!("/migration/quarantine/{}", residue[0]["message_id"]);
    let headers = journey.get(&format!("{message}/headers"));
    assert!(
        headers["lines"].as_array().expect("a list").iter().any(|line| line == "Subject: Mensagem 90"),
        "{headers:#}"
    );
    let whole = journey.server.get(&journey.technician, &format!("{message}/message")).expect(200);
    assert!(whole.text.ends_with("A line of a long letter.\r\n"), "{}", whole.text.len());
    assert_eq!(whole.header("content-length"), whole.text.len().to_string());
    let waive = json!({"reason": "The customer has it on paper."});
    journey.server.call(&journey.lead, "POST", &format!("{message}/waive"), &waive).expect(204);
    assert_eq!(desk.totals(), [3, 2, 0, 0, 1]);
}

/// Reads what is left of a damaged file, at least so many messages, and finds the check that tells of the damage.
#[track_caller]
fn salvaged(name: &str, bytes: &[u8], least: i64, (told_by, status): (&str, &str)) {
    let desk = Desk::of("pst");
    let journey = &desk.journey;
    let file = desk.bring("broken.pst", bytes);
    let found = &file["inspection"];
    let (messages, unreadable) = (number(&found["messages"]), number(&found["unreadable"]));
    assert!(messages >= least, "{name}: {file:#}");
    let preflight = journey.succeed("preflight");
    assert!(journey.log(&preflight).contains("broken.pst"), "{name}: {}", journey.log(&preflight));
    for what in ["initial", "delta", "verify"] {
        journey.run(what);
    }
    let [source, arrived, pending, quarantined, _] = desk.totals();
    assert_eq!((source, arrived, pending), (messages, messages - unreadable, 0), "{name}: {file:#}");
    assert_eq!(quarantined, unreadable, "{name}");
    for item in desk.residue() {
        assert_eq!(item["cause_kind"], "unreadable", "{name}: {item:#}");
        assert!(text(&item["cause"]).len() > 10, "{name}: {item:#}");
    }
    let (found, message) = check(&journey.gate(), told_by);
    assert_eq!(found, status, "{name}: {message}");
    assert!(message.contains(USER), "{name}: {message}");
}

#[test]
fn a_damaged_file_gives_what_is_left_of_it_and_names_what_is_not() {
    let mut file = pst::Pst::memory(pst::Options { entries_per_page: 6, ..pst::Options::default() });
    pst::load(&mut file, 60, 3_000, 4).expect("memory takes it");
    let whole = file.bytes();
    salvaged("a hole in the middle", &damage::zeroed(&whole, whole.len() / 3, 6_000), 30, ("pst_quarantine", "fail"));
    if let Some(samples) = samples() {
        let enron = std::fs::read(samples.join("pst/enron-lokay.pst")).expect("the sample");
        salvaged("a quarter of a file", &damage::cut(&enron, 25), 50, ("folder_coverage", "warn"));
    }
}

#[test]
fn a_file_of_which_nothing_is_left_is_not_taken_for_an_empty_one() {
    let desk = Desk::of("pst");
    let file = desk.upload("stump.pst", &damage::cut(&everything(), 20)).expect(201).json();
    let file = desk.journey.settled(&file);
    assert_eq!(file["state"], "refused", "{file:#}");
    assert!(text(&file["error"]).len() > 20, "{file:#}");
    assert_eq!(check(&desk.journey.gate(), "folder_coverage").0, "fail");
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    const MESSAGES: usize = 400;
    let new = new_server().start().expect("a server");
    // A slow line, so that the run is at work when the server dies.
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    let journey = Journey::with(&[], line.port(), &[file_mailbox(USER, "mbox")]);
    let mailbox = id(&journey.mailbox());
    let long = |n: usize| [archives::eml(n), "A line of a long letter.\r\n".repeat(800).into_bytes()].concat();
    let bytes = mbox(Quoting::Each, &(0..MESSAGES).map(long).collect::<Vec<_>>());
    let file = journey.upload(mailbox, "mail.mbox", &bytes).expect(201).json();
    // It dies right away: whatever it was at, reading or not yet, is taken up again.
    let journey = journey.killed_and_restarted();
    assert_eq!(journey.settled(&file)["state"], "ready");
    journey.succeed("preflight");
    line.delay(Duration::from_millis(400));
    // However late the kill comes, a half of the mail is still to be sent.
    let hold = Hold::default();
    hold.after(bytes.len() as u64 / 2);
    line.hold(Direction::ToServer, &hold);
    let run = journey.start("initial").remove(0);
    let path = format!("/migration/runs/{run}");
    wait_for("progress", || (number(&journey.get(&path)["run"]["progress"]["done"]) > 0).then_some(()));
    let journey = journey.killed_and_restarted_after(|| hold.lose());
    line.delay(Duration::ZERO);
    let run = journey.ended(run);
    assert_eq!(run["status"], "success", "{run:#}\n{}", journey.log(&run));
    assert!(stat(&run, "transferred") < MESSAGES as i64, "it did not begin anew: {run:#}");
    let there = Snapshot::read(&new.account(USER)).expect("it reads");
    assert_eq!(there.messages.len(), MESSAGES);
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 0);
    journey.succeed("verify");
    assert_eq!(number(&journey.evidence()["totals"]["arrived"]), MESSAGES as i64);
}

#[test]
fn a_run_that_is_asked_for_while_a_file_is_read_waits_its_turn() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    let file = desk.upload("mail.mbox", &letters(0..5)).expect(201).json();
    let preflight = journey.succeed("preflight");
    assert_eq!(stat(&preflight, "messages"), 5);
    assert_eq!(journey.settled(&file)["state"], "ready");
    let initial = journey.succeed("initial");
    assert_eq!(stat(&initial, "transferred"), 5);
}

#[test]
fn a_file_that_another_version_read_is_read_again_before_anything_is_copied() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    let file = desk.bring("mail.mbox", &letters(0..5));
    journey.succeed("preflight");
    let of_it = text(&file["id"]);
    let catalogue = journey.server.dir.path().join(format!("data/uploads/{of_it}.catalogue"));
    let mut bytes = std::fs::read(&catalogue).expect("it was read through");
    let version = b"\"scan_version\":";
    let at = bytes.windows(version.len()).position(|part| part == version).expect("it names its version");
    bytes[at + version.len()] = b'1';
    std::fs::write(&catalogue, &bytes).expect("it is writable");

    let run = journey.succeed("initial");
    assert!(journey.log(&run).contains("Files were read by another version of Gatepost"), "{}", journey.log(&run));
    let again = journey.server.get(&journey.technician, &format!("/uploads/{of_it}")).expect(200).json();
    assert_eq!((&again["state"], number(&again["run_id"])), (&json!("ready"), id(&run)), "{again:#}");
    assert_eq!(again["inspection"], file["inspection"]);
    assert_eq!(desk.there().len(), 5);
    let run = journey.succeed("delta");
    assert!(!journey.log(&run).contains("another version"), "{}", journey.log(&run));
}

#[test]
fn a_mailbox_takes_its_files_with_it() {
    let desk = Desk::of("mbox");
    let journey = &desk.journey;
    let uploads = journey.server.dir.path().join("data/uploads");
    let names = || -> Vec<String> {
        let listed = std::fs::read_dir(&uploads).expect("a directory").map(|e| e.expect("an entry").file_name());
        listed.map(|name| name.to_string_lossy().into_owned()).collect()
    };
    let file = desk.bring("mail.mbox", &letters(0..5));
    let of_it = text(&file["id"]);
    assert!(names().iter().any(|name| name.contains(&of_it)), "{:?}", names());
    let path = format!("/migration/mailboxes/{}", desk.mailbox);
    journey.server.call(&journey.technician, "DELETE", &path, &Value::Null).expect(204);
    wait_for("the files to go", || (!names().iter().any(|name| name.contains(&of_it))).then_some(()));
    journey.server.get(&journey.technician, &format!("/uploads/{of_it}")).problem(404, "not_found");
    assert_eq!(journey.audit("upload.delete").len(), 1);
}

#[test]
fn what_belongs_to_a_server_is_refused_for_a_file_and_tools_only_where_they_fit() {
    let server = Server::start();
    let technician = server.token("technician");
    let job = server.job(&technician, "form.example");
    let path = format!("/migration/jobs/{job}/mailboxes");
    let add = |mailbox: Value| server.call(&technician, "POST", &path, &mailbox);
    for (n, (more, field)) in [
        (json!({"source_host": "imap.example"}), "source_host"),
        (json!({"source_user": "ana"}), "source_user"),
        (json!({"source_secret": {"password": "x"}}), "source_secret"),
        (json!({"tool": "imapsync"}), "tool"),
        (json!({"source_type": "mbox", "tool": "readpst"}), "tool"),
        (json!({"source_type": "imap", "source_host": "imap.example", "tool": "readpst"}), "tool"),
        (json!({"source_type": "imap"}), "source_host"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut mailbox = json!({"email": format!("m{n}@form.example"), "source_type": "pst"});
        for (name, value) in more.as_object().expect("an object") {
            mailbox[name] = value.clone();
        }
        let problem = add(mailbox).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem:#}");
    }
    for (n, (kind, tool)) in [
        ("pst", json!(null)),
        ("pst", json!("readpst")),
        ("pst", json!("imap-upload")),
        ("mbox", json!("native")),
        ("eml", json!(null)),
        ("tgz", json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let mailbox =
            json!({"email": format!("f{n}@form.example"), "source_type": kind, "tool": tool, "source_host": ""});
        let added = add(mailbox).expect(201).json();
        assert_eq!((&added["source_host"], &added["source_port"]), (&Value::Null, &Value::Null), "{added:#}");
        let path = format!("/migration/mailboxes/{}", added["id"]);
        let patch = json!({"source_host": "imap.example"});
        let problem = server.call(&technician, "PATCH", &path, &patch).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "source_host", "{problem:#}");
        server.call(&technician, "PATCH", &path, &json!({"dest_user": format!("other-{n}")})).expect(200);
    }
    let csv = "email,source_type,tool\nc1@form.example,pst,readpst\nc2@form.example,eml,\n";
    let bearer = format!("Bearer {technician}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    server.send("POST", &format!("/api/v1{path}/import"), &headers, csv).expect(201);
}

#[test]
fn a_mailbox_without_a_file_says_so() {
    let desk = Desk::of("pst");
    let run = desk.journey.run("preflight").remove(0);
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(text(&run["summary"]).contains("has no file yet"), "{run:#}");
}

#[test]
fn sample_files_of_other_programs_arrive_whole() {
    let Some(samples) = samples() else { return };
    for (kind, path, messages) in [
        ("pst", "pst/enron-lokay.pst", 71),
        ("pst", "pst/ost-exchange2010.ost", 87),
        ("pst", "pst/pstsdk-sample2-ansi.pst", 1),
        ("mbox", "mbox/mimekit-content-length.mbox", 29),
        ("tgz", "tgz/zimbra-8.8.12-mailbox.tgz", 2),
    ] {
        let desk = Desk::of(kind);
        let journey = &desk.journey;
        let name = path.rsplit('/').next().expect("a name");
        let file = desk.bring(name, &std::fs::read(samples.join(path)).expect("the sample"));
        let found = number(&file["inspection"]["messages"]);
        assert_eq!(found, messages, "{path}");
        journey.succeed("preflight");
        let initial = journey.run("initial").remove(0);
        assert_ne!(initial["status"], "failed", "{path}: {initial:#}");
        journey.run("delta");
        let verify = journey.run("verify").remove(0);
        let [source, arrived, pending, quarantined, _] = desk.totals();
        assert_eq!((source, arrived + quarantined, pending), (found, found, 0), "{path}: {verify:#}");
        assert_eq!(quarantined, number(&file["inspection"]["unreadable"]), "{path}: {:#?}", desk.residue());
        assert_eq!(desk.there().len() as i64, arrived, "{path}");
    }
}
