//! The programs of servers whose packages conflict with Dovecot's: `scripts/install-test-servers` unpacks them, this
//! finds and starts them. It does not know how they are configured.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::dovecot::config::Identity;
use crate::error::{Error, Result, Tried as _};
use crate::executable;

/// What was said already by this process.
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether the tests against a server can run. Where it is missing they are left out, and the first says so in one
/// line; with `CI` set they fail instead.
///
/// # Panics
/// With `CI` set, when the server is missing.
#[must_use]
pub fn at_hand(found: Result<PathBuf>) -> bool {
    let Err(missing) = found else { return true };
    assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{missing}");
    let line = format!("left out: {missing}\n");
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.contains(&line) {
        // Not `eprintln`: the test harness keeps that to itself when a test passes.
        let _ = std::io::stderr().write_all(line.as_bytes());
        told.push(line);
    }
    false
}

/// The directory of a server (`cyrus`, `courier`): `bin`, `lib`, perhaps `sasl2`.
pub(crate) fn find(name: &str, server: &'static str) -> Result<PathBuf> {
    let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    set("GATEPOST_TEST_SERVERS")
        .or_else(|| Some(cache()?.join("gatepost/servers")))
        .map(|servers| servers.join(name))
        // Written last by the script.
        .filter(|dir| dir.join("layout").is_file())
        .ok_or(Error::ServerMissing { server })
}

/// Where the server's own user can start the programs. Under root that is another user, who may not enter the home
/// directory where they lie: then it is a copy in `scratch`.
pub(crate) fn reachable(found: &Path, scratch: &Path, identity: &Identity) -> Result<PathBuf> {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o001 != 0);
    let found = found.canonicalize().tried(|| format!("finding {}", found.display()))?;
    if !identity.root || found.ancestors().all(open) {
        return Ok(found);
    }
    let copy = scratch.join("programs");
    for part in ["bin", "lib", "sasl2"] {
        let (from, to) = (found.join(part), copy.join(part));
        let Ok(entries) = fs::read_dir(&from) else { continue };
        make_open_dir(&to)?;
        let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        executable::copy(&files, &to)?;
    }
    make_open_dir(&copy)?;
    Ok(copy)
}

/// A directory that every user can enter, whatever the umask.
pub(crate) fn make_open_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)
        .and_then(|()| fs::set_permissions(dir, fs::Permissions::from_mode(0o755)))
        .tried(|| format!("making {}", dir.display()))
}

/// A program of the server, to be run as the server's user with the libraries that came with it.
pub(crate) fn command(programs: &Path, program: &str, identity: &Identity) -> Command {
    let mut command = Command::new(programs.join("bin").join(program));
    command.env("LD_LIBRARY_PATH", programs.join("lib")).env("SASL_PATH", programs.join("sasl2")).stdin(Stdio::null());
    // A group of its own: Cyrus' master ends by a signal to its whole group, which would be the tests and all other
    // servers.
    command.process_group(0);
    if identity.root {
        command.uid(identity.uid).gid(identity.gid);
    }
    command
}
