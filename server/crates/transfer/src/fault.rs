//! Why something could not be done, in a sentence that a technician can act on.

use std::time::Duration;

/// The kinds of faults; what to do differs by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The name does not resolve, or nobody answers there.
    Unreachable,
    /// The address may not be used (metadata, link-local, plain text beyond loopback).
    Forbidden,
    /// The certificate does not verify, or TLS cannot be agreed on.
    Tls,
    /// What answers is no server of the expected kind.
    WrongService,
    /// The log-in was refused.
    Login,
    /// The server answered NO or BAD to a command that is needed.
    Refused,
    /// A folder is not there any more.
    FolderGone,
    /// The account is full.
    Quota,
    /// The server asks to slow down.
    Throttled,
    /// The connection broke off.
    Lost,
    /// Nothing came for too long.
    Timeout,
    /// The server said something that cannot be understood.
    Protocol,
    /// The file is damaged, or not of the kind it was said to be.
    Damaged,
    /// A person asked to stop.
    Cancelled,
    /// Our own store or disk failed.
    Internal,
}

/// A fault.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// What happened and what to do. Holds no secret.
    pub sentence: String,
    /// What lies behind, for the log.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault without a cause of its own.
    pub fn new(kind: FaultKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), cause: None, retry_after: None }
    }

    /// The same with what lies behind.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The run was asked to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(FaultKind::Cancelled, "Cancelled. What was copied is recorded; the next run goes on from there.")
    }

    /// Whether the line is of no use any more, while the server may be reached by a new one.
    #[must_use]
    pub const fn breaks_the_line(&self) -> bool {
        matches!(self.kind, FaultKind::Lost | FaultKind::Timeout | FaultKind::Protocol)
    }

    /// Whether it says nothing about the other folders.
    #[must_use]
    pub const fn concerns_folder_alone(&self) -> bool {
        matches!(self.kind, FaultKind::FolderGone | FaultKind::Refused | FaultKind::Protocol | FaultKind::Damaged)
    }

    /// Whether a new connection may cure it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self.kind, FaultKind::Lost | FaultKind::Timeout | FaultKind::Throttled)
    }
}
