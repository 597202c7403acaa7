//! Real files: what was measured in them by other readers must come out exactly.

mod common;

use gatepost_mapi::{Message as _, Value, tags};
use gatepost_pst::{Encoding, Format, Pst, PstError, Role};
use std::collections::BTreeMap;

/// What is known of a sample.
struct Truth {
    name: &'static str,
    format: Format,
    encoding: Encoding,
    /// Folders with items, and how many of which class; as many as the folder declares.
    folders: &'static [(&'static str, &'static [(&'static str, usize)])],
    /// Attachments, embedded items, transport headers, text, HTML, RTF (embedded ones counted too), read, flagged.
    figures: [usize; 8],
}

const TRUTHS: &[Truth] = &[
    Truth {
        name: "aspose-Backup_out-oversize.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[],
        figures: [0, 0, 0, 0, 0, 0, 0, 0],
    },
    Truth {
        name: "aspose-Outlook.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[
            ("/Inbox", &[("IPM.Note", 8)]),
            ("/Sent Items", &[("IPM.Note", 6)]),
            ("/Calendar", &[("IPM.Appointment", 1)]),
            ("/Contacts", &[("IPM.Contact", 1)]),
        ],
        figures: [34, 4, 12, 20, 18, 2, 18, 0],
    },
    Truth {
        name: "aspose-Test_part1.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[
            ("/Sent Items", &[("IPM.Note", 31)]),
            ("/Calendar", &[("IPM.Appointment", 9)]),
            ("/Contacts", &[("IPM.Contact", 21)]),
        ],
        figures: [43, 10, 10, 59, 41, 18, 59, 0],
    },
    Truth {
        name: "aspose-badheader.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[],
        figures: [0, 0, 0, 0, 0, 0, 0, 0],
    },
    Truth {
        name: "aspose-contacts72.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/myInbox", &[("IPM.Contact", 72)])],
        figures: [0, 0, 0, 0, 0, 0, 1, 0],
    },
    Truth {
        name: "aspose-notes.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/Notes", &[("IPM.StickyNote", 3)])],
        figures: [0, 0, 0, 3, 0, 0, 3, 0],
    },
    Truth {
        name: "aspose-sample-subfolders.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/myInbox", &[("IPM.Note", 1)])],
        figures: [0, 0, 1, 1, 0, 1, 1, 0],
    },
    Truth {
        name: "enron-lokay.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[
            ("/lokay-m/MLOKAY (Non-Privileged)", &[("IPM.Note", 1)]),
            ("/lokay-m/MLOKAY (Non-Privileged)/TW-Commercial Group", &[("IPM.Note", 14)]),
            ("/lokay-m/MLOKAY (Non-Privileged)/Systems", &[("IPM.Note", 7)]),
            ("/lokay-m/MLOKAY (Non-Privileged)/Sent Items", &[("IPM.Note", 2)]),
            ("/lokay-m/MLOKAY (Non-Privileged)/Personal", &[("IPM.Note", 47)]),
        ],
        figures: [70, 0, 71, 71, 0, 0, 71, 0],
    },
    Truth {
        name: "gopst-32bit-ansi.pst",
        format: Format::Ansi,
        encoding: Encoding::Permute,
        folders: &[("/Calendar", &[("IPM.Appointment", 1)])],
        figures: [0, 0, 0, 1, 1, 1, 1, 0],
    },
    Truth {
        name: "javalibpst-passworded.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/Contacts", &[("IPM.Contact", 1), ("IPM.DistList", 1)])],
        figures: [0, 0, 0, 0, 0, 0, 2, 0],
    },
    Truth {
        name: "libyal-outlook.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/Inbox", &[("IPM.Note", 1)]), ("/Recovered_Group2", &[("IPM.Note", 1)])],
        figures: [22, 0, 0, 2, 2, 0, 2, 0],
    },
    Truth {
        name: "microsoft-Empty.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[],
        figures: [0, 0, 0, 0, 0, 0, 0, 0],
    },
    Truth {
        name: "ost-exchange2010.ost",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[
            (
                "/Root - Mailbox/IPM_SUBTREE/Deleted Items",
                &[("IPM.Appointment", 4), ("IPM.Note", 1), ("IPM.Schedule.Meeting.Request", 5)],
            ),
            (
                "/Root - Mailbox/IPM_SUBTREE/Inbox",
                &[("IPM.Note", 10), ("IPM.Schedule.Meeting.Request", 1), ("REPORT.IPM.Note.NotSupportedICal.NDR", 1)],
            ),
            ("/Root - Mailbox/IPM_SUBTREE/Inbox/sub1", &[("IPM.Note", 25)]),
            ("/Root - Mailbox/IPM_SUBTREE/Inbox/sub2", &[("IPM.Note", 29)]),
            ("/Root - Mailbox/IPM_SUBTREE/Sent Items", &[("IPM.Note", 6)]),
            ("/Root - Mailbox/IPM_SUBTREE/Calendar", &[("IPM.Appointment", 1)]),
            ("/Root - Mailbox/IPM_SUBTREE/Sync Issues", &[("IPM.Note", 9)]),
        ],
        figures: [41, 1, 73, 2, 20, 71, 82, 0],
    },
    Truth {
        name: "ost2013-4k-mail.ost.gz",
        format: Format::Unicode4k,
        encoding: Encoding::None,
        folders: &[
            ("/Root - Mailbox/IPM_SUBTREE/Deleted Items", &[("IPM.Schedule.Meeting.Request", 1)]),
            (
                "/Root - Mailbox/IPM_SUBTREE/Inbox",
                &[("IPM.Note", 7), ("IPM.Schedule.Meeting.Request", 2), ("IPM.Schedule.Meeting.Resp.Pos", 1)],
            ),
            (
                "/Root - Mailbox/IPM_SUBTREE/Sent Items",
                &[("IPM.Schedule.Meeting.Request", 1), ("IPM.Schedule.Meeting.Resp.Pos", 1)],
            ),
            ("/Root - Mailbox/IPM_SUBTREE/Calendar", &[("IPM.Appointment", 9)]),
            ("/Root - Mailbox/IPM_SUBTREE/Calendar/United States holidays", &[("IPM.Appointment", 160)]),
            ("/Root - Mailbox/IPM_SUBTREE/Sync Issues", &[("IPM.Note", 1)]),
        ],
        figures: [34, 0, 10, 0, 21, 161, 181, 0],
    },
    Truth {
        name: "pstsdk-sample1.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/Sample1", &[("IPM.Note", 1)])],
        figures: [1, 0, 1, 1, 1, 0, 1, 1],
    },
    Truth {
        name: "pstsdk-sample2-ansi.pst",
        format: Format::Ansi,
        encoding: Encoding::Permute,
        folders: &[("/Sample2", &[("IPM.Note", 1)])],
        figures: [1, 0, 1, 1, 1, 0, 1, 0],
    },
    Truth {
        name: "pstsdk-submessage.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/submessage", &[("IPM.Note", 1)])],
        figures: [1, 1, 2, 2, 1, 1, 2, 0],
    },
    Truth {
        name: "pstsdk-test_unicode.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/", &[("IPM.Post", 1)]), ("/Folder", &[("IPM.Post", 1)])],
        figures: [0, 0, 0, 2, 2, 0, 2, 0],
    },
    Truth {
        name: "tika-variousBodyTypes.pst",
        format: Format::Unicode,
        encoding: Encoding::Permute,
        folders: &[("/Inbox/tmp", &[("IPM.Note", 4)])],
        figures: [0, 0, 4, 4, 2, 1, 4, 0],
    },
];

#[test]
fn every_sample_gives_exactly_what_was_measured_in_it() {
    let Some(samples) = common::samples() else { return };
    let mut wrong = Vec::new();
    for truth in TRUTHS {
        let pst = Pst::open(common::sample(&samples, truth.name)).expect("a sample opens");
        assert_eq!((pst.format(), pst.encoding()), (truth.format, truth.encoding), "{}", truth.name);
        let count = common::count(&pst).expect("a sample can be read");
        let folders: BTreeMap<_, _> = truth
            .folders
            .iter()
            .map(|(path, classes)| {
                let classes: BTreeMap<_, _> = classes.iter().map(|(class, n)| ((*class).to_owned(), *n)).collect();
                ((*path).to_owned(), (Some(classes.values().sum::<usize>() as u64), classes))
            })
            .collect();
        let figures = [
            count.attachments,
            count.embedded,
            count.headers,
            count.text,
            count.html,
            count.rtf,
            count.read,
            count.flagged,
        ];
        if count.folders != folders || figures != truth.figures {
            wrong.push(format!("{}: {count:?}, not {:?}", truth.name, truth.figures));
        }
        let untouched = truth.name == "aspose-badheader.pst" || pst.damage().is_empty();
        if !untouched || count.salvaged + count.unreadable + count.notes > 0 {
            wrong.push(format!("{}: a sound file is said to be damaged: {:?}", truth.name, pst.damage()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attachments_come_byte_for_byte() {
    let Some(samples) = common::samples() else { return };
    for (name, bytes) in
        [("enron-lokay.pst", 11_837_529), ("pstsdk-sample1.pst", 93_142), ("pstsdk-sample2-ansi.pst", 93_142)]
    {
        let count = common::count_bytes(common::sample(&samples, name)).expect("a sample can be read");
        assert_eq!(count.attached_bytes, bytes, "{name}");
    }
}

#[test]
fn special_folders_are_found_by_entry_ids_in_pst_and_ost() {
    let Some(samples) = common::samples() else { return };
    let mail = [Role::Inbox, Role::Outbox, Role::Sent, Role::Deleted, Role::Drafts, Role::Junk];
    for (name, expected) in [
        ("aspose-Outlook.pst", ["Inbox", "Outbox", "Sent Items", "Deleted Items", "Drafts", "Junk E-mail"]),
        ("ost-exchange2010.ost", ["Inbox", "Outbox", "Sent Items", "Deleted Items", "Drafts", "Junk E-Mail"]),
        ("ost2013-4k-mail.ost.gz", ["Inbox", "Outbox", "Sent Items", "Deleted Items", "Drafts", "Junk Email"]),
    ] {
        let pst = Pst::open(common::sample(&samples, name)).expect("a sample opens");
        let folders = pst.folders().expect("folders");
        let found = mail.map(|role| {
            let of_role: Vec<_> = folders.iter().filter(|folder| folder.role == Some(role)).collect();
            assert_eq!(of_role.len(), 1, "{name}: {role:?}");
            of_role[0].path.last().expect("a name").clone()
        });
        assert_eq!(found, expected, "{name}");
    }
    // Here the ids name folders that are something else by now.
    let pst = Pst::open(common::sample(&samples, "libyal-outlook.pst")).expect("a sample opens");
    let folders = pst.folders().expect("folders");
    assert!(folders.iter().all(|folder| folder.role != Some(Role::Drafts) && folder.role != Some(Role::Calendar)));
    assert!(folders.iter().any(|folder| folder.path == ["收件箱"] && folder.role == Some(Role::Inbox)));
}

#[test]
fn a_message_within_a_message_is_read_with_its_bodies() {
    let Some(samples) = common::samples() else { return };
    let pst = Pst::open(common::sample(&samples, "pstsdk-submessage.pst")).expect("a sample opens");
    let folder = pst.folders().expect("folders").into_iter().find(|folder| folder.path == ["submessage"]);
    let item = pst.items(folder.expect("the folder").nid).expect("items").next().expect("an item");
    let message = pst.message(item.nid).expect("a message");
    let attachment = message.attachment(0).expect("an attachment");
    let inner = attachment.embedded().expect("readable").expect("an item");
    assert_eq!(inner.properties().text(tags::MESSAGE_CLASS), Some("IPM.Note"));
    assert!(inner.properties().text(tags::TRANSPORT_HEADERS).is_some());
    assert!(matches!(inner.properties().tag(tags::BODY), Some(Value::Text(_))));
    assert_eq!(inner.recipients().len(), 1);
    let subject = inner.properties().text(tags::SUBJECT).expect("a subject");
    assert!(!subject.starts_with('\u{1}'), "{subject:?}");
}

#[test]
fn a_text_file_that_is_called_pst_is_refused_by_what_it_is() {
    let Some(samples) = common::samples() else { return };
    let error = Pst::open(common::sample(&samples, "aspose-not-a-pst.pst")).expect_err("no PST");
    assert!(matches!(&error, PstError::NotAPst(why) if why.contains("mbox")), "{error}");
}

#[test]
fn a_password_is_noticed_and_bars_nothing() {
    let Some(samples) = common::samples() else { return };
    for (name, expected) in [
        ("javalibpst-passworded.pst", true),
        ("microsoft-Empty.pst", false),
        ("gopst-32bit-ansi.pst", false),
        ("ost-exchange2010.ost", false),
    ] {
        let pst = Pst::open(common::sample(&samples, name)).expect("a sample opens");
        assert_eq!(pst.has_password(), expected, "{name}");
    }
}
