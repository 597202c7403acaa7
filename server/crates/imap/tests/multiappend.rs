//! MULTIAPPEND (RFC 3502): many messages in one command, stored or refused together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Message, PASSWORD, USER, account, append_in, driver, fault, inbox, list};
use gatepost_imap::ImapDriver;
use gatepost_testkit::{Dovecot, ScriptedImap, on, scripted::Rule};
use gatepost_transfer::{Appended, Driver, FaultKind, InternalDate, Outgoing, Source, Which};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, oneshot},
};

fn message(key: u32) -> Message {
    let flags = ["", "\\Seen", "\\Answered $Forwarded"][key as usize % 3];
    Message {
        key,
        bytes: format!("Subject: {key}\r\n\r\n{}\r\n", "x".repeat(key as usize * 37 % 9_000)).into_bytes(),
        date: InternalDate { seconds: 1_000_000_000 + i64::from(key), zone_minutes: 0 },
        flags: flags.into(),
    }
}

fn keys(appended: &[Appended]) -> Vec<u32> {
    appended.iter().map(|a| a.key).collect()
}

/// What the folder holds, in the order of its UIDs.
async fn stored(source: &mut dyn Source) -> Vec<Message> {
    let listed = list(source, Which::From(1)).await.unwrap();
    let uids = listed.iter().map(|meta| meta.uid).collect();
    let (bodies, result) = common::fetch(source, &uids).await;
    result.unwrap();
    let messages = listed.into_iter().zip(bodies);
    messages
        .map(|(m, (key, bytes))| Message { key, bytes: bytes.unwrap(), date: m.internal_date, flags: m.flags })
        .collect()
}

fn assert_same(stored: &[Message], sent: &[Message]) {
    let keys = |messages: &[Message]| messages.iter().map(|m| m.key).collect::<Vec<_>>();
    assert_eq!(keys(stored), keys(sent));
    let other = stored.iter().zip(sent).find(|(a, b)| a != b);
    assert!(other.is_none(), "{:?}", other.map(|(a, b)| (a.key, a.bytes.len(), b.bytes.len(), &a.flags, &b.flags)));
    assert_eq!(stored.len(), sent.len());
}

fn dovecot(without: &[&str]) -> Dovecot {
    let builder = Dovecot::builder().user(USER, PASSWORD);
    if without.is_empty() { builder.start().unwrap() } else { builder.without(without).start().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_in_order_with_their_uids_however_literals_are_sent() {
    for without in [&[][..], &["LITERAL+"], &["MULTIAPPEND"], &["MULTIAPPEND", "LITERAL+"]] {
        let server = dovecot(without);
        let mut destination = driver(&server).destination().await.unwrap();
        let state = destination.open(&inbox()).await.unwrap();
        let mut messages: Vec<Message> = (1..=500).map(message).collect();
        messages[200].bytes = vec![b'y'; 3 << 20];
        let epoch = state.uid_validity;
        let (appended, result) = append_in(destination.as_mut(), &inbox(), epoch, messages.clone(), 130).await;
        result.unwrap();
        let expected: Vec<_> = (1..=500).map(|key| Appended { key, result: Ok(Some(key)) }).collect();
        assert_eq!(appended, expected, "without {without:?}");
        assert_same(&stored(destination.as_mut()).await, &messages);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn literal_minus_sends_small_messages_at_once_and_asks_for_large_ones() {
    let capability = "IMAP4rev1 ENABLE NAMESPACE UIDPLUS MULTIAPPEND LITERAL-";
    let server = Dovecot::builder().user(USER, PASSWORD).capability(capability).start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    let messages: Vec<Message> = (1..=300).map(message).collect();
    assert!(messages.iter().any(|m| m.bytes.len() > 4096) && messages.iter().any(|m| m.bytes.len() < 4096));
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages.clone(), 100).await;
    result.unwrap();
    assert_eq!(keys(&appended), (1..=300).collect::<Vec<_>>());
    destination.open(&inbox()).await.unwrap();
    assert_same(&stored(destination.as_mut()).await, &messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_message_has_all_of_its_command_refused_and_none_of_the_others() {
    for without in [&[][..], &["LITERAL+"]] {
        for ask in [true, false] {
            let builder = Dovecot::builder().user(USER, PASSWORD).max_message_bytes(50_000);
            let server = builder.without(without).start().unwrap();
            let mut destination = driver(&server).destination().await.unwrap();
            if ask {
                destination.limits().await.unwrap();
            }
            destination.open(&inbox()).await.unwrap();
            let mut messages: Vec<Message> = (0..30).map(message).collect();
            messages[14].bytes = vec![b'x'; 400_000];
            let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages.clone(), 10).await;
            result.unwrap();
            assert_eq!(keys(&appended), (0..30).collect::<Vec<_>>());
            for one in &appended {
                let refused = one.result.as_ref().err().map(|rejection| rejection.together);
                assert_eq!(refused, (10..20).contains(&one.key).then_some(true), "{one:?}");
            }
            // The connection is in order, and the bad one is found alone.
            let again = messages[10..20].to_vec();
            let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, again, 1).await;
            result.unwrap();
            let refused: Vec<_> =
                appended.iter().filter_map(|a| Some((a.key, a.result.as_ref().err()?.together))).collect();
            assert_eq!(refused, [(14, false)]);
            assert_eq!(list(destination.as_mut(), Which::From(1)).await.unwrap().len(), 29);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_account_refuses_a_command_whole() {
    let server = Dovecot::builder().user(USER, PASSWORD).quota_bytes(60_000).start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    let messages: Vec<Message> = (0..12).map(|key| Message { bytes: vec![b'x'; 9_000], ..message(key) }).collect();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages, 4).await;
    result.unwrap();
    let stored: Vec<u32> = appended.iter().filter(|a| a.result.is_ok()).map(|a| a.key).collect();
    assert_eq!(stored, [0, 1, 2, 3]);
    assert!(appended[4..].iter().all(|a| a.result.as_ref().is_err_and(|r| r.over_quota && r.together)), "{appended:?}");
}

fn scripted(rule: Rule) -> (ScriptedImap, ImapDriver) {
    let server = ScriptedImap::builder().rule(rule).start().unwrap();
    let driver = ImapDriver::new(account(server.port(), USER, PASSWORD));
    (server, driver)
}

#[tokio::test]
async fn uids_are_taken_as_the_server_writes_them_or_not_at_all() {
    let none = [None, None, None];
    let cases = [
        ("[APPENDUID 7 4:6]", [Some(4), Some(5), Some(6)]),
        ("[APPENDUID 7 9,4,6]", [Some(9), Some(4), Some(6)]),
        ("[APPENDUID 7 9,5:4]", [Some(9), Some(4), Some(5)]),
        ("[APPENDUID 7 4:5]", none),
        ("[APPENDUID 7 1:4294967295]", none),
        ("[APPENDUID 7 x]", none),
        ("[APPENDUID]", none),
        ("", none),
    ];
    for (code, expected) in cases {
        let (_server, driver) = scripted(on("APPEND").reply(format!("{{tag}} OK {code} done\r\n")));
        let mut destination = driver.destination().await.unwrap();
        let messages = (0..3).map(message).collect();
        let (appended, result) = append_in(destination.as_mut(), &inbox(), 7, messages, 3).await;
        result.unwrap();
        let uids: Vec<Option<u32>> = appended.into_iter().map(|a| a.result.unwrap()).collect();
        assert_eq!(uids, expected, "{code}");
    }
}

#[tokio::test]
async fn a_folder_that_was_replaced_is_noticed_by_its_epoch() {
    let (_server, driver) = scripted(on("APPEND").reply("{tag} OK [APPENDUID 8 1:3] done\r\n"));
    let mut destination = driver.destination().await.unwrap();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 7, (0..3).map(message).collect(), 3).await;
    let gone = fault(result);
    assert!(gone.kind == FaultKind::FolderGone && gone.sentence.contains("replaced"), "{gone}");
    assert!(appended.len() == 3 && appended.iter().all(|a| a.result == Ok(None)), "{appended:?}");
}

#[tokio::test]
async fn a_command_that_is_not_understood_refuses_its_messages_and_may_be_tried_one_by_one() {
    let (_server, driver) = scripted(on("APPEND").bad("one at a time"));
    let mut destination = driver.destination().await.unwrap();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, (0..3).map(message).collect(), 3).await;
    assert!(fault(result).is_transient());
    assert!(
        appended.len() == 3 && appended.iter().all(|a| a.result.as_ref().is_err_and(|r| r.together)),
        "{appended:?}"
    );
}

#[tokio::test]
async fn what_was_not_committed_is_not_stored() {
    let server = ScriptedImap::builder().start().unwrap();
    let driver = ImapDriver::new(account(server.port(), USER, PASSWORD));
    let mut destination = driver.destination().await.unwrap();
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    for key in 0..4 {
        send(&input, &message(key), usize::MAX).await;
        if key == 1 {
            input.send(Outgoing::Commit).await.unwrap();
        }
    }
    drop(input);
    assert_eq!(fault(destination.append(&inbox(), 0, outgoing, results).await).kind, FaultKind::Lost);
    assert_eq!(reported.recv().await.map(|a| a.key), Some(0));
    assert_eq!(reported.recv().await.map(|a| a.key), Some(1));
    assert_eq!(reported.recv().await, None);
    assert_eq!(server.mailbox("INBOX").unwrap().messages.len(), 2);
}

/// Hands a message over, or only so many bytes of it.
async fn send(input: &mpsc::Sender<Outgoing>, message: &Message, bytes: usize) {
    let Message { key, bytes: all, date, flags } = message.clone();
    let size = all.len() as u64;
    input.send(Outgoing::Begin { key, size, internal_date: date, flags }).await.unwrap();
    let whole = bytes >= all.len();
    input.send(Outgoing::Data(all[..bytes.min(all.len())].to_vec().into())).await.unwrap();
    if whole {
        input.send(Outgoing::End).await.unwrap();
    }
}

/// A server that logs everybody in and answers the first APPEND with NO before it has all of it; the receiver tells
/// when it has.
async fn hasty(capability: &str) -> (ImapDriver, oneshot::Receiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeting = format!("* PREAUTH [CAPABILITY IMAP4rev1 {capability}] ready\r\n");
    let (said, heard) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(greeting.as_bytes()).await.unwrap();
        let (mut seen, mut said) = (Vec::new(), Some(said));
        while stream.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&seen).into_owned();
            // The third message, or the only one.
            if text.contains("Subject: 2")
                && let Some(said) = said.take()
            {
                stream.write_all(b"g1 NO [LIMIT] no more\r\n").await.unwrap();
                said.send(()).unwrap();
            }
            if text.contains("g2 NOOP\r\n") {
                stream.write_all(b"g2 OK done\r\n").await.unwrap();
            }
        }
    });
    (ImapDriver::new(account(port, USER, PASSWORD)), heard)
}

#[tokio::test]
async fn a_command_that_is_refused_half_sent_ends_with_the_rest_refused_and_the_connection_given_up() {
    let (driver, refused) = hasty("LITERAL+ MULTIAPPEND").await;
    let mut destination = driver.destination().await.unwrap();
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    let feed = async {
        send(&input, &message(0), usize::MAX).await;
        send(&input, &message(1), usize::MAX).await;
        let third = message(2);
        send(&input, &third, 30).await;
        refused.await.unwrap();
        // The refusal is heard while more is sent.
        input.send(Outgoing::Data(third.bytes[30..40].to_vec().into())).await.unwrap();
        let mut first = Vec::new();
        for _ in 0..3 {
            first.push(reported.recv().await.unwrap());
        }
        input.send(Outgoing::Data(third.bytes[40..].to_vec().into())).await.unwrap();
        input.send(Outgoing::End).await.unwrap();
        send(&input, &message(3), usize::MAX).await;
        input.send(Outgoing::Commit).await.unwrap();
        first.push(reported.recv().await.unwrap());
        first
    };
    let folder = inbox();
    let (result, appended) = tokio::join!(destination.append(&folder, 0, outgoing, results), feed);
    let lost = fault(result);
    assert!(lost.kind == FaultKind::Lost && lost.sentence.contains("no more"), "{lost}");
    assert_eq!(keys(&appended), [0, 1, 2, 3]);
    assert!(appended.iter().all(|a| a.result.as_ref().is_err_and(|r| r.together)), "{appended:?}");
    assert_eq!(fault(destination.keep_alive().await).kind, FaultKind::Lost);
}

#[tokio::test]
async fn a_single_message_that_is_refused_half_sent_is_sent_to_its_end() {
    let (driver, refused) = hasty("LITERAL+ MULTIAPPEND").await;
    let mut destination = driver.destination().await.unwrap();
    let (input, outgoing) = mpsc::channel(64);
    let (results, mut reported) = mpsc::channel(64);
    let feed = async move {
        let only = message(2);
        send(&input, &only, 30).await;
        refused.await.unwrap();
        input.send(Outgoing::Data(only.bytes[30..40].to_vec().into())).await.unwrap();
        let refused = reported.recv().await.unwrap();
        input.send(Outgoing::Data(only.bytes[40..].to_vec().into())).await.unwrap();
        input.send(Outgoing::End).await.unwrap();
        input.send(Outgoing::Commit).await.unwrap();
        refused
    };
    let folder = inbox();
    let (result, appended) = tokio::join!(destination.append(&folder, 0, outgoing, results), feed);
    result.unwrap();
    assert!(appended.key == 2 && appended.result.is_err_and(|r| !r.together));
    destination.keep_alive().await.unwrap();
}
