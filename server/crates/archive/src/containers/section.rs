//! A stretch of a file that is read at random places. Nothing here knows what the bytes mean.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// Where the bytes are.
#[derive(Clone, Debug)]
enum Backing {
    File(Arc<File>),
    Memory(Arc<[u8]>),
}

/// A stretch of a file, or bytes in memory. Copies share the file.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    backing: Backing,
    start: u64,
    len: u64,
}

impl Section {
    /// The whole of a file.
    pub(crate) fn of_file(file: Arc<File>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { backing: Backing::File(file), start: 0, len })
    }

    /// The file at a path. A pipe or a device is refused, and not waited for.
    pub(crate) fn at_path(path: &Path) -> io::Result<Self> {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        Self::of_file(Arc::new(file))
    }

    /// Bytes that are held.
    pub(crate) fn of_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { start: 0, len: bytes.len() as u64, backing: Backing::Memory(bytes) }
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// A part of it; what reaches over its end is cut.
    pub(crate) fn part(&self, from: u64, len: u64) -> Self {
        let from = from.min(self.len);
        Self { backing: self.backing.clone(), start: self.start + from, len: len.min(self.len - from) }
    }

    /// Reads at a place, as [`Read::read`] does; 0 at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        if want == 0 {
            return Ok(0);
        }
        match &self.backing {
            Backing::File(file) => file.read_at(&mut buffer[..want], self.start + at),
            Backing::Memory(bytes) => {
                let from = usize::try_from(self.start + at).map_err(io::Error::other)?;
                let piece = bytes.get(from..from + want).ok_or(io::ErrorKind::UnexpectedEof)?;
                buffer[..want].copy_from_slice(piece);
                Ok(want)
            }
        }
    }

    /// Up to `want` bytes from a place; fewer only at the end.
    pub(crate) fn bytes(&self, at: u64, want: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; want.min(left)];
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    /// Reads it from its beginning.
    pub(crate) fn reader(&self) -> SectionReader {
        SectionReader { section: self.clone(), at: 0 }
    }
}

/// Reads a section through.
#[derive(Debug)]
pub(crate) struct SectionReader {
    section: Section,
    at: u64,
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.section.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for SectionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.section.len(), by),
        };
        self.at = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A view that moves over a section, so that small steps forwards and a little back cost no reading.
#[derive(Debug)]
pub(crate) struct Window {
    section: Section,
    buffer: Vec<u8>,
    start: u64,
}

impl Window {
    /// How many bytes it holds.
    pub(crate) const SIZE: usize = 256 * 1024;
    /// How many bytes in front of a place are kept when it moves there.
    const BACK: u64 = 4096;

    /// A view of a section.
    pub(crate) fn new(section: Section) -> Self {
        Self { section, buffer: Vec::new(), start: 0 }
    }

    /// The bytes from `at`: at least `want` of them (at most a quarter of the window), fewer only at the end.
    pub(crate) fn get(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        let want = want.min(Self::SIZE / 4);
        let end = self.start + self.buffer.len() as u64;
        let wanted_end = at.saturating_add(want as u64).min(self.section.len());
        if at >= self.section.len() {
            return Ok(&[]);
        }
        if at < self.start || wanted_end > end || at >= end {
            self.start = at.saturating_sub(Self::BACK);
            self.buffer = self.section.bytes(self.start, Self::SIZE)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(&self.buffer[from..])
    }
}
