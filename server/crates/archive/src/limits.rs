//! Bounds that keep the machine safe from what strangers upload.

use crate::ArchiveError;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

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
    /// Bytes that stay free on the disk, whatever is unpacked or written; `None` for a twentieth of it, at least 1 GiB
    /// and at most 20 GiB.
    pub reserve: Option<u64>,
}

impl Limits {
    /// Unpacked bytes below which the ratio does not matter: 1 GiB.
    pub const FREE: u64 = 1 << 30;
    /// How often a long writing looks at the disk and says that it is alive, in bytes.
    pub(crate) const STEP: u64 = 16 << 20;

    /// The usual bounds: 200 GB unpacked (4 x 50 GB), 200 : 1 above 1 GiB, five million entries, 100 levels.
    #[must_use]
    pub fn new(work: impl Into<PathBuf>) -> Self {
        Self { work: work.into(), unpacked: 200_000_000_000, ratio: 200, entries: 5_000_000, depth: 100, reserve: None }
    }

    /// How many bytes an archive of `packed` bytes may have when unpacked.
    pub(crate) fn unpacked_from(&self, packed: u64) -> u64 {
        self.unpacked.min(packed.saturating_mul(self.ratio).max(Self::FREE))
    }

    /// Whether so many bytes more can be written at a place and leave the reserve free.
    ///
    /// # Errors
    /// Where they cannot, with the figures; the file is not to blame for it.
    pub(crate) fn room(&self, place: &Path, bytes: u64) -> Result<(), ArchiveError> {
        // A disk that does not tell what it has is written to until it refuses.
        let Ok(disk) = rustix::fs::statvfs(place) else { return Ok(()) };
        let unit = disk.f_frsize.max(1);
        let (free, total) = (disk.f_bavail.saturating_mul(unit), disk.f_blocks.saturating_mul(unit));
        let reserve = self.reserve.unwrap_or((total / 20).clamp(1 << 30, 20 << 30));
        if free >= bytes.saturating_add(reserve) {
            return Ok(());
        }
        let sentence = format!(
            "There is not enough room on the disk of the temporary files: {bytes} bytes more are needed, {free} bytes are \
             free, and {reserve} must stay free. Make room, then read the file again."
        );
        Err(io::Error::new(io::ErrorKind::StorageFull, sentence).into())
    }

    /// Unpacks a stream into a temporary file without a name; `stated` is how many bytes it is said to have. Errors of
    /// the stream come as they are.
    pub(crate) fn unpack(
        &self,
        mut from: impl Read,
        stated: u64,
        alive: &mut dyn FnMut() -> Result<(), ArchiveError>,
    ) -> Result<File, ArchiveError> {
        self.room(&self.work, stated)?;
        let mut file = tempfile::tempfile_in(&self.work)?;
        let mut buffer = vec![0; 256 << 10];
        let mut since = 0;
        loop {
            let n = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e.into()),
            };
            file.write_all(&buffer[..n])?;
            since += n as u64;
            if since >= Self::STEP {
                since = 0;
                alive()?;
                self.room(&self.work, 0)?;
            }
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_unpacked_that_would_not_leave_the_reserve_free() {
        let work = tempfile::tempdir().unwrap();
        let bytes = vec![7; 100_000];
        let mut limits = Limits { reserve: Some(0), ..Limits::new(work.path()) };
        let unpacked = limits.unpack(&bytes[..], 100_000, &mut || Ok(())).unwrap();
        assert_eq!(unpacked.metadata().unwrap().len(), 100_000);
        assert!(matches!(limits.unpack(&bytes[..], u64::MAX, &mut || Ok(())), Err(ArchiveError::Io(_))));
        limits.reserve = Some(u64::MAX);
        let refused = limits.unpack(&bytes[..], 0, &mut || Ok(())).unwrap_err();
        assert!(refused.to_string().contains("must stay free"), "{refused}");
    }

    #[test]
    fn a_long_unpacking_can_be_stopped() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits { reserve: Some(0), ..Limits::new(work.path()) };
        let endless = io::repeat(0);
        assert!(matches!(limits.unpack(endless, 0, &mut || Err(ArchiveError::Stopped)), Err(ArchiveError::Stopped)));
    }
}
