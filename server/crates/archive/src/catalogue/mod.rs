//! What a scan of a file found, on disk: each message's place, date, flags, digests, and its number within its folder.
//!
//! ```text
//!   "gatepost catalogue\n" version · entries, each behind its length · by folder: where its entries begin (8 bytes each)
//!   · by folder: the digests' beginnings with the messages' numbers, sorted · what the file is as a whole (JSON)
//!   · where that begins, its length, the BLAKE3 of all before
//! ```
//!
//! It is written once, appended from the front to the back, and moved into its place when it is whole. Nothing of it is
//! held in memory but what the file is as a whole; entries are read as they are asked for. Whoever finds one damaged or
//! of another version scans the file again. Knows no store and no account.

mod entry;
mod head;
mod scan;
mod writer;

pub use entry::Entry;
pub(crate) use head::HeadLines;
pub(crate) use scan::Scan;
pub(crate) use writer::Writer;

use crate::{ArchiveError, Described};
use gatepost_contract::{Inspection, SpecialUse};
use gatepost_transfer::FolderPath;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::Path,
};

/// Raised whenever a scan of the same bytes would tell other messages, another order or other bytes than before. The
/// epoch of all UIDs hangs on it: mailboxes that were begun before are listed anew, and their messages found by their
/// bytes.
pub const SCAN_VERSION: u32 = 2;

/// How many messages one folder of one file can have: UIDs have room for no more.
pub const MOST_MESSAGES: u32 = (1 << 24) - 1;

const BEGINNING: &[u8] = b"gatepost catalogue\n\0\x01";
/// The end: where the JSON begins, how long it is, and the digest.
const ENDING: u64 = 8 + 8 + 32;
/// The longest code of an entry, and the longest JSON.
const LONGEST_ENTRY: u32 = 16 << 20;
const LONGEST_WHOLE: u64 = 512 << 20;
/// How much of the entries is read at once.
const WINDOW: usize = 64 << 10;
/// A digest's beginning and a number.
const KEY: u64 = 8 + 4;

/// What tells whether a file is still the one that was scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its bytes; `None` for a folder.
    pub length: Option<u64>,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: Option<i64>,
}

impl Stamp {
    /// Of what lies there now.
    ///
    /// # Errors
    /// Where nothing can be looked at there.
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = std::fs::metadata(path)?;
        let since = found.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Ok(Self { length: found.is_file().then_some(found.len()), modified })
    }
}

/// A folder of a catalogue. Inboxes have the path `INBOX` here, whatever the file calls them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguedFolder {
    /// Its path.
    pub path: FolderPath,
    /// What it is for, where the file says so.
    pub special_use: Option<SpecialUse>,
    /// How many messages it has, those that cannot be read too. They are numbered from 1.
    pub messages: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Whether it holds items, and no mail among them: a calendar is no folder of a mail server.
    #[serde(default)]
    pub without_mail: bool,
    /// Where the places of its entries begin.
    places: u64,
    /// Where its sorted digests begin, and how many there are.
    keys: u64,
    key_count: u32,
}

/// What a file is as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Whole {
    scan_version: u32,
    stamp: Stamp,
    described: Described,
    /// A digest of all messages with their folders and numbers.
    identity: String,
    inspection: Inspection,
    folders: Vec<CataloguedFolder>,
}

/// An opened catalogue.
#[derive(Debug)]
pub struct Catalogue {
    file: File,
    /// Where the JSON begins: everything that is pointed at lies before.
    end: u64,
    whole: Whole,
}

fn damaged(what: &str) -> ArchiveError {
    ArchiveError::Damaged(format!("The catalogue of the file is damaged ({what}). Read the file through again."))
}

/// The version that made a catalogue, where its beginning and its end look like one's.
fn version(path: &Path) -> io::Result<Option<u32>> {
    /// What the JSON begins with.
    const KEY: &str = "{\"scan_version\":";
    let file = File::open(path)?;
    let Some(ending_at) = file.metadata()?.len().checked_sub(ENDING) else { return Ok(None) };
    let mut beginning = [0; BEGINNING.len()];
    file.read_exact_at(&mut beginning, 0)?;
    let mut place = [0; 8];
    file.read_exact_at(&mut place, ending_at)?;
    let mut json = [0; KEY.len() + 11];
    file.read_exact_at(&mut json, u64::from_le_bytes(place).min(ending_at))?;
    let text = String::from_utf8_lossy(&json);
    let digits = text.strip_prefix(KEY).and_then(|rest| rest.split_once(',')).map(|(digits, _)| digits);
    Ok(digits.filter(|_| beginning == *BEGINNING).and_then(|digits| digits.parse().ok()))
}

impl Catalogue {
    /// Opens a catalogue and checks that it is whole.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another version.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let begin = BEGINNING.len() as u64;
        let Some(ending_at) = length.checked_sub(ENDING).filter(|at| *at >= begin) else {
            return Err(damaged("it is cut off"));
        };
        let mut hasher = blake3::Hasher::new();
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut (&mut file).take(length - 32), &mut hasher)?;
        let mut ending = [0; ENDING as usize];
        file.read_exact_at(&mut ending, ending_at)?;
        if hasher.finalize().as_bytes() != &ending[16..] {
            return Err(damaged("its digest is another one"));
        }
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| ending[at + n]));
        let (end, size) = (number(0), number(8));
        if end < begin || end.checked_add(size) != Some(ending_at) || size > LONGEST_WHOLE {
            return Err(damaged("its end points nowhere"));
        }
        let mut beginning = [0; BEGINNING.len()];
        file.read_exact_at(&mut beginning, 0)?;
        if beginning != *BEGINNING {
            return Err(damaged("it is of another version"));
        }
        file.seek(SeekFrom::Start(end))?;
        let json = io::BufReader::new((&mut file).take(size));
        let whole: Whole = serde_json::from_reader(json).map_err(|_| damaged("it cannot be understood"))?;
        if whole.scan_version != SCAN_VERSION {
            return Err(damaged("it was made by another version"));
        }
        let fits = |at: u64, bytes: Option<u64>| bytes.and_then(|b| at.checked_add(b)).is_some_and(|to| to <= end);
        let all_fit = whole.folders.iter().all(|f| {
            f.messages <= MOST_MESSAGES
                && fits(f.places, u64::from(f.messages).checked_mul(8))
                && fits(f.keys, u64::from(f.key_count).checked_mul(KEY))
        });
        if !all_fit {
            return Err(damaged("a folder points nowhere"));
        }
        Ok(Self { file, end, whole })
    }

    /// Whether a catalogue lies there that another version made: what it says of its file is not what a scan would say
    /// now. Looks at its end only; of one that is missing or damaged it knows nothing.
    #[must_use]
    pub fn is_outdated(path: &Path) -> bool {
        version(path).is_ok_and(|version| version.is_some_and(|version| version != SCAN_VERSION))
    }

    /// What reading the file through found.
    #[must_use]
    pub const fn inspection(&self) -> &Inspection {
        &self.whole.inspection
    }

    /// What the file is.
    #[must_use]
    pub const fn described(&self) -> &Described {
        &self.whole.described
    }

    /// What the file was like when it was scanned.
    #[must_use]
    pub const fn stamp(&self) -> &Stamp {
        &self.whole.stamp
    }

    /// Equal for two scans that found the same messages under the same numbers.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.whole.identity
    }

    /// Its folders.
    #[must_use]
    pub fn folders(&self) -> &[CataloguedFolder] {
        &self.whole.folders
    }

    /// A message by its folder and its number there; `None` where there is none.
    ///
    /// # Errors
    /// Where the catalogue cannot be read.
    pub fn entry(&self, folder: &CataloguedFolder, number: u32) -> Result<Option<Entry>, ArchiveError> {
        let mut entries = self.entries(folder, number);
        entries.window_bytes = 1 << 10;
        Ok(entries.next().transpose()?.map(|(_, entry)| entry))
    }

    /// The messages of a folder from this number on.
    #[must_use]
    pub fn entries<'c>(&'c self, folder: &'c CataloguedFolder, from: u32) -> Entries<'c> {
        Entries {
            catalogue: self,
            folder,
            // Number 0 is nobody's.
            next: if from == 0 { u32::MAX } else { from },
            places: Vec::new(),
            window: Vec::new(),
            window_at: 0,
            window_bytes: WINDOW,
        }
    }

    /// The beginnings of a folder's digests with the messages' numbers, sorted.
    pub(crate) fn keys<'c>(&'c self, folder: &CataloguedFolder) -> impl Iterator<Item = io::Result<(u64, u32)>> + 'c {
        const AT_ONCE: u64 = 4_096;
        let (mut at, to) = (folder.keys, folder.keys + u64::from(folder.key_count) * KEY);
        let mut portion: Vec<u8> = Vec::new();
        let mut used = 0;
        std::iter::from_fn(move || {
            if used == portion.len() {
                let bytes = (to - at).min(AT_ONCE * KEY);
                if bytes == 0 {
                    return None;
                }
                portion.resize(bytes as usize, 0);
                if let Err(error) = self.file.read_exact_at(&mut portion, at) {
                    portion.clear();
                    used = 0;
                    at = to;
                    return Some(Err(error));
                }
                at += bytes;
                used = 0;
            }
            let key = portion.get(used..used + KEY as usize)?;
            used += KEY as usize;
            let (digest, number) = key.split_at(8);
            let digest = u64::from_be_bytes(digest.try_into().ok()?);
            Some(Ok((digest, u32::from_le_bytes(number.try_into().ok()?))))
        })
    }
}

/// Messages of a folder with their numbers, one after the other.
#[derive(Debug)]
pub struct Entries<'c> {
    catalogue: &'c Catalogue,
    folder: &'c CataloguedFolder,
    next: u32,
    /// Where the next entries begin, the next one last.
    places: Vec<u64>,
    window: Vec<u8>,
    window_at: u64,
    window_bytes: usize,
}

impl Entries<'_> {
    fn read(&mut self) -> Result<Entry, ArchiveError> {
        let place = match self.places.pop() {
            Some(place) => place,
            None => {
                let most = if self.window_bytes < WINDOW { 1 } else { 1_024 };
                let count = (self.folder.messages - self.next + 1).min(most);
                let mut bytes = vec![0; count as usize * 8];
                let at = self.folder.places + u64::from(self.next - 1) * 8;
                self.catalogue.file.read_exact_at(&mut bytes, at)?;
                let place = |chunk: &[u8]| u64::from_le_bytes(std::array::from_fn(|n| chunk[n]));
                self.places = bytes.chunks_exact(8).rev().map(place).collect();
                self.places.pop().ok_or_else(|| damaged("a place is missing"))?
            }
        };
        let length = u32::from_le_bytes(std::array::from_fn({
            let bytes = self.bytes(place, 4)?;
            let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
            move |n| four[n]
        }));
        if length > LONGEST_ENTRY {
            return Err(damaged("an entry is too long"));
        }
        let code = self.bytes(place.saturating_add(4), length as usize)?;
        Entry::decode(code).ok_or_else(|| damaged("an entry cannot be understood"))
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<&[u8], ArchiveError> {
        let to = at.checked_add(length as u64).filter(|to| *to <= self.catalogue.end);
        let to = to.ok_or_else(|| damaged("an entry points nowhere"))?;
        if at < self.window_at || to > self.window_at + self.window.len() as u64 {
            let most = self.catalogue.end - at;
            let bytes = usize::try_from(most).unwrap_or(usize::MAX).min(self.window_bytes.max(length));
            self.window.resize(bytes, 0);
            self.window_at = at;
            if let Err(error) = self.catalogue.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                return Err(error.into());
            }
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..from + length])
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u32, Entry), ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.folder.messages {
            return None;
        }
        let read = self.read();
        let number = self.next;
        // After a fault nothing more comes.
        self.next = if read.is_ok() { number + 1 } else { u32::MAX };
        Some(read.map(|entry| (number, entry)))
    }
}
