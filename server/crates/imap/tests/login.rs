//! Connecting and logging in: each way in, and each way in which it fails.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use bytes::BytesMut;
use common::{PASSWORD, USER, account, dovecot_account, fault, impatient, says};
use gatepost_contract::{Secret, Security};
use gatepost_imap::{Account, Credential, ImapDriver, net::Deflated};
use gatepost_testkit::{Certificate, Dovecot, ScriptedImap, on};
use gatepost_transfer::{Driver, Fault, FaultKind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

fn server(certificate: Certificate) -> Dovecot {
    Dovecot::builder().user(USER, PASSWORD).certificate(certificate).start().unwrap()
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

async fn source_fault(account: Account) -> Fault {
    let fault = fault(ImapDriver::new(account).source().await);
    assert!(!format!("{fault} {fault:?}").contains(PASSWORD), "{fault:?}");
    fault
}

#[tokio::test]
async fn plain_starttls_and_tls_log_in_on_all_three_uses() {
    let server = server(Certificate::Valid);
    let starttls = Account { security: Security::Starttls, port: server.imap_port(), ..over_tls(&server) };
    for account in [dovecot_account(&server), starttls, over_tls(&server)] {
        let driver = ImapDriver::new(account);
        driver.source().await.unwrap().close().await;
        driver.destination().await.unwrap().close().await;
        driver.reader().await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_user_and_host_and_without_the_secret() {
    let server = server(Certificate::Valid);
    let wrong = account(server.imap_port(), USER, "wr0ng-secret");
    let driver = ImapDriver::new(wrong);
    for fault in [fault(driver.source().await), fault(driver.destination().await), fault(driver.reader().await)] {
        assert_eq!(fault.kind, FaultKind::Login, "{fault}");
        assert!(fault.sentence.contains(USER) && fault.sentence.contains("127.0.0.1"), "{fault}");
        assert!(!format!("{fault:?}").contains("wr0ng-secret"), "{fault:?}");
    }
}

#[tokio::test]
async fn certificates_that_do_not_verify_are_refused_each_with_what_to_do() {
    let cases = [
        (Certificate::WrongName, true, "is not for the name localhost"),
        (Certificate::Expired, true, "has expired"),
        (Certificate::Valid, false, "Name the issuer's certificate as CA file"),
    ];
    for (certificate, with_ca, words) in cases {
        let server = server(certificate);
        let mut account = over_tls(&server);
        if !with_ca {
            account.ca_file = None;
        }
        let insecure = Account { insecure_tls: true, ..account.clone() };
        let refused = source_fault(account).await;
        assert_eq!(refused.kind, FaultKind::Tls, "{refused}");
        assert!(refused.sentence.contains(words), "{refused}");
        ImapDriver::new(insecure).source().await.unwrap();
    }
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_read_is_named() {
    let server = server(Certificate::Valid);
    let account = Account { ca_file: Some("/nowhere/ca.pem".into()), ..over_tls(&server) };
    let refused = source_fault(account).await;
    assert!(refused.kind == FaultKind::Tls && refused.sentence.contains("/nowhere/ca.pem"), "{refused}");
}

#[tokio::test]
async fn what_is_no_imap_server_is_called_by_its_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "web server"),
        (b"220 mail.example.com ESMTP\r\n", "SMTP"),
        (b"+OK ready\r\n", "POP3"),
        (b"SSH-2.0-OpenSSH_9\r\n", "SSH"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "TLS"),
        (b"hello\r\n", "no IMAP server"),
        (b"", "no IMAP greeting"),
    ];
    for (greeting, words) in cases {
        let account = account(says(greeting).await, USER, PASSWORD);
        let account = if greeting.is_empty() { impatient(account) } else { account };
        let driver = ImapDriver::new(account);
        for fault in [fault(driver.source().await), fault(driver.reader().await)] {
            let kind = if greeting.is_empty() { FaultKind::Timeout } else { FaultKind::WrongService };
            assert_eq!(fault.kind, kind, "{fault}");
            assert!(fault.sentence.contains(words), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_goodbye_as_greeting_keeps_the_servers_words() {
    let bye = source_fault(account(says(b"* BYE down for maintenance\r\n").await, USER, PASSWORD)).await;
    assert!(bye.kind == FaultKind::Lost && bye.sentence.contains("down for maintenance"), "{bye}");
    let many = source_fault(account(says(b"* BYE Too many connections from you\r\n").await, USER, PASSWORD)).await;
    assert_eq!(many.kind, FaultKind::Throttled, "{many}");
}

#[tokio::test]
async fn hosts_that_cannot_be_reached_say_why() {
    // Bound and not listened on, so that nobody else gets the port.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let unused = bound.local_addr().unwrap().port();
    let named = |host: &str| Account { host: host.into(), ..account(unused, USER, PASSWORD) };
    let cases = [
        (named("127.0.0.1"), FaultKind::Unreachable, "refuses connections"),
        (named("no-such-host.invalid"), FaultKind::Unreachable, "does not resolve"),
        (named("with space"), FaultKind::Unreachable, "no host name"),
        (named("169.254.169.254"), FaultKind::Forbidden, "link-local"),
        (named("[::ffff:169.254.169.254]"), FaultKind::Forbidden, "link-local"),
        (named("0.0.0.0"), FaultKind::Forbidden, "link-local"),
        (named("192.0.2.1"), FaultKind::Forbidden, "Use TLS or STARTTLS"),
    ];
    for (account, kind, words) in cases {
        let host = account.host.clone();
        let refused = source_fault(account).await;
        assert_eq!(refused.kind, kind, "{host}: {refused}");
        assert!(refused.sentence.contains(words), "{host}: {refused}");
    }
}

#[tokio::test]
async fn plaintext_behind_starttls_is_not_taken_for_an_answer() {
    // What a man in the middle puts behind the OK must not be read as if it had come through TLS.
    let port = says(b"* OK ready\r\nS OK begin\r\n* CAPABILITY IMAP4rev1\r\ng1 OK done\r\n").await;
    let account = Account { security: Security::Starttls, ..account(port, USER, PASSWORD) };
    assert_eq!(source_fault(account).await.kind, FaultKind::Tls);
}

#[tokio::test]
async fn a_server_without_starttls_or_tls_says_so() {
    let server = ScriptedImap::builder().start().unwrap();
    let starttls = Account { security: Security::Starttls, ..account(server.port(), USER, PASSWORD) };
    let refused = source_fault(starttls).await;
    assert!(refused.kind == FaultKind::Tls && refused.sentence.contains("STARTTLS"), "{refused}");
    let tls = Account { security: Security::Tls, ..account(server.port(), USER, PASSWORD) };
    let refused = source_fault(tls).await;
    assert_eq!(refused.kind, FaultKind::Tls, "{refused}");
    assert_eq!(server.commands_matching("LOGIN").len() + server.commands_matching("AUTHENTICATE").len(), 0);
}

#[tokio::test]
async fn passwords_log_in_whatever_the_server_offers() {
    let capabilities = [
        "IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+",
        "IMAP4rev1 AUTH=PLAIN",
        "IMAP4rev1 LITERAL+",
        "IMAP4rev1 LITERAL-",
        "IMAP4rev1",
    ];
    for capability in capabilities {
        for password in ["simple", "with \"quotes\" and \\", "sênha"] {
            let server = ScriptedImap::builder().user(USER, password).capability(capability).start().unwrap();
            let driver = ImapDriver::new(account(server.port(), USER, password));
            assert!(driver.source().await.is_ok(), "{capability} {password}");
        }
    }
}

#[tokio::test]
async fn a_greeting_without_capabilities_is_fine() {
    let server = ScriptedImap::builder().user(USER, "x").greeting("* OK hi\r\n").start().unwrap();
    ImapDriver::new(account(server.port(), USER, "x")).source().await.unwrap();
}

#[tokio::test]
async fn logindisabled_asks_for_encryption() {
    let server = ScriptedImap::builder().user(USER, "x").capability("IMAP4rev1 LOGINDISABLED").start().unwrap();
    let refused = source_fault(account(server.port(), USER, "x")).await;
    assert!(refused.kind == FaultKind::Login && refused.sentence.contains("Use TLS or STARTTLS"), "{refused}");
    assert_eq!(server.commands_matching("LOGIN").len(), 0);
}

#[tokio::test]
async fn an_oauth_token_logs_in_or_its_refusal_is_explained() {
    for capability in ["IMAP4rev1 AUTH=XOAUTH2 SASL-IR", "IMAP4rev1 AUTH=XOAUTH2"] {
        let server = ScriptedImap::builder().token(USER, "t0ken").capability(capability).start().unwrap();
        let with = |token: &str| {
            let secret = Credential::token(Secret(token.into()));
            ImapDriver::new(Account { secret, ..account(server.port(), USER, "") })
        };
        with("t0ken").source().await.unwrap();
        with("t0ken").reader().await.unwrap();
        let refused = fault(with("exp1red").source().await);
        assert_eq!(refused.kind, FaultKind::Login, "{refused}");
        assert!(refused.sentence.contains(USER), "{refused}");
        let refused = fault(with("exp1red").reader().await);
        assert_eq!(refused.kind, FaultKind::Login, "{refused}");
        assert!(!format!("{refused:?}").contains("exp1red"));
    }
}

#[tokio::test]
async fn the_error_that_comes_as_a_challenge_is_in_the_sentence() {
    // {"status":"401"}: how Gmail and Exchange tell why a token was refused, before they say NO.
    let answer = "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n{tag} NO [AUTHENTICATIONFAILED] SASL\r\n";
    let server = ScriptedImap::builder().rule(on("AUTHENTICATE XOAUTH2").reply(answer)).start().unwrap();
    let secret = Credential::token(Secret("exp1red".into()));
    let refused = source_fault(Account { secret, ..account(server.port(), USER, "") }).await;
    assert!(refused.kind == FaultKind::Login && refused.sentence.contains(r#"{"status":"401"}"#), "{refused}");
}

#[tokio::test]
async fn response_codes_at_log_in_become_kinds() {
    let cases = [
        ("[AUTHENTICATIONFAILED] no", FaultKind::Login),
        ("no", FaultKind::Login),
        ("[UNAVAILABLE] later", FaultKind::Throttled),
        ("[LIMIT] too many", FaultKind::Throttled),
        ("[INUSE] busy", FaultKind::Throttled),
        ("[ALERT] Too many simultaneous connections. (Failure)", FaultKind::Throttled),
        ("[UNAVAILABLE] Maximum number of connections from user+IP exceeded", FaultKind::Throttled),
        ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", FaultKind::Throttled),
    ];
    for (answer, kind) in cases {
        let server = ScriptedImap::builder().rule(on("AUTHENTICATE").no(answer)).start().unwrap();
        assert_eq!(source_fault(account(server.port(), USER, "x")).await.kind, kind, "{answer}");
    }
}

#[tokio::test]
async fn a_master_user_opens_somebody_elses_mailbox() {
    let server = Dovecot::builder().user(USER, PASSWORD).master_user("admin", "m4ster").start().unwrap();
    let account = Account { authz: Some(USER.into()), ..account(server.imap_port(), "admin", "m4ster") };
    let driver = ImapDriver::new(account);
    driver.source().await.unwrap();
    driver.reader().await.unwrap();
    assert!(driver.label().contains("logged in as admin"));
}

#[tokio::test]
async fn a_connection_is_compressed_where_the_server_agrees_and_not_where_it_refuses() {
    for agrees in [true, false] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] ready\r\n").await.unwrap();
            assert_eq!(line(&mut stream).await, "g1 COMPRESS DEFLATE\r\n");
            if agrees {
                stream.write_all(b"g1 OK from here on\r\n").await.unwrap();
                let mut stream = Deflated::new(stream, BytesMut::new());
                assert_eq!(line(&mut stream).await, "g2 NOOP\r\n");
                stream.write_all(b"* 3 EXISTS\r\ng2 OK done\r\n").await.unwrap();
                stream.flush().await.unwrap();
            } else {
                stream.write_all(b"g1 NO [COMPRESSIONACTIVE] TLS does it\r\n").await.unwrap();
                assert_eq!(line(&mut stream).await, "g2 NOOP\r\n");
                stream.write_all(b"g2 OK done\r\n").await.unwrap();
            }
        });
        let driver = ImapDriver::new(account(port, USER, "x")).compressed(true);
        driver.source().await.unwrap().keep_alive().await.unwrap();
        server.await.unwrap();
    }
}

async fn line(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(line).unwrap()
}
