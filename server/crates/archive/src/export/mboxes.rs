//! The mbox files of an export, one after the other: a file gets its name when its folder is through, and is gone where
//! the export ends before.

use super::{
    Exported,
    files::{keep, make, part},
};
use crate::{
    FolderNumber,
    formats::mbox::{LineEnds, Quoted, opening},
};
use gatepost_transfer::{Flags, InternalDate};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

/// What ends the name of a file.
pub(super) const EXTENSION: &str = "mbox";
/// How much is written at once.
const BUFFER: usize = 256 << 10;
/// A message is held up to so many bytes; what is longer waits in a file.
const MEMORY: usize = 1 << 20;
/// In how long pieces a message is read again from such a file. A line is quoted by its first piece.
const PIECE: u64 = 64 << 10;

/// A message that waits for its turn.
pub(super) struct Made {
    folder: FolderNumber,
    place: Arc<Place>,
    /// What is written as it is.
    bytes: Vec<u8>,
    /// What of a long message is still to be quoted.
    long: Option<Raw>,
}

impl Made {
    /// How much memory it takes.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.long.as_ref().map_or(0, |raw| raw.head.capacity())
    }

    /// Bytes of no folder in particular.
    #[cfg(test)]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let place = Arc::new(Place { above: PathBuf::new(), stem: String::new() });
        Self { folder: FolderNumber::default(), place, bytes, long: None }
    }
}

/// Where the file of a folder lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    above: PathBuf,
    stem: String,
}

impl Place {
    /// Beside the directory of the folder.
    pub fn beside(directory: &Path) -> Self {
        let above = directory.parent().unwrap_or(directory).to_owned();
        let stem = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { above, stem }
    }

    /// Makes an empty file, unless something is there.
    pub fn make_empty(&self) -> io::Result<()> {
        make(&self.above)?;
        let path = self.above.join(format!("{}.{EXTENSION}", self.stem));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }
}

/// A message as it comes: in memory, and beyond a bound in a file without a name.
pub(super) struct Raw {
    head: Vec<u8>,
    rest: Option<File>,
    ends: LineEnds,
}

/// Takes a message's bytes.
pub(super) struct Taking<'a> {
    raw: Raw,
    directory: &'a Path,
    cancel: &'a CancellationToken,
}

impl<'a> Taking<'a> {
    /// Into a buffer, and below a directory.
    pub fn new(mut buffer: Vec<u8>, directory: &'a Path, cancel: &'a CancellationToken) -> Self {
        buffer.clear();
        Self { raw: Raw { head: buffer, rest: None, ends: LineEnds::default() }, directory, cancel }
    }

    /// Makes the message an entry of its folder's file, in another buffer; gives its own back where it is free.
    pub fn made(
        self,
        mut buffer: Vec<u8>,
        (folder, place): (FolderNumber, &Arc<Place>),
        date: InternalDate,
        flags: &Flags,
    ) -> io::Result<(Made, Vec<u8>)> {
        let mut raw = self.raw;
        let lf = raw.ends.are_plain();
        buffer.clear();
        buffer.extend_from_slice(&opening(date, flags, &raw.head, lf));
        let mut made = Made { folder, place: Arc::clone(place), bytes: buffer, long: None };
        if raw.rest.is_some() {
            made.long = Some(raw);
            return Ok((made, Vec::new()));
        }
        let mut quoted = Quoted::new(&mut made.bytes, lf);
        quoted.take(&raw.head)?;
        quoted.finish()?;
        raw.head.clear();
        Ok((made, raw.head))
    }
}

impl Write for Taking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the writing was stopped"));
        }
        let raw = &mut self.raw;
        raw.ends.update(bytes);
        let room = if raw.rest.is_some() { 0 } else { MEMORY.saturating_sub(raw.head.len()) };
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        raw.head.extend_from_slice(head);
        if !rest.is_empty() {
            let file = match &mut raw.rest {
                Some(file) => file,
                none => none.insert(tempfile::tempfile_in(self.directory)?),
            };
            file.write_all(rest)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The files.
#[derive(Default)]
pub(super) struct Mboxes {
    open: Option<Open>,
    exported: Exported,
}

/// The one that is written.
struct Open {
    folder: FolderNumber,
    place: Arc<Place>,
    file: BufWriter<NamedTempFile>,
    messages: u64,
}

impl Mboxes {
    /// Adds the next message; gives its buffer back. A folder whose file has its name already gets another beside it.
    pub fn add(&mut self, made: Made) -> io::Result<Vec<u8>> {
        let Made { folder, place, bytes, long } = made;
        if self.open.as_ref().is_none_or(|open| open.folder != folder) {
            self.close()?;
            make(&place.above)?;
            let file = BufWriter::with_capacity(BUFFER, part(&place.above)?);
            self.open = Some(Open { folder, place, file, messages: 0 });
        }
        let Some(open) = &mut self.open else { return Ok(bytes) };
        open.file.write_all(&bytes)?;
        if let Some(Raw { head, rest: Some(mut rest), ends }) = long {
            rest.rewind()?;
            let mut reader = head.as_slice().chain(BufReader::with_capacity(BUFFER, rest));
            let mut quoted = Quoted::new(&mut open.file, ends.are_plain());
            let mut piece = Vec::new();
            while reader.by_ref().take(PIECE).read_until(b'\n', &mut piece)? > 0 {
                quoted.take(&piece)?;
                piece.clear();
            }
            quoted.finish()?;
        }
        open.messages += 1;
        Ok(bytes)
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let part = open.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = part.as_file().metadata()?.len();
        // Many messages stand under one name: after a loss of power it must not be there without them.
        part.as_file().sync_data()?;
        if keep(part, &open.place.above, &open.place.stem, EXTENSION)? {
            self.exported.messages += open.messages;
            self.exported.bytes += bytes;
        } else {
            self.exported.already_there += open.messages;
        }
        Ok(())
    }

    /// Ends the last file; gives what was written.
    pub fn finish(mut self) -> io::Result<Exported> {
        self.close()?;
        Ok(self.exported)
    }
}
