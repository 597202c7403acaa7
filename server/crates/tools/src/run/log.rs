//! The whole log of a program: compressed, bounded, readable by its owner alone.

use flate2::{Compression, write::GzEncoder};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

pub(super) struct Log {
    out: GzEncoder<File>,
    left: u64,
    left_out: u64,
    failed: Option<io::Error>,
}

impl Log {
    /// Opens a log at its end: what an earlier call of the same run printed stays before it (RFC 1952 section 2.2: members
    /// follow each other). What the file has already counts against the bound, as far as it takes room on the disk.
    pub fn open(path: &Path, most: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let left = most.saturating_sub(file.metadata()?.len());
        Ok(Self { out: GzEncoder::new(file, Compression::fast()), left, left_out: 0, failed: None })
    }

    /// Keeps bytes as far as there is room. A disk that is full does not stop the program: it is said at the end.
    pub fn write(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        self.left -= room as u64;
        self.left_out += (bytes.len() - room) as u64;
        if self.failed.is_none() {
            self.failed = self.out.write_all(&bytes[..room]).err();
        }
    }

    pub fn finish(mut self) -> io::Result<()> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if self.left_out > 0 {
            writeln!(self.out, "\n[{} more bytes were printed and are not kept]", self.left_out)?;
        }
        self.out.finish().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, os::unix::fs::PermissionsExt};

    #[test]
    fn a_log_is_kept_up_to_its_bound_and_says_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.gz");
        let mut log = Log::open(&path, 10).expect("a log");
        log.write(b"12345678");
        log.write(b"90abc");
        log.finish().expect("written");
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(&path).expect("the log")).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "1234567890\n[3 more bytes were printed and are not kept]\n");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_second_call_adds_to_the_log_of_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.gz");
        for words in ["first\n", "second\n"] {
            let mut log = Log::open(&path, 1_000).expect("a log");
            log.write(words.as_bytes());
            log.finish().expect("written");
        }
        let mut text = String::new();
        let file = File::open(&path).expect("the log");
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "first\nsecond\n");
        assert_eq!(Log::open(&path, 10).expect("a log").left, 0);
    }
}
