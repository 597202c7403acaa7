//! What a program leaves running: found by a mark in its environment, which children inherit however they detach
//! themselves, and ended.
//!
//! While a program runs, its mark lies in a file in its working directory. After a crash of Gatepost the next start
//! reads those files and ends what still carries their marks: a process id alone may be somebody else's by then. Whoever
//! runs a program holds a lock on its file, so that another Gatepost beside it does not take it for left over.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The variable that carries the mark.
pub(super) const VARIABLE: &str = "GATEPOST_TOOL_RUN";
const FILE: &str = "running";

/// The mark of one run of a program.
#[derive(Debug)]
pub(super) struct Ticket {
    mark: String,
    path: PathBuf,
    /// Locked until it is dropped.
    file: File,
}

impl Ticket {
    /// A mark that no other run has.
    pub fn new(work: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let mark = format!("{}-{}-{}", process::id(), now.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = work.join(FILE);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        file.try_lock().map_err(|_| io::Error::other(format!("a program is at work in {} already", work.display())))?;
        file.set_len(0)?;
        writeln!(file, "{mark}")?;
        Ok(Self { mark, path, file })
    }

    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Notes the process's id, for people.
    pub fn started(&self, pid: Option<u32>) -> io::Result<()> {
        writeln!(&self.file, "{}", pid.unwrap_or_default())
    }

    /// Kills everything that carries the mark, until nothing does. Returns how many processes that were.
    pub fn kill_all(&self) -> u32 {
        let killed = kill_marked(&self.mark);
        let _ = fs::remove_file(&self.path);
        killed
    }
}

/// Sends a signal to the group that a process leads.
pub(super) fn signal_group(leader: Option<u32>, signal: Signal) {
    let pid = leader.and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 1).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = kill_process_group(pid, signal);
    }
}

/// Ends what a crash left running: every process that carries a mark noted in a directory directly below this one, or
/// one level further down, where several programs worked for one run. Returns how many were killed. To be called before any program is started there.
///
/// # Errors
/// When the directory cannot be read; a missing one holds nothing.
pub fn end_leftovers(below: &Path) -> io::Result<u32> {
    let entries = match fs::read_dir(below) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        folders.extend(fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()));
        folders.push(folder);
    }
    let mut killed = 0;
    for folder in folders {
        let file = folder.join(FILE);
        let Ok(open) = File::open(&file) else { continue };
        if open.try_lock().is_err() {
            continue;
        }
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if let Some(mark) = text.lines().next().filter(|mark| mark.len() > 8) {
            killed += kill_marked(mark);
        }
        let _ = fs::remove_file(&file);
    }
    Ok(killed)
}

/// A process that forks while others are killed is met in the next round; one that was killed is seen until the system
/// has taken it down. Returns how many there were.
fn kill_marked(mark: &str) -> u32 {
    const ROUNDS: u32 = 200;
    const BETWEEN: Duration = Duration::from_millis(5);
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = marked(mark);
        if found.is_empty() {
            break;
        }
        for pid in found {
            if kill_process(pid, Signal::KILL).is_ok() {
                killed.insert(pid.as_raw_nonzero());
            }
        }
        thread::sleep(BETWEEN);
    }
    u32::try_from(killed.len()).unwrap_or(u32::MAX)
}

/// Processes of this user whose environment has the mark, without those that have ended and wait for their parent.
fn marked(mark: &str) -> Vec<Pid> {
    let wanted = format!("{VARIABLE}={mark}").into_bytes();
    let own = process::id();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid > 1 && *pid != own)
        .filter(|pid| {
            // Processes of others cannot be read; one that has ended has no environment any more.
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|b| *b == 0).any(|variable| variable == wanted))
        })
        .filter_map(|pid| i32::try_from(pid).ok().and_then(Pid::from_raw))
        .collect()
}
