//! A real Courier IMAP 5.0 for tests: Debian's `imapd` for each log-in, with a Maildir made by its own `maildirmake` and
//! the file monitor (gamin) that it asks for other sessions' changes. It knows nothing of what is stored in it.
//!
//! Courier's log-in programs find their authentication daemon and its user list at fixed places in `/run` and `/etc`,
//! so that they cannot run beside one another or without root. The kit's own front takes their part: it listens,
//! greets, checks LOGIN in Courier's words (see `courier/front.rs`) and hands the connection to `imapd`, as
//! `imaplogin` does. From the answer to LOGIN on, every byte is Courier's. Under root `imapd` runs as the user `mail`,
//! else as the present user.
//!
//! # How Courier 5.0.13 differs from Dovecot
//! Seen with this kit; `tests/courier.rs` holds it to it.
//!
//! - Capabilities: `IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE ACL
//!   ACL2=UNION ENABLE UTF8=ACCEPT`. There is no LITERAL+, MULTIAPPEND, CONDSTORE, ESEARCH, LIST-STATUS, SPECIAL-USE,
//!   UNSELECT, MOVE or ID. A non-synchronizing literal is not understood, and the message is then read as commands.
//! - SELECT tells UIDVALIDITY but neither UIDNEXT nor UNSEEN; STATUS tells UIDNEXT. APPENDUID comes with each APPEND.
//! - Every message is taken, and some are changed without a word: a bare LF becomes CRLF, a bare CR is dropped, a last
//!   line without an end gets one. NUL, 8-bit headers, messages without a header and without any byte are kept.
//!   A client that reads such a header without `ENABLE UTF8=ACCEPT` is told `* OK [ALERT] Your IMAP client does not
//!   appear to correctly implement Unicode messages, see https://tools.ietf.org/html/rfc6855.html`, and gets the bytes
//!   as they are.
//! - INTERNALDATE keeps the instant and is told in the server's zone.
//! - All folders lie below `INBOX.`, with `.` between the levels (`NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")
//!   ("shared." "."))`); a name elsewhere is refused with `NO Invalid mailbox name.`, as is one with `/` in it, also as
//!   `&AC8-`, and one with an empty level. Characters beyond U+FFFF (emoji) are refused with
//!   `NO Error in IMAP command received by server.`, names that are too long for a file with
//!   `NO Cannot create this folder.`. `"`, `\`, `%`, `*` and spaces at either end are held. A folder is `\Noselect`
//!   when only its children were made.
//! - Keywords are kept (`PERMANENTFLAGS (\* …)`). One with `[`, `]` or `%`, or a system flag that is unknown, is answered
//!   with `NO Error in IMAP command received by server.` in place of the go-ahead for the literal.
//! - A missing folder: `NO [TRYCREATE] Must create mailbox before append`. A full one:
//!   `NO [ALERT] You exceeded your mail quota.` A wrong password: `NO Login failed.`
//! - Debian allows 20 connections from one address ([`Builder::connections`]) and upstream 4; one more is closed without
//!   a greeting.
//! - Delivered with `IMAP_EMPTYTRASH=Trash:7`: what came to the folder `Trash` more than seven days ago is deleted at
//!   log-in. The day that counts is that of the copy, not that of the message.

mod front;

use std::fmt;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Account;
use crate::dovecot::config::Identity;
use crate::dovecot::process::{self, Watchdog};
use crate::error::{Error, Result, Tried as _};
use crate::port::Port;
use crate::unpacked;
use front::Front;

const NAME: &str = "Courier IMAP";

/// As `IMAP_CAPABILITY` in Debian's `/etc/courier/imapd`. The program adds ACL, ENABLE and UTF8=ACCEPT.
const CAPABILITY: &str = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE";

/// What the server should be like.
#[derive(Clone)]
pub struct Builder {
    /// Log-in name and password.
    users: Vec<(String, String)>,
    quota: Option<String>,
    connections: usize,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Builder").field("users", &users).field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder { users: Vec::new(), quota: None, connections: 20 }
    }
}

impl Builder {
    /// Adds a user.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// Quota of every user in bytes, kept in the Maildir (Maildir++ quota).
    #[must_use]
    pub fn quota_bytes(mut self, bytes: u64) -> Self {
        self.quota = Some(format!("{bytes}S"));
        self
    }

    /// How many connections may be open at once (`MAXPERIP`). Default: 20, as in Debian.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<Courier> {
        Courier::start(self)
    }
}

/// A running Courier. Dropping it ends all its processes and deletes its directory.
#[derive(Debug)]
pub struct Courier {
    users: Users,
    /// Kept while the server is stopped, too.
    port: Port,
    dir: TempDir,
    running: Option<Running>,
    service: Service,
}

#[derive(Debug)]
struct Running {
    front: Front,
    /// gamin. Its name on this machine is known to this server's `imapd` only.
    monitor: Child,
    /// Ends the monitor and deletes the directory should this process be killed before it can. A session ends with its
    /// connection.
    watchdog: Watchdog,
}

/// Who may log in.
#[derive(Clone)]
struct Users(Vec<(String, String)>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Users {
    fn allow(&self, name: &str, password: &str) -> bool {
        self.0.iter().any(|(known, secret)| known == name && secret == password)
    }
}

/// How to start a session.
#[derive(Debug, Clone)]
struct Service {
    programs: PathBuf,
    dir: PathBuf,
    identity: Identity,
    connections: usize,
}

/// The directory with Courier, or an error that says how to get it; see [`crate::at_hand`].
pub fn courier_or_explain() -> Result<PathBuf> {
    unpacked::find("courier", NAME)
}

const START_PATIENCE: Duration = Duration::from_secs(90);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

impl Courier {
    /// A server without users or quota.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start(builder: Builder) -> Result<Courier> {
        let found = courier_or_explain()?;
        let identity = Identity::of_this_process()?;
        let dir = tempfile::Builder::new()
            .prefix("gp-courier-")
            .tempdir()
            .tried(|| "making a temporary directory".to_owned())?;
        unpacked::make_open_dir(dir.path())?;
        let programs = unpacked::reachable(&found, dir.path(), &identity)?;
        let service = Service { programs, dir: dir.path().to_owned(), identity, connections: builder.connections };
        for (name, _) in &builder.users {
            service.make_home(name, builder.quota.as_deref())?;
        }
        let mut server = Courier { users: Users(builder.users), port: Port::reserve()?, dir, running: None, service };
        server.launch()?;
        Ok(server)
    }

    fn launch(&mut self) -> Result<()> {
        let listener = self.port.listen()?;
        let mut monitor = self.service.start_monitor()?;
        let watchdog = match Watchdog::over(monitor.id(), [self.dir.path()].into_iter()) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                process::end(&mut monitor, STOP_PATIENCE);
                return Err(error);
            }
        };
        let front = Front::open(listener, self.service.clone(), self.users.clone())?;
        self.running = Some(Running { front, monitor, watchdog });
        Ok(())
    }

    /// Port of plain IMAP on 127.0.0.1. There is no TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The users' Maildirs (`home/USER/Maildir`) and the log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Process ids of what runs now: the monitor and the sessions.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let running = self.running.as_ref();
        running.map(|r| [vec![r.monitor.id()], r.front.pids()].concat()).unwrap_or_default()
    }

    /// What the sessions logged so far: a line for each log-in and each end.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.service.log()).unwrap_or_default()).into_owned()
    }

    /// Where the kit's own client reaches a user, with the password given to the builder.
    #[must_use]
    pub fn account(&self, user: &str) -> Account {
        let known = self.users.0.iter().find(|(name, _)| name == user);
        Account::new(self.port(), user, known.map(|(_, password)| password.clone()).unwrap_or_default())
    }

    /// Ends the server and all its processes; mail and port stay for [`Courier::restart`]. Idempotent.
    pub fn stop(&mut self) {
        if let Some(Running { front, mut monitor, watchdog }) = self.running.take() {
            front.close(STOP_PATIENCE);
            // Who connects to a server that was stopped is refused, as after the end of its own process.
            let _ = self.port.wait_until_free();
            watchdog.dismiss();
            process::end(&mut monitor, STOP_PATIENCE);
        }
    }

    /// Stops and starts again on the same port with the same mail.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.launch()
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Service {
    fn log(&self) -> PathBuf {
        self.dir.join("courier.log")
    }

    fn home(&self, user: &str) -> PathBuf {
        self.dir.join("home").join(user)
    }

    fn make_home(&self, user: &str, quota: Option<&str>) -> Result<()> {
        let home = self.home(user);
        unpacked::make_open_dir(&home)?;
        if self.identity.root {
            chown(&home, Some(self.identity.uid), Some(self.identity.gid))
                .tried(|| format!("giving {} away", home.display()))?;
        }
        self.make_maildir(&home, &[])?;
        quota.map_or(Ok(()), |quota| self.make_maildir(&home, &["-q", quota]))
    }

    fn make_maildir(&self, home: &Path, options: &[&str]) -> Result<()> {
        let output = unpacked::command(&self.programs, "maildirmake.courier", &self.identity)
            .args(options)
            .arg("Maildir")
            .current_dir(home)
            .output()
            .tried(|| "starting maildirmake".to_owned())?;
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::ServerStart { server: NAME, reason: format!("maildirmake ended with {}", output.status), log })
    }

    /// The name by which sessions find their monitor.
    fn monitor_name(&self) -> String {
        self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    fn start_monitor(&self) -> Result<Child> {
        let log = self.open_log()?;
        let mut monitor = unpacked::command(&self.programs, "gam_server", &self.identity)
            .args(["--notimeout", &self.monitor_name()])
            .current_dir(&self.dir)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .tried(|| "starting gam_server".to_owned())?;
        // It listens in the abstract namespace, which /proc lists.
        let socket = format!("@/tmp/fam-{}-{}", self.identity.user, self.monitor_name());
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            let listens = |line: &str| {
                line.rsplit(' ').next().is_some_and(|path| path.trim_end_matches(['@', '\0']) == socket.as_str())
            };
            if fs::read_to_string("/proc/net/unix").is_ok_and(|sockets| sockets.lines().any(listens)) {
                return Ok(monitor);
            }
            if let Ok(Some(_)) = monitor.try_wait() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        process::end(&mut monitor, STOP_PATIENCE);
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        Err(Error::ServerStart { server: NAME, reason: "gam_server does not listen".to_owned(), log })
    }

    fn open_log(&self) -> Result<fs::File> {
        let options = fs::OpenOptions::new().create(true).append(true).open(self.log());
        options.tried(|| "opening Courier's log".to_owned())
    }

    /// `imapd` for a user who has logged in with the command `tag`. It answers that command itself.
    fn session(&self, user: &str, tag: &str, client: std::net::SocketAddr) -> Result<Command> {
        let mut command = unpacked::command(&self.programs, "imapd", &self.identity);
        command
            .arg("Maildir")
            .current_dir(self.home(user))
            .stderr(self.open_log()?)
            .env("HOME", self.home(user))
            .env("AUTHENTICATED", user)
            .env("AUTHADDR", user)
            .env("IMAPLOGINTAG", tag)
            .env("PROTOCOL", "IMAP")
            .env("TCPREMOTEIP", client.ip().to_string())
            .env("TCPREMOTEPORT", client.port().to_string())
            .env("GAM_CLIENT_ID", self.monitor_name())
            // The rest is Debian's /etc/courier/imapd.
            .env("IMAP_CAPABILITY", CAPABILITY)
            .env("IMAP_KEYWORDS", "1")
            .env("IMAP_ACL", "1")
            .env("IMAP_MAILBOX_SANITY_CHECK", "1")
            .env("IMAP_DISABLETHREADSORT", "0")
            .env("IMAP_CHECK_ALL_FOLDERS", "0")
            .env("IMAP_OBSOLETE_CLIENT", "0")
            .env("IMAP_USELOCKS", "1")
            .env("IMAP_ENHANCEDIDLE", "0")
            .env("IMAP_IDLE_TIMEOUT", "60")
            .env("IMAP_TRASHFOLDERNAME", "Trash")
            .env("IMAP_EMPTYTRASH", "Trash:7");
        Ok(command)
    }
}
