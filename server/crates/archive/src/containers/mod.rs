//! Where files lie: in a folder on disk, in a zip, in a tar. Nothing here knows mail, and nothing here writes a file
//! under a name that an archive gives.

mod directory;
pub(crate) mod names;
pub(crate) mod section;
mod tar;
mod zip;

pub(crate) use directory::Directory;
pub(crate) use tar::{Tar, is_gzip, is_tar};
pub(crate) use zip::{Zip, is_zip};

use crate::{ArchiveError, Limits, Locator};
use flate2::read::DeflateDecoder;
use gatepost_transfer::InternalDate;
use section::Section;
use std::io::{self, Read};
use std::sync::Arc;

/// What a walk meets.
pub(crate) enum Event {
    /// A folder, also one without files; its levels, made safe.
    Directory(Vec<String>),
    /// A file.
    File(Entry),
    /// A file that is listed and cannot be read: where, its name, and why.
    Lost(Vec<String>, String, String),
    /// A sentence for people: files are missing.
    Loss(String),
    /// A sentence for people: what was left out, what was made safe.
    Damage(String),
    /// Nothing that anybody must know, but time has passed.
    Alive,
}

/// A file of a tree.
pub(crate) struct Entry {
    /// The folders it lies in, made safe.
    pub levels: Vec<String>,
    /// What it is called, made safe.
    pub name: String,
    /// How it is found again.
    pub handle: Handle,
    /// When it was last changed, as far as that is known; without a zone it is UTC.
    pub modified: Option<InternalDate>,
    /// The group that a tar names.
    pub group: Option<String>,
    /// How far through the tree it is, of [`Tree::total`].
    pub place: u64,
    /// What is in it.
    pub body: Body,
}

/// How a file of a tree is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    /// Numbers that the tree knows.
    Place(u64, u64),
    /// A path below the root.
    Path(String),
}

impl Handle {
    /// Where a message lies that is the whole of this file.
    pub(crate) fn locator(&self) -> Locator {
        match self {
            Self::Place(at, more) => Locator { at: *at, more: *more, name: None },
            Self::Path(path) => Locator { at: 0, more: 0, name: Some(path.clone()) },
        }
    }
}

/// A tree of files.
pub(crate) trait Tree: Send {
    /// What it is called: `zip`, `folder`.
    fn kind(&self) -> &'static str;

    /// What [`Entry::place`] counts up to.
    fn total(&self) -> u64;

    /// Goes through all files, in an order that is the same each time.
    fn walk(&mut self, each: Each<'_>) -> Result<(), ArchiveError>;

    /// Opens a file again.
    fn open(&mut self, handle: &Handle) -> Result<Body, ArchiveError>;
}

/// What a walk tells to; an error ends the walk.
pub(crate) type Each<'a> = &'a mut dyn FnMut(Event) -> Result<(), ArchiveError>;

/// A file's content.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// As it lies there.
    Plain(Section),
    /// Compressed by deflate.
    Deflated(Deflated),
}

/// What a zip has compressed.
#[derive(Clone, Debug)]
pub(crate) struct Deflated {
    /// The compressed bytes.
    packed: Section,
    /// How many bytes they hold.
    bytes: u64,
    /// Their CRC-32.
    crc: u32,
}

impl Body {
    /// How many bytes it has, as stated.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Plain(section) => section.len(),
            Self::Deflated(deflated) => deflated.bytes,
        }
    }

    /// Reads it from its beginning. Damage comes as an error of the stream.
    pub(crate) fn reader(&self) -> Box<dyn Read + Send> {
        match self {
            Self::Plain(section) => Box::new(section.reader()),
            Self::Deflated(deflated) => Box::new(Checked {
                decoder: DeflateDecoder::new(deflated.packed.reader()),
                left: deflated.bytes,
                wanted: deflated.crc,
                crc: flate2::Crc::new(),
            }),
        }
    }

    /// Its first bytes; fewer only where it ends or is damaged.
    pub(crate) fn head(&self, want: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        let want = want as u64;
        match self.reader().take(want).read_to_end(&mut bytes) {
            Err(e) if !is_damage(&e) => Err(e.into()),
            _ => Ok(bytes),
        }
    }

    /// It, to be read at random: unpacked into a temporary file where it is compressed.
    pub(crate) fn section(
        &self,
        limits: &Limits,
        alive: &mut dyn FnMut() -> Result<(), ArchiveError>,
    ) -> Result<Section, ArchiveError> {
        match self {
            Self::Plain(section) => Ok(section.clone()),
            Self::Deflated(deflated) => {
                let file = limits.unpack(self.reader(), deflated.bytes, alive)?;
                Ok(Section::of_file(Arc::new(file))?)
            }
        }
    }
}

/// Whether an error of a stream says that the bytes themselves are bad, not that they could not be read.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

/// Unpacks what a zip holds: as many bytes as it states, with the sum that it states.
struct Checked<R> {
    decoder: DeflateDecoder<R>,
    left: u64,
    wanted: u32,
    crc: flate2::Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return if self.crc.sum() == self.wanted {
                Ok(0)
            } else {
                Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum in the zip is wrong"))
            };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.decoder.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off in the zip"));
        }
        self.crc.update(&buffer[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}
