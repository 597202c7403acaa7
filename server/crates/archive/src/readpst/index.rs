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

/// What a message can be recognised by, from what says most to what says least: its Message-Id, its date with the
/// subject, its sender with the subject, the subject.
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
    short(&hasher)
}

/// The same among files that say so much of themselves.
fn under(strength: usize, says: [bool; 2], key: &Key) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::try_from(strength).unwrap_or(u8::MAX), u8::from(says[0]), u8::from(says[1])]);
    hasher.update(key);
    short(&hasher)
}

/// The same in a folder of a certain name.
fn within(folder: &str, key: &Key) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key);
    hasher.update(folder.as_bytes());
    short(&hasher)
}

fn short(hasher: &blake3::Hasher) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// The last level of a path.
fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
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
        let keys = Keys::of(&Header::parse(&head_of(path)?));
        let says = [keys.0[0].is_some(), keys.0[1].is_some()];
        self.files.push(Written { directory, name: name.into(), taken: false });
        let folder = self.directories.get(directory as usize).map_or("", |path| leaf(path)).to_owned();
        for (strength, key) in keys.0.into_iter().enumerate().filter_map(|(n, key)| Some((n, key?))) {
            let key = under(strength, says, &key);
            self.by_key.entry(key).or_default().push_back(number);
            self.by_key.entry(within(&folder, &key)).or_default().push_back(number);
        }
        Ok(())
    }

    /// The file of a message that lies in a folder of this name, each once; one of another folder where there is none
    /// in a directory of that name, for readpst changes names.
    pub fn take(&mut self, folder: &str, keys: &Keys) -> Option<String> {
        // A file whose own Message-Id or date is another than the message's is another message: by a weaker key only
        // files are taken on which one side says nothing.
        let ours = [keys.0[0].is_some(), keys.0[1].is_some()];
        for (strength, key) in keys.0.iter().enumerate().filter_map(|(n, key)| Some((n, (*key)?))) {
            for says in [[false, false], [true, false], [false, true], [true, true]] {
                if (0..strength.min(2)).any(|n| says[n] && ours[n]) {
                    continue;
                }
                let key = under(strength, says, &key);
                let found = match self.first(&within(folder, &key)) {
                    None if strength < WEAK => self.first(&key),
                    found => found,
                };
                if let Some(written) = found.and_then(|number| self.files.get_mut(number as usize)) {
                    written.taken = true;
                    return Some(path(&self.directories, written));
                }
            }
        }
        None
    }

    /// The first file of a key that nobody has taken. What was taken by another key leaves the queue here, once.
    fn first(&mut self, key: &Key) -> Option<u32> {
        let numbers = self.by_key.get_mut(key)?;
        while let Some(number) = numbers.front().copied() {
            if self.files.get(number as usize).is_some_and(|file| !file.taken) {
                return Some(number);
            }
            numbers.pop_front();
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
