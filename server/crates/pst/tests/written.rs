//! Files of our own making: every layout in every encoding gives what was put in, byte for byte.

mod common;

use gatepost_mapi::{Guid, Key, Message as _, Object as _, Value, tags};
use gatepost_pst::{Folder, Pst, PstMessage, Role};
use gatepost_testkit::pst::{
    Attachment, Content, Encoding, Item, Layout, Options, Pst as Writer, Tree, Value as Written, everything,
};
use std::{
    io::{Cursor, Read as _},
    slice,
};

type InMemory = Writer<Cursor<Vec<u8>>>;

const LAYOUTS: [Layout; 3] = [Layout::Ansi, Layout::Unicode, Layout::FourK];
const ENCODINGS: [Encoding; 3] = [Encoding::None, Encoding::Permute, Encoding::Cyclic];

/// Every layout in every encoding, with shallow and deep trees.
fn variants() -> Vec<Options> {
    let mut all = Vec::new();
    for layout in LAYOUTS {
        for encoding in ENCODINGS {
            for entries_per_page in [usize::MAX / 32, 3] {
                all.push(Options { layout, encoding, entries_per_page, ..Options::default() });
            }
        }
    }
    all
}

fn file(options: Options, fill: impl Fn(&mut InMemory)) -> Pst {
    let mut writer = Writer::memory(options);
    fill(&mut writer);
    Pst::open(writer.bytes()).expect("a file that was just written opens")
}

fn folder(pst: &Pst, path: &[&str]) -> Folder {
    let found = pst.folders().expect("folders").into_iter().find(|folder| !folder.outside && folder.path == path);
    found.unwrap_or_else(|| panic!("{path:?}"))
}

fn messages<'p>(pst: &'p Pst, path: &[&str]) -> Vec<PstMessage<'p>> {
    let items = pst.items(folder(pst, path).nid).expect("items");
    items.map(|item| pst.message(item.nid).expect("a message")).collect()
}

fn content(object: &(impl gatepost_mapi::Object + ?Sized), id: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let stream = object.open(&Key::Tag(id)).expect("readable");
    stream.expect("it has the property").read_to_end(&mut bytes).expect("whole");
    bytes
}

/// Bytes that repeat nowhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn something_of_everything_comes_back_from_every_layout_and_encoding() {
    for options in variants() {
        let case = format!("{:?} {:?} {}", options.layout, options.encoding, options.entries_per_page);
        let pst = file(options, |writer| everything(writer).expect("memory"));
        let count = common::count(&pst).expect("readable");
        assert_eq!((count.items, count.unreadable, count.notes), (18, 0, 0), "{case}: {count:?}");
        assert_eq!(count.embedded, 2, "{case}");
        assert_eq!(pst.damage(), Vec::<String>::new(), "{case}");
        let roles: Vec<_> = pst.folders().expect("folders").into_iter().filter_map(|folder| folder.role).collect();
        for role in [Role::Inbox, Role::Sent, Role::Drafts, Role::Deleted, Role::Contacts, Role::Calendar] {
            assert!(roles.contains(&role), "{case}: {role:?}");
        }
        assert_eq!(messages(&pst, &["Caixa de Entrada", "Clientes / Ação", "2024"]).len(), 3, "{case}");
    }
}

#[test]
fn values_of_any_size_come_byte_for_byte() {
    let sizes = [0, 1, 3_580, 3_581, 8_176, 8_180, 65_536, 65_537, 300_000, 9_000_000];
    for options in variants().into_iter().step_by(2) {
        let case = format!("{:?} {:?}", options.layout, options.encoding);
        let pst = file(options, |writer| {
            let inbox = writer.folder(writer.top(), "Inbox");
            for size in sizes {
                let item = Item::mail("x").attach(Attachment::file("a.bin", "application/octet-stream", noise(size)));
                writer.item(inbox, &item).expect("memory");
            }
        });
        for (message, size) in messages(&pst, &["Inbox"]).iter().zip(sizes) {
            let attachment = message.attachment(0).expect("an attachment");
            assert!(content(&*attachment, tags::ATTACH_DATA) == noise(size), "{case} {size}");
            match attachment.properties().tag(tags::ATTACH_DATA) {
                Some(Value::Bytes(bytes)) => assert!(bytes.len() == size && size <= 65_536, "{case} {size}"),
                Some(Value::Large { bytes, .. }) => assert!(*bytes == size as u64 && size > 65_536, "{case} {size}"),
                other => panic!("{case} {size}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_long_text_is_read_as_a_stream_and_a_short_one_is_held() {
    let long = "Ação e reação. ".repeat(20_000);
    for layout in LAYOUTS {
        let pst = file(Options { layout, ..Options::default() }, |writer| {
            let inbox = writer.folder(writer.top(), "Inbox");
            for text in ["Olá, João", &long] {
                writer.item(inbox, &Item::mail("RE: Ação").text(text)).expect("memory");
            }
        });
        let messages = messages(&pst, &["Inbox"]);
        assert_eq!(messages[0].properties().text(tags::BODY), Some("Olá, João"), "{layout:?}");
        assert_eq!(messages[0].properties().text(tags::SUBJECT), Some("RE: Ação"), "{layout:?}");
        assert!(matches!(messages[1].properties().tag(tags::BODY), Some(Value::Large { .. })), "{layout:?}");
        let expected: Vec<u8> = match layout {
            Layout::Ansi => long.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(),
            _ => long.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        };
        assert!(content(&messages[1], tags::BODY) == expected, "{layout:?}");
    }
}

#[test]
fn text_of_an_ansi_file_is_decoded_by_its_code_page_folders_too() {
    for (code_page, text) in [(1252, "Relatório"), (1250, "Příliš"), (1251, "Отчёт"), (932, "日本語")] {
        let pst = file(Options { layout: Layout::Ansi, code_page, ..Options::default() }, |writer| {
            let folder = writer.folder(writer.top(), text);
            writer.item(folder, &Item::mail(text).text(text)).expect("memory");
        });
        let messages = messages(&pst, &[text]);
        assert_eq!(messages[0].properties().text(tags::SUBJECT), Some(text), "{code_page}");
    }
}

#[test]
fn categories_and_other_named_properties_have_their_names() {
    let strings = Guid(*b"\x29\x03\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46");
    for layout in LAYOUTS {
        let pst = file(Options { layout, ..Options::default() }, |writer| {
            let inbox = writer.folder(writer.top(), "Inbox");
            writer.item(inbox, &Item::mail("x").categories(&["Urgente", "Café"])).expect("memory");
        });
        let expected = ["Urgente", "Café"].map(|text| Value::Text(text.to_owned())).to_vec();
        let messages = messages(&pst, &["Inbox"]);
        let found = messages[0].properties().get(&Key::Name(strings, "Keywords".to_owned()));
        assert_eq!(found, Some(&Value::Many(expected)), "{layout:?}");
    }
}

#[test]
fn items_within_items_are_read_to_a_bound() {
    let mut item = Item::mail("0").text("the innermost");
    for depth in 1..60 {
        item = Item::mail(&depth.to_string()).attach(Attachment::message(item));
    }
    let pst = file(Options::default(), |writer| {
        let inbox = writer.folder(writer.top(), "Inbox");
        writer.item(inbox, &item).expect("memory");
    });
    let message = &messages(&pst, &["Inbox"])[0];
    fn depth(message: &dyn gatepost_mapi::Message) -> Result<usize, gatepost_mapi::Error> {
        if message.attachments() == 0 {
            return Ok(0);
        }
        let attachment = message.attachment(0)?;
        match attachment.embedded()? {
            Some(inner) => Ok(1 + depth(&*inner)?),
            None => Ok(0),
        }
    }
    let error = depth(message).expect_err("deeper than anybody needs");
    assert!(error.to_string().contains("too deep"), "{error}");
}

#[test]
fn an_ole_object_is_data_like_any_other() {
    let pst = file(Options::default(), |writer| {
        let inbox = writer.folder(writer.top(), "Inbox");
        for size in [900, 90_000] {
            writer.item(inbox, &Item::mail("x").attach(Attachment::of(Content::Ole(noise(size))))).expect("memory");
        }
    });
    for (message, size) in messages(&pst, &["Inbox"]).iter().zip([900, 90_000]) {
        let attachment = message.attachment(0).expect("an attachment");
        assert!(attachment.embedded().expect("readable").is_none());
        assert!(content(&*attachment, tags::ATTACH_DATA) == noise(size), "{size}");
    }
}

#[test]
fn an_ost_shows_its_tree_and_what_lies_beside_it() {
    for layout in [Layout::Unicode, Layout::FourK] {
        let pst = file(Options { layout, tree: Tree::Offline, ..Options::default() }, |writer| {
            let inbox = writer.folder(writer.top(), "Inbox");
            writer.item(inbox, &Item::mail("x")).expect("memory");
        });
        assert_eq!(messages(&pst, &["Root - Mailbox", "IPM_SUBTREE", "Inbox"]).len(), 1, "{layout:?}");
    }
}

#[test]
fn a_password_hides_nothing() {
    for (password, expected) in [(None, false), (Some("segredo".to_owned()), true)] {
        let pst = file(Options { password, ..Options::default() }, |writer| {
            let inbox = writer.folder(writer.top(), "Inbox");
            writer.item(inbox, &Item::mail("x").text("legível")).expect("memory");
        });
        assert_eq!(pst.has_password(), expected);
        assert_eq!(messages(&pst, &["Inbox"])[0].properties().text(tags::BODY), Some("legível"));
    }
}

#[test]
fn what_tables_leave_out_is_found_by_its_parent() {
    let pst = file(Options::default(), |writer| {
        let inbox = writer.folder(writer.top(), "Inbox");
        let hidden = writer.folder(inbox, "Escondida");
        let bare = writer.folder(inbox, "Sem tabela");
        writer.unlist(hidden);
        writer.without_table(bare);
        for (folder, item) in [
            (inbox, Item::mail("listed")),
            (inbox, Item::mail("unlisted").unlisted()),
            (hidden, Item::mail("hidden")),
            (bare, Item::mail("bare")),
        ] {
            writer.item(folder, &item).expect("memory");
        }
    });
    for (path, subjects) in [
        (&["Inbox"][..], &["listed", "unlisted"][..]),
        (&["Inbox", "Escondida"], &["hidden"]),
        (&["Inbox", "Sem tabela"], &["bare"]),
    ] {
        let found = messages(&pst, path);
        let found: Vec<_> = found.iter().filter_map(|message| message.properties().text(tags::SUBJECT)).collect();
        assert_eq!(found, subjects, "{path:?}");
    }
    let items: Vec<_> = pst.items(folder(&pst, &["Inbox"]).nid).expect("items").collect();
    assert_eq!(items.iter().map(|item| item.salvaged).collect::<Vec<_>>(), [false, true]);
    assert_eq!(pst.known_items().expect("readable"), 4);
}

#[test]
fn a_deep_tree_and_a_long_table_are_read_whole() {
    let pst = file(Options { entries_per_page: 4, ..Options::default() }, |writer| {
        let mut folder = writer.folder(writer.top(), "0");
        for depth in 1..500 {
            folder = writer.folder(folder, &depth.to_string());
        }
        for number in 0..2_000 {
            writer.item(folder, &Item::mail(&format!("mensagem {number}"))).expect("memory");
        }
    });
    let folders = pst.folders().expect("folders");
    let deepest = folders.iter().max_by_key(|folder| folder.path.len()).expect("folders");
    assert_eq!(deepest.path.len(), 500);
    let items: Vec<_> = pst.items(deepest.nid).expect("items").collect();
    assert_eq!(items.len(), 2_000);
    assert!(items.iter().enumerate().all(|(i, item)| item.subject.as_deref() == Some(&format!("mensagem {i}"))));
}

#[test]
fn names_of_any_kind_come_as_they_are() {
    let long = "n".repeat(4_000);
    let names = ["..", "a/b", "a\\b", "nul\0within", "two\r\nlines", "", "mbox", &long];
    let pst = file(Options::default(), |writer| {
        for name in names {
            let folder = writer.folder(writer.top(), name);
            writer.item(folder, &Item::mail("x")).expect("memory");
        }
    });
    let folders = pst.folders().expect("folders");
    for name in names.iter().filter(|name| !name.is_empty()) {
        let found: Vec<_> = folders.iter().filter(|folder| folder.path == slice::from_ref(name)).collect();
        assert_eq!(found.len(), 1, "{name:?}");
    }
    assert_eq!(common::count(&pst).expect("readable").items, names.len(), "a folder without a name keeps its mail");
}

#[test]
fn a_name_without_end_is_held_at_the_length_it_is_shown_with() {
    let pst = file(Options::default(), |writer| {
        for letter in ["a", "\u{E3}"] {
            let folder = writer.folder(writer.top(), &letter.repeat(20_000));
            writer.item(folder, &Item::mail("x")).expect("memory");
        }
    });
    let folders = pst.folders().expect("folders");
    let long: Vec<_> = folders.iter().filter_map(|folder| folder.path.last()).filter(|name| name.len() > 255).collect();
    assert_eq!(long.len(), 2);
    assert!(long.iter().all(|name| name.len() == 4_096 && name.capacity() == 4_096), "{:?}", long[0].capacity());
}

#[test]
fn a_table_that_names_its_items_again_and_again_tells_each_once() {
    let options = Options { encoding: Encoding::None, ..Options::default() };
    let mut writer = Writer::memory(options);
    let inbox = writer.folder(writer.top(), "Inbox");
    for number in 0..20 {
        writer.item(inbox, &Item::mail(&number.to_string())).expect("memory");
    }
    let mut bytes = writer.bytes();
    let nids: Vec<u32> = {
        let pst = Pst::open(bytes.clone()).expect("a PST");
        pst.items(folder(&pst, &["Inbox"]).nid).expect("items").map(|item| item.nid).collect()
    };
    // The index of the table: a node, and the number of its row. All but the last few become the first.
    for (number, nid) in nids.iter().enumerate().take(15) {
        let record = [nid.to_le_bytes(), u32::try_from(number).expect("few").to_le_bytes()].concat();
        let at: Vec<usize> = places(&bytes, &record);
        assert!(!at.is_empty(), "row {number}");
        for at in at {
            bytes[at..at + 4].copy_from_slice(&nids[0].to_le_bytes());
        }
    }
    let pst = Pst::open(bytes).expect("a PST");
    let mut found: Vec<_> = pst.items(folder(&pst, &["Inbox"]).nid).expect("items").map(|item| item.nid).collect();
    found.sort_unstable();
    assert_eq!(found, nids, "each once, those that the table lost by their parent");
}

#[test]
fn folders_that_share_a_table_do_not_multiply_its_items() {
    let options = Options { encoding: Encoding::None, ..Options::default() };
    let mut writer = Writer::memory(options);
    for name in ["A", "B", "C"] {
        let folder = writer.folder(writer.top(), name);
        for number in 0..5 {
            writer.item(folder, &Item::mail(&format!("{name}{number}"))).expect("memory");
        }
    }
    let mut bytes = writer.bytes();
    let entry = |bytes: &[u8], name| {
        let nid = folder(&Pst::open(bytes.to_vec()).expect("a PST"), &[name]).nid;
        // A node's entry: its id, then the id of its data; the table of a folder's items ends in 0x0E.
        let found = places(bytes, &u64::from(nid & !0x1F | 0x0E).to_le_bytes());
        found.into_iter().next_back().expect("the node of a table") + 8
    };
    let data: Vec<u8> = bytes[entry(&bytes, "A")..][..8].to_vec();
    for name in ["B", "C"] {
        let at = entry(&bytes, name);
        bytes[at..at + 8].copy_from_slice(&data);
    }
    let pst = Pst::open(bytes).expect("a PST");
    for name in ["A", "B", "C"] {
        let found = messages(&pst, &[name]);
        let found: Vec<_> = found.iter().filter_map(|message| message.properties().text(tags::SUBJECT)).collect();
        assert_eq!(found, [0, 1, 2, 3, 4].map(|number| format!("{name}{number}")), "{name}");
    }
}

fn places(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    bytes.windows(what.len()).enumerate().filter(|(_, window)| *window == what).map(|(at, _)| at).collect()
}

#[test]
fn unknown_types_and_odd_values_are_passed_over() {
    let pst = file(Options::default(), |writer| {
        let inbox = writer.folder(writer.top(), "Inbox");
        let item = Item::mail("x")
            .tag(0x6001, Written::Raw(0x0999, vec![1, 2, 3, 4, 5]))
            .tag(0x6002, Written::Raw(0x101F, vec![0xFF; 40]))
            .tag(0x6003, Written::Raw(0x0040, vec![1, 2]))
            .tag(0x6004, Written::Guid([7; 16]))
            .tag(0x6005, Written::Float64(1.5))
            .tag(0x6006, Written::Int32s(vec![1, -1]));
        writer.item(inbox, &item).expect("memory");
    });
    let messages = messages(&pst, &["Inbox"]);
    let tag = |id| messages[0].properties().tag(id).cloned();
    assert_eq!((tag(0x6001), tag(0x6002), tag(0x6003)), (None, None, None));
    assert_eq!(tag(0x6004), Some(Value::Guid(Guid([7; 16]))));
    assert_eq!(tag(0x6005), Some(Value::Float(1.5)));
    assert_eq!(tag(0x6006), Some(Value::Many(vec![Value::Int32(1), Value::Int32(-1)])));
    assert_eq!(messages[0].properties().text(tags::SUBJECT), Some("x"));
}
