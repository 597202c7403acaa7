//! The service's refusals. Every one has a sentence for the person who asked; what lies behind an internal fault is
//! logged once, where the error leaves the service, and never shown.

use crate::uploads::UploadRefusal;
use gatepost_contract::{Check, FieldError, FigureChange, Problem};
use gatepost_store::Error as StoreError;
use gatepost_transfer::Fault;

/// What the service answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Why it refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or the caller may not know of it.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Nobody is signed in, or the proof of it is not accepted.
    #[error("{0}")]
    Unauthorized(String),
    /// Somebody is signed in, but may not.
    #[error("{0}")]
    Forbidden(String),
    /// Some fields are wrong.
    #[error("{}", Problem::invalid(.0.clone()).detail)]
    Invalid(Vec<FieldError>),
    /// It cannot be done as things stand.
    #[error("{detail}")]
    Conflict {
        /// For programs.
        code: &'static str,
        /// For people.
        detail: String,
        /// The checks that stand against an approval.
        checks: Vec<Check>,
    },
    /// What was looked at is no longer the newest.
    #[error("{detail}")]
    Replaced {
        /// For people.
        detail: String,
        /// The figures that have changed since.
        changes: Vec<FigureChange>,
    },
    /// Too often.
    #[error("Too many attempts. Wait {retry_after} seconds and try again.")]
    TooMany {
        /// Seconds.
        retry_after: u64,
    },
    /// What was shown is not as many messages any more.
    #[error("The residue has changed: {seen} messages were shown, {now} match now. Look at them, then decide.")]
    Recounted {
        /// How many were shown.
        seen: i64,
        /// How many there are.
        now: i64,
    },
    /// The log of a run was removed.
    #[error("{0}")]
    LogRemoved(String),
    /// A file is not taken.
    #[error(transparent)]
    Upload(#[from] UploadRefusal),
    /// Another server did not do its part.
    #[error("{detail}")]
    Elsewhere {
        /// For programs.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// A fault of ours.
    #[error("Something went wrong on our side. The server's log has the cause.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A conflict without checks.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into(), checks: Vec::new() }
    }

    /// One wrong field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// A fault of ours.
    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// What in the database no version of this program can have written, where that is the cause.
    pub(crate) fn damage(&self) -> Option<String> {
        let Self::Internal(cause) = self else { return None };
        match cause.downcast_ref::<StoreError>()? {
            StoreError::Corrupt { column, reason } => Some(format!("in the column {column}, {reason}")),
            _ => None,
        }
    }

    /// The public face.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let detail = self.to_string();
        match self {
            Self::NotFound(what) => Problem::not_found(what),
            Self::Unauthorized(_) => Problem::new(401, "unauthorized", detail),
            Self::Forbidden(_) => Problem::new(403, "forbidden", detail),
            Self::Invalid(errors) => Problem::invalid(errors.clone()),
            Self::Conflict { code, checks, .. } => {
                Problem { checks: checks.clone(), ..Problem::new(409, code, detail) }
            }
            Self::Replaced { changes, .. } => {
                Problem { changes: changes.clone(), ..Problem::new(409, "evidence_replaced", detail) }
            }
            Self::TooMany { .. } => Problem::new(429, "too_many_attempts", detail),
            Self::Recounted { seen, now } => {
                let messages = FigureChange { figure: "messages".into(), seen: (*seen).into(), now: (*now).into() };
                Problem { changes: vec![messages], ..Problem::new(409, "residue_changed", detail) }
            }
            Self::LogRemoved(_) => Problem::new(410, "log_removed", detail),
            Self::Upload(refusal) => Problem::new(refusal.status(), refusal.code(), detail),
            Self::Elsewhere { code, .. } => Problem::new(502, code, detail),
            Self::Internal(_) => Problem::internal(),
        }
    }
}

/// Logs what lies behind an internal fault: this is where it leaves the service.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Error::Internal(cause) = &error {
            let mut chain = cause.to_string();
            let mut next = cause.source();
            while let Some(deeper) = next {
                chain.push_str(": ");
                chain.push_str(&deeper.to_string());
                next = deeper.source();
            }
            tracing::error!(cause = %chain, "internal error");
        }
        error.problem()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AlreadyRunning => Self::conflict(
                "already_running",
                "A run for this mailbox is queued or running already. Wait for it, or cancel it first.",
            ),
            StoreError::Exists { what } => Self::conflict("exists", format!("That {what} exists already.")),
            StoreError::Backup(sentence) => Self::conflict("no_backup", sentence),
            StoreError::Sort { allowed } => Self::field("sort", format!("may be one of: {allowed}")),
            other => Self::internal(other),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::internal(fault)
    }
}
