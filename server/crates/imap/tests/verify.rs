//! Verification between two real Dovecots: a finished copy is damaged in one way after the other, and each time the
//! witness must say what is wrong, with how many messages and in which folder.

mod common;
#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "../../../tests/simulation/ledger.rs"]
mod ledger;

use common::account;
use gatepost_contract::{CauseKind, Depth, FolderEvidence, Level, MessageState};
use gatepost_imap::ImapDriver;
use gatepost_testkit::{Dovecot, Generated, InternalDate, Maildir, Storage, put};
use gatepost_transfer::{
    Budget, Watch,
    copy::{Copy, CopyOptions, CopyState},
    verify::{Sample, Verify},
};
use ledger::MemoryLedger;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

const PASSWORD: &str = "password";

struct Nobody;

impl Watch for Nobody {
    fn steps(&self, _: &[String]) {}
    fn expect(&self, _: usize, _: u64) {}
    fn begin(&self, _: usize, _: u64, _: u64) {}
    fn done(&self, _: usize, _: u64, _: u64) {}
    fn end(&self, _: usize, _: Result<Option<String>, String>) {}
    fn note(&self, _: Level, _: &str, _: String) {}
}

/// Two servers with an account for each case.
struct Servers {
    source: Dovecot,
    dest: Dovecot,
}

impl Servers {
    fn start(users: &[&str]) -> Self {
        let build =
            || users.iter().fold(Dovecot::builder().storage(Storage::Maildir), |b, user| b.user(*user, PASSWORD));
        Self { source: build().start().expect("a source"), dest: build().start().expect("a destination") }
    }

    fn pair(&self, user: &str) -> Pair<'_> {
        Pair { servers: self, user: user.to_owned(), ledger: MemoryLedger::default() }
    }
}

/// One account on both.
struct Pair<'a> {
    servers: &'a Servers,
    user: String,
    ledger: MemoryLedger,
}

impl Pair<'_> {
    fn drivers(&self) -> (ImapDriver, ImapDriver) {
        let driver = |port| ImapDriver::new(account(port, &self.user, PASSWORD));
        (driver(self.servers.source.imap_port()), driver(self.servers.dest.imap_port()))
    }

    fn deliver(&self) {
        let mail = (1..=6).flat_map(|n| [letter("INBOX", n), letter("Archive", 10 + n)]);
        put(&self.servers.source.account(&self.user), mail).expect("the source takes mail");
    }

    async fn copy(&self) {
        let (source, dest) = self.drivers();
        let copy = Copy {
            source: &source,
            dest: &dest,
            ledger: &self.ledger,
            watch: &Nobody,
            options: CopyOptions::default(),
            source_budget: Budget::unlimited(),
            dest_budget: Budget::unlimited(),
            cancel: CancellationToken::new(),
            progress: CopyState::default(),
        };
        copy.run().await.expect("the copy ends");
    }

    async fn verify(&self, depth: Depth) -> Vec<FolderEvidence> {
        self.look(depth, false).await
    }

    async fn look(&self, depth: Depth, after_cutover: bool) -> Vec<FolderEvidence> {
        let (source, dest) = self.drivers();
        let verify = Verify {
            source: &source,
            dest: &dest,
            ledger: &self.ledger,
            watch: &Nobody,
            depth,
            sample: (depth == Depth::Deep).then_some(Sample { percent: 5.0, at_least: 200, seed: 1 }),
            after_cutover,
            cancel: CancellationToken::new(),
        };
        let evidence = verify.run().await.expect("it is verified");
        self.ledger.prove();
        evidence
    }

    /// Commands at the destination in a folder.
    fn there(&self, folder: &str, commands: &[&str]) {
        self.at(self.servers.dest.imap_port(), folder, commands);
    }

    fn at(&self, port: u16, folder: &str, commands: &[&str]) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let mut answers = BufReader::new(stream.try_clone().expect("a second handle"));
        let log_in = format!("LOGIN {} {PASSWORD}", self.user);
        let select = format!("SELECT {folder}");
        let opened = (!folder.is_empty()).then_some(select.as_str());
        for command in [log_in.as_str()].into_iter().chain(opened).chain(commands.iter().copied()).chain(["LOGOUT"]) {
            stream.write_all(format!("a {command}\r\n").as_bytes()).expect("it is sent");
            let mut line = String::new();
            while !line.starts_with("a ") {
                line.clear();
                assert!(answers.read_line(&mut line).expect("an answer") > 0, "{command}: the line was closed");
            }
            assert!(line.starts_with("a OK"), "{command}: {line}");
        }
    }

    fn files(&self) -> Maildir {
        self.servers.dest.maildir(&self.user)
    }

    /// Other bytes in the place of the second message of the INBOX.
    fn rewrite(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        self.files().rewrite("INBOX", 2, change).expect("the file can be written");
    }

    fn append_there(&self, letter: Generated) {
        put(&self.servers.dest.account(&self.user), [letter]).expect("the destination takes mail");
    }
}

fn letter(folder: &str, n: u32) -> Generated {
    let body = format!(
        "From: Ana <ana@example.org>\r\nTo: bob@example.org\r\nSubject: Letter {n}\r\nMessage-ID: <{n}@example.org>\r\n\
         Date: Mon, 2 Jan 2023 15:04:05 -0300\r\n\r\nThis is letter {n}.\r\n"
    );
    Generated {
        folder: folder.into(),
        bytes: body.into_bytes(),
        flags: vec!["\\Seen".into()],
        internal_date: InternalDate::parse(&format!("2-Jan-2023 15:{n:02}:05 -0300")).expect("a date"),
    }
}

/// What is counted over all folders.
#[derive(Debug, PartialEq, Eq)]
struct Sums {
    source: i64,
    arrived: i64,
    changed: i64,
    rewritten: i64,
    flags_lost: i64,
    misplaced: i64,
    doubled: i64,
}

fn sums(folders: &[FolderEvidence]) -> Sums {
    assert!(folders.iter().all(|f| f.tally.adds_up()), "{folders:?}");
    let sum = |of: fn(&FolderEvidence) -> i64| folders.iter().map(of).sum();
    Sums {
        source: sum(|f| f.tally.source),
        arrived: sum(|f| f.tally.arrived),
        changed: sum(|f| f.changed),
        rewritten: sum(|f| f.rewritten),
        flags_lost: sum(|f| f.flags_lost),
        misplaced: sum(|f| f.misplaced),
        doubled: sum(|f| f.doubled),
    }
}

const WHOLE: Sums = Sums { source: 12, arrived: 12, changed: 0, rewritten: 0, flags_lost: 0, misplaced: 0, doubled: 0 };

struct Case {
    name: &'static str,
    depth: Depth,
    damage: fn(&Pair<'_>),
    sums: Sums,
    /// Which causes, and a word of the sentence.
    causes: &'static [(CauseKind, &'static str)],
}

fn cases() -> Vec<Case> {
    use CauseKind::{Content, Date, Doubled, Gone, Misplaced, NoFolder, Truncated};
    let standard =
        |name, damage: fn(&Pair<'_>), sums, causes| Case { name, depth: Depth::Standard, damage, sums, causes };
    let deep = |name, damage: fn(&Pair<'_>), sums, causes| Case { name, depth: Depth::Deep, damage, sums, causes };
    vec![
        standard("nothing", |_| {}, WHOLE, &[]),
        standard("read", |p| p.there("INBOX", &["STORE 1:* +FLAGS (\\Flagged)"]), WHOLE, &[]),
        standard("arrivals", |p| p.append_there(letter("INBOX", 40)), WHOLE, &[]),
        standard("extra", |p| p.append_there(letter("Other", 40)), WHOLE, &[]),
        standard(
            "removed",
            |p| p.there("INBOX", &["STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"]),
            Sums { arrived: 11, ..WHOLE },
            &[(Gone, "no longer in INBOX")],
        ),
        standard(
            "moved",
            |p| p.there("INBOX", &["MOVE 2 Archive"]),
            Sums { arrived: 11, misplaced: 1, ..WHOLE },
            &[(Misplaced, "in the folder Archive")],
        ),
        standard(
            "moved-away",
            |p| p.there("INBOX", &["CREATE Elsewhere", "MOVE 2:3 Elsewhere"]),
            Sums { arrived: 10, misplaced: 2, ..WHOLE },
            &[(Misplaced, "in the folder Elsewhere"), (Misplaced, "Elsewhere")],
        ),
        standard(
            "back",
            |p| {
                p.there("INBOX", &["MOVE 2 Archive"]);
                p.there("Archive", &["MOVE 7 INBOX"]);
            },
            WHOLE,
            &[],
        ),
        standard(
            "doubled",
            |p| p.append_there(letter("INBOX", 2)),
            Sums { doubled: 1, ..WHOLE },
            &[(Doubled, "INBOX (UID 7)")],
        ),
        standard(
            "doubled-elsewhere",
            |p| p.there("INBOX", &["COPY 2 Archive"]),
            Sums { doubled: 1, ..WHOLE },
            &[(Doubled, "Archive (UID 7)")],
        ),
        standard(
            "redelivered",
            |p| p.append_there(Generated { internal_date: letter("INBOX", 50).internal_date, ..letter("INBOX", 2) }),
            Sums { doubled: 1, ..WHOLE },
            &[(Doubled, "INBOX")],
        ),
        standard(
            "unflagged",
            |p| p.there("INBOX", &["STORE 2:3 -FLAGS (\\Seen)"]),
            Sums { flags_lost: 2, ..WHOLE },
            &[],
        ),
        standard(
            "dropped",
            |p| p.there("", &["DELETE Archive"]),
            Sums { arrived: 6, ..WHOLE },
            &[(NoFolder, "Archive is not"); 6],
        ),
        standard(
            "renamed",
            |p| p.there("", &["RENAME Archive Renamed"]),
            Sums { arrived: 6, misplaced: 6, ..WHOLE },
            &[(Misplaced, "in the folder Renamed"); 6],
        ),
        standard(
            "truncated",
            |p| p.rewrite(|b| b[..b.len() - 8].to_vec()),
            Sums { changed: 1, ..WHOLE },
            &[(Truncated, "ends early")],
        ),
        standard("emptied", |p| p.rewrite(|_| Vec::new()), Sums { changed: 1, ..WHOLE }, &[(Truncated, "is empty")]),
        standard(
            "redated",
            |p| p.files().redate("INBOX", 2, 5).expect("it is redated"),
            Sums { changed: 1, ..WHOLE },
            &[(Date, "T18:02:10+00:00 instead of 2023-01-02T18:02:05")],
        ),
        standard(
            "renumbered",
            |p| p.files().renumber("INBOX").expect("it is renumbered"),
            Sums { arrived: 6, ..WHOLE },
            &[],
        ),
        deep(
            "flipped",
            |p| p.rewrite(|b| replaced(&b, "This is", "That is")),
            Sums { changed: 1, ..WHOLE },
            &[(Content, "another text")],
        ),
        deep(
            "retitled",
            |p| p.rewrite(|b| replaced(&b, "Letter 2", "Litter 2")),
            Sums { changed: 1, ..WHOLE },
            &[(Content, "Subject differs")],
        ),
        deep(
            "refolded",
            |p| p.rewrite(|b| replaced(&b, "Letter 2", "\n Letter 2")),
            Sums { rewritten: 1, ..WHOLE },
            &[],
        ),
        deep(
            "stamped",
            |p| {
                let stamped = |b: Vec<u8>| [b"Return-Path: <ana@example.org>\n".to_vec(), b].concat();
                p.rewrite(stamped);
            },
            WHOLE,
            &[],
        ),
    ]
}

fn replaced(bytes: &[u8], what: &str, with: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes.to_vec()).expect("letters are ASCII");
    assert!(text.contains(what), "{text}");
    text.replacen(what, with, 1).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_is_named_and_counted() {
    let cases = cases();
    let servers = Servers::start(&cases.iter().map(|case| case.name).collect::<Vec<_>>());
    for Case { name, depth, damage, sums: expected, causes } in cases {
        let pair = servers.pair(name);
        pair.deliver();
        pair.copy().await;
        assert_eq!(sums(&pair.verify(Depth::Standard).await), WHOLE, "{name}: before");
        damage(&pair);
        let evidence = pair.verify(depth).await;
        assert_eq!(sums(&evidence), expected, "{name}: {evidence:?}\n{:?}", pair.ledger.findings());
        let findings = pair.ledger.findings();
        assert_eq!(findings.len(), causes.len(), "{name}: {findings:?}");
        for ((folder, uid, finding), (kind, word)) in findings.iter().zip(causes) {
            assert_eq!(finding.kind, Some(*kind), "{name}: {folder} {uid} {finding:?}");
            let cause = finding.cause.as_deref().unwrap_or_default();
            assert!(cause.contains(word) && cause.ends_with('.'), "{name}: {cause}");
        }
        // What was found is found again, and nothing is added to it; a deep finding is not forgotten by a look at the
        // listings alone.
        assert_eq!(sums(&pair.verify(Depth::Standard).await), expected, "{name}: again");
        assert_eq!(pair.ledger.findings(), findings, "{name}: again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_mends_what_is_missing_and_the_next_verification_says_so() {
    let servers = Servers::start(&["ana"]);
    let pair = servers.pair("ana");
    pair.deliver();
    pair.copy().await;
    pair.there("INBOX", &["STORE 1:3 +FLAGS (\\Deleted)", "EXPUNGE"]);
    put(&servers.source.account("ana"), [letter("INBOX", 30)]).unwrap();
    let found = sums(&pair.verify(Depth::Standard).await);
    assert_eq!(found, Sums { source: 13, arrived: 9, ..WHOLE });
    pair.copy().await;
    assert_eq!(sums(&pair.verify(Depth::Deep).await), Sums { source: 13, arrived: 13, ..WHOLE });
    assert!(pair.ledger.findings().is_empty(), "{:?}", pair.ledger.findings());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_too_many_that_were_removed_are_no_finding_any_more() {
    let servers = Servers::start(&["ana"]);
    let pair = servers.pair("ana");
    pair.deliver();
    pair.copy().await;
    pair.append_there(letter("INBOX", 2));
    assert_eq!(sums(&pair.verify(Depth::Standard).await).doubled, 1);
    pair.there("INBOX", &["STORE 7 +FLAGS (\\Deleted)", "EXPUNGE"]);
    assert_eq!(sums(&pair.verify(Depth::Standard).await), WHOLE);
    assert!(pair.ledger.findings().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waived_message_that_arrives_after_all_is_waived_no_longer() {
    let servers = Servers::start(&["ana"]);
    let pair = servers.pair("ana");
    pair.deliver();
    pair.copy().await;
    pair.there("INBOX", &["MOVE 2 Archive"]);
    pair.verify(Depth::Standard).await;
    pair.ledger.waive("INBOX", 2);
    let waived = pair.verify(Depth::Standard).await;
    assert_eq!((sums(&waived).arrived, waived.iter().map(|f| f.tally.waived).sum::<i64>()), (11, 1));
    pair.there("Archive", &["MOVE 7 INBOX"]);
    assert_eq!(sums(&pair.verify(Depth::Standard).await), WHOLE);
    let states: Vec<MessageState> = pair.ledger.residue().into_iter().map(|(.., state, _)| state).collect();
    assert!(states.is_empty(), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_covers_what_it_was_given_for_and_nothing_worse() {
    type Damage = fn(&Pair<'_>);
    let twice: Damage = |p| p.append_there(letter("INBOX", 2));
    let truncated: Damage = |p| p.rewrite(|b| b[..b.len() - 8].to_vec());
    let redated: Damage = |p| p.files().redate("INBOX", 2, 5).expect("it is redated");
    let removed: Damage = |p| p.there("INBOX", &["STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let removed_both: Damage = |p| p.there("INBOX", &["STORE 2,7 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let moved: Damage = |p| p.there("INBOX", &["MOVE 2 Archive"]);
    let moved_and_removed: Damage = |p| p.there("Archive", &["STORE 7 +FLAGS (\\Deleted)", "EXPUNGE"]);
    let cases = [
        ("twice-cut", twice, truncated, Some(CauseKind::Truncated)),
        ("twice-gone", twice, removed_both, Some(CauseKind::Gone)),
        ("redated-cut", redated, truncated, Some(CauseKind::Truncated)),
        ("redated-gone", redated, removed, Some(CauseKind::Gone)),
        ("cut-gone", truncated, removed, Some(CauseKind::Gone)),
        ("moved-gone", moved, moved_and_removed, Some(CauseKind::Gone)),
        ("twice", twice, |_| {}, None),
        ("redated", redated, |_| {}, None),
        ("cut", truncated, |_| {}, None),
        ("moved", moved, |_| {}, None),
        ("gone", removed, |_| {}, None),
    ];
    let servers = Servers::start(&cases.map(|(name, ..)| name));
    for (name, first, then, expected) in cases {
        let pair = servers.pair(name);
        pair.deliver();
        pair.copy().await;
        first(&pair);
        pair.verify(Depth::Standard).await;
        pair.ledger.waive("INBOX", 2);
        for depth in [Depth::Standard, Depth::Deep] {
            let waived = pair.verify(depth).await;
            assert_eq!(waived.iter().map(|f| f.tally.waived).sum::<i64>(), 1, "{name}: {waived:?}");
        }
        then(&pair);
        let evidence = pair.verify(Depth::Standard).await;
        sums(&evidence);
        let waived = evidence.iter().map(|f| f.tally.waived).sum::<i64>();
        assert_eq!(waived, i64::from(expected.is_none()), "{name}: {evidence:?}");
        if expected.is_some() {
            let findings = pair.ledger.findings();
            let (_, _, finding) = findings.iter().find(|(folder, uid, _)| folder == "INBOX" && *uid == 2).expect(name);
            assert_eq!((finding.kind, finding.waiver_over.is_some()), (expected, true), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_move_or_delete_after_the_cutover_has_arrived_and_is_not_copied_again() {
    let servers = Servers::start(&["ana"]);
    let pair = servers.pair("ana");
    pair.deliver();
    pair.copy().await;
    assert_eq!(sums(&pair.verify(Depth::Standard).await), WHOLE);
    pair.there("INBOX", &["STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "MOVE 1 Archive"]);
    put(&servers.source.account("ana"), [letter("INBOX", 30)]).unwrap();
    for round in 0..2 {
        pair.copy().await;
        let evidence = pair.look(Depth::Standard, true).await;
        assert_eq!(sums(&evidence), Sums { source: 13, arrived: 13, ..WHOLE }, "{round}: {evidence:?}");
        let inbox = evidence.iter().find(|f| f.source_path == "INBOX").expect("the INBOX is verified");
        assert!(inbox.note.as_deref().is_some_and(|note| note.starts_with("2 messages that had arrived")), "{inbox:?}");
    }
    let (_, dest) = pair.drivers();
    let mut reader = gatepost_transfer::Driver::reader(&dest).await.expect("a witness");
    let folders = reader.folders().await.expect("the folders");
    let inbox = folders.iter().find(|f| f.path.is_inbox()).expect("an INBOX");
    assert_eq!(reader.open(inbox).await.expect("it opens").1, 5, "what was taken out has not come back");
    // What no verification has ever seen there is not taken for anybody's doing.
    put(&servers.source.account("ana"), [letter("INBOX", 31)]).unwrap();
    pair.copy().await;
    pair.there("INBOX", &["STORE 6 +FLAGS (\\Deleted)", "EXPUNGE"]);
    assert_eq!(sums(&pair.look(Depth::Standard, true).await), Sums { source: 14, arrived: 13, ..WHOLE });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_the_source_does_not_list_stays_unproved_until_a_copy_takes_it_for_gone() {
    let servers = Servers::start(&["ana"]);
    let pair = servers.pair("ana");
    pair.deliver();
    pair.copy().await;
    assert_eq!(sums(&pair.verify(Depth::Standard).await), WHOLE);
    pair.at(servers.source.imap_port(), "", &["DELETE Archive"]);
    for _ in 0..2 {
        let evidence = pair.verify(Depth::Standard).await;
        let archive = evidence.iter().find(|f| f.source_path == "Archive").expect("it is told of");
        assert_eq!((archive.visited, archive.tally.source, archive.tally.pending), (false, 6, 6));
    }
    pair.copy().await;
    assert_eq!(sums(&pair.verify(Depth::Standard).await), Sums { source: 6, arrived: 6, ..WHOLE });
}
