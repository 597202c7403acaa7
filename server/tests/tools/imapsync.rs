//! Mailboxes that are moved by imapsync, for which a stand-in is called that copies by IMAP and prints imapsync's lines.
//! Whatever it does and claims, the ledger and the proof are our own.

mod guard;
mod real;

use crate::common::{
    Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, count_meanwhile, deliver,
    kit::{Reply, Server},
    letter, mail, mailbox, new_server, number, old_server, sized_letter, stat, text, wait_for,
};
use gatepost_testkit::{Dovecot, Snapshot, dovecot::Storage, executable, fill};
use serde_json::{Value, json};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Two servers and a job whose mailbox is moved by the stand-in.
struct Desk {
    old: Dovecot,
    new: Dovecot,
    journey: Journey,
    scripts: TempDir,
}

impl Desk {
    fn with(mode: &str) -> Self {
        Self::between(old_server().start().expect("a server"), new_server().start().expect("a server"), mode)
    }

    fn between(old: Dovecot, new: Dovecot, mode: &str) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        let path = scripts.path().join("imapsync");
        executable::install(&path, include_str!("imapsync.py")).expect("copied");
        let path = path.display().to_string();
        let mut moved = mailbox(USER, old.imap_port());
        moved["tool"] = "imapsync".into();
        let journey = Journey::with(&[("MIGRATION_IMAPSYNC_BIN", &path)], new.imap_port(), &[moved]);
        let desk = Self { old, new, journey, scripts };
        desk.mode(mode);
        desk
    }

    fn mode(&self, mode: &str) {
        fs::write(self.mode_file(), mode).expect("written");
    }

    fn mode_file(&self) -> PathBuf {
        self.scripts.path().join("mode")
    }

    /// Kills the server in the middle of whatever it does and starts another on its directory.
    fn killed_and_restarted_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let imapsync = self.scripts.path().join("imapsync").display().to_string();
        let Self { old, new, journey, scripts } = self;
        let Journey { server, technician, lead, admin, tenant, job } = journey;
        let dir = server.kill();
        meanwhile(&dir.path().join("data"));
        let server = Server::start_in(dir, &[("MIGRATION_IMAPSYNC_BIN", &imapsync)]);
        Self { old, new, journey: Journey { server, technician, lead, admin, tenant, job }, scripts }
    }

    fn choose(&self, tool: &str) -> Reply {
        let path = format!("/migration/mailboxes/{}", self.journey.mailbox()["id"]);
        self.journey.server.call(&self.journey.technician, "PATCH", &path, &json!({"tool": tool}))
    }

    #[track_caller]
    fn run(&self, what: &str) -> Value {
        self.journey.run(what).remove(0)
    }

    #[track_caller]
    fn totals(&self) -> [i64; 4] {
        self.journey.succeed_or_not("verify");
        let totals = self.journey.evidence()["totals"].clone();
        ["source", "arrived", "pending", "quarantined"].map(|part| number(&totals[part]))
    }

    #[track_caller]
    fn residue(&self) -> Vec<Value> {
        self.journey.get(&self.journey.path("/residue?sort=id"))["items"].as_array().expect("a list").clone()
    }

    fn there(&self) -> Snapshot {
        Snapshot::read(&self.new.account(USER)).expect("it reads")
    }

    fn source(&self) -> Snapshot {
        Snapshot::read(&self.old.account(USER)).expect("it reads")
    }

    /// Everything that the stand-in printed in a run.
    fn tool_log(&self, run: &Value) -> String {
        let logs = self.journey.server.dir.path().join("data/logs");
        let path = logs.join(format!("run-{}-imapsync.gz", run["id"]));
        let mut text = Vec::new();
        let file = fs::File::open(&path).expect("a log");
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).expect("gzip");
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Journey {
    /// A verification, whatever it finds.
    fn succeed_or_not(&self, what: &str) -> Value {
        self.run(what).remove(0)
    }
}

#[test]
fn what_it_copies_is_recorded_and_proved_by_us() {
    let desk = Desk::with("");
    // Messages that imapsync leaves out unless it goes by UID: twins, and one that has no Message-Id.
    let mut nameless = letter("INBOX", "nameless", &["\\Seen"]);
    let text = String::from_utf8(nameless.bytes).expect("text");
    nameless.bytes = text.replace("Message-Id: <nameless@b.example>\r\n", "").into_bytes();
    let twin = || letter("INBOX", "twin", &["\\Flagged"]);
    deliver(&desk.old.account(USER), [nameless, twin(), twin()]);
    fill(&desk.old.account(USER), &mail(40)).expect("mail is generated");
    let before = desk.source();
    let preflight = desk.journey.succeed("preflight");
    assert_eq!(preflight["stats"]["imapsync"]["version"], "2.229", "{preflight:#}");
    assert_eq!(number(&preflight["stats"]["imapsync"]["sizes"]["messages_source"]), 43);

    let run = desk.journey.succeed("initial");
    assert_eq!((run["tool"].as_str(), stat(&run, "transferred")), (Some("imapsync"), 43), "{run:#}");
    let said = &run["stats"]["imapsync"];
    assert_eq!((number(&said["transferred"]), number(&said["exit_code"])), (43, 0), "{run:#}");
    assert!(stat(&run, "bytes") > 0 && number(&said["bytes"]) > 0, "{run:#}");
    desk.journey.succeed("delta");
    desk.journey.succeed("verify");
    assert_same(&desk.old.account(USER), &desk.new.account(USER));
    assert_eq!(desk.journey.gate()["gate"], "warning", "only the approval is missing");
    let after = desk.source();
    assert_eq!(before.messages, after.messages, "the source is as it was");
    let log = desk.tool_log(&run);
    assert!(log.contains("copied to"), "{log}");
    assert!(!log.contains(OLD_PASSWORD) && !log.contains(NEW_PASSWORD));
    let path = format!("/migration/runs/{}/tool-log", run["id"]);
    let kept = desk.journey.server.get(&desk.journey.technician, &path).expect(200);
    assert_eq!(kept.header("content-type"), "application/gzip");
    let native = desk.journey.get(&format!("/migration/runs/{}", number(&run["id"]) + 1))["run"]["id"].clone();
    desk.journey
        .server
        .get(&desk.journey.technician, &format!("/migration/runs/{native}/tool-log"))
        .problem(404, "not_found");

    // What is new since, and a changed flag, and nothing twice.
    deliver(&desk.old.account(USER), [letter("INBOX", "new", &[])]);
    let run = desk.journey.succeed("delta");
    assert_eq!((stat(&run, "transferred"), number(&run["stats"]["imapsync"]["transferred"])), (1, 1), "{run:#}");
    assert_eq!(desk.totals(), [44, 44, 0, 0]);
    assert_eq!(desk.there().messages.len(), 44, "nothing is there twice");
}

#[test]
fn one_that_claims_success_and_copies_nothing_opens_no_gate() {
    let desk = Desk::with("liar");
    fill(&desk.old.account(USER), &mail(10)).expect("mail is generated");
    desk.journey.succeed("preflight");
    let run = desk.run("initial");
    assert_eq!((run["status"].as_str(), stat(&run, "transferred")), (Some("partial"), 0), "{run:#}");
    assert_eq!(number(&run["stats"]["imapsync"]["transferred"]), 10, "what it says is shown beside it");
    assert!(text(&run["summary"]).contains("10 messages have not arrived"), "{run:#}");
    assert!(desk.there().messages.is_empty());
    assert_eq!(desk.journey.gate()["gate"], "blocked");
    // Another engine goes on from there.
    desk.choose("native").expect(200);
    let retried = desk.journey.post(&format!("/migration/runs/{}/retry", run["id"]), &Value::Null).expect(202).json();
    desk.journey.ended(number(&retried["run_ids"][0]));
    assert_eq!(desk.totals(), [10, 10, 0, 0]);
}

#[test]
fn what_it_names_as_failed_is_in_quarantine_and_what_it_leaves_out_in_silence_is_pending() {
    let desk = Desk::with("fetch skip twins");
    let messages =
        ["one", "UNREADABLE", "OVERSIZE", "twin", "twin", "two"].map(|subject| letter("INBOX", subject, &[]));
    deliver(&desk.old.account(USER), messages);
    desk.journey.succeed("preflight");
    let run = desk.run("initial");
    assert_eq!((run["status"].as_str(), stat(&run, "transferred")), (Some("partial"), 3), "{run:#}");
    assert_eq!(stat(&run, "quarantined"), 2, "{run:#}");
    assert_eq!(desk.totals(), [6, 3, 1, 2]);
    let residue = desk.residue();
    let causes: Vec<_> = residue
        .iter()
        .filter(|r| r["state"] == "quarantined")
        .map(|r| (text(&r["cause_kind"]), text(&r["cause"])))
        .collect();
    assert!(causes[0].0 == "unreadable" && causes[0].1.contains("NO damaged"), "{causes:?}");
    assert!(causes[1].0 == "too_large" && causes[1].1.contains("maxsize"), "{causes:?}");
    // In quarantine they are not shown to it again; a retry shows them to it once more.
    desk.mode("");
    let run = desk.journey.run("delta").remove(0);
    assert_eq!(stat(&run, "transferred"), 1, "{run:#}");
    assert_eq!(desk.totals(), [6, 4, 0, 2]);
    let retried = desk.journey.post(&desk.journey.path("/quarantine/retry"), &json!({})).expect(202).json();
    desk.journey.ended(number(&retried["run_ids"][0]));
    assert_eq!(desk.totals(), [6, 6, 0, 0]);
}

#[test]
fn one_that_is_killed_in_the_middle_doubles_nothing() {
    let desk = Desk::with("signal");
    let messages = (0..8).map(|n| letter("INBOX", &format!("m{n}"), &["\\Seen"]));
    deliver(&desk.old.account(USER), messages);
    desk.journey.succeed("preflight");
    let run = desk.run("initial");
    assert_eq!((run["status"].as_str(), stat(&run, "transferred")), (Some("partial"), 3), "{run:#}");
    assert!(text(&run["summary"]).contains("signal 9"), "{run:#}");
    assert!(text(&run["summary"]).contains("Start the run again"), "{run:#}");
    desk.mode("");
    let run = desk.journey.succeed("initial");
    assert_eq!(stat(&run, "transferred"), 5, "{run:#}");
    assert_eq!(desk.totals(), [8, 8, 0, 0]);
    assert_same(&desk.old.account(USER), &desk.new.account(USER));
}

#[test]
fn gatepost_killed_in_the_middle_of_it_ends_it_and_goes_on_with_the_same_run() {
    // Its guard ends imapsync and what that started, while no Gatepost runs; where the guard was killed too, the next start
    // does.
    for (mode, later, guarded) in [("stall fork", "", true), ("stall rewrites", "rewrites", false)] {
        let desk = Desk::with(mode);
        let messages = (0..8).map(|n| letter("INBOX", &format!("m{n}"), &["\\Seen"]));
        deliver(&desk.old.account(USER), messages);
        desk.journey.succeed("preflight");
        let run = desk.journey.start("initial")[0];
        wait_for("three messages", || count_meanwhile(&desk.new.account(USER)).filter(|count| *count == 3));
        let guard = guard::of(desk.journey.server.pid());
        if !guarded {
            guard::send("KILL", guard);
            wait_for("the end of the guard", || (!is_running(&guard.to_string())).then_some(()));
        }
        let (mut left, mode_file, child) = (String::new(), desk.mode_file(), desk.scripts.path().join("child"));
        let desk = desk.killed_and_restarted_after(|data| {
            let pidfile = data.join(format!("work/run-{run}/imapsync.pid"));
            left = fs::read_to_string(&pidfile).expect("its number");
            if guarded {
                let child = fs::read_to_string(child).expect("its child's number");
                for pid in [&left, &child, &guard.to_string()] {
                    wait_for("the end of imapsync, its child and the guard", || (!is_running(pid)).then_some(()));
                }
            } else {
                assert!(is_running(&left), "nobody is there who could end it");
            }
            // The number is somebody else's by now, as after a restart of the machine.
            fs::write(pidfile, format!("{}\n", std::process::id())).expect("written");
            fs::write(mode_file, later).expect("written");
        });
        let ended = desk.journey.ended(run);
        assert_eq!(ended["status"], "success", "{mode}: {ended:#}\n{}", desk.journey.log(&ended));
        assert_eq!(stat(&ended, "transferred"), 5, "{mode}: {ended:#}");
        assert_eq!(desk.there().messages.len(), 8, "{mode}: nothing is there twice");
        assert_eq!(desk.totals(), [8, 8, 0, 0], "{mode}");
        assert!(!is_running(&left), "{mode}: what was left running goes on");
    }
}

/// One that has ended and waits for its parent has no command line.
fn is_running(pid: &str) -> bool {
    fs::read(format!("/proc/{}/cmdline", pid.trim())).is_ok_and(|line| !line.is_empty())
}

#[test]
fn a_run_ends_first_what_an_interrupted_one_left_running() {
    let desk = Desk::with("");
    let work = desk.journey.server.dir.path().join("data/work/run-4711");
    fs::create_dir_all(&work).expect("a folder");
    fs::write(work.join("running"), "4711-left-by-another-process\n99\n").expect("written");
    let mut left = Command::new("sleep")
        .arg("3600")
        .env("GATEPOST_TOOL_RUN", "4711-left-by-another-process")
        .spawn()
        .expect("sleep");
    // The mark is in its environment once it has begun.
    wait_for("its start", || {
        let line = fs::read(format!("/proc/{}/cmdline", left.id())).unwrap_or_default();
        line.starts_with(b"sleep").then_some(())
    });
    let run = desk.journey.succeed("preflight");
    // What was killed may need a moment to die.
    let ended = wait_for("the end of what was left", || left.try_wait().expect("asked"));
    assert!(!ended.success());
    assert!(desk.journey.log(&run).contains("had left running were ended"), "{}", desk.journey.log(&run));
}

#[test]
fn what_a_server_writes_in_another_way_is_recognised_and_comes_once() {
    let desk = Desk::with("rewrites");
    let subjects = ["one", "twin", "twin", "two"];
    deliver(&desk.old.account(USER), subjects.map(|subject| letter("INBOX", subject, &["\\Flagged"])));
    deliver(&desk.old.account(USER), [letter("Obras", "three", &[])]);
    desk.journey.succeed("preflight");
    let run = desk.journey.succeed("initial");
    assert_eq!(stat(&run, "transferred"), 5, "{run:#}");
    desk.journey.succeed("delta");
    assert_eq!(desk.there().messages.len(), 5, "nothing is there twice");
    assert_eq!(desk.totals(), [5, 5, 0, 0]);
}

#[test]
fn what_a_server_makes_another_message_of_is_in_quarantine_and_comes_once() {
    let desk = Desk::with("footer");
    deliver(&desk.old.account(USER), ["one", "two"].map(|subject| letter("INBOX", subject, &[])));
    desk.journey.succeed("preflight");
    let run = desk.run("initial");
    assert_eq!((stat(&run, "transferred"), stat(&run, "quarantined")), (0, 2), "{run:#}");
    let residue = desk.residue();
    assert!(
        residue.iter().all(|r| text(&r["cause"]).contains("imapsync says that it stored this message")),
        "{residue:#?}"
    );
    desk.run("delta");
    desk.run("delta");
    assert_eq!(desk.there().messages.len(), 2, "nothing is there twice");
    assert_ne!(desk.journey.gate()["gate"], "ready_for_dns");
}

#[test]
fn a_folder_that_could_not_be_looked_at_is_kept_from_it_and_the_rest_arrives() {
    let new = new_server().storage(Storage::Maildir).start().expect("a server");
    let desk = Desk::between(old_server().start().expect("a server"), new, "");
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[]), letter("Obras", "two", &[])]);
    deliver(&desk.new.account(USER), [letter("Obras", "two", &[])]);
    desk.journey.succeed("preflight");
    let files = desk.new.maildir(USER);
    files.lock("Obras", true).expect("the folder can be locked");
    let run = desk.run("initial");
    files.lock("Obras", false).expect("the folder can be unlocked");
    assert_eq!((run["status"].as_str(), stat(&run, "transferred")), (Some("partial"), 1), "{run:#}");
    assert_eq!(stat(&run, "failed_folders"), 1, "{run:#}");
    assert!(!desk.tool_log(&run).contains("Obras"), "{}", desk.tool_log(&run));
    let run = desk.journey.succeed("delta");
    assert_eq!((stat(&run, "adopted"), stat(&run, "transferred")), (1, 0), "{run:#}");
    assert_eq!(desk.there().messages.len(), 2, "nothing is there twice");
}

#[test]
fn whatever_it_tries_the_source_stays_and_nothing_is_deleted_at_the_destination() {
    let desk = Desk::with("vandal");
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &["\\Seen"]), letter("Enviados", "two", &[])]);
    deliver(&desk.new.account(USER), [letter("INBOX", "there before", &["\\Deleted"])]);
    let before = desk.source();
    desk.journey.succeed("preflight");
    let run = desk.journey.succeed("initial");
    let log = desk.tool_log(&run);
    assert!(log.contains("was answered with NO") && !log.contains("was answered with OK"), "{log}");
    assert_eq!(before.messages, desk.source().messages);
    assert_eq!(desk.there().messages.len(), 3);
    assert!(desk.there().messages.iter().filter(|m| m.flags.iter().any(|f| f == "\\Deleted")).count() == 1);
}

#[test]
fn folders_keep_their_names_also_those_that_its_way_of_mapping_cuts() {
    let desk = Desk::with("");
    let folders = ["Projetos 📁/Migração ✉️", "R&D", "Aspas \"duplas\" e \\ barra", "Notas ", "日本語", "Enviados"];
    deliver(&desk.old.account(USER), folders.iter().map(|folder| letter(folder, "hello", &[])));
    desk.journey.succeed("preflight");
    desk.journey.succeed("initial");
    assert_eq!(desk.totals(), [6, 6, 0, 0]);
    assert_same(&desk.old.account(USER), &desk.new.account(USER));

    let folders = ["a=b", "=", "Ação=@{[die]}/$x", "INBOX"];
    deliver(&desk.old.account(USER), folders.iter().map(|folder| letter(folder, "hello", &[])));
    let run = desk.journey.succeed("delta");
    assert_eq!(stat(&run, "transferred"), 4, "{run:#}");
    assert_eq!(desk.totals(), [10, 10, 0, 0]);
    assert_same(&desk.old.account(USER), &desk.new.account(USER));
}

#[test]
fn binary_noise_another_version_and_a_child_left_behind_change_nothing() {
    let desk = Desk::with("binary other fork");
    deliver(&desk.old.account(USER), [sized_letter("INBOX", "one", &[], 200_000), letter("INBOX", "two", &[])]);
    desk.journey.succeed("preflight");
    let run = desk.journey.succeed("initial");
    assert_eq!(stat(&run, "transferred"), 2, "{run:#}");
    let log = desk.journey.log(&run);
    assert!(log.contains("version 9.9") && log.contains("left running"), "{log}");
    let child = fs::read_to_string(desk.scripts.path().join("child")).expect("a child");
    let alive = Path::new("/proc").join(child.trim()).join("cmdline");
    // What was killed may need a moment to die.
    wait_for("the end of the child", || fs::read(&alive).map_or(true, |line| line.is_empty()).then_some(()));
}

#[test]
fn one_that_hangs_ends_when_the_run_is_cancelled() {
    let desk = Desk::with("hang");
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    desk.journey.succeed("preflight");
    let id = desk.journey.start("initial")[0];
    wait_for("the start of imapsync", || {
        let log = desk.journey.get(&format!("/migration/runs/{id}"));
        (log["run"]["status"] == "running").then_some(())
    });
    desk.journey.post(&format!("/migration/runs/{id}/cancel"), &Value::Null).expect(200);
    let run = desk.journey.ended(id);
    assert_eq!((run["status"].as_str(), number(&run["exit_code"])), (Some("partial"), 130), "{run:#}");
    desk.mode("");
    desk.journey.succeed("initial");
    assert_eq!(desk.totals(), [1, 1, 0, 0]);
}

#[test]
fn a_program_that_is_missing_is_said_before_anything_is_copied() {
    let desk = Desk::with("");
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    fs::remove_file(desk.scripts.path().join("imapsync")).expect("removed");
    let run = desk.run("preflight");
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(text(&run["summary"]).contains("MIGRATION_IMAPSYNC_BIN"), "{run:#}");
    assert_eq!(desk.journey.gate()["gate"], "blocked");
    assert!(desk.there().messages.is_empty());
}

#[test]
fn it_is_offered_for_servers_and_not_for_files() {
    let desk = Desk::with("");
    for (source_type, tool, fits) in [
        ("dovecot", "imapsync", true),
        ("zimbra", "imapsync", true),
        ("imap", "doveadm", false),
        ("imap", "zmmailbox", false),
        ("imap", "readpst", false),
        ("mbox", "imapsync", false),
        ("imap", "verify", false),
    ] {
        let mut new = match source_type {
            "mbox" => json!({"email": USER, "dest_secret": {"password": NEW_PASSWORD}}),
            _ => mailbox(&format!("{source_type}-{tool}@move.example"), desk.old.imap_port()),
        };
        new["email"] = format!("{source_type}-{tool}@move.example").into();
        new["source_type"] = source_type.into();
        new["tool"] = tool.into();
        let reply = desk.journey.post(&desk.journey.path("/mailboxes"), &new);
        if fits {
            reply.expect(201);
        } else {
            reply.problem(422, "invalid");
        }
    }
}
