//! Copies between real Dovecot servers, compared by the test kit's own reader.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{PASSWORD, USER, account, append, append_in, copy_all, create, driver, fault, inbox, list};
use gatepost_contract::SpecialUse as Use;
use gatepost_imap::ImapDriver;
use gatepost_testkit::{Dovecot, Generated, InternalDate, Profile, Snapshot, SpecialUse, Storage, compare, fill, put};
use gatepost_transfer::{Digester, Driver, FaultKind, Flags, FolderPath, Incoming, UidSet, Which};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::mpsc;

fn server(without: &[&str]) -> Dovecot {
    let builder =
        Dovecot::builder().user(USER, PASSWORD).special_use(SpecialUse::Portuguese).time_zone("Asia/Kathmandu");
    if without.is_empty() { builder.start().unwrap() } else { builder.without(without).start().unwrap() }
}

fn assert_same(from: &Dovecot, to: &Dovecot) {
    let (from, to) = (Snapshot::read(&from.account(USER)).unwrap(), Snapshot::read(&to.account(USER)).unwrap());
    let differences = compare(&from, &to, &HashMap::new());
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(!from.messages.is_empty());
}

fn generated(messages: usize) -> Profile {
    Profile { messages, average_bytes: 3_000, ..Profile::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_arrives_with_bytes_flags_dates_and_folders() {
    let (from, to) = (server(&[]), server(&[]));
    let profile = Profile { large_bytes: Some(9 << 20), ..generated(400) };
    fill(&from.account(USER), &profile).unwrap();
    assert_eq!(copy_all(&driver(&from), &driver(&to)).await, 400);
    assert_same(&from, &to);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_arrives_without_any_one_extension() {
    let from = server(&[]);
    fill(&from.account(USER), &generated(60)).unwrap();
    let all_off = [
        "LITERAL+",
        "UIDPLUS",
        "SPECIAL-USE",
        "CONDSTORE",
        "QRESYNC",
        "NAMESPACE",
        "LIST-EXTENDED",
        "SASL-IR",
        "ID",
        "ENABLE",
    ];
    let one_off = all_off.iter().map(std::slice::from_ref);
    // One server takes the way back, with an account for each.
    let accounts: Vec<String> = (0..=all_off.len()).map(|n| format!("ana{n}@example.test")).collect();
    let builder = Dovecot::builder().special_use(SpecialUse::Portuguese).time_zone("Asia/Kathmandu");
    let to = accounts.iter().fold(builder, |builder, user| builder.user(user, PASSWORD)).start().unwrap();
    let expected = Snapshot::read(&from.account(USER)).unwrap();
    for (without, user) in one_off.chain([all_off.as_slice()]).zip(&accounts) {
        let half = server(without);
        assert_eq!(copy_all(&driver(&from), &driver(&half)).await, 60, "to a server without {without:?}");
        let back = ImapDriver::new(account(to.imap_port(), user, PASSWORD));
        assert_eq!(copy_all(&driver(&half), &back).await, 60, "from a server without {without:?}");
        let differences = compare(&expected, &Snapshot::read(&to.account(user)).unwrap(), &HashMap::new());
        assert!(differences.is_empty(), "without {without:?}: {differences:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_arrives_below_a_prefix_and_back() {
    let dotted = || Dovecot::builder().user(USER, PASSWORD).separator('.').inbox_prefix().storage(Storage::Maildir);
    let (from, to, back) = (dotted().start().unwrap(), server(&[]), dotted().without(&["NAMESPACE"]).start().unwrap());
    fill(&from.account(USER), &generated(60)).unwrap();
    assert_eq!(copy_all(&driver(&from), &driver(&to)).await, 60);
    assert_same(&from, &to);
    let folders = driver(&from).source().await.unwrap().folders().await.unwrap();
    assert!(folders.iter().all(|f| f.path.is_inbox() || f.native.starts_with("INBOX.")), "{folders:?}");
    assert!(folders.iter().all(|f| f.path.is_inbox() || f.path.levels()[0] != "INBOX"), "{folders:?}");
    // Without NAMESPACE the prefix is found out by the first folder that is made.
    let mut guessing = driver(&back).destination().await.unwrap();
    assert_eq!(create(guessing.as_mut(), &"Top".into()).await.unwrap().native, "INBOX.Top");
    let folders = guessing.folders().await.unwrap();
    assert!(folders.iter().any(|f| f.path == "Top".into()), "{folders:?}");
    assert_eq!(folders, driver(&back).reader().await.unwrap().folders().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_listed_with_their_odd_names_and_uses_by_engine_and_witness_alike() {
    let server = server(&[]);
    let profile = generated(40);
    fill(&server.account(USER), &profile).unwrap();
    let mut source = driver(&server).source().await.unwrap();
    let mut reader = driver(&server).reader().await.unwrap();
    let folders = source.folders().await.unwrap();
    assert_eq!(folders, reader.folders().await.unwrap());
    let paths: Vec<String> = folders.iter().map(|f| f.path.levels().join("/")).collect();
    for expected in profile.folders() {
        assert!(paths.contains(&expected), "{expected} is not in {paths:?}");
    }
    let uses: BTreeMap<String, Use> =
        folders.iter().filter_map(|f| Some((f.path.to_string(), f.special_use?))).collect();
    assert_eq!(uses.get("Enviados"), Some(&Use::Sent));
    assert_eq!(uses.get("Itens Excluídos"), Some(&Use::Trash));
    assert_eq!(uses.get("INBOX"), Some(&Use::Inbox));
    for folder in folders.iter().filter(|f| f.selectable) {
        let state = source.open(folder).await.unwrap();
        assert_eq!(reader.open(folder).await.unwrap(), (state.uid_validity, state.messages));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_witness_reads_what_the_engine_fetches() {
    let server = server(&[]);
    // Large enough to be read in pieces, and not a multiple of them.
    fill(&server.account(USER), &Profile { large_bytes: Some(5_000_001), inbox_only: true, ..generated(120) }).unwrap();
    let mut source = driver(&server).source().await.unwrap();
    let mut reader = driver(&server).reader().await.unwrap();
    source.open(&inbox()).await.unwrap();
    reader.open(&inbox()).await.unwrap();
    let listed = list(source.as_mut(), Which::From(1)).await.unwrap();
    let (fetched, result) = common::fetch(source.as_mut(), &listed.iter().map(|m| m.uid).collect()).await;
    result.unwrap();
    for some in [false, true] {
        let few = listed.iter().map(|m| m.uid).filter(|uid| uid % 3 == 0).collect();
        let expected: Vec<_> = listed.iter().zip(&fetched).filter(|(m, _)| !some || m.uid % 3 == 0).collect();
        let (out, messages) = mpsc::channel(4);
        let (result, read) = tokio::join!(reader.read(some.then_some(&few), out), all(messages));
        result.unwrap();
        assert_eq!(read.len(), expected.len());
        for (read, (meta, (uid, bytes))) in read.iter().zip(&expected) {
            assert_eq!((read.uid, meta.uid), (*uid, *uid));
            assert_eq!((read.internal_date, &read.flags, read.size), (meta.internal_date, &meta.flags, meta.size));
            if let Some(id) = &read.message_id {
                assert!(String::from_utf8_lossy(bytes.as_ref().unwrap()).contains(id.as_str()));
            }
        }
        assert!(read.iter().any(|m| m.message_id.is_some()));

        let wanted: Vec<(u32, u64)> = expected.iter().map(|(m, _)| (m.uid, m.size)).collect();
        let (out, digests) = mpsc::channel(4);
        let (result, digests) = tokio::join!(reader.digest(&wanted, out), all(digests));
        result.unwrap();
        let digested: Vec<_> = expected.iter().map(|(_, (uid, b))| (*uid, Digester::of(b.as_ref().unwrap()))).collect();
        assert_eq!(digests, digested);
    }
    let (uid, largest) = fetched.iter().max_by_key(|(_, bytes)| bytes.as_ref().map_or(0, Vec::len)).unwrap();
    let largest = largest.as_ref().unwrap();
    assert_eq!(reader.bytes(*uid, 8 << 20).await.unwrap().as_ref(), Some(largest));
    assert_eq!(reader.bytes(*uid, 3 << 20).await.unwrap(), None);
    assert_eq!(reader.bytes(u32::MAX - 1, 8 << 20).await.unwrap(), None);
    let some: UidSet = listed.iter().take(3).map(|m| m.uid).collect();
    let (out, heads) = mpsc::channel(4);
    let (result, heads) = tokio::join!(reader.heads(&some, out), all(heads));
    result.unwrap();
    assert_eq!(heads.len(), 3);
    assert!(heads.iter().all(|(_, head)| head.to_ascii_lowercase().windows(5).any(|w| w == b"from:")), "{heads:?}");
}

async fn all<T>(mut messages: mpsc::Receiver<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(message) = messages.recv().await {
        all.push(message);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_are_those_of_the_folders() {
    let server = server(&[]);
    fill(&server.account(USER), &generated(60)).unwrap();
    let mut reader = driver(&server).reader().await.unwrap();
    let folders = reader.folders().await.unwrap();
    let folders: Vec<_> = folders.iter().filter(|f| f.selectable).collect();
    let totals = reader.totals(&folders).await.unwrap();
    assert_eq!(totals.len(), folders.len());
    for (folder, totals) in folders.iter().zip(totals) {
        let totals = totals.unwrap();
        assert_eq!(totals.messages, u64::from(reader.open(folder).await.unwrap().1), "{}", folder.path);
        assert!(totals.bytes.is_some_and(|bytes| (bytes > 0) == (totals.messages > 0)), "{totals:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_come_one_after_the_other_and_each_in_order() {
    let server = server(&[]);
    // More than the buffers between us hold, so that the server has to wait within each command.
    let profile = Profile { messages: 900, average_bytes: 12_000, inbox_only: true, ..Profile::default() };
    fill(&server.account(USER), &profile).unwrap();
    let mut source = driver(&server).source().await.unwrap();
    source.open(&inbox()).await.unwrap();
    let (wanted, sets) = mpsc::channel(8);
    let (out, mut incoming) = mpsc::channel(1);
    // Some follow each other, some go back, one is empty, one names what is not there.
    let ranges = [(1, 200), (201, 250), (301, 900), (251, 300), (950, 950), (7, 7)];
    let ask = async move {
        for range in ranges {
            wanted.send(UidSet::from_ranges([range])).await.unwrap();
            wanted.send(UidSet::default()).await.unwrap();
        }
    };
    let collect = async {
        let mut uids = Vec::new();
        while let Some(event) = incoming.recv().await {
            match event {
                Incoming::Begin { uid, .. } | Incoming::Gone { uid } => uids.push(uid),
                _ => {}
            }
        }
        uids
    };
    let (result, (), uids) = tokio::join!(source.fetch(sets, out), ask, collect);
    result.unwrap();
    assert_eq!(uids, ranges.into_iter().flat_map(|(from, to)| from..=to).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_account_refuses_each_message_and_says_so() {
    let server = Dovecot::builder().user(USER, PASSWORD).quota_bytes(30_000).start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    let quota = destination.limits().await.unwrap().quota.unwrap();
    assert!(quota.limit <= 30_720 && quota.used == 0, "{quota:?}");
    let message = |key| common::Message {
        key,
        bytes: format!("Subject: {key}\r\n\r\n{}\r\n", "x".repeat(8_000)).into_bytes(),
        date: gatepost_transfer::InternalDate { seconds: 1_000_000_000, zone_minutes: 0 },
        flags: Flags::default(),
    };
    destination.open(&inbox()).await.unwrap();
    let messages = (0..8).map(message).collect();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages, 1).await;
    result.unwrap();
    assert_eq!(appended.len(), 8);
    let stored = appended.iter().filter(|a| a.result.is_ok()).count();
    assert_eq!(stored, 3);
    for rejection in appended.iter().filter_map(|a| a.result.as_ref().err()) {
        assert!(rejection.over_quota && !rejection.words.is_empty(), "{rejection:?}");
    }
    // The connection is in order after the refusals.
    assert_eq!(list(destination.as_mut(), Which::From(1)).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_message_is_refused_alone_and_the_limit_is_told() {
    let server = Dovecot::builder().user(USER, PASSWORD).max_message_bytes(50_000).start().unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    assert_eq!(destination.limits().await.unwrap().append_limit, Some(50_000));
    let message = |key: u32| common::Message {
        key,
        bytes: vec![b'x'; if key == 1 { 400_000 } else { 100 }],
        date: gatepost_transfer::InternalDate { seconds: 0, zone_minutes: 0 },
        flags: Flags::default(),
    };
    destination.open(&inbox()).await.unwrap();
    let messages = (0..3).map(message).collect();
    let (appended, result) = append_in(destination.as_mut(), &inbox(), 0, messages, 1).await;
    result.unwrap();
    let ok: Vec<(u32, bool)> = appended.iter().map(|a| (a.key, a.result.is_ok())).collect();
    assert_eq!(ok, [(0, true), (1, false), (2, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn appending_to_a_missing_folder_is_a_refusal_that_says_so() {
    let server = server(&[]);
    let mut destination = driver(&server).destination().await.unwrap();
    let folder = gatepost_transfer::RemoteFolder {
        path: "Nada".into(),
        native: "Nada".into(),
        special_use: None,
        selectable: true,
    };
    assert_eq!(fault(destination.open(&folder).await).kind, FaultKind::FolderGone);
    let message = common::Message {
        key: 7,
        bytes: b"a: b\r\n\r\nc\r\n".to_vec(),
        date: gatepost_transfer::InternalDate { seconds: 0, zone_minutes: 0 },
        flags: Flags::default(),
    };
    let (appended, result) = append(destination.as_mut(), &folder, vec![message]).await;
    result.unwrap();
    assert!(appended[0].result.as_ref().unwrap_err().no_folder, "{appended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_are_set_exactly_and_their_changes_are_told() {
    let server = server(&[]);
    let date = InternalDate { unix_seconds: 1_000_000_000, zone_minutes: 0 };
    let message = |n: usize| Generated {
        folder: "INBOX".into(),
        bytes: format!("Subject: {n}\r\n\r\nx\r\n").into_bytes(),
        internal_date: date,
        flags: vec!["\\Seen".into(), "old".into()],
    };
    put(&server.account(USER), (0..30).map(message)).unwrap();
    let mut destination = driver(&server).destination().await.unwrap();
    let mut source = driver(&server).source().await.unwrap();
    let state = source.open(&inbox()).await.unwrap();
    destination.open(&inbox()).await.unwrap();
    let since = state.highest_modseq.unwrap();
    assert_eq!(source.changed(30, since).await.unwrap().unwrap().flags, []);
    let flags = |uid: u32| Flags::from(["", "\\Flagged", "\\Answered $Forwarded"][uid as usize % 3]);
    let changes: Vec<_> = (1..=20).map(|uid| (uid, flags(uid))).collect();
    destination.set_flags(&changes).await.unwrap();
    source.open(&inbox()).await.unwrap();
    assert_eq!(source.changed(15, since).await.unwrap().unwrap().flags, changes[..15]);
    for meta in list(source.as_mut(), Which::From(1)).await.unwrap() {
        let expected = if meta.uid <= 20 { flags(meta.uid) } else { "\\Seen old".into() };
        assert_eq!(meta.flags, expected, "{}", meta.uid);
    }
    assert!(
        list(source.as_mut(), Which::From(31)).await.unwrap().is_empty(),
        "n:* must not bring the last message back"
    );
    assert_eq!(list(source.as_mut(), Which::From(30)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_made_with_the_levels_above_and_twice_without_harm() {
    let server = server(&[]);
    let mut destination = driver(&server).destination().await.unwrap();
    let path = FolderPath::new(["A & B", "Ação", "日本語"]);
    for _ in 0..2 {
        let made = create(destination.as_mut(), &path).await.unwrap();
        assert_eq!((made.path.clone(), made.native.as_str()), (path.clone(), "A & B/Ação/日本語"));
        destination.open(&made).await.unwrap();
    }
    assert_eq!(create(destination.as_mut(), &FolderPath::inbox()).await.unwrap().native, "INBOX");
    let refused = fault(create(destination.as_mut(), &FolderPath::new(["a/b"])).await);
    assert!(refused.kind == FaultKind::Refused && refused.sentence.contains("parts folder levels"), "{refused}");
}
