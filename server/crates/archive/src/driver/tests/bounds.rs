//! Files that were changed by their owners, and files with more in them than is usual.

use super::*;

/// The SHA-256 of a file's bytes.
fn sha256(path: &Path) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_file_of_others_that_was_changed_is_noticed_and_one_that_was_put_back_is_used() {
    let bench = Bench::new();
    let mut file = bench.file(0, &[("Box", "mail", "a")]);
    (file.in_place, file.sha256) = (true, Some(sha256(&file.path)));
    bench.inspect(&file, None).unwrap();
    let before = std::fs::read(&file.path).unwrap();
    let time = std::fs::metadata(&file.path).unwrap().modified().unwrap();
    let write = |bytes: &[u8], seconds: u64| {
        std::fs::write(&file.path, bytes).unwrap();
        let opened = std::fs::File::options().write(true).open(&file.path).unwrap();
        opened.set_modified(time + std::time::Duration::from_secs(seconds)).unwrap();
    };
    let driver = || bench.driver(std::slice::from_ref(&file));
    // Put back: another time, the same bytes.
    write(&before, 5);
    let put_back = driver();
    let mut source = put_back.source().await.unwrap();
    source.open(&folder("Box")).await.unwrap();
    // Changed while it is open.
    write(&before, 9);
    assert!(put_back.source().await.is_err());
    // Changed, with the same length.
    let other = String::from_utf8(before.clone()).unwrap().replace("\"a\"", "\"b\"").into_bytes();
    assert!(other.len() == before.len() && other != before);
    write(&other, 5);
    let fault = driver().source().await.map(drop).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Damaged, "{fault:?}");
    assert!(fault.sentence.contains("SHA-256"), "{}", fault.sentence);
    // Also where its time was set back and its catalogue made again: a verification reads its bytes.
    write(&other, 0);
    bench.inspect(&file, None).unwrap();
    let fault = driver().reader().await.map(drop).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Damaged, "{fault:?}");
    assert!(fault.sentence.contains("SHA-256"), "{}", fault.sentence);
}

#[test]
fn a_file_of_very_many_folders_is_read_whole_and_shown_in_part() {
    let bench = Bench::new();
    let names: Vec<String> = (0..2_003).map(|n| format!("Folder {n}")).collect();
    let things: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "mail", "a")).collect();
    let file = bench.file(0, &things);
    let told = bench.inspect(&file, None).unwrap();
    assert_eq!((told.folders.len(), told.messages), (2_000, 2_003));
    assert!(told.damage.iter().any(|sentence| sentence.contains("3 more are not")), "{:?}", told.damage);
    assert_eq!(Catalogue::open(&file.catalogue).unwrap().folders().len(), 2_003);
}

#[test]
fn a_file_with_more_folders_than_the_bound_is_refused() {
    let bench = Bench::new();
    let deep = |n: usize| (0..100).map(|_| format!("{n:0>150}")).collect::<Vec<_>>().join("/");
    for names in [(0..50_001).map(|n| format!("F{n}")).collect::<Vec<_>>(), (0..1_000).map(deep).collect()] {
        let things: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "empty", "")).collect();
        let refused = bench.inspect(&bench.file(0, &things), None).unwrap_err();
        assert!(matches!(refused, ArchiveError::TooMuch(_)), "{refused}");
    }
}

/// One message in two folders, and how often it was generated.
struct Labelled(usize);

impl Store for Labelled {
    fn describe(&self) -> Described {
        Described { format: "labels".into(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let mut folder = |name| {
            visitor.folder(FoundFolder { path: FolderPath::from(name), special_use: None, declared: None }).unwrap()
        };
        let folders = [folder("A"), folder("B")];
        let message = FoundMessage {
            locator: Locator { at: 0, more: 0, name: None },
            class: "message".into(),
            internal_date: InternalDate { seconds: 1, zone_minutes: 0 },
            flags: Flags::default(),
            note: None,
            salvaged: false,
        };
        visitor.message_in(&folders, message, &mut |out| {
            self.0 += 1;
            Ok(out.write_all(&bytes_of("a"))?)
        })
    }

    fn message(&mut self, _: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        Ok(out.write_all(&bytes_of("a"))?)
    }
}

#[test]
fn a_message_of_several_folders_is_in_each_and_generated_once() {
    let directory = tempfile::tempdir().unwrap();
    let writer = crate::catalogue::Writer::begin(&directory.path().join("catalogue")).unwrap();
    let (mut store, cancel) = (Labelled(0), CancellationToken::new());
    let progress = &mut |_, _| {};
    let scan = crate::catalogue::Scan::new(writer, None, progress, &cancel);
    let told = scan.run(&mut store, crate::Stamp::default()).unwrap();
    assert_eq!((store.0, told.messages), (1, 2));
    assert!(told.folders.iter().all(|folder| folder.messages == 1 && folder.samples.len() == 1), "{told:?}");
}

#[tokio::test]
async fn the_epoch_is_the_accounts_whichever_files_it_has() {
    let bench = Bench::new();
    let files = [bench.file(0, &[("Box", "mail", "a")]), bench.file(1, &[("Box", "mail", "b")])];
    let epoch = async |seed: &str, files: &[FileSource]| {
        let seed = seed.to_owned();
        let account = ArchiveAccount { label: "x".into(), seed, files: files.to_vec(), limits: bench.limits() };
        let mut source = ArchiveDriver::with(account, open_listed).source().await.unwrap();
        source.open(&folder("Box")).await.unwrap().uid_validity
    };
    let both = epoch("x", &files).await;
    assert_eq!((epoch("x", &files[..1]).await, epoch("x", &files[1..]).await), (both, both));
    assert_ne!(epoch("y", &files).await, both);
}

#[tokio::test]
async fn a_folder_of_others_that_was_changed_is_noticed_at_the_next_run_and_the_one_after() {
    let bench = Bench::new();
    let path = bench.directory.path().join("mail");
    std::fs::create_dir(&path).unwrap();
    let write = |name: &str, text: &str| std::fs::write(path.join(name), bytes_of(text)).unwrap();
    write("2.eml", "a");
    let mut file = bench.file(0, &[]);
    (file.path, file.kind, file.in_place) = (path.clone(), SourceType::Eml, true);
    let cancel = CancellationToken::new();
    crate::inspect(&file, &file.catalogue, None, &bench.limits(), &mut |_, _| {}, &cancel).unwrap();
    let source = async || {
        let files = vec![file.clone()];
        let account = ArchiveAccount { label: "x".into(), seed: "x".into(), files, limits: bench.limits() };
        ArchiveDriver::new(account).source().await.map(drop)
    };
    source().await.unwrap();
    // It comes before the one that has the number 1.
    write("1.eml", "b");
    for _ in 0..2 {
        let fault = source().await.unwrap_err();
        assert!(fault.kind == FaultKind::Damaged && fault.sentence.contains("gives other messages"), "{fault}");
    }
    std::fs::remove_file(path.join("1.eml")).unwrap();
    source().await.unwrap();
}
