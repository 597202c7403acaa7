//! Both readers, agreeing and disagreeing.

use super::*;
use crate::ItemKind;

/// A store of a few messages.
struct Few(Vec<(&'static str, &'static str)>);

impl Store for Few {
    fn describe(&self) -> Described {
        Described { format: "PST, Unicode".into(), encoding: None }
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        for (n, (folder, text)) in self.0.iter().enumerate() {
            let path = FolderPath::from(*folder);
            let number = visitor.folder(FoundFolder { path, special_use: None, declared: None })?;
            let message = FoundMessage {
                locator: Locator { at: n as u64, more: 0, name: None },
                class: "IPM.Note".into(),
                internal_date: InternalDate { seconds: 1_000 + n as i64, zone_minutes: 0 },
                flags: Flags::from("\\Seen"),
                note: None,
                salvaged: false,
            };
            visitor.message(number, message, &mut |out| Ok(out.write_all(text.as_bytes())?))?;
        }
        Ok(())
    }

    fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
        unreachable!("readpst's bytes are wanted")
    }
}

#[derive(Default)]
struct Told {
    folders: Vec<String>,
    messages: Vec<(String, String, Locator)>,
    unreadable: Vec<(String, u64)>,
    damage: Vec<String>,
}

impl Visitor for Told {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        let name = folder.path.to_string();
        let at = self.folders.iter().position(|f| *f == name).unwrap_or_else(|| {
            self.folders.push(name);
            self.folders.len() - 1
        });
        Ok(at as u32)
    }
    fn message(&mut self, folder: u32, message: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        let text = String::from_utf8(bytes).expect("text");
        self.messages.push((self.folders[folder as usize].clone(), text, message.locator));
        Ok(())
    }
    fn unreadable(&mut self, folder: u32, message: FoundMessage, _: String) -> Result<(), ArchiveError> {
        self.unreadable.push((self.folders[folder as usize].clone(), message.locator.at));
        Ok(())
    }
    fn item(&mut self, _: u32, item: FoundItem, _: Content<'_>) -> Result<(), ArchiveError> {
        assert_ne!(item.kind, ItemKind::Contact);
        Ok(())
    }
    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.damage.push(sentence);
        Ok(())
    }
    fn progress(&mut self, _: u64, _: u64) -> Result<(), ArchiveError> {
        Ok(())
    }
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

#[test]
fn every_message_of_both_readers_has_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let with_id = "Message-Id: <1@x>\r\nSubject: one\r\n\r\nours\r\n";
    let dated = "Date: Tue, 21 Jun 2011 23:46:39 +0000\r\nSubject: =?utf-8?q?ol=C3=A1?=\r\n\r\nours\r\n";
    let bare = "From: Ana <ana@x>\r\nSubject: hm\r\n\r\nours\r\n";
    let own = Few(vec![
        ("INBOX", with_id),
        ("Work", dated),
        ("Work", bare),
        ("Work", bare),
        ("INBOX", "Subject: lost\r\n\r\n"),
        ("Drafts", "Subject: draft\r\n\r\n"),
    ]);
    write(root, "Outlook/Inbox/1.eml", "Status: RO\nMessage-Id: <1@x>\nSubject: One\n\ntheirs\n");
    write(root, "Outlook/Work/1.eml", "Subject: olá\nDate: Tue, 21 Jun 2011 20:46:39 -0300\n\ntheirs\n");
    write(root, "Outlook/Work/2.eml", "From: \"Ana\" <ana@x>\nSubject: hm\n\ntheirs a\n");
    write(root, "Outlook/Work/10.eml", "From: \"Ana\" <ana@x>\nSubject: hm\n\ntheirs b\n");
    write(root, "Outlook/Deep/Er/1.eml", "Subject: only theirs\nDate: Tue, 21 Jun 2011 20:46:39 -0300\n\n");
    // It invents a sender where there is none; the subject alone counts in the same folder.
    write(root, "Outlook/Drafts/1.eml", "From: <MAILER-DAEMON>\nSubject: draft\n\ntheirs\n");
    write(
        root,
        "Outlook/Other/1.eml",
        "From: <MAILER-DAEMON>\nSubject: lost\nDate: Tue, 21 Jun 2011 20:46:39 -0300\n\n",
    );
    write(root, "Outlook/Contacts/1.vcf", "BEGIN:VCARD");
    let mut store = ReadpstStore::new(Box::new(own), root);
    for _ in 0..2 {
        let mut told = Told::default();
        store.scan(&mut told).expect("a scan");
        let bodies: Vec<(&str, &str)> = told
            .messages
            .iter()
            .map(|(folder, text, _)| (folder.as_str(), text.split("\r\n\r\n").nth(1).expect("a body").trim_end()))
            .collect();
        assert_eq!(
            bodies,
            [
                ("INBOX", "theirs"),
                ("Work", "theirs"),
                ("Work", "theirs a"),
                ("Work", "theirs b"),
                ("Drafts", "theirs"),
                ("Deep/Er", ""),
                ("Other", "")
            ]
        );
        assert_eq!(told.unreadable, [("INBOX".to_owned(), 4)]);
        assert_eq!(
            told.damage,
            [
                "Deep/Er: readpst wrote 0 of 0 messages, and 1 that the built-in reader does not find.",
                "INBOX: readpst wrote 1 of 2 messages.",
                "Other: readpst wrote 0 of 0 messages, and 1 that the built-in reader does not find."
            ]
        );
        for (_, text, locator) in &told.messages {
            let mut again = Vec::new();
            store.message(locator, &mut again).expect("given");
            assert_eq!(again, text.as_bytes());
        }
    }
}

#[test]
fn a_message_never_takes_the_file_of_another_that_looks_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let daily =
        |day: u32| format!("From: a@x\r\nSubject: Daily\r\nDate: {day} Jun 2011 10:00:00 +0000\r\n\r\nday {day}\r\n");
    let texts: Vec<&'static str> = (1..=5).map(|day| &*Box::leak(daily(day).into_boxed_str())).collect();
    // The third is not written.
    for day in [1, 2, 4, 5] {
        write(folder.path(), &format!("S/Inbox/{day}.eml"), &daily(day));
    }
    let own = Few(texts.iter().map(|text| ("Inbox", *text)).collect());
    let mut told = Told::default();
    ReadpstStore::new(Box::new(own), folder.path()).scan(&mut told).expect("a scan");
    assert_eq!(told.unreadable, [("Inbox".to_owned(), 2)]);
    let bodies: Vec<&str> =
        told.messages.iter().map(|(_, text, _)| text.split("\r\n\r\n").nth(1).expect("one").trim()).collect();
    assert_eq!(bodies, ["day 1", "day 2", "day 4", "day 5"]);
}

#[test]
fn a_file_that_is_gone_is_unreadable_and_nothing_beside_the_directory_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = ReadpstStore::new(Box::new(Few(Vec::new())), folder.path().join("out"));
    let mut at = |name: Option<&str>| {
        store.message(&Locator { at: 1, more: 0, name: name.map(Into::into) }, &mut Vec::new()).expect_err("no message")
    };
    assert!(matches!(at(Some("a/1.eml")), ArchiveError::Unreadable(_)));
    assert!(matches!(at(None), ArchiveError::Unreadable(_)));
    for name in ["../secret", "/etc/passwd", "a/../../b"] {
        assert!(matches!(at(Some(name)), ArchiveError::Damaged(_)), "{name}");
    }
}

/// Two messages, of which the first breaks off within its header.
struct Broken(fn() -> ArchiveError);

impl Store for Broken {
    fn describe(&self) -> Described {
        Few(Vec::new()).describe()
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let inbox = visitor.folder(FoundFolder { path: "Inbox".into(), special_use: None, declared: None })?;
        for at in [7, 8] {
            let message = FoundMessage {
                locator: Locator { at, more: 0, name: None },
                class: "IPM.Note".into(),
                internal_date: InternalDate { seconds: 1_000, zone_minutes: 0 },
                flags: Flags::default(),
                note: None,
                salvaged: false,
            };
            visitor.message(inbox, message, &mut |out| {
                out.write_all(b"Subject: whole\r\n")?;
                if at == 7 { Err((self.0)()) } else { Ok(out.write_all(b"\r\nours\r\n")?) }
            })?;
        }
        Ok(())
    }

    fn message(&mut self, _: &Locator, _: &mut dyn Write) -> Result<(), ArchiveError> {
        unreachable!("readpst's bytes are wanted")
    }
}

#[test]
fn a_message_that_breaks_off_in_its_header_is_one_that_cannot_be_read_and_the_others_are() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "S/Inbox/1.eml", "Subject: whole\n\ntheirs\n");
    let scanned = |error| {
        let mut told = Told::default();
        let scanned = ReadpstStore::new(Box::new(Broken(error)), folder.path()).scan(&mut told);
        (scanned, told)
    };
    let broken: [fn() -> ArchiveError; 3] = [
        || ArchiveError::Unreadable("A part of it is gone.".into()),
        || ArchiveError::Damaged("A page is broken.".into()),
        || ArchiveError::TooMuch("It has too many parts.".into()),
    ];
    for error in broken {
        let (scanned, told) = scanned(error);
        scanned.expect("one message is no reason to refuse a file");
        assert_eq!(told.unreadable, [("Inbox".to_owned(), 7)]);
        let bodies: Vec<(&str, u64)> =
            told.messages.iter().map(|(folder, _, locator)| (folder.as_str(), locator.at)).collect();
        assert_eq!(bodies, [("Inbox", 8)]);
        assert!(told.messages[0].1.ends_with("theirs\r\n"), "{:?}", told.messages);
    }
    // The disk's fault is none of the message's.
    let (failed, _) = scanned(|| ArchiveError::Io(io::ErrorKind::StorageFull.into()));
    assert!(matches!(failed, Err(ArchiveError::Io(_))), "{failed:?}");
}
