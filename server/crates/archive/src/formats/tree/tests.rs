use super::*;
use crate::containers::{Directory, Tar, Zip};
use crate::testing::{Seen, gzip, read, tar, zip};

fn message(subject: &str) -> String {
    format!("From: a@b\nSubject: {subject}\nReceived: x; 1 Jan 2020 00:00:00 +0000\n\nx\n")
}

fn mbox(subject: &str) -> String {
    format!("From a@b Mon Jun  3 12:50:27 1996\n{}\n", message(subject))
}

/// Reads the same files as a folder, a zip and a tar: they must tell the same.
fn everywhere(files: &[(&str, &str)]) -> Seen {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    let work = tempfile::tempdir().unwrap();
    let limits = Limits::new(work.path());
    let packed =
        Section::of_bytes(gzip(&tar(&files.iter().filter(|f| !f.0.ends_with('/')).copied().collect::<Vec<_>>())));
    let trees: [Box<dyn Tree>; 3] = [
        Box::new(Directory::new(root.path(), &limits).unwrap()),
        Box::new(Zip::new(Section::of_bytes(zip(files)), &limits).unwrap()),
        Box::new(Tar::new(packed, &limits).unwrap()),
    ];
    let told = |seen: &Seen| {
        let mut all: Vec<(String, Vec<u8>, Flags)> =
            seen.messages.iter().map(|m| (m.folder.clone(), m.bytes.clone(), m.found.flags.clone())).collect();
        all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        all
    };
    let mut first: Option<Seen> = None;
    for tree in trees {
        let kind = tree.kind();
        let mut store = TreeStore::new(tree, "x".to_owned(), &limits);
        let seen = read(&mut store).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let again = read(&mut store).unwrap();
        assert_eq!(told(&seen), told(&again), "{kind}: two scans");
        match &first {
            None => first = Some(seen),
            Some(first) => assert_eq!(told(&seen), told(first), "{kind}"),
        }
    }
    first.unwrap()
}

fn counts(seen: &Seen) -> Vec<(String, usize)> {
    let mut counts = seen.counts();
    counts.sort();
    counts
}

fn folders(wanted: &[(&str, usize)]) -> Vec<(String, usize)> {
    wanted.iter().map(|(path, n)| ((*path).to_owned(), *n)).collect()
}

#[test]
fn directories_of_messages_are_folders() {
    let (a, b, c) = (message("a"), message("b"), message("c"));
    let seen = everywhere(&[
        ("Inbox/1.eml", &a),
        ("Inbox/2.eml", &b),
        ("Clientes/2019/3.eml", &c),
        ("Inbox/.DS_Store", "x"),
        ("Inbox/photo.jpg", "\u{1}\u{2}"),
    ]);
    assert_eq!(counts(&seen), folders(&[("Clientes", 0), ("Clientes/2019", 1), ("INBOX", 2)]));
    assert_eq!(
        seen.damage,
        [
            "1 file is no mail and was left out: \"photo.jpg\".",
            "1 file that a program keeps for itself was left out: \".DS_Store\".",
        ]
    );
}

#[test]
fn a_wrapping_directory_is_no_folder_and_a_real_one_is() {
    let a = message("a");
    let seen = everywhere(&[("ana/Inbox/1.eml", &a), ("ana/Sent/2.eml", &a)]);
    assert_eq!(counts(&seen), folders(&[("INBOX", 1), ("Sent", 1)]));
    let seen = everywhere(&[("Clientes/A/1.eml", &a), ("Clientes/B/2.eml", &a)]);
    assert_eq!(counts(&seen), folders(&[("Clientes", 0), ("Clientes/A", 1), ("Clientes/B", 1)]));
    let seen = everywhere(&[("Clientes/1.eml", &a), ("Clientes/Inbox/2.eml", &a)]);
    assert_eq!(counts(&seen), folders(&[("Clientes", 1), ("Clientes/Inbox", 1)]));
}

#[test]
fn maildirs_have_their_folders_flags_and_keywords() {
    let (a, b) = (message("a"), message("b"));
    let seen = everywhere(&[
        ("home/ana/Maildir/cur/1600000000.M1.h:2,FSa", &a),
        ("home/ana/Maildir/new/1600000001.M2.h", &b),
        ("home/ana/Maildir/tmp/1600000002.M3.h", &b),
        ("home/ana/Maildir/dovecot-keywords", "0 Projeto\n"),
        ("home/ana/Maildir/dovecot-uidlist", "3 V1 N2\n"),
        ("home/ana/Maildir/.Itens Exclu&AO0-dos.2019/cur/1600000003.M4.h:2,ST", &a),
    ]);
    assert_eq!(counts(&seen), folders(&[("INBOX", 2), ("Itens Excluídos/2019", 1)]));
    let flags: Vec<String> = seen.messages.iter().map(|m| m.found.flags.to_string()).collect();
    assert!(flags.contains(&"\\Flagged \\Seen Projeto".to_owned()), "{flags:?}");
    assert!(flags.contains(&"\\Deleted \\Seen".to_owned()), "{flags:?}");
    assert_eq!(
        seen.damage,
        [
            "2 files that programs keep for themselves were left out: \"dovecot-keywords\", \"dovecot-uidlist\".",
            "1 file in a Maildir's tmp was never delivered and left out.",
        ]
    );
}

#[test]
fn a_maildir_on_disk_is_dated_by_its_files() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("cur");
    std::fs::create_dir(&place).unwrap();
    let file = std::fs::File::create(place.join("1.M1.h:2,")).unwrap();
    (&file).write_all(message("a").as_bytes()).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000)).unwrap();
    let limits = Limits::new(root.path());
    let tree = Box::new(Directory::new(root.path(), &limits).unwrap());
    let seen = read(&mut TreeStore::new(tree, String::new(), &limits)).unwrap();
    assert_eq!(seen.messages[0].found.internal_date.seconds, 1_500_000_000);
    assert_eq!(seen.messages[0].folder, "INBOX");
}

#[test]
fn thunderbirds_tree_of_mbox_files_is_a_tree_of_folders() {
    let (a, b) = (mbox("a"), mbox("b"));
    let seen = everywhere(&[
        ("Mail/Local Folders/Inbox", &a),
        ("Mail/Local Folders/Inbox.msf", "// <!-- -->"),
        ("Mail/Local Folders/Inbox.sbd/Clientes", &b),
        ("Mail/Local Folders/Inbox.sbd/Clientes.sbd/2019", &a),
        ("Mail/Local Folders/Empty", ""),
        ("Mail/Local Folders/msgFilterRules.dat", "version=9"),
    ]);
    assert_eq!(counts(&seen), folders(&[("INBOX", 1), ("Inbox/Clientes", 1), ("Inbox/Clientes/2019", 1)]));
    assert_eq!(
        seen.damage,
        ["2 files that programs keep for themselves were left out: \"Inbox.msf\", \"msgFilterRules.dat\"."]
    );
}

#[test]
fn folders_of_mail_that_are_called_as_a_programs_files_are_read() {
    let text = mbox("a");
    let names = ["Dovecot", "dovecot", "Subscriptions", "subscriptions", "Cyrus.org", "Table_of_Contents", "._Work"];
    let files: Vec<(String, &str)> = names.iter().map(|name| (format!("Mail/{name}"), text.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let seen = everywhere(&files);
    assert_eq!(seen.messages.len(), names.len(), "{:?} {:?}", seen.damage, counts(&seen));
    assert!(seen.damage.is_empty(), "{:?}", seen.damage);
}

#[test]
fn takeouts_labels_are_folders_and_a_message_of_two_exported_labels_is_told_once_in_each() {
    let one = "From 1@xxx Sat Jan 01 00:00:00 +0000 2022\nX-Gmail-Labels: Work,Inbox,Unread\nSubject: x\n\nx\n";
    let two = "From 2@xxx Sat Jan 01 00:00:00 +0000 2022\nX-Gmail-Labels: Archived\nSubject: y\n\ny\n";
    let seen = everywhere(&[
        ("Takeout/archive_browser.html", "<html>"),
        ("Takeout/Mail/Work.mbox", one),
        ("Takeout/Mail/All mail Including Spam and Trash.mbox", &format!("{one}\n{two}")),
    ]);
    assert_eq!(counts(&seen), folders(&[("Archive", 1), ("INBOX", 1), ("Work", 1)]));
    assert_eq!(seen.damage.len(), 2);
    assert!(seen.damage[0].contains("2 repetitions"), "{:?}", seen.damage);
}

#[test]
fn apple_mails_folders_are_read() {
    let body = message("a");
    let emlx = format!("{}\n{body}<plist><key>flags</key><integer>1</integer></plist>", body.len());
    let seen = everywhere(&[
        ("V2/INBOX.mbox/6F1/Data/Messages/1.emlx", &emlx),
        ("V2/Work.mbox/Clients.mbox/Messages/2.emlx", &emlx),
    ]);
    assert_eq!(counts(&seen), folders(&[("INBOX", 1), ("Work/Clients", 1)]));
    assert!(seen.messages.iter().all(|m| m.bytes.ends_with(b"\r\n\r\nx\r\n") && m.found.flags.contains("\\Seen")));
}

#[test]
fn readpsts_tree_and_cards_and_calendars_are_read() {
    let (a, b) = (mbox("a"), mbox("b"));
    let seen = everywhere(&[
        ("Outlook/Inbox/mbox", &a),
        ("Outlook/Sent Items/mbox", &b),
        ("Outlook/Contacts/1.vcf", "BEGIN:VCARD\r\nEND:VCARD\r\n"),
        ("Outlook/Calendar/1.ics", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
    ]);
    let counts: Vec<_> = counts(&seen).into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counts, folders(&[("INBOX", 1), ("Sent Items", 1)]));
    let kinds: Vec<(String, ItemKind)> =
        seen.items.iter().map(|(folder, item, _)| (folder.clone(), item.kind)).collect();
    assert_eq!(kinds, [("Calendar".to_owned(), ItemKind::Appointment), ("Contacts".to_owned(), ItemKind::Contact)]);
}

#[test]
fn an_empty_message_and_one_that_cannot_be_unpacked_are_known_and_named() {
    let a = message("a");
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::new(root.path());
    let mut bytes = zip(&[("Inbox/1.eml", &a), ("Inbox/2.eml", ""), ("Inbox/3.eml", &a)]);
    let directory = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    bytes[directory + 16] ^= 1;
    let tree = Box::new(Zip::new(Section::of_bytes(bytes), &limits).unwrap());
    let mut seen = Seen::default();
    let mut store = TreeStore::new(tree, String::new(), &limits);
    // What a catalogue does with a message that cannot be written: it notes why.
    let error = store.scan(&mut seen).unwrap_err();
    assert_eq!(error.to_string(), "It cannot be read whole: its checksum in the zip is wrong.");

    let tree = Box::new(Zip::new(Section::of_bytes(zip(&[("1.eml", &a), ("2.eml", " \n")])), &limits).unwrap());
    let seen = read(&mut TreeStore::new(tree, String::new(), &limits)).unwrap();
    assert_eq!((seen.messages.len(), seen.unreadable.len()), (1, 1));
    assert_eq!(seen.unreadable[0].2, "The file \"2.eml\" is empty.");
}

#[test]
fn a_message_that_is_gone_after_the_scan_is_unreadable() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("1.eml"), message("a")).unwrap();
    let limits = Limits::new(root.path());
    let mut store = TreeStore::new(Box::new(Directory::new(root.path(), &limits).unwrap()), String::new(), &limits);
    let seen = read(&mut store).unwrap();
    std::fs::remove_file(root.path().join("1.eml")).unwrap();
    let error = store.message(&seen.messages[0].found.locator, &mut Vec::new()).unwrap_err();
    assert!(matches!(&error, ArchiveError::Unreadable(s) if s.starts_with("\"1.eml\" was there")), "{error}");
}

#[test]
fn names_that_are_tricks_are_made_safe_and_no_message_is_lost() {
    let a = message("a");
    let long = format!("Inbox/{}.eml", "x".repeat(4000));
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::new(root.path());
    let files =
        [("../../etc/1.eml", a.as_str()), ("/abs/2.eml", &a), ("a\nb/3.eml", &a), (&long, &a), ("C:\\x\\4.eml", &a)];
    let tree = Box::new(Zip::new(Section::of_bytes(zip(&files)), &limits).unwrap());
    let seen = read(&mut TreeStore::new(tree, String::new(), &limits)).unwrap();
    assert_eq!(seen.messages.len(), 5);
    for folder in &seen.folders {
        assert!(folder.path.levels().iter().all(|l| l != ".." && !l.contains('\n') && l.len() <= 200), "{folder:?}");
    }
    assert!(seen.damage.iter().any(|s| s.contains("had parts")), "{:?}", seen.damage);
}

fn zeros(n: usize) -> String {
    "\0".repeat(n)
}

#[test]
fn mbox_files_that_do_not_begin_with_a_message_are_read_and_what_is_missing_is_told() {
    let (one, two) = (mbox("a"), format!("{}\n{}", mbox("b"), mbox("c")));
    let seen = everywhere(&[
        ("Mail/Inbox", &one),
        ("Mail/Sent", &format!("{}\n{two}", zeros(64))),
        ("Mail/Old.mbox", &format!("garbage line\n\n{two}")),
        ("Mail/Notes", &format!("garbage line\n\n{two}")),
        // Beyond what is looked at: the name says it, or the index beside it.
        ("Mail/Far.mbx", &format!("{}\n{one}", zeros(9_000))),
        ("Mail/Trash", &format!("{}\n{one}", zeros(9_000))),
        ("Mail/Trash.msf", "// <!-- -->"),
        ("Mail/Drafts", &format!("{}\n{one}", zeros(9_000))),
        ("Mail/Drafts.sbd/Old", &one),
    ]);
    let wanted = [
        ("Drafts", 1),
        ("Drafts/Old", 1),
        ("Far", 1),
        ("INBOX", 1),
        ("Notes", 2),
        ("Old", 2),
        ("Sent", 2),
        ("Trash", 1),
    ];
    assert_eq!(counts(&seen), folders(&wanted), "{:?} {:?}", seen.losses, seen.damage);
    let mut losses = seen.losses;
    losses.sort();
    let said = |name: &str, bytes: usize| {
        format!(
            "\"{name}\" does not begin with a message: its first {bytes} bytes are not part of any and were left out."
        )
    };
    assert_eq!(
        losses,
        [
            said("Drafts", 9_001),
            said("Far.mbx", 9_001),
            said("Notes", 14),
            said("Old.mbox", 14),
            said("Sent", 65),
            said("Trash", 9_001)
        ]
    );
}

#[test]
fn what_may_be_mail_and_cannot_be_read_is_a_loss_and_anything_else_a_note() {
    let a = message("a");
    let behind_zeros = format!("{}{a}", zeros(100));
    let losses: [(&str, &str, &str); 15] = [
        ("Inbox/2", &behind_zeros, "zeros or empty lines in front"),
        ("Inbox/3", "X-Foo: a\r\nSubject: only\r\n\r\nbody\r\n", "begins as a message may"),
        ("Inbox/4", "Subject: only\r\n\r\nbody\r\n", "begins as a message may"),
        ("Inbox/5", &zeros(4096), "nothing but zeros"),
        ("Inbox.dbx", "\u{1}x", "kind that is not known"),
        ("a.mbx", "*mbx*\r\n5f00000001\r\n", "UW IMAP"),
        ("b.mbx", "JMF6", "no line in it begins a message"),
        ("Old.mbox", &zeros(20_000), "no line in it begins a message"),
        ("mail.nsf", "\u{1a}x", "kind that is not known"),
        ("mail.olm.part", "x", "kind that is not known"),
        ("1.msg", "%PDF-1.4", "looks like a PDF"),
        ("empty.pst", "", "not one byte"),
        ("Work", "text without an end", "no line in it begins a message"),
        ("Work.msf", "// <!-- -->", ""),
        ("page.mbox", "<html>", "kind that is not known"),
    ];
    for (name, content, why) in losses.iter().filter(|(_, _, why)| !why.is_empty()) {
        let index = format!("{name}.msf");
        let mut files = vec![("Inbox/1.eml", a.as_str()), (*name, *content)];
        if *name == "Work" {
            files.push((&index, "// <!-- -->"));
        }
        let seen = everywhere(&files);
        assert_eq!(seen.messages.len(), 1, "{name}");
        assert!(seen.losses.len() == 1 && seen.losses[0].contains(why), "{name}: {:?} {:?}", seen.losses, seen.damage);
        assert!(seen.losses[0].contains(" may hold mail and was not read: "), "{:?}", seen.losses);
    }
    let quoted = format!("<html><pre>\n\n{}</pre>", mbox("quoted"));
    let others = [
        ("report.pdf", "%PDF-1.4\nFrom: x\n"),
        ("page.html", quoted.as_str()),
        ("photo.png", "\u{89}PNG"),
        ("zeros.bin", &zeros(4096)),
        ("letter.txt", "Subject: rent\n\nDear all,\nFrom now on\n\nFrom here to there.\n"),
        ("notes", "Dear all,\n\nFrom now on: nothing.\n"),
        ("list.csv", "from: a\n"),
        ("Empty.mbox", ""),
        ("Blank.mbox", "\n\n  \n"),
        ("Blank/mbox", "\n"),
        ("Empty", ""),
        ("Sent.mbox.old", ""),
        ("Sent.MBX.bak", ""),
        // Lines of a text that look like the beginning of a message, and a text that quotes one.
        ("notes.txt", "Hotel\nFrom 12 March 2024 14:00\nTo: 15 March 2024 11:00\n"),
        ("Notes", "Hotel\nFrom 12 March 2024 14:00\nTo: 15 March 2024 11:00\n"),
        ("howto.md", &format!("# An mbox\n\nIt looks so:\n\n{}", mbox("quoted"))),
        ("howto.rst", &format!("An mbox\n\n{}", mbox("quoted"))),
        // What servers answer with, and other programs' files.
        ("vacation.msg", "I am away.\n"),
        (".vacation.msg", "Subject: away\n\nI am away.\n"),
        ("strings.msg", "1 = Ready\n"),
    ];
    let mut files = vec![("Inbox/1.eml", a.as_str())];
    files.extend(others);
    let seen = everywhere(&files);
    assert_eq!((seen.messages.len(), &seen.losses[..]), (1, &[][..]), "{:?}", seen.damage);
}

#[test]
fn what_a_server_of_maildirs_answers_with_is_nobodys_mail() {
    let a = message("a");
    let seen = everywhere(&[
        ("ana/Maildir/cur/1600000000.M1.h:2,S", &a),
        ("ana/Maildir/.vacation.msg", &a),
        ("ana/vacation.msg", "Subject: away\n\nI am away.\n"),
        ("ana/Maildir/autoresponses/away", &a),
        ("ana/Maildir/autoresponses/away.msg", "Content-Type: text/plain\n\nI am away.\n"),
    ]);
    assert_eq!((counts(&seen), &seen.losses[..]), (folders(&[("INBOX", 1)]), &[][..]), "{:?}", seen.damage);
    assert!(seen.damage.len() == 1 && seen.damage[0].starts_with("4 files that programs keep"), "{:?}", seen.damage);
}

#[test]
fn packed_files_of_programs_are_notes_and_other_archives_losses() {
    let (a, inbox) = (message("a"), mbox("a"));
    let pk = "PK\u{3}\u{4}x";
    let profile = [
        ("Profile/Mail/Local Folders/Inbox", inbox.as_str()),
        ("Profile/Mail/Local Folders/Inbox.msf", "// <!-- -->"),
        ("Profile/extensions/x.xpi", pk),
        ("Profile/startupCache/x.jar", pk),
        ("Profile/Letter.DOCX", pk),
    ];
    let seen = everywhere(&profile);
    assert_eq!((seen.messages.len(), &seen.losses[..]), (1, &[][..]), "{:?}", seen.damage);
    assert!(seen.damage.iter().any(|said| said.starts_with("3 files are no mail")), "{:?}", seen.damage);
    let gzip = |name: &str| sniff::sniff(name, b"\x1f\x8b\x08x", 4);
    for name in ["dump.sql.gz", "mail.log.gz", "mail.log.2.gz", "Dump.SQL.GZ"] {
        assert_eq!(gzip(name), Sniffed::Other, "{name}");
    }
    for name in ["Inbox.gz", "ana.tar.gz", "ana.tgz", "ana.mbox.gz", "log.gz", "sql", "x.2.gz"] {
        assert_eq!(gzip(name), Sniffed::Archive("gzip"), "{name}");
    }
    for name in ["mail.zip", "Inbox.gz", "ana.mbox.gz", "old.pst.zip", "x", "sql", "log.zip"] {
        let seen = everywhere(&[("Inbox/1.eml", &a), (name, pk)]);
        let said =
            format!("\"{name}\" is a zip archive of its own and was not opened. Unpack it and add it as a file.");
        assert_eq!((seen.messages.len(), seen.losses), (1, vec![said]), "{name}");
    }
}

#[test]
fn a_card_that_cannot_be_unpacked_does_not_end_the_reading() {
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::new(root.path());
    let mut bytes = zip(&[("1.eml", &message("a")), ("2.vcf", "BEGIN:VCARD\r\nEND:VCARD\r\n")]);
    let directory = memchr::memmem::find_iter(&bytes, b"PK\x01\x02").nth(1).unwrap();
    bytes[directory + 16] ^= 1;
    let tree = Box::new(Zip::new(Section::of_bytes(bytes), &limits).unwrap());
    let error = TreeStore::new(tree, String::new(), &limits).scan(&mut Seen::default()).unwrap_err();
    // A catalogue goes on behind it, and tells it as a loss.
    assert!(matches!(&error, ArchiveError::Unreadable(why) if why.contains("checksum")), "{error}");
}

#[test]
fn no_more_files_that_may_be_mail_are_named_than_somebody_reads() {
    let a = message("a");
    let names: Vec<String> = (0..SUSPECTS + 3).map(|n| format!("{n}.dbx")).collect();
    let mut files = vec![("1.eml", a.as_str())];
    files.extend(names.iter().map(|name| (name.as_str(), "x")));
    let seen = everywhere(&files);
    assert_eq!(seen.losses.len() as u64, SUSPECTS + 1);
    assert_eq!(
        seen.losses.last().map(String::as_str),
        Some("Beside those named here, files that may hold mail and could not be read: 3.")
    );
}

#[test]
fn thunderbirds_copies_for_a_search_do_not_double_messages() {
    let (a, b) = (mbox("a"), message("a"));
    let seen = everywhere(&[
        ("Mail/Inbox", &a),
        ("Mail/Inbox.msf", "// <!-- -->"),
        ("Mail/Inbox.mozmsgs/1.wdseml", &b),
        ("Mail/Inbox.mozmsgs/2.mozeml", &b),
        // Nothing else holds these.
        ("Mail/Gone.mozmsgs/3.wdseml", &b),
        ("Mail/Void", ""),
        ("Mail/Void.mozmsgs/4.wdseml", &b),
    ]);
    assert_eq!(counts(&seen), folders(&[("Gone", 1), ("INBOX", 1), ("Void", 1)]));
    assert!(seen.losses.is_empty(), "{:?}", seen.losses);
    assert!(
        seen.damage.iter().any(|said| said
            == "2 copies that Thunderbird keeps for a search were left out: the messages are in the folders' own files."),
        "{:?}",
        seen.damage
    );
}

#[test]
fn what_is_locked_in_a_zip_is_a_loss_where_it_may_be_mail() {
    let a = message("a");
    let root = tempfile::tempdir().unwrap();
    let limits = Limits::new(root.path());
    for (name, unreadable, losses) in [
        ("1.eml", 1, 0),
        ("1700", 1, 0),
        ("Sent.mbx", 1, 0),
        ("mail.pst", 0, 1),
        ("Inbox.dbx", 0, 1),
        ("more.zip", 0, 1),
        ("photo.jpg", 0, 0),
        ("__MACOSX/._1.eml", 0, 0),
    ] {
        let mut bytes = zip(&[("Inbox/0.eml", &a), (name, &a)]);
        let second = memchr::memmem::find_iter(&bytes, b"PK\x01\x02").nth(1).unwrap();
        bytes[second + 8] |= 1;
        let tree = Box::new(Zip::new(Section::of_bytes(bytes), &limits).unwrap());
        let seen = read(&mut TreeStore::new(tree, String::new(), &limits)).unwrap();
        let told = (seen.messages.len(), seen.unreadable.len(), seen.losses.len());
        assert_eq!(told, (1, unreadable, losses), "{name}: {:?} {:?}", seen.losses, seen.damage);
    }
}
