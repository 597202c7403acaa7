//! The guard that the server starts beside itself: what it holds, and how it ends.

use super::{Desk, USER, deliver, fs, is_running, letter, wait_for};
use std::{collections::HashSet, path::PathBuf, process::Command};

/// The guard of a server, which runs programs or has run one.
pub(super) fn of(server: u32) -> u32 {
    wait_for("the guard", || processes().find(|pid| parent(*pid) == Some(server) && is_guard(*pid)))
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").expect("processes").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; a state follows it, and the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn is_guard(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"gatepost\0guard\0")
}

pub(super) fn send(signal: &str, pid: u32) {
    let sent = Command::new("sh").args(["-c", "kill -$0 $1", signal, &pid.to_string()]).status();
    assert!(sent.expect("a shell").success(), "{signal} to {pid}");
}

/// What a process has open: files, sockets and pipes. Those of the kernel without a name look alike everywhere.
fn open(pid: u32) -> HashSet<PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").flatten();
    let named =
        |to: &PathBuf| !["/dev/null", "anon_inode:"].iter().any(|start| to.to_string_lossy().starts_with(start));
    files.filter_map(|file| fs::read_link(file.path()).ok()).filter(named).collect()
}

#[test]
fn the_guard_holds_its_pipes_and_nothing_else_of_gatepost_and_ends_with_it() {
    let desk = Desk::with("");
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    desk.journey.succeed("preflight");
    let server = desk.journey.server.pid();
    let guard = of(server);
    assert_eq!(fs::read(format!("/proc/{guard}/environ")).expect("it runs"), b"", "no setting, no secret");
    let directory = fs::read_link(format!("/proc/{guard}/cwd")).expect("it runs");
    assert_eq!(directory, PathBuf::from("/"));
    let (held, of_server) = (open(guard), open(server));
    let listens = of_server.iter().filter(|file| file.to_string_lossy().starts_with("socket:")).count();
    assert!(listens > 0, "{of_server:?}");
    // What whoever runs these tests left open to all its children is no secret of Gatepost's.
    let inherited = open(std::process::id());
    let shared: Vec<_> = held.intersection(&of_server).filter(|file| !inherited.contains(*file)).collect();
    assert!(shared.len() == 2 && shared.iter().all(|file| file.to_string_lossy().starts_with("pipe:")), "{shared:?}");

    desk.journey.succeed("initial");
    assert_eq!(of(server), guard, "one serves all programs");
    send("TERM", server);
    for pid in [server, guard] {
        wait_for("the end of both", || (!is_running(&pid.to_string())).then_some(()));
    }
}
