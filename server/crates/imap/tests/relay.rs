//! The relay: what a program that knows nothing of TLS and secrets can and cannot do through it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{PASSWORD, USER, dovecot_account};
use gatepost_contract::{Secret, Security};
use gatepost_imap::{Account, Credential, Relay};
use gatepost_testkit::{Certificate, Dovecot};
use gatepost_transfer::FaultKind;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Sends lines and gives what comes until a line that begins so.
async fn talk(client: &mut BufReader<TcpStream>, send: &str, until: &str) -> String {
    client.write_all(send.as_bytes()).await.unwrap_or_default();
    let mut all = String::new();
    loop {
        let mut line = String::new();
        // What is closed with unread bytes is reset.
        let read = client.read_line(&mut line).await.unwrap_or(0);
        all.push_str(&line);
        if read == 0 || line.starts_with(until) {
            return all;
        }
    }
}

async fn connect(relay: &Relay) -> BufReader<TcpStream> {
    BufReader::new(TcpStream::connect(relay.address()).await.unwrap())
}

fn over_tls(server: &Dovecot) -> Account {
    Account {
        host: "localhost".into(),
        port: server.imaps_port(),
        security: Security::Tls,
        ca_file: Some(server.ca_file()),
        ..dovecot_account(server)
    }
}

#[tokio::test]
async fn a_program_appends_through_it_over_verified_tls_without_the_password() {
    let server = Dovecot::builder().user(USER, PASSWORD).certificate(Certificate::Valid).start().unwrap();
    let starttls = Account { security: Security::Starttls, port: server.imap_port(), ..over_tls(&server) };
    for (n, account) in [over_tls(&server), starttls].into_iter().enumerate() {
        let relay = Relay::open(account).await.unwrap();
        assert_ne!(relay.word().0.as_str(), PASSWORD);
        let mut client = connect(&relay).await;
        talk(&mut client, "", "* OK").await;
        talk(&mut client, "A1 CAPABILITY\r\n", "A1 OK").await;
        let login = format!("A2 LOGIN anybody \"{}\"\r\n", relay.word().0);
        assert!(talk(&mut client, &login, "A2 ").await.starts_with("A2 OK"));
        let append = "A3 APPEND INBOX {20+}\r\nSubject: hi\r\n\r\nho\r\n\r\n";
        assert!(talk(&mut client, append, "A3 ").await.contains("A3 OK"));
        let select = talk(&mut client, "A4 SELECT INBOX\r\n", "A4 ").await;
        assert!(select.contains(&format!("* {} EXISTS", n + 1)), "{select}");
    }
}

#[tokio::test]
async fn without_its_word_nothing_is_reached() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let relay = Relay::open(dovecot_account(&server)).await.unwrap();
    let mut client = connect(&relay).await;
    talk(&mut client, "", "* OK").await;
    for (n, line) in
        [format!("LOGIN {USER} {PASSWORD}"), "LOGIN a \"\"".into(), "SELECT INBOX".into()].iter().enumerate()
    {
        let told = talk(&mut client, &format!("B{n} {line}\r\n"), &format!("B{n} ")).await;
        assert!(told.contains(" NO ") || told.contains(" BAD "), "{told}");
    }
    // A line without an end is not waited for beyond its bound.
    let endless = "x".repeat(10_000);
    assert_eq!(talk(&mut client, &endless, "never").await, "");
}

#[tokio::test]
async fn who_does_not_log_in_keeps_nobody_out() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let relay = Relay::open(dovecot_account(&server)).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut client = connect(&relay).await;
        talk(&mut client, "", "* OK").await;
        idle.push(client);
    }
    let mut logged_in = Vec::new();
    for n in 0..5 {
        let mut client = connect(&relay).await;
        talk(&mut client, "", "* OK").await;
        let told = talk(&mut client, &format!("B{n} LOGIN a \"{}\"\r\n", relay.word().0), &format!("B{n} ")).await;
        assert_eq!(told.contains(" OK "), n < 4, "{told}");
        logged_in.push(client);
    }
}

#[tokio::test]
async fn why_the_server_refused_is_told_to_whoever_opened_it() {
    let server = Dovecot::builder().user(USER, PASSWORD).certificate(Certificate::Valid).start().unwrap();
    let wrong = Account { secret: Credential::Password(Secret("wrong".into())), ..over_tls(&server) };
    let unverified = Account { ca_file: None, ..over_tls(&server) };
    for (account, kind) in [(wrong, FaultKind::Login), (unverified, FaultKind::Tls)] {
        let relay = Relay::open(account).await.unwrap();
        let mut client = connect(&relay).await;
        talk(&mut client, "", "* OK").await;
        let told = talk(&mut client, &format!("C1 LOGIN a {}\r\n", relay.word().0), "C1 ").await;
        assert!(told.starts_with("C1 NO"), "{told}");
        // The fault is noted once the program has been told.
        let fault = loop {
            match relay.fault() {
                Some(fault) => break fault,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(fault.kind, kind, "{fault}");
    }
}

#[tokio::test]
async fn it_is_gone_when_it_is_dropped() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let relay = Relay::open(dovecot_account(&server)).await.unwrap();
    let address = relay.address();
    let mut client = connect(&relay).await;
    talk(&mut client, "", "* OK").await;
    drop(relay);
    assert_eq!(talk(&mut client, "", "never").await, "");
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_reader_does_through_it_leaves_no_trace_and_shows_only_its_view() {
    let server = Dovecot::builder().user(USER, PASSWORD).start().unwrap();
    let writer = Relay::open(dovecot_account(&server)).await.unwrap();
    let mut client = connect(&writer).await;
    talk(&mut client, "", "* OK").await;
    talk(&mut client, &format!("A0 LOGIN a \"{}\"\r\n", writer.word().0), "A0 OK").await;
    for n in 1..=3 {
        let append = format!("A{n} APPEND INBOX {{20+}}\r\nSubject: {n}.\r\n\r\nho\r\n\r\n");
        talk(&mut client, &append, &format!("A{n} OK")).await;
    }
    // A literal that is waited for passes as well.
    talk(&mut client, "A4 APPEND INBOX {4}\r\n", "+").await;
    assert!(talk(&mut client, "x: y\r\n", "A4 ").await.contains("A4 OK"));
    talk(&mut client, "A5 SELECT INBOX\r\n", "A5 OK").await;
    assert!(talk(&mut client, "A6 UID STORE 1 +FLAGS (\\Deleted)\r\n", "A6 ").await.starts_with("A6 NO [CANNOT]"));
    assert!(talk(&mut client, "A7 UID STORE 1 +FLAGS (\\Flagged)\r\n", "A7 ").await.contains("A7 OK"));

    let view = [("INBOX".to_owned(), [2_u32, 3].into_iter().collect())].into_iter().collect();
    let reader = Relay::read_only(dovecot_account(&server), Some(view)).await.unwrap();
    let mut client = connect(&reader).await;
    talk(&mut client, "", "* OK").await;
    talk(&mut client, &format!("B0 LOGIN a \"{}\"\r\n", reader.word().0), "B0 OK").await;
    let told = talk(&mut client, "B1 SELECT INBOX\r\n", "B1 ").await;
    assert!(told.contains("[READ-ONLY]") && told.contains("* 4 EXISTS"), "{told}");
    assert_eq!(talk(&mut client, "B2 UID SEARCH ALL\r\n", "B2 ").await.lines().next(), Some("* SEARCH 2 3"));
    // Without .PEEK it would mark the message as read.
    assert!(talk(&mut client, "B3 UID FETCH 2 BODY[]\r\n", "B3 ").await.contains("Subject: 2."));
    for (n, command) in ["UID STORE 2 +FLAGS (\\Seen)", "EXPUNGE", "DELETE Junk", "CREATE New"].iter().enumerate() {
        let told = talk(&mut client, &format!("C{n} {command}\r\n"), &format!("C{n} ")).await;
        assert!(told.starts_with(&format!("C{n} NO [CANNOT]")), "{told}");
    }
    let flags = talk(&mut client, "B4 UID FETCH 1,2,3,4 FLAGS\r\n", "B4 ").await;
    assert_eq!((flags.matches("\\Seen").count(), flags.matches("\\Flagged").count()), (0, 1), "{flags}");
}
