//! What a server can do to us, and what becomes of it: a fault with the right kind, never a hang, never a lie.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Message, PASSWORD, USER, account, append, append_in, create, fault, fetch, impatient, inbox, list};
use gatepost_imap::ImapDriver;
use gatepost_testkit::{Dovecot, InternalDate, Proxy, ScriptedImap, on, proxy::Direction, scripted::Rule};
use gatepost_transfer::{Driver, Fault, FaultKind, Flags, Incoming, Outgoing, UidSet, Which};
use std::time::Duration;
use tokio::sync::mpsc;

const DATE: InternalDate = InternalDate { unix_seconds: 1_000_000_000, zone_minutes: -210 };

fn server(rule: Option<Rule>) -> ScriptedImap {
    let mut builder = ScriptedImap::builder();
    if let Some(rule) = rule {
        builder = builder.rule(rule);
    }
    let server = builder.start().unwrap();
    for n in 0..5 {
        server.deliver("INBOX", format!("Subject: {n}\r\n\r\nbody {n}\r\n"), DATE, &["\\Seen"]);
    }
    server
}

fn driver(server: &ScriptedImap) -> ImapDriver {
    ImapDriver::new(account(server.port(), USER, PASSWORD))
}

/// One that does not wait for long, for what ends by a time-out: whatever else is waited for ends by one as well.
fn impatient_driver(server: &ScriptedImap) -> ImapDriver {
    ImapDriver::new(impatient(account(server.port(), USER, PASSWORD)))
}

fn message(key: u32) -> Message {
    Message {
        key,
        bytes: format!("Subject: new {key}\r\n\r\nx\r\n").into_bytes(),
        date: gatepost_transfer::InternalDate { seconds: DATE.unix_seconds, zone_minutes: -210 },
        flags: Flags::from("\\Seen"),
    }
}

/// Everything a source is asked for; the first fault.
async fn read_all(driver: &ImapDriver) -> Result<usize, Fault> {
    let mut source = driver.source().await?;
    source.folders().await?;
    source.limits().await?;
    source.open(&inbox()).await?;
    let uids: UidSet = list(source.as_mut(), Which::From(1)).await?.iter().map(|m| m.uid).collect();
    let (messages, result) = fetch(source.as_mut(), &uids).await;
    result?;
    source.close().await;
    Ok(messages.len())
}

/// Everything a destination is asked for; the first fault.
async fn write_all(driver: &ImapDriver) -> Result<usize, Fault> {
    let mut destination = driver.destination().await?;
    let made = create(destination.as_mut(), &"New".into()).await?;
    destination.open(&made).await?;
    let (appended, result) = append_in(destination.as_mut(), &made, 0, (0..5).map(message).collect(), 1).await;
    result?;
    destination.open(&inbox()).await?;
    destination.set_flags(&[(1, Flags::from("\\Flagged"))]).await?;
    Ok(appended.iter().filter(|a| a.result.is_ok()).count())
}

/// Everything a witness is asked for; the first fault.
async fn witness_all(driver: &ImapDriver) -> Result<usize, Fault> {
    let mut reader = driver.reader().await?;
    reader.folders().await?;
    reader.open(&inbox()).await?;
    let (out, mut messages) = mpsc::channel(64);
    reader.read(None, out).await?;
    let mut wanted = Vec::new();
    while let Some(message) = messages.recv().await {
        wanted.push((message.uid, message.size));
    }
    let (out, mut digests) = mpsc::channel(64);
    reader.digest(&wanted, out).await?;
    let mut count = 0;
    while digests.recv().await.is_some() {
        count += 1;
    }
    reader.close().await;
    Ok(count)
}

const READS: [&str; 6] = ["AUTHENTICATE", "LIST", "EXAMINE", "UID FETCH 1:* ", "UID FETCH 1 ", "UID FETCH 2:5"];
const WRITES: [&str; 4] = ["CREATE", "SELECT", "APPEND", "UID STORE"];
const WITNESS: [&str; 5] = ["AUTHENTICATE", "LIST", "EXAMINE", "UID SEARCH", "UID FETCH"];

#[tokio::test]
async fn without_faults_everything_works() {
    let server = server(None);
    assert_eq!(read_all(&driver(&server)).await.unwrap(), 5);
    assert_eq!(witness_all(&driver(&server)).await.unwrap(), 5);
    assert_eq!(write_all(&driver(&server)).await.unwrap(), 5);
    let new = server.mailbox("New").unwrap();
    assert_eq!((new.messages.len(), new.messages[0].date), (5, DATE));
}

#[tokio::test]
async fn no_bad_bye_silence_and_garbage_end_each_command_with_a_fault() {
    type Answer = (&'static str, fn(gatepost_testkit::scripted::On) -> Rule, &'static [FaultKind]);
    let answers: [Answer; 6] = [
        ("NO", |on| on.no("because"), &[FaultKind::Refused, FaultKind::Login, FaultKind::FolderGone]),
        ("BAD", |on| on.bad("because"), &[FaultKind::Refused, FaultKind::Login]),
        ("BYE", |on| on.bye("because"), &[FaultKind::Lost]),
        ("a closed line", |on| on.close(), &[FaultKind::Lost]),
        ("silence", |on| on.stall(), &[FaultKind::Timeout]),
        ("garbage", |on| on.garbage("\x00\x01 ((((\r\n{99}\r\n"), &[FaultKind::Protocol]),
    ];
    for (what, rule, kinds) in answers {
        let driver = if what == "silence" { impatient_driver } else { driver };
        for command in READS {
            let server = server(Some(rule(on(command))));
            match read_all(&driver(&server)).await {
                // What was refused together is asked for one by one.
                Ok(read) => {
                    assert!(command.starts_with("UID FETCH") && what == "NO" && read == 5, "{what} to {command}");
                }
                Err(fault) => assert!(kinds.contains(&fault.kind), "{what} to {command}: {fault:?}"),
            }
        }
        for command in WRITES {
            let server = server(Some(rule(on(command))));
            match write_all(&driver(&server)).await {
                // A refusal of messages is no fault.
                Ok(stored) => assert!(command == "APPEND" && what == "NO" && stored == 0, "{what} to {command}"),
                // The message is refused; what ends is the connection, which may be out of step.
                Err(fault) if command == "APPEND" && what == "BAD" => assert_eq!(fault.kind, FaultKind::Lost),
                Err(fault) => assert!(kinds.contains(&fault.kind), "{what} to {command}: {fault:?}"),
            }
        }
        for command in WITNESS {
            let server = server(Some(rule(on(command))));
            let fault = fault(witness_all(&driver(&server)).await);
            // async-imap takes a closed line within a log-in for a refusal of unknown words.
            let kinds = [kinds, &[FaultKind::Lost, FaultKind::Protocol]].concat();
            assert!(kinds.contains(&fault.kind), "{what} to {command}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn the_servers_words_are_in_the_sentence() {
    let server = server(Some(on("EXAMINE").no("[NOPERM] not for you")));
    let refused = fault(read_all(&driver(&server)).await);
    assert!(refused.sentence.contains("not for you") && refused.sentence.contains("NOPERM"), "{refused}");
    let server = self::server(Some(on("EXAMINE").bye("power cut")));
    assert!(fault(read_all(&driver(&server)).await).sentence.contains("power cut"));
}

#[tokio::test]
async fn unsolicited_answers_are_tolerated_everywhere() {
    let noise = "* 7 EXISTS\r\n* 0 RECENT\r\n* OK [ALERT] maintenance tonight\r\n* 1 FETCH (FLAGS (\\Seen))\r\n\
        * FLAGS (\\Seen odd)\r\n* XUNKNOWN (a b\r\n* 2 EXPUNGE\r\n* NO careful\r\n";
    for command in READS.into_iter().chain(WRITES) {
        let server = server(Some(on(command).before(noise)));
        assert_eq!(read_all(&driver(&server)).await.unwrap(), 5, "{command}");
        assert_eq!(write_all(&driver(&server)).await.unwrap(), 5, "{command}");
    }
}

#[tokio::test]
async fn vanished_messages_are_gone_and_the_others_arrive() {
    let server = server(None);
    let mut source = driver(&server).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let uids: UidSet = [1, 2, 3, 4, 5, 6, 900].into_iter().collect();
    let (messages, result) = fetch(source.as_mut(), &uids).await;
    result.unwrap();
    let seen: Vec<(u32, bool)> = messages.iter().map(|(uid, bytes)| (*uid, bytes.is_some())).collect();
    assert_eq!(seen, [(1, true), (2, true), (3, true), (4, true), (5, true), (6, false), (900, false)]);
}

async fn fetch_answer(answer: &str, uids: &[u32]) -> (Vec<(u32, Option<Vec<u8>>)>, Result<(), Fault>) {
    fetch_answer_within(Duration::from_secs(60), answer, uids).await
}

async fn fetch_answer_within(
    patience: Duration,
    answer: &str,
    uids: &[u32],
) -> (Vec<(u32, Option<Vec<u8>>)>, Result<(), Fault>) {
    let server = server(Some(on("UID FETCH").reply(answer)));
    let mut account = account(server.port(), USER, PASSWORD);
    account.policy.timeouts.read = patience;
    let mut source = ImapDriver::new(account).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    fetch(source.as_mut(), &uids.iter().copied().collect()).await
}

#[tokio::test]
async fn a_literal_of_a_wrong_length_never_becomes_a_message() {
    for answer in [
        // Longer than announced.
        "* 1 FETCH (UID 1 BODY[] {3}\r\nabcdef)\r\n{tag} OK\r\n",
        "* 1 FETCH (UID 1 BODY[] {3}\r\nabc\r\ndef\r\n)\r\n{tag} OK\r\n",
        // Shorter, so that it swallows what follows, and the rest is waited for.
        "* 1 FETCH (UID 1 BODY[] {30}\r\nabc)\r\n{tag} OK Fetch completed, as usual\r\n",
        "* 1 FETCH (UID 1 BODY[] {300}\r\nabc)\r\n{tag} OK\r\n",
    ] {
        let (messages, result) = fetch_answer_within(Duration::from_secs(8), answer, &[1]).await;
        assert!(messages.is_empty(), "{answer}: {messages:?}");
        let fault = fault(result);
        assert!(matches!(fault.kind, FaultKind::Protocol | FaultKind::Timeout), "{answer}: {fault}");
    }
}

#[tokio::test]
async fn odd_ways_to_send_a_body_are_understood() {
    for (answer, expected) in [
        ("* 1 FETCH (BODY[] {3}\r\nabc UID 1)\r\n{tag} OK\r\n", Some("abc")),
        ("* 1 FETCH (UID 1 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\n{tag} OK\r\n", Some("abc")),
        ("* 1 FETCH (UID 1 BODY[] \"abc\")\r\n{tag} OK\r\n", Some("abc")),
        ("* 1 FETCH (UID 1 BODY[] \"\")\r\n{tag} OK\r\n", Some("")),
        ("* 1 FETCH (UID 1 BODY[] NIL)\r\n{tag} OK\r\n", Some("<unreadable> it answered NIL in place of the message.")),
        ("* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n{tag} OK\r\n", Some("")),
        ("* 1 FETCH (UID 1 BODY[] ~{3}\r\na\0c)\r\n{tag} OK\r\n", Some("a\0c")),
        ("* 1 fetch (uid 1 body[] {3}\nabc)\n{tag} ok\n", Some("abc")),
        ("* 9 FETCH (UID 77 BODY[] {1}\r\nx)\r\n* 1 FETCH (UID 1 BODY[] {1}\r\ny)\r\n{tag} OK\r\n", Some("y")),
        ("{tag} OK\r\n", None),
        ("{tag} NO [EXPUNGEISSUED] gone\r\n", None),
    ] {
        let (messages, result) = fetch_answer(answer, &[1]).await;
        result.unwrap();
        assert_eq!(messages, [(1, expected.map(|e| e.as_bytes().to_vec()))], "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_tells_uids_behind_bodies_is_read_message_by_message() {
    let builder = ScriptedImap::builder();
    let builder = (1..=40).fold(builder, |builder, uid| {
        let answer = format!("* {uid} FETCH (BODY[] {{2}}\r\n{uid:02} UID {uid})\r\n{{tag}} OK\r\n");
        builder.rule(on(format!("UID FETCH {uid} ")).reply(answer))
    });
    let server = builder.start().unwrap();
    let mut source = driver(&server).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let (messages, result) = fetch(source.as_mut(), &(1..=40).collect()).await;
    result.unwrap();
    let expected: Vec<_> = (1..=40).map(|uid| (uid, Some(format!("{uid:02}").into_bytes()))).collect();
    assert_eq!(messages, expected);
}

#[tokio::test]
async fn one_message_that_cannot_be_read_does_not_hide_the_others() {
    let server = server(Some(on("UID FETCH 2:5").no("[SERVERBUG] cannot read 4")));
    server.rule(on("UID FETCH 4 ").no("[SERVERBUG] cannot read 4"));
    let mut source = driver(&server).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let (messages, result) = fetch(source.as_mut(), &(1..=5).collect()).await;
    result.unwrap();
    let unreadable: Vec<_> = messages
        .iter()
        .filter_map(|(uid, body)| Some((uid, String::from_utf8_lossy(body.as_deref()?))))
        .filter(|(_, body)| body.starts_with("<unreadable>"))
        .collect();
    assert!(messages.len() == 5 && unreadable.len() == 1, "{messages:?}");
    assert!(*unreadable[0].0 == 4 && unreadable[0].1.contains("cannot read 4"), "{unreadable:?}");
}

#[tokio::test]
async fn a_fetch_whose_receiver_goes_away_ends_without_an_error() {
    let server = server(None);
    let mut source = driver(&server).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let (out, mut incoming) = mpsc::channel::<Incoming>(1);
    let uids: UidSet = (1..=5).collect();
    let first = async {
        incoming.recv().await;
        drop(incoming);
    };
    let (wanted, sets) = mpsc::channel(1);
    wanted.send(uids).await.unwrap();
    let (result, ()) = tokio::join!(source.fetch(sets, out), first);
    result.unwrap();
    assert_eq!(fault(list(source.as_mut(), Which::From(1)).await).kind, FaultKind::Lost);
}

#[tokio::test]
async fn appends_keep_to_what_the_server_takes() {
    for capability in ["IMAP4rev1 LITERAL+", "IMAP4rev1 LITERAL-", "IMAP4rev1", "IMAP4rev1 LITERAL+ UIDPLUS"] {
        let server = ScriptedImap::builder().capability(capability).start().unwrap();
        let mut destination = driver(&server).destination().await.unwrap();
        destination.open(&inbox()).await.unwrap();
        let mut messages: Vec<Message> = (0..200).map(message).collect();
        messages[7].bytes = vec![b'x'; 3 << 20];
        messages[9].bytes = vec![b'y'; 4097];
        messages[11].bytes = b"\r\n".to_vec();
        let (appended, result) = append(destination.as_mut(), &inbox(), messages.clone()).await;
        result.unwrap();
        assert_eq!(appended.iter().map(|a| a.key).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
        let uids = appended
            .iter()
            .all(|a| a.result.as_ref().is_ok_and(|uid| uid.is_some() || !capability.contains("UIDPLUS")));
        assert!(uids, "{capability}");
        let stored = server.mailbox("INBOX").unwrap().messages;
        let same =
            stored.iter().zip(&messages).all(|(s, m)| s.bytes == m.bytes && s.date == DATE && s.flags == ["\\Seen"]);
        assert!(stored.len() == 200 && same, "{capability}");
    }
}

#[tokio::test]
async fn a_message_that_is_refused_before_its_data_is_skipped() {
    for capability in ["IMAP4rev1", "IMAP4rev1 LITERAL+"] {
        let server = ScriptedImap::builder().capability(capability).start().unwrap();
        let mut destination = driver(&server).destination().await.unwrap();
        destination.open(&inbox()).await.unwrap();
        if capability == "IMAP4rev1" {
            server.rule(on("APPEND").after(1).once().no("[OVERQUOTA] full"));
        } else {
            server.rule(on("APPEND").after(1).once().no("[TRYCREATE] no such folder"));
        }
        let (appended, result) = append(destination.as_mut(), &inbox(), (0..4).map(message).collect()).await;
        result.unwrap();
        let refused: Vec<_> = appended
            .iter()
            .filter_map(|a| a.result.as_ref().err().map(|r| (a.key, r.over_quota, r.no_folder)))
            .collect();
        assert_eq!(refused, [(1, capability == "IMAP4rev1", capability != "IMAP4rev1")]);
        assert_eq!(server.mailbox("INBOX").unwrap().messages.len(), 3);
    }
}

#[tokio::test]
async fn an_input_that_ends_within_a_message_stores_nothing_of_it() {
    let server = ScriptedImap::builder().start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    destination.open(&inbox()).await.unwrap();
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    for key in 0..2 {
        let Message { bytes, date, flags, .. } = message(key);
        input.send(Outgoing::Begin { key, size: bytes.len() as u64, internal_date: date, flags }).await.unwrap();
        let half = if key == 1 { bytes.len() / 2 } else { bytes.len() };
        input.send(Outgoing::Data(bytes[..half].to_vec().into())).await.unwrap();
        if key == 0 {
            input.send(Outgoing::End).await.unwrap();
            input.send(Outgoing::Commit).await.unwrap();
        }
    }
    drop(input);
    let cut = fault(destination.append(&inbox(), 0, outgoing, results).await);
    assert_eq!(cut.kind, FaultKind::Lost, "{cut}");
    assert_eq!(reported.recv().await.map(|a| (a.key, a.result.is_ok())), Some((0, true)));
    assert_eq!(reported.recv().await, None);
    assert_eq!(server.mailbox("INBOX").unwrap().messages.len(), 1);
}

#[tokio::test]
async fn a_lost_connection_reports_what_was_answered_and_nothing_else() {
    let server = ScriptedImap::builder().rule(on("APPEND").after(3).perform_then_close()).start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    destination.open(&inbox()).await.unwrap();
    let messages = (0..10).map(message).collect();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages, 1).await;
    assert_eq!(fault(result).kind, FaultKind::Lost);
    // A reset may swallow answers on their way; none is made up.
    assert!(
        appended.len() <= 3 && appended.iter().zip(0..).all(|(a, key)| a.key == key && a.result.is_ok()),
        "{appended:?}"
    );
    assert_eq!(server.mailbox("INBOX").unwrap().messages.len(), 4);
}

#[tokio::test]
async fn a_message_that_is_not_understood_is_named_and_ends_the_connection() {
    let server = server(Some(on("APPEND").after(2).once().bad("what?")));
    let mut destination = driver(&server).destination().await.unwrap();
    destination.open(&inbox()).await.unwrap();
    let messages = (0..9).map(message).collect();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages, 1).await;
    assert_eq!(fault(result).kind, FaultKind::Lost);
    let last = appended.last().unwrap();
    assert!(last.key == 2 && last.result.as_ref().is_err_and(|r| r.words == "what?"), "{appended:?}");
    assert_eq!(fault(list(destination.as_mut(), Which::From(1)).await).kind, FaultKind::Lost);
}

#[tokio::test]
async fn a_source_is_only_ever_read() {
    // Of all commands these alone may reach a source; FETCH of bodies always peeks.
    let allowed = [
        "CAPABILITY",
        "AUTHENTICATE",
        "LOGIN",
        "ID",
        "ENABLE",
        "NAMESPACE",
        "LIST",
        "EXAMINE",
        "UID FETCH",
        "UID SEARCH ALL",
        "STATUS",
        "GETQUOTAROOT",
        "LOGOUT",
    ];
    let server = server(None);
    read_all(&driver(&server)).await.unwrap();
    witness_all(&driver(&server)).await.unwrap();
    let commands = server.commands();
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        assert!(allowed.iter().any(|a| command.starts_with(a)), "{command}");
        assert!(
            !command.contains("BODY[") && !command.contains("RFC822 ") && !command.contains("RFC822)"),
            "{command}"
        );
    }
    assert_eq!(server.changing_commands(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_anywhere_is_a_loss_and_never_a_wrong_message() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let proxy = Proxy::start(server.imap_port()).unwrap();
    let direct = ImapDriver::new(account(server.imap_port(), USER, PASSWORD));
    let mut destination = direct.destination().await.unwrap();
    destination.open(&inbox()).await.unwrap();
    let messages: Vec<Message> = (0..20).map(message).collect();
    let (_, result) = append(destination.as_mut(), &inbox(), messages.clone()).await;
    result.unwrap();
    let through = ImapDriver::new(account(proxy.port(), USER, PASSWORD));
    for bytes in (1..4_000).step_by(137) {
        proxy.cut_once_after(Direction::ToClient, bytes);
        let Ok(mut source) = through.source().await else { continue };
        let Ok(_) = source.open(&inbox()).await else { continue };
        let (fetched, result) = fetch(source.as_mut(), &(1..=20).collect()).await;
        if let Err(fault) = result {
            assert_eq!(fault.kind, FaultKind::Lost, "{fault}");
        }
        for (uid, bytes) in fetched {
            assert_eq!(bytes.as_ref(), Some(&messages[uid as usize - 1].bytes));
        }
    }
    proxy.never_cut();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stalls_is_a_time_out() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let proxy = Proxy::start(server.imap_port()).unwrap();
    let mut account = account(proxy.port(), USER, PASSWORD);
    // Long enough for a log-in on a busy machine.
    account.policy.timeouts.read = Duration::from_secs(10);
    account.policy.timeouts.write = Duration::from_secs(10);
    let mut destination = ImapDriver::new(account).destination().await.unwrap();
    destination.open(&inbox()).await.unwrap();
    proxy.stall(true);
    let large = Message { bytes: vec![b'x'; 40 << 20], ..message(0) };
    let (appended, result) = append(destination.as_mut(), &inbox(), vec![large]).await;
    assert_eq!(fault(result).kind, FaultKind::Timeout);
    assert!(appended.is_empty());
    proxy.stall(false);
}
