//! One program from its start to its end.

mod guard;
mod heard;
mod leftovers;
mod lines;
mod log;
mod pipe;

pub use guard::{guard_by, stand_guard};
pub use leftovers::end_leftovers;
pub use lines::{Line, Stream};
pub use pipe::{Piped, Sink, Source, run_piped};

use heard::Heard;
use leftovers::Ticket;
use log::Log;
use pipe::Flow;
use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long what it had already printed may take to arrive once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often the room on the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many files a program may have open.
const OPEN_FILES: u64 = 4096;
/// Where programs are looked for by programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run.
    pub time: Duration,
    /// How long it may say nothing.
    pub silence: Option<Duration>,
    /// How many bytes it may print.
    pub output: u64,
    /// How much memory each of its processes may have (RLIMIT_AS).
    pub memory: Option<u64>,
    /// How large a file that it writes may be (RLIMIT_FSIZE).
    pub file: Option<u64>,
    /// How much of its output is kept in the log, in bytes before compression.
    pub log: u64,
}

impl Default for Limits {
    /// A day, two hours of silence, 4 GiB of output, 64 MiB of it kept, 4 GiB of memory.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(24 * 60 * 60),
            silence: Some(Duration::from_secs(2 * 60 * 60)),
            output: 4 << 30,
            memory: Some(4 << 30),
            file: None,
            log: 64 << 20,
        }
    }
}

/// A program that is to be run.
pub struct Program {
    /// Its path; a name without a `/` is looked for in the usual directories.
    pub path: PathBuf,
    /// Its arguments. They can be read by everybody on the machine: no secret belongs here.
    pub arguments: Vec<OsString>,
    /// Variables beside `PATH`, `HOME`, `TMPDIR`, `LC_ALL` and `TZ`, which are always set.
    pub environment: Vec<(String, OsString)>,
    /// What it reads; its standard input ends after it.
    pub input: Option<Vec<u8>>,
    /// The directory that it works in, made if it is missing; its temporary files go below.
    pub work: PathBuf,
    /// Where the whole log goes, gzip-compressed.
    pub log: Option<PathBuf>,
    /// So many bytes must stay free where it works, or it is stopped.
    pub room: Option<u64>,
    /// What it may use.
    pub limits: Limits,
}

impl Program {
    /// A program with arguments in a directory, without input, within the usual limits.
    pub fn new(path: &Path, arguments: impl IntoIterator<Item = impl Into<OsString>>, work: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            input: None,
            work: work.to_path_buf(),
            log: None,
            room: None,
            limits: Limits::default(),
        }
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// Without the input, which may be a secret, and without the environment.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("path", &self.path).field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// How a program's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        status.code().map_or_else(|| Self::Signal(status.signal().unwrap_or_default()), Self::Code)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Why a program was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A person wanted it.
    Cancelled,
    /// It took too long.
    Time,
    /// It said nothing for too long.
    Silence,
    /// It printed too much.
    Output,
    /// It left too little room on the disk.
    Room,
}

/// How a run of a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How its process ended.
    pub exit: Exit,
    /// Why it was stopped, where it was.
    pub stopped: Option<Stop>,
    /// Processes that it had left running and that were killed.
    pub left_running: u32,
}

impl Ended {
    /// Whether it ended by itself with code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.exit == Exit::Code(0) && self.stopped.is_none()
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not there.
    #[error("{program} is not installed here, or not where the settings say. `gatepost doctor` says what is missing.")]
    Missing {
        /// Its name.
        program: String,
    },
    /// It could not be started or listened to.
    #[error("{program} could not be run: {cause}")]
    Failed {
        /// Its name.
        program: String,
        /// Why.
        cause: io::Error,
    },
}

/// Runs a program to its end and hands on its lines as they come, of both of its streams. Whatever happens, also when
/// this future is dropped, no process of it stays behind.
///
/// # Errors
/// When it cannot be started. However it ends after that is an [`Ended`].
pub async fn run(
    program: Program,
    on_line: &mut (dyn FnMut(Line) + Send),
    cancel: &CancellationToken,
) -> Result<Ended, ToolError> {
    run_with(program, Piped::default(), on_line, cancel).await
}

async fn run_with(
    program: Program,
    piped: Piped,
    on_line: &mut (dyn FnMut(Line) + Send),
    cancel: &CancellationToken,
) -> Result<Ended, ToolError> {
    let name = program.name();
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => ToolError::Missing { program: name.clone() },
        _ => ToolError::Failed { program: name.clone(), cause },
    };
    if program.path.components().count() > 1 && !program.path.exists() {
        return Err(ToolError::Missing { program: name });
    }
    let temporary = program.work.join("tmp");
    make_private(&temporary).map_err(failed)?;
    let log = program.log.as_deref().map(|path| Log::open(path, program.limits.log)).transpose().map_err(failed)?;
    let ticket = Ticket::new(&program.work).await.map_err(failed)?;
    let mut command = command(&program, &temporary, &ticket);
    if piped.input.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().map_err(failed)?;
    let mut reaper = Reaper { ticket: &ticket, group: child.id(), ended: false };
    ticket.started(child.id()).map_err(failed)?;
    limit(&child, program.limits);

    let (hear, mut pieces) = mpsc::channel(16);
    let flow = match (piped.output, child.stdout.take()) {
        (Some(sink), Some(stdout)) => Some(Flow::out(stdout, sink)),
        (_, stdout) => {
            listen(stdout, Stream::Out, hear.clone());
            None
        }
    };
    listen(child.stderr.take(), Stream::Err, hear);
    let mut feeding = feed(child.stdin.take(), program.input, piped.input);

    let began = Instant::now();
    let (mut last_word, mut is_mute) = (began, false);
    let mut heard = Heard::new(log, program.limits.output, on_line);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    // How it ended by itself, or why it must be stopped.
    let end = loop {
        let silent = program.limits.silence.map(|silence| last_word + silence);
        let too_late = silent.map_or(began + program.limits.time, |at| at.min(began + program.limits.time));
        tokio::select! {
            piece = pieces.recv(), if !is_mute => match piece {
                Some((stream, bytes)) => {
                    last_word = Instant::now();
                    heard.take(stream, &bytes);
                    if heard.is_too_much() {
                        break Err(Stop::Output);
                    }
                }
                // Both streams are closed; its end follows, unless it goes on in silence.
                None => is_mute = true,
            },
            status = child.wait() => break Ok(status),
            () = cancel.cancelled() => break Err(Stop::Cancelled),
            _ = looks.tick() => {
                if program.room.is_some_and(|room| is_short_of(room, &program.work)) {
                    break Err(Stop::Room);
                }
            }
            () = tokio::time::sleep_until(too_late) => {
                break Err(if began.elapsed() >= program.limits.time { Stop::Time } else { Stop::Silence });
            }
        }
    };
    let (status, stopped) = match end {
        Ok(status) => (status, None),
        Err(stop) => (reaper.stop(&mut child).await, Some(stop)),
    };
    let exit = status.map_err(failed)?.into();
    let left_running = reaper.finish();
    // What reads for the program reads no further, so that whoever writes learns of its end.
    feeding.abort_all();
    if let Some(flow) = flow {
        flow.finish(cancel).await;
    }
    // What it printed before its end is still on its way; a process that escaped must not hold the pipe open for ever.
    let until = Instant::now() + LAST_WORDS;
    while !heard.is_too_much()
        && let Ok(Some((stream, bytes))) = timeout_at(until, pieces.recv()).await
    {
        heard.take(stream, &bytes);
    }
    heard.finish().map_err(failed)?;
    Ok(Ended { exit, stopped, left_running })
}

/// Gives a program what it reads: bytes that are there, or those of a stream. One that does not read must not hold up who
/// listens to it.
fn feed(stdin: Option<ChildStdin>, input: Option<Vec<u8>>, stream: Option<Source>) -> JoinSet<()> {
    let mut feeding = JoinSet::new();
    if let Some(mut stdin) = stdin {
        feeding.spawn(async move {
            let _ = match (input, stream) {
                (None, Some(mut stream)) => tokio::io::copy(&mut stream, &mut stdin).await.map(drop),
                (input, _) => stdin.write_all(&input.unwrap_or_default()).await,
            };
        });
    }
    feeding
}

fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The program in a session of its own: it has no terminal to ask for a password on, and signals reach all of it.
fn command(program: &Program, temporary: &Path, ticket: &Ticket) -> Command {
    const SETSID: &str = "/usr/bin/setsid";
    let mut command = if Path::new(SETSID).exists() {
        let mut command = Command::new(SETSID);
        command.arg(&program.path);
        command
    } else {
        let mut command = Command::new(&program.path);
        command.process_group(0);
        command
    };
    command
        .args(&program.arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", &program.work)
        .env("TMPDIR", temporary)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .envs(program.environment.iter().map(|(name, value)| (OsStr::new(name), value)))
        .env(leftovers::VARIABLE, ticket.mark())
        .current_dir(&program.work)
        .stdin(if program.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A program that grows beyond a limit gets no more, and ends with its own error. None leaves a core dump: it would hold
/// what the program read.
fn limit(child: &Child, limits: Limits) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let Some(id) = child.id() else { return };
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let wanted = [
        (Resource::As, limits.memory),
        (Resource::Fsize, limits.file),
        (Resource::Core, Some(0)),
        (Resource::Nofile, Some(OPEN_FILES)),
    ];
    for (resource, most) in wanted {
        let Some(most) = most else { continue };
        if let Err(error) = prlimit(pid, resource, Rlimit { current: Some(most), maximum: Some(most) }) {
            // It may work as another user by now, as Dovecot's programs do.
            tracing::debug!(%error, ?resource, "an external program could not be limited");
        }
    }
}

/// Whether less than so many bytes are free on a directory's disk. What cannot be asked is not held against it.
fn is_short_of(room: u64, directory: &Path) -> bool {
    rustix::fs::statvfs(directory).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < room)
}

fn listen(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    which: Stream,
    heard: mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let Some(mut stream) = stream else { return };
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            if heard.send((which, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    });
}

/// Ends a program's processes, at the latest when it is dropped.
struct Reaper<'t> {
    ticket: &'t Ticket,
    group: Option<u32>,
    ended: bool,
}

impl Reaper<'_> {
    /// Asks the program to end, and kills it when it does not.
    async fn stop(&self, child: &mut Child) -> io::Result<ExitStatus> {
        leftovers::signal_group(self.group, rustix::process::Signal::TERM);
        match timeout(GRACE, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                leftovers::signal_group(self.group, rustix::process::Signal::KILL);
                child.wait().await
            }
        }
    }

    /// Kills what the program left behind, and says how many processes that were.
    fn finish(&mut self) -> u32 {
        self.ended = true;
        self.ticket.kill_all()
    }
}

impl Drop for Reaper<'_> {
    fn drop(&mut self) {
        if !self.ended {
            leftovers::signal_group(self.group, rustix::process::Signal::KILL);
            self.ticket.kill_all();
        }
    }
}
