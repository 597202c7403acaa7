//! What is sealed: a mailbox's password or OAuth 2 token.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// A secret in memory. It does not print, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes over the text without copying it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself; for a log-in command and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The inside of a blob: JSON `{"password": …, "oauth_token": …}`, each text or null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// For LOGIN and AUTHENTICATE PLAIN.
    #[serde(default)]
    pub password: Option<SecretText>,
    /// For AUTHENTICATE XOAUTH2.
    #[serde(default)]
    pub oauth_token: Option<SecretText>,
}

impl Sealed {
    /// A password alone.
    #[must_use]
    pub fn password(text: String) -> Self {
        Self { password: Some(text.into()), oauth_token: None }
    }

    /// An OAuth 2 token alone.
    #[must_use]
    pub fn oauth_token(text: String) -> Self {
        Self { password: None, oauth_token: Some(text.into()) }
    }

    /// More bytes than the JSON can take, so that the buffer never grows and leaves a copy behind: JSON writes a
    /// byte as six (`\u0000`) at the most.
    pub(crate) fn json_capacity(&self) -> usize {
        let bytes = |secret: &Option<SecretText>| secret.as_ref().map_or(0, |s| s.expose().len());
        64 + 6 * (bytes(&self.password) + bytes(&self.oauth_token))
    }
}
