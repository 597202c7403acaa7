//! What readpst wrote of a PST, held against what our own reader finds in it.
//!
//! Our own reading says what there is: every folder, every message, its date and its flags, which readpst loses. The
//! bytes of each message are readpst's. A message that readpst has not written is known and cannot be given: it ends up
//! in quarantine with that cause. A message that only readpst has written is listed after all others. So whatever the
//! two readers disagree on has a place, and a sentence.

mod index;

use crate::{
    ArchiveError, Content, Described, FolderNumber, FoundFolder, FoundItem, FoundMessage, Locator, Store, Visitor,
    formats::{header::Header, lines::Lines},
};
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use index::{Index, Keys};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

/// How much of a message is kept to recognise it by.
const HEAD: usize = 64 << 10;
/// How many folders have a sentence of their own where the readers disagree.
const FOLDERS_TOLD: usize = 100;

/// A PST as readpst wrote it.
pub struct ReadpstStore {
    own: Box<dyn Store>,
    written: PathBuf,
}

impl ReadpstStore {
    /// `own` reads the PST; `written` is the directory that readpst filled (`readpst -e`).
    #[must_use]
    pub fn new(own: Box<dyn Store>, written: impl Into<PathBuf>) -> Self {
        Self { own, written: written.into() }
    }

    fn write(&self, name: &str, out: &mut dyn Write) -> Result<(), ArchiveError> {
        let path = Path::new(name);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(ArchiveError::Damaged(format!("{name:?} is no file that readpst wrote.")));
        }
        let mut file = match File::open(self.written.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sentence = "The file that readpst wrote of this message is not there any more. Read the PST anew.";
                return Err(ArchiveError::Unreadable(sentence.to_owned()));
            }
            file => file?,
        };
        let mut lines = Lines::new(out, true, false);
        io::copy(&mut file, &mut lines)?;
        lines.finish()?;
        Ok(())
    }
}

impl Store for ReadpstStore {
    fn describe(&self) -> Described {
        let own = self.own.describe();
        Described { format: format!("{}, by readpst", own.format), ..own }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let index = Index::of(&self.written)?;
        let mut own = std::mem::replace(&mut self.own, Box::new(Nothing));
        let mut comparison = Comparison { store: self, index, visitor, folders: HashMap::new() };
        let scanned =
            own.scan(&mut comparison).and_then(|()| comparison.only_theirs()).and_then(|()| comparison.tell());
        self.own = own;
        scanned
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        match &locator.name {
            Some(name) => self.write(name, out),
            None => Err(ArchiveError::Unreadable(NOT_WRITTEN.to_owned())),
        }
    }
}

const NOT_WRITTEN: &str =
    "readpst did not write this message, which the built-in reader finds in the file. Take the tool native for it.";

/// Stands in while a scan has the real store.
struct Nothing;

impl Store for Nothing {
    fn describe(&self) -> Described {
        Described { format: String::new(), encoding: None }
    }
    fn scan(&mut self, _: &mut dyn Visitor) -> Result<(), ArchiveError> {
        Ok(())
    }
    fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
        Err(ArchiveError::Stopped)
    }
}

/// Passes on what our own scan tells, with readpst's bytes.
struct Comparison<'a> {
    store: &'a ReadpstStore,
    index: Index,
    visitor: &'a mut dyn Visitor,
    /// By the number that the visitor gave each: its path and how the readers' counts stand.
    folders: HashMap<FolderNumber, (FolderPath, Counts)>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    ours: u64,
    written: u64,
    only_theirs: u64,
}

impl Comparison<'_> {
    /// Messages that nobody but readpst has found.
    fn only_theirs(&mut self) -> Result<(), ArchiveError> {
        for name in self.index.left() {
            let path = folder_of(&name);
            let folder = self.folder(FoundFolder { path, special_use: None, declared: None })?;
            let header = Header::parse(&head_of(&self.store.written.join(&name))?);
            let dated = header.dated().map(|(date, _)| date);
            let message = FoundMessage {
                locator: Locator { at: 0, more: 0, name: Some(name.clone()) },
                class: "message".to_owned(),
                internal_date: dated.unwrap_or(InternalDate { seconds: 0, zone_minutes: 0 }),
                flags: Flags::default(),
                note: Some("Only readpst found this message.".to_owned()),
                salvaged: false,
            };
            if let Some((_, counts)) = self.folders.get_mut(&folder) {
                counts.only_theirs += 1;
            }
            let store = self.store;
            self.visitor.message(folder, message, &mut |out| store.write(&name, out))?;
        }
        Ok(())
    }

    /// Says where the readers disagree.
    fn tell(&mut self) -> Result<(), ArchiveError> {
        let differ = |counts: &Counts| counts.written < counts.ours || counts.only_theirs > 0;
        let differing: BTreeMap<String, Counts> = self
            .folders
            .values()
            .filter(|(_, counts)| differ(counts))
            .map(|(path, counts)| (path.to_string(), *counts))
            .collect();
        for (path, Counts { ours, written, only_theirs }) in differing.iter().take(FOLDERS_TOLD) {
            let mut sentence = format!("{path}: readpst wrote {written} of {ours} messages");
            if *only_theirs > 0 {
                sentence.push_str(&format!(", and {only_theirs} that the built-in reader does not find"));
            }
            self.visitor.damage(format!("{sentence}."))?;
        }
        if differing.len() > FOLDERS_TOLD {
            let more = differing.len() - FOLDERS_TOLD;
            self.visitor.damage(format!("The two readers disagree in {more} more folders."))?;
        }
        Ok(())
    }
}

impl Visitor for Comparison<'_> {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        let path = folder.path.clone();
        let number = self.visitor.folder(folder)?;
        self.folders.entry(number).or_insert_with(|| (path, Counts::default()));
        Ok(number)
    }

    fn message(
        &mut self,
        folder: FolderNumber,
        mut message: FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError> {
        let mut head = Head::default();
        match content(&mut head) {
            // What writes the message ends at the error by which the head says that it has enough.
            Err(error) if !head.is_full() => {
                return match error {
                    ArchiveError::Io(_) | ArchiveError::Stopped => Err(error),
                    // One message. Where readpst has written it, it is listed after all others.
                    error => self.visitor.unreadable(folder, message, error.to_string()),
                };
            }
            _ => {}
        }
        let keys = Keys::of(&Header::parse(&head.bytes));
        let Some((path, counts)) = self.folders.get_mut(&folder) else {
            return self.visitor.message(folder, message, content);
        };
        counts.ours += 1;
        let Some(name) = self.index.take(path.name(), &keys) else {
            return self.visitor.unreadable(folder, message, NOT_WRITTEN.to_owned());
        };
        counts.written += 1;
        message.locator.name = Some(name.clone());
        let store = self.store;
        self.visitor.message(folder, message, &mut |out| store.write(&name, out))
    }

    fn unreadable(&mut self, folder: FolderNumber, message: FoundMessage, why: String) -> Result<(), ArchiveError> {
        self.visitor.unreadable(folder, message, why)
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        self.visitor.item(folder, item, content)
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.visitor.damage(sentence)
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.visitor.loss(sentence)
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        self.visitor.progress(done, total)
    }
}

/// Keeps the beginning of a message and asks for no more.
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
}

impl Head {
    fn is_full(&self) -> bool {
        self.bytes.len() >= HEAD || self.bytes.windows(4).any(|end| end == b"\r\n\r\n")
    }
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full() {
            return Err(io::Error::other("the header is through"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The beginning of a file.
fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The folder of a file that readpst wrote: its directories, without the one that stands for the whole store.
fn folder_of(name: &str) -> FolderPath {
    let mut levels: Vec<&str> = name.split('/').collect();
    levels.pop();
    let below = levels.split_first().map(|(_, below)| below).unwrap_or_default();
    if below.is_empty() { FolderPath::inbox() } else { FolderPath::new(below.iter().copied()) }
}

#[cfg(test)]
mod tests;
