//! A real Cyrus IMAP 3.6 for tests: its master process in the foreground with its own configuration, port and mail
//! directory. It knows nothing of what is stored in it.
//!
//! Cyrus refuses to run as root: under root everything runs as the user `mail`, else as the present user. It logs to
//! syslog only, so that [`Cyrus::log`] has no more than what it writes to its console.
//!
//! # How Cyrus 3.6.1 differs from Dovecot
//! Seen with this kit; `tests/cyrus.rs` holds it to it.
//!
//! - A message is looked at before it is stored. NUL: `NO Message contains NUL characters`; a bare LF:
//!   `NO Message contains bare newlines`; a line in the header that is neither a field nor a continuation, or
//!   that has no end: `NO Message contains invalid header`; no byte at all: `NO Zero-length message literal`. A MULTIAPPEND (RFC 3502)
//!   with one such message is refused whole. A bare CR, an empty header, a body without a last line end, lines of any length
//!   and a first line as in an mbox file are taken as they are.
//! - Each 8-bit byte in a header is replaced by `X` without a word (`munge8bit`, on as delivered): as many bytes, but
//!   others. Those in a body stay.
//! - Before log-in the capabilities are `IMAP4rev1 LITERAL+ ID ENABLE AUTH=PLAIN AUTH=LOGIN SASL-IR`. After it come
//!   MULTIAPPEND, UIDPLUS, CONDSTORE, QRESYNC, LIST-STATUS, ESEARCH, BINARY, CATENATE, MOVE, SPECIAL-USE,
//!   CREATE-SPECIAL-USE, OBJECTID, COMPRESS=DEFLATE, SAVEDATE, `STATUS=SIZE`, `APPENDLIMIT=4294967295`, and
//!   LOGINDISABLED: who is logged in cannot log in again.
//! - INTERNALDATE keeps the instant, also one in the future, and is told in the server's zone; a year before 1900 is
//!   `BAD Invalid date-time in Append command`.
//! - Keywords of any length are taken, `[x]` and `k.2` too. One with `%`, `*` or an 8-bit byte, `\Recent` and a system flag
//!   that is unknown are `BAD Invalid flag in Append command`. A new keyword changes PERMANENTFLAGS in the open folder.
//! - With [`Builder::alt_namespace`] off all folders lie below `INBOX`, and CREATE elsewhere answers
//!   `NO Permission denied`; with [`Builder::unix_separator`] off the separator is `.`. Both together are how Cyrus 2 was
//!   installed.
//! - Names with `"`, `\`, `%`, `;`, `|`, `<`, `>`, `?` are refused with `NO Invalid mailbox name`; so is `^` where the
//!   separator is `/`. `*`, `~`, spaces at either end and emoji are held.
//! - CREATE makes missing parents too, as selectable folders, so that none is `\NoSelect`. It answers with MAILBOXID
//!   (RFC 8474). No folder has a special use until CREATE gives it one; a second one with the same use is refused with
//!   `NO [USEATTR] SPECIAL-USE flag conflict`.
//! - Without a code, against RFC 5530: `NO Over quota`, `NO Login failed: authentication failure`,
//!   `NO Mailbox does not exist` (no TRYCREATE in the answer to APPEND).

mod config;

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Account;
use crate::dovecot::config::Identity;
use crate::dovecot::greets;
use crate::dovecot::process::{self, Watchdog};
use crate::error::{Error, Result, Tried as _};
use crate::port::Port;
use crate::unpacked;

const NAME: &str = "Cyrus IMAP";

/// What the server should be like.
#[derive(Clone)]
pub struct Builder {
    /// Log-in name and password.
    users: Vec<(String, String)>,
    alt_namespace: bool,
    unix_separator: bool,
    quota_kib: Option<u64>,
    max_message_bytes: Option<u64>,
    suppressed: Vec<String>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Builder")
            .field("users", &users)
            .field("alt_namespace", &self.alt_namespace)
            .field("unix_separator", &self.unix_separator)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            users: Vec::new(),
            alt_namespace: true,
            unix_separator: true,
            quota_kib: None,
            max_message_bytes: None,
            suppressed: Vec::new(),
        }
    }
}

impl Builder {
    /// Adds a user, with or without a domain. The INBOX is made at the first log-in.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// `altnamespace`: folders lie beside INBOX (`true`, as Cyrus 3 is delivered) or below it.
    #[must_use]
    pub fn alt_namespace(mut self, on: bool) -> Self {
        self.alt_namespace = on;
        self
    }

    /// `unixhierarchysep`: the separator is `/` (`true`, as Cyrus 3 is delivered) or `.`.
    #[must_use]
    pub fn unix_separator(mut self, on: bool) -> Self {
        self.unix_separator = on;
        self
    }

    /// Quota of every user in KiB, as Cyrus counts it.
    #[must_use]
    pub fn quota_kib(mut self, kib: u64) -> Self {
        self.quota_kib = Some(kib);
        self
    }

    /// Larger messages are refused; announced as APPENDLIMIT (RFC 7889).
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: u64) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// Extensions that are not announced (`suppress_capabilities`).
    #[must_use]
    pub fn without(mut self, extensions: &[&str]) -> Self {
        self.suppressed.extend(extensions.iter().map(|&name| name.to_owned()));
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<Cyrus> {
        Cyrus::start(self)
    }
}

/// A running Cyrus. Dropping it ends the server with all its processes and deletes its directory.
#[derive(Debug)]
pub struct Cyrus {
    builder: Builder,
    dir: TempDir,
    identity: Identity,
    programs: PathBuf,
    /// Kept while the server is stopped, too.
    port: Port,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Ends the server should this process be killed before it can.
    watchdog: Watchdog,
}

/// The directory with Cyrus, or an error that says how to get it; see [`crate::at_hand`].
pub fn cyrus_or_explain() -> Result<PathBuf> {
    unpacked::find("cyrus", NAME)
}

/// A process that is none of the kit's may take a port between choosing and binding it.
const PORT_TRIES: usize = 4;
const START_PATIENCE: Duration = Duration::from_secs(90);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

impl Cyrus {
    /// A server without users or limits, with names as Cyrus 3 is delivered.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start(builder: Builder) -> Result<Cyrus> {
        let found = cyrus_or_explain()?;
        let identity = Identity::of_this_process()?;
        let dir = tempfile::Builder::new()
            .prefix("gp-cyrus-")
            .tempdir()
            .tried(|| "making a temporary directory".to_owned())?;
        unpacked::make_open_dir(dir.path())?;
        let programs = unpacked::reachable(&found, dir.path(), &identity)?;
        config::make_dirs(dir.path(), &identity)?;
        let mut server = Cyrus { builder, dir, identity, programs, port: Port::reserve()?, running: None };
        server.write_passwords()?;
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            match server.launch() {
                // Cyrus writes to syslog why it cannot listen, so that any reason is worth another port.
                Err(Error::ServerStart { .. }) if tries > 0 => server.port = Port::reserve()?,
                other => return other.map(|()| server),
            }
        }
    }

    /// Fills the password file by the program that belongs to it. Passwords go through its standard input.
    fn write_passwords(&self) -> Result<()> {
        for (name, password) in &self.builder.users {
            let (local, realm) = name.split_once('@').unwrap_or((name, config::SERVER_NAME));
            let mut child = self
                .command("saslpasswd2")
                .args(["-p", "-c", "-u", realm, "-f"])
                .arg(self.dir.path().join(config::PASSWORDS))
                .arg(local)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .tried(|| "starting saslpasswd2".to_owned())?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(password.as_bytes()).tried(|| "giving saslpasswd2 a password".to_owned())?;
            }
            let output = child.wait_with_output().tried(|| "waiting for saslpasswd2".to_owned())?;
            if !output.status.success() {
                return Err(Error::ServerStart {
                    server: NAME,
                    reason: format!("saslpasswd2 ended with {}", output.status),
                    log: String::from_utf8_lossy(&output.stderr).into_owned(),
                });
            }
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        unpacked::command(&self.programs, program, &self.identity)
    }

    fn launch(&mut self) -> Result<()> {
        let dir = self.dir.path();
        let (imapd, cyrus) = config::write(&self.builder, dir, &self.programs, self.port.number(), &self.identity)?;
        let console = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("console.log"))
            .tried(|| "opening Cyrus' log".to_owned())?;
        let child = self
            .command("master")
            .arg("-C")
            .arg(&imapd)
            .arg("-M")
            .arg(&cyrus)
            .arg("-p")
            .arg(dir.join("run/master.pid"))
            // Keeps the console open. Without -d it stays in the foreground.
            .arg("-D")
            .stdout(console.try_clone().tried(|| "sharing Cyrus' log".to_owned())?)
            .stderr(console)
            .spawn()
            .tried(|| "starting Cyrus' master".to_owned())?;
        let watchdog = Watchdog::over(child.id(), [dir].into_iter())?;
        self.running = Some(Running { child, watchdog });
        let reason = match self.wait_until_ready() {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        };
        self.stop();
        Err(Error::ServerStart { server: NAME, reason, log: self.log() })
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if let Some(running) = &mut self.running
                && let Ok(Some(status)) = running.child.try_wait()
            {
                return Err(format!("it ended with {status}"));
            }
            if greets(self.port.number()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("no greeting within {} seconds", START_PATIENCE.as_secs()))
    }

    /// Port of plain IMAP on 127.0.0.1. There is no TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Configuration and mail.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Process id of the master process; `None` when stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// What the server wrote to its console: nothing, unless it could not start.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("console.log")).unwrap_or_default()).into_owned()
    }

    /// Where the kit's own client reaches a user, with the password given to the builder.
    #[must_use]
    pub fn account(&self, user: &str) -> Account {
        let known = self.builder.users.iter().find(|(name, _)| name == user);
        Account::new(self.port.number(), user, known.map(|(_, password)| password.clone()).unwrap_or_default())
    }

    /// Ends the server and all its processes; mail and port stay for [`Cyrus::restart`]. Idempotent.
    pub fn stop(&mut self) {
        if let Some(Running { mut child, watchdog }) = self.running.take() {
            watchdog.dismiss();
            process::end(&mut child, STOP_PATIENCE);
        }
    }

    /// Stops and starts again on the same port with the same mail.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.port.wait_until_free()?;
        self.launch()
    }
}

impl Drop for Cyrus {
    fn drop(&mut self) {
        self.stop();
    }
}
