//! How the service posts to addresses outside: whoever starts it hands in a courier. It is told what to post and to
//! which address; how to resolve, connect and speak HTTP it knows, and which addresses it must not touch it asks
//! [`may_connect`](crate::may_connect).

use async_trait::async_trait;
use std::{fmt, path::PathBuf};

/// What a courier must know of the settings.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Hosts, addresses and networks that may be used although they are private; without TLS only hosts named exactly.
    pub allowed_hosts: Vec<String>,
}

/// One signed message for one address. Its URL is not printed: at many receivers the path is the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it goes.
    pub url: String,
    /// The `webhook-id` header.
    pub message_id: String,
    /// The `webhook-timestamp` header, in seconds since 1970.
    pub timestamp: i64,
    /// The `webhook-signature` header.
    pub signature: String,
    /// The JSON body.
    pub body: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// What the receiver answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The Retry-After header, as it came.
    pub retry_after: Option<String>,
    /// The beginning of the body, as text.
    pub excerpt: String,
}

/// Why no answer came, as a sentence for the person who looks after the receiver. It names no path and no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

/// Posts letters.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Posts a letter once, within a time limit of its own. Redirects are answers like any other.
    ///
    /// # Errors
    /// [`Undelivered`] where no whole answer came.
    async fn post(&self, letter: &Letter) -> Result<Reply, Undelivered>;
}
