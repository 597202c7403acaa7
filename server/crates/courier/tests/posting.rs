//! The courier alone: addresses, TLS, and receivers that misbehave.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Act, LIMIT, Names, PATIENT, Receiver, status, tls};
use gatepost_core::{Courier as _, Letter, Outbound, Reply, Undelivered};
use gatepost_courier::HttpCourier;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;

fn letter(url: &str) -> Letter {
    Letter {
        url: url.to_owned(),
        message_id: "msg_1".to_owned(),
        timestamp: 1_700_000_000,
        signature: "v1,abc".to_owned(),
        body: r#"{"type":"webhook.test"}"#.to_owned(),
    }
}

async fn post(url: &str, allowed: &[&str], names: &Names, ca_file: Option<&Path>) -> Result<Reply, Undelivered> {
    post_within(PATIENT, url, allowed, names, ca_file).await
}

async fn post_within(
    limit: Duration,
    url: &str,
    allowed: &[&str],
    names: &Names,
    ca_file: Option<&Path>,
) -> Result<Reply, Undelivered> {
    let allowed_hosts = allowed.iter().map(ToString::to_string).collect();
    let outbound = Outbound { ca_file: ca_file.map(Path::to_path_buf), allowed_hosts };
    HttpCourier::with(outbound, Arc::new(names.clone()), limit).post(&letter(url)).await
}

async fn to(receiver: &Receiver) -> Result<Reply, Undelivered> {
    post(&receiver.url(), &["127.0.0.1"], &Names::default(), None).await
}

#[tokio::test]
async fn a_post_carries_the_three_headers_and_the_body_as_it_is() {
    let receiver = Receiver::start().await;
    assert_eq!(to(&receiver).await.unwrap().status, 204);
    let got = &receiver.got()[0];
    assert_eq!(got.line, "POST /hook?k=v HTTP/1.1");
    assert_eq!(got.body, r#"{"type":"webhook.test"}"#);
    for (name, value) in [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1,abc"),
        ("content-type", "application/json"),
        ("host", &receiver.address.to_string()),
    ] {
        assert_eq!(got.headers[name], value, "{name}");
    }
    assert!(got.headers["user-agent"].starts_with("Gatepost/"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    for code in [301, 302, 303, 307, 308] {
        first.then(Act::Say(format!("HTTP/1.1 {code} x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", second.url())));
        assert_eq!(to(&first).await.unwrap().status, code);
    }
    assert_eq!((first.got().len(), second.got().len()), (5, 0));
}

#[tokio::test]
async fn a_receiver_that_misbehaves_is_named_in_a_sentence() {
    let receiver = Receiver::start().await;
    for (act, says) in [
        (Act::Close, "closed the connection before it had answered"),
        (Act::Reset, "closed the connection before it had answered"),
        (Act::Hang, "did not answer within 5 seconds"),
        (Act::Say("* OK IMAP4rev1 ready\r\n".into()), "does not answer in HTTP as it should"),
        (Act::Say("HTTP/1.1 200 OK\r\nContent-Le".into()), "closed the connection before it had answered"),
        (Act::Forever("HTTP/1.1 200 OK\r\n".into(), "X-More: and more\r\n"), "does not answer in HTTP as it should"),
        (Act::Forever("HTTP/1.1 200 OK\r\nX: ".into(), "and more"), "does not answer in HTTP as it should"),
        (Act::Forever("HTTP/1.1 100 x\r\n\r\n".into(), "HTTP/1.1 100 x\r\n\r\n"), "did not answer within 5 seconds"),
    ] {
        receiver.then(act.clone());
        // Nothing but the limit ends these.
        let limit = if says.contains("within") { LIMIT } else { PATIENT };
        let sent = post_within(limit, &receiver.url(), &["127.0.0.1"], &Names::default(), None).await;
        let Undelivered(why) = sent.expect_err(says);
        assert!(why.contains(says) && why.starts_with("127.0.0.1"), "{act:?}: {why}");
    }
    // Bound and not listened on, so that nobody else gets the port.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = bound.local_addr().unwrap();
    let Undelivered(why) =
        post(&format!("http://{nobody}/"), &["127.0.0.1"], &Names::default(), None).await.unwrap_err();
    assert_eq!(why, format!("Nothing answers at 127.0.0.1, port {}: the connection was refused.", nobody.port()));
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_a_person_would() {
    let receiver = Receiver::start().await;
    let head = |code: u16| format!("HTTP/1.1 {code} x\r\nContent-Length: 99999999999\r\n\r\n");
    receiver.then(Act::Forever(head(500), "no such hook ")).then(Act::Forever(head(200), "thank you "));
    let refused = to(&receiver).await.unwrap();
    assert_eq!((refused.status, refused.excerpt.len()), (500, 2048));
    assert!(refused.excerpt.starts_with("no such hook no such hook"));
    let taken = to(&receiver).await.unwrap();
    assert_eq!((taken.status, taken.excerpt.as_str()), (200, ""), "what a success says does not matter");
}

#[tokio::test]
async fn the_wish_to_wait_is_passed_on() {
    let receiver = Receiver::start().await;
    receiver.then(Act::Say("HTTP/1.1 429 x\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy".into()));
    let reply = to(&receiver).await.unwrap();
    assert_eq!(reply, Reply { status: 429, retry_after: Some("120".into()), excerpt: "busy".into() });
    receiver.then(status(503));
    assert_eq!(to(&receiver).await.unwrap(), Reply { status: 503, ..Reply::default() });
}

#[tokio::test]
async fn an_answer_whose_body_never_ends_does_not_cost_its_status() {
    let receiver = Receiver::start().await;
    receiver.then(Act::Say("HTTP/1.1 500 x\r\nContent-Length: 10\r\n\r\nhalf".into()));
    let begun = Instant::now();
    let reply = to(&receiver).await.unwrap();
    assert_eq!((reply.status, reply.excerpt.as_str()), (500, "half"));
    assert!(begun.elapsed() < PATIENT, "what ends is not waited for");
}

#[tokio::test]
async fn a_private_address_is_not_connected_to_by_whatever_name() {
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    for (url, ips) in [
        (format!("https://hooks.example:{port}/"), &["127.0.0.1"][..]),
        (format!("https://hooks.example:{port}/"), &["::ffff:127.0.0.1"]),
        (format!("https://hooks.example:{port}/"), &["8.8.8.8", "127.0.0.1"]),
        (format!("https://hooks.example:{port}/"), &["169.254.169.254"]),
        (format!("https://127.0.0.1:{port}/"), &[]),
        (format!("https://2130706433:{port}/"), &[]),
        (format!("https://[::ffff:7f00:1]:{port}/"), &[]),
    ] {
        let Undelivered(why) = post(&url, &[], &Names::answering(&[ips]), None).await.expect_err(&url);
        assert!(why.contains("private, local or otherwise special address"), "{url} {ips:?}: {why}");
    }
    let names = Names::answering(&[&["127.0.0.1"]]);
    let Undelivered(why) =
        post(&format!("http://hooks.example:{port}/"), &["127.0.0.1"], &names, None).await.unwrap_err();
    assert!(why.contains("plain http"), "{why}");
    assert_eq!(receiver.got().len(), 0);
    let reply = post(&format!("http://hooks.example:{port}/"), &["hooks.example"], &names, None).await.unwrap();
    assert_eq!((reply.status, receiver.got().len()), (204, 1), "the settings may name the host");
}

#[tokio::test]
async fn a_name_that_changes_its_address_leads_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let (acceptor, ca) = tls(&dir, "rebind.example");
    let good = Receiver::listen("127.0.0.1:0", Some(acceptor.clone())).await;
    let port = good.address.port();
    let victim = Receiver::listen(&format!("127.0.0.2:{port}"), Some(acceptor)).await;
    let url = format!("https://rebind.example:{port}/");
    let names = Names::answering(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1", "127.0.0.2"]]);
    let ask = || post(&url, &["127.0.0.1"], &names, Some(&ca));
    assert_eq!(ask().await.unwrap().status, 204);
    assert_eq!(names.asked(), 1, "what was judged is what is connected to: no second look into the DNS");
    for _ in 0..2 {
        assert!(ask().await.unwrap_err().0.contains("127.0.0.2"));
    }
    assert_eq!((names.asked(), good.got().len(), victim.got().len()), (3, 1, 0));
}

#[tokio::test]
async fn tls_is_verified_against_the_name_of_the_url() {
    let dir = tempfile::tempdir().unwrap();
    let (acceptor, ca) = tls(&dir, "hooks.example");
    let receiver = Receiver::listen("127.0.0.1:0", Some(acceptor)).await;
    let plain = Receiver::start().await;
    let port = receiver.address.port();
    let names = Names::answering(&[&["127.0.0.1"]]);
    let at = |host: &str, port: u16| format!("https://{host}:{port}/x");
    let allowed = ["hooks.example", "wrong.example"];
    assert_eq!(post(&at("hooks.example", port), &allowed, &names, Some(&ca)).await.unwrap().status, 204);
    for (url, ca, says) in [
        (at("wrong.example", port), Some(&ca), "is for another name"),
        (at("hooks.example", port), None, "issued by somebody this machine does not trust"),
        (at("hooks.example", plain.address.port()), Some(&ca), "closed the connection during the TLS handshake"),
        (at("hooks.example", port), Some(&dir.path().join("none.pem")), "GATEPOST_CA_FILE cannot be read"),
    ] {
        let Undelivered(why) = post(&url, &allowed, &names, ca.map(PathBuf::as_path)).await.expect_err(says);
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn sentences_and_debug_output_name_no_path_and_no_query() {
    let planted = "https://hooks.example/planted?token=planted";
    assert!(!format!("{:?}", letter(planted)).contains("planted"));
    for (url, ips) in [(planted, &["127.0.0.1"][..]), (planted, &[]), ("http://hooks.example/planted", &["8.8.8.8"])] {
        let Undelivered(why) = post(url, &[], &Names::answering(&[ips]), None).await.unwrap_err();
        assert!(why.contains("hooks.example") && !why.contains("planted"), "{why}");
    }
}
