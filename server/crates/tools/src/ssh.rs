//! Programs on other machines, by the system's `ssh`.
//!
//! Only machines whose host key a person has confirmed are connected to, and only with the key that the settings name:
//! no agent, no password, no configuration of this machine's users. What a remote shell gets is one line in which every
//! argument is quoted, so that no name of a mailbox can become a command.
//!
//! Nothing here knows what the programs do.

mod destination;
mod known;
mod quote;
mod trouble;

pub use destination::{Destination, NotADestination};
pub use known::{HostKey, KnownHosts, scan};
pub use quote::{Unquotable, line, quote};
pub use trouble::{Said, Trouble};

use crate::{Limits, Program};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

/// How much memory ssh may have here; what flows through it is never held. What it runs there is bounded by that machine.
const MEMORY: u64 = 1 << 30;

/// Where ssh is, which key it shows, and where the host keys are that it believes.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// The program.
    pub program: PathBuf,
    /// The private key; it must be readable by its owner alone and have no passphrase.
    pub key: PathBuf,
    /// The confirmed host keys.
    pub known_hosts: KnownHosts,
}

impl Ssh {
    /// How long a connection may take.
    pub const CONNECT: Duration = Duration::from_secs(20);

    /// The options and the address, everything before the remote command. Programs that start `ssh` by themselves
    /// (dsync) are given these.
    #[must_use]
    pub fn arguments(&self, to: &Destination) -> Vec<OsString> {
        let path = |option: &str, path: &Path| {
            // ssh splits the value at blanks and expands `%` and `${…}` in it.
            let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
            format!("{option}=\"{text}\"")
        };
        let mut options: Vec<String> = [
            // Neither this user's configuration nor the machine's.
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "GlobalKnownHostsFile=none",
            "UpdateHostKeys=no",
            "CheckHostIP=no",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
            "ForwardAgent=no",
            "ForwardX11=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "ControlMaster=no",
            "ControlPath=none",
            "EscapeChar=none",
            "LogLevel=ERROR",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=8",
        ]
        .map(str::to_owned)
        .to_vec();
        options.push(format!("ConnectTimeout={}", Self::CONNECT.as_secs()));
        options.push(path("UserKnownHostsFile", self.known_hosts.path()));
        let mut arguments: Vec<OsString> = ["-F", "none", "-T"].map(OsString::from).to_vec();
        for option in options {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["-i".into(), self.key.clone().into_os_string()]);
        if let Some(user) = &to.user {
            arguments.extend(["-l".into(), user.into()]);
        }
        if let Some(port) = to.port {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        arguments.extend(["--".into(), to.host.clone().into()]);
        arguments
    }

    /// A command on another machine: a program there and its arguments, each of which reaches it as it is.
    ///
    /// # Errors
    /// [`Unquotable`] where an argument has a line break or a NUL in it.
    pub fn command<'a>(
        &self,
        to: &Destination,
        remote: impl IntoIterator<Item = &'a str>,
        work: &Path,
    ) -> Result<Program, Unquotable> {
        let remote = line(remote)?;
        let mut arguments = self.arguments(to);
        arguments.push(remote.into());
        Ok(Program {
            limits: Limits { silence: None, memory: Some(MEMORY), ..Limits::default() },
            ..Program::new(&self.program, arguments, work)
        })
    }

    /// Why a machine must not be connected to yet, where it must not.
    ///
    /// # Errors
    /// [`Trouble`] where nobody has confirmed its host key, or the key file is of no use.
    pub fn ready(&self, to: &Destination) -> Result<(), Trouble> {
        use std::os::unix::fs::PermissionsExt;
        match std::fs::metadata(&self.key) {
            Err(error) => return Err(Trouble::NoKey { path: self.key.clone(), why: error.to_string() }),
            Ok(file) if file.permissions().mode() & 0o077 != 0 => {
                return Err(Trouble::OpenKey { path: self.key.clone() });
            }
            Ok(_) => {}
        }
        if self.known_hosts.of(to).is_empty() {
            return Err(Trouble::UnknownHost { host: to.to_string() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(known_hosts: &str) -> Ssh {
        Ssh {
            program: "/usr/bin/ssh".into(),
            key: "/k/id".into(),
            known_hosts: KnownHosts::at(PathBuf::from(known_hosts)),
        }
    }

    #[test]
    fn only_the_settings_keys_are_used_and_the_command_is_one_quoted_argument() {
        let to: Destination = "root@mail.example:2222".parse().expect("a destination");
        let program = ssh("/data path/100%/known_hosts")
            .command(&to, ["zmmailbox", "-m", "d'or $(id)@example.com"], Path::new("/w"))
            .expect("it can be quoted");
        let arguments: Vec<_> = program.arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "UserKnownHostsFile=\"/data path/100%%/known_hosts\"",
        ] {
            assert!(arguments.iter().any(|a| a == option), "{option}: {arguments:?}");
        }
        assert_eq!(program.limits.memory, Some(MEMORY));
        let end = &arguments[arguments.len() - 9..];
        assert_eq!(end[..6], ["-i", "/k/id", "-l", "root", "-p", "2222"]);
        assert_eq!(end[6..], ["--", "mail.example", r"zmmailbox -m 'd'\''or $(id)@example.com'"]);
    }

    #[test]
    fn a_machine_that_nobody_has_confirmed_is_not_connected_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("id");
        std::fs::write(&key, "key").expect("written");
        let mut ssh = ssh("");
        let to: Destination = "mail.example".parse().expect("a destination");
        assert!(matches!(ssh.ready(&to), Err(Trouble::NoKey { .. })));
        ssh.key.clone_from(&key);
        ssh.known_hosts = KnownHosts::at(folder.path().join("known_hosts"));
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        mode(0o640);
        assert!(matches!(ssh.ready(&to), Err(Trouble::OpenKey { .. })));
        mode(0o600);
        assert!(matches!(ssh.ready(&to), Err(Trouble::UnknownHost { host }) if host == "mail.example"));
        ssh.known_hosts.trust(&to, &[HostKey::example()]).expect("stored");
        assert_eq!(ssh.ready(&to).err(), None);
    }
}
