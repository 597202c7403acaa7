//! Asking web servers: what goes out, what comes back, and servers that misbehave.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Act, LIMIT, Names, PATIENT, Receiver, tls};
use gatepost_contract::Secret;
use gatepost_core::Outbound;
use gatepost_courier::HttpWeb;
use gatepost_web::{Web as _, WebError, WebReply, WebRequest};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

async fn ask(
    request: &WebRequest,
    allowed: &[&str],
    names: &Names,
    ca_file: Option<&Path>,
) -> Result<WebReply, WebError> {
    ask_within(PATIENT, request, allowed, names, ca_file).await
}

async fn ask_within(
    limit: Duration,
    request: &WebRequest,
    allowed: &[&str],
    names: &Names,
    ca_file: Option<&Path>,
) -> Result<WebReply, WebError> {
    let allowed_hosts = allowed.iter().map(ToString::to_string).collect();
    let outbound = Outbound { ca_file: ca_file.map(Path::to_path_buf), allowed_hosts };
    HttpWeb::with(outbound, Arc::new(names.clone()), limit).ask(request).await
}

async fn said(receiver: &Receiver, answer: &str) -> Result<WebReply, WebError> {
    receiver.then(Act::Say(answer.to_owned()));
    ask(&WebRequest::get(receiver.url()), &["127.0.0.1"], &Names::default(), None).await
}

#[tokio::test]
async fn a_form_goes_out_with_its_headers_and_the_answer_comes_back_whole() {
    let receiver = Receiver::start().await;
    let body = "é".repeat(10_000);
    receiver.then(Act::Say(format!(
        "HTTP/1.1 400 x\r\nContent-Type: Application/JSON; charset=utf-8\r\nRetry-After: 7\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )));
    let mut request = WebRequest::post(receiver.url(), "application/x-www-form-urlencoded", "a=b");
    request.accept = Some("application/json");
    request.authorization = Some(Secret("Basic YTpi".into()));
    let reply = ask(&request, &["127.0.0.1"], &Names::default(), None).await.unwrap();
    assert_eq!((reply.status, reply.content_type.as_str(), reply.retry_after), (400, "application/json", Some(7)));
    assert_eq!(reply.body, body.as_bytes());
    let got = &receiver.got()[0];
    assert_eq!((got.line.as_str(), got.body.as_str()), ("POST /hook?k=v HTTP/1.1", "a=b"));
    for (name, value) in [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        ("authorization", "Basic YTpi"),
        ("host", &receiver.address.to_string()),
    ] {
        assert_eq!(got.headers[name], value, "{name}");
    }
    assert!(!format!("{request:?} {reply:?}").contains("YTpi"));
}

#[tokio::test]
async fn an_answer_in_chunks_is_put_together_and_one_that_breaks_off_is_none() {
    let receiver = Receiver::start().await;
    let chunked = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(said(&receiver, chunked).await.unwrap().body, b"abcde");
    for answer in ["HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc", &chunked[..chunked.len() - 5]] {
        let broken = said(&receiver, answer).await.unwrap_err();
        assert!(broken.0.contains("broke off in the middle"), "{broken}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let answer = format!("HTTP/1.1 302 x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", second.url());
    let reply = said(&first, &answer).await.unwrap();
    assert_eq!((reply.status, reply.location), (302, Some(second.url())));
    assert!(second.got().is_empty());
}

#[tokio::test]
async fn no_more_is_read_than_was_asked_for() {
    let receiver = Receiver::start().await;
    let body = "x".repeat(300 << 10);
    for answer in [
        Act::Say(format!("HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n{body}", body.len())),
        Act::Say(format!("HTTP/1.1 200 x\r\n\r\n{body}")),
        Act::Forever("HTTP/1.1 200 x\r\n\r\n".into(), "forever "),
        Act::Forever("HTTP/1.1 200 x\r\n".into(), "X-Header: forever\r\n"),
    ] {
        receiver.then(answer.clone());
        let refused = ask(&WebRequest::get(receiver.url()), &["127.0.0.1"], &Names::default(), None).await.unwrap_err();
        let fine = refused.0.contains("more than the 262144 bytes") || refused.0.contains("does not answer in HTTP");
        assert!(fine, "{refused}");
    }
    let exact = format!("HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n{}", "x".repeat(10));
    receiver.then(Act::Say(exact));
    let request = WebRequest { most: 10, ..WebRequest::get(receiver.url()) };
    assert_eq!(ask(&request, &["127.0.0.1"], &Names::default(), None).await.unwrap().body.len(), 10);
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_is_given_up_in_time() {
    let receiver = Receiver::start().await;
    let began = Instant::now();
    let half = "HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\nhalf";
    for (act, limit, words) in
        [(Act::Hang, LIMIT, "did not answer whole within 5 seconds"), (Act::Close, PATIENT, "closed the connection")]
    {
        receiver.then(act);
        let (request, names) = (WebRequest::get(receiver.url()), Names::default());
        let refused = ask_within(limit, &request, &["127.0.0.1"], &names, None).await.unwrap_err();
        assert!(refused.0.contains(words), "{refused}");
    }
    assert!(said(&receiver, half).await.is_err());
    assert!(began.elapsed() < PATIENT, "what ends is not waited for");
}

#[tokio::test]
async fn addresses_that_must_not_be_reached_are_refused_with_the_setting_that_would_allow_them() {
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    let names = Names::answering(&[&["127.0.0.1"]]);
    for (url, words) in [
        (format!("https://login.example:{port}/t"), "add login.example to MIGRATION_ALLOWED_HOSTS"),
        ("https://169.254.169.254/latest".to_owned(), "MIGRATION_ALLOWED_HOSTS"),
        (format!("http://login.example:{port}/t"), "only for hosts that MIGRATION_ALLOWED_HOSTS names exactly"),
        ("ftp://login.example/".to_owned(), "no http or https URL"),
        ("secret words".to_owned(), "no http or https URL"),
    ] {
        let refused = ask(&WebRequest::get(url.as_str()), &[], &names, None).await.unwrap_err();
        assert!(refused.0.contains(words) && !refused.0.contains("/latest"), "{url}: {refused}");
    }
    assert!(receiver.got().is_empty());
    let nobody = Names::default();
    let refused = ask(&WebRequest::get("https://no.example/t"), &[], &nobody, None).await.unwrap_err();
    assert!(refused.0.contains("does not resolve"), "{refused}");
}

#[tokio::test]
async fn certificates_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let (acceptor, ca_file) = tls(&dir, "login.example");
    let receiver = Receiver::listen("127.0.0.1:0", Some(acceptor)).await;
    let (port, names) = (receiver.address.port(), Names::answering(&[&["127.0.0.1"]]));
    let at = |host: &str| WebRequest::get(format!("https://{host}:{port}/t"));
    let allowed = ["login.example", "other.example"];
    let reply = ask(&at("login.example"), &allowed, &names, Some(&ca_file)).await.unwrap();
    assert_eq!((reply.status, receiver.got().len()), (204, 1));
    for (host, ca_file, words) in
        [("other.example", Some(ca_file.as_path()), "is for another name"), ("login.example", None, "does not trust")]
    {
        let refused = ask(&at(host), &allowed, &names, ca_file).await.unwrap_err();
        assert!(refused.0.contains(words), "{refused}");
    }
    assert_eq!(receiver.got().len(), 1);
}
