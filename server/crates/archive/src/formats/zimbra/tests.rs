use super::*;
use crate::Limits;
use crate::containers::section::Section;
use crate::containers::{Tar, Zip};
use crate::testing::{Seen, gzip, read, samples, tar, zip};
use base64::{Engine as _, engine::general_purpose::STANDARD};

const MESSAGE: &str = "From: a@b\r\nSubject: x\r\n\r\nx\r\n";

fn meta(path: &str, more: &str) -> String {
    format!(r#"{{"type":5,"id":300,"Path":"{path}","date":1600000000,"FlagStr":"u"{more}}}"#)
}

fn seen(files: &[(&str, &str)]) -> Seen {
    let limits = Limits::new(std::env::temp_dir());
    let packed = Section::of_bytes(gzip(&tar(files)));
    let tgz =
        read(&mut ZimbraStore::new(Box::new(Tar::new(packed, &limits).unwrap()), String::new(), &limits)).unwrap();
    let zipped = Section::of_bytes(zip(files));
    let zip =
        read(&mut ZimbraStore::new(Box::new(Zip::new(zipped, &limits).unwrap()), String::new(), &limits)).unwrap();
    assert_eq!(tgz.counts(), zip.counts());
    tgz
}

#[test]
fn the_sample_is_read_as_its_readme_says() {
    let Some(samples) = samples() else { return };
    let limits = Limits::new(std::env::temp_dir());
    let bytes = std::fs::read(samples.join("tgz/zimbra-8.8.12-mailbox.tgz")).unwrap();
    let tar = Tar::new(Section::of_bytes(bytes), &limits).unwrap();
    let seen = read(&mut ZimbraStore::new(Box::new(tar), String::new(), &limits)).unwrap();
    let counts: Vec<(String, usize)> = seen.counts();
    let wanted = [("Drafts", 0), ("INBOX", 0), ("Junk", 0), ("Sent", 2), ("Trash", 0), ("Emailed Contacts", 0)];
    assert_eq!(counts, wanted.map(|(path, n)| (path.to_owned(), n)));
    let dates: Vec<i64> = seen.messages.iter().map(|m| m.found.internal_date.seconds).collect();
    assert_eq!(dates, [1_562_075_806, 1_562_655_467]);
    for message in &seen.messages {
        assert_eq!((message.found.flags.to_string().as_str(), &message.found.note), ("\\Seen", &None));
    }
    assert_eq!(seen.messages.iter().map(|m| m.bytes.len()).collect::<Vec<_>>(), [1004, 2458]);
    let cards: Vec<String> =
        seen.items.iter().map(|(.., content)| String::from_utf8(content.clone()).unwrap()).collect();
    assert_eq!(cards.len(), 2);
    assert!(cards[0].contains("FN:yukun\r\n") && cards[0].contains("EMAIL;TYPE=INTERNET:yukun@zimbratest.com\r\n"));
    assert!(seen.damage.is_empty() && seen.unreadable.is_empty(), "{:?}", seen.damage);
}

#[test]
fn the_path_is_the_folder_and_the_split_directory_is_not() {
    let seen = seen(&[
        ("Inbox/0000000300-x.eml.meta", &meta("/Inbox/", "")),
        ("Inbox/0000000300-x.eml", MESSAGE),
        ("Inbox!1/0000000301-x.eml.meta", &meta("/Inbox/", r#","TagNames":"Urgente:a\\:b""#)),
        ("Inbox!1/0000000301-x.eml", MESSAGE),
        ("a_b/0000000302-x.eml.meta", &meta("/Inbox/A:b/", "")),
        ("a_b/0000000302-x.eml", MESSAGE),
    ]);
    assert_eq!(seen.counts(), [("INBOX".to_owned(), 2), ("Inbox/A:b".to_owned(), 1)]);
    assert_eq!(seen.messages[1].found.flags, Flags::from("Urgente a:b"));
    assert_eq!(seen.messages[0].found.internal_date.seconds, 1_600_000_000);
}

#[test]
fn without_metas_the_directory_and_the_entrys_time_count() {
    let seen = seen(&[("Inbox/1.eml", MESSAGE), ("Sent!12/2.eml", MESSAGE), ("Sent!x/3.eml", MESSAGE), ("x.dat", "y")]);
    assert_eq!(seen.counts(), [("INBOX".to_owned(), 1), ("Sent".to_owned(), 1), ("Sent!x".to_owned(), 1)]);
    assert_eq!(seen.messages[0].found.internal_date.seconds, 1_600_000_000);
    assert_eq!(seen.damage, ["1 entry is none of Zimbra's items and was left out: \"x.dat\"."]);
}

#[test]
fn content_that_is_missing_padded_or_changed_is_said() {
    let good = STANDARD.encode(Sha256::digest(MESSAGE)).replace('/', ",");
    let seen = seen(&[
        ("Inbox/1.eml.meta", &meta("/Inbox/", r#","subject":"gone""#)),
        ("Inbox/2.eml.meta", &meta("/Inbox/", &format!(r#","blob_digest":"{good}""#))),
        ("Inbox/2.eml", MESSAGE),
        ("Inbox/3.eml.meta", &meta("/Inbox/", &format!(r#","blob_digest":"{good}""#))),
        ("Inbox/3.eml", "From: a@b\r\n\r\nanother\r\n"),
        ("Inbox/4.eml.meta", &meta("/Inbox/", "")),
        ("Inbox/4.eml", "From: a@b\r\n\r\nx       "),
        ("Inbox/4.eml.err", ""),
        ("Inbox/5.eml", MESSAGE),
    ]);
    assert_eq!((seen.messages.len(), seen.unreadable.len()), (4, 1));
    assert!(seen.unreadable[0].2.contains("\"gone\""), "{:?}", seen.unreadable);
    let notes: Vec<Option<&str>> = seen.messages.iter().map(|m| m.found.note.as_deref()).collect();
    assert!(notes[0].is_none() && notes[3].is_none(), "{notes:?}");
    assert!(notes[1].unwrap().contains("digest") && notes[2].unwrap().contains("spaces"), "{notes:?}");
    assert!(seen.damage[0].starts_with("1 message has no meta entry"), "{:?}", seen.damage);
}

#[test]
fn folders_and_what_is_no_mail_are_told_as_what_they_are() {
    let folder = |id: i64, path: &str, view: i64| {
        format!(r#"{{"type":1,"id":{id},"Path":"{path}","name":"x","size":3,"metadata":"d2:vti{view}ee"}}"#)
    };
    let appointment = "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n";
    let seen = seen(&[
        ("2-Inbox.meta", &folder(2, "/Inbox", 5)),
        ("10-Calendar.meta", &folder(10, "/Calendar", 11)),
        ("16-Briefcase.meta", &folder(16, "/Briefcase", 8)),
        ("300-Vazia.meta", &folder(300, "/Vazia", 5)),
        ("Calendar/1-x.appt.meta", r#"{"type":11,"id":5,"Path":"/Calendar/","subject":"Reunião"}"#),
        ("Calendar/1-x.appt", appointment),
        ("Briefcase/plan.odt.meta", r#"{"type":8,"id":6,"Path":"/Briefcase/","name":"plan.odt"}"#),
        ("Briefcase/plan.odt", "PK"),
        (
            "Contacts/x.meta",
            r#"{"type":6,"id":7,"Path":"/Contacts/","metadata":"d3:fldd4:type5:group5:dlist3:a@bee","sender":"Todos"}"#,
        ),
    ]);
    assert_eq!(
        seen.counts(),
        [("INBOX", 0), ("Vazia", 0), ("Calendar", 0), ("Briefcase", 0), ("Contacts", 0)]
            .map(|(p, n)| (p.to_owned(), n))
    );
    assert_eq!(seen.folders[1].declared, Some(3));
    let items: Vec<(&str, ItemKind)> = seen.items.iter().map(|(_, item, _)| (item.title.as_str(), item.kind)).collect();
    assert_eq!(
        items,
        [("Reunião", ItemKind::Appointment), ("plan.odt", ItemKind::Other), ("Todos", ItemKind::ContactList)]
    );
    assert_eq!(seen.items[0].2, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
}

#[test]
fn an_export_that_was_cut_gives_what_it_holds() {
    let files: Vec<(String, String)> = (0..20)
        .flat_map(|n| {
            let name = format!("Inbox/{n:010}-x.eml");
            [(format!("{name}.meta"), meta("/Inbox/", "")), (name, format!("{MESSAGE}{n}"))]
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let whole = tar(&files);
    let limits = Limits::new(std::env::temp_dir());
    let open = |bytes: Vec<u8>| {
        let tar = Tar::new(Section::of_bytes(bytes), &limits).unwrap();
        read(&mut ZimbraStore::new(Box::new(tar), String::new(), &limits)).unwrap()
    };
    let seen = open(whole[..10 * 4 * 512 + 700].to_vec());
    // The eleventh is named by its meta, and its content is missing.
    assert_eq!((seen.messages.len(), seen.unreadable.len()), (10, 1));
    let packed = gzip(&whole);
    let seen = open(packed[..packed.len() / 2].to_vec());
    assert!(seen.messages.len() + seen.unreadable.len() < 20);
    assert!(seen.losses[0].starts_with("The archive is cut off or damaged"), "{:?}", seen.losses);
}
