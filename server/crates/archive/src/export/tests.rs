use super::*;
use crate::{
    Described, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Locator, Visitor,
    testing::{Seen, read},
};
use gatepost_contract::SourceType;
use gatepost_transfer::{Flags, FolderPath, InternalDate};
use std::{
    fs,
    io::Write,
    time::{Duration, SystemTime},
};

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
        export(&open, ExportFormat::Eml, 3, &to, &mut |_, _| {}, &cancel).unwrap()
    };
    let first = run("=?utf-8?q?Ol=C3=A1/mundo?=", true);
    assert_eq!((first.folders, first.messages, first.items, first.already_there), (4, 8, 4, 0));
    assert_eq!(first.unreadable.len(), 4);
    assert!(first.unreadable.contains(&("Inbox".into(), "Its block is damaged.".into())));
    let written = files(&to);
    let of =
        |folder: &str| ["00001 Olá_mundo.eml", "00003.eml", "00004 Ana_Sá.vcf"].map(|name| format!("{folder}/{name}"));
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
    for format in [ExportFormat::Eml, ExportFormat::Mbox] {
        let directory = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let few = || Ok(Box::new(Few(vec!["Inbox"], "x", false)) as Box<dyn Store>);
        let stopped = export(&few, format, 2, directory.path(), &mut |_, _| {}, &cancel);
        assert!(matches!(stopped, Err(ArchiveError::Stopped)));
        assert!(files(directory.path()).is_empty());
    }
}

/// So many messages in each of some folders, of very different lengths; in one of them the reading breaks off.
#[derive(Clone)]
struct Many {
    folders: Vec<&'static str>,
    messages: usize,
    breaks_in: Option<usize>,
    asks: bool,
}

/// A message that knows its place; a few are longer than what is held in memory.
fn long(folder: usize, number: usize) -> Vec<u8> {
    let mut text = format!("From: {number}@example.test\r\nSubject: {folder} {number}\r\n\r\n").into_bytes();
    let lines = if number % 40 == 7 { 22_000 } else { number * 37 % 900 };
    for line in 0..lines {
        text.extend(format!("From line {line} of {number}, which is as long as most are.\r\n").into_bytes());
    }
    if number % 40 == 7 && folder == 0 {
        text.extend_from_slice(b"lf\nalone");
    }
    text
}

impl Store for Many {
    fn describe(&self) -> Described {
        Described { format: "many".into(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        for (n, path) in self.folders.iter().enumerate() {
            let path = FolderPath::from(*path);
            let folder = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
            for number in 0..self.messages {
                if self.breaks_in == Some(n) && number == self.messages / 2 {
                    return Err(ArchiveError::Io(io::Error::other("the medium broke")));
                }
                if self.asks && !visitor.wants(folder)? {
                    continue;
                }
                if number % 10 == 9 {
                    // Asked for and never told.
                    continue;
                }
                let found = FoundMessage {
                    locator: Locator { at: 0, more: 0, name: None },
                    class: "IPM.Note".into(),
                    internal_date: InternalDate { seconds: 1_600_000_000 + number as i64, zone_minutes: 0 },
                    flags: if number % 2 == 0 { Flags::from("\\Seen Urgente") } else { Flags::default() },
                    note: None,
                    salvaged: false,
                };
                visitor.message(folder, found, &mut |out| {
                    out.write_all(&long(n, number))?;
                    if number % 10 == 3 { Err(ArchiveError::Unreadable("Its end is lost.".into())) } else { Ok(()) }
                })?;
            }
        }
        Ok(())
    }

    fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// What an mbox holds, by our own reader.
fn mbox(path: &Path) -> Seen {
    let limits = crate::Limits::new(std::env::temp_dir());
    read(crate::open(path, "x.mbox", SourceType::Mbox, &limits).unwrap().as_mut()).unwrap()
}

#[test]
fn mbox_files_hold_the_messages_of_their_folders_in_order_on_however_many_threads() {
    let many = |asks| Many { folders: vec!["A", "A/b", "A", "Empty"], messages: 60, breaks_in: None, asks };
    let mut first: Option<Vec<(String, Vec<u8>)>> = None;
    for (threads, asks) in [(1, false), (1, true), (4, true), (4, false)] {
        let directory = tempfile::tempdir().unwrap();
        let mut many = many(asks);
        many.folders.pop();
        let open = || Ok(Box::new(many.clone()) as Box<dyn Store>);
        let cancel = CancellationToken::new();
        let run = || export(&open, ExportFormat::Mbox, threads, directory.path(), &mut |_, _| {}, &cancel).unwrap();
        let done = run();
        assert_eq!((done.folders, done.messages, done.unreadable.len(), done.already_there), (3, 144, 18, 0));
        let all: Vec<_> = files(directory.path())
            .into_iter()
            .map(|name| (name.clone(), fs::read(directory.path().join(name)).unwrap()))
            .collect();
        // Two folders of one path do not mix.
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A (2).mbox", "A.mbox", "A/b.mbox"]);
        assert_eq!(done.bytes, all.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());
        let again = run();
        assert_eq!((again.messages, again.bytes, again.already_there), (0, 0, 144));
        assert_eq!(files(directory.path()).len(), 3);
        match &first {
            Some(first) => assert!(all == *first, "{threads} threads write otherwise"),
            None => {
                for (folder, name) in ["A.mbox", "A/b.mbox", "A (2).mbox"].iter().enumerate() {
                    let seen = mbox(&directory.path().join(name));
                    let numbers: Vec<usize> = (0..60).filter(|n| !matches!(n % 10, 3 | 9)).collect();
                    assert_eq!(seen.messages.len(), numbers.len());
                    for (message, number) in seen.messages.iter().zip(numbers) {
                        let fields =
                            if number % 2 == 0 { "Status: RO\r\nX-Keywords: Urgente\r\n" } else { "Status: O\r\n" };
                        let mut wanted = [fields.as_bytes(), &long(folder, number)].concat();
                        if !wanted.ends_with(b"\n") {
                            wanted.extend_from_slice(b"\r\n");
                        }
                        assert!(message.bytes == wanted, "{name} {number}");
                        assert_eq!(message.found.internal_date.seconds, 1_600_000_000 + number as i64);
                    }
                }
                first = Some(all);
            }
        }
    }
}

#[test]
fn folders_without_anything_are_empty_mbox_files_and_none_takes_the_place_of_another() {
    let directory = tempfile::tempdir().unwrap();
    let folders = vec!["a:b", "a?b", "a?b/c", "a_b.mbox", "a_b.mbox/d"];
    let many = Many { folders, messages: 0, breaks_in: None, asks: true };
    let open = || Ok(Box::new(many.clone()) as Box<dyn Store>);
    let cancel = CancellationToken::new();
    fs::write(directory.path().join("a_b.mbox"), "mine").unwrap();
    export(&open, ExportFormat::Mbox, 2, directory.path(), &mut |_, _| {}, &cancel).unwrap();
    let names = ["a_b (2).mbox", "a_b (2)/c.mbox", "a_b.mbox", "a_b.mbox (2).mbox", "a_b.mbox (2)/d.mbox"];
    assert_eq!(files(directory.path()), names);
    assert_eq!(fs::read(directory.path().join("a_b.mbox")).unwrap(), b"mine");
}

#[test]
fn contacts_lie_in_the_directory_beside_the_mbox() {
    let directory = tempfile::tempdir().unwrap();
    let few = || Ok(Box::new(Few(vec!["Inbox", "Other"], "x", true)) as Box<dyn Store>);
    let cancel = CancellationToken::new();
    let done = export(&few, ExportFormat::Mbox, 3, directory.path(), &mut |_, _| {}, &cancel).unwrap();
    assert_eq!((done.messages, done.items, done.unreadable.len()), (4, 2, 2));
    let names = ["Inbox.mbox", "Inbox/00004 Ana_Sá.vcf", "Other.mbox", "Other/00004 Ana_Sá.vcf"];
    assert_eq!(files(directory.path()), names);
}

#[test]
fn an_export_that_breaks_off_leaves_whole_mbox_files_only() {
    for threads in [1, 3] {
        let directory = tempfile::tempdir().unwrap();
        let many = Many { folders: vec!["A", "B", "C"], messages: 60, breaks_in: Some(2), asks: true };
        let open = || Ok(Box::new(many.clone()) as Box<dyn Store>);
        let cancel = CancellationToken::new();
        let broken = export(&open, ExportFormat::Mbox, threads, directory.path(), &mut |_, _| {}, &cancel);
        assert!(matches!(&broken, Err(ArchiveError::Io(e)) if e.to_string() == "the medium broke"), "{broken:?}");
        let left = files(directory.path());
        // What other threads had not made yet is in no file.
        assert!(threads > 1 || left == ["A.mbox", "B.mbox"], "{left:?}");
        for name in left {
            assert_eq!(mbox(&directory.path().join(&name)).messages.len(), 48, "{name}");
        }
    }
}

#[test]
fn a_thread_that_breaks_off_holds_up_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let opened = std::sync::atomic::AtomicUsize::new(0);
    let open = || {
        let first = opened.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let breaks_in = first.then_some(0);
        Ok(Box::new(Many { folders: vec!["A"], messages: 2_000, breaks_in, asks: true }) as Box<dyn Store>)
    };
    let broken = export(&open, ExportFormat::Mbox, 2, directory.path(), &mut |_, _| {}, &CancellationToken::new());
    assert!(matches!(broken, Err(ArchiveError::Io(_))), "{broken:?}");
    assert!(files(directory.path()).is_empty());
}
