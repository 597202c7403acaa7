//! PST files of our own making: the same mail whatever the layout and the encoding, damage read around, and what a mail
//! program sees of each message.

mod common;

use common::{Found, scan_bytes};
use gatepost_archive::{ArchiveError, Catalogue, Entry, FileSource, ItemKind, Limits, inspect};
use gatepost_contract::{Inspection, SourceType, SpecialUse};
use gatepost_testkit::archives::damage::{cut, flipped, zeroed};
use gatepost_testkit::pst::{Attachment, Encoding, Item, Layout, Options, Pst, Role, Tree, everything, load};
use gatepost_transfer::Digests;
use mail_parser::{MessageParser, MimeHeaders as _};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

fn store(options: Options) -> Vec<u8> {
    let mut pst = Pst::memory(options);
    everything(&mut pst).expect("memory");
    pst.bytes()
}

fn read(bytes: &[u8]) -> Found {
    scan_bytes(bytes, "mail.pst", SourceType::Pst).expect("a store")
}

#[test]
fn the_same_mail_is_read_in_every_layout_and_encoding() {
    let reference = read(&store(Options::default()));
    assert_eq!(reference.messages.len(), 12, "{:?} {:?}", reference.counts(), reference.damage);
    assert_eq!(reference.items.len(), 6, "{:?}", reference.classes());
    assert!(reference.unreadable.is_empty(), "{:?}", reference.unreadable);
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        for encoding in [Encoding::None, Encoding::Permute, Encoding::Cyclic] {
            for tree in [Tree::Store, Tree::Offline] {
                let found = read(&store(Options { layout, encoding, tree, ..Options::default() }));
                assert_eq!(found.counts(), reference.counts(), "{layout:?} {encoding:?} {tree:?} {:?}", found.damage);
                assert_eq!(found.classes(), reference.classes(), "{layout:?} {encoding:?} {tree:?}");
                for (one, other) in found.messages.iter().zip(&reference.messages) {
                    let text = String::from_utf8_lossy(&one.bytes);
                    assert!(one.bytes == other.bytes, "{layout:?} {encoding:?} {tree:?}: {text:.2000}");
                }
            }
        }
    }
}

#[test]
fn trees_of_many_levels_and_tables_of_many_blocks_are_read_whole() {
    for layout in [Layout::Ansi, Layout::Unicode, Layout::FourK] {
        let mut pst = Pst::memory(Options { layout, entries_per_page: 3, ..Options::default() });
        load(&mut pst, 700, 1_000, 3).expect("memory");
        let found = read(&pst.bytes());
        assert_eq!(found.messages.len(), 700, "{layout:?} {:?}", found.damage);
        assert!(found.damage.is_empty() && found.losses.is_empty(), "{layout:?} {:?} {:?}", found.damage, found.losses);
    }
}

#[test]
fn folders_have_their_place_and_their_purpose_whatever_they_are_called() {
    let found = read(&store(Options::default()));
    let counts: BTreeMap<&str, usize> = BTreeMap::from([
        ("INBOX", 4),
        ("INBOX/Clientes \\/ Ação", 2),
        ("INBOX/Clientes \\/ Ação/2024", 3),
        ("Itens Enviados", 1),
        ("Rascunhos", 1),
        ("Deleted Items", 1),
    ]);
    let known: BTreeMap<String, usize> = found.counts();
    let renamed: BTreeMap<String, usize> =
        known.into_iter().map(|(path, count)| (path.replacen("Caixa de Entrada", "INBOX", 1), count)).collect();
    assert_eq!(renamed, counts.into_iter().map(|(path, count)| (path.to_owned(), count)).collect());
    let purpose = |name: &str| {
        found.folders.iter().find(|folder| folder.path.name() == name).and_then(|folder| folder.special_use)
    };
    assert_eq!(purpose("Itens Enviados"), Some(SpecialUse::Sent));
    assert_eq!(purpose("Rascunhos"), Some(SpecialUse::Drafts));
    assert_eq!(purpose("Deleted Items"), Some(SpecialUse::Trash));
    assert!(found.folders.iter().any(|folder| folder.path.name() == "Vazia"), "an empty folder is a folder");
}

#[test]
fn a_mail_program_sees_what_outlook_showed() {
    let found = read(&store(Options::default()));
    let parser = MessageParser::default();
    let see = |id: usize| parser.parse(&found.with(&format!("<{id}@example.test>")).bytes).expect("a message");

    let html = see(2);
    assert!(html.body_html(0).is_some_and(|text| text.contains("Olá <b>mundo</b>")), "{html:?}");
    let image = html.attachments().next().expect("the image");
    assert_eq!(image.content_id(), Some("logo@example.test"));
    assert!(image.contents().starts_with(b"\x89PNG"));
    let flagged = found.with("<2@example.test>");
    assert!(flagged.found.flags.iter().any(|flag| flag == "\\Flagged"), "{:?}", flagged.found.flags);
    assert!(!found.with("<1@example.test>").found.flags.iter().any(|flag| flag == "\\Seen"));

    let portuguese = see(3);
    let file = portuguese.attachments().next().expect("the file");
    assert_eq!(file.attachment_name(), Some("Relatório de Ações – março.pdf"));
    assert_eq!(file.contents().len(), 20_000);
    assert_eq!(portuguese.cc().and_then(|cc| cc.first()).and_then(|one| one.address()), Some("ze@example.test"));

    let forwarded = see(4);
    let outer = forwarded.attachments().next().and_then(|part| part.message()).expect("a message in it");
    assert_eq!(outer.subject(), Some("No meio"));
    let inner = outer.attachments().next().and_then(|part| part.message()).expect("one in that");
    assert_eq!(inner.subject(), Some("Mensagem dentro"));
    assert_eq!(inner.attachments().next().map(|part| part.contents().to_vec()), Some(b"a\r\n".to_vec()));

    let rich = see(5);
    let html = rich.body_html(0).expect("HTML out of RTF").into_owned();
    assert!(html.contains("<b>mundo</b>") && html.contains("Olá €"), "{html}");
    assert!(see(6).body_text(0).is_some_and(|text| text.contains("plain é text")));

    let kept = see(7);
    assert_eq!(kept.header_raw("X-Kept").map(str::trim), Some("yes"));
    assert_eq!(kept.received().map(|received| received.from().is_some()), Some(true));
    let keywords: Vec<String> = found.with("<7@example.test>").found.flags.iter().map(str::to_owned).collect();
    assert!(keywords.iter().any(|flag| flag == "Urgente"), "{keywords:?}");

    let sent = found.with("De um Exchange");
    let sent = parser.parse(&sent.bytes).expect("a message");
    assert_eq!(sent.from().and_then(|from| from.first()).and_then(|one| one.address()), Some("ana@example.test"));
    assert_eq!(sent.to().and_then(|to| to.first()).and_then(|one| one.address()), Some("joao@example.test"));

    let draft = found.with("Rascunho");
    assert!(draft.found.flags.iter().any(|flag| flag == "\\Draft"), "{:?}", draft.found.flags);

    let invitation = found.messages.iter().find(|message| message.found.class == "IPM.Schedule.Meeting.Request");
    let invitation = String::from_utf8_lossy(&invitation.expect("the invitation").bytes).into_owned();
    assert!(invitation.contains("text/calendar") && invitation.to_ascii_uppercase().contains("METHOD=REQUEST"));

    assert_eq!(found.with("<1@example.test>").found.internal_date.seconds, 1_709_208_000 + 3605);
    let salvaged: Vec<bool> = found.messages.iter().map(|message| message.found.salvaged).collect();
    assert_eq!(salvaged.iter().filter(|one| **one).count(), 1, "the one that no table lists: {salvaged:?}");
}

#[test]
fn what_is_no_mail_is_saved_as_what_it_is() {
    let found = read(&store(Options::default()));
    let saved: BTreeMap<ItemKind, String> = found
        .items
        .iter()
        .map(|item| (item.found.kind, String::from_utf8(item.bytes.clone()).expect("text")))
        .collect();
    let holds = |kind: ItemKind, texts: &[&str]| {
        let text = saved.get(&kind).unwrap_or_else(|| panic!("no {kind:?}")).replace("\r\n ", "");
        for wanted in texts {
            assert!(text.contains(wanted), "{kind:?} without {wanted:?}: {text}");
        }
    };
    holds(ItemKind::Contact, &["BEGIN:VCARD", "Maria Conceição", "maria@example.test"]);
    holds(ItemKind::ContactList, &["BEGIN:VCARD", "Equipe", "ana@example.test", "ze@example.test"]);
    holds(ItemKind::Appointment, &["BEGIN:VEVENT", "SUMMARY:Consulta", "Porto Alegre", "20240229T120000Z"]);
    holds(ItemKind::Task, &["BEGIN:VTODO", "SUMMARY:Pagar conta"]);
    holds(ItemKind::Note, &["Senha do portão"]);
    holds(ItemKind::Journal, &["Telefonema"]);
}

#[test]
fn a_folder_that_lost_its_table_or_its_place_keeps_its_mail() {
    let mut pst = Pst::memory(Options::default());
    let bare = pst.folder(pst.top(), "Without a table");
    let lost = pst.folder(pst.top(), "In no table");
    pst.without_table(bare);
    pst.unlist(lost);
    for folder in [bare, lost] {
        for number in 0..3 {
            pst.item(folder, &Item::mail(&format!("{number}")).text("x")).expect("memory");
        }
    }
    let found = read(&pst.bytes());
    assert_eq!(found.messages.len(), 6, "{:?} {:?}", found.counts(), found.damage);
}

#[test]
fn texts_in_other_code_pages_are_read() {
    for (code_page, text) in
        [(1252, "Ação – é"), (1251, "Привет"), (932, "日本語"), (1250, "Žluťoučký"), (65001, "漢字 ã")]
    {
        let mut pst = Pst::memory(Options { layout: Layout::Ansi, code_page, ..Options::default() });
        let folder = pst.folder(pst.top(), "Inbox");
        pst.item(folder, &Item::mail(text).text(text).from(text, "a@example.test")).expect("memory");
        let found = read(&pst.bytes());
        let message = MessageParser::default().parse(&found.messages[0].bytes).expect("a message");
        assert_eq!(message.subject(), Some(text), "{code_page}");
        assert_eq!(message.body_text(0).map(|body| body.trim().to_owned()).as_deref(), Some(text), "{code_page}");
    }
}

#[test]
fn folders_of_the_same_name_keep_their_mail_apart_or_together_but_never_lose_it() {
    let mut pst = Pst::memory(Options::default());
    for number in 0..3 {
        let folder = pst.folder(pst.top(), "Projeto");
        pst.item(folder, &Item::mail(&format!("{number}")).text("x")).expect("memory");
    }
    assert_eq!(read(&pst.bytes()).messages.len(), 3);
}

#[test]
fn a_store_with_a_password_opens_since_nothing_is_encrypted_by_it() {
    let found = read(&store(Options { password: Some("secret".to_owned()), ..Options::default() }));
    assert_eq!(found.messages.len(), 12);
}

#[test]
fn a_store_that_was_cut_gives_what_is_left_and_says_so() {
    let mut pst = Pst::memory(Options::default());
    load(&mut pst, 200, 6_000, 4).expect("memory");
    let whole = pst.bytes();
    let mut before = 0;
    for percent in [25, 50, 75, 90, 99] {
        let found = match scan_bytes(&cut(&whole, percent), "cut.pst", SourceType::Pst) {
            Ok(found) => found,
            Err(error) => {
                // The trees lie at the end of such a file; nothing of them may be left.
                assert!(error.to_string().len() > 20, "{percent} %: {error}");
                continue;
            }
        };
        println!(
            "{percent} %: {} of 200, {} unreadable, {:?}",
            found.messages.len(),
            found.unreadable.len(),
            found.losses
        );
        assert!(!found.losses.is_empty(), "{percent} %: nothing is said");
        assert!(found.messages.len() >= before, "{percent} %: {} after {before}", found.messages.len());
        before = found.messages.len();
    }
}

/// What reading a file through tells of it, and its messages as they were noted.
fn inspected(bytes: &[u8]) -> Result<(Inspection, Vec<Entry>), ArchiveError> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("mail.pst");
    std::fs::write(&path, bytes).expect("space");
    let catalogue = dir.path().join("catalogue");
    let file = FileSource {
        slot: 0,
        path,
        name: "mail.pst".to_owned(),
        kind: SourceType::Pst,
        sha256: None,
        in_place: false,
        catalogue: catalogue.clone(),
        extracted: None,
    };
    let limits = Limits { reserve: Some(0), ..Limits::new(dir.path().join("work")) };
    let items = dir.path().join("items.zip");
    let cancel = CancellationToken::new();
    let found = inspect(&file, &catalogue, Some(&items), &limits, &mut |_, _| {}, &cancel)?;
    let catalogue = Catalogue::open(&catalogue)?;
    let entries = catalogue.folders().iter().flat_map(|folder| catalogue.entries(folder, 1));
    let entries = entries.map(|entry| entry.map(|(_, entry)| entry)).collect::<Result<Vec<Entry>, _>>()?;
    Ok((found, entries))
}

/// What of a sound store's mail and items is missing or changed without a word; empty where all is accounted for.
fn silently_lost(sound: &(Inspection, Vec<Entry>), damaged: &(Inspection, Vec<Entry>)) -> Vec<String> {
    let (found, entries) = damaged;
    let count = |found: &Inspection| found.messages + found.others.values().sum::<u64>();
    let mut lost = Vec::new();
    let readable = count(found) - found.unreadable;
    let missing = count(&sound.0).saturating_sub(readable);
    if missing > found.unreadable && found.losses.is_empty() {
        lost.push(format!("{missing} are missing, {} are told as unreadable", found.unreadable));
    }
    let known: Vec<&Digests> = sound.1.iter().filter_map(|entry| entry.content.as_ref().ok()).collect();
    for entry in entries {
        let changed = entry.content.as_ref().is_ok_and(|digests| !known.contains(&digests));
        if changed && entry.note.is_none() && found.losses.is_empty() {
            lost.push(format!("{:?} has other bytes and no note", entry.locator));
        }
    }
    lost
}

#[test]
fn flipped_bytes_neither_stop_the_reader_nor_pass_in_silence() {
    let mut wrong = Vec::new();
    for (layout, seed) in [(Layout::Ansi, 1), (Layout::Unicode, 2), (Layout::FourK, 3)] {
        let whole = store(Options { layout, ..Options::default() });
        let sound = inspected(&whole).expect("a store");
        let all = (sound.0.messages, sound.0.others.values().sum::<u64>(), sound.0.unreadable);
        assert_eq!((all, &sound.0.losses[..]), ((12, 6, 0), &[][..]), "{layout:?}");
        let flips =
            [1, 10, 100, 1_000, 10_000].into_iter().flat_map(|count| (0..4).map(move |n| (count, seed + 10 * n)));
        let damaged =
            flips.map(|(count, seed)| (format!("{count} flips, {seed}"), flipped(&whole, 1_024, count, seed)));
        let zeros = ("zeros".to_owned(), zeroed(&whole, 102_400, 65_536));
        let mut told = 0;
        for (what, bytes) in damaged.chain([zeros]) {
            match inspected(&bytes) {
                Ok(found) => {
                    told += usize::from(found.0.unreadable > 0 || !found.0.losses.is_empty());
                    let lost = silently_lost(&sound, &found);
                    wrong.extend(
                        lost.into_iter().map(|lost| format!("{layout:?}, {what}: {lost}: {:?}", found.0.damage)),
                    );
                }
                Err(ArchiveError::Damaged(why) | ArchiveError::NotRecognised(why)) if why.len() > 20 => told += 1,
                Err(error) => wrong.push(format!("{layout:?}, {what}: {error:?}")),
            }
        }
        assert!(told >= 8, "{layout:?}: the damage of {told} files alone was seen");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn many_attachments_keep_their_order_and_their_bytes() {
    let mut pst = Pst::memory(Options::default());
    let folder = pst.folder_for(pst.top(), "Inbox", Role::Inbox);
    let contents: Vec<Vec<u8>> = (0..300_usize).map(|n| vec![n as u8; n * 37 % 9_000]).collect();
    let item = contents.iter().enumerate().fold(Item::mail("many").text("x"), |item, (number, content)| {
        item.attach(Attachment::file(&format!("{number}.bin"), "application/octet-stream", content.clone()))
    });
    pst.item(folder, &item).expect("memory");
    let found = read(&pst.bytes());
    let message = MessageParser::default().parse(&found.messages[0].bytes).expect("a message");
    let read: Vec<Vec<u8>> = message.attachments().map(|part| part.contents().to_vec()).collect();
    assert!(read == contents, "{} of {}", read.len(), contents.len());
}
