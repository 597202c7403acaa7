//! Writes a file's content below a directory: messages as .eml, what is no mail as .vcf, .ics and .txt.
//!
//! Names begin with a number in the order of the folder, so writing the same file again finds what is there already.
//! Nothing is ever overwritten: where another file has a name, the next free one is taken. Each file gets its message's
//! date.

use crate::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Store, Visitor,
    catalogue::HeadLines,
    names::{FolderNames, safe},
};
use gatepost_transfer::{FolderPath, InternalDate};
use mail_parser::MessageParser;
use serde::Serialize;
use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

/// How much is written at once: most messages whole.
const BUFFER: usize = 64 << 10;
/// How many messages that cannot be read are named.
const NAMED: usize = 1_000;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Folders.
    pub folders: u64,
    /// Messages that were written now.
    pub messages: u64,
    /// What is no mail and was written now.
    pub items: u64,
    /// What had been written before.
    pub already_there: u64,
    /// Bytes that were written now.
    pub bytes: u64,
    /// What could not be written: the folder, and why.
    pub unreadable: Vec<(String, String)>,
    /// How many more there are of these.
    pub more_unreadable: u64,
    /// Sentences about what is missing in the file.
    pub losses: Vec<String>,
    /// Sentences about damage and about what was left out.
    pub damage: Vec<String>,
}

/// Opens the store that is written, once for each thread.
pub type OpenStore<'a> = &'a (dyn Fn() -> Result<Box<dyn Store>, ArchiveError> + Sync);

/// Writes what a store holds below `directory`, on so many threads. Blocks; tells how many of how many bytes it has gone
/// through.
///
/// Each thread goes through all folders, which costs little, and opens, makes and writes its share of the messages, which
/// costs much.
///
/// # Errors
/// Where the file cannot be read on, or the directory cannot be written to; [`ArchiveError::Stopped`] when `cancel` was
/// called. What was written before stays, each file whole.
pub fn export(
    open: OpenStore<'_>,
    threads: usize,
    directory: &Path,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<Exported, ArchiveError> {
    make(directory)?;
    let of = threads.max(1) as u64;
    // When one thread fails the others need not go on.
    let failed = cancel.child_token();
    let share = |part: u64, progress: &mut dyn FnMut(u64, u64)| {
        let mut export = Export {
            directory,
            share: (part, of),
            seen: 0,
            next: None,
            names: FolderNames::default(),
            folders: Vec::new(),
            by_path: HashMap::new(),
            exported: Exported::default(),
            progress,
            cancel: &failed,
        };
        let scanned = open().and_then(|mut store| store.scan(&mut export));
        if scanned.is_err() {
            failed.cancel();
        }
        scanned.map(|()| export.exported)
    };
    let shares: Vec<Result<Exported, ArchiveError>> = std::thread::scope(|scope| {
        let share = &share;
        let others: Vec<_> = (1..of).map(|part| scope.spawn(move || share(part, &mut |_, _| {}))).collect();
        let first = share(0, progress);
        let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(ArchiveError::Io(io::Error::other("a thread of the export broke off"))))
        };
        [first].into_iter().chain(others.into_iter().map(ended)).collect()
    });
    if cancel.is_cancelled() {
        return Err(ArchiveError::Stopped);
    }
    let stopped_by_another = |share: &Result<_, _>| matches!(share, Err(ArchiveError::Stopped));
    let (stopped, ended): (Vec<_>, Vec<_>) = shares.into_iter().partition(stopped_by_another);
    let mut exported = Exported::default();
    for share in ended.into_iter().chain(stopped) {
        exported.join(share?);
    }
    Ok(exported)
}

impl Exported {
    /// Adds what another thread wrote. What all of them were told is there once.
    fn join(&mut self, other: Self) {
        self.folders = self.folders.max(other.folders);
        self.messages += other.messages;
        self.items += other.items;
        self.already_there += other.already_there;
        self.bytes += other.bytes;
        self.more_unreadable += other.more_unreadable;
        for one in other.unreadable {
            if self.unreadable.len() < NAMED {
                self.unreadable.push(one);
            } else {
                self.more_unreadable += 1;
            }
        }
        for (ours, theirs) in [(&mut self.losses, other.losses), (&mut self.damage, other.damage)] {
            for sentence in theirs {
                if ours.len() < NAMED && !ours.contains(&sentence) {
                    ours.push(sentence);
                }
            }
        }
    }
}

struct Export<'a> {
    directory: &'a Path,
    /// Which part of how many is this thread's.
    share: (u64, u64),
    /// Messages and items so far.
    seen: u64,
    /// The number of what comes next, where the store has asked for it.
    next: Option<u64>,
    names: FolderNames,
    folders: Vec<Folder>,
    by_path: HashMap<FolderPath, FolderNumber>,
    exported: Exported,
    progress: &'a mut dyn FnMut(u64, u64),
    cancel: &'a CancellationToken,
}

struct Folder {
    path: FolderPath,
    place: PathBuf,
    /// Messages and items so far.
    entries: u64,
}

/// What became of one file.
enum Written {
    Now(u64),
    Before,
}

impl Export<'_> {
    fn folder_of(&mut self, number: FolderNumber) -> Result<&mut Folder, ArchiveError> {
        let missing = || ArchiveError::Io(io::Error::other("something was told for a folder that was not"));
        self.folders.get_mut(number as usize).ok_or_else(missing)
    }

    /// Writes one file whole, under a name that its content may have a part in.
    fn write(
        &self,
        place: &Path,
        date: Option<InternalDate>,
        content: Content<'_>,
        name: impl FnOnce(&[u8]) -> (String, &'static str),
    ) -> Result<Written, ArchiveError> {
        let part = tempfile::Builder::new().prefix(".part-").tempfile_in(place)?;
        let mut sink = Sink {
            file: BufWriter::with_capacity(BUFFER, part),
            lines: HeadLines::new(true),
            bytes: 0,
            cancel: self.cancel,
        };
        content(&mut sink)?;
        sink.file.flush()?;
        let mut part = sink.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(at) = date.and_then(time_of) {
            part.as_file().set_modified(at)?;
        }
        let (stem, extension) = name(&sink.lines.finish().1);
        let mut number = 1;
        loop {
            let name =
                if number == 1 { format!("{stem}.{extension}") } else { format!("{stem} ({number}).{extension}") };
            let target = place.join(name);
            match part.persist_noclobber(&target) {
                Ok(_) => return Ok(Written::Now(sink.bytes)),
                Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
                    part = refused.file;
                    if is_same(part.path(), &target)? {
                        return Ok(Written::Before);
                    }
                }
                Err(refused) => return Err(refused.error.into()),
            }
            number += 1;
        }
    }

    fn count(
        &mut self,
        written: Result<Written, ArchiveError>,
        folder: FolderNumber,
        mail: bool,
    ) -> Result<(), ArchiveError> {
        match written {
            Ok(Written::Now(bytes)) => {
                self.exported.messages += u64::from(mail);
                self.exported.items += u64::from(!mail);
                self.exported.bytes += bytes;
                Ok(())
            }
            Ok(Written::Before) => {
                self.exported.already_there += 1;
                Ok(())
            }
            Err(_) if self.cancel.is_cancelled() => Err(ArchiveError::Stopped),
            Err(error @ (ArchiveError::Io(_) | ArchiveError::Stopped)) => Err(error),
            Err(error) => self.left_out(folder, error.to_string()),
        }
    }

    fn left_out(&mut self, folder: FolderNumber, why: String) -> Result<(), ArchiveError> {
        let path = self.folder_of(folder)?.path.to_string();
        if self.exported.unreadable.len() < NAMED {
            self.exported.unreadable.push((path, why));
        } else {
            self.exported.more_unreadable += 1;
        }
        Ok(())
    }

    /// The number of the next message or item of a folder, where it is this thread's.
    fn count_next(&mut self, folder: FolderNumber) -> Result<Option<u64>, ArchiveError> {
        let at = self.folder_of(folder)?;
        at.entries += 1;
        let number = at.entries;
        let (part, of) = self.share;
        self.seen += 1;
        Ok((self.seen % of == part).then_some(number))
    }

    /// The same, where the store may have asked for it before.
    fn mine(&mut self, folder: FolderNumber) -> Result<Option<u64>, ArchiveError> {
        self.check()?;
        match self.next.take() {
            None => self.count_next(folder),
            asked => Ok(asked),
        }
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.cancel.is_cancelled() { Err(ArchiveError::Stopped) } else { Ok(()) }
    }
}

impl Visitor for Export<'_> {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        self.check()?;
        if let Some(number) = self.by_path.get(&folder.path) {
            return Ok(*number);
        }
        let place = self.directory.join(self.names.of(&folder.path));
        make(&place)?;
        let number = FolderNumber::try_from(self.folders.len())
            .map_err(|_| ArchiveError::TooMuch("The file has more folders than can be told apart.".to_owned()))?;
        self.by_path.insert(folder.path.clone(), number);
        self.folders.push(Folder { path: folder.path, place, entries: 0 });
        self.exported.folders += 1;
        Ok(number)
    }

    fn wants(&mut self, folder: FolderNumber) -> Result<bool, ArchiveError> {
        self.check()?;
        self.next = self.count_next(folder)?;
        Ok(self.next.is_some())
    }

    fn message(&mut self, folder: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let Some(number) = self.mine(folder)? else { return Ok(()) };
        let place = self.folder_of(folder)?.place.clone();
        let written = self.write(&place, Some(found.internal_date), content, |head| {
            let parsed = MessageParser::default().parse_headers(head);
            let subject = parsed.as_ref().and_then(mail_parser::Message::subject).unwrap_or_default().trim();
            let stem =
                if subject.is_empty() { format!("{number:05}") } else { format!("{number:05} {}", safe(subject)) };
            (stem, "eml")
        });
        self.count(written, folder, true)
    }

    fn unreadable(&mut self, folder: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        // It keeps its number.
        if self.mine(folder)?.is_some() { self.left_out(folder, why) } else { Ok(()) }
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        let Some(number) = self.mine(folder)? else { return Ok(()) };
        let place = self.folder_of(folder)?.place.clone();
        let FoundItem { kind, title, .. } = item;
        let kind: ItemKind = kind;
        let written = self.write(&place, None, content, |_| {
            let title = title.trim();
            let stem = if title.is_empty() { format!("{number:05}") } else { format!("{number:05} {}", safe(title)) };
            (stem, kind.extension())
        });
        self.count(written, folder, false)
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.exported.damage.len() < NAMED {
            self.exported.damage.push(sentence);
        }
        Ok(())
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.exported.losses.len() < NAMED {
            self.exported.losses.push(sentence);
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        self.check()?;
        (self.progress)(done, total);
        Ok(())
    }
}

struct Sink<'a> {
    file: BufWriter<tempfile::NamedTempFile>,
    lines: HeadLines,
    bytes: u64,
    cancel: &'a CancellationToken,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the writing was stopped"));
        }
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        if !self.lines.is_through() {
            self.lines.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn time_of(date: InternalDate) -> Option<SystemTime> {
    let seconds = Duration::from_secs(date.seconds.unsigned_abs());
    if date.seconds >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    }
}

/// Whether two files hold the same.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one_is, other_is) = (fs::metadata(one)?, fs::symlink_metadata(other)?);
    if !other_is.is_file() || one_is.len() != other_is.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = ([0; 16 << 10], [0; 16 << 10]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        if let Err(error) = other.read_exact(&mut right[..read]) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(false) } else { Err(error) };
        }
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Described, Locator};
    use gatepost_transfer::Flags;

    /// Folders with messages and a contact in each, told when they are wanted or in any case.
    #[derive(Clone)]
    struct Few(Vec<&'static str>, &'static str, bool);

    impl Few {
        fn tells(&self, visitor: &mut dyn Visitor, folder: FolderNumber) -> Result<bool, ArchiveError> {
            if self.2 { visitor.wants(folder) } else { Ok(true) }
        }
    }

    impl Store for Few {
        fn describe(&self) -> Described {
            Described { format: "few".into(), encoding: None }
        }

        fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
            for path in &self.0 {
                let path = FolderPath::from(*path);
                let folder = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
                let message = |seconds| FoundMessage {
                    locator: Locator { at: 0, more: 0, name: None },
                    class: "IPM.Note".into(),
                    internal_date: InternalDate { seconds, zone_minutes: 0 },
                    flags: Flags::default(),
                    note: None,
                    salvaged: false,
                };
                let subject = self.1;
                if self.tells(visitor, folder)? {
                    visitor.message(folder, message(86_400), &mut |out| {
                        Ok(out.write_all(format!("Subject: {subject}\r\n\r\nbody\r\n").as_bytes())?)
                    })?;
                }
                if self.tells(visitor, folder)? {
                    visitor.unreadable(folder, message(0), "Its block is damaged.".into())?;
                }
                if self.tells(visitor, folder)? {
                    visitor.message(folder, message(-5), &mut |out| Ok(out.write_all(b"To: x\r\n\r\n")?))?;
                }
                let item = FoundItem { class: "IPM.Contact".into(), kind: ItemKind::Contact, title: "Ana/Sá".into() };
                if self.tells(visitor, folder)? {
                    visitor.item(folder, item, &mut |out| Ok(out.write_all(b"BEGIN:VCARD\r\n")?))?;
                }
            }
            Ok(())
        }

        fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
            Ok(())
        }
    }

    fn files(directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![directory.to_owned()];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path.strip_prefix(directory).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn messages_and_items_lie_below_their_folders_and_writing_again_adds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("new/out");
        let cancel = CancellationToken::new();
        let run = |subject, asks| {
            let few = Few(vec!["Inbox", "../Inbox", "A:b", "A?b"], subject, asks);
            let open = || Ok(Box::new(few.clone()) as Box<dyn Store>);
            // On three threads as on one.
            export(&open, 3, &to, &mut |_, _| {}, &cancel).unwrap()
        };
        let first = run("=?utf-8?q?Ol=C3=A1/mundo?=", true);
        assert_eq!((first.folders, first.messages, first.items, first.already_there), (4, 8, 4, 0));
        assert_eq!(first.unreadable.len(), 4);
        assert!(first.unreadable.contains(&("Inbox".into(), "Its block is damaged.".into())));
        let written = files(&to);
        let of = |folder: &str| {
            ["00001 Olá_mundo.eml", "00003.eml", "00004 Ana_Sá.vcf"].map(|name| format!("{folder}/{name}"))
        };
        let mut expected: Vec<String> = ["Inbox", "_/Inbox", "A_b", "A_b (2)"].iter().flat_map(|f| of(f)).collect();
        expected.sort();
        assert_eq!(written, expected);
        let dated = fs::metadata(to.join("Inbox/00001 Olá_mundo.eml")).unwrap().modified().unwrap();
        assert_eq!(dated, SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));

        let again = run("=?utf-8?q?Ol=C3=A1/mundo?=", false);
        assert_eq!((again.messages, again.items, again.already_there), (0, 0, 12));
        assert_eq!(files(&to), written);

        // Somebody else's file of the same name stays as it is.
        fs::write(to.join("Inbox/00003.eml"), "mine").unwrap();
        let beside = run("=?utf-8?q?Ol=C3=A1/mundo?=", true);
        assert_eq!((beside.messages, beside.already_there), (1, 11));
        assert_eq!(fs::read(to.join("Inbox/00003.eml")).unwrap(), b"mine");
        assert_eq!(fs::read(to.join("Inbox/00003 (2).eml")).unwrap(), b"To: x\r\n\r\n");
    }

    #[test]
    fn what_is_stopped_leaves_whole_files_only() {
        let directory = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let stopped =
            export(&|| Ok(Box::new(Few(vec!["Inbox"], "x", false))), 2, directory.path(), &mut |_, _| {}, &cancel);
        assert!(matches!(stopped, Err(ArchiveError::Stopped)));
        assert!(files(directory.path()).is_empty());
    }
}
