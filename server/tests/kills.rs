//! Killing at any moment loses nothing and doubles nothing.

mod common;

use common::{
    Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, kit, mail, new_server, number, old_server, sized_letter,
    stat, wait_for,
};
use gatepost_testkit::{
    Proxy, Snapshot, dovecot, fill,
    proxy::{Direction, Hold},
};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Numbers that look random and are the same each time (SplitMix64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn copy(dir: &Path, source: &Proxy, dest: &Proxy) -> Command {
    std::fs::write(dir.join("old"), OLD_PASSWORD).expect("a file");
    std::fs::write(dir.join("new"), NEW_PASSWORD).expect("a file");
    let user = USER.replace('@', "%40");
    let url = |port: u16| format!("imap://{user}@127.0.0.1:{port}");
    let mut command = kit::gatepost(dir);
    command
        .args(["copy", "--source", &url(source.port()), "--dest", &url(dest.port())])
        .args(["--source-password-file", "old", "--dest-password-file", "new", "--state", "state.db", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The last line of a copy that ended by itself.
fn finished(command: &mut Command) -> Value {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn a_copy_that_is_killed_twenty_times_ends_with_every_message_once() {
    killed(20, 1_500, new_server());
}

#[test]
fn so_does_one_to_a_server_that_never_says_where_it_stored_a_message() {
    killed(8, 400, new_server().without(&["UIDPLUS", "MULTIAPPEND", "LITERAL+", "CONDSTORE"]));
}

fn killed(kills: u64, messages: usize, new: dovecot::Builder) {
    let (old, new) = (old_server().start().expect("a server"), new.start().expect("a server"));
    let report = fill(&old.account(USER), &mail(messages)).expect("the old server takes mail");
    let source = Proxy::start(old.imap_port()).expect("a proxy");
    let dest = Proxy::start(new.imap_port()).expect("a proxy");
    // The mail comes from the one and goes to the other; at the moment of a kill no byte of it passes any more.
    let hold = Hold::default();
    source.hold(Direction::ToClient, &hold);
    dest.hold(Direction::ToServer, &hold);
    let dir = tempfile::tempdir().expect("a directory");
    let mut moments = Moments(kills);
    for kill in 1..=kills {
        // A whole copy moves each byte twice. Some kills come before the first message, some among the last ones.
        hold.after(moments.below(report.bytes * 3 / kills));
        let mut child = copy(dir.path(), &source, &dest).spawn().expect("the program starts");
        wait_for("the moment of a kill", || {
            let ended = child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "kill {kill} came too late: {ended:?}");
            hold.holds().then_some(())
        });
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        hold.lose();
    }
    let there = Snapshot::read(&new.account(USER)).expect("it reads").messages.len();
    assert!((1..messages).contains(&there), "the kills were in the middle of the copy: {there} messages were there");
    let last = finished(copy(dir.path(), &source, &dest).arg("--verify"));
    assert_eq!((&last["verified"], &last["residue"]), (&Value::Bool(true), &Value::from(0)), "{last}");
    assert_same(&old.account(USER), &new.account(USER));
    let again = finished(&mut copy(dir.path(), &source, &dest));
    assert_eq!((number(&again["transferred"]), number(&again["already_there"])), (0, messages as i64), "{again}");
}

#[test]
fn a_server_that_is_killed_in_a_run_resumes_it_when_it_starts_again() {
    const MESSAGES: i64 = 300;
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    let (source, dest) = (old.account(USER), new.account(USER));
    common::deliver(&source, (0..MESSAGES).map(|n| sized_letter("INBOX", &format!("letter-{n}"), &[], 20_000)));
    // A slow line, so that the run is at work when the server dies.
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    let journey = Journey::between(old.imap_port(), line.port());
    journey.succeed("preflight");
    line.delay(Duration::from_millis(400));
    // However late the kill comes, a half of the mail is still to be sent.
    let hold = Hold::default();
    hold.after(MESSAGES.unsigned_abs() * 10_000);
    line.hold(Direction::ToServer, &hold);
    let run = journey.start("initial").remove(0);
    let path = format!("/migration/runs/{run}");
    wait_for("progress", || (number(&journey.get(&path)["run"]["progress"]["done"]) > 0).then_some(()));
    let journey = journey.killed_and_restarted_after(|| hold.lose());
    line.delay(Duration::ZERO);
    let run = journey.ended(run);
    assert_eq!(run["status"], "success", "{run:#}\n{}", journey.log(&run));
    assert!(journey.log(&run).contains("again, after an interruption"), "{}", journey.log(&run));
    assert!(stat(&run, "transferred") < MESSAGES, "it did not begin anew: {run:#}");
    assert_same(&source, &dest);
    assert_eq!(stat(&journey.succeed("delta"), "transferred"), 0);
    let runs = journey.get(&journey.path("/runs"));
    assert_eq!(number(&runs["total"]), 3, "one preflight, one initial, one delta: {runs:#}");
}
