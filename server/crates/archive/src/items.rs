//! What is no mail, saved for people: a zip with the file's tree of folders, and in it vCards, iCalendar files and texts.

use crate::{
    ArchiveError, Content, FoundItem, Limits,
    containers::names::count,
    names::{FolderNames, safe},
};
use gatepost_transfer::FolderPath;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use zip::{ZipWriter, write::SimpleFileOptions};

/// A zip that is being written, beside its place. Where nothing is added, none comes to be.
pub(crate) struct Items {
    place: PathBuf,
    zip: Option<ZipWriter<BufWriter<NamedTempFile>>>,
    folders: FolderNames,
    /// By folder: how many names were given.
    given: HashMap<String, u64>,
    limits: Limits,
    /// Bytes that may still be written, before they are compressed, and entries.
    bytes_left: u64,
    entries_left: u64,
    /// Bytes since the disk was looked at.
    since: u64,
    left_out: u64,
}

/// Bytes of items below which the size of the file does not matter.
const FREE: u64 = 1 << 30;
/// Items that are saved at most.
const MOST: u64 = 1_000_000;

impl Items {
    /// Those of a file of so many bytes; `None` where that is a folder.
    pub fn begin(place: &Path, limits: &Limits, file: Option<u64>) -> Self {
        Self {
            place: place.to_owned(),
            zip: None,
            folders: FolderNames::default(),
            given: HashMap::new(),
            limits: limits.clone(),
            bytes_left: file.map_or(limits.unpacked, |bytes| bytes.saturating_mul(2)).max(FREE),
            entries_left: MOST,
            since: Limits::STEP,
            left_out: 0,
        }
    }

    /// What the bounds have left out, for people. It is counted all the same, and none of it is mail.
    pub fn left_out(&self) -> Option<String> {
        let left_out = self.left_out;
        let why =
            "Together they are more than the bound for a file of this size; nothing of the mail is left out for that.";
        (left_out > 0).then(|| {
            format!("{} not saved: {why}", count(left_out, "item that is no mail was", "items that are no mail were"))
        })
    }

    /// Saves an item, unless a bound is reached.
    ///
    /// # Errors
    /// Those of the content, which say something of this item only; [`ArchiveError::Io`] where the disk takes no more.
    pub fn add(&mut self, folder: &FolderPath, item: &FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        if self.entries_left == 0 || self.bytes_left == 0 {
            self.left_out += 1;
            return Ok(());
        }
        self.entries_left -= 1;
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
        let mut bounded = Bounded {
            zip,
            place: &self.place,
            limits: &self.limits,
            left: self.bytes_left,
            since: self.since,
            over: false,
            refused: None,
        };
        let written = content(&mut bounded);
        let Bounded { left, since, over, refused, .. } = bounded;
        (self.bytes_left, self.since) = (left, since);
        // Whatever the content makes of it: what the disk refuses says nothing of the file.
        if let Some(refused) = refused {
            return Err(refused);
        }
        if written.is_err() || over {
            zip.abort_file().map_err(io::Error::from)?;
        }
        if over {
            self.left_out += 1;
            return Ok(());
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

/// Writes one item as far as the bounds allow.
struct Bounded<'a, W> {
    zip: &'a mut W,
    place: &'a Path,
    limits: &'a Limits,
    left: u64,
    since: u64,
    over: bool,
    refused: Option<ArchiveError>,
}

impl<W: Write> Write for Bounded<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        if length > self.left {
            self.over = true;
            // An item that does not fit is not followed by smaller ones: what is saved is the beginning of the file.
            self.left = 0;
            return Err(io::Error::other("the bound for items that are no mail is reached"));
        }
        if self.since >= Limits::STEP {
            self.since = 0;
            let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Err(why) = self.limits.room(folder.unwrap_or(Path::new(".")), 0) {
                self.refused = Some(why);
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let n = match self.zip.write(bytes) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let kind = error.kind();
                self.refused = Some(error.into());
                return Err(kind.into());
            }
        };
        self.left -= n as u64;
        self.since += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.zip.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ItemKind;

    fn add(items: &mut Items, title: &str, bytes: usize) {
        let item = FoundItem { class: "IPM.Contact".into(), kind: ItemKind::Contact, title: title.into() };
        items.add(&FolderPath::inbox(), &item, &mut |out| Ok(out.write_all(&vec![b'x'; bytes])?)).unwrap();
    }

    #[test]
    fn what_breaks_a_bound_is_left_out_and_said_and_the_zip_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("items.zip");
        let mut limits = Limits { reserve: Some(0), ..Limits::new(directory.path()) };
        for (bytes, entries, saved) in [(1_000, 10, 2), (u64::MAX, 1, 1)] {
            let mut items = Items::begin(&place, &limits, Some(0));
            (items.bytes_left, items.entries_left) = (bytes, entries);
            for (title, bytes) in [("one", 500), ("two", 400), ("three", 300), ("four", 10)] {
                add(&mut items, title, bytes);
            }
            let said = items.left_out().unwrap();
            assert!(said.starts_with(&format!("{} items that are no mail were not saved", 4 - saved)), "{said}");
            assert!(items.finish().unwrap());
            assert_eq!(zip::ZipArchive::new(File::open(&place).unwrap()).unwrap().len(), saved);
        }
        limits.reserve = Some(u64::MAX);
        let mut items = Items::begin(&place, &limits, None);
        let item = FoundItem { class: "IPM.Contact".into(), kind: ItemKind::Contact, title: "one".into() };
        // Content that has words of its own for what it meets.
        let error = items.add(&FolderPath::inbox(), &item, &mut |out| {
            out.write_all(b"x").map_err(|_| ArchiveError::Unreadable("A part of it is gone.".into()))
        });
        let error = error.expect_err("the disk is full");
        assert!(matches!(&error, ArchiveError::Io(e) if e.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(error.to_string().contains("must stay free"), "{error}");
        assert_eq!(items.left_out(), None);
    }
}
