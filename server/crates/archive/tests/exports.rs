//! mbox in its kinds, Takeout, Thunderbird and Zimbra's exports, of our own making.

mod common;

use common::{Found, scan, scan_bytes};
use gatepost_contract::SourceType;
use gatepost_testkit::archives::eml;
use gatepost_testkit::archives::mbox::{Quoting, mbox, takeout, thunderbird, unix};
use gatepost_testkit::archives::zimbra::{Exported, Zimbra};
use gatepost_testkit::archives::zip::Zip;
use std::collections::BTreeMap;

fn flags(found: &Found, text: &str) -> Vec<String> {
    found.with(text).found.flags.iter().map(str::to_owned).collect()
}

#[test]
fn lines_that_look_like_separators_come_out_as_they_went_in() {
    let tricky = b"Subject: tricky\r\n\r\nFrom here on\r\n>From there\r\n\r\nFrom ana@example.test Thu Feb 29 12:00:00 2024\r\nend\r\n";
    let messages = vec![eml(1), tricky.to_vec(), eml(3)];
    for quoting in [Quoting::Each, Quoting::Counted, Quoting::CountedOnly] {
        let found = scan_bytes(&mbox(quoting, &messages), "mail.mbox", SourceType::Mbox).expect("an mbox");
        assert_eq!(found.messages.len(), 3, "{quoting:?}");
        let read: Vec<String> = found
            .messages
            .iter()
            .map(|message| {
                let text = String::from_utf8(unix(&message.bytes)).expect("text");
                text.lines().filter(|line| !line.starts_with("Content-Length:")).collect::<Vec<_>>().join("\n")
            })
            .map(|text| text.trim_end().to_owned())
            .collect();
        let written: Vec<String> = messages
            .iter()
            .map(|message| String::from_utf8(unix(message)).expect("text").trim_end().to_owned())
            .collect();
        assert_eq!(read, written, "{quoting:?}");
    }
}

#[test]
fn labels_of_gmail_become_folders_and_flags() {
    let mbox = takeout(&[
        ("Inbox,Starred", eml(1)),
        ("=?UTF-8?Q?Clientes/A=C3=A7=C3=A3o,Unread?=", eml(2)),
        ("Sent", eml(3)),
        ("Archived,Opened", eml(4)),
    ]);
    let found = scan_bytes(&mbox, "All mail Including Spam and Trash.mbox", SourceType::Mbox).expect("an mbox");
    assert_eq!(found.messages.len(), 4, "{:?}", found.counts());
    assert!(flags(&found, "eml-1@").contains(&"\\Flagged".to_owned()));
    assert!(!flags(&found, "eml-2@").contains(&"\\Seen".to_owned()));
    assert!(flags(&found, "eml-4@").contains(&"\\Seen".to_owned()));
    assert_eq!(found.with("eml-1@").folder, "INBOX");
    assert_eq!(found.with("eml-2@").folder, "Clientes/Ação");
}

#[test]
fn a_tree_of_thunderbird_keeps_its_folders() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |from: usize, count: usize| mbox(Quoting::Once, &(from..from + count).map(eml).collect::<Vec<_>>());
    let folders =
        [("Inbox", of(0, 3)), ("Inbox/Clientes", of(10, 2)), ("Inbox/Clientes/Ação", of(20, 1)), ("Sent", of(30, 1))];
    thunderbird(dir.path(), &folders).expect("space");
    let found = scan(dir.path(), SourceType::Mbox).expect("a tree");
    let counts: BTreeMap<String, usize> =
        found.counts().into_iter().map(|(path, count)| (path.replacen("INBOX", "Inbox", 1), count)).collect();
    let expected = [("Inbox", 3), ("Inbox/Clientes", 2), ("Inbox/Clientes/Ação", 1), ("Sent", 1)];
    assert_eq!(
        counts,
        expected.into_iter().map(|(path, count)| (path.to_owned(), count)).collect(),
        "{:?}",
        found.damage
    );
}

#[test]
fn a_zip_of_messages_keeps_its_folders() {
    let zip = Zip::new()
        .file("Caixa de Entrada/1.eml", &eml(1))
        .file("Caixa de Entrada/Ação/2.eml", &eml(2))
        .stored("Enviados/3.eml", &eml(3))
        .finish();
    let found = scan_bytes(&zip, "mail.zip", SourceType::Eml).expect("a zip");
    let counts = found.counts();
    assert_eq!(counts.len(), 3, "{counts:?}");
    assert_eq!(found.with("eml-2@").folder, "Caixa de Entrada/Ação");
    assert_eq!(found.with("eml-3@").bytes, eml(3));
}

fn message<'a>(folder: &'a str, flags: &'a str, tags: &'a str, number: usize) -> Exported<'a> {
    Exported { folder, date: 1_700_000_000 + number as u64, flags, tags, subject: "Olá", bytes: eml(number) }
}

#[test]
fn an_export_of_zimbra_gives_folders_flags_tags_and_dates() {
    let export = Zimbra::new()
        .message(&message("/Inbox", "u", "", 1))
        .message(&message("/Inbox/Clientes", "fr", "Urgente:Caf\u{e9}", 2))
        .message(&message("/Sent", "s", "", 3))
        .message(&message("/Drafts", "d", "", 4))
        .contact("/Contacts", "Maria", "maria@example.test")
        .finish();
    let found = scan_bytes(&export, "ana.tgz", SourceType::Tgz).expect("an export");
    assert_eq!(found.messages.len(), 4, "{:?} {:?}", found.counts(), found.damage);
    assert!(!flags(&found, "eml-1@").contains(&"\\Seen".to_owned()));
    let second = flags(&found, "eml-2@");
    for flag in ["\\Seen", "\\Flagged", "\\Answered", "Urgente"] {
        assert!(second.iter().any(|one| one == flag), "{flag}: {second:?}");
    }
    assert!(flags(&found, "eml-4@").contains(&"\\Draft".to_owned()));
    assert_eq!(found.with("eml-2@").found.internal_date.seconds, 1_700_000_002);
    assert!(found.with("eml-2@").folder.ends_with("/Clientes"), "{}", found.with("eml-2@").folder);
    assert_eq!(found.items.len(), 1);
    assert!(String::from_utf8_lossy(&found.items[0].bytes).contains("maria@example.test"));
}

#[test]
fn a_folder_that_was_split_is_one_folder() {
    let export = (0..1_100).fold(Zimbra::new(), |export, number| export.message(&message("/Inbox", "", "", number)));
    let found = scan_bytes(&export.finish(), "ana.tgz", SourceType::Tgz).expect("an export");
    assert_eq!(found.counts().into_values().collect::<Vec<_>>(), [1_100], "{:?}", found.counts());
}

#[test]
fn an_export_of_a_part_makes_its_folders_from_the_paths() {
    let export = Zimbra::partial().message(&message("/Arquivo/2023", "", "", 1)).finish();
    let found = scan_bytes(&export, "part.tgz", SourceType::Tgz).expect("an export");
    assert_eq!(found.with("eml-1@").folder, "Arquivo/2023");
}

#[test]
fn a_message_that_the_server_could_not_read_is_not_passed_off_as_whole() {
    let export = Zimbra::new().broken(&message("/Inbox", "", "", 1)).message(&message("/Inbox", "", "", 2)).finish();
    let found = scan_bytes(&export, "ana.tgz", SourceType::Tgz).expect("an export");
    let noted = found.messages.iter().filter(|message| message.found.note.is_some()).count();
    assert_eq!(noted + found.unreadable.len(), 1, "{:?} {:?}", found.counts(), found.unreadable);
    assert!(found.messages.iter().any(|message| message.bytes == eml(2)));
}

#[test]
fn a_message_without_a_meta_is_filed_by_its_directory_and_its_time() {
    let export = Zimbra::new().bare("Inbox/extra.eml", &eml(9), 1_600_000_000).finish();
    let found = scan_bytes(&export, "ana.tgz", SourceType::Tgz).expect("an export");
    let message = found.with("eml-9@");
    assert!(message.folder.eq_ignore_ascii_case("inbox"), "{}", message.folder);
    assert_eq!(message.found.internal_date.seconds, 1_600_000_000);
}
