//! A real Dovecot 2.3 for tests and the demo: a plain foreground process with its own configuration, ports, certificate
//! and mail directory. It knows nothing of what is stored in it.
//!
//! Run as root, the log-in processes use Dovecot's own users and mail belongs to the user `mail`. Run as another user,
//! everything belongs to that user and nothing is chrooted; the tests of the kit are the same in both cases.

mod certificate;
pub(crate) mod config;
pub(crate) mod process;

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Account;
use crate::error::{Error, Result, Tried as _};
use crate::maildir::Maildir;
use crate::port::Port;
use crate::special_use::SpecialUse;
pub use certificate::Certificate;
use process::Watchdog;

/// How Dovecot stores mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// One file a message, with indexes. The fastest to fill.
    #[default]
    Sdbox,
    /// Many messages a file.
    Mdbox,
    /// Maildir; with separator `/` in the file system layout, with `.` as Maildir++.
    Maildir,
}

/// A user of the test server.
#[derive(Clone)]
struct User {
    name: String,
    password: String,
    quota_bytes: Option<u64>,
}

/// What the server should be like.
#[derive(Clone)]
pub struct Builder {
    users: Vec<User>,
    master: Option<(String, String)>,
    special_use: SpecialUse,
    separator: char,
    inbox_prefix: bool,
    storage: Storage,
    quota_bytes: Option<u64>,
    max_message_bytes: Option<u64>,
    capability: Option<String>,
    without: Vec<String>,
    time_zone: String,
    certificate: Certificate,
    /// Where tokens are asked about.
    oauth: Option<String>,
    bearer: &'static str,
    fsync: bool,
    dir: Option<PathBuf>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|user| user.name.as_str()).collect();
        f.debug_struct("Builder")
            .field("users", &users)
            .field("special_use", &self.special_use)
            .field("separator", &self.separator)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            users: Vec::new(),
            master: None,
            special_use: SpecialUse::None,
            separator: '/',
            inbox_prefix: false,
            storage: Storage::default(),
            quota_bytes: None,
            max_message_bytes: None,
            capability: None,
            without: Vec::new(),
            time_zone: "UTC".to_owned(),
            certificate: Certificate::default(),
            oauth: None,
            bearer: "xoauth2 oauthbearer",
            fsync: false,
            dir: None,
        }
    }
}

impl Builder {
    /// Adds a user. Every password is accepted as it is, also with `:` and quotes in it.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push(User { name: name.into(), password: password.into(), quota_bytes: None });
        self
    }

    /// A master user, who logs in as `user*master` with the master's password.
    #[must_use]
    pub fn master_user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.master = Some((name.into(), password.into()));
        self
    }

    /// Names of the special-use folders, which exist from the first log-in on. Default: none.
    #[must_use]
    pub fn special_use(mut self, special_use: SpecialUse) -> Self {
        self.special_use = special_use;
        self
    }

    /// Hierarchy separator, `/` (default) or `.`.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// All folders lie below `INBOX` + separator, as on Courier and Cyrus.
    #[must_use]
    pub fn inbox_prefix(mut self) -> Self {
        self.inbox_prefix = true;
        self
    }

    /// How mail is stored.
    #[must_use]
    pub fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Quota in bytes for every user who has none of their own. Turns the QUOTA extension on.
    #[must_use]
    pub fn quota_bytes(mut self, bytes: u64) -> Self {
        self.quota_bytes = Some(bytes);
        self
    }

    /// Quota in bytes for the user added last. Turns the QUOTA extension on.
    #[must_use]
    pub fn user_quota_bytes(mut self, bytes: u64) -> Self {
        if let Some(user) = self.users.last_mut() {
            user.quota_bytes = Some(bytes);
        }
        self
    }

    /// Larger messages are refused; announced as APPENDLIMIT (RFC 7889).
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: u64) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// The whole capability line. The server still understands what it does not announce.
    #[must_use]
    pub fn capability(mut self, capability: impl Into<String>) -> Self {
        self.capability = Some(capability.into());
        self
    }

    /// Extensions that are not announced: `LITERAL+`, `MULTIAPPEND`, `UIDPLUS`, `SPECIAL-USE`, `CONDSTORE`, …
    #[must_use]
    pub fn without(mut self, extensions: &[&str]) -> Self {
        self.without.extend(extensions.iter().map(|&name| name.to_owned()));
        self
    }

    /// The zone that INTERNALDATE is answered in (Dovecot keeps the instant only). Default: UTC.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    /// Which certificate the server shows. Default: valid for `localhost` and 127.0.0.1.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// Users may log in by OAUTHBEARER and XOAUTH2 too, with tokens of this authorization server ([`crate::AuthServer`]),
    /// named by its URL. Tokens of applications open every mailbox.
    #[must_use]
    pub fn oauth2(mut self, url: impl Into<String>) -> Self {
        self.oauth = Some(url.into());
        self
    }

    /// The same with XOAUTH2 only, as at Exchange Online.
    #[must_use]
    pub fn xoauth2(mut self, url: impl Into<String>) -> Self {
        self.bearer = "xoauth2";
        self.oauth2(url)
    }

    /// Mail is forced onto the disk as Dovecot does by default, so that an APPEND costs what it costs in the field.
    /// Without this nothing is forced, which is faster.
    #[must_use]
    pub fn fsync(mut self) -> Self {
        self.fsync = true;
        self
    }

    /// Keeps configuration, mail and log in this directory, which is not deleted at the end. Mail of an earlier start
    /// is found again there.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<Dovecot> {
        Dovecot::start(self)
    }
}

/// A running Dovecot. Dropping it ends the server with all its processes and deletes its temporary directories.
#[derive(Debug)]
pub struct Dovecot {
    builder: Builder,
    program: PathBuf,
    dir: PathBuf,
    /// Keeps `dir` until the end, unless the caller chose it.
    _own_dir: Option<TempDir>,
    /// Sockets and state. Always in a short temporary path: a Unix socket's path has at most 108 bytes.
    run_dir: TempDir,
    ports: Ports,
    /// Kept while the server is stopped, too.
    reserved: [Port; 2],
    running: Option<Running>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    imap: u16,
    imaps: u16,
}

impl Ports {
    fn reserve() -> Result<(Ports, [Port; 2])> {
        let reserved = [Port::reserve()?, Port::reserve()?];
        let [imap, imaps] = [reserved[0].number(), reserved[1].number()];
        Ok((Ports { imap, imaps }, reserved))
    }
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Ends the server should this process be killed before it can.
    watchdog: Watchdog,
}

/// The `dovecot` program, or an error that says how to install it. Tests fail with it; they are not skipped.
pub fn dovecot_or_explain() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join("dovecot"))
        .find(|program| program.is_file())
        .ok_or(Error::DovecotMissing)
}

/// A process that is none of the kit's may take a port between choosing and binding it.
const PORT_TRIES: usize = 8;
const START_PATIENCE: Duration = Duration::from_secs(90);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

impl Dovecot {
    /// A server without users, special-use folders or limits.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn start(builder: Builder) -> Result<Dovecot> {
        let program = dovecot_or_explain()?;
        let temp = |prefix: &str| {
            tempfile::Builder::new().prefix(prefix).tempdir().tried(|| "making a temporary directory".to_owned())
        };
        let own_dir = if builder.dir.is_none() { Some(temp("gatepost-dovecot-")?) } else { None };
        let dir = match (&builder.dir, &own_dir) {
            (Some(dir), _) => dir.clone(),
            (None, Some(own)) => own.path().to_owned(),
            (None, None) => return Err(Error::Protocol("no directory for Dovecot".to_owned())),
        };
        fs::create_dir_all(&dir).tried(|| format!("making {}", dir.display()))?;
        let dir = dir.canonicalize().tried(|| format!("finding {}", dir.display()))?;
        let run_dir = temp("gp-run-")?;
        let identity = config::Identity::of_this_process()?;
        config::write_users(&builder, &dir, &identity)?;
        config::write_oauth(&builder, &dir, &identity)?;
        certificate::write(builder.certificate, &dir)?;
        let (ports, reserved) = Ports::reserve()?;
        let mut server = Dovecot { builder, program, dir, _own_dir: own_dir, run_dir, ports, reserved, running: None };
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            match server.launch() {
                Err(Error::DovecotStart { log, .. }) if tries > 0 && log.contains("Address already in use") => {
                    (server.ports, server.reserved) = Ports::reserve()?;
                }
                other => return other.map(|()| server),
            }
        }
    }

    /// Writes the configuration, starts the process and waits for `* OK`.
    fn launch(&mut self) -> Result<()> {
        let identity = config::Identity::of_this_process()?;
        config::open_to_processes(&self.dir, self.run_dir.path(), &identity)?;
        let text = config::text(&self.builder, &self.dir, self.run_dir.path(), self.ports, &identity);
        let file = self.dir.join("dovecot.conf");
        fs::write(&file, text).tried(|| format!("writing {}", file.display()))?;
        let log_start = self.log().len();
        let console = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("dovecot.log"))
            .tried(|| "opening Dovecot's log".to_owned())?;
        let child = Command::new(&self.program)
            .args(["-F", "-c"])
            .arg(&file)
            .env("TZ", &self.builder.time_zone)
            .stdin(Stdio::null())
            .stdout(console.try_clone().tried(|| "sharing Dovecot's log".to_owned())?)
            .stderr(console)
            .spawn()
            .tried(|| format!("starting {}", self.program.display()))?;
        let own = self._own_dir.as_ref().map(TempDir::path);
        let watchdog = Watchdog::over(child.id(), [Some(self.run_dir.path()), own].into_iter().flatten())?;
        self.running = Some(Running { child, watchdog });
        let reason = match self.wait_until_ready() {
            Ok(()) => return Ok(()),
            Err(reason) => reason,
        };
        self.stop();
        let log = self.log().get(log_start..).unwrap_or_default().to_owned();
        Err(Error::DovecotStart { reason, log })
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if let Some(running) = &mut self.running
                && let Ok(Some(status)) = running.child.try_wait()
            {
                return Err(format!("it ended with {status}"));
            }
            if greets(self.ports.imap) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("no greeting within {} seconds", START_PATIENCE.as_secs()))
    }

    /// Port of plain IMAP with STARTTLS on 127.0.0.1.
    #[must_use]
    pub fn imap_port(&self) -> u16 {
        self.ports.imap
    }

    /// Port of IMAP over TLS on 127.0.0.1.
    #[must_use]
    pub fn imaps_port(&self) -> u16 {
        self.ports.imaps
    }

    /// The CA certificate (PEM) that the server's certificate is signed with.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Configuration, mail and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Process id of the master process; `None` when stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// What the server logged so far. Each log-in has a line.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("dovecot.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where the kit's own client reaches a user, with the password given to the builder.
    #[must_use]
    pub fn account(&self, user: &str) -> Account {
        let password = self.builder.users.iter().find(|known| known.name == user).map(|known| known.password.clone());
        Account::new(self.ports.imap, user, password.unwrap_or_default())
    }

    /// A user's mail as files, for changing it behind the server's back. For servers with [`Storage::Maildir`].
    #[must_use]
    pub fn maildir(&self, user: &str) -> Maildir {
        Maildir::at(self.dir.join("home").join(user).join("mail"), self.builder.separator != '.')
    }

    /// Ends the server and all its processes; mail and ports stay for [`Dovecot::restart`]. Idempotent.
    pub fn stop(&mut self) {
        if let Some(Running { mut child, watchdog }) = self.running.take() {
            watchdog.dismiss();
            process::end(&mut child, STOP_PATIENCE);
        }
    }

    /// The same mail on a server that writes its dates in another zone.
    pub fn restart_in_zone(&mut self, name: &str) -> Result<()> {
        name.clone_into(&mut self.builder.time_zone);
        self.restart()
    }

    /// The same after another limit of a message's bytes was set.
    pub fn restart_with_limit(&mut self, bytes: u64) -> Result<()> {
        self.builder.max_message_bytes = Some(bytes);
        self.restart()
    }

    /// Stops and starts again on the same ports with the same mail.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.reserved.iter().try_for_each(Port::wait_until_free)?;
        self.launch()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether an IMAP server answers there.
pub(crate) fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    if stream.set_read_timeout(Some(Duration::from_secs(5))).is_err() {
        return false;
    }
    let mut greeting = String::new();
    BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("* OK")
}
