//! The table: what is planted, who claims to see it, and what has to turn.

use crate::{
    fault::{Fault, fault, harmless},
    stage::{LIMIT, Scene, letter},
};
use gatepost_testkit::Generated;
use serde_json::json;

/// Mail that is lost, moved, doubled or marked otherwise by people and programs that use IMAP.
pub fn by_hand() -> Vec<Fault> {
    vec![
        fault("A message is deleted from the INBOX", "standard", |s| s.dest().remove("INBOX", "inbox-07"))
            .turns("inbox_complete", "fail", &["INBOX"])
            .because("gone")
            .counted("pending", 1),
        fault("A message is deleted from the folder of sent mail", "standard", |s| s.dest().remove("Sent", "sent-03"))
            .turns("sent_complete", "fail", &["Enviados"])
            .because("gone"),
        fault("One of 139 messages is deleted, from the archive", "standard", |s| {
            s.dest().remove("Archive", "archive-05");
        })
        .turns("count_ratio", "warn", &["1 pending"])
        .because("gone"),
        fault("Everything is deleted from one folder", "standard", |s| {
            s.dest().within("Projetos/Água", &["STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"]);
        })
        .turns("count_ratio", "fail", &["20 pending"])
        .because("gone"),
        fault("The whole mailbox is emptied", "standard", |s| {
            for folder in ["INBOX", "Sent", "Archive", "Drafts", "Projetos", "Projetos/Água"] {
                s.dest().within(folder, &["STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"]);
            }
        })
        .turns("count_ratio", "fail", &["0 of 139"])
        .counted("arrived", 0),
        fault("A message is moved to another folder", "standard", |s| {
            s.dest().within("INBOX", &["UID MOVE #inbox-11 Projetos"]);
        })
        .turns("content_match", "fail", &["INBOX"])
        .because("misplaced")
        .counted("misplaced", 1),
        fault("A message is moved to a folder that the source does not have", "standard", |s| {
            s.dest().command("CREATE Velhos");
            s.dest().within("Archive", &["UID MOVE #archive-08 Velhos"]);
        })
        .turns("content_match", "fail", &["Arquivo Morto"])
        .because("misplaced")
        .counted("misplaced", 1),
        fault("Two messages change places between folders", "standard", |s| {
            s.dest().within("INBOX", &["UID MOVE #inbox-13 Archive"]);
            s.dest().within("Archive", &["UID MOVE #archive-13 INBOX"]);
        })
        .turns("content_match", "fail", &["INBOX", "Arquivo Morto"])
        .because("misplaced")
        .counted("misplaced", 2),
        fault("A message is doubled in its folder", "standard", |s| {
            s.dest().within("INBOX", &["UID COPY #inbox-17 INBOX"]);
        })
        .turns("content_match", "fail", &["INBOX"])
        .because("doubled")
        .counted("doubled", 1),
        fault("Every message of a folder is doubled", "standard", |s| {
            s.dest().within("Archive", &["COPY 1:* Archive"]);
        })
        .turns("content_match", "fail", &["Arquivo Morto"])
        .because("doubled")
        .counted("doubled", 20),
        fault("A message is doubled into another folder", "standard", |s| {
            s.dest().within("INBOX", &["UID COPY #inbox-18 Projetos"]);
        })
        .turns("content_match", "fail", &["INBOX"])
        .because("doubled"),
        fault("A star is lost", "standard", |s| {
            s.dest().within("Archive", &["UID STORE #archive-10 -FLAGS (\\Flagged)"]);
        })
        .turns("content_match", "warn", &["Arquivo Morto (1)"])
        .counted("flags_lost", 1),
        fault("A keyword is lost", "standard", |s| {
            s.dest().within("INBOX", &["UID STORE #inbox-20 -FLAGS (Urgente)"]);
        })
        .turns("content_match", "warn", &["INBOX (1)"])
        .counted("flags_lost", 1),
        fault("Every message of a folder is unread again", "standard", |s| {
            s.dest().within("Sent", &["STORE 1:* -FLAGS (\\Seen)"]);
        })
        .turns("content_match", "warn", &["Enviados (10)"])
        .counted("flags_lost", 10),
        fault("A folder is dropped", "standard", |s| s.dest().command("DELETE \"Projetos/Água\""))
            .turns("folder_coverage", "fail", &["Projetos/Água"])
            .because("no_folder"),
        fault("A folder is dropped and made anew", "standard", |s| {
            s.dest().command("DELETE \"Projetos/Água\"");
            s.dest().command("CREATE \"Projetos/Água\"");
        })
        .turns("count_ratio", "fail", &["20 pending"]),
        fault("Two folders change names with each other", "standard", |s| {
            for (from, to) in [("Sent", "Between"), ("Archive", "Sent"), ("Between", "Archive")] {
                s.dest().command(&format!("RENAME {from} {to}"));
            }
        })
        .turns("count_ratio", "fail", &["pending"]),
        fault("A folder is renamed", "standard", |s| s.dest().command("RENAME \"Projetos/Água\" \"Projetos/Vinho\""))
            .turns("folder_coverage", "fail", &["Projetos/Água"])
            .counted("pending", 20),
        fault("The INBOX is replaced by as many other messages of the same sizes", "standard", |s| {
            s.dest().within("INBOX", &["STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"]);
            // `other` is as long as `inbox`.
            s.dest().deliver(
                (0..70).map(|n| Generated { folder: "INBOX".into(), ..letter("INBOX", &format!("other-{n:02}"), n) }),
            );
        })
        .turns("inbox_complete", "fail", &["INBOX", "70 of 70"])
        .because("gone"),
        fault("A message is uploaded anew, cut in half", "standard", |s| {
            s.dest().remove("Sent", "sent-04");
            let whole = letter("Sent", "sent-04", 4);
            s.dest().deliver([Generated { bytes: whole.bytes[..whole.bytes.len() / 2].to_vec(), ..whole }]);
        })
        .turns("sent_complete", "fail", &["Enviados"])
        .because("gone"),
    ]
}

/// Bytes, dates and numbers that change below the server: failing disks, restored backups, careless scripts.
pub fn behind_the_server() -> Vec<Fault> {
    vec![
        fault("A message is cut in half", "standard", |s| {
            s.rewrite("INBOX", "inbox-21", |text| text[..text.len() / 2].to_owned());
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("truncated")
        .counted("changed", 1),
        fault("A message keeps its head and loses its text", "standard", |s| {
            s.rewrite("Archive", "archive-12", |text| text.split_inclusive("\n\n").take(1).collect());
        })
        .turns("content_match", "fail", &["Arquivo Morto (1)"])
        .because("truncated"),
        fault("A message is emptied to the last byte", "standard", |s| {
            s.rewrite("Sent", "sent-06", |_| String::new());
        })
        .turns("content_match", "fail", &["Enviados (1)"])
        .because("truncated"),
        fault("The last line of a message is lost", "standard", |s| {
            s.rewrite("Projetos/Água", "water-11", |text| {
                text.trim_end().rsplit_once('\n').map(|(kept, _)| format!("{kept}\n")).expect("there are lines")
            });
        })
        .turns("content_match", "fail", &["Projetos/Água (1)"])
        .because("truncated"),
        fault("A line is added to a message", "standard", |s| {
            s.rewrite("INBOX", "inbox-23", |text| format!("{text}-- \nScanned by Example Antivirus.\n"));
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("content"),
        fault("A date is three seconds off", "standard", |s| s.redate("INBOX", "inbox-25", 3))
            .turns("content_match", "fail", &["INBOX (1)"])
            .because("date")
            .counted("changed", 1),
        fault("Every date of a folder is an hour off", "standard", |s| {
            for n in 0..20 {
                s.redate("Archive", &format!("archive-{n:02}"), -3600);
            }
        })
        .turns("content_match", "fail", &["Arquivo Morto (20)"])
        .because("date"),
        fault("A subject is rewritten to another length", "standard", |s| {
            s.rewrite("INBOX", "inbox-27", |text| text.replace("Subject: About", "Subject: [SPAM] About"));
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("content"),
        fault("A Message-Id is another of the same length", "standard", |s| {
            s.rewrite("Sent", "sent-08", |text| text.replace("<sent-08@b.example>", "<sent-08@c.example>"));
        })
        .turns("content_match", "fail", &["Enviados (1)"])
        .because("content"),
        fault("A Message-Id is taken away", "standard", |s| {
            s.rewrite("Archive", "archive-15", |text| text.replace("Message-Id: <archive-15@b.example>\n", ""));
        })
        .turns("content_match", "fail", &["Arquivo Morto (1)"])
        .because("content"),
        fault("Every message of the INBOX is another of the same size, date and UID", "standard", |s| {
            for n in 0..70 {
                let name = format!("inbox-{n:02}");
                s.rewrite("INBOX", &name, |text| text.replace("inbox-", "other-"));
            }
        })
        .turns("content_match", "fail", &["INBOX (70)"])
        .because("content"),
        fault("A byte of a text is another", "deep", |s| {
            s.rewrite("INBOX", "inbox-30", |text| text.replacen("dull", "bull", 1));
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("content")
        .counted("changed", 1),
        // A sample holds at least 200 messages, so that a small mailbox is read whole.
        fault("A byte of a text is another", "sample", |s| {
            s.rewrite("Sent", "sent-12", |text| text.replacen("dull", "bull", 1));
        })
        .turns("content_match", "fail", &["Enviados (1)"])
        .because("content"),
        fault("A byte of an attachment is another", "deep", |s| {
            s.rewrite("Projetos/Água", "water-19", |text| text.replacen("R0FURVBPU1Q", "R0FURVBPU1R", 1));
        })
        .turns("content_match", "fail", &["Projetos/Água (1)"])
        .because("content"),
        fault("A letter of a subject is another", "deep", |s| {
            s.rewrite("Sent", "sent-10", |text| text.replace("Subject: About", "Subject: Abort"));
        })
        .turns("content_match", "fail", &["Enviados (1)"])
        .because("content"),
        fault("A sender is another of the same length", "deep", |s| {
            s.rewrite("Archive", "archive-17", |text| text.replace("bo@b.example", "bo@e.example"));
        })
        .turns("content_match", "fail", &["Arquivo Morto (1)"])
        .because("content"),
        fault("A name of an attachment is another of the same length", "deep", |s| {
            s.rewrite("INBOX", "inbox-39", |text| text.replace("offer.pdf", "offer.exe"));
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("content"),
        fault("A message is another of the same size, date, UID and Message-Id", "deep", |s| {
            s.rewrite("INBOX", "inbox-32", |text| {
                let (head, body) = text.split_once("\n\n").expect("a head and a body");
                let other: String = body.chars().map(|c| if c.is_alphabetic() { 'x' } else { c }).collect();
                format!("{head}\n\n{other}")
            });
        })
        .turns("content_match", "fail", &["INBOX (1)"])
        .because("content"),
        fault("Two messages of one folder change places, each with the other's UID", "standard", |s| {
            let read = |name: &str| {
                let file = s.files().file("Archive", s.dest().uid("Archive", name)).expect("it is there");
                std::fs::read_to_string(file).expect("letters are text")
            };
            let (one, other) = (read("archive-02"), read("archive-18"));
            s.rewrite("Archive", "archive-02", |_| other);
            // It is found by its number now: both carry the same Message-Id.
            let uids = s.dest().uids("Archive");
            let last = uids[uids.len() - 2];
            s.files().rewrite("Archive", last, |_| one.into_bytes()).expect("the file can be written");
        })
        .turns("content_match", "fail", &["Arquivo Morto (2)"])
        .because("content"),
        fault("The files of some messages are taken away", "standard", |s| {
            for name in ["inbox-40", "inbox-41"] {
                s.files().remove("INBOX", s.dest().uid("INBOX", name)).expect("the file can be removed");
            }
        })
        .turns("inbox_complete", "fail", &["INBOX", "2 of 70"])
        .because("gone"),
        fault("The destination numbers a folder anew", "standard", |s| {
            s.files().renumber("Projetos/Água").expect("the list can be written");
        })
        .turns("count_ratio", "fail", &["20 pending"])
        .because("renumbered"),
        fault("The destination cannot read a folder any more", "standard", |s| {
            s.files().lock("Projetos/Água", true).expect("the folder can be locked");
        })
        .turns("folder_coverage", "fail", &["Projetos/Água"]),
    ]
}

/// What happens at the source after the last delta.
pub fn at_the_source() -> Vec<Fault> {
    vec![
        fault("Mail comes to the INBOX after the last delta", "standard", |s| {
            s.source().deliver([letter("INBOX", "late-01", 1)]);
        })
        .turns("inbox_complete", "fail", &["INBOX (1 of 71"])
        .because("new"),
        fault("One message of 140 comes to the archive after the last delta", "standard", |s| {
            s.source().deliver([letter("Arquivo Morto", "late-02", 2)]);
        })
        .turns("count_ratio", "warn", &["1 pending"])
        .because("new"),
        fault("A folder with mail appears after the last delta", "standard", |s| {
            s.source().deliver([letter("Pasta nova", "late-03", 3), letter("Pasta nova", "late-04", 4)]);
        })
        .turns("folder_coverage", "fail", &["Pasta nova"])
        .counted("pending", 2),
        fault("A draft is written anew after the last delta", "standard", |s| {
            s.source().remove("Rascunhos", "draft-00");
            s.source().deliver([letter("Rascunhos", "late-05", 5)]);
        })
        .turns("count_ratio", "warn", &["1 pending"])
        .because("new"),
        fault("The source numbers a folder anew", "standard", |s| {
            s.source().command("DELETE \"Projetos/Água\"");
            s.source().deliver((0..20).rev().map(|n| letter("Projetos/Água", &format!("water-{n:02}"), n)));
        })
        .turns("count_ratio", "fail", &["20 pending"])
        .because("renumbered"),
        fault("A folder of the source is renamed after the last delta", "standard", |s| {
            s.source().command("RENAME \"Projetos/Água\" \"Projetos/Vinho\"");
        })
        .turns("folder_coverage", "fail", &["Projetos/Vinho"]),
        // Only a copy takes a folder for gone that a listing leaves out.
        fault("A folder is deleted at the source after the last delta", "standard", |s| {
            s.source().command("DELETE \"Projetos/Água\"");
        })
        .turns("folder_coverage", "fail", &["Projetos/Água"]),
        fault("A message that the destination refuses waits in quarantine", "standard", |s| {
            let mut large = letter("INBOX", "large-01", 1);
            large.bytes.extend(b"All work and no play.\r\n".repeat(LIMIT / 20));
            s.source().deliver([large]);
            s.run("delta");
        })
        .turns("pst_quarantine", "fail", &["INBOX (1)"])
        .because("too_large"),
    ]
}

/// What the Desk's own books show, without a look at the servers.
pub fn in_the_books() -> Vec<Fault> {
    vec![
        fault("The newest delta fails", "asked", |s| {
            let mailbox = format!("/migration/mailboxes/{}", s.mailbox());
            s.call("PATCH", &mailbox, &json!({"dest_secret": {"password": "wrong"}})).expect(200);
            assert_eq!(s.run("delta")["status"], "failed");
        })
        .turns("delta_pending", "warn", &["did not end well"])
        .until_a_run_succeeds(&[]),
        fault("The destination takes the password no longer", "standard", |s| {
            let mailbox = format!("/migration/mailboxes/{}", s.mailbox());
            s.call("PATCH", &mailbox, &json!({"dest_secret": {"password": "wrong"}})).expect(200);
        })
        .until_a_run_succeeds(&["password"]),
        fault("A mailbox is added after the approval", "asked", |s| {
            let new = json!({
                "email": "rui@late.example", "source_type": "imap", "source_host": "127.0.0.1",
                "source_port": s.source().0.port, "source_security": "plain",
                "source_secret": {"password": "any"}, "dest_secret": {"password": "any"},
            });
            s.call("POST", &s.path("/mailboxes"), &new).expect(201);
        })
        .turns("count_ratio", "fail", &["rui@late.example"]),
        fault("The evidence grows old", "asked", |s| {
            s.sql(
                "UPDATE migration_runs SET finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-81 hours')
                 WHERE job_id = {job};
                 UPDATE migration_evidence SET read_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-80 hours')
                 WHERE job_id = {job};",
            );
        })
        .turns("count_ratio", "fail", &["80 hours old"]),
        fault("A ledger's row of a new message is marked as arrived by hand", "standard", |s| {
            s.source().deliver([letter("INBOX", "late-06", 6)]);
            s.run("standard");
            s.approve_anyway();
            s.sql(
                "UPDATE migration_messages SET state = 'arrived', cause = NULL \
                 WHERE folder_id = {folder:INBOX} AND state = 'pending';",
            );
        })
        .turns("inbox_complete", "fail", &["INBOX (1 of 71"])
        .counted("pending", 1),
        fault("A ledger's row is marked as arrived with the UID of another message", "standard", |s| {
            s.dest().remove("INBOX", "inbox-45");
            let other = s.dest().uid("INBOX", "inbox-46");
            s.sql(&format!("UPDATE migration_messages SET dest_uid = {other} WHERE id = {{row:inbox-45}};"));
        })
        .turns("inbox_complete", "fail", &["INBOX"])
        .counted("pending", 1),
    ]
}

/// What the quickest look claims to see: counts and sizes.
pub fn at_a_glance() -> Vec<Fault> {
    vec![
        fault("A message is deleted from the INBOX", "quick", |s| s.dest().remove("INBOX", "inbox-07")).turns(
            "inbox_complete",
            "fail",
            &["INBOX"],
        ),
        fault("Mail comes to the INBOX after the last delta", "quick", |s| {
            s.source().deliver([letter("INBOX", "late-07", 7)]);
        })
        .turns("inbox_complete", "fail", &["INBOX"]),
        fault("A folder is dropped", "quick", |s| s.dest().command("DELETE \"Projetos/Água\"")).turns(
            "folder_coverage",
            "fail",
            &["Projetos/Água"],
        ),
        fault("The mailbox is emptied", "quick", |s| {
            for folder in ["INBOX", "Sent", "Archive", "Drafts", "Projetos", "Projetos/Água"] {
                s.dest().within(folder, &["STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"]);
            }
        })
        .turns("inbox_complete", "fail", &["INBOX"]),
    ]
}

/// What is no damage. A gate that shuts for any of these would be opened by override the next time, unread.
pub fn no_faults() -> Vec<Fault> {
    fn nothing(_: Scene<'_>) {}
    vec![
        harmless("Nothing happens", "standard", nothing),
        harmless("Nothing happens", "deep", nothing),
        harmless("Nothing happens", "quick", nothing),
        harmless("The destination writes its dates in another zone", "standard", nothing).in_other_zone(),
        harmless("The destination writes its dates in another zone", "deep", nothing).in_other_zone(),
        harmless("Mail is read, starred and marked at the destination", "standard", |s| {
            s.dest().within("INBOX", &["STORE 1:* +FLAGS (\\Seen \\Flagged \\Answered Lido)"]);
        }),
        harmless("Mail is read at the source", "standard", |s| {
            s.source().within("INBOX", &["STORE 1:* +FLAGS (\\Seen)"]);
        }),
        harmless("New mail comes to the destination", "standard", |s| {
            s.dest().deliver([letter("INBOX", "fresh-01", 1), letter("Sent", "fresh-02", 2)]);
        }),
        harmless("New mail comes to the destination", "quick", |s| {
            s.dest().deliver([letter("INBOX", "fresh-04", 4)]);
        }),
        harmless("The destination has a folder with mail of its own", "standard", |s| {
            s.dest().deliver([letter("Novidades", "fresh-03", 3)]);
        }),
        harmless("A message is deleted at the source", "standard", |s| s.source().remove("INBOX", "inbox-50")),
        harmless("A folder is deleted at the source, and a delta sees it", "standard", |s| {
            s.source().command("DELETE \"Projetos/Água\"");
            assert_eq!(s.run("delta")["status"], "success");
        }),
        harmless("The destination adds a line of delivery to a head", "deep", |s| {
            s.rewrite("INBOX", "inbox-51", |text| format!("Delivered-To: ana@example.org\n{text}"));
        }),
        harmless("A delta finds nothing new", "standard", |s| {
            assert_eq!(s.run("delta")["status"], "success");
        }),
    ]
}
