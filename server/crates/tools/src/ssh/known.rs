//! The host keys that people have confirmed, in a file that `ssh` reads.

use super::Destination;
use crate::{Limits, Program, Stream, ToolError, run};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// The largest file that is read.
const LARGEST: u64 = 4 << 20;

/// A public host key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// Its kind: `ssh-ed25519`.
    pub kind: String,
    /// The key, in Base64.
    key: String,
}

impl HostKey {
    /// Reads `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        let named = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.@".contains(&b));
        let bytes = STANDARD.decode(key).ok()?;
        // The key begins with its own kind (RFC 4253 section 6.6).
        let begins = u32::try_from(kind.len()).ok()?.to_be_bytes().into_iter().chain(kind.bytes());
        (named && bytes.iter().copied().take(4 + kind.len()).eq(begins))
            .then(|| Self { kind: kind.to_owned(), key: key.to_owned() })
    }

    /// Its fingerprint, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let bytes = STANDARD.decode(&self.key).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes)))
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self::parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl").expect("a key")
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fingerprint(), self.kind.trim_start_matches("ssh-").to_uppercase())
    }
}

/// The file of confirmed host keys. A file that is missing confirms nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHosts {
    path: PathBuf,
}

impl KnownHosts {
    /// The file at a path.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The confirmed keys of a machine. Names are written plainly there; hashed lines of another program are not read.
    #[must_use]
    pub fn of(&self, to: &Destination) -> Vec<HostKey> {
        let name = to.known_as();
        self.lines().iter().filter_map(|line| of_host(line, &name)).collect()
    }

    /// Every confirmed machine with its keys, as the file has them.
    #[must_use]
    pub fn all(&self) -> Vec<(String, HostKey)> {
        let read = |line: &String| {
            let (names, key) = line.split_once(' ')?;
            Some((names.to_owned(), HostKey::parse(key)?))
        };
        self.lines().iter().filter_map(read).collect()
    }

    /// Takes these keys of a machine for confirmed, instead of others that were.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn trust(&self, to: &Destination, keys: &[HostKey]) -> io::Result<()> {
        let name = to.known_as();
        let mut lines = self.others(&name);
        lines.extend(keys.iter().map(|key| format!("{name} {} {}", key.kind, key.key)));
        self.write(&lines)
    }

    /// Takes a machine's keys for confirmed no longer. Says whether there were any.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&self, to: &Destination) -> io::Result<bool> {
        let known = !self.of(to).is_empty();
        if known {
            self.write(&self.others(&to.known_as()))?;
        }
        Ok(known)
    }

    fn lines(&self) -> Vec<String> {
        let small = fs::metadata(&self.path).is_ok_and(|file| file.len() <= LARGEST);
        let text = if small { fs::read_to_string(&self.path).unwrap_or_default() } else { String::new() };
        text.lines().map(str::to_owned).collect()
    }

    fn others(&self, name: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| of_host(line, name).is_none()).collect()
    }

    /// Written beside and put in its place: a connection that begins meanwhile sees the one file or the other.
    fn write(&self, lines: &[String]) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        for line in lines {
            writeln!(file, "{line}")?;
        }
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}

/// The key of a line, where the line is of this machine.
fn of_host(line: &str, name: &str) -> Option<HostKey> {
    let (names, key) = line.split_once(' ')?;
    names.split(',').any(|n| n.eq_ignore_ascii_case(name)).then(|| HostKey::parse(key)).flatten()
}

/// Asks a machine for its host keys, by `ssh-keyscan`. That they are really its own, a person must confirm.
///
/// # Errors
/// When ssh-keyscan cannot be run. A machine that does not answer has no keys.
pub async fn scan(ssh_keyscan: &Path, to: &Destination, work: &Path) -> Result<Vec<HostKey>, ToolError> {
    let port = to.port().to_string();
    let arguments = ["-T", "10", "-t", "ed25519,ecdsa,rsa", "-p", &port, "--", &to.host];
    let program = Program {
        limits: Limits { time: Duration::from_secs(60), output: 1 << 20, ..Limits::default() },
        ..Program::new(ssh_keyscan, arguments, work)
    };
    let mut keys = Vec::new();
    let mut take = |line: crate::Line| {
        let key = line.text.split_once(' ').and_then(|(_, key)| HostKey::parse(key));
        if let Some(key) = key.filter(|key| line.stream == Stream::Out && !keys.contains(key)) {
            keys.push(key);
        }
    };
    run(program, &mut take, &CancellationToken::new()).await?;
    keys.sort_by(|a, b| a.kind.cmp(&b.kind));
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str) -> Destination {
        text.parse().expect("a destination")
    }

    #[test]
    fn a_fingerprint_is_the_one_that_ssh_keygen_prints() {
        // The key of github.com, whose fingerprint is published.
        assert_eq!(HostKey::example().fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(
            HostKey::parse("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"),
            None
        );
        for text in ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA"] {
            assert_eq!(HostKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn keys_are_kept_for_each_machine_and_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownHosts::at(folder.path().join("ssh/known_hosts"));
        let key = HostKey::example();
        assert!(known.of(&to("a.example")).is_empty());
        known.trust(&to("root@a.example"), std::slice::from_ref(&key)).expect("stored");
        known.trust(&to("b.example:2222"), std::slice::from_ref(&key)).expect("stored");
        known.trust(&to("b.example:2222"), std::slice::from_ref(&key)).expect("stored once");
        assert_eq!(known.of(&to("zimbra@A.example:22")), std::slice::from_ref(&key));
        assert!(known.of(&to("b.example")).is_empty(), "another port is another machine");
        assert_eq!(known.all().len(), 2);
        assert!(known.forget(&to("a.example")).expect("written"));
        assert!(!known.forget(&to("a.example")).expect("nothing to do"));
        assert_eq!(known.all(), [("[b.example]:2222".to_owned(), key)]);
    }
}
