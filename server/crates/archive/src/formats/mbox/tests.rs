use super::*;
use crate::testing::{Seen, read};
use gatepost_transfer::Flags;

fn store(bytes: impl Into<Vec<u8>>) -> MboxStore {
    MboxStore::new(Section::of_bytes(bytes.into()), FolderPath::new(["Old"]))
}

fn bodies(bytes: &[u8]) -> Vec<String> {
    read(&mut store(bytes)).unwrap().messages.iter().map(|m| String::from_utf8_lossy(&m.bytes).into_owned()).collect()
}

#[test]
fn the_samples_hold_as_many_messages_as_their_table_says() {
    let Some(samples) = crate::testing::samples() else { return };
    let table = [
        ("mimekit-content-length", 29),
        ("mimekit-simple", 3),
        ("tika-complex", 3),
        ("tika-simple", 2),
        ("tika-headers", 1),
        ("tika-multiline", 1),
        ("tika-multiline2", 1),
        ("tika-quoted", 1),
        ("tika-single_mail", 1),
        ("tika-testMBOX_lengthy_x-headers", 1),
        ("aspose-ExampleMbox", 1),
    ];
    for (name, wanted) in table {
        let bytes = std::fs::read(samples.join("mbox").join(format!("{name}.mbox"))).unwrap();
        let seen = read(&mut store(bytes)).unwrap();
        assert_eq!((seen.messages.len(), seen.unreadable.len()), (wanted, 0), "{name}");
        assert_eq!(seen.damage, Vec::<String>::new(), "{name}");
        for message in &seen.messages {
            assert!(!message.bytes.is_empty() && !message.bytes.starts_with(b"From "), "{name}");
        }
    }
}

#[test]
fn every_kind_of_separator_parts_messages_and_texts_do_not() {
    let cases: [(&[u8], &[&str]); 14] = [
        (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\nx\n\nFrom a@b Mon Jun  3 12:50:28 1996\nA: 2\n\ny\n", &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\ny\r\n"]),
        (b"\xEF\xBB\xBFFrom - \nA: 1\n\nx\n\nFrom - \nA: 2\n\ny\n\n", &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\ny\r\n"]),
        // A date in another language, in front of a header of mail; and a text that goes on with something like a field.
        (b"From ana Mon Jun  3 12:50:27 1996\nA: 1\n\nx\n\nFrom ana seg jun  3 12:50:28 1996\nTo: b\nSubject: 2\n\ny\n", &["A: 1\r\n\r\nx\r\n", "To: b\r\nSubject: 2\r\n\r\ny\r\n"]),
        (b"From ana Mon Jun  3 12:50:27 1996\nA: 1\n\nx\n\nFrom now on to you\nSubject: 2\n\ny\n", &["A: 1\r\n\r\nx\r\n\r\nFrom now on to you\r\nSubject: 2\r\n\r\ny\r\n"]),
        (b"\n\nFrom a@b\nA: 1\n\nx\n", &["A: 1\r\n\r\nx\r\n"]),
        (b"From a Mon Jun  3 12:50:27 1996\r\nA: 1\r\n\r\nx\r\n\r\nFrom a Mon Jun  3 12:50:27 1996\r\nA: 2\r\n\r\ny\r\n\r\n", &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\ny\r\n"]),
        (b"From - Mon Jun  3 12:50:27 1996\nA: 1\n\nx\nFrom - Mon Jun  3 12:50:27 1996\nA: 2\n\ny", &["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\ny"]),
        (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\nFrom here on\nNote: all is well\n\nFrom me\nto you\n", &["A: 1\r\n\r\nFrom here on\r\nNote: all is well\r\n\r\nFrom me\r\nto you\r\n"]),
        (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\nOn\nFrom bob Mon Jun  3 12:50:27 1996 he wrote\nmore\n", &["A: 1\r\n\r\nOn\r\nFrom bob Mon Jun  3 12:50:27 1996 he wrote\r\nmore\r\n"]),
        (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n>From x\n>>From y\n", &["A: 1\r\n\r\nFrom x\r\n>From y\r\n"]),
        (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 2\n\n", &["A: 1\r\n", "A: 2\r\n\r\n"]),
        // mboxcl2: nothing is quoted, the length tells.
        (b"From a@b Mon Jun  3 12:50:27 1996\nContent-Length: 44\n\n\nFrom a@b Mon Jun  3 12:50:27 1996\nB: 2\n\n>a\n\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 2\n\ny\n", &["Content-Length: 44\r\n\r\n\r\nFrom a@b Mon Jun  3 12:50:27 1996\r\nB: 2\r\n\r\n>a\r\n", "A: 2\r\n\r\ny\r\n"]),
        // A length that fits nowhere is not believed.
        (b"From a@b Mon Jun  3 12:50:27 1996\nContent-Length: 4000\n\nx\n\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 2\n\ny\n", &["Content-Length: 4000\r\n\r\nx\r\n", "A: 2\r\n\r\ny\r\n"]),
        (b"From a@b Mon Jun  3 12:50:27 1996\nContent-Length: 18446744073709551615\n\nx\n", &["Content-Length: 18446744073709551615\r\n\r\nx\r\n"]),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(bodies(bytes), wanted, "{}", String::from_utf8_lossy(bytes));
    }
}

/// Else a message without a body would carry the next one's length, labels and flags.
#[test]
fn a_message_without_a_body_has_no_field_of_the_next() {
    let text = "From a@b Mon Jun  3 12:50:27 1996\nSubject: 1\nFrom a@b Mon Jun  3 12:50:27 1996\nStatus: R\n\nx\n";
    let seen = read(&mut store(text)).unwrap();
    let flags: Vec<String> = seen.messages.iter().map(|m| m.found.flags.to_string()).collect();
    assert_eq!(flags, ["", "\\Seen"]);
}

#[test]
fn a_message_is_dated_by_its_separator_then_its_header_and_never_by_the_clock() {
    let cases = [
        (
            "From a@b Mon Jun  3 12:50:27 1996\nReceived: x; 1 Jan 2020 00:00:00 +0000\n\n",
            "1996-06-03T12:50:27+00:00",
            false,
        ),
        (
            "From a@b\nReceived: x; 1 Jan 2020 00:00:00 +0000\nDate: 2 Jan 2019 00:00 +0000\n\n",
            "2020-01-01T00:00:00+00:00",
            false,
        ),
        ("From a@b\nDate: 2 Jan 2019 00:00 -0300\n\n", "2019-01-02T00:00:00-03:00", true),
        ("From a@b\nSubject: none\n\n", "1970-01-01T00:00:00+00:00", true),
    ];
    for (bytes, date, noted) in cases {
        let seen = read(&mut store(bytes)).unwrap();
        assert_eq!(seen.messages[0].found.internal_date.to_string(), date, "{bytes}");
        assert_eq!(seen.messages[0].found.note.is_some(), noted, "{bytes}");
    }
}

#[test]
fn gmails_labels_put_a_message_into_each_of_its_places() {
    let text = "From 1@xxx Sat Jan 01 00:00:00 +0000 2022\nX-Gmail-Labels: Inbox,Work,Unread\n\nx\n\n\
                From 2@xxx Sat Jan 01 00:00:00 +0000 2022\nX-Gmail-Labels: Archived,Starred\n\ny\n\n\
                From 3@xxx Sat Jan 01 00:00:00 +0000 2022\nSubject: none\n\nz\n";
    let seen = read(&mut store(text)).unwrap();
    let places: Vec<_> =
        seen.messages.iter().map(|m| (m.folder.as_str(), m.found.locator.at, m.found.flags.clone())).collect();
    assert_eq!(
        places,
        [
            ("INBOX", 0, Flags::default()),
            ("Work", 0, Flags::default()),
            ("Archive", 90, Flags::from("\\Flagged \\Seen")),
            ("Old", 180, Flags::default()),
        ]
        .map(|(folder, n, flags)| (folder, seen_at(&seen, n), flags))
    );
}

/// The nearest place of a message at or behind a byte.
fn seen_at(seen: &Seen, at: u64) -> u64 {
    let mut all: Vec<u64> = seen.messages.iter().map(|m| m.found.locator.at).collect();
    all.dedup();
    all[usize::try_from(at / 90).unwrap()]
}

#[test]
fn what_is_no_mail_and_what_is_empty_is_told() {
    let text = "From MAILER-DAEMON Mon Jun  3 12:50:27 1996\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n\
                X-IMAP: 1 2\n\nx\n\nFrom a@b Mon Jun  3 12:50:27 1996\n";
    let seen = read(&mut store(text)).unwrap();
    assert_eq!((seen.messages.len(), seen.items.len(), seen.unreadable.len()), (0, 1, 1));

    let seen = read(&mut store("rubbish\n\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n")).unwrap();
    assert_eq!(seen.messages.len(), 1);
    assert_eq!(
        seen.losses,
        ["The file does not begin with a message: its first 9 bytes are not part of any and were left out."]
    );
}

#[test]
fn a_text_is_no_mbox_and_says_so() {
    let error = read(&mut store("Dear Ana,\nFrom here on\n")).unwrap_err();
    assert!(error.to_string().starts_with("This is no mbox file"), "{error}");
}

#[test]
fn a_file_that_changed_after_the_scan_gives_no_other_message() {
    let mut store = store("From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n");
    for locator in [
        Locator { at: 3, more: 5, name: None },
        Locator { at: 0, more: 5000, name: None },
        Locator { at: u64::MAX, more: u64::MAX, name: None },
        Locator { at: 0, more: u64::MAX >> 1, name: None },
    ] {
        let error = store.message(&locator, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, ArchiveError::Unreadable(_)), "{error}");
    }
}

#[test]
fn a_line_of_many_windows_is_one_message_in_bounded_memory() {
    let mut text = b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n".to_vec();
    text.resize(text.len() + 3 * Window::SIZE, b'x');
    text.extend_from_slice(b"\n\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 2\n\n");
    let seen = read(&mut store(text)).unwrap();
    assert_eq!(seen.messages.iter().map(|m| m.bytes.len()).collect::<Vec<_>>(), [3 * Window::SIZE + 10, 8]);
}

/// A separator that lies across the edge of what is read at once is found at every place.
#[test]
fn a_separator_is_found_wherever_the_window_ends() {
    for shift in 0..80 {
        let mut text = b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n".to_vec();
        text.resize(Window::SIZE - shift, b'x');
        text.extend_from_slice(b"\n\nFrom a@b Mon Jun  3 12:50:27 1996\nA: 2\n\ny\n");
        assert_eq!(read(&mut store(text)).unwrap().messages.len(), 2, "{shift}");
    }
}
