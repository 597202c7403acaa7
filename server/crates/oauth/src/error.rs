//! Why there is no token. Each is a sentence that a technician can act on; none holds a secret.

use std::time::Duration;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OauthError {
    /// Nobody consents any more: revoked, lapsed, a changed password, a rule of the organisation that wants the owner
    /// back at the log-in page. Somebody must consent anew.
    #[error("{description} The consent must be given again.")]
    ConsentGone {
        /// What happened.
        description: String,
    },
    /// The code of a device was not entered yet. Ask again after the interval.
    #[error("The code was not entered yet.")]
    Pending,
    /// The same, and the interval must grow by 5 seconds (RFC 8628 section 3.5).
    #[error("The code was not entered yet, and the provider was asked too often.")]
    SlowDown,
    /// The person, or an administrator, said no.
    #[error("The consent was refused{}.", .description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    Denied {
        /// The provider's words.
        description: Option<String>,
    },
    /// A code was not used in its time. The flow starts anew.
    #[error("The code has expired. Start again.")]
    Expired,
    /// No answer, or none but "later". Another attempt may succeed.
    #[error("{sentence}")]
    Unreachable {
        /// What happened.
        sentence: String,
        /// How long the provider wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// An answer that is none of OAuth 2.
    #[error("{host} does not answer as an OAuth 2 server should: {what}.")]
    Nonsense {
        /// Who answered.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// The person consented to less than mail needs.
    #[error("The consent does not cover mail: {wanted} was not granted. Consent again and leave every box ticked.")]
    ScopeMissing {
        /// The scope that is needed.
        wanted: String,
    },
    /// The provider said no, for a reason that is not the owner's to mend.
    #[error("{description}")]
    Refused {
        /// The error's code (RFC 6749 section 5.2), or Microsoft's: `AADSTS7000222`.
        code: String,
        /// What it means, what to do, and the provider's words.
        description: String,
    },
    /// What was set up cannot work: a key that is none, an address that is missing.
    #[error("{0}")]
    Setup(String),
}

impl OauthError {
    /// Whether the same request may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Pending | Self::SlowDown)
    }

    /// Whether somebody must consent anew.
    #[must_use]
    pub const fn wants_consent(&self) -> bool {
        matches!(self, Self::ConsentGone { .. } | Self::Denied { .. } | Self::ScopeMissing { .. })
    }
}
