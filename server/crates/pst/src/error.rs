//! Why a file, or something in it, cannot be read.

use std::io;

/// What went wrong, as a sentence that a technician can act on.
#[derive(Debug, thiserror::Error)]
pub enum PstError {
    /// The file is none.
    #[error("this is not a PST or OST file: {0}")]
    NotAPst(String),
    /// It is one, of a version that this reader does not know.
    #[error(
        "this PST or OST file is of version {0}, which is not known; known are 14 and 15 (ANSI), 23 (Unicode) and 36 (4K pages)"
    )]
    UnknownVersion(u16),
    /// Something in it is not as it must be.
    #[error("{0}")]
    Damaged(String),
    /// The medium did not give the bytes.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl PstError {
    pub(crate) fn damaged(sentence: impl Into<String>) -> Self {
        Self::Damaged(sentence.into())
    }
}

impl From<PstError> for gatepost_mapi::Error {
    fn from(error: PstError) -> Self {
        match error {
            PstError::Io(error) => Self::Io(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<PstError> for io::Error {
    fn from(error: PstError) -> Self {
        match error {
            PstError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other.to_string()),
        }
    }
}

/// The result of reading.
pub(crate) type Result<T> = std::result::Result<T, PstError>;
