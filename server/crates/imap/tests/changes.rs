//! What is asked of an account without reading mail: the survey, UIDs, flags, changes; with the extensions that make
//! it cheap and without them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use base64::Engine as _;
use common::{PASSWORD, USER, driver, inbox, list};
use gatepost_imap::ImapDriver;
use gatepost_testkit::{Dovecot, Profile, ScriptedImap, fill, on};
use gatepost_transfer::{Driver, Flags, FolderPath, RemoteFolder, UidSet, Which};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};

fn server(without: &[&str]) -> Dovecot {
    let builder = Dovecot::builder().user(USER, PASSWORD);
    if without.is_empty() { builder.start().unwrap() } else { builder.without(without).start().unwrap() }
}

fn filled(without: &[&str], inbox_only: bool) -> Dovecot {
    let server = server(without);
    let profile = Profile { messages: 60, average_bytes: 600, inbox_only, ..Profile::default() };
    fill(&server.account(USER), &profile).unwrap();
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_tells_of_each_folder_what_opening_it_tells() {
    for without in [&[][..], &["LIST-STATUS"], &["LIST-EXTENDED"], &["LIST-STATUS", "CONDSTORE", "QRESYNC"]] {
        let server = filled(without, false);
        let mut source = driver(&server).source().await.unwrap();
        let surveyed = source.survey().await.unwrap();
        let folders: Vec<RemoteFolder> = surveyed.iter().map(|s| s.folder.clone()).collect();
        assert_eq!(folders, source.folders().await.unwrap());
        assert!(folders.iter().any(|f| !f.native.is_ascii()), "{folders:?}");
        let mut messages = 0;
        for one in surveyed {
            assert_eq!(one.status.is_some(), one.folder.selectable, "without {without:?}: {one:?}");
            let Some(status) = one.status else { continue };
            let state = source.open(&one.folder).await.unwrap();
            let opened = (state.messages, state.uid_validity, state.uid_next, state.highest_modseq);
            let modseq = state.highest_modseq.filter(|_| status.highest_modseq.is_some());
            let surveyed = (status.messages, status.uid_validity, status.uid_next, status.highest_modseq);
            assert_eq!(surveyed, (opened.0, opened.1, opened.2, modseq), "without {without:?}: {:?}", one.folder);
            assert_eq!(status.highest_modseq.is_some(), !without.contains(&"CONDSTORE"));
            messages += status.messages;
        }
        assert_eq!(messages, 60);
    }
}

#[tokio::test]
async fn a_survey_takes_one_command_after_the_set_up_and_falls_back_where_it_is_refused() {
    let plain = ScriptedImap::builder().start().unwrap();
    let refusing = ScriptedImap::builder().rule(on("LIST").once().bad("RETURN what?")).start().unwrap();
    let partly = ScriptedImap::builder().capability("IMAP4rev1").rule(on("STATUS Two").no("no")).start().unwrap();
    for (server, commands) in [(&plain, 1), (&refusing, 1 + 1 + 3), (&partly, 1 + 3)] {
        let account = common::account(server.port(), USER, PASSWORD);
        let driver = ImapDriver::new(account);
        let mut destination = driver.destination().await.unwrap();
        let made = destination.create(&["One".into(), "Two".into()]).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        let before = server.commands().len();
        let surveyed = destination.survey().await.unwrap();
        assert_eq!(server.commands().len() - before, commands, "{:?}", server.commands());
        let known: Vec<_> = surveyed.iter().map(|s| (s.folder.path.to_string(), s.status.is_some())).collect();
        let two = commands != 4;
        assert_eq!(known, [("INBOX".to_owned(), true), ("One".to_owned(), true), ("Two".to_owned(), two)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uids_flags_and_listings_of_a_folder_with_gaps_agree_whatever_the_server_offers() {
    for without in [&[][..], &["ESEARCH"], &["CONDSTORE", "QRESYNC", "ENABLE"]] {
        let server = filled(without, true);
        let mut client = Talk::with(&server);
        expunge(&mut client, "3:5,7,60");
        let mut source = driver(&server).source().await.unwrap();
        source.open(&inbox()).await.unwrap();
        let left: UidSet = (1..60).filter(|uid| ![3, 4, 5, 7].contains(uid)).collect();
        assert_eq!(source.uids().await.unwrap(), left, "without {without:?}");
        let all = list(source.as_mut(), Which::From(1)).await.unwrap();
        assert_eq!(all.iter().map(|m| m.uid).collect::<UidSet>(), left);
        let some: UidSet = [1, 4, 9, 10, 11, 60, 99].into_iter().collect();
        let these = list(source.as_mut(), Which::These(some.clone())).await.unwrap();
        assert_eq!(these.iter().map(|m| m.uid).collect::<Vec<_>>(), [1, 9, 10, 11]);
        assert!(these.iter().all(|m| all.contains(m)));
        let expected: Vec<(u32, Flags)> = these.into_iter().map(|m| (m.uid, m.flags)).collect();
        assert_eq!(source.flags(&some).await.unwrap(), expected);
        assert_eq!(source.flags(&UidSet::default()).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_with_what_has_gone_where_the_server_keeps_track() {
    for (without, modseqs, tracks) in [
        (&[][..], true, true),
        (&["QRESYNC"], true, false),
        (&["ENABLE"], true, false),
        (&["CONDSTORE", "QRESYNC"], false, false),
    ] {
        let server = filled(without, true);
        let mut source = driver(&server).source().await.unwrap();
        let since = source.open(&inbox()).await.unwrap().highest_modseq;
        let mut client = Talk::with(&server);
        client.say("UID STORE 2,50 FLAGS (changed)");
        expunge(&mut client, "3:5,58");
        let state = source.open(&inbox()).await.unwrap();
        let changed = source.changed(55, since.unwrap_or(1)).await.unwrap();
        assert_eq!(changed.is_some(), modseqs, "without {without:?}");
        if let Some(changed) = changed {
            assert_eq!(changed.flags, [(2, "changed".into()), (50, "changed".into())], "without {without:?}");
            assert_eq!(changed.vanished, tracks.then(|| (3..=5).collect()), "without {without:?}");
            let now = source.changed(55, state.highest_modseq.unwrap()).await.unwrap().unwrap();
            assert_eq!((now.flags, now.vanished), (vec![], tracks.then(UidSet::default)));
        }
        // An expunge that nobody asked about (VANISHED, or EXPUNGE without QRESYNC) disturbs nothing.
        expunge(&mut client, "6");
        source.keep_alive().await.unwrap();
        assert_eq!(source.uids().await.unwrap().len(), 55);
        let (fetched, result) = common::fetch(source.as_mut(), &[1, 6, 8].into_iter().collect()).await;
        result.unwrap();
        assert_eq!(
            fetched.iter().map(|(uid, body)| (*uid, body.is_some())).collect::<Vec<_>>(),
            [(1, true), (8, true), (6, false)]
        );
    }
}

/// Somebody else, who has the INBOX open and changes it.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn with(server: &Dovecot) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.imap_port())).unwrap();
        let mut talk = Self(BufReader::new(stream));
        talk.0.read_line(&mut String::new()).unwrap();
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
        talk.say(&format!("AUTHENTICATE PLAIN {secret}"));
        talk.say("SELECT INBOX");
        talk
    }

    /// Says a command and waits for its OK.
    fn say(&mut self, command: &str) {
        self.0.get_mut().write_all(format!("x {command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        while !line.starts_with("x ") {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0);
        }
        assert!(line.starts_with("x OK"), "{command}: {line}");
    }
}

fn expunge(client: &mut Talk, uids: &str) {
    client.say(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"));
    client.say(&format!("UID EXPUNGE {uids}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_folders_are_made_at_once_and_each_refusal_is_its_own() {
    for without in [&[][..], &["LITERAL+"], &["NAMESPACE"]] {
        let server = server(without);
        let mut destination = driver(&server).destination().await.unwrap();
        let mut paths: Vec<FolderPath> =
            (0..90).map(|n| FolderPath::new([format!("Ação {}", n % 9), format!("n{n}")])).collect();
        paths.push(FolderPath::new(["a/b"]));
        paths.push(FolderPath::inbox());
        for _ in 0..2 {
            let made = destination.create(&paths).await.unwrap();
            assert_eq!(made.len(), 92);
            for (path, made) in paths.iter().zip(&made) {
                assert_eq!(made.as_ref().ok().map(|f| &f.path), (path.name() != "a/b").then_some(path), "{made:?}");
            }
        }
        let listed: Vec<FolderPath> = destination.folders().await.unwrap().into_iter().map(|f| f.path).collect();
        assert!(paths.iter().filter(|p| p.name() != "a/b").all(|p| listed.contains(p)), "{listed:?}");
    }
}
