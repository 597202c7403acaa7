//! The keys in force: sealing, opening, sealing anew.

use crate::{KEY_VARIABLE, Sealed, VaultError};
use fernet::Fernet;
use std::fmt;
use zeroize::Zeroizing;

/// One or more keys. The first seals; all open, tried in order. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    first: Fernet,
    older: Vec<Fernet>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys()).finish()
    }
}

/// A new key, for `MIGRATION_CREDENTIALS_KEY` or a key file.
#[must_use]
pub fn generate_key() -> String {
    Fernet::generate_key()
}

impl Vault {
    /// The keys of `MIGRATION_CREDENTIALS_KEY`, comma separated.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] and [`VaultError::BadKey`], which name the variable and never the key.
    pub fn from_keys(keys: &str) -> Result<Self, VaultError> {
        Self::parse(keys, KEY_VARIABLE)
    }

    /// Keys separated by commas or line ends; `place` is named in errors.
    pub(crate) fn parse(keys: &str, place: &str) -> Result<Self, VaultError> {
        let mut fernets = split(keys).enumerate().map(|(at, key)| {
            Fernet::new(key).ok_or_else(|| VaultError::BadKey { place: place.to_owned(), position: at + 1 })
        });
        let first = fernets.next().ok_or_else(|| VaultError::NoKey { place: place.to_owned() })??;
        Ok(Self { first, older: fernets.collect::<Result<_, _>>()? })
    }

    /// How many keys are in force.
    #[must_use]
    pub fn keys(&self) -> usize {
        1 + self.older.len()
    }

    /// Seals with the first key. Two seals of the same secret differ.
    #[must_use]
    pub fn seal(&self, secret: &Sealed) -> Vec<u8> {
        let mut json = Zeroizing::new(Vec::with_capacity(secret.json_capacity()));
        serde_json::to_writer(&mut *json, secret).expect("two optional strings always serialise into memory");
        self.first.encrypt(&json).into_bytes()
    }

    /// Opens with whichever key fits.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`] where none does, [`VaultError::Malformed`] for a foreign content.
    pub fn open(&self, blob: &[u8]) -> Result<Sealed, VaultError> {
        let json = self.decrypt(blob)?;
        // The cause is dropped on purpose: serde_json quotes what it did not expect.
        serde_json::from_slice(&json).map_err(|_| VaultError::Malformed)
    }

    /// Whether the blob was not sealed with the first key.
    #[must_use]
    pub fn needs_rotation(&self, blob: &[u8]) -> bool {
        opened_by(&self.first, blob).is_none()
    }

    /// Seals the content anew with the first key.
    ///
    /// # Errors
    /// [`VaultError::NotOpened`] where no key opens the blob.
    pub fn rotate(&self, blob: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.first.encrypt(&self.decrypt(blob)?).into_bytes())
    }

    fn decrypt(&self, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        std::iter::once(&self.first)
            .chain(&self.older)
            .find_map(|key| opened_by(key, blob))
            .ok_or(VaultError::NotOpened)
    }
}

fn opened_by(key: &Fernet, blob: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let token = std::str::from_utf8(blob).ok()?;
    key.decrypt(token).ok().map(Zeroizing::new)
}

/// The keys of a variable or a file; blank items, as after a trailing comma, do not count.
pub(crate) fn split(keys: &str) -> impl Iterator<Item = &str> {
    keys.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests;
