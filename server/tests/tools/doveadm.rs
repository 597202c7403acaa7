//! Mailboxes that are moved by doveadm between two real Dovecots: by imapc, and by dsync through a real sshd. What a
//! stand-in adds is bad behaviour: it calls the real doveadm for everything that it leaves alone.

mod bad;

use crate::common::{
    DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, count_meanwhile, deliver, id,
    kit::{self, Server},
    letter, mail, mailbox, new_server, number, old_server,
    raw::Raw,
    sized_letter, stat, text, wait_for,
};
use gatepost_testkit::{Dovecot, Snapshot, Sshd, dovecot, executable};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Two servers, and a job whose mailbox is moved by doveadm.
struct Desk {
    old: Dovecot,
    new: Dovecot,
    journey: Journey,
    scripts: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Desk {
    fn new() -> Self {
        Self::between(old_server(), new_server())
    }

    fn between(old: dovecot::Builder, new: dovecot::Builder) -> Self {
        let (old, new) = (old.start().expect("a server"), new.start().expect("a server"));
        let config = new.dir().join("dovecot.conf");
        Self::of(old, new, &config)
    }

    /// With a doveadm that is told of this configuration.
    fn of(old: Dovecot, new: Dovecot, config: &Path) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        let program = stand_in(scripts.path());
        let settings = vec![
            ("MIGRATION_DOVEADM_BIN", program.display().to_string()),
            ("MIGRATION_DOVEADM_CONFIG", config.display().to_string()),
            ("MIGRATION_DEST_IMAP_HOST", "127.0.0.1".to_owned()),
            ("MIGRATION_DEST_IMAP_PORT", new.imap_port().to_string()),
        ];
        let journey = Journey::with(&pairs(&settings), new.imap_port(), &[moved(&old)]);
        Self { old, new, journey, scripts, settings }
    }

    /// Kills the server in the middle of whatever it does and starts another on its directory.
    fn killed_and_restarted_after(self, meanwhile: impl FnOnce()) -> Self {
        let Journey { server, technician, lead, admin, tenant, job } = self.journey;
        let dir = server.kill();
        meanwhile();
        let server = Server::start_in(dir, &pairs(&self.settings));
        Self { journey: Journey { server, technician, lead, admin, tenant, job }, ..self }
    }

    /// From here on doveadm behaves so.
    fn mode(&self, mode: &str) {
        fs::write(self.scripts.path().join("mode"), mode).expect("written");
    }

    #[track_caller]
    fn run(&self, what: &str) -> Value {
        self.journey.run(what).remove(0)
    }

    /// After a run that failed as a whole: back to where the job was.
    #[track_caller]
    fn retry(&self, run: &Value) -> Value {
        retry(&self.journey, run)
    }

    #[track_caller]
    fn totals(&self) -> [i64; 4] {
        self.run("verify");
        let totals = self.journey.evidence()["totals"].clone();
        ["source", "arrived", "pending", "quarantined"].map(|part| number(&totals[part]))
    }

    fn there(&self) -> Snapshot {
        Snapshot::read(&self.new.account(USER)).expect("it reads")
    }

    fn source(&self) -> Snapshot {
        Snapshot::read(&self.old.account(USER)).expect("it reads")
    }
}

/// A job whose mailbox is moved by dsync over SSH.
struct BySsh {
    journey: Journey,
    sshd: Sshd,
    scripts: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl BySsh {
    /// The mail lies at `old`; the `doveadm` that is reached by SSH is one for the Dovecot `there`.
    fn new(old: &Dovecot, there: &Dovecot, new: &Dovecot) -> Self {
        let scripts = tempfile::tempdir().expect("a folder");
        // The user who logs in calls what lies in it.
        fs::set_permissions(scripts.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let config = there.dir().join("dovecot.conf").display().to_string();
        let (doveadm, calls) = (scripts.path().join("doveadm"), scripts.path().join("calls"));
        let script =
            format!("#!/bin/sh\necho \"$@\" >>{}\nexec /usr/bin/doveadm -c {config} \"$@\"\n", calls.display());
        executable::install(&doveadm, script).expect("written");
        let sshd = Sshd::start(&[("PATH", &format!("{}:/usr/bin:/bin", scripts.path().display()))]).expect("a server");
        let key = scripts.path().join("key");
        fs::copy(sshd.client_key(), &key).expect("copied");
        let settings = vec![
            ("MIGRATION_DOVEADM_CONFIG", new.dir().join("dovecot.conf").display().to_string()),
            ("GATEPOST_SSH_KEY_FILE", key.display().to_string()),
            ("MIGRATION_DEST_IMAP_HOST", "127.0.0.1".to_owned()),
            ("MIGRATION_DEST_IMAP_PORT", new.imap_port().to_string()),
        ];
        let journey = Journey::on(Server::start_with(&pairs(&settings)), new.imap_port(), &[]);
        let mut by_ssh = moved(old);
        by_ssh["source_ssh"] = sshd.address().into();
        journey.server.call(&journey.lead, "POST", &journey.path("/mailboxes"), &by_ssh).expect(201);
        Self { journey, sshd, scripts, settings }
    }

    /// From here on the Desk knows the host.
    fn trust(&self) {
        let fingerprint = self.sshd.fingerprint().expect("a fingerprint");
        let mut trust = kit::gatepost(self.journey.server.dir.path());
        let trust = trust.envs(pairs(&self.settings));
        let told = trust.args(["ssh", "trust", &self.sshd.host(), "--fingerprint", &fingerprint]).output();
        assert!(told.expect("it starts").status.success());
    }

    /// What `doveadm` was called with by SSH.
    fn calls(&self) -> String {
        fs::read_to_string(self.scripts.path().join("calls")).expect("it was called")
    }
}

fn pairs<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[track_caller]
fn retry(journey: &Journey, run: &Value) -> Value {
    let started = journey.post(&format!("/migration/runs/{}/retry", run["id"]), &Value::Null).expect(202).json();
    journey.ended(number(&started["run_ids"][0]))
}

fn moved(old: &Dovecot) -> Value {
    let mut moved = mailbox(USER, old.imap_port());
    (moved["source_type"], moved["tool"]) = ("dovecot".into(), "doveadm".into());
    moved
}

/// A program that calls doveadm, unless the file `mode` beside it says otherwise. It may be called by another user.
fn stand_in(folder: &Path) -> PathBuf {
    let path = folder.join("doveadm");
    let script = r#"#!/bin/sh
mode=$(cat "$(dirname "$0")/mode" 2>/dev/null)
case "$mode:$*" in
  claims:*" copy "*|claims:*" sync "*) exit 0 ;;
  again:*" copy "*|again:*" sync "*) echo "doveadm(u): Error: it is locked" >&2; exit 75 ;;
  changed:*" copy "*|changed:*" sync "*) exit 2 ;;
  denied:*" copy "*|denied:*" sync "*) echo "doveadm(u): Error: not yours" >&2; exit 77 ;;
  dies:*" copy "*|dies:*" sync "*) kill -SEGV $$ ;;
  binary:*" copy "*|binary:*" sync "*) head -c 100000 /dev/urandom >&2; exit 65 ;;
  other:*) echo "doveconf: Fatal: Error in configuration file x line 1: Unknown setting: imapc_host" >&2; exit 89 ;;
  nosync:*" sync "*) exit 65 ;;
  half:*" sync "*) exit 65 ;;
  half:*" copy "*) /usr/bin/doveadm "$@"; exit 75 ;;
  stall:*" copy "*) /usr/bin/doveadm "$@"; sleep 3600 ;;
  late:*" status "*gatepost-source*)
    test -e "$0.late" || printf 'Subject: delivered\nMessage-Id: <delivered@b.example>\n\nx\n' |
      /usr/bin/doveadm -c "$2" save -u "$8"
    touch "$0.late" ;;
esac
exec /usr/bin/doveadm "$@"
"#;
    executable::install(&path, script).expect("written");
    path
}

#[test]
fn an_account_moves_by_imapc_folders_that_were_empty_keep_their_uids_and_nothing_is_ever_deleted() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), mail(60).generate());
    deliver(
        &desk.old.account(USER),
        [letter("Obra -x", "odd name", &["\\Flagged", "etiqueta"]), letter("100%", "percent", &[])],
    );
    let before = desk.source();
    let preflight = desk.journey.succeed("preflight");
    assert!(desk.journey.log(&preflight).contains("doveadm reads the old server by imapc"), "{preflight:#}");
    let run = desk.journey.succeed("initial");
    let said = &run["stats"]["doveadm"];
    assert!(number(&said["folders_by_dsync"]) > 0 && number(&said["folders_by_copy"]) > 0, "{run:#}");
    assert_eq!((run["tool"].as_str(), stat(&run, "transferred")), (Some("doveadm"), 62), "{run:#}");
    desk.journey.succeed("verify");
    assert_same(&desk.old.account(USER), &desk.new.account(USER));
    let uids = |of: &Snapshot| of.folder("INBOX").map(|m| (m.uid, m.digest)).collect::<Vec<_>>();
    assert_eq!(uids(&desk.source()), uids(&desk.there()), "the inbox was empty: it keeps its UIDs");
    // Which folders are \Marked is for the server to say.
    assert_eq!(format!("{:?}", before.messages), format!("{:?}", desk.source().messages), "the source is as it was");

    // A message is deleted at the source, one comes there, one comes at the destination.
    let mark = format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", uids(&before)[0].0);
    let gone = format!("UID EXPUNGE {}", uids(&before)[0].0);
    Raw::within(&desk.old.account(USER), "INBOX", &[&mark, &gone]);
    deliver(&desk.old.account(USER), [letter("INBOX", "later", &[])]);
    deliver(&desk.new.account(USER), [letter("INBOX", "delivered here", &[])]);
    let held = desk.there();
    let run = desk.journey.succeed("delta");
    assert_eq!(stat(&run, "transferred"), 1, "{run:#}");
    let now = desk.there();
    assert!(
        held.messages
            .iter()
            .all(|old| now.messages.iter().any(|m| (&m.folder, m.uid, m.digest) == (&old.folder, old.uid, old.digest)))
    );
    assert_eq!(now.messages.len(), held.messages.len() + 1);
    assert_eq!(desk.totals(), [62, 62, 0, 0]);
}

#[test]
fn dsync_over_ssh_fills_empty_folders_and_an_unknown_host_is_not_connected_to() {
    let old = old_server().start().expect("a server");
    let new = new_server().start().expect("a server");
    deliver(&old.account(USER), mail(40).generate());
    let desk = BySsh::new(&old, &old, &new);
    let journey = &desk.journey;
    let run = journey.run("preflight").remove(0);
    assert_ne!(run["status"], "success", "{run:#}");
    let told = format!("{run:#}{}", journey.log(&run));
    assert!(told.contains(&format!("gatepost ssh trust {}", desk.sshd.host())), "{told}");

    desk.trust();
    let run = retry(journey, &run);
    assert_eq!(run["status"], "success", "{run:#}");
    let run = journey.succeed("initial");
    assert!(number(&run["stats"]["doveadm"]["folders_by_dsync"]) > 0, "{run:#}\n{}", journey.log(&run));
    let calls = desk.calls();
    assert!(calls.contains("dsync-server -u"), "{calls}");
    journey.succeed("verify");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_user_of_the_same_name_behind_ssh_is_not_taken_for_the_one_that_imap_shows() {
    let [old, other] = [(); 2].map(|()| old_server().start().expect("a server"));
    let new = new_server().start().expect("a server");
    deliver(&old.account(USER), [letter("INBOX", "mine", &[])]);
    deliver(&other.account(USER), [letter("INBOX", "somebody else's", &[]), letter("INBOX", "another", &[])]);
    let desk = BySsh::new(&old, &other, &new);
    let journey = &desk.journey;
    desk.trust();
    journey.succeed("preflight");
    let run = journey.succeed("initial");
    assert!(journey.log(&run).contains("does not show the folder"), "{run:#}\n{}", journey.log(&run));
    let calls = desk.calls();
    assert!(!calls.contains("dsync-server"), "{calls}");
    journey.succeed("verify");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_full_mailbox_is_said_plainly_and_what_did_not_fit_is_pending() {
    let desk = Desk::between(old_server(), new_server().user_quota_bytes(40_000));
    let letters = (0..8).map(|n| sized_letter("Obras", &format!("large {n}"), &[], 10_000));
    // Seen before it is full: a preflight would say so already.
    desk.journey.succeed("preflight");
    deliver(&desk.old.account(USER), letters);
    desk.mode("nosync");
    let run = desk.run("initial");
    assert_ne!(run["status"], "success", "{run:#}\n{}", desk.journey.log(&run));
    assert!(text(&run["summary"]).contains("full (exit code 73)"), "{run:#}");
    let there = i64::try_from(desk.there().messages.len()).expect("few");
    let pending = number(&desk.journey.get(&desk.journey.path("/residue?state=pending"))["total"]);
    let quarantined = number(&desk.journey.get(&desk.journey.path("/residue?state=quarantined"))["total"]);
    assert!(pending > 0 && there + pending == 8 && quarantined == 0, "{there} {pending} {quarantined}");
}

#[test]
fn a_message_that_cannot_be_copied_is_found_and_named_and_the_rest_arrives() {
    let desk = Desk::between(old_server(), new_server().max_message_bytes(50_000));
    let letters = (0..9).map(|n| sized_letter("Obras", &format!("m{n}"), &[], if n == 4 { 80_000 } else { 500 }));
    deliver(&desk.old.account(USER), letters);
    desk.journey.run("preflight");
    desk.mode("nosync");
    let run = desk.run("initial");
    assert_eq!(run["status"], "partial", "{run:#}\n{}", desk.journey.log(&run));
    assert_eq!(desk.totals(), [9, 8, 0, 1], "{run:#}\n{}", desk.journey.log(&run));
    let residue = desk.journey.get(&desk.journey.path("/residue"))["items"][0].clone();
    assert_eq!((&residue["subject"], &residue["cause_kind"]), (&json!("m4"), &json!("too_large")), "{residue:#}");
}

#[test]
fn whatever_doveadm_claims_only_what_is_there_has_arrived() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[]), letter("Obras", "two", &["\\Seen"])]);
    desk.journey.succeed("preflight");
    let (mut last, mut what): (Option<Value>, &str) = (None, "initial");
    for (mode, words) in [
        ("claims", "have not arrived"),
        ("changed", "exit code 2"),
        ("again", "exit code 75"),
        ("denied", "exit code 77"),
        ("dies", "signal 11"),
        ("binary", "exit code 65"),
        ("other", "MIGRATION_DOVEADM_CONFIG"),
    ] {
        desk.mode(mode);
        let run = last.as_ref().map_or_else(|| desk.run(what), |run| desk.retry(run));
        // What another try may mend, and what doveadm takes for done, does not stop the job.
        let goes_on = matches!(mode, "claims" | "changed" | "again");
        assert_eq!(run["status"], if goes_on { "partial" } else { "failed" }, "{mode}: {run:#}");
        last = (!goes_on).then(|| run.clone());
        what = "delta";
        let told = format!("{}\n{}", text(&run["summary"]), desk.journey.log(&run));
        assert!(told.contains(words), "{mode}: {told}");
        let arrived = run["stats"]["transferred"].as_i64().unwrap_or_default();
        assert_eq!((arrived, desk.there().messages.len()), (0, 0), "{mode}");
        // A program that fails at everything says nothing against the messages.
        let items = desk.journey.get(&desk.journey.path("/residue?state=quarantined"))["items"].clone();
        assert_eq!(items, json!([]), "{mode}");
    }
    // Half done, then "again": what was stored is recognised, and nothing comes twice.
    desk.mode("half");
    let run = desk.retry(&last.expect("a run"));
    assert_eq!(desk.there().messages.len(), 2, "{run:#}");
    desk.mode("");
    desk.run("delta");
    assert_eq!(desk.totals(), [2, 2, 0, 0]);
    assert_same(&desk.old.account(USER), &desk.new.account(USER));
}

#[test]
fn gatepost_killed_in_the_middle_of_doveadm_ends_it_and_goes_on_with_the_same_run() {
    let desk = Desk::new();
    // Into a folder that is not empty it copies.
    deliver(&desk.new.account(USER), [letter("INBOX", "there before", &[])]);
    deliver(&desk.old.account(USER), (0..6).map(|n| letter("INBOX", &format!("m{n}"), &["\\Seen"])));
    desk.journey.succeed("preflight");
    desk.mode("stall");
    let run = desk.journey.start("initial")[0];
    wait_for("six messages", || count_meanwhile(&desk.new.account(USER)).filter(|count| *count == 7));
    let mode = desk.scripts.path().join("mode");
    let desk = desk.killed_and_restarted_after(|| fs::write(mode, "").expect("written"));
    let ended = desk.journey.ended(run);
    assert_eq!(ended["status"], "success", "{ended:#}\n{}", desk.journey.log(&ended));
    assert_eq!(desk.there().messages.len(), 7, "nothing is there twice");
    assert_eq!(desk.totals(), [6, 6, 0, 0]);
    let of_ours = desk.scripts.path().join("doveadm").display().to_string();
    let running = fs::read_dir("/proc").expect("processes").flatten().filter(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&of_ours)
    });
    assert_eq!(running.count(), 0, "what was left running goes on");
}

#[test]
fn what_is_delivered_while_a_folder_is_about_to_be_filled_stays() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), (0..4).map(|n| letter("INBOX", &format!("m{n}"), &[])));
    desk.journey.succeed("preflight");
    desk.mode("late");
    let run = desk.journey.succeed("initial");
    let there = desk.there();
    // Every other has the date that it was given.
    let delivered = there.messages.iter().filter(|m| m.date.unix_seconds != 1_700_000_000);
    assert_eq!((delivered.count(), there.messages.len()), (1, 5), "{run:#}\n{}", desk.journey.log(&run));
    assert_eq!(number(&run["stats"]["doveadm"]["folders_by_dsync"]), 0, "{run:#}");
    assert_eq!(desk.totals(), [4, 4, 0, 0]);
}

#[test]
fn when_mail_is_delivered_to_the_new_server_a_folder_is_copied_and_not_filled() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    desk.journey.to_evidence();
    desk.journey.approve().expect(200);
    let applied = json!({"domain": DOMAIN});
    desk.journey.server.call(&desk.journey.lead, "POST", "/migration/webhooks/dns-applied", &applied).expect(200);
    deliver(&desk.old.account(USER), [letter("Obras", "straggler", &[])]);
    let run = desk.journey.succeed("final");
    let said = &run["stats"]["doveadm"];
    assert_eq!((number(&said["folders_by_dsync"]), number(&said["folders_by_copy"])), (0, 1), "{run:#}");
    assert_eq!(desk.there().messages.len(), 2);
}

#[test]
fn a_doveadm_of_another_server_writes_nothing() {
    let other = new_server().start().expect("a server");
    // The same user is there too, with another mailbox.
    deliver(&other.account(USER), [letter("INBOX", "somebody else's", &[])]);
    // UIDVALIDITY counts seconds.
    let began = uid_validity(&other);
    let (old, mut new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    while uid_validity(&new) == began {
        new = new_server().start().expect("a server");
    }
    deliver(&old.account(USER), [letter("INBOX", "one", &[])]);
    let config = other.dir().join("dovecot.conf");
    let desk = Desk::of(old, new, &config);
    let run = desk.run("preflight");
    assert_ne!(run["status"], "success", "{run:#}");
    let told = format!("{run:#}{}", desk.journey.log(&run));
    assert!(told.contains("does not work on the mailbox"), "{told}");
    assert_eq!(Snapshot::read(&other.account(USER)).expect("it reads").messages.len(), 1);
    assert!(desk.there().messages.is_empty());
    let choose = format!("/migration/mailboxes/{}", id(&desk.journey.mailbox()));
    let native = json!({"tool": "native"});
    desk.journey.server.call(&desk.journey.technician, "PATCH", &choose, &native).expect(200);
    let run = desk.retry(&run);
    assert_eq!(run["status"], "success", "{run:#}");
    desk.journey.succeed("initial");
    assert_eq!(desk.there().messages.len(), 1);
}

fn uid_validity(server: &Dovecot) -> String {
    let told = Raw::within(&server.account(USER), "INBOX", &[]);
    let (_, rest) = told.split_once("UIDVALIDITY ").expect("a UIDVALIDITY");
    rest.split(']').next().unwrap_or_default().to_owned()
}

#[test]
fn secrets_stand_in_no_log_of_doveadm() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    desk.journey.succeed("preflight");
    let run = desk.journey.succeed("initial");
    let logs = desk.journey.server.dir.path().join("data/logs");
    let log = logs.join(format!("run-{}-doveadm.gz", run["id"]));
    let mut told = Vec::new();
    let file = fs::File::open(&log).expect("a log");
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(file), &mut told).expect("gzip");
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("uidvalidity"), "{told}");
    assert!(!told.contains(OLD_PASSWORD) && !told.contains(NEW_PASSWORD) && !told.contains("imapc_password"));
    assert!(!desk.journey.server.dir.path().join(format!("data/work/run-{}", run["id"])).exists());
}
