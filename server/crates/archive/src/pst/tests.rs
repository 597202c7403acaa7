use super::*;
use crate::ItemKind;
use crate::testing::{Seen, read, samples};
use std::collections::BTreeMap;
use std::io::Read as _;

/// Folder, class, items.
type Row = (&'static str, &'static str, usize);

/// The table of the samples' README.
const TRUTH: &[(&str, &[Row])] = &[
    ("aspose-Backup_out-oversize.pst", &[]),
    (
        "aspose-Outlook.pst",
        &[
            ("Inbox", "IPM.Note", 8),
            ("Sent Items", "IPM.Note", 6),
            ("Calendar", "IPM.Appointment", 1),
            ("Contacts", "IPM.Contact", 1),
        ],
    ),
    (
        "aspose-Test_part1.pst",
        &[("Sent Items", "IPM.Note", 31), ("Calendar", "IPM.Appointment", 9), ("Contacts", "IPM.Contact", 21)],
    ),
    ("aspose-badheader.pst", &[]),
    ("aspose-contacts72.pst", &[("myInbox", "IPM.Contact", 72)]),
    ("aspose-notes.pst", &[("Notes", "IPM.StickyNote", 3)]),
    ("aspose-sample-subfolders.pst", &[("myInbox", "IPM.Note", 1)]),
    (
        "enron-lokay.pst",
        &[
            ("lokay-m/MLOKAY (Non-Privileged)", "IPM.Note", 1),
            ("lokay-m/MLOKAY (Non-Privileged)/TW-Commercial Group", "IPM.Note", 14),
            ("lokay-m/MLOKAY (Non-Privileged)/Systems", "IPM.Note", 7),
            ("lokay-m/MLOKAY (Non-Privileged)/Sent Items", "IPM.Note", 2),
            ("lokay-m/MLOKAY (Non-Privileged)/Personal", "IPM.Note", 47),
        ],
    ),
    ("gopst-32bit-ansi.pst", &[("Calendar", "IPM.Appointment", 1)]),
    ("javalibpst-passworded.pst", &[("Contacts", "IPM.Contact", 1), ("Contacts", "IPM.DistList", 1)]),
    ("libyal-outlook.pst", &[("Inbox", "IPM.Note", 1), ("Recovered_Group2", "IPM.Note", 1)]),
    ("microsoft-Empty.pst", &[]),
    (
        "ost-exchange2010.ost",
        &[
            ("Deleted Items", "IPM.Appointment", 4),
            ("Deleted Items", "IPM.Note", 1),
            ("Deleted Items", "IPM.Schedule.Meeting.Request", 5),
            ("Inbox", "IPM.Note", 10),
            ("Inbox", "IPM.Schedule.Meeting.Request", 1),
            ("Inbox", "REPORT.IPM.Note.NotSupportedICal.NDR", 1),
            ("Inbox/sub1", "IPM.Note", 25),
            ("Inbox/sub2", "IPM.Note", 29),
            ("Sent Items", "IPM.Note", 6),
            ("Calendar", "IPM.Appointment", 1),
            ("Sync Issues", "IPM.Note", 9),
        ],
    ),
    (
        "ost2013-4k-mail.ost.gz",
        &[
            ("Deleted Items", "IPM.Schedule.Meeting.Request", 1),
            ("Inbox", "IPM.Note", 7),
            ("Inbox", "IPM.Schedule.Meeting.Request", 2),
            ("Inbox", "IPM.Schedule.Meeting.Resp.Pos", 1),
            ("Sent Items", "IPM.Schedule.Meeting.Request", 1),
            ("Sent Items", "IPM.Schedule.Meeting.Resp.Pos", 1),
            ("Calendar", "IPM.Appointment", 9),
            ("Calendar/United States holidays", "IPM.Appointment", 160),
            ("Sync Issues", "IPM.Note", 1),
        ],
    ),
    ("pstsdk-sample1.pst", &[("Sample1", "IPM.Note", 1)]),
    ("pstsdk-sample2-ansi.pst", &[("Sample2", "IPM.Note", 1)]),
    ("pstsdk-submessage.pst", &[("submessage", "IPM.Note", 1)]),
    ("pstsdk-test_unicode.pst", &[("INBOX", "IPM.Post", 1), ("Folder", "IPM.Post", 1)]),
    ("tika-variousBodyTypes.pst", &[("Inbox/tmp", "IPM.Note", 4)]),
];

fn sample(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(samples()?.join("pst").join(name)).unwrap();
    if !name.ends_with(".gz") {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    Some(plain)
}

fn seen(bytes: Vec<u8>) -> Seen {
    read(&mut PstStore::open(Section::of_bytes(bytes), &Limits::new("/nowhere")).unwrap()).unwrap()
}

/// Everything that was told, by folder and class.
fn classes(seen: &Seen) -> BTreeMap<(String, String), usize> {
    let mut all = BTreeMap::new();
    let messages = seen.messages.iter().map(|m| (m.folder.clone(), m.found.class.clone()));
    let unreadable = seen.unreadable.iter().map(|(folder, m, _)| (folder.clone(), m.class.clone()));
    let items = seen.items.iter().map(|(folder, item, _)| (folder.clone(), item.class.clone()));
    for key in messages.chain(unreadable).chain(items) {
        *all.entry(key).or_default() += 1;
    }
    all
}

#[test]
fn every_sample_holds_what_its_table_says() {
    for (name, truth) in TRUTH {
        let Some(bytes) = sample(name) else { return };
        let seen = seen(bytes);
        let wanted: BTreeMap<(String, String), usize> =
            truth.iter().map(|(folder, class, n)| (((*folder).to_owned(), (*class).to_owned()), *n)).collect();
        assert_eq!(classes(&seen), wanted, "{name}");
        assert!(seen.unreadable.is_empty(), "{name}: {:?}", seen.unreadable);
        // What the file declares is what there is; its header's checksum may be wrong all the same.
        let bad = *name == "aspose-badheader.pst";
        assert_eq!(seen.losses.is_empty(), !bad, "{name}: {:?}", seen.losses);
    }
}

#[test]
fn what_an_item_is_saved_as_is_not_empty() {
    for name in ["aspose-contacts72.pst", "aspose-notes.pst", "gopst-32bit-ansi.pst", "javalibpst-passworded.pst"] {
        let Some(bytes) = sample(name) else { return };
        let seen = seen(bytes);
        assert!(seen.messages.is_empty() && !seen.items.is_empty(), "{name}");
        for (_, item, content) in &seen.items {
            let text = String::from_utf8_lossy(content);
            let begins = match item.kind {
                ItemKind::Contact | ItemKind::ContactList => "BEGIN:VCARD",
                ItemKind::Appointment => "BEGIN:VCALENDAR",
                _ => "",
            };
            assert!(text.starts_with(begins) && !text.trim().is_empty(), "{name}: {text}");
        }
    }
}

#[test]
fn an_osts_folders_stand_without_their_roots_and_with_their_uses() {
    let Some(bytes) = sample("ost-exchange2010.ost") else { return };
    let seen = seen(bytes);
    let uses: Vec<(String, SpecialUse)> =
        seen.folders.iter().filter_map(|f| Some((f.path.to_string(), f.special_use?))).collect();
    assert!(uses.contains(&("Inbox".to_owned(), SpecialUse::Inbox)), "{uses:?}");
    assert!(uses.contains(&("Deleted Items".to_owned(), SpecialUse::Trash)), "{uses:?}");
    assert!(uses.contains(&("Sent Items".to_owned(), SpecialUse::Sent)), "{uses:?}");
}

#[test]
fn a_file_cut_to_a_quarter_still_gives_most_of_its_mail() {
    let Some(mut bytes) = sample("enron-lokay.pst") else { return };
    bytes.truncate(bytes.len() / 4);
    let seen = seen(bytes);
    assert!(seen.messages.len() >= 50, "{} messages", seen.messages.len());
    assert!(seen.losses.iter().any(|loss| loss.starts_with("The file is cut short")), "{:?}", seen.losses);
}

#[test]
fn a_folder_that_declares_more_than_it_gives_or_lost_its_list_is_a_loss() {
    for (declared, met, damaged, begins) in [
        (Some(8), 7, false, Some("The folder Inbox says that it holds 8 items; 7 of them")),
        (Some(8), 7, true, Some("The folder Inbox says that it holds 8 items; 7 of them")),
        (Some(7), 7, true, Some("The list of the items of the folder Inbox is damaged: 7 items were found")),
        (None, 1, true, Some("The list of the items of the folder Inbox is damaged: 1 item was found")),
        (Some(7), 7, false, None),
        (Some(0), 7, false, None),
        (None, 0, false, None),
    ] {
        let said = fewer(&FolderPath::new(["Inbox"]), declared, met, damaged);
        assert_eq!(said.is_some(), begins.is_some(), "{said:?}");
        assert!(said.unwrap_or_default().starts_with(begins.unwrap_or_default()), "{declared:?} {met} {damaged}");
    }
    let Some(mut bytes) = sample("enron-lokay.pst") else { return };
    bytes.truncate(bytes.len() / 5);
    let losses = seen(bytes).losses;
    assert!(losses.iter().any(|loss| loss.starts_with("The list of the items of the folder ")), "{losses:?}");
}

#[test]
fn what_the_program_keeps_for_itself_is_known_by_its_class_and_nothing_else_is() {
    for (class, own) in [
        ("IPM.Configuration.MRM", true),
        ("ipm.microsoft.scheduledata.freebusy", true),
        ("IPM.Rule.Message", true),
        ("IPM.Rules", false),
        ("IPM.Note", false),
        ("IPM.Note.Custom", false),
        ("IPM.Anything", false),
        ("REPORT.IPM.Note.NDR", false),
        ("", false),
    ] {
        assert_eq!(is_the_programs_own(class), own, "{class}");
    }
}

#[test]
fn an_error_of_the_medium_ends_the_scan() {
    let directory = tempfile::tempdir().unwrap();
    // A directory can be opened, and reading it is an error of the system.
    let section = Section::of_file(Arc::new(std::fs::File::open(directory.path()).unwrap())).unwrap();
    let Some(bytes) = sample("aspose-Outlook.pst") else { return };
    let store = PstStore::open(Section::of_bytes(bytes), &Limits::new("/nowhere")).unwrap();
    let watched = Watched { section, fault: Arc::clone(&store.fault) };
    if watched.len() == 0 {
        println!("left out: a directory has no length here");
        return;
    }
    assert!(watched.read_at(0, &mut [0; 16]).is_err());
    let mut store = store;
    let error = read(&mut store).unwrap_err();
    assert!(matches!(error, ArchiveError::Io(_)), "{error}");
}
