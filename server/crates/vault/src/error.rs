//! What can go wrong with keys and blobs. No variant carries a key or a secret.

use std::{io, path::PathBuf};

/// A key or a blob that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is nothing where keys should be.
    #[error("There is no key in {place}; make one with `gatepost vault keygen`.")]
    NoKey {
        /// The variable, or the file.
        place: String,
    },
    /// One of the keys is none.
    #[error(
        "Key {position} of {place} is no Fernet key (32 bytes in URL-safe Base64, 44 characters); make one with \
         `gatepost vault keygen`."
    )]
    BadKey {
        /// The variable, or the file.
        place: String,
        /// Counted from 1.
        position: usize,
    },
    /// Others may read the key file.
    #[error(
        "The key file {} can be read by others (mode {mode:04o}); run `chmod 600 {}` and, if others had access, \
         `gatepost vault rotate`.", path.display(), path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A rotation is under way, or was interrupted before it took effect.
    #[error(
        "{} exists: another rotation is under way, or one was interrupted before its key came into use. If none is \
         running, delete that file and try again.", path.display()
    )]
    Rotating {
        /// The file that the rotation writes.
        path: PathBuf,
    },
    /// The key file could not be read or written.
    #[error("The key file {} could not be {what}: {source}.", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// No key opens the blob.
    #[error(
        "The secret could not be opened: it was sealed with another key, was altered, or this machine's clock is \
         behind the time of sealing. Put the key that sealed it into MIGRATION_CREDENTIALS_KEY or the key file, \
         behind the first one, or enter the secret again."
    )]
    NotOpened,
    /// A key opens the blob, but what is inside is not a secret of ours.
    #[error("The secret was opened, but is not in the form that the vault writes; enter it again.")]
    Malformed,
}
