//! Reading a file through: once after it arrived, and once more by each verification.

use crate::{
    ArchiveError, Limits, ReadpstStore, Store,
    catalogue::{Catalogue, Scan, Stamp, Writer},
    items::Items,
};
use gatepost_contract::{Inspection, SourceType};
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// A file, or a folder, of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// Its number among the files of its mailbox, 0 to 254: the upper part of its messages' UIDs.
    pub slot: u8,
    /// Where it lies.
    pub path: PathBuf,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: SourceType,
    /// The SHA-256 of its bytes, in hex, where it is known.
    pub sha256: Option<String>,
    /// Whether it lies where others may change it, and not in a store of ours: its time is looked at too, and its bytes
    /// where that tells of a change and at each verification.
    pub in_place: bool,
    /// Where its catalogue is kept; made again where it is missing or of no use.
    pub catalogue: PathBuf,
    /// Where readpst wrote its messages, where their bytes are to be readpst's.
    pub extracted: Option<PathBuf>,
}

impl FileSource {
    /// Opens it.
    pub(crate) fn open(&self, open: Opener, limits: &Limits) -> Result<Box<dyn Store>, ArchiveError> {
        let store = open(&self.path, &self.name, self.kind, limits)?;
        Ok(match &self.extracted {
            Some(written) => Box::new(ReadpstStore::new(store, written)),
            None => store,
        })
    }
}

/// Opens a file by its kind; tests hand in another one.
pub(crate) type Opener = fn(&Path, &str, SourceType, &Limits) -> Result<Box<dyn Store>, ArchiveError>;

/// Reads a file through: writes its catalogue, and what is no mail into a zip where `items` names one. Blocks; tells how
/// many of how many bytes it has gone through.
///
/// # Errors
/// Where the file cannot be read, or not as what it should be; [`ArchiveError::Stopped`] when `cancel` was called. No
/// catalogue is left behind then but the one that was there before.
pub fn inspect(
    file: &FileSource,
    catalogue: &Path,
    items: Option<&Path>,
    limits: &Limits,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<Inspection, ArchiveError> {
    inspect_with(crate::open, file, catalogue, items, limits, progress, cancel).map(|(inspection, _)| inspection)
}

/// The same with a way to open it; gives the store as well.
pub(crate) fn inspect_with(
    open: Opener,
    file: &FileSource,
    catalogue: &Path,
    items: Option<&Path>,
    limits: &Limits,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<(Inspection, Box<dyn Store>), ArchiveError> {
    DirBuilder::new().recursive(true).mode(0o700).create(&limits.work)?;
    // Before the first byte: what is changed meanwhile looks changed afterwards.
    let stamp = Stamp::of(&file.path).map_err(|error| missing(file, error))?;
    let mut store = file.open(open, limits)?;
    let writer = Writer::begin(catalogue)?;
    let items = items.map(|place| Items::begin(place, limits, stamp.length));
    let inspection = Scan::new(writer, items, progress, cancel).run(store.as_mut(), stamp)?;
    Ok((inspection, store))
}

/// Reads a file through as [`inspect`] does, unless it is the one that its catalogue was made of, by its length and the
/// time of its last change; a folder always is. Tells what identifies its messages: the same as long as it holds the same
/// ones under the same numbers.
///
/// # Errors
/// As [`inspect`].
pub fn refresh(
    file: &FileSource,
    limits: &Limits,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<String, ArchiveError> {
    let now = Stamp::of(&file.path).map_err(|error| missing(file, error))?;
    if let Ok(kept) = Catalogue::open(&file.catalogue)
        && now.length.is_some()
        && *kept.stamp() == now
    {
        return Ok(kept.identity().to_owned());
    }
    inspect(file, &file.catalogue, None, limits, progress, cancel)?;
    Ok(Catalogue::open(&file.catalogue)?.identity().to_owned())
}

/// How many messages of each file an earlier file of the same mailbox holds in the same folder, in the order of the
/// files; they are copied once. Needs their catalogues.
///
/// # Errors
/// Where a catalogue cannot be read.
pub fn overlaps(files: &[FileSource]) -> Result<Vec<u64>, ArchiveError> {
    let catalogues = files.iter().map(|file| Catalogue::open(&file.catalogue)).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<(u8, &Catalogue)> = files.iter().map(|file| file.slot).zip(&catalogues).collect();
    crate::driver::overlaps(&parts)
}

/// A file that cannot even be looked at.
pub(crate) fn missing(file: &FileSource, error: std::io::Error) -> ArchiveError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return ArchiveError::NotRecognised(format!("The file {} is not there any more. Bring it again.", file.name));
    }
    ArchiveError::Io(std::io::Error::new(error.kind(), format!("{} cannot be read: {error}", file.name)))
}
