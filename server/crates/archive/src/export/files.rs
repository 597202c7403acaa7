//! Single files of an export: each written whole or not at all, and never over another.

use crate::{ArchiveError, Content, catalogue::HeadLines};
use gatepost_transfer::InternalDate;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// How much is written at once: most messages whole.
const BUFFER: usize = 64 << 10;

/// What became of one file.
pub(super) enum Written {
    /// It is there, with so many bytes.
    Now(u64),
    /// It was there already.
    Before,
}

/// Writes one file, under a name that the beginning of its content may have a part in; it gets a date.
pub(super) fn write(
    place: &Path,
    date: Option<InternalDate>,
    content: Content<'_>,
    cancel: &CancellationToken,
    name: impl FnOnce(&[u8]) -> (String, &'static str),
) -> Result<Written, ArchiveError> {
    let mut sink =
        Sink { file: BufWriter::with_capacity(BUFFER, part(place)?), lines: HeadLines::new(true), bytes: 0, cancel };
    content(&mut sink)?;
    sink.file.flush()?;
    let part = sink.file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(at) = date.and_then(time_of) {
        part.as_file().set_modified(at)?;
    }
    let (stem, extension) = name(&sink.lines.finish().1);
    Ok(if keep(part, place, &stem, extension)? { Written::Now(sink.bytes) } else { Written::Before })
}

/// A file that is gone again unless it is kept.
pub(super) fn part(place: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".part-").tempfile_in(place)
}

/// Gives a file its name, or the next that is free; says whether it was not there already.
pub(super) fn keep(mut part: NamedTempFile, place: &Path, stem: &str, extension: &str) -> io::Result<bool> {
    let mut number = 1;
    loop {
        let name = if number == 1 { format!("{stem}.{extension}") } else { format!("{stem} ({number}).{extension}") };
        let target = place.join(name);
        match part.persist_noclobber(&target) {
            Ok(_) => return Ok(true),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                part = refused.file;
                if is_same(part.path(), &target)? {
                    return Ok(false);
                }
            }
            Err(refused) => return Err(refused.error),
        }
        number += 1;
    }
}

/// Makes a directory for its owner alone.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

struct Sink<'a> {
    file: BufWriter<NamedTempFile>,
    lines: HeadLines,
    bytes: u64,
    cancel: &'a CancellationToken,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the writing was stopped"));
        }
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        if !self.lines.is_through() {
            self.lines.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn time_of(date: InternalDate) -> Option<SystemTime> {
    let seconds = Duration::from_secs(date.seconds.unsigned_abs());
    if date.seconds >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    }
}

/// Whether two files hold the same.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one_is, other_is) = (fs::metadata(one)?, fs::symlink_metadata(other)?);
    if !other_is.is_file() || one_is.len() != other_is.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = ([0; 16 << 10], [0; 16 << 10]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        if let Err(error) = other.read_exact(&mut right[..read]) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(false) } else { Err(error) };
        }
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
