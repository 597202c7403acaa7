use super::*;
use crate::testing::{Seen, gzip, read, samples, tar, zip};
use std::{fs::File, path::PathBuf};

const MESSAGE: &str = "From: a@b\r\nTo: c@d\r\nSubject: x\r\nDate: 1 Jan 2020 00:00:00 +0000\r\n\r\nx\r\n";
const MBOX: &str =
    "From a@b Mon Jun  3 12:50:27 1996\nSubject: 1\n\nx\n\nFrom a@b Mon Jun  3 12:50:28 1996\nSubject: 2\n\ny\n";
const META: &str = r#"{"type":5,"id":300,"Path":"/Inbox/","date":1600000000,"size":80,"FlagStr":""}"#;

/// A folder to write sources into.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, path: &Path, source_type: SourceType) -> Result<Seen, ArchiveError> {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits::new(work.path());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let seen = open(path, &name, source_type, &limits).and_then(|mut store| read(&mut *store));
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "temporary files have no name");
        seen
    }
}

/// An archive around itself, so many times.
fn nested(depth: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut inner = zip(&[("a.eml", MESSAGE)]);
    for _ in 0..depth {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file("inner.zip", options).unwrap();
        archive.write_all(&inner).unwrap();
        inner = archive.finish().unwrap().into_inner();
    }
    inner
}

#[test]
fn each_kind_is_told_by_its_content_and_has_a_source_type() {
    let bench = Bench::new();
    let folder = bench.0.path().join("tree");
    bench.file("tree/Inbox/1.eml", MESSAGE);
    let maildir = bench.0.path().join("Maildir");
    bench.file("Maildir/cur/1600000000.M1.host:2,S", MESSAGE);
    let export = tar(&[("Inbox/0000000300-x.eml.meta", META), ("Inbox/0000000300-x.eml", MESSAGE)]);
    let cases = [
        (bench.file("a", MBOX), Some(SourceType::Mbox), "This is an mbox file."),
        (bench.file("b", MESSAGE), Some(SourceType::Eml), "This is a single message."),
        (folder, Some(SourceType::Eml), "This is a folder with messages as files (.eml)."),
        (maildir, Some(SourceType::Eml), "This is a folder with Maildirs."),
        (
            bench.file("c", zip(&[("x/1.eml", MESSAGE)])),
            Some(SourceType::Eml),
            "This is a zip with messages as files (.eml).",
        ),
        (bench.file("d", zip(&[("Inbox.mbox", MBOX)])), Some(SourceType::Mbox), "This is a zip with mbox files."),
        (
            bench.file("e", gzip(&tar(&[("Inbox", MBOX)]))),
            Some(SourceType::Mbox),
            "This is a tar archive with mbox files.",
        ),
        (
            bench.file("f", gzip(&export)),
            Some(SourceType::Tgz),
            "This is a tar archive with an export of Zimbra or Carbonio.",
        ),
        (
            bench.file("g", &export),
            Some(SourceType::Tgz),
            "This is a tar archive with an export of Zimbra or Carbonio.",
        ),
        (bench.file("h", ""), None, "The file is empty: there is not one byte in it. Bring it again."),
        (
            bench.file("i", "%PDF-1.4"),
            None,
            "This is no file of mail that can be read (PST, OST, mbox, .eml, a zip or tar of these, a Zimbra export): it looks like a PDF.",
        ),
    ];
    for (path, source_type, sentence) in cases {
        let detected = detect(&path).unwrap();
        assert_eq!((detected.source_type(), detected.sentence.as_str()), (source_type, sentence), "{}", path.display());
        if let Some(source_type) = source_type {
            let seen = bench.open(&path, source_type).unwrap();
            assert!(!seen.messages.is_empty() && seen.damage.is_empty(), "{}: {:?}", path.display(), seen.damage);
        }
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_a_sentence_that_says_what_to_do() {
    use SourceType::{Eml, Mbox, Pst, Tgz};
    let bench = Bench::new();
    let folder = bench.0.path().join("empty");
    std::fs::create_dir(&folder).unwrap();
    let mut half = zip(&[("a.eml", MESSAGE), ("b.eml", MESSAGE)]);
    half.truncate(half.len() / 2);
    let mut future = b"!BDN\0\0\0\0SM".to_vec();
    future.extend_from_slice(&[99, 0]);
    future.resize(600, 0);
    let cases: [(&str, Vec<u8>, SourceType, &str); 13] = [
        ("empty.pst", Vec::new(), Pst, "The file is empty"),
        (
            "text.pst",
            b"Dear all,\nthis is a letter.\n".repeat(50),
            Pst,
            "This is no Outlook data file, whatever its name says. This is no file of mail that can be read (PST, OST, mbox, .eml, a zip or tar of these, a Zimbra export): it looks like text.",
        ),
        ("box.pst", MBOX.into(), Pst, "This is an mbox file. It cannot be read as pst; choose the source type mbox."),
        ("hundred.pst", b"!BDN".iter().copied().chain([0; 96]).collect(), Pst, ""),
        ("future.pst", future, Pst, "This PST or OST file is of version 99, which is not known"),
        (
            "half.zip",
            half,
            Eml,
            "The zip is cut off or damaged: the directory at its end is missing. Bring the whole file.",
        ),
        (
            "wrong.zip",
            zip(&[("a.eml", MESSAGE)]),
            Mbox,
            "This is a zip with messages as files (.eml). It cannot be read as mbox; choose the source type eml.",
        ),
        (
            "photos.zip",
            zip(&[("a.jpg", "\u{ff}\u{d8}")]),
            Eml,
            "This is a zip without mail that can be read: no .eml, no mbox file, no Maildir.",
        ),
        (
            "deep.zip",
            nested(1000),
            Eml,
            "This is a zip without mail of its own, but with a data file of Outlook or an archive in it",
        ),
        ("half.tgz", gzip(&tar(&[("a.eml", MESSAGE)]))[..20].to_vec(), Tgz, "This is no file of mail that can be read"),
        (
            "zeros.mbox",
            vec![0; 4096],
            Mbox,
            "This is no file of mail that can be read (PST, OST, mbox, .eml, a zip or tar of these, a Zimbra export): it begins with nothing but zeros; it may not have been copied whole.",
        ),
        ("x.dbx", b"\xCF\xAD\x12\xFE\xC5\xFD".to_vec(), Mbox, "This is no file of mail that can be read"),
        (
            "one.eml",
            MESSAGE.into(),
            Tgz,
            "This is a single message. It cannot be read as tgz; choose the source type eml.",
        ),
    ];
    for (name, bytes, source_type, sentence) in cases {
        let error = bench.open(&bench.file(name, bytes), source_type).unwrap_err().to_string();
        assert!(error.starts_with(sentence) && error.ends_with('.'), "{name}: {error}");
    }
    let error = bench.open(&folder, Eml).unwrap_err();
    assert!(error.to_string().starts_with("This is a folder without mail"), "{error}");
}

#[test]
fn an_archive_inside_is_not_opened_and_the_mail_beside_it_is_read() {
    let bench = Bench::new();
    let tree = bench.0.path().join("tree");
    bench.file("tree/inner.zip", nested(1000));
    bench.file("tree/archive.pst", b"!BDN\0\0\0\0SM");
    bench.file("tree/a.eml", MESSAGE);
    let seen = bench.open(&tree, SourceType::Eml).unwrap();
    assert_eq!(seen.messages.len(), 1);
    assert_eq!(
        seen.losses,
        [
            "\"archive.pst\" is an Outlook data file of its own and was not opened. Unpack it and add it as a file.",
            "\"inner.zip\" is a zip archive of its own and was not opened. Unpack it and add it as a file.",
        ]
    );
}

#[test]
fn an_mbox_file_is_a_folder_of_its_name() {
    let bench = Bench::new();
    for (name, folder) in [
        ("Enviados.mbox", "Enviados"),
        ("Inbox", "INBOX"),
        ("mbox", "INBOX"),
        ("ana@example.org.mbox", "INBOX"),
        ("All mail Including Spam and Trash.mbox", "INBOX"),
        ("Sent", "Sent"),
    ] {
        let seen = bench.open(&bench.file(name, MBOX), SourceType::Mbox).unwrap();
        assert_eq!(seen.counts(), [(folder.to_owned(), 2)], "{name}");
    }
}

/// Every file of these folders is a message, and each is given with its bytes: CRLF for LF where the file has no CR.
#[test]
fn the_eml_samples_are_all_read() {
    let Some(samples) = samples() else { return };
    let bench = Bench::new();
    for (folder, wanted) in [("mail-parser", 107), ("mime4j", 80), ("cpython", 48)] {
        let seen = bench.open(&samples.join("eml").join(folder), SourceType::Eml).unwrap();
        assert_eq!(seen.messages.len() + seen.unreadable.len(), wanted, "{folder}: {:?}", seen.damage);
        assert_eq!(seen.unreadable.len(), 0, "{folder}: {:?}", seen.unreadable);
        let folders: Vec<String> = seen.folders.iter().map(|f| f.path.to_string()).collect();
        if folder == "mail-parser" {
            assert_eq!(folders, ["legacy", "malformed", "rfc", "thirdparty"]);
        }
    }
}

#[test]
fn outlooks_single_files_are_read_as_what_they_are() {
    let Some(samples) = samples() else { return };
    let bench = Bench::new();
    let seen = bench.open(&samples.join("eml/outlook-msg"), SourceType::Eml).unwrap();
    assert_eq!((seen.messages.len(), seen.items.len(), seen.unreadable.len()), (8, 4, 0), "{:?}", seen.unreadable);
    let mut kinds: Vec<&str> = seen.items.iter().map(|(_, item, _)| item.class.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["IPM.Appointment", "IPM.Contact", "IPM.StickyNote", "IPM.Task"]);
    for message in &seen.messages {
        let text = String::from_utf8_lossy(&message.bytes);
        assert!(text.contains("MIME-Version: 1.0\r\n"), "{text}");
    }
    let one = samples.join("eml/outlook-msg/test-outlook.msg");
    assert_eq!(bench.open(&one, SourceType::Eml).unwrap().messages.len(), 1);
    let zipped = bench.file("a.zip", zip_of(&std::fs::read(one).unwrap()));
    let seen = bench.open(&zipped, SourceType::Eml).unwrap();
    assert_eq!((seen.messages.len(), seen.messages[0].folder.as_str()), (1, "Old"));
}

/// A zip with one `.msg` in it.
fn zip_of(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("Old/a.msg", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn a_message_of_two_hundred_megabytes_and_a_line_of_two_gigabytes_pass_in_pieces() {
    struct Counted(u64, u64);
    impl std::io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            self.1 = self.1.max(bytes.len() as u64);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    struct Once(Counted);
    impl crate::Visitor for Once {
        fn folder(&mut self, _: crate::FoundFolder) -> Result<u32, ArchiveError> {
            Ok(0)
        }
        fn message(&mut self, _: u32, _: crate::FoundMessage, content: crate::Content<'_>) -> Result<(), ArchiveError> {
            content(&mut self.0)
        }
        fn unreadable(&mut self, _: u32, _: crate::FoundMessage, why: String) -> Result<(), ArchiveError> {
            panic!("{why}")
        }
        fn item(&mut self, _: u32, _: crate::FoundItem, _: crate::Content<'_>) -> Result<(), ArchiveError> {
            panic!("no item")
        }
        fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
            panic!("{sentence}")
        }
        fn progress(&mut self, _: u64, _: u64) -> Result<(), ArchiveError> {
            Ok(())
        }
    }
    let bench = Bench::new();
    // A hole in the file: as long as it says, and without weight on the disk.
    for (name, head, source_type, length) in [
        ("big.eml", MESSAGE, SourceType::Eml, 200_000_000),
        ("line.mbox", "From a@b Mon Jun  3 12:50:27 1996\r\nA: b\r\n\r\n", SourceType::Mbox, 2_100_000_000),
    ] {
        let path = bench.file(name, head);
        File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
        let mut once = Once(Counted(0, 0));
        open(&path, name, source_type, &Limits::new(bench.0.path())).unwrap().scan(&mut once).unwrap();
        let separator = if source_type == SourceType::Mbox { 35 } else { 0 };
        assert_eq!(once.0.0, length - separator, "{name}");
        assert!(once.0.1 <= 256 * 1024, "{name} in pieces of {}", once.0.1);
    }
}

#[test]
fn a_bomb_is_refused_with_its_bound() {
    let bench = Bench::new();
    let limits = Limits { unpacked: 1_000_000, ..Limits::new(bench.0.path()) };
    let big = format!("{MESSAGE}{}", "x".repeat(2_000_000));
    for (name, bytes, source_type) in [
        ("a.zip", zip(&[("a.eml", MESSAGE), ("b.eml", &big)]), SourceType::Eml),
        ("a.tgz", gzip(&tar(&[("a.eml", MESSAGE), ("b.eml", &big)])), SourceType::Tgz),
    ] {
        let path = bench.file(name, bytes);
        let opened = open(&path, name, source_type, &limits);
        let error = opened.and_then(|mut store| store.scan(&mut Seen::default())).unwrap_err();
        assert!(matches!(&error, ArchiveError::TooMuch(s) if s.contains("1000000 bytes")), "{name}: {error}");
    }
}

/// Numbers that look random and are the same at every run.
fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % below.max(1)
    }
}

#[test]
fn no_flipped_or_missing_byte_makes_a_reader_panic() {
    let export = tar(&[("Inbox/1-x.eml.meta", META), ("Inbox/1-x.eml", MESSAGE), ("Contacts/x.vcf", "BEGIN:VCARD\n")]);
    let emlx = format!("{}\n{MESSAGE}<plist><key>flags</key><integer>1</integer></plist>", MESSAGE.len());
    let sources = [
        (SourceType::Mbox, MBOX.repeat(3).into_bytes()),
        (SourceType::Mbox, format!("From 1@xxx Sat Jan 01 00:00:00 +0000 2022\nX-Gmail-Labels: =?utf-8?Q?a=C3=A9?=,Inbox\nContent-Length: 2\n\nx\n\n{MBOX}").into_bytes()),
        (SourceType::Eml, zip(&[("Inbox/1.eml", MESSAGE), ("cur/1.M1.h:2,S", MESSAGE), ("b", MBOX), ("1.emlx", &emlx)])),
        (SourceType::Tgz, export.clone()),
        (SourceType::Tgz, gzip(&export)),
    ];
    let bench = Bench::new();
    let limits = Limits::new(bench.0.path());
    let mut number = numbers(5);
    for (source_type, good) in sources {
        for round in 0..400 {
            let mut bad = good.clone();
            if round % 4 == 0 {
                bad.truncate(number(good.len()));
            }
            for _ in 0..1 + round % 5 {
                let at = number(bad.len());
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 1 << number(8);
                }
            }
            let path = bench.file("bad", &bad);
            // An error is an answer; a panic is none.
            if let Ok(mut store) = open(&path, "bad", source_type, &limits) {
                let _ = read(&mut *store);
            }
        }
    }
}
