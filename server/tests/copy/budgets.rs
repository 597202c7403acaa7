//! What a host may be asked for: it is kept, it is told, it is remembered.

use crate::{
    cli::{copy, ended, summary, text},
    common::{
        Journey, USER, assert_same, deliver, id, kit, mail, mailbox, new_server, old_server, sized_letter, wait_for,
        wait_for_one_day,
    },
};
use gatepost_testkit::{Dovecot, Snapshot, fill};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};
use time::{Duration, OffsetDateTime};

/// A file of settings with one table for this machine.
fn settings(dir: &Path, limits: &str) -> String {
    let file = dir.join("gatepost.toml");
    fs::write(&file, format!("[[host]]\nname = \"127.0.0.1\"\n{limits}\n")).expect("a file");
    file.display().to_string()
}

fn filled(count: usize) -> (Dovecot, Dovecot) {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), (0..count).map(|n| sized_letter("INBOX", &format!("letter-{n}"), &["\\Seen"], 4_000)));
    (old, new)
}

/// Hours of today that are not now, whatever the time.
fn other_hours() -> String {
    let clock = |hours| {
        let at = OffsetDateTime::now_utc() + Duration::hours(hours);
        format!("{:02}:{:02}", at.hour(), at.minute())
    };
    format!("hours = \"{}-{}\"", clock(6), clock(12))
}

/// Runs until a line of standard error holds the words, then interrupts as a terminal's Ctrl-C does.
fn interrupted_at(words: &str, command: &mut Command) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut said = String::new();
    while !said.contains(words) {
        let line = lines.next().unwrap_or_else(|| panic!("{words:?} was not said: {said}")).expect("a line");
        said.push_str(&line);
        said.push('\n');
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    lines.map_while(Result::ok).for_each(|line| said.push_str(&line));
    let (code, out, _) = text(&child.wait_with_output().expect("it ends"));
    (code, out, said)
}

#[test]
fn outside_of_a_hosts_hours_a_copy_waits_says_until_when_and_can_be_interrupted() {
    let (old, new) = filled(3);
    let dir = tempfile::tempdir().expect("a directory");
    let file = settings(dir.path(), &other_hours());
    let mut command = copy(dir.path(), old.imap_port(), new.imap_port());
    let (code, out, err) =
        interrupted_at("Waiting for the budget of 127.0.0.1 until ", command.args(["--config", &file]));
    assert_eq!(code, 130, "{out}{err}");
    assert!(err.contains(" UTC: it may be worked from "), "{err}");
    assert!(out.contains("state.db") && out.contains("Run the same command again to go on."), "{out}");
    assert!(Snapshot::read(&new.account(USER)).expect("it can be read").messages.is_empty());
    let (code, _, err) = ended(&mut copy(dir.path(), old.imap_port(), new.imap_port()));
    assert_eq!(code, 0, "{err}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn the_bytes_of_a_day_are_kept_and_remembered_and_what_is_left_follows() {
    let (old, new) = filled(40);
    let dir = tempfile::tempdir().expect("a directory");
    wait_for_one_day();
    // Each message is read from the host and written to it: about half of them pass.
    let file = settings(dir.path(), "bytes_per_day = \"170kB\"");
    let words = "its 170 kB for today are spent";
    let arrived = || Snapshot::read(&new.account(USER)).expect("it can be read").messages.len();
    let mut first = copy(dir.path(), old.imap_port(), new.imap_port());
    let (code, out, err) = interrupted_at(words, first.args(["--config", &file]));
    assert_eq!(code, 130, "{out}{err}");
    let after_first = arrived();
    assert!((10..30).contains(&after_first), "{after_first} of 40");
    // Another process knows what this one has spent: nothing passes any more.
    let mut second = copy(dir.path(), old.imap_port(), new.imap_port());
    let (code, _, err) = interrupted_at(words, second.args(["--config", &file]));
    assert_eq!((code, arrived()), (130, after_first), "{err}");
    let (code, out, err) = ended(copy(dir.path(), old.imap_port(), new.imap_port()).arg("--json"));
    assert_eq!(code, 0, "{err}");
    assert_eq!(summary(&out)["transferred"], 40 - after_first, "{out}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn fewer_connections_than_lanes_do_the_same_work() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    fill(&old.account(USER), &mail(600)).expect("it is filled");
    let dir = tempfile::tempdir().expect("a directory");
    let file = settings(dir.path(), "connections = 2");
    let mut command = copy(dir.path(), old.imap_port(), new.imap_port());
    let (code, out, err) = ended(command.args(["--config", &file, "--connections", "4", "--verify", "--json"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(summary(&out)["verified"], true, "{out}");
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_run_that_waits_shows_why_and_until_when_and_can_be_cancelled() {
    let (old, new) = filled(3);
    let dir = tempfile::tempdir().expect("a directory");
    let file = settings(dir.path(), &other_hours());
    let journey = Journey::with(&[("GATEPOST_CONFIG", &file)], new.imap_port(), &[mailbox(USER, old.imap_port())]);
    let run = journey.start("preflight")[0];
    let waiting = wait_for("the run to wait", || {
        let run = journey.get(&format!("/migration/runs/{run}"))["run"].clone();
        run["progress"]["waiting"].as_str().map(str::to_owned)
    });
    assert!(waiting.starts_with("Waiting for the budget of 127.0.0.1 until "), "{waiting}");
    journey.post(&format!("/migration/runs/{run}/cancel"), &serde_json::Value::Null).expect(200);
    let ended = journey.ended(run);
    assert_eq!((&ended["status"], id(&ended)), (&"partial".into(), run), "{ended:#}");
    assert!(ended["progress"]["waiting"].is_null(), "{ended:#}");
    assert!(journey.log(&ended).contains(&waiting));
}

#[test]
fn the_doctor_shows_the_budgets_and_wrong_ones_stop_the_start() {
    let dir = kit::directory();
    let file = settings(dir.path(), "connections = 3\nhours = \"22:00-06:00\"");
    let (_, out, err) = text(&kit::run(dir.path(), &["--config", &file, "doctor"]));
    assert!(out.contains("host budget: 127.0.0.1: 3 connections, from 22:00 to 06:00 UTC"), "{out}{err}");
    assert!(out.contains("host budget: imap.gmail.com: 10 connections, 2.5 GB a day read"), "{out}{err}");
    let file = settings(dir.path(), "connections = 0\nhours = \"always\"");
    let (code, _, err) = text(&kit::run(dir.path(), &["--config", &file, "serve"]));
    assert_eq!(code, 2, "{err}");
    for says in ["[[host]] 127.0.0.1: connections: 0 cannot be used", "[[host]] 127.0.0.1: hours: \"always\""] {
        assert!(err.contains(says), "{err}");
    }
}
