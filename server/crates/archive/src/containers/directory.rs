//! A folder on disk. Links are not followed, nothing outside of the folder is read, and what is no regular file is left
//! out and said.

use super::{
    Body, Each, Entry, Event, Handle, Tree,
    names::Names,
    names::{count, shown},
    section::Section,
};
use crate::{ArchiveError, Limits};
use gatepost_transfer::InternalDate;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder on disk.
pub(crate) struct Directory {
    /// Without links in it.
    root: PathBuf,
    limits: Limits,
    /// Files that the last walk met.
    files: u64,
}

impl Directory {
    /// A folder that is there.
    pub(crate) fn new(path: &Path, limits: &Limits) -> Result<Self, ArchiveError> {
        Ok(Self { root: path.canonicalize()?, limits: limits.clone(), files: 0 })
    }

    /// A folder's entries by name, or why they cannot be read.
    fn list(&self, below: &Path) -> io::Result<Vec<(OsString, fs::FileType)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.root.join(below))? {
            let entry = entry?;
            all.push((entry.file_name(), entry.file_type()?));
        }
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// Opens a file below the root, and makes sure that it is there and no link led away.
    fn file(&self, below: &Path) -> io::Result<(Section, Metadata)> {
        let path = self.root.join(below);
        let real = path.canonicalize()?;
        let listed = fs::symlink_metadata(&path)?;
        if !real.starts_with(&self.root) || !listed.is_file() {
            return Err(io::Error::other("it is no regular file below the folder"));
        }
        let file = File::open(&real)?;
        let opened = file.metadata()?;
        if (listed.dev(), listed.ino()) != (opened.dev(), opened.ino()) {
            return Err(io::Error::other("it was replaced while it was opened"));
        }
        Ok((Section::of_file(Arc::new(file))?, opened))
    }
}

impl Tree for Directory {
    fn kind(&self) -> &'static str {
        "folder"
    }

    /// How many files there are is known after the first walk.
    fn total(&self) -> u64 {
        self.files
    }

    fn walk(&mut self, each: Each<'_>) -> Result<(), ArchiveError> {
        let mut names = Names::default();
        let mut links = Left::default();
        let mut special = Left::default();
        let (mut entries, mut files) = (0_u64, 0_u64);
        // What is still to be visited, the next last: a stack, so that depth costs no stack of the machine.
        let mut ahead: Vec<(PathBuf, Vec<String>)> = vec![(PathBuf::new(), Vec::new())];
        while let Some((below, levels)) = ahead.pop() {
            if !levels.is_empty() {
                each(Event::Directory(levels.clone()))?;
            }
            let list = match self.list(&below) {
                Ok(list) => list,
                Err(e) if levels.is_empty() => return Err(e.into()),
                Err(e) => {
                    each(Event::Damage(format!(
                        "The folder {} could not be read: {e}. What is in it is missing.",
                        shown(below.as_os_str().as_bytes())
                    )))?;
                    continue;
                }
            };
            let mut folders = Vec::new();
            for (name, kind) in list {
                entries += 1;
                if entries > self.limits.entries {
                    return Err(too_many(self.limits.entries));
                }
                let path = below.join(&name);
                if kind.is_dir() {
                    let mut levels = levels.clone();
                    levels.push(names.level(name.as_bytes()));
                    names.cut(&mut levels, self.limits.depth);
                    folders.push((path, levels));
                } else if kind.is_symlink() {
                    links.add(&path);
                } else if !kind.is_file() {
                    special.add(&path);
                } else {
                    files += 1;
                    let name = names.level(name.as_bytes());
                    match self.file(&path) {
                        Ok((section, metadata)) => each(Event::File(Entry {
                            levels: levels.clone(),
                            name,
                            handle: Handle::Path(written(path.as_os_str())),
                            modified: Some(InternalDate { seconds: metadata.mtime(), zone_minutes: 0 }),
                            group: None,
                            place: files,
                            body: Body::Plain(section),
                        }))?,
                        Err(e) => each(Event::Lost(levels.clone(), name, format!("It could not be opened: {e}.")))?,
                    }
                }
            }
            ahead.extend(folders.into_iter().rev());
        }
        self.files = files;
        links.say(("link is", "links are"), "not followed", each)?;
        special.say(("entry is no regular file and was", "entries are no regular files and were"), "left out", each)?;
        names.say(self.limits.depth, &mut |sentence| each(Event::Damage(sentence)))
    }

    fn open(&mut self, handle: &Handle) -> Result<Body, ArchiveError> {
        let Handle::Path(path) = handle else { return Err(gone("a file")) };
        let path = read(path);
        match self.file(Path::new(&path)) {
            Ok((section, _)) => Ok(Body::Plain(section)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(gone(&shown(path.as_bytes()))),
            Err(e) => {
                Err(ArchiveError::Unreadable(format!("The file {} cannot be read: {e}.", shown(path.as_bytes()))))
            }
        }
    }
}

/// What was left out: how many, and which first.
#[derive(Default)]
struct Left {
    count: u64,
    first: String,
}

impl Left {
    fn add(&mut self, path: &Path) {
        if self.count == 0 {
            self.first = shown(path.as_os_str().as_bytes());
        }
        self.count += 1;
    }

    fn say(&self, what: (&str, &str), done: &str, each: Each<'_>) -> Result<(), ArchiveError> {
        if self.count == 0 {
            return Ok(());
        }
        each(Event::Damage(format!("{} {done}: {}.", count(self.count, what.0, what.1), self.first)))
    }
}

/// An entry that was there at the scan.
pub(super) fn gone(what: &str) -> ArchiveError {
    ArchiveError::Unreadable(format!("{what} was there when the source was read through, and is not there any more."))
}

/// A tree with more entries than the bound.
pub(super) fn too_many(most: u64) -> ArchiveError {
    ArchiveError::TooMuch(format!("It has more than {most} entries, which is the bound. Split it into several."))
}

/// A path as text: bytes that are no UTF-8, and `\`, are written `\xHH`.
fn written(path: &OsStr) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\x5c"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Reads a path from such text.
fn read(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split("\\x");
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend_from_slice(part.as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(tree: &mut Directory) -> (Vec<String>, Vec<String>) {
        let (mut files, mut damage) = (Vec::new(), Vec::new());
        tree.walk(&mut |event| {
            match event {
                Event::File(entry) => files.push(format!("{}/{}", entry.levels.join("/"), entry.name)),
                Event::Damage(sentence) => damage.push(sentence),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
        (files, damage)
    }

    #[test]
    fn links_and_devices_are_left_out_and_names_of_any_bytes_come_back() {
        let root = tempfile::tempdir().unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(secret.path(), root.path().join("link.eml")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("etc")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
        let odd = OsStr::from_bytes(b"a\\x\xE9\n.eml");
        fs::write(root.path().join(odd), "x").unwrap();
        let mut tree = Directory::new(root.path(), &Limits::new(root.path())).unwrap();
        let (files, damage) = walked(&mut tree);
        assert_eq!(files, ["/a\\xé_.eml"]);
        assert_eq!(damage.len(), 3, "{damage:?}");
        assert!(damage[0].starts_with("2 links are not followed"), "{damage:?}");
        assert!(damage[1].starts_with("1 entry is no regular file"), "{damage:?}");
        assert_eq!(read(&written(odd)), odd);
        assert_eq!(tree.open(&Handle::Path(written(odd))).unwrap().len(), 1);
        for path in ["link.eml", "etc/passwd", "../../etc/passwd", "/etc/passwd", "gone", "socket", ""] {
            assert!(tree.open(&Handle::Path(path.to_owned())).is_err(), "{path}");
        }
    }

    #[test]
    fn folders_five_hundred_deep_are_filed_in_the_deepest_that_is_allowed() {
        let root = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", 500).collect();
        fs::create_dir_all(root.path().join(&deep)).unwrap();
        fs::write(root.path().join(&deep).join("a.eml"), "x").unwrap();
        let mut tree = Directory::new(root.path(), &Limits::new(root.path())).unwrap();
        let (files, damage) = walked(&mut tree);
        assert_eq!(files, [format!("{}/a.eml", vec!["d"; 100].join("/"))]);
        assert!(damage[0].contains("deeper than 100 levels"), "{damage:?}");
    }

    #[test]
    fn more_entries_than_the_bound_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for n in 0..4 {
            fs::write(root.path().join(n.to_string()), "x").unwrap();
        }
        let mut tree = Directory::new(root.path(), &Limits { entries: 3, ..Limits::new(root.path()) }).unwrap();
        let error = tree.walk(&mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, ArchiveError::TooMuch(_)), "{error}");
    }
}
