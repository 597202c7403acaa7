//! Access tokens for log-ins, which end while a run goes on: whoever connects asks for one each time.

use crate::Fault;
use async_trait::async_trait;
use gatepost_contract::Secret;
use std::fmt;

/// Gives access tokens (RFC 6749 section 1.4) for one account.
#[async_trait]
pub trait AccessTokens: Send + Sync {
    /// A token that holds for some minutes at least.
    ///
    /// # Errors
    /// A fault of kind `Login` where nobody consents any more, with a sentence that says what to do; others where the
    /// token end point cannot be reached or answers otherwise than it should.
    async fn token(&self) -> Result<Secret, Fault>;

    /// Another token instead of one that the mail server refused, although it should hold still; `None` where there is
    /// no other.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    async fn renew(&self, refused: &Secret) -> Result<Option<Secret>, Fault>;
}

/// A token that somebody typed in: there is no other.
#[derive(Clone)]
pub struct FixedToken(pub Secret);

#[async_trait]
impl AccessTokens for FixedToken {
    async fn token(&self) -> Result<Secret, Fault> {
        Ok(self.0.clone())
    }

    async fn renew(&self, _: &Secret) -> Result<Option<Secret>, Fault> {
        Ok(None)
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken([secret])")
    }
}
