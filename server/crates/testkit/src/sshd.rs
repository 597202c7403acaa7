//! A real OpenSSH server: a plain foreground process on a free loopback port, with keys of its own. Who runs the tests may
//! log in, with the kit's key alone. It knows nothing of what is run there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::dovecot::process::{self, Watchdog};
use crate::error::{Error, Result, Tried as _};
use crate::port::Port;

const SERVER: &str = "OpenSSH";
/// A process that is none of the kit's may take a port between choosing and binding it.
const PORT_TRIES: usize = 8;
const START_PATIENCE: Duration = Duration::from_secs(90);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A running sshd. Dropping it ends it, with all sessions.
#[derive(Debug)]
pub struct Sshd {
    dir: TempDir,
    program: PathBuf,
    /// Kept while the server is stopped, too.
    port: Port,
    user: String,
    environment: Vec<(String, String)>,
    running: Option<(Child, Watchdog)>,
}

/// The `sshd` program, or an error that says how to install it.
pub fn sshd_or_explain() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join("sshd"))
        .find(|program| program.is_file())
        .ok_or(Error::SshdMissing)
}

impl Sshd {
    /// Starts a server. Sessions have these variables; values must not have blanks in them.
    pub fn start(environment: &[(&str, &str)]) -> Result<Sshd> {
        let program = sshd_or_explain()?;
        let dir = tempfile::Builder::new().prefix("gatepost-sshd-").tempdir();
        let dir = dir.tried(|| "making a temporary directory".to_owned())?;
        let user = said("id", &["-un"])?;
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Sshd { dir, program, port: Port::reserve()?, user, environment, running: None };
        server.make_key("host")?;
        server.make_key("client")?;
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            match server.launch() {
                Err(Error::ServerStart { log, .. }) if tries > 0 && log.contains("Address already in use") => {
                    server.port = Port::reserve()?;
                }
                other => return other.map(|()| server),
            }
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The only user who may log in, with host and port: `root@127.0.0.1:2222`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}@{}", self.user, self.host())
    }

    /// The private key that logs in.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.dir.path().join("client")
    }

    /// The host key's fingerprint: `SHA256:…`.
    pub fn fingerprint(&self) -> Result<String> {
        let file = self.dir.path().join("host.pub");
        let line = said("ssh-keygen", &["-l", "-E", "sha256", "-f", &file.display().to_string()])?;
        line.split_ascii_whitespace()
            .find(|word| word.starts_with("SHA256:"))
            .map(str::to_owned)
            .ok_or_else(|| Error::Protocol(line.clone()))
    }

    /// What the server logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Starts again on the same port with another host key, as a machine that was set up anew, or one in between.
    pub fn change_host_key(&mut self) -> Result<()> {
        self.stop();
        self.port.wait_until_free()?;
        self.make_key("host")?;
        self.launch()
    }

    /// Lets another private key in as well; its public half is made of it.
    pub fn let_in(&self, key: &Path) -> Result<()> {
        let public = said("ssh-keygen", &["-y", "-f", &key.display().to_string()])?;
        let file = self.dir.path().join("authorized");
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, format!("{before}{public}\n")).tried(|| format!("writing {}", file.display()))
    }

    /// Lets nobody in any more.
    pub fn refuse_everybody(&self) -> Result<()> {
        let file = self.dir.path().join("authorized");
        fs::write(&file, "").tried(|| format!("writing {}", file.display()))
    }

    /// Ends the server and its sessions. Idempotent.
    pub fn stop(&mut self) {
        if let Some((mut child, watchdog)) = self.running.take() {
            watchdog.dismiss();
            process::end(&mut child, STOP_PATIENCE);
        }
    }

    fn make_key(&self, name: &str) -> Result<()> {
        let file = self.dir.path().join(name);
        let _ = fs::remove_file(&file);
        let path = file.display().to_string();
        said("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path]).map(drop)
    }

    fn launch(&mut self) -> Result<()> {
        let dir = self.dir.path();
        let place = |name: &str| dir.join(name).display().to_string();
        fs::copy(dir.join("client.pub"), dir.join("authorized")).tried(|| "allowing the client's key".to_owned())?;
        let mut config = format!(
            "ListenAddress 127.0.0.1\nPort {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             PrintMotd no\nUseDNS no\nLogLevel VERBOSE\nMaxStartups 100\n",
            self.port(),
            place("host"),
            place("authorized")
        );
        if !self.environment.is_empty() {
            config.push_str("SetEnv");
            self.environment.iter().for_each(|(name, value)| config.push_str(&format!(" {name}={value}")));
            config.push('\n');
        }
        fs::write(dir.join("config"), config).tried(|| "writing sshd's configuration".to_owned())?;
        if rustix::process::geteuid().is_root() {
            // Its separated process lives there.
            fs::create_dir_all("/run/sshd").tried(|| "making /run/sshd".to_owned())?;
        }
        let log = fs::File::create(dir.join("log")).tried(|| "making sshd's log".to_owned())?;
        let mut child = Command::new(&self.program)
            .args(["-D", "-e", "-f", &place("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .tried(|| format!("starting {}", self.program.display()))?;
        let deadline = Instant::now() + START_PATIENCE;
        let reason = loop {
            if greets(self.port()) {
                let watchdog = Watchdog::over(child.id(), std::iter::once(dir))?;
                self.running = Some((child, watchdog));
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                break format!("it ended with {status}");
            }
            if Instant::now() > deadline {
                break format!("no greeting within {} seconds", START_PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        process::end(&mut child, STOP_PATIENCE);
        Err(Error::ServerStart { server: SERVER, reason, log: self.log() })
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether something there speaks SSH (RFC 4253 section 4.2).
fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("SSH-2.0-")
}

/// What a program prints, where it ends well.
fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.tried(|| format!("running {program}"))?;
    if !output.status.success() {
        return Err(Error::Protocol(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
