//! The real Cyrus: it starts, keeps mail as generated, leaves nothing behind, and differs from Dovecot as written down.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use gatepost_testkit::{
    Cyrus, Error, Generated, InternalDate, Profile, RawClient, Snapshot, SpecialUse, at_hand, compare,
    cyrus_or_explain, put,
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

/// What the server answers to storing one message.
fn answer(server: &Cyrus, folder: &str, bytes: &[u8]) -> String {
    match put(&server.account(ANA), [message(folder, bytes)]) {
        Ok(_) => "OK".to_owned(),
        Err(Error::Refused { reply, .. }) => reply,
        Err(other) => panic!("{other}"),
    }
}

fn header(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    &bytes[..end.unwrap_or(bytes.len())]
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
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let server = Cyrus::builder().user(ANA, "secret").start().unwrap();
    let client = RawClient::log_in(&server.account(ANA)).unwrap();
    assert!(client.has("MULTIAPPEND") && client.has("QRESYNC") && client.has("LIST-STATUS") && client.has("LITERAL+"));
    let (port, dir, master) = (server.port(), server.dir().to_owned(), server.pid().unwrap());
    // All its processes are a group of paths below this directory: none is left when none has it on its command line.
    let configured = format!("{}/imapd.conf", dir.display());
    let running = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| line.windows(configured.len()).any(|part| part == configured.as_bytes())).count()
    };
    assert!(running() >= 2, "a master and a session");
    drop(server);
    assert_eq!(running(), 0);
    assert!(!dir.exists() && !Path::new(&format!("/proc/{master}")).exists());
    is_closed_soon(port);
    drop(client);
}

#[test]
fn generated_mail_comes_back_exactly_with_each_way_of_naming() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    for (alt_namespace, unix_separator) in [(true, true), (true, false), (false, true), (false, false)] {
        let builder = Cyrus::builder().user(ANA, "s:e \"c\\ret");
        let server = builder.alt_namespace(alt_namespace).unix_separator(unix_separator).start().unwrap();
        let account = server.account(ANA);
        let separator = RawClient::log_in(&account).unwrap().separator().unwrap();
        assert_eq!(separator, if unix_separator { '/' } else { '.' });
        let special_use = SpecialUse::English;
        let profile = Profile { messages: 120, special_use, average_bytes: 3000, separator, ..Profile::default() };
        let fits = |one: &Generated| header(&one.bytes).is_ascii() && !one.folder.contains(['"', '\\']);
        let fitting: Vec<Generated> = profile.generate().filter(fits).collect();
        let digests: Vec<_> = fitting.iter().map(|one| blake3::hash(&one.bytes)).collect();
        let mut wanted = Snapshot::of_generated(&profile);
        wanted.messages.retain(|one| digests.contains(&one.digest) && !one.folder.contains(['"', '\\']));
        wanted.folders.retain(|folder, _| wanted.messages.iter().any(|one| one.folder == *folder));
        assert!(wanted.messages.len() > 90);

        put(&account, fitting).unwrap();
        let found = Snapshot::read(&account).unwrap();
        let differences = compare(&wanted, &found, &HashMap::new());
        assert!(differences.is_empty(), "{alt_namespace} {unix_separator}: {differences}");
        assert!(found.selectable("Pai sem caixa"), "parents are made too");
        let mut client = RawClient::log_in(&account).unwrap();
        let inside = client.list().unwrap().iter().all(|folder| folder.name.starts_with("INBOX"));
        assert_eq!(inside, !alt_namespace);
    }
}

#[test]
fn a_message_that_is_refused_is_refused_in_these_words() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let server = Cyrus::builder().user(ANA, "secret").start().unwrap();
    for (bytes, words) in [
        (b"Subject: x\r\n\r\na\0b\r\n".as_slice(), "NO Message contains NUL characters"),
        (b"Subject: x\r\n\r\na\nb\r\n", "NO Message contains bare newlines"),
        (b"Subject: x\n\na\0b\n", "NO Message contains NUL characters"),
        (b"no header\r\n", "NO Message contains invalid header"),
        (b"Subject: no end", "NO Message contains invalid header"),
        (b"Subject: x\r\nnot a field\r\n\r\nbody\r\n", "NO Message contains invalid header"),
        (b">From ana\r\nSubject: x\r\n\r\nbody\r\n", "NO Message contains invalid header"),
        // These are taken.
        (b"From ana Sat Jan  1 00:00:00 2000\r\nSubject: x\r\n\r\nbody\r\n", "OK"),
        (b"\r\nonly a body\r\n", "OK"),
        (b"Subject: no body\r\n", "OK"),
        (b"Subject: x\r\n\r\nno last line end", "OK"),
        (b"Subject: x\r\n\r\na bare \r carriage return", "OK"),
        (b" folded: before any field\r\n\r\nbody\r\n", "OK"),
    ] {
        assert_eq!(answer(&server, "INBOX", bytes), words, "{}", bytes.escape_ascii());
    }
    // In the company of good ones, which are refused with it.
    let good = || message("Together", b"Subject: good\r\n\r\n");
    let refused = put(&server.account(ANA), [good(), message("Together", b"bad\r\n"), good()]);
    assert!(matches!(refused, Err(Error::Refused { reply, .. }) if reply == "NO Message contains invalid header"));
    assert_eq!(Snapshot::read(&server.account(ANA)).unwrap().folder("Together").count(), 0);
}

#[test]
fn raw_8_bit_bytes_in_a_header_become_x_and_those_in_a_body_stay() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let server = Cyrus::builder().user(ANA, "secret").start().unwrap();
    assert_eq!(answer(&server, "INBOX", b"Subject: caf\xe9 \xc3\xa7\r\n\r\ncaf\xe9 \xc3\xa7\r\n"), "OK");
    let found = Snapshot::read(&server.account(ANA)).unwrap();
    assert_eq!(found.messages[0].digest, blake3::hash(b"Subject: cafX XX\r\n\r\ncaf\xe9 \xc3\xa7\r\n"));
}

#[test]
fn folder_names_that_it_cannot_hold_are_refused_in_these_words() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let invalid = "NO Invalid mailbox name";
    let unix = Cyrus::builder().user(ANA, "secret").start().unwrap();
    let dotted = Cyrus::builder().user(ANA, "secret").alt_namespace(false).unix_separator(false).start().unwrap();
    for (name, with_slash, with_dot) in [
        ("a\"b", invalid, invalid),
        ("a\\b", invalid, invalid),
        ("a%b", invalid, invalid),
        ("a;b", invalid, invalid),
        ("a|b", invalid, invalid),
        ("a<b", invalid, invalid),
        // Each is how the other separator is written inside.
        ("a^b", invalid, "OK"),
        ("a.b", "OK", "OK"),
        ("a*b", "OK", "OK"),
        ("Ação 📁", "OK", "OK"),
        ("trailing ", "OK", "OK"),
        (" leading", "OK", "OK"),
    ] {
        let letter = b"Subject: x\r\n\r\n";
        assert_eq!(answer(&unix, name, letter), with_slash, "{name} with /");
        assert_eq!(answer(&dotted, name, letter), with_dot, "{name} with .");
    }
}

#[test]
fn mail_survives_a_restart_on_the_same_port() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let mut server = Cyrus::builder().user("ana", "secret").start().unwrap();
    let account = server.account("ana");
    put(&account, (0..30).map(|n| message("Clientes", format!("Subject: {n}\r\n\r\n").as_bytes()))).unwrap();
    let before = Snapshot::read(&account).unwrap();
    server.stop();
    assert!(RawClient::log_in(&account).is_err());
    server.restart().unwrap();
    let after = Snapshot::read(&account).unwrap();
    assert_eq!((before.messages.len(), &before.messages), (30, &after.messages));
}

#[test]
fn limits_and_missing_extensions_are_as_ordered() {
    if !at_hand(cyrus_or_explain()) {
        return;
    }
    let server = Cyrus::builder()
        .user(ANA, "secret")
        .quota_kib(30)
        .max_message_bytes(20_000)
        .without(&["MULTIAPPEND", "CONDSTORE"])
        .start()
        .unwrap();
    let client = RawClient::log_in(&server.account(ANA)).unwrap();
    assert!(client.has("APPENDLIMIT=20000") && !client.has("MULTIAPPEND") && !client.has("CONDSTORE"));
    let sized = |size: usize| [b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; size]].concat();
    assert_eq!(answer(&server, "INBOX", &sized(25_000)), "NO [TOOBIG] Message size exceeds fixed limit");
    assert_eq!(answer(&server, "INBOX", &sized(19_000)), "OK");
    assert_eq!(answer(&server, "INBOX", &sized(19_000)), "NO Over quota");
    let wrong = gatepost_testkit::Account::new(server.port(), ANA, "wrong");
    let wrong = RawClient::log_in(&wrong);
    assert!(matches!(wrong, Err(Error::Refused { reply, .. }) if reply == "NO Login failed: authentication failure"));
}
