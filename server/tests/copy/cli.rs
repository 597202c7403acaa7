//! The command: its options, its progress for a log, its summary.

use crate::common::{
    NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, deliver, kit, letter, new_server, old_server, sized_letter,
};
use gatepost_testkit::{Account, Dovecot, Snapshot};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A mailbox of this machine as a URL.
pub fn url(user: &str, port: u16) -> String {
    format!("imap://{}@127.0.0.1:{port}", user.replace('@', "%40"))
}

/// A copy between two ports with their users' passwords, as JSON at the end unless `words` are wanted.
pub fn copy(dir: &Path, source: u16, dest: u16) -> Command {
    fs::write(dir.join("old"), OLD_PASSWORD).expect("a file");
    fs::write(dir.join("new"), NEW_PASSWORD).expect("a file");
    let mut command = kit::gatepost(dir);
    command.args(["copy", "--source", &url(USER, source), "--dest", &url(USER, dest), "--state", "state.db"]).args([
        "--source-password-file",
        "old",
        "--dest-password-file",
        "new",
    ]);
    command
}

/// The exit code, standard output and standard error.
pub fn ended(command: &mut Command) -> (i32, String, String) {
    text(&command.output().expect("the program starts"))
}

pub fn text(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The object of `--json`.
#[track_caller]
pub fn summary(out: &str) -> Value {
    out.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("no JSON: {out}"))
}

fn servers() -> (Dovecot, Dovecot) {
    (old_server().start().expect("a server"), new_server().start().expect("a server"))
}

fn letters(account: &Account, count: usize, bytes: usize) {
    deliver(account, (0..count).map(|n| sized_letter("INBOX", &format!("letter-{n}"), &["\\Seen"], bytes)));
}

#[test]
fn options_that_cannot_be_are_wrong_usage() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("empty"), "\n").expect("a file");
    for (options, says) in [
        (&["--connections", "0"][..], "1..=16"),
        (&["--connections", "17"], "1..=16"),
        (&["--max-rate", "0"], "above 0"),
        (&["--max-rate=-3"], "above 0"),
        (&["--max-rate=nan"], "above 0"),
        (&["--source-token-file", "empty"], "cannot be used with"),
        (&["--dest-token-file", "empty"], "cannot be used with"),
        (&["--source-admin", ""], "log-in name"),
    ] {
        let (code, _, err) = ended(copy(dir.path(), 1, 2).args(options));
        assert!(code == 2 && err.contains(says), "{options:?}: {err}");
    }
    let mut empty = kit::gatepost(dir.path());
    empty.args(["copy", "--source", &url(USER, 1), "--dest", &url(USER, 2), "--source-token-file", "empty"]);
    let (code, _, err) = ended(&mut empty);
    assert!(code == 2 && err.contains("the token is empty"), "{err}");
}

#[test]
fn a_rate_is_kept_and_one_connection_does_it_too() {
    let (old, new) = servers();
    letters(&old.account(USER), 31, 100);
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = copy(dir.path(), old.imap_port(), new.imap_port());
    let (code, out, err) = ended(command.args(["--max-rate", "20", "--connections", "1", "--verify", "--json"]));
    assert_eq!(code, 0, "{err}");
    let summary = summary(&out);
    assert_eq!((&summary["transferred"], &summary["verified"]), (&31.into(), &true.into()), "{summary}");
    assert_eq!(summary["left_over"], Value::Array(Vec::new()));
    // The first message passes at once, the others each a twentieth of a second later.
    assert!(summary["seconds"].as_f64().is_some_and(|seconds| seconds >= 1.5), "{summary}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_dry_run_tells_what_would_be_copied_and_changes_nothing() {
    let (old, new) = servers();
    letters(&old.account(USER), 3, 100);
    deliver(&old.account(USER), [letter("Projetos/Água", "one", &[])]);
    let before = Snapshot::read(&new.account(USER)).expect("it can be read");
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, err) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).arg("--dry-run"));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("4 messages would be copied") && out.contains("Projetos/Água"), "{out}");
    let after = Snapshot::read(&new.account(USER)).expect("it can be read");
    let names = |snapshot: &Snapshot| snapshot.folders.keys().cloned().collect::<Vec<_>>();
    assert_eq!((names(&before), before.messages), (names(&after), after.messages));
    let (_, out, _) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).args(["--dry-run", "--json"]));
    assert_eq!(summary(&out)["residue"], 4, "{out}");
}

#[test]
fn what_is_left_over_is_named_with_the_servers_words() {
    let old = old_server().start().expect("a server");
    let new = new_server().max_message_bytes(3_000).start().expect("a server");
    letters(&old.account(USER), 22, 6_000);
    letters(&old.account(USER), 2, 100);
    let dir = tempfile::tempdir().expect("a directory");
    let (code, out, err) = ended(&mut copy(dir.path(), old.imap_port(), new.imap_port()));
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.contains("2 messages copied") && out.contains("22 were refused"), "{out}");
    let named: Vec<&str> = out.lines().filter(|line| line.starts_with("  INBOX, UID ")).collect();
    assert_eq!(named.len(), 20, "{out}");
    assert!(named[0].starts_with("  INBOX, UID 1: The message has 6146 bytes; the destination takes 3000"), "{out}");
    assert_eq!(out.lines().last(), Some("  and 2 more"), "{out}");
    let (code, out, _) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).arg("--json"));
    let again = summary(&out);
    assert_eq!((code, again["left_over"].as_array().map(Vec::len)), (3, Some(20)), "{again}");
    let first = &again["left_over"][0];
    assert_eq!((&first["folder"], &first["uid"], &first["state"]), (&"INBOX".into(), &1.into(), &"quarantined".into()));
}
