//! Mail that changes behind its server's back: the server shows the change under the same UID, and nothing else changes.

#![allow(clippy::unwrap_used)]

use gatepost_testkit::{Dovecot, Generated, InternalDate, Snapshot, Storage, put, snapshot::Message};

const ANA: &str = "ana@example.test";
const FOLDER: &str = "Projetos/Água";

/// A server with three letters in two folders each, and what an independent reader finds after a change to the second
/// letter of [`FOLDER`]: the letter before and after. All else has to be as it was.
fn changed(separator: char, change: impl Fn(&Dovecot, u32)) -> (Message, Option<Message>) {
    let server = Dovecot::builder().user(ANA, "secret").storage(Storage::Maildir).separator(separator).start().unwrap();
    let account = server.account(ANA);
    let letter = |folder: &str, n: i64| Generated {
        folder: folder.to_owned(),
        bytes: format!("Subject: {n}\r\nMessage-Id: <{n}@b.example>\r\n\r\nText of letter {n}.\r\n").into_bytes(),
        internal_date: InternalDate { unix_seconds: 1_700_000_000 + n, zone_minutes: 0 },
        flags: vec!["\\Seen".to_owned(), "Urgente".to_owned()],
    };
    put(&account, ["INBOX", FOLDER].into_iter().flat_map(|folder| (1..=3).map(move |n| letter(folder, n)))).unwrap();
    let before = Snapshot::read(&account).unwrap();
    let wanted = before.folder(FOLDER).nth(1).unwrap().clone();
    change(&server, wanted.uid);
    let after = Snapshot::read(&account).unwrap();
    let is_it = |message: &&Message| message.folder == FOLDER && message.uid == wanted.uid;
    let others = |snapshot: &Snapshot| snapshot.messages.iter().filter(|m| !is_it(m)).cloned().collect::<Vec<_>>();
    assert_eq!(others(&before), others(&after));
    let found = after.messages.iter().find(is_it).cloned();
    (wanted, found)
}

#[test]
fn a_rewritten_message_has_other_bytes_under_its_uid_and_keeps_its_flags_and_date() {
    for separator in ['/', '.'] {
        for (from, to) in [("Text", "Test"), ("Text of", "A much longer text of"), ("Text of letter 2.\n", "")] {
            let (before, after) = changed(separator, |server, uid| {
                let other = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(from, to).into_bytes();
                server.maildir(ANA).rewrite(FOLDER, uid, other).unwrap();
            });
            let after = after.unwrap();
            assert_eq!((&after.flags, after.date), (&before.flags, before.date));
            assert_ne!(after.digest, before.digest, "{from:?} became {to:?}");
            // The server ends lines with CRLF.
            let ends = |text: &str| text.matches('\n').count();
            assert_eq!(
                after.size + from.len() + ends(from),
                before.size + to.len() + ends(to),
                "{from:?} became {to:?}"
            );
        }
    }
}

#[test]
fn a_redated_message_is_as_many_seconds_older_or_newer() {
    for seconds in [-3600, 3] {
        let (before, after) = changed('/', |server, uid| server.maildir(ANA).redate(FOLDER, uid, seconds).unwrap());
        let after = after.unwrap();
        assert_eq!(after.date.unix_seconds, before.date.unix_seconds + seconds);
        assert_eq!((after.digest, after.flags), (before.digest, before.flags));
    }
}

#[test]
fn a_removed_file_is_a_message_less() {
    let (_, after) = changed('/', |server, uid| server.maildir(ANA).remove(FOLDER, uid).unwrap());
    assert_eq!(after, None);
}

#[test]
fn a_renumbered_folder_keeps_its_mail_under_another_number() {
    let (before, after) = changed('/', |server, _| {
        let list = server.maildir(ANA).folder(FOLDER).join("dovecot-uidlist");
        let validity = || {
            let list = std::fs::read_to_string(&list).unwrap();
            list.split_whitespace().find(|word| word.starts_with('V')).unwrap().to_owned()
        };
        let old = validity();
        server.maildir(ANA).renumber(FOLDER).unwrap();
        Snapshot::read(&server.account(ANA)).unwrap();
        assert_ne!(validity(), old, "the server has taken it over");
    });
    assert_eq!(Some(before), after);
}

#[test]
fn a_message_that_is_not_there_cannot_be_changed() {
    changed('/', |server, _| {
        assert!(server.maildir(ANA).redate(FOLDER, 4711, 1).is_err());
        assert!(server.maildir(ANA).rewrite("Nowhere", 1, |bytes| bytes).is_err());
    });
}
