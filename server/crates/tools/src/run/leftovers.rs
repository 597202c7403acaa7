//! What a program leaves running: found by a mark in its environment, which children inherit however they detach
//! themselves, and ended.
//!
//! While a program runs, its mark lies in a file in its working directory. When Gatepost dies, its [`guard`](super::guard)
//! ends at once what it ran. Where the guard died with it, or none could be started, whoever starts, or works in that
//! directory next, reads the file and ends what still carries its mark: a process id alone may be somebody else's by then.
//! Whoever runs a program holds a lock on its file, so that another Gatepost beside it does not take it for left over.

use super::guard::Noted;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The variable that carries the mark.
pub(super) const VARIABLE: &str = "GATEPOST_TOOL_RUN";
const FILE: &str = "running";
/// How long a file may be locked by somebody who only ends what was left running, and how often it is tried.
const SWEEP: Duration = Duration::from_secs(5);
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// So long may what is noted there be, in bytes.
const LONGEST: u64 = 4096;

/// The mark of one run of a program.
#[derive(Debug)]
pub(super) struct Ticket {
    mark: Noted,
    path: PathBuf,
    /// Locked until it is dropped.
    file: File,
}

impl Ticket {
    /// A mark that no other run has. What a process that is gone left running in this directory is ended first: its mark
    /// is known nowhere else.
    pub async fn new(work: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let mark = format!("{}-{}-{}", process::id(), now.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = work.join(FILE);
        let locked = tokio::time::timeout(SWEEP, async {
            loop {
                match lock(&path, true) {
                    Ok(None) => tokio::time::sleep(TRY_AGAIN).await,
                    Ok(Some(file)) => return Ok(file),
                    Err(error) => return Err(error),
                }
            }
        });
        let at_work = |_| io::Error::other(format!("a program is at work in {} already", work.display()));
        let mut file = locked.await.map_err(at_work)??;
        kill_noted(&file)?;
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{mark}")?;
        Ok(Self { mark: Noted::by_guard(mark).await?, path, file })
    }

    pub fn mark(&self) -> &str {
        self.mark.mark()
    }

    /// Notes the process's id, for people.
    pub fn started(&self, pid: Option<u32>) -> io::Result<()> {
        writeln!(&self.file, "{}", pid.unwrap_or_default())
    }

    /// Kills everything that carries the mark, until nothing does. Returns how many processes that were.
    pub fn kill_all(&self) -> u32 {
        let killed = kill_marked(self.mark());
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
/// one level further down, where several programs worked for one run. Returns how many were killed. What a living
/// Gatepost runs there stays.
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
        let path = folder.join(FILE);
        // Whoever cannot be locked out is at work there, or has just gone.
        let Ok(Some(file)) = lock(&path, false) else { continue };
        let Ok(ended) = kill_noted(&file) else { continue };
        killed += ended;
        let _ = fs::remove_file(&path);
    }
    Ok(killed)
}

/// The file at this path, locked for this process; `None` while another one has it.
fn lock(path: &Path, create: bool) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Who had it until now may have removed it: that lock would keep nobody away.
        let locked = file.metadata()?;
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (locked.dev(), locked.ino()) => return Ok(Some(file)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
}

/// Kills everything that carries the mark which this file holds, if any. Returns how many processes that were.
fn kill_noted(file: &File) -> io::Result<u32> {
    let mut noted = Vec::new();
    file.take(LONGEST).read_to_end(&mut noted)?;
    let noted = String::from_utf8_lossy(&noted);
    Ok(noted.lines().next().filter(|mark| mark.len() > 8).map_or(0, kill_marked))
}

/// A process that forks while others are killed is met in the next round; one that was killed is seen until the system
/// has taken it down. Returns how many there were.
pub(super) fn kill_marked(mark: &str) -> u32 {
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
