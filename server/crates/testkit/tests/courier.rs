//! The real Courier: it starts, keeps mail as generated but for line ends, leaves nothing behind, and differs from
//! Dovecot as written down.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use gatepost_testkit::{
    Account, Courier, Error, Generated, InternalDate, Profile, RawClient, Snapshot, SpecialUse, at_hand, compare,
    courier_or_explain, fill, put,
};

const ANA: &str = "ana@example.test";

fn message(folder: &str, bytes: &[u8]) -> Generated {
    Generated {
        folder: folder.to_owned(),
        bytes: bytes.to_vec(),
        internal_date: InternalDate { unix_seconds: 1_000_000_000, zone_minutes: 0 },
        flags: vec!["\\Seen".to_owned()],
    }
}

/// Waits until nobody listens there. A process that another test starts may have a copy of a listener for a moment.
fn is_closed_soon(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "somebody still listens on {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_files() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").start().unwrap();
    let client = RawClient::log_in(&server.account(ANA)).unwrap();
    let not_yet = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let (port, dir, processes) = (server.port(), server.dir().to_owned(), server.pids());
    assert_eq!(processes.len(), 2, "the monitor and a session");
    // It is free to answer before it writes its log.
    let logged = || server.log().contains(&format!("LOGIN, user={ANA}"));
    let deadline = Instant::now() + Duration::from_secs(120);
    while !logged() {
        assert!(Instant::now() < deadline, "{}", server.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(server);
    assert!(processes.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    assert!(!dir.exists());
    is_closed_soon(port);
    drop((client, not_yet));
}

#[test]
fn generated_mail_comes_back_exactly_but_for_a_missing_last_line_end() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "s:e \"c\\ret").start().unwrap();
    let account = server.account(ANA);
    let special_use = SpecialUse::Portuguese;
    let profile = Profile { special_use, average_bytes: 3000, separator: '.', ..Profile::default() };
    let fits = |one: &Generated| !one.folder.contains('📁');
    put(&account, profile.generate().filter(fits)).unwrap();
    let mut wanted = Snapshot::of_generated(&profile);
    wanted.messages.retain(|one| !one.folder.contains('📁'));
    wanted.folders.retain(|folder, _| wanted.messages.iter().any(|one| one.folder == *folder));
    let ended: HashMap<_, _> = profile
        .generate()
        .filter(|one| !one.bytes.ends_with(b"\n"))
        .map(|one| (blake3::hash(&one.bytes), blake3::hash(&[one.bytes, b"\r\n".to_vec()].concat())))
        .collect();
    assert!(!ended.is_empty());
    for one in &mut wanted.messages {
        one.digest = *ended.get(&one.digest).unwrap_or(&one.digest);
    }
    let found = Snapshot::read(&account).unwrap();
    let differences = compare(&wanted, &found, &HashMap::new());
    assert!(differences.is_empty(), "{differences}");
    assert!(!found.selectable("Pai sem caixa"), "a parent is not made with its child");
    let mut client = RawClient::log_in(&account).unwrap();
    assert!(client.list().unwrap().iter().any(|folder| folder.name == "INBOX.Clientes.Ação & Cia"));
    for missing in ["LITERAL+", "MULTIAPPEND", "CONDSTORE", "SPECIAL-USE", "LIST-STATUS", "ESEARCH", "UNSELECT", "ID"] {
        assert!(!client.has(missing), "{missing}");
    }
    assert!(client.has("UIDPLUS") && client.has("IDLE"));
}

#[test]
fn broken_mail_is_stored_and_changed_without_a_word() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").start().unwrap();
    for (at, (sent, stored)) in [
        (b"Subject: x\n\na\nb\n".as_slice(), b"Subject: x\r\n\r\na\r\nb\r\n".as_slice()),
        (b"Subject: x\r\n\r\na\rb\r\n", b"Subject: x\r\n\r\nab\r\n"),
        (b"Subject: x\r\n\r\nend", b"Subject: x\r\n\r\nend\r\n"),
        // These stay as they are.
        (b"Subject: x\r\n\r\na\0b\r\n", b"Subject: x\r\n\r\na\0b\r\n"),
        (b"no header\r\n", b"no header\r\n"),
        (b"Subject: caf\xe9\r\n\r\ncaf\xe9\r\n", b"Subject: caf\xe9\r\n\r\ncaf\xe9\r\n"),
        ("Subject: ação\r\n\r\nação\r\n".as_bytes(), "Subject: ação\r\n\r\nação\r\n".as_bytes()),
    ]
    .into_iter()
    .enumerate()
    {
        put(&server.account(ANA), [message("INBOX", sent)]).unwrap();
        let found = Snapshot::read(&server.account(ANA)).unwrap();
        assert_eq!(found.messages[at].digest, blake3::hash(stored), "{}", sent.escape_ascii());
    }
}

#[test]
fn folder_names_that_it_cannot_hold_are_refused_in_these_words() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").start().unwrap();
    for (name, words) in [
        // Beyond the first 65,536 characters of Unicode.
        ("Projetos 📁".to_owned(), "NO Error in IMAP command received by server."),
        ("a".repeat(300), "NO Cannot create this folder."),
        ("a//b".to_owned(), "NO Invalid mailbox name."),
        ("✉️ Ação 日本語".to_owned(), "OK"),
        ("a\"b".to_owned(), "OK"),
        ("a\\b".to_owned(), "OK"),
        ("a%b*".to_owned(), "OK"),
        ("trailing ".to_owned(), "OK"),
        (" leading".to_owned(), "OK"),
    ] {
        let answer = match put(&server.account(ANA), [message(&name, b"Subject: x\r\n\r\n")]) {
            Ok(_) => "OK".to_owned(),
            Err(Error::Refused { reply, .. }) => reply,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(answer, words, "{name}");
    }
}

#[test]
fn no_more_connections_are_taken_than_ordered() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").connections(2).start().unwrap();
    let account = server.account(ANA);
    let first = RawClient::log_in(&account).unwrap();
    let second = RawClient::log_in(&account).unwrap();
    assert!(RawClient::log_in(&account).is_err());
    first.log_out().unwrap();
    // Its session ends on its own time.
    let deadline = Instant::now() + Duration::from_secs(120);
    let again = loop {
        match RawClient::log_in(&account) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "no place was free again: {error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    drop((second, again));
}

#[test]
fn sessions_beside_one_another_give_each_message_a_number_of_its_own() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").start().unwrap();
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let account = server.account(ANA);
            scope.spawn(move || {
                let letter = |n| message("INBOX", format!("Subject: {lane}-{n}\r\n\r\n").as_bytes());
                put(&account, (0..40).map(letter)).unwrap();
            });
        }
    });
    let found = Snapshot::read(&server.account(ANA)).unwrap();
    let mut uids: Vec<u32> = found.messages.iter().map(|one| one.uid).collect();
    uids.dedup();
    assert_eq!(uids.len(), 160);
}

#[test]
fn mail_survives_a_restart_on_the_same_port() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let mut server = Courier::builder().user("ana", "secret").start().unwrap();
    let account = server.account("ana");
    fill(&account, &Profile { messages: 40, inbox_only: true, average_bytes: 2000, ..Profile::default() }).unwrap();
    let before = Snapshot::read(&account).unwrap();
    server.stop();
    assert!(RawClient::log_in(&account).is_err());
    server.restart().unwrap();
    let after = Snapshot::read(&account).unwrap();
    assert_eq!((before.messages.len(), &before.messages), (40, &after.messages));
}

#[test]
fn a_full_mailbox_and_a_wrong_password_are_refused_in_these_words() {
    if !at_hand(courier_or_explain()) {
        return;
    }
    let server = Courier::builder().user(ANA, "secret").quota_bytes(30_000).start().unwrap();
    let letter = || message("INBOX", &[b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; 20_000]].concat());
    put(&server.account(ANA), [letter()]).unwrap();
    match put(&server.account(ANA), [letter()]) {
        Err(Error::Refused { reply, .. }) => assert_eq!(reply, "NO [ALERT] You exceeded your mail quota."),
        other => panic!("{other:?}"),
    }
    let wrong = RawClient::log_in(&Account::new(server.port(), ANA, "wrong"));
    assert!(matches!(wrong, Err(Error::Refused { reply, .. }) if reply == "NO Login failed."));
}
