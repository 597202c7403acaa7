//! What can go wrong in the kit. It does not know which test asked.

use std::io;

/// An error of the kit: a sentence that says what to do about it where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No `dovecot` program on this machine.
    #[error("Dovecot is not installed. These tests need a real server: apt-get install dovecot-imapd")]
    DovecotMissing,
    /// Dovecot was started and did not answer with `* OK`.
    #[error("Dovecot did not start: {reason}\nits log:\n{log}")]
    DovecotStart {
        /// What was seen from outside.
        reason: String,
        /// The server's own log.
        log: String,
    },
    /// No `sshd` program on this machine.
    #[error("sshd is not installed. These tests need a real one: apt-get install openssh-server")]
    SshdMissing,
    /// Cyrus or Courier is not on this machine.
    #[error("{server} is not here. These tests need a real one: run scripts/install-test-servers")]
    ServerMissing {
        /// Its name.
        server: &'static str,
    },
    /// Another server was started and did not answer as it should.
    #[error("{server} did not start: {reason}\nits log:\n{log}")]
    ServerStart {
        /// Its name.
        server: &'static str,
        /// What was seen from outside.
        reason: String,
        /// What it wrote to its console.
        log: String,
    },
    /// A file, socket or process call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// A certificate for a test server could not be made.
    #[error("the test certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The server answered something that is not IMAP, or not what the command allows.
    #[error("the server's answer was not understood: {0}")]
    Protocol(String),
    /// The server answered NO, BAD or BYE.
    #[error("the server refused {command}: {reply}")]
    Refused {
        /// The command's name and mailbox, never its password.
        command: String,
        /// The server's line.
        reply: String,
    },
}

/// Result with the kit's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds what was tried to an `io::Error`.
pub(crate) trait Tried<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
