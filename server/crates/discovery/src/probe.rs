//! Trying a server that was proposed: a connection, a greeting, its capabilities, and nothing more. Nobody logs in.

use async_trait::async_trait;
use gatepost_contract::Security;

/// What an IMAP server said before anybody logged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeted {
    /// Its greeting, as text.
    pub greeting: Option<String>,
    /// Its capabilities, upper case.
    pub capabilities: Vec<String>,
}

/// Why nothing is known of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unseen {
    /// It must not be tried, which says nothing against it.
    #[error("{0}")]
    NotTried(String),
    /// It was tried in vain.
    #[error("{0}")]
    Failed(String),
}

/// Tries servers. Whoever implements it verifies certificates, refuses addresses that strangers must not lead us to, and
/// has a time limit.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Connects, reads the greeting and asks for the capabilities.
    ///
    /// # Errors
    /// [`Unseen`] with a sentence.
    async fn probe(&self, host: &str, port: u16, security: Security) -> Result<Greeted, Unseen>;
}

/// Tries nothing: a service that only reads, or a test.
#[derive(Clone, Copy, Debug)]
pub struct NoProber;

#[async_trait]
impl Prober for NoProber {
    async fn probe(&self, _: &str, _: u16, _: Security) -> Result<Greeted, Unseen> {
        Err(Unseen::NotTried("It was not tried.".to_owned()))
    }
}

/// Whether a port that strangers name may be tried: those of IMAP, and those that no other usual service has.
pub(crate) const fn is_tried(port: u16) -> bool {
    matches!(port, 143 | 993) || port >= 1024
}
