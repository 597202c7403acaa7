//! Writes a catalogue. In memory are eight bytes a message, and of one folder at a time another sixteen.

use super::{BEGINNING, CataloguedFolder, Entry, LONGEST_ENTRY, MOST_MESSAGES, SCAN_VERSION, Stamp, Whole};
use crate::{ArchiveError, Described};
use gatepost_contract::{Inspection, SpecialUse};
use gatepost_transfer::FolderPath;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A catalogue that is being written, beside its place.
pub(crate) struct Writer {
    file: BufWriter<NamedTempFile>,
    place: PathBuf,
    hasher: blake3::Hasher,
    identity: blake3::Hasher,
    at: u64,
    folders: Vec<CataloguedFolder>,
    /// By folder: where its entries begin.
    places: Vec<Vec<u64>>,
    code: Vec<u8>,
}

impl Writer {
    /// Begins one that will lie there.
    pub fn begin(place: &Path) -> Result<Self, ArchiveError> {
        let directory = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new().prefix(".catalogue-").tempfile_in(directory)?;
        let mut writer = Self {
            file: BufWriter::with_capacity(256 << 10, file),
            place: place.to_owned(),
            hasher: blake3::Hasher::new(),
            identity: blake3::Hasher::new(),
            at: 0,
            folders: Vec::new(),
            places: Vec::new(),
            code: Vec::new(),
        };
        writer.write(BEGINNING)?;
        Ok(writer)
    }

    /// The number of a folder, which is told twice when it is met twice.
    pub fn folder(&mut self, path: FolderPath, special_use: Option<SpecialUse>) -> Result<u32, ArchiveError> {
        let number = u32::try_from(self.folders.len())
            .map_err(|_| ArchiveError::TooMuch("The file has more folders than can be told apart.".to_owned()))?;
        self.identity.update(b"folder");
        self.identity.update(path.to_string().as_bytes());
        self.identity.update(&[0]);
        self.folders.push(CataloguedFolder {
            path,
            special_use,
            messages: 0,
            bytes: 0,
            without_mail: false,
            places: 0,
            keys: 0,
            key_count: 0,
        });
        self.places.push(Vec::new());
        Ok(number)
    }

    /// The path of a folder.
    pub fn path(&self, folder: u32) -> Option<&FolderPath> {
        self.folders.get(folder as usize).map(|folder| &folder.path)
    }

    /// Says what a folder is for, where nothing has said so before.
    pub fn designate(&mut self, folder: u32, special_use: Option<SpecialUse>) {
        if let Some(folder) = self.folders.get_mut(folder as usize) {
            folder.special_use = folder.special_use.or(special_use);
        }
    }

    /// Says that a folder holds items; it is one without mail as long as no message is told for it.
    pub fn holds_items(&mut self, folder: u32) {
        if let Some(folder) = self.folders.get_mut(folder as usize) {
            folder.without_mail = folder.messages == 0;
        }
    }

    /// Appends a message.
    pub fn append(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let number = entry.folder as usize;
        let (Some(folder), Some(places)) = (self.folders.get_mut(number), self.places.get_mut(number)) else {
            return Err(ArchiveError::Io(io::Error::other("a message was told for a folder that was not")));
        };
        if folder.messages == MOST_MESSAGES {
            return Err(ArchiveError::TooMuch(format!(
                "The folder {} has more than {MOST_MESSAGES} messages in this file. Split the file.",
                folder.path
            )));
        }
        folder.messages += 1;
        folder.bytes += entry.size();
        places.push(self.at);
        self.code.clear();
        entry.encode(&mut self.code);
        let length = u32::try_from(self.code.len()).ok().filter(|length| *length <= LONGEST_ENTRY);
        let Some(length) = length else {
            return Err(ArchiveError::TooMuch("What is told of a message is too long to be kept.".to_owned()));
        };
        self.identity.update(&entry.folder.to_le_bytes());
        match &entry.content {
            Ok(digests) => self.identity.update(&digests.exact.0),
            Err(_) => self.identity.update(b"unreadable"),
        };
        let code = std::mem::take(&mut self.code);
        self.write(&length.to_le_bytes())?;
        self.write(&code)?;
        self.code = code;
        Ok(())
    }

    /// Ends it and puts it into its place. `inspection` is given the number of repeated messages.
    pub fn finish(
        mut self,
        stamp: Stamp,
        described: Described,
        mut inspection: Inspection,
    ) -> Result<Inspection, ArchiveError> {
        self.file.flush()?;
        inspection.repeated = 0;
        for (number, places) in std::mem::take(&mut self.places).into_iter().enumerate() {
            let mut keys = keys(self.file.get_ref().as_file(), &places)?;
            keys.sort_unstable();
            inspection.repeated += keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).count() as u64;
            let (places_at, keys_at) = (self.at, self.at + places.len() as u64 * 8);
            for place in &places {
                self.write(&place.to_le_bytes())?;
            }
            for (digest, number) in &keys {
                self.write(&digest.to_be_bytes())?;
                self.write(&number.to_le_bytes())?;
            }
            let folder = &mut self.folders[number];
            folder.places = places_at;
            folder.keys = keys_at;
            folder.key_count = u32::try_from(keys.len()).unwrap_or(0);
        }
        let whole = Whole {
            scan_version: SCAN_VERSION,
            stamp,
            described,
            identity: self.identity.finalize().to_hex().to_string(),
            inspection,
            folders: std::mem::take(&mut self.folders),
        };
        let json = serde_json::to_vec(&whole).map_err(io::Error::other)?;
        let end = self.at;
        self.write(&json)?;
        self.write(&end.to_le_bytes())?;
        self.write(&(json.len() as u64).to_le_bytes())?;
        let digest = self.hasher.finalize();
        self.file.write_all(digest.as_bytes())?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.place).map_err(|e| e.error)?;
        Ok(whole.inspection)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(self.file.write_all(bytes)?)
    }
}

/// The digests' beginnings of the messages that begin there, with their numbers.
fn keys(file: &File, places: &[u64]) -> Result<Vec<(u64, u32)>, ArchiveError> {
    let mut keys = Vec::with_capacity(places.len());
    let mut code = Vec::new();
    for (number, place) in (1..).zip(places) {
        let mut length = [0; 4];
        file.read_exact_at(&mut length, *place)?;
        code.resize(u32::from_le_bytes(length) as usize, 0);
        file.read_exact_at(&mut code, place + 4)?;
        let entry = Entry::decode(&code).ok_or_else(|| io::Error::other("an entry was written wrongly"))?;
        if let Ok(digests) = entry.content {
            keys.push((u64::from_be_bytes(std::array::from_fn(|n| digests.canonical.0[n])), number));
        }
    }
    Ok(keys)
}
