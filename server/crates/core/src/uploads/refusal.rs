//! Why bytes are not taken.

use super::space::figure;

/// A refusal of an upload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UploadRefusal {
    /// The file is larger than files may be.
    #[error(
        "The file has {}; files of at most {} are taken (MIGRATION_MAX_PST_GB).",
        figure(*.bytes),
        figure(*.most)
    )]
    TooLarge {
        /// Bytes of the file, as far as they are known.
        bytes: u64,
        /// Bytes that are taken.
        most: u64,
    },
    /// More bytes came than were announced.
    #[error("More bytes came than the {announced} that were announced. Those beyond are not kept.")]
    TooMuch {
        /// Bytes that were announced.
        announced: i64,
    },
    /// The disk has too little room.
    #[error("{}", no_space(*.free, *.wanted, *.awaited, *.reserve))]
    NoSpace {
        /// Bytes that are free.
        free: u64,
        /// Bytes that the file needs; none where it had begun already.
        wanted: Option<u64>,
        /// Bytes that are still to come to other uploads.
        awaited: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// The bytes do not begin where the file ends.
    #[error("The upload goes on at byte {right}. Ask for its offset, then send from there.")]
    WrongOffset {
        /// Where it goes on.
        right: i64,
    },
    /// Somebody else is writing to it, or it is being checked.
    #[error("The upload is being written to by another request, or is being checked. Try again in a few seconds.")]
    Locked,
    /// All of it is there.
    #[error("The upload is complete.")]
    Complete,
    /// Its bytes were deleted.
    #[error("The file was deleted.")]
    Deleted,
    /// Its bytes are not where they should be.
    #[error("The bytes of the file are not on the disk any more. Remove it, and upload it again.")]
    Vanished,
    /// The digest of what came is not the one that was told.
    #[error(
        "The bytes that arrived do not have the checksum that was sent with them; they are not kept. Send them again."
    )]
    Checksum,
    /// A digest that is not computed here.
    #[error("The checksum must be sha256 or sha1, a space, and the digest of the body in Base64.")]
    Algorithm,
    /// The connection broke off.
    #[error("The connection broke off at byte {received} of {bytes}. What arrived is kept; go on from there.")]
    Cut {
        /// Bytes that are there.
        received: i64,
        /// Bytes of the file.
        bytes: i64,
    },
    /// The form broke off; of it nothing is kept.
    #[error(
        "The form broke off before its end, and nothing of it is kept. For bad lines there is the resumable upload."
    )]
    FormCut,
    /// No folder of the server is open for files.
    #[error("Files of the server are not offered. Set GATEPOST_IMPORT_PATH to the folder in which they lie.")]
    NoImportPath,
}

impl UploadRefusal {
    /// The HTTP status that says it best; 460 is of tus 1.0, extension "checksum".
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Cut { .. } | Self::FormCut | Self::Algorithm => 400,
            Self::NoImportPath => 404,
            Self::WrongOffset { .. } | Self::Complete => 409,
            Self::Deleted | Self::Vanished => 410,
            Self::TooLarge { .. } | Self::TooMuch { .. } => 413,
            Self::Locked => 423,
            Self::Checksum => 460,
            Self::NoSpace { .. } => 507,
        }
    }

    /// Its name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooMuch { .. } => "too_large",
            Self::NoSpace { .. } => "no_space",
            Self::WrongOffset { .. } => "wrong_offset",
            Self::Locked => "locked",
            Self::Complete => "complete",
            Self::Deleted => "deleted",
            Self::Vanished => "vanished",
            Self::Checksum => "checksum_mismatch",
            Self::Algorithm => "checksum_algorithm",
            Self::Cut { .. } | Self::FormCut => "cut",
            Self::NoImportPath => "server_files_off",
        }
    }
}

fn no_space(free: u64, wanted: Option<u64>, awaited: u64, reserve: u64) -> String {
    let what = match wanted {
        Some(bytes) => format!(
            "The file needs {}, {} are promised to unfinished uploads, and {} must stay free. Make room, or remove uploads \
             that nobody needs.",
            figure(bytes),
            figure(awaited),
            figure(reserve)
        ),
        None => format!("{} must stay free. What has arrived is kept; go on once there is room.", figure(reserve)),
    };
    format!("The disk of the uploads has {} free. {what}", figure(free))
}
