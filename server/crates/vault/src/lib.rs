//! The vault: secrets sealed with Fernet (AES-128-CBC and HMAC-SHA-256, <https://github.com/fernet/spec>).
//!
//! It seals and opens blobs and looks after the key file. It does not know where blobs are stored, whose they are,
//! or who may use them. Nothing it holds can be printed: `Debug` hides, and no error carries a key, a secret or the
//! library's own message, which may quote what it read.
//!
//! Several keys can be in force: the first seals, all open. A rotation puts a new key in front
//! ([`rotate_file`]), seals every blob anew ([`Vault::rotate`]), and then drops the old keys
//! ([`drop_old_keys`]).

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by it"))]

mod error;
mod keyfile;
mod secret;
mod vault;

pub use error::VaultError;
pub use keyfile::{KeyOrigin, drop_old_keys, rotate_file};
pub use secret::{Sealed, SecretText};
pub use vault::{Vault, generate_key};

/// The environment variable with the keys, comma separated.
pub const KEY_VARIABLE: &str = "MIGRATION_CREDENTIALS_KEY";
