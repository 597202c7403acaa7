//! What tests of readers share: a visitor that keeps everything, and scans that must be the same twice.

#![allow(dead_code)]

use gatepost_archive::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, Limits, Store, Visitor, open,
};
use gatepost_contract::SourceType;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a scan told.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub folders: Vec<FoundFolder>,
    pub messages: Vec<Message>,
    pub unreadable: Vec<(String, String)>,
    pub items: Vec<Item>,
    /// Sentences about mail that is missing.
    pub losses: Vec<String>,
    /// Sentences about anything else.
    pub damage: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub struct Message {
    pub folder: String,
    pub found: FoundMessage,
    pub bytes: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub struct Item {
    pub folder: String,
    pub found: FoundItem,
    pub bytes: Vec<u8>,
}

impl Found {
    fn path(&self, number: FolderNumber) -> String {
        self.folders[number as usize].path.to_string()
    }

    /// How many items of which class each folder has, mail or not; folders without any are left out.
    pub fn classes(&self) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut all: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let messages = self.messages.iter().map(|message| (&message.folder, &message.found.class));
        let items = self.items.iter().map(|item| (&item.folder, &item.found.class));
        for (folder, class) in messages.chain(items) {
            *all.entry(folder.clone()).or_default().entry(class.clone()).or_default() += 1;
        }
        all
    }

    /// How many messages each folder has.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for message in &self.messages {
            *all.entry(message.folder.clone()).or_default() += 1;
        }
        all
    }

    /// The first message whose bytes hold a text.
    pub fn with(&self, text: &str) -> &Message {
        let holds = |message: &&Message| String::from_utf8_lossy(&message.bytes).contains(text);
        self.messages.iter().find(holds).unwrap_or_else(|| panic!("no message with {text:?}"))
    }
}

impl Visitor for Found {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        self.folders.push(folder);
        Ok(self.folders.len() as FolderNumber - 1)
    }

    fn message(&mut self, folder: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        match content(&mut bytes) {
            Ok(()) => self.messages.push(Message { folder: self.path(folder), found, bytes }),
            Err(ArchiveError::Unreadable(why)) => self.unreadable.push((self.path(folder), why)),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn unreadable(&mut self, folder: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        self.unreadable.push((self.path(folder), why));
        Ok(())
    }

    fn item(&mut self, folder: FolderNumber, found: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        self.items.push(Item { folder: self.path(folder), found, bytes });
        Ok(())
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.damage.push(sentence);
        Ok(())
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.losses.push(sentence);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        assert!(done <= total, "{done} of {total}");
        Ok(())
    }
}

/// The usual bounds, with temporary files in the system's folder.
pub fn limits() -> Limits {
    Limits::new(std::env::temp_dir())
}

/// Opens a file and scans it twice: both must tell the same, and each message must be given again as it was told.
pub fn scan(path: &Path, kind: SourceType) -> Result<Found, ArchiveError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut store = open(path, &name, kind, &limits())?;
    let found = once(store.as_mut())?;
    let mut again = open(path, &name, kind, &limits())?;
    let second = once(again.as_mut())?;
    assert!(found == second, "two scans of {} differ", path.display());
    for message in &found.messages {
        let mut bytes = Vec::new();
        again.message(&message.found.locator, &mut bytes)?;
        assert!(bytes == message.bytes, "{} gives {:?} otherwise", path.display(), message.found.locator);
    }
    Ok(found)
}

fn once(store: &mut dyn Store) -> Result<Found, ArchiveError> {
    let mut found = Found::default();
    store.scan(&mut found)?;
    Ok(found)
}

/// Scans bytes as a file of a name.
pub fn scan_bytes(bytes: &[u8], name: &str, kind: SourceType) -> Result<Found, ArchiveError> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).expect("space");
    scan(&path, kind)
}

/// Where a sample lies; unpacked where it lies there compressed.
pub fn sample(samples: &Path, name: &str, dir: &Path) -> PathBuf {
    let path = samples.join(name);
    if !name.ends_with(".ost.gz") {
        return path;
    }
    let to = dir.join(path.file_stem().expect("a name"));
    let mut from = flate2::read::GzDecoder::new(std::fs::File::open(&path).expect("the sample"));
    std::io::copy(&mut from, &mut std::fs::File::create(&to).expect("a file")).expect("space");
    to
}
