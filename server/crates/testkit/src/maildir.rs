//! A user's Maildir, changed behind the server's back: what a failing disk, a careless script or a bad restore does to
//! mail that has arrived already. UIDs stay as they are, so that only reading again can find the damage.
//!
//! Dovecot keeps sizes, dates and headers in its indexes and in file names, and would go on answering from there; every
//! change takes away what the server remembers of the folder. No session may be open while a folder is changed. It does
//! not know IMAP.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result, Tried as _};
use crate::wire::mutf7_encode;

/// The mail of one user of a server that stores it as [`crate::Storage::Maildir`].
#[derive(Debug, Clone)]
pub struct Maildir {
    root: PathBuf,
    /// Folders are directories within each other (`LAYOUT=fs`), not dots in one name (Maildir++).
    nested: bool,
}

/// The file of Dovecot that gives each message its UID.
const UIDLIST: &str = "dovecot-uidlist";

impl Maildir {
    /// The mail below a directory.
    pub(crate) fn at(root: PathBuf, nested: bool) -> Maildir {
        Maildir { root, nested }
    }

    /// The directory of a folder, given as path with `/` between its levels.
    #[must_use]
    pub fn folder(&self, path: &str) -> PathBuf {
        if path.eq_ignore_ascii_case("INBOX") {
            return self.root.clone();
        }
        let levels: Vec<String> = path.split('/').map(mutf7_encode).collect();
        if self.nested { self.root.join(levels.join("/")) } else { self.root.join(format!(".{}", levels.join("."))) }
    }

    /// The file of a message.
    pub fn file(&self, folder: &str, uid: u32) -> Result<PathBuf> {
        let folder = self.folder(folder);
        let list = uidlist(&folder)?;
        let (_, name) = entry(&list, uid)?;
        for place in ["cur", "new"] {
            let place = folder.join(place);
            let files = fs::read_dir(&place).tried(|| format!("reading {}", place.display()))?;
            for file in files {
                let file = file.tried(|| format!("reading {}", place.display()))?.path();
                if file.file_name().and_then(|n| n.to_str()).is_some_and(|n| base(n) == name) {
                    return Ok(file);
                }
            }
        }
        Err(missing(uid))
    }

    /// Puts other bytes in the place of a message's, with its UID, flags and date as they were. Lines end with LF in a
    /// Maildir.
    pub fn rewrite(&self, folder: &str, uid: u32, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<()> {
        let file = self.file(folder, uid)?;
        let bytes = fs::read(&file).tried(|| format!("reading {}", file.display()))?;
        let date = modified(&file)?;
        let (before, bytes) = (bytes.len(), change(bytes));
        fs::write(&file, &bytes).tried(|| format!("writing {}", file.display()))?;
        set_modified(&file, date)?;
        if bytes.len() != before {
            self.forget_size(folder, uid, &file)?;
        }
        self.forget(folder)
    }

    /// Moves a message's date of arrival by so many seconds, and no more.
    pub fn redate(&self, folder: &str, uid: u32, seconds: i64) -> Result<()> {
        let file = self.file(folder, uid)?;
        let (date, by) = (modified(&file)?, Duration::from_secs(seconds.unsigned_abs()));
        set_modified(&file, if seconds < 0 { date - by } else { date + by })?;
        self.forget(folder)
    }

    /// Takes a message's file away.
    pub fn remove(&self, folder: &str, uid: u32) -> Result<()> {
        let file = self.file(folder, uid)?;
        fs::remove_file(&file).tried(|| format!("removing {}", file.display()))
    }

    /// Gives a folder another UIDVALIDITY, as a restored or rebuilt one has.
    pub fn renumber(&self, folder: &str) -> Result<()> {
        let dir = self.folder(folder);
        let list = uidlist(&dir)?;
        let (head, rest) = list.split_once('\n').ok_or_else(|| missing(0))?;
        let head: Vec<String> = head
            .split(' ')
            .map(|word| match word.strip_prefix('V').and_then(|number| number.parse::<u32>().ok()) {
                Some(validity) => format!("V{}", validity.wrapping_add(1).max(1)),
                None => word.to_owned(),
            })
            .collect();
        write(&dir.join(UIDLIST), &format!("{}\n{rest}", head.join(" ")))?;
        self.forget(folder)
    }

    /// Lets the server read a folder no longer, or again.
    pub fn lock(&self, folder: &str, locked: bool) -> Result<()> {
        let mode = if locked { 0o000 } else { 0o700 };
        // The folder itself stays: only what is in it cannot be reached.
        for place in ["cur", "new"] {
            let place = self.folder(folder).join(place);
            fs::set_permissions(&place, Permissions::from_mode(mode))
                .tried(|| format!("locking {}", place.display()))?;
        }
        self.forget(folder)
    }

    /// A file's name and its line in the list say how large the message is. Takes both away, so that it is counted.
    fn forget_size(&self, folder: &str, uid: u32, file: &Path) -> Result<()> {
        let dir = self.folder(folder);
        let list = uidlist(&dir)?;
        let (line, name) = entry(&list, uid)?;
        let bare = name.split(',').next().unwrap_or(name);
        let flags = file.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once(':')).map(|(_, flags)| flags);
        let renamed = file.with_file_name(flags.map_or_else(|| bare.to_owned(), |flags| format!("{bare}:{flags}")));
        fs::rename(file, &renamed).tried(|| format!("renaming {}", file.display()))?;
        write(&dir.join(UIDLIST), &list.replace(line, &format!("{uid} :{bare}")))
    }

    /// Takes away what the server remembers of a folder beside the UIDs.
    fn forget(&self, folder: &str) -> Result<()> {
        for dir in [self.folder(folder), self.root.clone()] {
            let files = fs::read_dir(&dir).tried(|| format!("reading {}", dir.display()))?;
            for file in files {
                let file = file.tried(|| format!("reading {}", dir.display()))?.path();
                let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                if name.starts_with("dovecot.index") || name.starts_with("dovecot.list.index") {
                    fs::remove_file(&file).tried(|| format!("removing {}", file.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// The line of a UID and its file's name without flags. A line is `UID [extensions] :NAME`.
fn entry(list: &str, uid: u32) -> Result<(&str, &str)> {
    let uid_text = uid.to_string();
    let mut lines = list.lines().skip(1).filter_map(|line| Some((line, line.split_once(' ')?)));
    let (line, (_, rest)) = lines.find(|(_, (number, _))| *number == uid_text).ok_or_else(|| missing(uid))?;
    let (_, name) = rest.split_once(':').ok_or_else(|| missing(uid))?;
    Ok((line, base(name)))
}

/// A file's name without its flags.
fn base(name: &str) -> &str {
    name.split_once(':').map_or(name, |(base, _)| base)
}

fn uidlist(dir: &Path) -> Result<String> {
    let file = dir.join(UIDLIST);
    fs::read_to_string(&file).tried(|| format!("reading {}", file.display()))
}

/// In place, so that the file stays the server's.
fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).tried(|| format!("writing {}", file.display()))
}

fn modified(file: &Path) -> Result<SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).tried(|| format!("reading the date of {}", file.display()))
}

fn set_modified(file: &Path, date: SystemTime) -> Result<()> {
    File::options()
        .write(true)
        .open(file)
        .and_then(|open| open.set_times(FileTimes::new().set_modified(date)))
        .tried(|| format!("dating {}", file.display()))
}

fn missing(uid: u32) -> Error {
    Error::Protocol(format!("the Maildir has no message with UID {uid}"))
}
