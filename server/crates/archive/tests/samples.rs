//! Files of other programs, against what is known of them: the counts of each folder, and what readpst finds in them.

mod common;

use common::{Found, sample, scan};
use gatepost_contract::SourceType;
use mail_parser::{HeaderValue, MessageParser, MimeHeaders as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

type Folders = &'static [(&'static str, &'static [(&'static str, usize)])];

/// The items of each folder by their class, as three independent readers found them; and how many messages readpst
/// gives (`readpst -e -D -j 0`).
const STORES: [(&str, Folders, usize); 18] = [
    ("pst/aspose-Backup_out-oversize.pst", &[], 0),
    (
        "pst/aspose-Outlook.pst",
        &[
            ("Inbox", &[("IPM.Note", 8)]),
            ("Sent Items", &[("IPM.Note", 6)]),
            ("Calendar", &[("IPM.Appointment", 1)]),
            ("Contacts", &[("IPM.Contact", 1)]),
        ],
        14,
    ),
    (
        "pst/aspose-Test_part1.pst",
        &[
            ("Sent Items", &[("IPM.Note", 31)]),
            ("Calendar", &[("IPM.Appointment", 9)]),
            ("Contacts", &[("IPM.Contact", 21)]),
        ],
        31,
    ),
    ("pst/aspose-contacts72.pst", &[("myInbox", &[("IPM.Contact", 72)])], 0),
    ("pst/aspose-notes.pst", &[("Notes", &[("IPM.StickyNote", 3)])], 0),
    ("pst/aspose-sample-subfolders.pst", &[("myInbox", &[("IPM.Note", 1)])], 1),
    (
        "pst/enron-lokay.pst",
        &[
            ("lokay-m/MLOKAY (Non-Privileged)", &[("IPM.Note", 1)]),
            ("lokay-m/MLOKAY (Non-Privileged)/TW-Commercial Group", &[("IPM.Note", 14)]),
            ("lokay-m/MLOKAY (Non-Privileged)/Systems", &[("IPM.Note", 7)]),
            ("lokay-m/MLOKAY (Non-Privileged)/Sent Items", &[("IPM.Note", 2)]),
            ("lokay-m/MLOKAY (Non-Privileged)/Personal", &[("IPM.Note", 47)]),
        ],
        71,
    ),
    ("pst/gopst-32bit-ansi.pst", &[("Calendar", &[("IPM.Appointment", 1)])], 0),
    ("pst/javalibpst-passworded.pst", &[("Contacts", &[("IPM.Contact", 1), ("IPM.DistList", 1)])], 0),
    ("pst/libyal-outlook.pst", &[("Inbox", &[("IPM.Note", 1)]), ("Recovered_Group2", &[("IPM.Note", 1)])], 2),
    ("pst/microsoft-Empty.pst", &[], 0),
    (
        "pst/ost-exchange2010.ost",
        &[
            ("Deleted Items", &[("IPM.Appointment", 4), ("IPM.Note", 1), ("IPM.Schedule.Meeting.Request", 5)]),
            (
                "Inbox",
                &[("IPM.Note", 10), ("IPM.Schedule.Meeting.Request", 1), ("REPORT.IPM.Note.NotSupportedICal.NDR", 1)],
            ),
            ("Inbox/sub1", &[("IPM.Note", 25)]),
            ("Inbox/sub2", &[("IPM.Note", 29)]),
            ("Sent Items", &[("IPM.Note", 6)]),
            ("Calendar", &[("IPM.Appointment", 1)]),
            ("Sync Issues", &[("IPM.Note", 9)]),
        ],
        87,
    ),
    (
        "pst/ost2013-4k-mail.ost.gz",
        &[
            ("Deleted Items", &[("IPM.Schedule.Meeting.Request", 1)]),
            ("Inbox", &[("IPM.Note", 7), ("IPM.Schedule.Meeting.Request", 2), ("IPM.Schedule.Meeting.Resp.Pos", 1)]),
            ("Sent Items", &[("IPM.Schedule.Meeting.Request", 1), ("IPM.Schedule.Meeting.Resp.Pos", 1)]),
            ("Calendar", &[("IPM.Appointment", 9)]),
            ("Calendar/United States holidays", &[("IPM.Appointment", 160)]),
            ("Sync Issues", &[("IPM.Note", 1)]),
        ],
        14,
    ),
    ("pst/pstsdk-sample1.pst", &[("Sample1", &[("IPM.Note", 1)])], 1),
    ("pst/pstsdk-sample2-ansi.pst", &[("Sample2", &[("IPM.Note", 1)])], 1),
    ("pst/pstsdk-submessage.pst", &[("submessage", &[("IPM.Note", 1)])], 1),
    ("pst/pstsdk-test_unicode.pst", &[("INBOX", &[("IPM.Post", 1)]), ("Folder", &[("IPM.Post", 1)])], 0),
    ("pst/tika-variousBodyTypes.pst", &[("Inbox/tmp", &[("IPM.Note", 4)])], 4),
];

/// The INBOX is called otherwise in a store; what lies below it keeps its place.
fn as_stored(path: &str, folders: Folders) -> String {
    let rest = path.strip_prefix("INBOX").map(|rest| format!("Inbox{rest}"));
    rest.filter(|path| folders.iter().any(|(folder, _)| folder == path)).unwrap_or_else(|| path.to_owned())
}

#[test]
fn every_store_holds_exactly_what_is_known_of_it() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    println!("{:<36} {:>5} {:>8} {:>6} {:>8}", "file", "mails", "not mail", "stated", "readpst");
    for (name, folders, mails_of_readpst) in STORES {
        let path = sample(&samples, name, dir.path());
        let found = match scan(&path, SourceType::Pst) {
            Ok(found) => found,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let ours: BTreeMap<String, BTreeMap<String, usize>> =
            found.classes().into_iter().map(|(path, classes)| (as_stored(&path, folders), classes)).collect();
        let stated: BTreeMap<String, BTreeMap<String, usize>> = folders
            .iter()
            .map(|(path, classes)| {
                ((*path).to_owned(), classes.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect())
            })
            .collect();
        let all: usize = stated.values().flat_map(BTreeMap::values).sum();
        let (mails, items) = (found.messages.len(), found.items.len());
        println!("{:<36} {mails:>5} {items:>8} {all:>6} {mails_of_readpst:>8}", name.trim_start_matches("pst/"));
        if ours != stated || !found.unreadable.is_empty() {
            wrong.push(format!("{name}: {ours:?}, stated {stated:?}; unreadable {:?}", found.unreadable));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_store_is_refused_in_a_sentence() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let said = |name: &str| match scan(&samples.join(name), SourceType::Pst) {
        Ok(found) => panic!("{name} was read: {:?}", found.classes()),
        Err(error) => error.to_string(),
    };
    let text = said("pst/aspose-not-a-pst.pst");
    assert!(text.contains("mbox") || text.contains("PST"), "{text}");
    // Its trees are nonsense and nothing can be salvaged: either is an answer, silence is none.
    if let Ok(found) = scan(&samples.join("pst/aspose-badheader.pst"), SourceType::Pst) {
        assert!(found.messages.is_empty() && !found.losses.is_empty(), "{:?}", found.damage);
    }
}

#[test]
fn every_mbox_gives_the_messages_that_were_counted_in_it() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let known = [
        ("aspose-ExampleMbox.mbox", 1),
        ("mimekit-content-length.mbox", 29),
        ("mimekit-simple.mbox", 3),
        ("tika-complex.mbox", 3),
        ("tika-headers.mbox", 1),
        ("tika-multiline.mbox", 1),
        ("tika-multiline2.mbox", 1),
        ("tika-quoted.mbox", 1),
        ("tika-simple.mbox", 2),
        ("tika-single_mail.mbox", 1),
        ("tika-testMBOX_lengthy_x-headers.mbox", 1),
    ];
    let mut wrong = Vec::new();
    for (name, count) in known {
        match scan(&samples.join("mbox").join(name), SourceType::Mbox) {
            Ok(found) if found.messages.len() == count && found.unreadable.is_empty() && found.losses.is_empty() => {}
            Ok(found) => wrong.push(format!("{name}: {} of {count}; {:?}", found.messages.len(), found.losses)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_single_message_arrives_byte_for_byte() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    for (folder, count) in [("mail-parser", 107), ("mime4j", 80), ("cpython", 48)] {
        let found = scan(&samples.join("eml").join(folder), SourceType::Eml).expect(folder);
        assert_eq!(found.messages.len(), count, "{folder}: {:?} {:?}", found.damage, found.unreadable);
        assert_eq!(found.losses, Vec::<String>::new(), "{folder}");
        let mut files = BTreeSet::new();
        collect(&samples.join("eml").join(folder), &mut files);
        for message in &found.messages {
            let plain = unix(&message.bytes);
            assert!(files.contains(&plain), "{folder}: {:?} is in no file", message.found.locator);
        }
    }
}

fn collect(folder: &Path, into: &mut BTreeSet<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, into);
        } else {
            let bytes = unix(&std::fs::read(&path).expect("readable"));
            // A separator in front, as an mbox has it, is no part of the message.
            if bytes.starts_with(b"From ") {
                let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                into.insert(bytes[line..].to_vec());
            }
            into.insert(bytes);
        }
    }
}

fn unix(bytes: &[u8]) -> Vec<u8> {
    gatepost_testkit::archives::mbox::unix(bytes)
}

#[test]
fn outlooks_single_files_are_mail_or_counted_as_what_they_are() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let found = scan(&samples.join("eml/outlook-msg"), SourceType::Eml).expect("a folder of .msg");
    let classes = found.classes().into_values().next().unwrap_or_default();
    assert_eq!(classes.values().sum::<usize>(), 12, "{classes:?} {:?} {:?}", found.damage, found.unreadable);
    let items = found.items.iter().map(|item| item.found.class.as_str()).collect::<BTreeSet<_>>();
    let expected = BTreeSet::from(["IPM.Appointment", "IPM.Contact", "IPM.StickyNote", "IPM.Task"]);
    assert_eq!(items, expected, "{classes:?}");
}

#[test]
fn a_real_export_of_zimbra_gives_its_messages_flags_dates_and_contacts() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    let found = scan(&samples.join("tgz/zimbra-8.8.12-mailbox.tgz"), SourceType::Tgz).expect("an export");
    let sent: Vec<_> = found.messages.iter().map(|message| (&message.folder, &message.found)).collect();
    assert_eq!(found.counts(), BTreeMap::from([("Sent".to_owned(), 2)]), "{:?} {sent:?}", found.damage);
    assert_eq!(found.losses, Vec::<String>::new());
    let dates: Vec<i64> = found.messages.iter().map(|message| message.found.internal_date.seconds).collect();
    assert_eq!(dates, [1_562_075_806, 1_562_655_467]);
    assert_eq!(found.items.len(), 2);
    assert!(found.items.iter().all(|item| item.folder == "Emailed Contacts"), "{:?}", found.items);
    assert!(found.messages.iter().all(|message| message.found.flags.iter().any(|flag| flag == "\\Seen")));
    // 22 entries: the 16 folders, each message with its meta, and a meta for each contact.
    let names = entries(&samples.join("tgz/zimbra-8.8.12-mailbox.tgz"));
    let (folders, rest): (Vec<_>, Vec<_>) = names.iter().partition(|name| !name.contains('/'));
    assert!(folders.iter().all(|name| name.ends_with(".meta")), "{folders:?}");
    assert_eq!((folders.len(), rest.len()), (16, 2 * found.messages.len() + found.items.len()), "{rest:?}");
    // Of the folders those that hold mail, and the one of the contacts.
    let mut told: Vec<String> = found.folders.iter().map(|folder| folder.path.to_string()).collect();
    told.sort();
    told.dedup();
    assert_eq!(told, ["Drafts", "Emailed Contacts", "INBOX", "Junk", "Sent", "Trash"]);
    assert!(found.unreadable.is_empty() && found.damage.is_empty(), "{:?} {:?}", found.unreadable, found.damage);
}

/// The names in a compressed tar, by its headers alone.
fn entries(path: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).expect("the sample");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("a whole gzip file");
    let mut names = Vec::new();
    let mut rest = &bytes[..];
    while let Some((header, behind)) = rest.split_first_chunk::<512>().filter(|(header, _)| header[0] != 0) {
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        let size = usize::from_str_radix(text(&header[124..136]).trim(), 8).expect("a number");
        names.push(text(&header[..100]));
        rest = &behind[size.next_multiple_of(512)..];
    }
    names
}

/// One message as a mail program sees it.
#[derive(Debug)]
struct Seen {
    id: String,
    subject: String,
    from: String,
    to: BTreeSet<String>,
    cc: BTreeSet<String>,
    /// Seconds since 1970.
    date: Option<i64>,
    /// What it answers.
    references: BTreeSet<String>,
    in_reply_to: BTreeSet<String>,
    texts: Vec<String>,
    html: bool,
    attachments: Vec<Vec<u8>>,
    /// The contents of all parts, those of messages inside it too.
    parts: Vec<Vec<u8>>,
    /// A body that is only there as RTF.
    rich: bool,
    calendar: bool,
}

fn seen(bytes: &[u8]) -> Option<Seen> {
    let message = MessageParser::default().parse(bytes)?;
    let addresses = |address: Option<&mail_parser::Address<'_>>| -> BTreeSet<String> {
        address
            .into_iter()
            .flat_map(|address| address.iter())
            .filter_map(|one| one.address.as_deref().or(one.name.as_deref()))
            .map(|text| text.trim_matches(['\'', '"']).to_lowercase())
            .collect()
    };
    let (mut attachments, mut parts, mut rich, mut calendar) = (Vec::new(), Vec::new(), false, false);
    let mut part_of = |part: &mail_parser::MessagePart<'_>| {
        calendar |= part.content_type().is_some_and(|kind| kind.subtype() == Some("calendar"));
        parts.push(part.contents().to_vec());
    };
    // What readpst adds of its own: the RTF body that it cannot read, and a calendar made from the properties.
    let mut file = |part: &mail_parser::MessagePart<'_>| {
        let is_rich = part.attachment_name() == Some("rtf-body.rtf");
        let is_made = part.contents().windows(13).any(|text| text == b"PRODID:LibPST");
        rich |= is_rich;
        if !is_rich && !is_made {
            attachments.push(part.contents().to_vec());
        }
    };
    for part in &message.parts {
        match part.message() {
            Some(inner) => inner.parts.iter().for_each(&mut part_of),
            None => part_of(part),
        }
    }
    for part in message.attachments() {
        match part.message() {
            Some(inner) => inner.attachments().for_each(&mut file),
            None => file(part),
        }
    }
    let texts = (0..message.text_body_count()).filter_map(|at| message.body_text(at));
    let html = (0..message.html_body_count()).filter_map(|at| message.body_html(at));
    let texts = texts.chain(html.map(|html| mail_parser::decoders::html::html_to_text(&html).into()));
    let texts = texts.map(|text| squeeze(&text)).collect();
    Some(Seen {
        id: message.message_id().unwrap_or_default().to_owned(),
        subject: squeeze(message.subject().unwrap_or_default()),
        from: addresses(message.from()).into_iter().next().unwrap_or_default(),
        to: addresses(message.to()),
        cc: addresses(message.cc()),
        date: message.date().map(mail_parser::DateTime::to_timestamp),
        references: ids(message.references()),
        in_reply_to: ids(message.in_reply_to()),
        texts,
        html: (0..message.html_body_count())
            .any(|at| message.body_html(at).is_some_and(|html| !html.trim().is_empty())),
        attachments,
        parts,
        rich,
        calendar,
    })
}

fn ids(value: &HeaderValue<'_>) -> BTreeSet<String> {
    match value {
        HeaderValue::Text(id) => BTreeSet::from([id.to_string()]),
        HeaderValue::TextList(ids) => ids.iter().map(ToString::to_string).collect(),
        _ => BTreeSet::new(),
    }
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a message of readpst's carries and none of ours does; empty where nothing is missing.
fn missing(theirs: &Seen, ours: &[Seen]) -> String {
    let alike = |one: &&Seen| if theirs.id.is_empty() { one.subject == theirs.subject } else { one.id == theirs.id };
    let candidates: Vec<&Seen> = ours.iter().filter(alike).collect();
    if candidates.is_empty() {
        return format!("no message {:?} {:?}", theirs.id, theirs.subject);
    }
    let lacks = |one: &&Seen| {
        let mut lacks = Vec::new();
        if !theirs.subject.is_empty() && one.subject != theirs.subject {
            lacks.push(format!("subject {:?}, ours {:?}", theirs.subject, one.subject));
        }
        if theirs.from.contains('@') && !theirs.from.contains("unknown") && one.from != theirs.from {
            lacks.push(format!("from {:?}, ours {:?}", theirs.from, one.from));
        }
        for (name, theirs, ours) in [
            ("to", &theirs.to, &one.to),
            ("cc", &theirs.cc, &one.cc),
            ("references", &theirs.references, &one.references),
            ("in reply to", &theirs.in_reply_to, &one.in_reply_to),
        ] {
            for known in theirs.iter().filter(|known| known.contains('@') && !ours.contains(*known)) {
                lacks.push(format!("{name} {known:?}, ours {ours:?}"));
            }
        }
        if theirs.date.is_some() && one.date != theirs.date {
            lacks.push(format!("date {:?}, ours {:?}", theirs.date, one.date));
        }
        for text in theirs.texts.iter().filter(|text| !text.is_empty()) {
            if !one.texts.iter().any(|ours| ours.contains(text.as_str())) {
                lacks.push(format!("text {:.300?}, ours {:.300?}", text, one.texts));
            }
        }
        for attachment in &theirs.attachments {
            if !attachment.is_empty() && !one.parts.contains(attachment) {
                lacks.push(format!(
                    "an attachment of {} bytes: {:.60?}",
                    attachment.len(),
                    String::from_utf8_lossy(attachment)
                ));
            }
        }
        if theirs.rich && !one.html && one.texts.iter().all(String::is_empty) {
            lacks.push("the body that they have as RTF".to_owned());
        }
        if theirs.calendar && !one.calendar {
            lacks.push("a calendar".to_owned());
        }
        lacks.join("; ")
    };
    candidates.iter().map(lacks).min_by_key(String::len).unwrap_or_default()
}

#[test]
fn our_messages_carry_at_least_what_those_of_readpst_carry() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    if Command::new("readpst").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "readpst is not installed");
        eprintln!("left out: no readpst");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (name, _, mails) in STORES.into_iter().filter(|(_, _, mails)| *mails > 0) {
        let path = sample(&samples, name, dir.path());
        let found: Found = scan(&path, SourceType::Pst).expect(name);
        let ours: Vec<Seen> = found.messages.iter().filter_map(|message| seen(&message.bytes)).collect();
        let out = tempfile::tempdir().expect("a folder");
        let status = Command::new("readpst")
            .args(["-q", "-e", "-D", "-j", "0", "-o"])
            .arg(out.path())
            .arg(&path)
            .status()
            .expect("readpst runs");
        assert!(status.success(), "{name}");
        let mut files = BTreeMap::new();
        messages_below(out.path(), &mut files);
        assert_eq!(files.len(), mails, "{name}: readpst");
        for (file, bytes) in files {
            let Some(theirs) = seen(&bytes) else { continue };
            let lacks = missing(&theirs, &ours);
            if !lacks.is_empty() {
                wrong.push(format!("{name} {file}: {lacks}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of readpst's messages carry more:\n{}", wrong.len(), wrong.join("\n"));
}

fn messages_below(folder: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            messages_below(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "eml") {
            into.insert(path.to_string_lossy().into_owned(), std::fs::read(&path).expect("readable"));
        }
    }
}
