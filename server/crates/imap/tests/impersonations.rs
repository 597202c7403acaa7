//! Whole copies from and to servers that nobody can start here: the kit's impersonations of Gmail, Exchange, Zimbra and
//! hMailServer, with what each of them does that no specification asks for.

mod common;
#[allow(dead_code, reason = "the simulation uses more of it")]
#[path = "../../../tests/simulation/ledger.rs"]
mod ledger;

use common::{PASSWORD, USER, account};
use gatepost_contract::{Depth, FolderEvidence, Level, MessageState};
use gatepost_imap::{Account, GmailLabels, ImapDriver};
use gatepost_testkit::{
    InternalDate, ScriptedImap, on,
    scripted::{Builder, EXCHANGE_IS_THROTTLED, GMAIL_SESSION_EXPIRED, Impersonation, Mailbox, Quirk},
};
use gatepost_transfer::{
    Budget, Watch,
    copy::{Copy, CopyOptions, CopyOutcome, CopyState},
    verify::Verify,
};
use ledger::MemoryLedger;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What a person would have read.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Watch for Log {
    fn steps(&self, _: &[String]) {}
    fn expect(&self, _: usize, _: u64) {}
    fn begin(&self, _: usize, _: u64, _: u64) {}
    fn done(&self, _: usize, _: u64, _: u64) {}

    fn end(&self, _: usize, result: Result<Option<String>, String>) {
        if let Err(sentence) = result {
            self.0.lock().expect("no test panics here").push(sentence);
        }
    }

    fn note(&self, _: Level, kind: &str, message: String) {
        self.0.lock().expect("no test panics here").push(format!("{kind}: {message}"));
    }
}

/// Two servers and what is known of the copy between them.
struct Journey {
    source: ScriptedImap,
    dest: ScriptedImap,
    ledger: MemoryLedger,
    log: Log,
    rule: GmailLabels,
}

impl Journey {
    fn between(source: Builder, dest: Builder) -> Self {
        Self {
            source: source.user(USER, PASSWORD).start().expect("the source starts"),
            dest: dest.user(USER, PASSWORD).start().expect("the destination starts"),
            ledger: MemoryLedger::default(),
            log: Log::default(),
            rule: GmailLabels::Each,
        }
    }

    fn drivers(&self) -> (ImapDriver, ImapDriver) {
        let source = Account { gmail_labels: Some(self.rule), ..account(self.source.port(), USER, PASSWORD) };
        let dest = Account { gmail_labels: None, ..account(self.dest.port(), USER, PASSWORD) };
        (ImapDriver::new(source), ImapDriver::new(dest))
    }

    async fn run(&self) -> CopyOutcome {
        let (source, dest) = self.drivers();
        let copy = Copy {
            source: &source,
            dest: &dest,
            ledger: &self.ledger,
            watch: &self.log,
            options: CopyOptions {
                pause: Duration::from_millis(1),
                settle: Duration::from_millis(2),
                ..CopyOptions::default()
            },
            source_budget: Budget::unlimited(),
            dest_budget: Budget::unlimited(),
            cancel: CancellationToken::new(),
            progress: CopyState::default(),
        };
        let ended = tokio::time::timeout(Duration::from_secs(180), copy.run()).await;
        let outcome = ended.unwrap_or_else(|_| panic!("it hangs: {}", self.said())).expect("the copy ends");
        let changing = self.source.changing_commands();
        assert!(changing.is_empty(), "the source was changed: {changing:?}");
        outcome
    }

    /// Runs until nothing changes any more, which must be the second time; the first outcome.
    async fn twice(&self) -> CopyOutcome {
        let first = self.run().await;
        let there = holdings(&self.dest);
        let second = self.run().await;
        assert_eq!((second.transferred, second.adopted), (0, 0), "{second:?}\n{}", self.said());
        assert_eq!(holdings(&self.dest), there, "a second run changes nothing");
        first
    }

    async fn verified(&self) -> Vec<FolderEvidence> {
        let (source, dest) = self.drivers();
        let verify = Verify {
            source: &source,
            dest: &dest,
            ledger: &self.ledger,
            watch: &self.log,
            depth: Depth::Standard,
            sample: None,
            after_cutover: false,
            cancel: CancellationToken::new(),
        };
        verify.run().await.expect("it is verified")
    }

    fn said(&self) -> String {
        self.log.0.lock().expect("no test panics here").join("\n")
    }

    /// What was kept back, by the beginning of the server's words.
    fn refused(&self) -> BTreeMap<String, usize> {
        let mut causes = BTreeMap::new();
        for (_, _, _, state, cause) in self.ledger.residue() {
            if state == MessageState::Quarantined {
                *causes.entry(cause).or_default() += 1;
            }
        }
        causes
    }
}

fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("").to_owned()
}

/// What a server holds: the subjects by mailbox; mailboxes without messages are left out.
fn holdings(server: &ScriptedImap) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for name in server.mailbox_names() {
        let mailbox = server.mailbox(&name).expect("it was listed");
        let mut subjects: Vec<String> = mailbox.messages.iter().map(|message| subject(&message.bytes)).collect();
        subjects.sort();
        if !subjects.is_empty() {
            all.insert(name, subjects);
        }
    }
    all
}

fn expected(held: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    held.iter()
        .map(|(name, subjects)| ((*name).to_owned(), subjects.iter().map(|s| (*s).to_owned()).collect()))
        .collect()
}

fn letter(subject: &str) -> Vec<u8> {
    written(subject, "", &format!("This is {subject}.\r\n"))
}

fn written(subject: &str, header: &str, body: &str) -> Vec<u8> {
    format!("From: a@b.example\r\nSubject: {subject}\r\nMessage-Id: <{subject}@b.example>\r\n{header}\r\n{body}").into()
}

const DATE: InternalDate = InternalDate { unix_seconds: 1_700_000_000, zone_minutes: -180 };

fn mailbox(name: &str, letters: &[&str]) -> Mailbox {
    letters.iter().fold(Mailbox::new(name), |mailbox, one| mailbox.message(letter(one), DATE, &["\\Seen"]))
}

/// An account of Gmail: `one` has two labels and two stars, `six` is archived, `nine` has a label that IMAP hides.
fn gmail(german: bool) -> Builder {
    let (whom, [all, sent, starred, important, trash]) = if german {
        (Impersonation::GmailInGerman, ["Alle Nachrichten", "Gesendet", "Markiert", "Wichtig", "Papierkorb"])
    } else {
        (Impersonation::Gmail, ["All Mail", "Sent Mail", "Starred", "Important", "Trash"])
    };
    let system = |name: &str, attribute: &str, letters: &[&str]| {
        mailbox(&format!("[Gmail]/{name}"), letters).attribute(attribute)
    };
    ScriptedImap::builder()
        .impersonate(whom)
        .mailbox(mailbox("INBOX", &["one", "two"]))
        .mailbox(mailbox("Obras", &["one", "three"]))
        .mailbox(mailbox("Ação/\"A\"", &["four", "two"]))
        .mailbox(system(sent, "\\Sent", &["five", "one"]))
        .mailbox(system("Spam", "\\Junk", &["seven"]))
        .mailbox(system(trash, "\\Trash", &["eight"]))
        .mailbox(system(starred, "\\Flagged", &["one", "six"]))
        .mailbox(system(important, "\\Important", &["one", "six"]))
        .mailbox(system(all, "\\All", &["six", "nine"]))
}

#[tokio::test]
async fn each_label_of_gmail_is_a_folder_and_the_archive_holds_the_rest() {
    for german in [false, true] {
        let journey = Journey::between(gmail(german), ScriptedImap::builder());
        let first = journey.twice().await;
        let held = expected(&[
            ("Archive", &["nine", "six"]),
            ("Ação/\"A\"", &["four", "two"]),
            ("INBOX", &["one", "two"]),
            ("Junk", &["seven"]),
            ("Obras", &["one", "three"]),
            ("Sent", &["five", "one"]),
            ("Trash", &["eight"]),
        ]);
        assert_eq!(holdings(&journey.dest), held, "{}", journey.said());
        assert_eq!(first.transferred, 12);
        assert!(journey.said().contains("without a label"), "{}", journey.said());
        let evidence = journey.verified().await;
        assert!(evidence.iter().all(|e| e.visited && e.tally.arrived == e.tally.source), "{evidence:#?}");
        assert_eq!(evidence.iter().map(|e| e.tally.source).sum::<i64>(), 12, "{evidence:#?}");
        assert!(journey.source.quirk_counts()[&Quirk::SaysThrottledInOk] > 0);
    }
}

#[tokio::test]
async fn a_message_that_loses_its_last_label_goes_to_the_archive() {
    let journey = Journey::between(gmail(false), ScriptedImap::builder());
    journey.run().await;
    journey.source.change("Obras", |mailbox| mailbox.messages.retain(|m| subject(&m.bytes) != "three"));
    journey.source.deliver("[Gmail]/All Mail", letter("ten"), DATE, &[]);
    journey.source.deliver("Obras", letter("nine"), DATE, &[]);
    let next = journey.twice().await;
    let held = holdings(&journey.dest);
    assert_eq!(held["Archive"], ["nine", "six", "ten", "three"], "{}", journey.said());
    assert_eq!(held["Obras"], ["nine", "one", "three"]);
    assert_eq!(next.transferred, 3, "{}", journey.said());
}

#[tokio::test]
async fn where_asked_a_message_of_gmail_arrives_once() {
    let mut journey = Journey::between(gmail(true), ScriptedImap::builder());
    journey.rule = GmailLabels::Once;
    let first = journey.twice().await;
    let held = expected(&[
        ("Archive", &["nine", "six"]),
        ("Ação/\"A\"", &["four"]),
        ("INBOX", &["one", "two"]),
        ("Junk", &["seven"]),
        ("Obras", &["three"]),
        ("Sent", &["five"]),
        ("Trash", &["eight"]),
    ]);
    assert_eq!(holdings(&journey.dest), held, "{}", journey.said());
    assert_eq!(first.transferred, 9);
    let evidence = journey.verified().await;
    assert!(evidence.iter().all(|e| e.visited && e.tally.arrived == e.tally.source), "{evidence:#?}");
    assert_eq!(evidence.iter().map(|e| e.tally.source).sum::<i64>(), 9, "{evidence:#?}");
}

#[tokio::test]
async fn a_label_called_archive_and_the_archive_stay_apart() {
    let source = gmail(false).mailbox(mailbox("Archive", &["two"]));
    let journey = Journey::between(source, ScriptedImap::builder());
    journey.twice().await;
    let held = holdings(&journey.dest);
    assert_eq!(held["Archive"], ["two"], "{}", journey.said());
    let rest: BTreeSet<&str> =
        held.iter().filter(|(_, all)| all.contains(&"six".to_owned())).map(|(name, _)| name.as_str()).collect();
    assert_eq!(rest.len(), 1, "{held:?}");
    assert!(!rest.contains("Archive"));
}

#[tokio::test]
async fn gmail_that_ends_the_session_is_connected_to_again() {
    let journey = Journey::between(
        gmail(false).rule(on("UID FETCH").after(3).once().bye(GMAIL_SESSION_EXPIRED)),
        ScriptedImap::builder(),
    );
    journey.run().await;
    assert_eq!(journey.run().await.transferred, 0, "{}", journey.said());
    assert_eq!(holdings(&journey.dest).values().flatten().count(), 12, "{}", journey.said());
    assert!(journey.said().contains(GMAIL_SESSION_EXPIRED));
}

#[tokio::test]
async fn exchange_as_a_source_is_copied_but_for_what_it_does_not_deliver() {
    let damaged = written("damaged", "X-Damaged: yes\r\n", "body\r\n");
    let source = ScriptedImap::builder()
        .impersonate(Impersonation::Exchange)
        .mailbox(mailbox("INBOX", &["one", "two"]).message(damaged, DATE, &[]))
        .mailbox(mailbox("Sent Items", &["three"]).attribute("\\Sent"))
        .mailbox(mailbox("Deleted Items", &["four"]).attribute("\\Trash"))
        .mailbox(mailbox("Calendar", &["an appointment"]));
    let journey = Journey::between(source, ScriptedImap::builder());
    journey.twice().await;
    let held = expected(&[
        ("Calendar", &["an appointment"]),
        ("INBOX", &["one", "two"]),
        ("Sent", &["three"]),
        ("Trash", &["four"]),
    ]);
    assert_eq!(holdings(&journey.dest), held, "{}", journey.said());
    let counts = journey.source.quirk_counts();
    assert!(counts[&Quirk::KeepsDamagedItems] > 0 && counts[&Quirk::TellsStorageSize] > 0, "{counts:?}");
    let left = journey.ledger.residue();
    assert_eq!(left.len(), 1, "{left:?}\n{}", journey.said());
    let evidence = journey.verified().await;
    let missing: i64 = evidence.iter().map(|e| e.tally.source - e.tally.arrived).sum();
    assert_eq!((missing, evidence.iter().map(|e| e.changed).sum::<i64>()), (1, 0), "{evidence:#?}");
}

#[tokio::test]
async fn zimbra_and_hmailserver_as_sources_are_copied_whole() {
    for (whom, separator) in [(Impersonation::Zimbra, '/'), (Impersonation::HMailServer, '.')] {
        let below = format!("Clientes{separator}Obras");
        let source = ScriptedImap::builder()
            .impersonate(whom)
            .mailbox(mailbox("INBOX", &["one", "two"]).message(written("three", "", ""), DATE, &["\\Flagged"]))
            .mailbox(mailbox("Sent", &["four"]))
            .mailbox(mailbox(&below, &["five"]))
            .mailbox(mailbox("Emailed Contacts", &["a card"]));
        let journey = Journey::between(source, ScriptedImap::builder());
        journey.twice().await;
        let held = expected(&[
            ("Clientes/Obras", &["five"]),
            ("Emailed Contacts", &["a card"]),
            ("INBOX", &["one", "three", "two"]),
            ("Sent", &["four"]),
        ]);
        assert_eq!(holdings(&journey.dest), held, "{whom:?}: {}", journey.said());
        let evidence = journey.verified().await;
        assert!(evidence.iter().all(|e| e.tally.arrived == e.tally.source), "{whom:?} {evidence:#?}");
    }
}

const LATE: InternalDate = InternalDate { unix_seconds: 2_500_000_000, zone_minutes: 0 };

/// Mail at which one or the other server balks.
fn plain() -> Builder {
    let related = "Content-Type: multipart/related; boundary=\"=_outer\"\r\n";
    let parts = "--=_outer\r\nContent-Type: multipart/alternative; boundary=\"=_inner\"\r\n\r\n--=_inner\r\n\r\na\r\n\
        --=_inner--\r\n--=_outer--\r\n";
    let long = format!("{}\r\n", "x".repeat(12_000));
    let many: Vec<String> = (0..30).map(|n| format!("many-{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    ScriptedImap::builder()
        .mailbox(
            mailbox("INBOX", &["one", "two"])
                .message(written("related", related, parts), DATE, &["\\Seen"])
                .message(written("long", "", &long), DATE, &[])
                .message(Vec::new(), DATE, &[])
                .message(letter("late"), LATE, &[])
                .message(letter("sticky"), DATE, &["\\Flagged", "sticky:1"])
                .message(letter("marked"), DATE, &["projeto"]),
        )
        .mailbox(mailbox("Sent", &["three"]).attribute("\\Sent"))
        .mailbox(mailbox("Two  spaces", &["four"]))
        .mailbox(mailbox("Viele", &many))
        .mailbox(mailbox("Doubles", &["five", "five"]))
}

/// Checks that everything has arrived that is not refused.
fn arrived(journey: &Journey, sent: &str, refused: &[&str], spaces: Option<&str>) {
    let held = holdings(&journey.dest);
    let inbox: Vec<&str> = ["", "late", "long", "marked", "one", "related", "sticky", "two"]
        .into_iter()
        .filter(|one| !refused.contains(one))
        .collect();
    assert_eq!(held["INBOX"], inbox, "{}", journey.said());
    assert_eq!(held[sent], ["three"]);
    assert_eq!(held["Viele"].len(), 30);
    match spaces {
        Some(name) => assert_eq!(held[name], ["four"]),
        None => assert!(!held.values().flatten().any(|one| one == "four"), "{held:?}"),
    }
}

#[tokio::test]
async fn gmail_as_a_destination_takes_each_message_once() {
    let journey = Journey::between(plain(), ScriptedImap::builder().impersonate(Impersonation::Gmail));
    let first = journey.twice().await;
    arrived(&journey, "[Gmail]/Sent Mail", &[], None);
    assert_eq!(holdings(&journey.dest)["Doubles"], ["five"], "Gmail keeps one of two");
    assert_eq!(journey.dest.quirk_counts()[&Quirk::DropsDuplicates], 1);
    let failed: Vec<&str> = first.failed_folders.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(failed, ["Two  spaces"], "{first:?}");
    assert!(first.failed_folders[0].1.contains("excess whitespace"), "{first:?}");
}

#[tokio::test]
async fn exchange_as_a_destination_keeps_its_own_ways() {
    let dest = ScriptedImap::builder()
        .impersonate(Impersonation::Exchange)
        .rule(on("APPEND").after(2).once().no(EXCHANGE_IS_THROTTLED));
    let journey = Journey::between(plain(), dest);
    journey.twice().await;
    arrived(&journey, "Sent Items", &["long"], Some("Two  spaces"));
    assert_eq!(holdings(&journey.dest)["Doubles"], ["five", "five"]);
    let refused = journey.refused();
    assert_eq!(refused.values().sum::<usize>(), 1, "{refused:?}");
    assert!(refused.keys().all(|cause| cause.contains("Command Argument Error. 11")), "{refused:?}");
    assert!(journey.said().contains("throttled"), "{}", journey.said());
    let counts = journey.dest.quirk_counts();
    for quirk in [Quirk::RebuildsMessages, Quirk::RefusesLongLines] {
        assert!(counts[&quirk] > 0, "{quirk:?}: {counts:?}");
    }
    let inbox = journey.dest.mailbox("INBOX").expect("it is there");
    assert!(inbox.messages.iter().all(|m| !m.flags.contains(&"projeto".to_owned())));
    assert!(journey.said().contains("projeto"), "the lost keyword is told: {}", journey.said());
    let evidence = journey.verified().await;
    let inbox = evidence.iter().find(|e| e.source_path == "INBOX").expect("it was verified");
    assert_eq!((inbox.tally.arrived, inbox.tally.quarantined), (7, 1), "{inbox:#?}");
    assert_eq!(inbox.changed + inbox.rewritten, 1, "the rebuilt message differs: {inbox:#?}");
}

#[tokio::test]
async fn exchange_that_throttles_and_closes_is_left_alone_for_a_while() {
    let dest = ScriptedImap::builder().impersonate(Impersonation::Exchange).rule(
        on("APPEND").once().garbage(format!("{{tag}} BAD {EXCHANGE_IS_THROTTLED}\r\n* BYE Connection closed. 14\r\n")),
    );
    let journey = Journey::between(plain(), dest);
    journey.run().await;
    assert_eq!(journey.refused().values().sum::<usize>(), 1, "only the long line: {:?}", journey.refused());
    assert_eq!(journey.run().await.transferred, 0, "{}", journey.said());
    arrived(&journey, "Sent Items", &["long"], Some("Two  spaces"));
}

#[tokio::test]
async fn names_that_exchange_takes_for_one_are_settled_before_anything_is_sent() {
    let source = ScriptedImap::builder().mailbox(mailbox("projekte", &["one"]));
    let dest =
        ScriptedImap::builder().impersonate(Impersonation::Exchange).mailbox(mailbox("Projekte", &["there before"]));
    let journey = Journey::between(source, dest);
    journey.twice().await;
    assert_eq!(holdings(&journey.dest)["Projekte"], ["one", "there before"], "{}", journey.said());
}

#[tokio::test]
async fn zimbra_as_a_destination_keeps_back_what_it_refuses() {
    let journey = Journey::between(
        plain().mailbox(mailbox("Emailed Contacts", &["a card"])),
        ScriptedImap::builder().impersonate(Impersonation::Zimbra),
    );
    journey.twice().await;
    arrived(&journey, "Sent", &["", "late", "sticky"], Some("Two  spaces"));
    assert_eq!(holdings(&journey.dest)["Doubles"], ["five", "five"]);
    let refused = journey.refused();
    assert_eq!(refused.values().sum::<usize>(), 4, "{refused:?}\n{}", journey.said());
    for quirk in [Quirk::RefusesEmptyMessages, Quirk::RefusesLateDates, Quirk::FailsAtKeywords] {
        assert!(journey.dest.quirk_counts()[&quirk] > 0, "{quirk:?}");
    }
}

#[tokio::test]
async fn hmailserver_is_sent_nothing_that_it_would_swallow() {
    let journey = Journey::between(plain(), ScriptedImap::builder().impersonate(Impersonation::HMailServer));
    journey.twice().await;
    arrived(&journey, "Sent", &[""], Some("Two  spaces"));
    assert_eq!(holdings(&journey.dest)["Doubles"], ["five", "five"]);
    for name in ["INBOX", "Viele"] {
        let sent: BTreeSet<Vec<u8>> =
            journey.source.mailbox(name).expect("it is there").messages.into_iter().map(|m| m.bytes).collect();
        for message in journey.dest.mailbox(name).expect("it is there").messages {
            let own = message.bytes.strip_suffix(b"\r\n").expect("hMailServer adds a line's end");
            assert!(sent.contains(own), "{}", String::from_utf8_lossy(&message.bytes));
        }
    }
    let evidence = journey.verified().await;
    let arrived: i64 = evidence.iter().map(|e| e.tally.arrived).sum();
    assert_eq!(arrived, 7 + 1 + 1 + 30 + 2, "{evidence:#?}\n{}", journey.said());
}
