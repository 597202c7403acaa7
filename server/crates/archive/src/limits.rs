//! Bounds that keep the machine safe from what strangers upload.

use std::path::PathBuf;

/// What reading a file may cost. Breaking a bound ends in [`ArchiveError::TooMuch`](crate::ArchiveError::TooMuch), or
/// in a sentence where reading can go on without the part.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A folder for temporary files: what an archive holds compressed and must be read at random. They have no name
    /// and vanish with the process.
    pub work: PathBuf,
    /// Bytes that an archive may hold when unpacked, in all.
    pub unpacked: u64,
    /// How many times larger than the file its unpacked content may be, once that is above [`Limits::FREE`].
    pub ratio: u64,
    /// Entries that an archive or a folder may hold.
    pub entries: u64,
    /// Levels of folders; what lies deeper is filed in the deepest that is allowed.
    pub depth: usize,
}

impl Limits {
    /// Unpacked bytes below which the ratio does not matter: 1 GiB.
    pub const FREE: u64 = 1 << 30;

    /// The usual bounds: 200 GB unpacked (4 x 50 GB), 200 : 1 above 1 GiB, five million entries, 100 levels.
    #[must_use]
    pub fn new(work: impl Into<PathBuf>) -> Self {
        Self { work: work.into(), unpacked: 200_000_000_000, ratio: 200, entries: 5_000_000, depth: 100 }
    }

    /// How many bytes an archive of `packed` bytes may have when unpacked.
    pub(crate) fn unpacked_from(&self, packed: u64) -> u64 {
        self.unpacked.min(packed.saturating_mul(self.ratio).max(Self::FREE))
    }
}
