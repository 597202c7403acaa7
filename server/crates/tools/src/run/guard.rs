//! Ends programs when Gatepost itself has ended without ending them: killed by SIGKILL, crashed, or for want of memory.
//!
//! ```text
//!   Gatepost ── a pipe: +mark before a program starts, -mark when nothing of it is left ──► guard
//!      │   ◄── +mark again: it is noted, and the program may start ───────────────────────────┤
//!      │                                                                                      │
//!      └─ dies, however: the system closes the pipe ──────────────────────────────────────────┴─► ends what is noted
//! ```
//!
//! The guard is a process of its own, started with the first program: [`guard_by`] says how. It leads its own process
//! group and outlives the signals that ask a group to end, so that Ctrl-C at Gatepost does not take it along. Beside its
//! pipes it holds no file or address of Gatepost's, no setting and no secret: its environment is empty. The pipe comes to
//! its end only when nobody holds its other side any more. A child of Gatepost that is about to become a program holds a copy until it has become
//! one, and carries its mark then: none slips through between its birth and Gatepost's death.
//!
//! A guard that was ended itself is replaced when the next program starts, and told of every run that is still at work.
//! Where Gatepost and its guard are killed together, or none can be started, what runs goes on until the next start, which
//! finds it by the files of [`end_leftovers`](super::end_leftovers). Under systemd it does not come to that: the unit's
//! control group ends with the service, and the guard with it.

use super::leftovers::kill_marked;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError, mpsc},
    thread,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// How often the guard looks for what is noted, and how long it waits between: a process shows its mark an instant after
/// it has let go of the pipe.
const LOOKS: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(50);
/// As [`end_leftovers`](super::end_leftovers): what is shorter is no mark.
const SHORTEST: usize = 9;
/// How long a guard may take to note a mark, its own start included.
const PATIENCE: Duration = Duration::from_secs(20);

static WATCH: Mutex<Watch> =
    Mutex::new(Watch { command: None, patience: PATIENCE, guard: None, marks: BTreeSet::new() });

fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says how this process's guard is started: a command that does [`stand_guard`] with its standard streams. Its
/// environment, directory, group and streams are set here. Without it there is no guard, and what a crash leaves running
/// goes on until the next start.
pub fn guard_by(command: fn() -> Command) {
    watch().command = Some(command);
}

/// The guard's whole work: notes the marks that come and says so, until nothing more can come, and ends whatever carries
/// one then.
///
/// # Errors
/// When the signals that ask it to end cannot be kept off.
pub fn stand_guard(mut told: impl BufRead, mut answer: impl Write) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    // Each is taken note of, for as long as this process lives, and nothing follows from it.
    for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()] {
        drop(signal(kind)?);
    }
    drop(entered);
    let mut marks = BTreeSet::new();
    let mut line = String::new();
    // A pipe that cannot be read is at its end too.
    while let Ok(1..) = told.read_line(&mut line) {
        if note(&mut marks, &line) {
            // Who is gone hears nothing, and the pipe says so next.
            let _ = answer.write_all(line.as_bytes()).and_then(|()| answer.flush());
        }
        line.clear();
    }
    if !marks.is_empty() {
        for _ in 0..LOOKS {
            for mark in &marks {
                kill_marked(mark);
            }
            thread::sleep(BETWEEN);
        }
    }
    Ok(())
}

/// Whether that is to be answered.
fn note(marks: &mut BTreeSet<String>, line: &str) -> bool {
    // One that broke off was never told to its end, and its program never started.
    let Some(line) = line.strip_suffix('\n') else { return false };
    match line.split_at_checked(1) {
        Some(("+", mark)) if mark.len() >= SHORTEST => {
            marks.insert(mark.to_owned());
            true
        }
        Some(("-", mark)) => {
            marks.remove(mark);
            false
        }
        _ => false,
    }
}

/// A mark that the guard knows from now on, until this is dropped.
#[derive(Debug)]
pub(super) struct Noted(String);

impl Noted {
    /// Has the guard note it, and starts one where there is none. Without one the program is run nevertheless.
    pub async fn by_guard(mark: String) -> io::Result<Self> {
        // Dropped in the middle, it is taken back as soon as it was noted.
        let noting = tokio::task::spawn_blocking(move || {
            let noted = Self(mark);
            watch().begin(&noted.0);
            noted
        });
        noting.await.map_err(io::Error::other)
    }

    pub fn mark(&self) -> &str {
        &self.0
    }
}

impl Drop for Noted {
    /// Waits for nobody: whoever drops it may be the one thread that everything else goes on in.
    fn drop(&mut self) {
        let mark = std::mem::take(&mut self.0);
        match WATCH.try_lock() {
            Ok(mut watch) => watch.end(&mark),
            Err(TryLockError::Poisoned(watch)) => watch.into_inner().end(&mark),
            Err(TryLockError::WouldBlock) => {
                // A guard is slow to answer. Without a thread it keeps a mark that nothing carries.
                let _ = thread::Builder::new().spawn(move || watch().end(&mark));
            }
        }
    }
}

/// This process's guard, and the marks of all runs at work.
struct Watch {
    command: Option<fn() -> Command>,
    patience: Duration,
    guard: Option<Guard>,
    marks: BTreeSet<String>,
}

impl Watch {
    fn begin(&mut self, mark: &str) {
        self.marks.insert(mark.to_owned());
        let Some(command) = self.command else { return };
        let until = Instant::now() + self.patience;
        if self.guard.as_mut().is_some_and(|guard| guard.note(mark, until).is_ok()) {
            return;
        }
        // Its place is free before another one takes it.
        self.guard = None;
        let until = Instant::now() + self.patience;
        let started = Guard::start(command()).and_then(|mut guard| {
            self.marks.iter().try_for_each(|mark| guard.note(mark, until))?;
            Ok(guard)
        });
        match started {
            Ok(guard) => self.guard = Some(guard),
            Err(error) => tracing::warn!(
                %error,
                "no guard could be started: if Gatepost is killed, the program that starts now goes on until the next start"
            ),
        }
    }

    fn end(&mut self, mark: &str) {
        self.marks.remove(mark);
        if self.guard.as_mut().is_some_and(|guard| guard.tell('-', mark).is_err()) {
            // The next program gets another one.
            self.guard = None;
        }
    }
}

/// A guard at work.
struct Guard {
    process: Child,
    pipe: ChildStdin,
    /// Lines, until it is gone.
    answers: mpsc::Receiver<String>,
}

impl Guard {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut process = command
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(pipe), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("its pipes are missing"));
        };
        let (hear, heard) = mpsc::channel();
        let guard = Self { process, pipe, answers: heard };
        thread::Builder::new().spawn(move || {
            let lines = BufReader::new(answers).lines().map_while(Result::ok);
            lines.take_while(|line| hear.send(line.clone()).is_ok()).for_each(drop);
        })?;
        // One that does not read must not hold up a run; lines as short as these are written whole or not at all.
        let flags = fcntl_getfl(&guard.pipe)?;
        fcntl_setfl(&guard.pipe, flags | OFlags::NONBLOCK)?;
        Ok(guard)
    }

    /// Returns once it has noted a mark. Fails where it is gone, or does not answer in time.
    fn note(&mut self, mark: &str, until: Instant) -> io::Result<()> {
        self.tell('+', mark)?;
        let wanted = format!("+{mark}");
        loop {
            match self.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line == wanted => return Ok(()),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }

    fn tell(&mut self, what: char, mark: &str) -> io::Result<()> {
        self.pipe.write_all(format!("{what}{mark}\n").as_bytes())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its pipe ends: what it knows of is at work.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "4711-1-1";
    const OTHER: &str = "4711-12-2";

    fn of(command: fn() -> Command) -> Watch {
        Watch { command: Some(command), patience: PATIENCE, guard: None, marks: BTreeSet::new() }
    }

    /// It answers whatever it is told.
    fn echo() -> Command {
        Command::new("cat")
    }

    /// It neither reads nor answers.
    fn deaf() -> Command {
        let mut command = Command::new("sleep");
        command.arg("1000");
        command
    }

    fn pid(watch: &Watch) -> Option<u32> {
        watch.guard.as_ref().map(|guard| guard.process.id())
    }

    #[test]
    fn a_guard_notes_what_begins_until_it_ends_and_nothing_else() {
        for (told, noted) in [
            (&["+4711-12-1\n"][..], &["4711-12-1"][..]),
            (&["+4711-12-1\n", "+4711-12-2\n", "-4711-12-1\n"], &["4711-12-2"]),
            (&["+4711-12-1\n", "+4711-12-1\n", "-4711-12-1\n"], &[]),
            (&["-4711-12-1\n", "4711-12-1\n", "\n", "+\n", "+short\n", "é+4711-12-1\n", "?4711-12-1\n"], &[]),
            (&["+4711-12-1"], &[]),
        ] {
            let mut marks = BTreeSet::new();
            for line in told {
                note(&mut marks, line);
            }
            assert!(marks.iter().eq(noted), "{told:?}: {marks:?}");
        }
    }

    #[test]
    fn one_guard_serves_all_and_one_that_does_not_answer_is_replaced_and_the_new_one_told_of_all() {
        let mut watch = of(echo);
        watch.begin(MARK);
        watch.begin(OTHER);
        let first = pid(&watch).expect("a guard");
        watch.end(OTHER);
        watch.begin(OTHER);
        assert_eq!(pid(&watch), Some(first));
        // Another process in its place.
        watch.guard = Some(Guard::start(deaf()).expect("it starts"));
        let second = pid(&watch);
        watch.patience = Duration::from_millis(10);
        watch.begin(OTHER);
        assert!(pid(&watch) != second, "one that does not answer is kept");
        watch.patience = PATIENCE;
        watch.begin(MARK);
        let guard = watch.guard.as_mut().expect("a guard");
        assert!(guard.process.try_wait().expect("asked").is_none());
        assert!(watch.marks.iter().eq([MARK, OTHER]));
    }

    #[test]
    fn one_that_is_full_of_what_it_does_not_read_holds_nobody_up() {
        let mut guard = Guard::start(deaf()).expect("it starts");
        let error = (0..1_000_000).find_map(|_| guard.tell('-', MARK).err());
        assert_eq!(error.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn one_that_is_gone_is_found_out_and_forgotten_and_the_next_run_gets_another() {
        let mut watch = of(echo);
        watch.begin(MARK);
        let first = watch.guard.as_mut().expect("a guard");
        first.process.kill().expect("it runs");
        first.process.wait().expect("it ends");
        let first = pid(&watch);
        watch.end(MARK);
        watch.begin(OTHER);
        assert!(pid(&watch).is_some() && pid(&watch) != first);
    }

    #[test]
    fn where_none_can_be_started_runs_are_noted_nevertheless() {
        let mut watch = of(|| Command::new("/nowhere/guard"));
        watch.begin(MARK);
        assert!(watch.guard.is_none() && watch.marks.contains(MARK));
        watch.end(MARK);
        assert!(watch.marks.is_empty());
    }
}
