//! What binds an answer to the one who asked: the code verifier (RFC 7636) and the state (RFC 6749 section 10.12).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepost_contract::Secret;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

/// A code verifier. It stays with us until the code comes back; only its digest goes into the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkce {
    verifier: Secret,
}

impl Pkce {
    /// A new one, of 256 random bits.
    #[must_use]
    pub fn new() -> Self {
        Self { verifier: Secret(random()) }
    }

    /// One that was kept.
    #[must_use]
    pub const fn kept(verifier: Secret) -> Self {
        Self { verifier }
    }

    /// What must be kept, sealed, until the code comes back.
    #[must_use]
    pub const fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// Its digest, for the method S256.
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.0.as_bytes()))
    }
}

impl Default for Pkce {
    fn default() -> Self {
        Self::new()
    }
}

/// A new state of 256 random bits.
#[must_use]
pub fn new_state() -> String {
    random()
}

pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let kept = Pkce::kept(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()));
        assert_eq!(kept.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_ne!(Pkce::new(), Pkce::new());
        assert_eq!(Pkce::new().verifier().0.len(), 43);
    }
}
