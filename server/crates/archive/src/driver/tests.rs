//! Files as an account, with a store that is as simple as can be: a JSON list of what is in it.

mod bounds;

use super::*;
use crate::{
    ArchiveError, Described, FoundFolder, FoundItem, FoundMessage, ItemKind, Locator, Store, Visitor,
    catalogue::Catalogue, inspect::inspect_with, overlaps,
};
use gatepost_contract::{Inspection, SourceType, SpecialUse};
use gatepost_transfer::{
    Digester, Flags, FolderPath, Incoming, InternalDate, MessageMeta, ReadMessage, RemoteFolder, UidSet, Which,
};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// `[folder, kind, text]` for each thing in the file.
struct Listed(Vec<(String, String, String)>);

fn open_listed(path: &Path, _: &str, _: SourceType, _: &Limits) -> Result<Box<dyn Store>, ArchiveError> {
    let text = std::fs::read(path)?;
    let listed = serde_json::from_slice(&text).map_err(|_| ArchiveError::NotRecognised("This is no list.".into()))?;
    Ok(Box::new(Listed(listed)))
}

fn bytes_of(text: &str) -> Vec<u8> {
    match text.strip_prefix("large ") {
        Some(size) => {
            [b"Subject: large\r\n\r\n".as_slice(), &b"0123456789\r\n".repeat(size.parse::<usize>().unwrap())].concat()
        }
        None => format!("Message-Id: <{text}@x>\r\nFrom: ana@x\r\nSubject: {text}\r\n\r\n{text}\r\n").into_bytes(),
    }
}

impl Store for Listed {
    fn describe(&self) -> Described {
        Described { format: "list".into(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        for (at, (folder, kind, text)) in self.0.iter().enumerate() {
            let special_use = match kind.as_str() {
                "inbox" => Some(SpecialUse::Inbox),
                "sent" => Some(SpecialUse::Sent),
                _ => None,
            };
            let path = FolderPath::from(folder.as_str());
            let folder = visitor.folder(FoundFolder { path, special_use, declared: None })?;
            let locator = Locator { at: at as u64, more: 0, name: None };
            let internal_date = InternalDate { seconds: 1_000 + at as i64, zone_minutes: 60 };
            let flags = Flags::from("\\Seen");
            let class = "message".to_owned();
            let message = FoundMessage { locator, class, internal_date, flags, note: None, salvaged: kind == "found" };
            let bytes = bytes_of(text);
            let mut content = |out: &mut dyn Write| match kind.as_str() {
                "broken" => Err(ArchiveError::Unreadable("its block is damaged".into())),
                _ => Ok(out.write_all(&bytes)?),
            };
            match kind.as_str() {
                "unreadable" => visitor.unreadable(folder, message, "its node is lost".into())?,
                "contact" => {
                    let (class, kind) = ("IPM.Contact".to_owned(), ItemKind::Contact);
                    visitor.item(folder, FoundItem { class, kind, title: text.clone() }, &mut content)?;
                }
                "damage" => visitor.damage(text.clone())?,
                "inbox" | "sent" | "empty" if text.is_empty() => {}
                _ => visitor.message(folder, message, &mut content)?,
            }
            visitor.progress(at as u64 + 1, self.0.len() as u64)?;
        }
        Ok(())
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        let (_, _, text) = &self.0[locator.at as usize];
        Ok(out.write_all(&bytes_of(text))?)
    }
}

struct Bench {
    directory: tempfile::TempDir,
}

type Things<'a> = &'a [(&'a str, &'a str, &'a str)];

impl Bench {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn limits(&self) -> Limits {
        Limits::new(self.directory.path().join("work"))
    }

    fn write(&self, name: &str, things: Things<'_>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, serde_json::to_vec(things).unwrap()).unwrap();
        path
    }

    fn file(&self, slot: u8, things: Things<'_>) -> FileSource {
        let name = format!("{slot}.list");
        let path = self.write(&name, things);
        let sha256 = Some(format!("sha of {slot}"));
        let catalogue = self.directory.path().join(format!("{slot}.catalogue"));
        FileSource { slot, path, name, kind: SourceType::Mbox, sha256, catalogue, extracted: None, in_place: false }
    }

    fn inspect(&self, file: &FileSource, items: Option<&Path>) -> Result<Inspection, ArchiveError> {
        let cancel = CancellationToken::new();
        inspect_with(open_listed, file, &file.catalogue, items, &self.limits(), &mut |_, _| {}, &cancel).map(|i| i.0)
    }

    fn driver(&self, files: &[FileSource]) -> ArchiveDriver {
        let account =
            ArchiveAccount { label: "x".into(), seed: "x".into(), files: files.to_vec(), limits: self.limits() };
        ArchiveDriver::with(account, open_listed)
    }
}

fn folder(path: &str) -> RemoteFolder {
    let path = FolderPath::from(path);
    RemoteFolder { native: path.to_string(), path, special_use: None, selectable: true }
}

async fn list(source: &mut Box<dyn Source>, which: Which) -> Vec<MessageMeta> {
    let (out, mut listed) = mpsc::channel(2);
    let collect = async {
        let mut all = Vec::new();
        while let Some(one) = listed.recv().await {
            all.push(one);
        }
        all
    };
    let (done, all) = tokio::join!(source.list(which, out), collect);
    done.unwrap();
    all
}

async fn fetch(
    source: &mut Box<dyn Source>,
    sets: &[UidSet],
) -> (Result<(), Fault>, Vec<(u32, Result<Vec<u8>, String>)>) {
    let (ask, wanted) = mpsc::channel(8);
    for set in sets {
        ask.send(set.clone()).await.unwrap();
    }
    drop(ask);
    let (out, mut incoming) = mpsc::channel(2);
    let collect = async {
        let mut all: Vec<(u32, Result<Vec<u8>, String>)> = Vec::new();
        let mut expected = 0;
        while let Some(one) = incoming.recv().await {
            match one {
                Incoming::Begin { uid, size } => {
                    expected = size as usize;
                    all.push((uid, Ok(Vec::new())));
                }
                Incoming::Data(data) => {
                    assert!(data.len() <= 64 << 10);
                    all.last_mut().unwrap().1.as_mut().unwrap().extend_from_slice(&data);
                }
                Incoming::End => assert_eq!(all.last().unwrap().1.as_ref().unwrap().len(), expected),
                Incoming::Gone { uid } => all.push((uid, Err("gone".into()))),
                Incoming::Unreadable { uid, words } => all.push((uid, Err(words))),
            }
        }
        all
    };
    tokio::join!(source.fetch(wanted, out), collect)
}

async fn read(reader: &mut Box<dyn Reader>) -> Vec<ReadMessage> {
    let (out, mut messages) = mpsc::channel(2);
    let collect = async {
        let mut all = Vec::new();
        while let Some(one) = messages.recv().await {
            all.push(one);
        }
        all
    };
    let (done, all) = tokio::join!(reader.read(None, out), collect);
    done.unwrap();
    all
}

const SLOT_1: u32 = 1 << 24;

#[tokio::test]
async fn the_folders_of_all_files_are_one_account_and_a_file_that_is_added_gives_higher_uids() {
    let bench = Bench::new();
    let first = bench.file(0, &[("Inbox", "inbox", "a"), ("Sent Items", "sent", "b"), ("Inbox/Old", "mail", "c")]);
    let second = bench.file(1, &[("Caixa de Entrada", "inbox", "d"), ("Caixa de Entrada/Old", "mail", "e")]);
    let alone = bench.driver(std::slice::from_ref(&first));
    let mut source = alone.source().await.unwrap();
    let inbox = folder("INBOX");
    let before = source.open(&inbox).await.unwrap();
    assert_eq!((before.messages, before.uid_next), (1, Some(2)));

    let both = bench.driver(&[second, first]);
    let mut source = both.source().await.unwrap();
    let paths: Vec<String> = source.folders().await.unwrap().iter().map(|f| f.path.to_string()).collect();
    assert_eq!(paths, ["INBOX", "INBOX/Old", "Sent Items"]);
    let uses: Vec<_> = source.folders().await.unwrap().iter().map(|f| f.special_use).collect();
    assert_eq!(uses, [Some(SpecialUse::Inbox), None, Some(SpecialUse::Sent)]);
    let state = source.open(&inbox).await.unwrap();
    assert_eq!((state.messages, state.uid_next), (2, Some(SLOT_1 + 2)));
    assert_eq!((state.uid_validity, state.uid_validity != 0), (before.uid_validity, true));
    let uids: Vec<u32> = list(&mut source, Which::From(2)).await.iter().map(|m| m.uid).collect();
    assert_eq!(uids, [SLOT_1 + 1]);
    assert_eq!(source.uids().await.unwrap().to_string(), format!("1,{}", SLOT_1 + 1));
    let survey = source.survey().await.unwrap();
    assert_eq!(survey[0].status.as_ref(), Some(&state));
}

#[tokio::test]
async fn messages_come_as_they_are_and_what_cannot_be_read_says_why() {
    let bench = Bench::new();
    let file = bench.file(
        0,
        &[
            ("Box", "mail", "a"),
            ("Box", "unreadable", "b"),
            ("Box", "broken", "c"),
            ("Box", "found", "d"),
            ("Box", "mail", "large 200000"),
        ],
    );
    let driver = bench.driver(&[file]);
    let mut source = driver.source().await.unwrap();
    source.open(&folder("Box")).await.unwrap();
    let listed = list(&mut source, Which::From(1)).await;
    assert_eq!(listed.iter().map(|m| m.uid).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(listed[0].size, bytes_of("a").len() as u64);
    assert_eq!(listed[0].flags, Flags::from("\\Seen"));
    assert_eq!(listed[0].internal_date, InternalDate { seconds: 1_000, zone_minutes: 60 });
    let sets = [UidSet::from_ranges([(1, 3)]), UidSet::from_ranges([(4, 6)])];
    let (done, got) = fetch(&mut source, &sets).await;
    done.unwrap();
    let expected = [
        (1, Ok(bytes_of("a"))),
        (2, Err("its node is lost.".to_owned())),
        (3, Err("its block is damaged.".to_owned())),
        (4, Ok(bytes_of("d"))),
        (5, Ok(bytes_of("large 200000"))),
        (6, Err("gone".to_owned())),
    ];
    assert!(got == expected, "{:?}", got.iter().map(|(uid, m)| (uid, m.as_ref().map(Vec::len))).collect::<Vec<_>>());
    let flags = source.flags(&UidSet::from_ranges([(4, 400)])).await.unwrap();
    assert_eq!(flags.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [4, 5]);
}

#[tokio::test]
async fn a_message_that_an_earlier_file_holds_in_the_same_folder_is_listed_once_and_repeats_within_a_file_stay() {
    let bench = Bench::new();
    let first =
        bench.file(0, &[("Box", "mail", "a"), ("Box", "mail", "a"), ("Box", "mail", "b"), ("Other", "mail", "x")]);
    let second = bench.file(
        1,
        &[("Box", "mail", "n"), ("Box", "mail", "b"), ("Box", "mail", "x"), ("Box", "mail", "a"), ("Box", "mail", "n")],
    );
    let third = bench.file(2, &[("Box", "mail", "n"), ("Box", "unreadable", "a")]);
    let files = [first, second, third];
    let inspected: Vec<u64> = files.iter().map(|file| bench.inspect(file, None).unwrap().repeated).collect();
    assert_eq!(inspected, [1, 1, 0]);
    assert_eq!(overlaps(&files).unwrap(), [0, 2, 1]);
    let driver = bench.driver(&files);
    let mut source = driver.source().await.unwrap();
    let state = source.open(&folder("Box")).await.unwrap();
    let uids: Vec<u32> = list(&mut source, Which::From(1)).await.iter().map(|m| m.uid).collect();
    let expected = [1, 2, 3, SLOT_1 + 1, SLOT_1 + 3, SLOT_1 + 5, 2 * SLOT_1 + 2];
    assert_eq!(uids, expected);
    assert_eq!(state.messages as usize, expected.len());
    assert_eq!(source.uids().await.unwrap(), expected.into_iter().collect());
    assert_eq!(
        fetch(&mut source, &[UidSet::from_ranges([(SLOT_1 + 2, SLOT_1 + 2)])]).await.1,
        [(SLOT_1 + 2, Err("gone".to_owned()))]
    );
    let mut reader = driver.reader().await.unwrap();
    let totals = reader.totals(&[&folder("Box"), &folder("None")]).await.unwrap();
    let bytes = |all: &[&str]| all.iter().map(|t| bytes_of(t).len() as u64).sum::<u64>();
    let shown = totals[0].unwrap();
    assert_eq!((shown.messages, shown.bytes), (7, Some(bytes(&["a", "a", "b", "n", "x", "n"]))));
    assert_eq!(totals[1], None);
}

#[tokio::test]
async fn the_witness_reads_the_file_itself_and_agrees_with_the_engine() {
    let bench = Bench::new();
    let file = bench.file(0, &[("Box", "mail", "a"), ("Box", "mail", "b"), ("Box", "unreadable", "c")]);
    bench.inspect(&file, None).unwrap();
    let driver = bench.driver(std::slice::from_ref(&file));
    let mut source = driver.source().await.unwrap();
    let state = source.open(&folder("Box")).await.unwrap();
    let mut reader = driver.reader().await.unwrap();
    assert_eq!(reader.folders().await.unwrap(), source.folders().await.unwrap());
    assert_eq!(reader.open(&folder("Box")).await.unwrap(), (state.uid_validity, state.messages));
    let messages = read(&mut reader).await;
    let of = |m: &ReadMessage| (m.uid, m.size, m.message_id.clone());
    let size = bytes_of("a").len() as u64;
    assert_eq!(
        messages.iter().map(of).collect::<Vec<_>>(),
        [(1, size, Some("<a@x>".to_owned())), (2, size, Some("<b@x>".to_owned())), (3, 0, None)]
    );
    let (out, mut digests) = mpsc::channel(8);
    reader.digest(&[(1, 0), (2, 0), (3, 0), (4, 0)], out).await.unwrap();
    let mut read = Vec::new();
    while let Some(one) = digests.recv().await {
        read.push(one);
    }
    assert_eq!(read, [(1, Digester::of(&bytes_of("a"))), (2, Digester::of(&bytes_of("b")))]);
    let (out, mut heads) = mpsc::channel(8);
    reader.heads(&UidSet::from_ranges([(1, u32::MAX)]), out).await.unwrap();
    let first = heads.recv().await.unwrap();
    assert_eq!(first, (1, b"Message-Id: <a@x>\r\nFrom: ana@x\r\nSubject: a\r\n\r\n".to_vec()));
    assert_eq!(reader.bytes(2, 1_000).await.unwrap(), Some(bytes_of("b")));
    assert_eq!((reader.bytes(2, 3).await.unwrap(), reader.bytes(3, 1_000).await.unwrap()), (None, None));
    // It leaves nothing behind.
    drop((reader, source, driver));
    assert_eq!(std::fs::read_dir(bench.limits().work).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_gone_or_another_one_is_a_fault_that_says_so() {
    let bench = Bench::new();
    let things: Things<'_> = &[("Box", "mail", "a"), ("Box", "mail", "b")];
    let file = bench.file(0, things);
    bench.inspect(&file, None).unwrap();
    let files = std::slice::from_ref(&file);
    let opened = bench.driver(files);
    let mut source = opened.source().await.unwrap();
    source.open(&folder("Box")).await.unwrap();

    // Of the same length, but with another message.
    bench.write("0.list", &[("Box", "mail", "a"), ("Box", "mail", "c")]);
    let (done, got) = fetch(&mut source, &[UidSet::from_ranges([(1, 2)])]).await;
    let fault = done.unwrap_err();
    assert_eq!((fault.kind, got.len()), (FaultKind::Damaged, 1), "{fault}");
    assert!(fault.sentence.contains("0.list gives other messages"), "{fault}");
    let fault = bench.driver(files).reader().await.err().unwrap();
    assert_eq!(fault.kind, FaultKind::Damaged, "{fault}");

    bench.write("0.list", &[("Box", "mail", "a")]);
    for fault in [source.open(&folder("Box")).await.err(), bench.driver(files).source().await.err()] {
        let fault = fault.unwrap();
        assert!(fault.kind == FaultKind::Damaged && fault.sentence.contains("another length"), "{fault}");
    }
    std::fs::remove_file(&file.path).unwrap();
    let fault = bench.driver(files).source().await.err().unwrap();
    assert!(fault.sentence.contains("0.list is not there any more"), "{fault}");
}

#[tokio::test]
async fn a_catalogue_that_is_missing_or_damaged_is_made_again_with_the_same_uids() {
    let bench = Bench::new();
    let file = bench.file(0, &[("Box", "mail", "a"), ("Empty", "empty", ""), ("Box", "mail", "b")]);
    let before = bench.inspect(&file, None).unwrap();
    let whole = std::fs::read(&file.catalogue).unwrap();
    for cut in [0, 1, 30, whole.len() / 2, whole.len() - 1, whole.len() + 1] {
        let mut bytes = whole.clone();
        bytes.resize(cut, 0);
        std::fs::write(&file.catalogue, &bytes).unwrap();
        assert!(Catalogue::open(&file.catalogue).is_err(), "cut to {cut}");
    }
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file.catalogue, &bytes).unwrap();
        assert!(Catalogue::open(&file.catalogue).is_err(), "byte {at} flipped");
    }
    let driver = bench.driver(std::slice::from_ref(&file));
    let mut source = driver.source().await.unwrap();
    source.open(&folder("Box")).await.unwrap();
    assert_eq!(list(&mut source, Which::From(1)).await.len(), 2);
    assert_eq!(std::fs::read(&file.catalogue).unwrap(), whole);
    assert_eq!(Catalogue::open(&file.catalogue).unwrap().inspection(), &before);
}

#[tokio::test]
async fn what_nobody_waits_for_ends() {
    let bench = Bench::new();
    let things: Vec<(&str, &str, &str)> = (0..500).map(|_| ("Box", "mail", "large 9000")).collect();
    let driver = bench.driver(&[bench.file(0, &things)]);
    let mut source = driver.source().await.unwrap();
    source.open(&folder("Box")).await.unwrap();
    // The receiver goes away.
    let (out, mut listed) = mpsc::channel(1);
    let take_one = async {
        listed.recv().await.unwrap();
        drop(listed);
    };
    tokio::join!(source.list(Which::From(1), out), take_one).0.unwrap();
    let (ask, wanted) = mpsc::channel(8);
    ask.send(UidSet::from_ranges([(1, 500)])).await.unwrap();
    let (out, mut incoming) = mpsc::channel(1);
    let take_one = async {
        incoming.recv().await.unwrap();
        drop(incoming);
    };
    // `ask` stays open: only the closed receiver ends it.
    tokio::join!(source.fetch(wanted, out), take_one).0.unwrap();
    // The future is dropped in the middle.
    let (ask2, wanted) = mpsc::channel(8);
    ask2.send(UidSet::from_ranges([(1, 500)])).await.unwrap();
    let (out, mut incoming) = mpsc::channel(1);
    tokio::select! {
        _ = source.fetch(wanted, out) => panic!("it ended by itself"),
        _ = incoming.recv() => {}
    }
    // What was under way comes to its end, and the channel with it.
    while incoming.recv().await.is_some() {}
    let (done, got) = fetch(&mut source, &[UidSet::from_ranges([(7, 8)])]).await;
    done.unwrap();
    assert_eq!(got.len(), 2);
    drop((ask, ask2));
}

#[test]
fn a_scan_tells_folders_classes_items_samples_and_damage_and_can_be_stopped() {
    let bench = Bench::new();
    let file = bench.file(
        0,
        &[
            ("Inbox", "inbox", "a"),
            ("Inbox", "unreadable", "b"),
            ("Inbox", "found", "c"),
            ("../People", "contact", "../Ana"),
            ("../People", "contact", "../Ana"),
            ("Inbox", "damage", "A page is broken."),
            ("None", "empty", ""),
        ],
    );
    let items = bench.directory.path().join("items.zip");
    let told = bench.inspect(&file, Some(&items)).unwrap();
    assert_eq!(
        (told.messages, told.items, told.unreadable, told.salvaged, told.largest),
        (3, 5, 1, 1, bytes_of("a").len() as u64)
    );
    assert_eq!(told.others.get("contact"), Some(&2));
    assert_eq!(told.damage, ["A page is broken."]);
    let paths: Vec<&str> = told.folders.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["Inbox", "../People", "None"]);
    let inbox = &told.folders[0];
    assert_eq!((inbox.messages, inbox.items, inbox.classes.get("message")), (3, 3, Some(&3)));
    assert_eq!(inbox.oldest.as_deref(), Some("1970-01-01T01:16:40+01:00"));
    assert_eq!(inbox.samples.len(), 2);
    assert_eq!((inbox.samples[0].from.as_str(), inbox.samples[0].subject.as_str()), ("ana@x", "a"));
    assert!(told.has_items);
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&items).unwrap()).unwrap();
    let mut names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["_/People/0001 _.._Ana.vcf", "_/People/0002 _.._Ana.vcf"]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut zip.by_name(&names[0]).unwrap(), &mut text).unwrap();
    assert_eq!(text.as_bytes(), bytes_of("../Ana"));

    let before = std::fs::read(&file.catalogue).unwrap();
    let cancel = CancellationToken::new();
    let mut steps = 0;
    let mut progress = |_, _| {
        steps += 1;
        cancel.cancel();
    };
    let stopped =
        inspect_with(open_listed, &file, &file.catalogue, Some(&items), &bench.limits(), &mut progress, &cancel);
    assert!(matches!(stopped, Err(ArchiveError::Stopped)));
    assert_eq!((steps, std::fs::read(&file.catalogue).unwrap() == before), (1, true));
    let left: Vec<_> = std::fs::read_dir(bench.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[tokio::test]
async fn a_folder_of_contacts_is_no_folder_of_mail_and_an_empty_one_is() {
    let bench = Bench::new();
    let people = ("People", "contact", "Ana");
    let file = bench.file(0, &[people, ("Both", "contact", "Ana"), ("Both", "", "a"), ("None", "empty", "")]);
    let mut source = bench.driver(&[file]).source().await.unwrap();
    let folders = source.folders().await.unwrap();
    let paths: Vec<String> = folders.iter().map(|folder| folder.path.to_string()).collect();
    assert_eq!(paths, ["Both", "INBOX", "None"]);
}

#[tokio::test]
async fn a_file_cannot_be_copied_to_and_an_account_without_mail_has_an_inbox() {
    let bench = Bench::new();
    let driver = bench.driver(&[bench.file(0, &[])]);
    assert_eq!(driver.destination().await.err().unwrap().kind, FaultKind::Forbidden);
    let mut source = driver.source().await.unwrap();
    let folders = source.folders().await.unwrap();
    assert_eq!(folders.len(), 1);
    let state = source.open(&folders[0]).await.unwrap();
    assert_eq!((state.messages, state.uid_next), (0, Some(1)));
    assert!(list(&mut source, Which::From(1)).await.is_empty());
}
