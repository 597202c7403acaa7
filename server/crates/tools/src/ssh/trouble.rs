//! What `ssh` says when it could not do its work, in sentences for those who can mend it.

use super::{Destination, KnownHosts};
use crate::{Ended, Exit, Line, Stream};
use std::path::PathBuf;

/// How many lines of standard error are kept.
const LINES: usize = 40;

/// The last lines that a program on another machine, or ssh itself, printed on standard error.
#[derive(Clone, Debug, Default)]
pub struct Said {
    lines: Vec<String>,
}

impl Said {
    /// Takes a line.
    pub fn take(&mut self, line: &Line) {
        if line.stream == Stream::Err && !line.text.trim().is_empty() {
            if self.lines.len() == LINES {
                self.lines.remove(0);
            }
            self.lines.push(line.text.trim().to_owned());
        }
    }

    /// The last line, for a sentence about a program.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.lines.last().map(String::as_str)
    }

    /// The lines, oldest first.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Why ssh did not get through, where it ended with its own code for that.
    #[must_use]
    pub fn trouble(&self, ended: &Ended, to: &Destination, known: &KnownHosts) -> Option<Trouble> {
        // ssh(1): "exits with the exit status of the remote command or with 255 if an error occurred".
        if ended.exit != Exit::Code(255) || ended.stopped.is_some() {
            return None;
        }
        let host = to.to_string();
        let has = |text: &str| self.lines.iter().any(|line| line.contains(text));
        let words =
            || self.last().map_or_else(|| "it said nothing.".to_owned(), |l| format!("{}.", l.trim_end_matches('.')));
        Some(if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("Host key for") && has("has changed") {
            let shown =
                self.lines.iter().flat_map(|line| line.split_ascii_whitespace()).find(|w| w.starts_with("SHA256:"));
            Trouble::ChangedKey {
                host,
                known: known.of(to).iter().map(ToString::to_string).collect(),
                shown: shown.map(|text| text.trim_end_matches('.').to_owned()),
            }
        } else if has("Host key verification failed") || has("No matching host key") || has("host key is known for") {
            Trouble::UnknownHost { host }
        } else if has("Permission denied") || has("Too many authentication failures") {
            Trouble::Denied { host, user: to.user.clone() }
        } else if has("invalid format") || has("error in libcrypto") || has("incorrect passphrase") || has("Load key") {
            Trouble::BadKey { words: words() }
        } else if has("Could not resolve hostname")
            || has("Connection refused")
            || has("No route to host")
            || has("Connection timed out")
            || has("Network is unreachable")
        {
            Trouble::Unreachable { host, words: words() }
        } else {
            Trouble::Broken { host, words: words() }
        })
    }
}

/// Why a machine was not reached by ssh.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no key file.
    #[error("The SSH key {path} cannot be read ({why}). Name the right file in GATEPOST_SSH_KEY_FILE.", path = .path.display())]
    NoKey {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Others can read the key file.
    #[error("Others can read the SSH key {path}. Let only its owner read it: chmod 600 {path}", path = .path.display())]
    OpenKey {
        /// Where it is.
        path: PathBuf,
    },
    /// The key file is no key that ssh can use by itself.
    #[error("The SSH key cannot be used: {words} It must be a private key in OpenSSH's format, without a passphrase.")]
    BadKey {
        /// ssh's words.
        words: String,
    },
    /// Nobody has confirmed the machine's host key.
    #[error(
        "Nobody has confirmed the SSH host key of {host} yet, and without that it is not connected to. Run `gatepost ssh \
         trust {host}` on this server, and compare the fingerprint with the one that {host}'s administrator tells you."
    )]
    UnknownHost {
        /// The machine.
        host: String,
    },
    /// The machine shows another host key than was confirmed.
    #[error(
        "The SSH host key of {host} has changed: confirmed was {}, shown is {}. Nothing was sent. Either the machine was \
         set up anew, or somebody stands between. Ask its administrator for its fingerprint; when it is right, run \
         `gatepost ssh trust {host}` again.",
        .known.join(", "), .shown.as_deref().unwrap_or("another")
    )]
    ChangedKey {
        /// The machine.
        host: String,
        /// The confirmed keys.
        known: Vec<String>,
        /// The fingerprint of the key that it shows now.
        shown: Option<String>,
    },
    /// The machine does not take our key.
    #[error(
        "{host} does not let {} in with the key of GATEPOST_SSH_KEY_FILE. Add its public half to that user's \
         ~/.ssh/authorized_keys there.",
        .user.as_deref().unwrap_or("this user")
    )]
    Denied {
        /// The machine.
        host: String,
        /// The user.
        user: Option<String>,
    },
    /// It is not there.
    #[error("{host} cannot be reached by SSH: {words}")]
    Unreachable {
        /// The machine.
        host: String,
        /// ssh's words.
        words: String,
    },
    /// The connection broke.
    #[error("The SSH connection to {host} broke: {words}")]
    Broken {
        /// The machine.
        host: String,
        /// ssh's words.
        words: String,
    },
}

impl Trouble {
    /// Whether it may have passed when it is tried once more.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stop, ssh::HostKey};

    const ENDED: Ended = Ended { exit: Exit::Code(255), stopped: None, left_running: 0 };

    fn trouble(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownHosts::at(folder.path().join("known_hosts"));
        let to: Destination = "root@mail.example".parse().expect("a destination");
        known.trust(&to, &[HostKey::example()]).expect("stored");
        let mut said = Said::default();
        for line in text.lines() {
            said.take(&Line { stream: Stream::Err, text: line.to_owned() });
        }
        said.trouble(&ENDED, &to, &known).expect("255 is ssh's own").to_string()
    }

    #[test]
    fn a_changed_key_is_told_with_both_fingerprints() {
        let text = trouble(
            "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
             The fingerprint for the ED25519 key sent by the remote host is\nSHA256:uNiVztksCsDhcc0u9e8BrFPcf6oiMTIRLXbcsoCnWms.\n\
             Host key verification failed.",
        );
        assert!(text.contains("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU (ED25519)"), "{text}");
        assert!(text.contains("shown is SHA256:uNiVztksCsDhcc0u9e8BrFPcf6oiMTIRLXbcsoCnWms. "), "{text}");
    }

    #[test]
    fn every_way_to_fail_says_what_to_do() {
        for (said, told) in [
            ("root@mail.example: Permission denied (publickey).", "authorized_keys"),
            ("ssh: connect to host mail.example port 22: Connection refused", "cannot be reached"),
            ("ssh: Could not resolve hostname mail.example: Name or service not known", "cannot be reached"),
            ("Load key \"/k/id\": error in libcrypto\nroot@mail.example: hm", "without a passphrase"),
            (
                "No ED25519 host key is known for mail.example and you have requested strict checking.",
                "ssh trust mail.example",
            ),
            ("client_loop: send disconnect: Broken pipe", "broke"),
        ] {
            let text = trouble(said);
            assert!(text.contains(told), "{said}: {text}");
        }
    }

    #[test]
    fn an_exit_of_the_remote_program_is_none_of_sshs() {
        let said = Said::default();
        let to: Destination = "mail.example".parse().expect("a destination");
        let known = KnownHosts::at("/nowhere".into());
        for ended in [
            Ended { exit: Exit::Code(2), ..ENDED },
            Ended { exit: Exit::Signal(9), ..ENDED },
            Ended { stopped: Some(Stop::Cancelled), ..ENDED },
        ] {
            assert_eq!(said.trouble(&ended, &to, &known), None);
        }
    }
}
