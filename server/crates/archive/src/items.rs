//! What is no mail, saved for people: a zip with the file's tree of folders, and in it vCards, iCalendar files and texts.

use crate::{
    ArchiveError, Content, FoundItem,
    names::{FolderNames, safe},
};
use gatepost_transfer::FolderPath;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use zip::{ZipWriter, write::SimpleFileOptions};

/// A zip that is being written, beside its place. Where nothing is added, none comes to be.
pub(crate) struct Items {
    place: PathBuf,
    zip: Option<ZipWriter<BufWriter<NamedTempFile>>>,
    folders: FolderNames,
    /// By folder and extension: how many names were given.
    given: HashMap<String, u64>,
}

impl Items {
    pub fn begin(place: &Path) -> Self {
        Self { place: place.to_owned(), zip: None, folders: FolderNames::default(), given: HashMap::new() }
    }

    /// Saves an item.
    pub fn add(&mut self, folder: &FolderPath, item: &FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        if self.zip.is_none() {
            let directory = match self.place.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let file = tempfile::Builder::new().prefix(".items-").tempfile_in(directory)?;
            self.zip = Some(ZipWriter::new(BufWriter::new(file)));
        }
        let Some(zip) = &mut self.zip else { return Ok(()) };
        let folder = self.folders.of(folder);
        // A number in front tells items of one name apart.
        let number = self.given.entry(folder.clone()).or_default();
        *number += 1;
        let name = format!("{folder}/{number:04} {}.{}", safe(&item.title), item.kind.extension());
        // No time: the same file gives the same zip.
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(name, options).map_err(io::Error::from)?;
        let written = content(zip);
        if written.is_err() {
            zip.abort_file().map_err(io::Error::from)?;
        }
        written
    }

    /// Ends it and puts it into its place; says whether there is one.
    pub fn finish(self) -> Result<bool, ArchiveError> {
        let Some(zip) = self.zip else {
            // What an earlier reading has left says nothing of this one.
            return match std::fs::remove_file(&self.place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(false),
            };
        };
        let file = zip.finish().map_err(io::Error::from)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let kept: &File = file.as_file();
        kept.sync_all()?;
        file.persist(&self.place).map_err(|e| e.error)?;
        Ok(true)
    }
}
