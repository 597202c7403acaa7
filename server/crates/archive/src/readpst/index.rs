//! The messages that readpst wrote, by what they can be recognised by.

use super::head_of;
use crate::{
    ArchiveError,
    formats::header::{Header, decode_words},
};
use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::Path,
};

/// How deep directories are followed, and how many files are taken.
const DEPTH: usize = 200;
const FILES: usize = 16 << 20;

/// Sixteen bytes of a digest.
type Key = [u8; 16];

/// What a message can be recognised by, from what says most to what says least.
pub(super) struct Keys([Option<Key>; 4]);

/// What says too little to be believed across folders: the subject alone.
const WEAK: usize = 3;

impl Keys {
    /// Its Message-Id; its subject with its date; its subject with its sender; its subject.
    pub fn of(header: &Header) -> Self {
        let text = |name| header.get(name).map(|v| decode_words(v).split_whitespace().collect::<Vec<_>>().join(" "));
        let subject = text("subject").unwrap_or_default();
        let date = header.get("date").and_then(crate::formats::dates::parse).map(|d| d.seconds.to_string());
        let from = text("from").map(|from| address(&from));
        let id = header.get("message-id").map(|id| id.trim_matches(['<', '>', ' ']).to_owned());
        Self([
            id.filter(|id| !id.is_empty()).map(|id| key(&["id", &id])),
            date.map(|date| key(&["date", &date, &subject])),
            Some(key(&["from", &from.unwrap_or_default(), &subject])),
            Some(key(&["subject", &subject])),
        ])
    }
}

/// The address alone, or the name where there is none.
fn address(from: &str) -> String {
    let inside = from.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inside, _)| inside);
    inside.unwrap_or(from).trim_matches(['"', '\'', ' ']).to_lowercase()
}

fn key(parts: &[&str]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// A file: its directory and its name.
struct Written {
    directory: u32,
    name: Box<str>,
    taken: bool,
}

/// All of them.
pub(super) struct Index {
    /// Paths of directories below the root, `/` between levels.
    directories: Vec<String>,
    files: Vec<Written>,
    by_key: HashMap<Key, VecDeque<u32>>,
}

impl Index {
    /// Reads the headers of every `.eml` below a directory. Links are not followed.
    pub fn of(root: &Path) -> Result<Self, ArchiveError> {
        let mut index = Self { directories: Vec::new(), files: Vec::new(), by_key: HashMap::new() };
        index.directory(root, String::new(), 0)?;
        Ok(index)
    }

    fn directory(&mut self, path: &Path, name: String, depth: usize) -> Result<(), ArchiveError> {
        if depth > DEPTH {
            return Err(ArchiveError::TooMuch(format!("readpst wrote folders more than {DEPTH} levels deep.")));
        }
        let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        // In the order in which readpst numbered them: 2.eml comes before 10.eml.
        entries.sort_by_key(|entry| {
            let name = entry.file_name();
            let number = Path::new(&name).file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            (number.unwrap_or(u64::MAX), name)
        });
        let number = u32::try_from(self.directories.len()).unwrap_or(u32::MAX);
        let below = |child: &str| if name.is_empty() { child.to_owned() } else { format!("{name}/{child}") };
        self.directories.push(name.clone());
        for entry in entries {
            let file_name = entry.file_name();
            // readpst names what it writes in UTF-8; anything else is not its own.
            let Some(child) = file_name.to_str() else { continue };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.directory(&entry.path(), below(child), depth + 1)?;
            } else if kind.is_file() && child.ends_with(".eml") {
                self.file(&entry.path(), number, child)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, directory: u32, name: &str) -> Result<(), ArchiveError> {
        if self.files.len() >= FILES {
            return Err(ArchiveError::TooMuch(format!("readpst wrote more than {FILES} files.")));
        }
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(Written { directory, name: name.into(), taken: false });
        for key in Keys::of(&Header::parse(&head_of(path)?)).0.into_iter().flatten() {
            self.by_key.entry(key).or_default().push_back(number);
        }
        Ok(())
    }

    /// The file of a message that lies in a folder of this name, each once; one of another folder where there is none
    /// in a directory of that name, for readpst changes names.
    pub fn take(&mut self, folder: &str, keys: &Keys) -> Option<String> {
        for (strength, key) in keys.0.iter().enumerate().filter_map(|(n, key)| Some((n, (*key)?))) {
            let Some(numbers) = self.by_key.get_mut(&key) else { continue };
            let free = |files: &[Written], number: u32| files.get(number as usize).is_some_and(|f| !f.taken);
            numbers.retain(|number| free(&self.files, *number));
            let (files, directories) = (&self.files, &self.directories);
            let same_folder = |number: &&u32| {
                let directory = files.get(**number as usize).and_then(|f| directories.get(f.directory as usize));
                directory.is_some_and(|d| d.rsplit('/').next() == Some(folder))
            };
            let anywhere = || numbers.front().filter(|_| strength < WEAK);
            let found = numbers.iter().find(same_folder).or_else(anywhere).copied();
            if let Some(written) = found.and_then(|number| self.files.get_mut(number as usize)) {
                written.taken = true;
                return Some(path(&self.directories, written));
            }
        }
        None
    }

    /// The files that no message has taken.
    pub fn left(&self) -> Vec<String> {
        self.files.iter().filter(|file| !file.taken).map(|file| path(&self.directories, file)).collect()
    }
}

fn path(directories: &[String], written: &Written) -> String {
    match directories.get(written.directory as usize).map(String::as_str) {
        None | Some("") => written.name.to_string(),
        Some(directory) => format!("{directory}/{}", written.name),
    }
}
