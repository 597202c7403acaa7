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
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Folders that were met and not visited yet, at most.
const MOST_AHEAD: usize = 200_000;

/// A folder on disk. Everything in it is opened from its descriptor on, level by level and without following links:
/// whoever puts a link into a path meanwhile leads nowhere.
pub(crate) struct Directory {
    root: OwnedFd,
    limits: Limits,
    /// Files that the last walk met.
    files: u64,
}

impl Directory {
    /// A folder that is there.
    pub(crate) fn new(path: &Path, limits: &Limits) -> Result<Self, ArchiveError> {
        let root = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let root = root.map_err(io::Error::from)?;
        Ok(Self { root, limits: limits.clone(), files: 0 })
    }

    /// A folder's entries by name, or why they cannot be read.
    fn list(&self, below: &Path) -> io::Result<Vec<(OsString, FileType)>> {
        let folder = self.below(below, OFlags::DIRECTORY)?;
        let most = usize::try_from(self.limits.entries).unwrap_or(usize::MAX);
        let mut all = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems say what an entry is only when they are asked for it alone.
                FileType::Unknown => {
                    let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(found.st_mode)
                }
                kind => kind,
            };
            all.push((OsStr::from_bytes(name.to_bytes()).to_owned(), kind));
            // One more than the bound shows that it is broken.
            if all.len() > most {
                break;
            }
        }
        all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// Opens what lies below the root; `.` is the root itself.
    fn below(&self, path: &Path, what: OFlags) -> io::Result<OwnedFd> {
        let mut names = Vec::new();
        for part in path.components() {
            match part {
                Component::Normal(name) => names.push(name),
                _ => return Err(io::Error::other("it does not lie below the folder")),
            }
        }
        let safe = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let last = names.pop().unwrap_or(OsStr::new("."));
        let mut folder: Option<OwnedFd> = None;
        for name in names {
            let above = folder.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            folder = Some(rustix::fs::openat(above, name, safe | OFlags::DIRECTORY, Mode::empty())?);
        }
        let above = folder.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
        Ok(rustix::fs::openat(above, last, safe | what, Mode::empty())?)
    }

    /// Opens a file below the root. A pipe or a device is refused, and not waited for.
    fn file(&self, below: &Path) -> io::Result<(Section, Metadata)> {
        let file = File::from(self.below(below, OFlags::empty())?);
        let opened = file.metadata()?;
        if !opened.is_file() {
            return Err(io::Error::other("it is no regular file"));
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
                // The disk, or a right that is missing, and nothing of the mail's: what is in it would be passed over.
                Err(e) => {
                    let folder = shown(below.as_os_str().as_bytes());
                    let said = format!("the folder {folder} below the source cannot be read: {e}");
                    return Err(io::Error::new(e.kind(), said).into());
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
                        Err(e) if is_of_the_file(&e) => {
                            each(Event::Lost(levels.clone(), name, format!("It could not be opened: {e}.")))?;
                        }
                        Err(e) => return Err(e.into()),
                    }
                }
            }
            ahead.extend(folders.into_iter().rev());
            if ahead.len() > MOST_AHEAD {
                return Err(ArchiveError::TooMuch(format!(
                    "It has more than {MOST_AHEAD} folders beside each other, which is the bound. Split it into several."
                )));
            }
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

/// Whether a file cannot be opened because of what it is: it was removed or replaced, or may not be read. Anything else
/// is the disk's or the machine's, and another attempt may succeed.
fn is_of_the_file(error: &io::Error) -> bool {
    // A link that is not followed.
    let link = rustix::io::Errno::LOOP.raw_os_error();
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
        || error.raw_os_error().is_none_or(|code| code == link)
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
    use std::fs;

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
        fs::create_dir(root.path().join("box")).unwrap();
        fs::write(root.path().join("box/a.eml"), "x").unwrap();
        let mut tree = Directory::new(root.path(), &Limits::new(root.path())).unwrap();
        let (files, damage) = walked(&mut tree);
        assert_eq!(files, ["/a\\xé_.eml", "box/a.eml"]);
        assert_eq!(damage.len(), 3, "{damage:?}");
        assert!(damage[0].starts_with("2 links are not followed"), "{damage:?}");
        assert!(damage[1].starts_with("1 entry is no regular file"), "{damage:?}");
        assert_eq!(read(&written(odd)), odd);
        assert_eq!(tree.open(&Handle::Path(written(odd))).unwrap().len(), 1);
        for path in ["link.eml", "etc/passwd", "../../etc/passwd", "/etc/passwd", "gone", "socket", ""] {
            assert!(tree.open(&Handle::Path(path.to_owned())).is_err(), "{path}");
        }
        // What became a link after it was met is not followed, and neither a pipe waited for.
        assert!(tree.open(&Handle::Path("box/a.eml".to_owned())).is_ok());
        fs::rename(root.path().join("box"), root.path().join("moved")).unwrap();
        std::os::unix::fs::symlink("moved", root.path().join("box")).unwrap();
        assert!(tree.open(&Handle::Path("box/a.eml".to_owned())).is_err());
        let pipe = root.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(tree.open(&Handle::Path("pipe".to_owned())).is_err());
        assert!(Section::at_path(&pipe).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_read_ends_the_walk() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
        if fs::read_dir(&closed).is_ok() {
            println!("left out: this user may read everything");
            return;
        }
        let mut tree = Directory::new(root.path(), &Limits::new(root.path())).unwrap();
        let error = tree.walk(&mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, ArchiveError::Io(_)) && error.to_string().contains("closed"), "{error}");
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
