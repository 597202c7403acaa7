//! Mail of PST files by way of other programs: readpst as it is, and a stand-in for imap_upload.py, which is in no
//! registry. Whatever they claim, our own reading says what there is and what has arrived.

#[path = "../common/mod.rs"]
mod common;
mod doveadm;
mod imapsync;

use common::{Journey, NEW_PASSWORD, USER, check, id, kit::Reply, new_server, number, stat, text};
use gatepost_testkit::{Dovecot, Snapshot, pst};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A job with one mailbox whose PST is read by a program.
struct Desk {
    new: Dovecot,
    journey: Journey,
    mailbox: i64,
    _scripts: TempDir,
}

impl Desk {
    /// `script` is what the stand-in for imap_upload.py is called.
    fn with(tool: &str, script: &str, settings: &[(&str, &str)]) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        let path = scripts.path().join(script);
        fs::copy(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tools/imap_upload.py"), &path).expect("copied");
        let path = path.display().to_string();
        let mut settings = settings.to_vec();
        settings.push(("MIGRATION_IMAP_UPLOAD", &path));
        let new = new_server().start().expect("a server");
        let mailbox = json!({
            "email": USER, "source_type": "pst", "tool": tool, "dest_secret": {"password": NEW_PASSWORD},
        });
        let journey = Journey::with(&settings, new.imap_port(), &[mailbox]);
        let mailbox = id(&journey.mailbox());
        Self { new, journey, mailbox, _scripts: scripts }
    }

    /// Uploads a PST and waits until it was read, or could not be.
    #[track_caller]
    fn bring(&self, bytes: &[u8]) -> Value {
        let file = self.journey.upload(self.mailbox, "old.pst", bytes).expect(201).json();
        self.journey.settled(&file)
    }

    fn choose(&self, tool: &str) -> Reply {
        let path = format!("/migration/mailboxes/{}", self.mailbox);
        self.journey.server.call(&self.journey.technician, "PATCH", &path, &json!({"tool": tool}))
    }

    #[track_caller]
    fn totals(&self) -> [i64; 4] {
        let totals = self.journey.evidence()["totals"].clone();
        ["source", "arrived", "pending", "quarantined"].map(|part| number(&totals[part]))
    }

    #[track_caller]
    fn residue(&self) -> Vec<Value> {
        let page = self.journey.get(&self.journey.path("/residue?sort=id"));
        page["items"].as_array().expect("a list").clone()
    }

    fn there(&self) -> Snapshot {
        Snapshot::read(&self.new.account(USER)).expect("it reads")
    }
}

fn has_readpst() -> bool {
    let there =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|p| p.join("readpst").exists());
    if !there {
        assert!(std::env::var_os("CI").is_none(), "readpst is missing: apt-get install pst-utils");
        eprintln!("left out: readpst is not installed");
    }
    there
}

/// 12 mails in 6 folders, and 6 items that are no mail.
fn everything() -> Vec<u8> {
    let mut file = pst::Pst::memory(pst::Options::default());
    pst::everything(&mut file).expect("memory takes it");
    file.bytes()
}

/// A few mails that need nothing special.
fn letters(subjects: &[&str]) -> Vec<u8> {
    let mut file = pst::Pst::memory(pst::Options::default());
    let inbox = file.folder_for(file.top(), "Inbox", pst::Role::Inbox);
    let clients = file.folder(file.top(), "Clientes e Ações");
    for (n, subject) in subjects.iter().enumerate() {
        let number = i64::try_from(n).expect("few");
        let mail = pst::Item::mail(subject)
            .from("Ana", "ana@example.test")
            .to("Zé", "ze@example.test")
            .date(1_700_000_000 + number * 60)
            .message_id(&format!("<{n}@example.test>"))
            .text("Bom dia.\r\nFrom here on it is quoted.\r\n")
            .flags(1);
        file.item(if n % 2 == 0 { inbox } else { clients }, &mail).expect("memory takes it");
    }
    file.bytes()
}

#[test]
fn what_readpst_writes_is_copied_and_what_it_leaves_out_is_in_quarantine() {
    if !has_readpst() {
        return;
    }
    let desk = Desk::with("readpst", "imap_upload.py", &[]);
    let mut outlook = pst::Pst::memory(pst::Options::default());
    pst::everything(&mut outlook).expect("memory takes it");
    let board = outlook.folder(outlook.top(), "Mural");
    // Posts are mail to us; readpst leaves them out.
    let post = pst::Item::of_class("IPM.Post").subject("Aviso").text("Leiam.").date(1_700_000_000);
    outlook.item(board, &post).expect("memory takes it");
    let file = desk.bring(&outlook.bytes());
    assert_eq!(file["state"], "ready", "{file:#}");
    let found = &file["inspection"];
    assert_eq!(found["format"], "PST, Unicode, by readpst");
    assert_eq!((number(&found["messages"]), number(&found["unreadable"])), (13, 1), "{found:#}");
    assert_eq!(found["damage"], json!(["Mural: readpst wrote 0 of 1 messages."]), "{found:#}");
    let read = desk.journey.get(&format!("/migration/runs/{}", file["run_id"]));
    assert_eq!(read["run"]["tool"], "readpst", "{read:#}");

    desk.journey.succeed("preflight");
    desk.journey.run("initial");
    desk.journey.run("verify");
    assert_eq!(desk.totals(), [13, 12, 0, 1]);
    let residue = desk.residue();
    let quarantined: Vec<&Value> = residue.iter().filter(|r| r["state"] == "quarantined").collect();
    assert_eq!(quarantined.len(), 1, "{residue:#?}");
    assert!(quarantined.iter().all(|r| text(&r["cause"]).contains("readpst")), "{residue:#?}");
    assert_eq!(check(&desk.journey.gate(), "pst_quarantine").0, "fail");
    // Dates come from our own reading, for readpst loses them.
    assert!(desk.there().messages.iter().all(|m| m.date.unix_seconds < 1_800_000_000));
    // A delta finds nothing new, and nothing comes twice.
    let delta = desk.journey.run("delta").remove(0);
    assert_eq!(stat(&delta, "transferred"), 0, "{delta:#}");
    assert_eq!(desk.there().messages.len(), 12);
    // What was copied so is proved so.
    desk.choose("native").problem(409, "in_use");
}

#[test]
fn a_program_that_is_not_there_is_named_and_the_file_is_kept() {
    let desk = Desk::with("readpst", "imap_upload.py", &[("MIGRATION_READPST_BIN", "/nowhere/readpst")]);
    let file = desk.journey.upload(desk.mailbox, "old.pst", &everything()).expect(201).json();
    let run = desk.journey.ended(number(&file["run_id"]));
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(text(&run["summary"]).contains("pst-utils"), "{run:#}");
    let file = desk.journey.get(&format!("/uploads/{}", text(&file["id"])));
    assert_eq!(file["state"], "stored", "{file:#}");
    // The built-in reader needs no program.
    desk.choose("native").expect(200);
    desk.journey.succeed("preflight");
    desk.journey.run("initial");
    desk.journey.succeed("verify");
    assert_eq!(desk.totals(), [12, 12, 0, 0]);
}

#[test]
fn what_imap_upload_sends_is_found_flagged_and_proved_by_us() {
    if !has_readpst() {
        return;
    }
    let desk = Desk::with("imap-upload", "imap_upload.py", &[]);
    assert_eq!(desk.bring(&letters(&["um", "dois", "REFUSE três", "quatro", "cinco"]))["state"], "ready");
    desk.journey.succeed("preflight");
    let run = desk.journey.run("initial").remove(0);
    assert_eq!(run["tool"], "imap-upload", "{run:#}");
    assert_eq!((stat(&run, "transferred"), stat(&run, "quarantined")), (4, 1), "{run:#}\n{}", desk.journey.log(&run));
    let there = desk.there();
    assert_eq!(there.messages.len(), 4);
    assert!(there.messages.iter().any(|m| m.folder == "Clientes e Ações"));
    // It sends no flags; they are set afterwards.
    assert!(there.messages.iter().all(|m| m.flags.iter().any(|flag| flag == "\\Seen")), "{there:?}");
    let run = desk.journey.run("verify").remove(0);
    assert_eq!(desk.totals()[0], 5, "{run:#}");
    let residue = desk.residue();
    let refused = residue.iter().find(|r| r["state"] == "quarantined").expect("one was refused");
    assert_eq!(refused["cause_kind"], "too_large", "{refused:#}");
    assert!(text(&refused["cause"]).contains("imap_upload.py"), "{refused:#}");
    let kept = desk.journey.server.dir.path().join("data").join("quarantine");
    let errors: Vec<_> = fs::read_dir(kept).expect("a folder").flatten().map(|entry| entry.path()).collect();
    let [errors] = errors.as_slice() else { panic!("{errors:?}") };
    let text = fs::read_to_string(errors).expect("text");
    assert!(text.contains("<2@example.test>"), "{}: {text}", errors.display());
    // Another run sends nothing again.
    let again = desk.journey.run("delta").remove(0);
    assert_eq!(stat(&again, "transferred"), 0, "{again:#}");
    assert_eq!(desk.there().messages.len(), 4);
}

#[test]
fn a_program_that_claims_success_and_copies_nothing_opens_no_gate() {
    if !has_readpst() {
        return;
    }
    let desk = Desk::with("imap-upload", "imap_upload_liar.py", &[]);
    desk.bring(&letters(&["um", "dois", "três"]));
    desk.journey.succeed("preflight");
    let run = desk.journey.run("initial").remove(0);
    assert_ne!(run["status"], "success", "{run:#}");
    assert_eq!((stat(&run, "transferred"), stat(&run, "quarantined")), (0, 3), "{run:#}");
    assert!(desk.there().messages.is_empty());
    desk.journey.run("verify");
    assert_eq!(desk.totals()[..2], [3, 0]);
    assert_eq!(desk.journey.gate()["gate"], "blocked");
}
