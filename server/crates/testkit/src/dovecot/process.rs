//! Ending a server with all its processes, and a watchdog that ends it when the test process is killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Result, Tried as _};

/// Waits for the end of its standard input, which is the end of this process; then ends the server and deletes its
/// temporary directories.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

/// Ctrl-C reaches the watchdog too, but not a server in a process group of its own: the watchdog has to outlive it.
const WATCHDOG: &str = r#"
trap '' INT HUP
read -r _
pid=$1; shift
kill -TERM "$pid" 2>/dev/null
n=0; while [ $n -lt 50 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; n=$((n+1)); done
kill -KILL "$pid" 2>/dev/null
for dir in "$@"; do rm -rf -- "$dir"; done
"#;

impl Watchdog {
    pub(crate) fn over<'a>(pid: u32, dirs: impl Iterator<Item = &'a Path>) -> Result<Watchdog> {
        let shell = Command::new("sh")
            .args(["-c", WATCHDOG, "gatepost-testkit-watchdog", &pid.to_string()])
            .args(dirs)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .tried(|| "starting the watchdog".to_owned())?;
        Ok(Watchdog { shell })
    }

    /// Must come before the server is ended: afterwards its process id may belong to another process.
    pub(crate) fn dismiss(mut self) {
        // It waits in `read`, so it ends at once; an error means that it has ended already.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The processes that live, each with its parent and its group.
fn living() -> Vec<(u32, Place)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, place(pid)?)))
        .collect()
}

/// The processes below `root`, which is not among them.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let living = living();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        found.extend(living.iter().filter(|(_, place)| place.parent == pid).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}

/// Where a process stands among the others.
struct Place {
    parent: u32,
    group: u32,
}

/// Of a live process: `/proc/PID/stat` is `pid (name) state parent group …`, and the name may hold parentheses.
fn place(pid: u32) -> Option<Place> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| Some(Place { parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? }))?
}

/// Whether a process lives (a zombie does not).
pub(crate) fn lives(pid: u32) -> bool {
    place(pid).is_some()
}

/// SIGTERM, then SIGKILL when `patience` is over; returns when the process and all that it started are gone.
pub(crate) fn end(child: &mut Child, patience: Duration) {
    let mut below: BTreeSet<u32> = descendants(child.id()).into_iter().collect();
    let group = place(child.id()).map(|place| place.group).filter(|&group| group == child.id());
    signal(child.id(), Signal::TERM);
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => break,
            Ok(None) if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
            Ok(None) => {
                // It may have started another one just before it heard of its end.
                below.extend(descendants(child.id()));
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    // Most processes follow their master by themselves. A session that began just before does not always: Dovecot then
    // leaves it to its client. Each is asked, then ended.
    for (grace, then) in [(ORPHAN_GRACE, Signal::TERM), (ORPHAN_GRACE * 3, Signal::KILL), (patience, Signal::KILL)] {
        if wait_for_end(&mut below, group, grace) {
            return;
        }
        below.iter().filter(|&&pid| lives(pid)).for_each(|&pid| signal(pid, then));
    }
}

/// What a session may need to close its indexes.
const ORPHAN_GRACE: Duration = Duration::from_millis(200);

/// Waits for the end of these processes, and of all that are in a group.
fn wait_for_end(pids: &mut BTreeSet<u32>, group: Option<u32>, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(group) = group {
            pids.extend(living().iter().filter(|(_, place)| place.group == group).map(|(pid, _)| *pid));
        }
        if !pids.iter().any(|&pid| lives(pid)) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The process may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}
