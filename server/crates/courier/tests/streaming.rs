//! Long bodies both ways, against a server that does as it is told, byte by byte.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use gatepost_contract::Secret;
use gatepost_courier::{AddressRule, HttpStream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

fn streamer() -> HttpStream {
    HttpStream::new(None, Arc::new(|_, _, _| Ok(())))
}

fn word() -> Secret {
    Secret("Basic YW5hOm9wZW4gc2VzYW1l".to_owned())
}

/// A server for one connection: what it does with it is up to the test.
async fn server<F>(act: impl FnOnce(BufReader<TcpStream>) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/home/ana/?fmt=tgz", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        act(BufReader::new(tcp)).await;
    });
    url
}

/// The head of a request, read to its empty line.
async fn head(client: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(client.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head
}

/// A body in chunks; `None` where it broke off.
async fn body(client: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await.ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        client.read_exact(&mut chunk).await.ok()?;
        all.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Some(all);
        }
    }
}

#[tokio::test]
async fn a_download_is_taken_at_the_speed_of_whoever_takes_it() {
    const LENGTH: usize = 2_000_000;
    let url = server(|mut client| async move {
        let head = head(&mut client).await;
        assert!(head.starts_with("GET /home/ana/?fmt=tgz HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: Basic YW5hOm9wZW4gc2VzYW1l\r\n"), "{head}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&vec![7; LENGTH]).await.unwrap();
    })
    .await;
    let download = streamer().get(&url, &word()).await.unwrap();
    assert_eq!(download.status, 200);
    let (mut into, mut taken) = duplex(1000);
    let taking = tokio::spawn(async move {
        let mut all = Vec::new();
        taken.read_to_end(&mut all).await.unwrap();
        all.len()
    });
    assert_eq!(download.copy_to(&mut into).await.unwrap(), LENGTH as u64);
    assert_eq!(taking.await.unwrap(), LENGTH);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_an_error_and_its_reader_is_not_told_of_an_end() {
    for cut in ["Content-Length: 1000\r\n\r\nhalf of it", "Transfer-Encoding: chunked\r\n\r\n100\r\nhalf"] {
        let url = server(move |mut client| async move {
            head(&mut client).await;
            client.write_all(format!("HTTP/1.1 200 OK\r\n{cut}").as_bytes()).await.unwrap();
        })
        .await;
        let (mut into, mut taken) = duplex(1000);
        let error = streamer().get(&url, &word()).await.unwrap().copy_to(&mut into).await.unwrap_err();
        assert!(error.0.contains("broke off"), "{error}");
        // It is still open: who wrote decides what that end means.
        let mut rest = Vec::new();
        let read = timeout(Duration::from_millis(50), taken.read_to_end(&mut rest)).await;
        assert!(read.is_err(), "{rest:?}");
    }
}

#[tokio::test]
async fn an_upload_is_sent_as_it_comes_and_complete_once_everything_went() {
    let (told, got) = oneshot::channel();
    let url = server(|mut client| async move {
        let head = head(&mut client).await;
        assert!(head.starts_with("POST "), "{head}");
        let all = body(&mut client).await;
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        told.send(all).unwrap();
    })
    .await;
    let (mut feed, from) = duplex(1000);
    tokio::spawn(async move {
        for n in 0..100_u8 {
            feed.write_all(&[n; 5000]).await.unwrap();
        }
    });
    let answer = streamer().post(&url, &word(), Box::new(from)).await.unwrap();
    assert_eq!((answer.status, answer.complete), (200, true));
    assert_eq!(got.await.unwrap().unwrap().len(), 500_000);
}

#[tokio::test]
async fn an_upload_that_is_given_up_does_not_look_whole_to_the_server() {
    let (told, got) = oneshot::channel();
    let (began, begun) = oneshot::channel();
    let url = server(|mut client| async move {
        head(&mut client).await;
        began.send(()).unwrap();
        told.send(body(&mut client).await).unwrap();
    })
    .await;
    let (mut feed, from) = duplex(1000);
    feed.write_all(b"the beginning").await.unwrap();
    let (streamer, word) = (streamer(), word());
    tokio::select! {
        answer = streamer.post(&url, &word, Box::new(from)) => panic!("{answer:?}"),
        begun = begun => begun.unwrap(),
    }
    drop(feed);
    assert_eq!(got.await.unwrap(), None, "no last chunk came");
}

#[tokio::test]
async fn an_answer_before_the_end_is_told_apart() {
    let url = server(|mut client| async move {
        head(&mut client).await;
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        // Its client closes the connection.
        let _ = client.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let (_feed, from) = duplex(1000);
    let answer = streamer().post(&url, &word(), Box::new(from)).await.unwrap();
    assert_eq!((answer.status, answer.complete), (200, false));
}

#[tokio::test]
async fn a_refusal_comes_with_its_words() {
    let url = server(|mut client| async move {
        head(&mut client).await;
        let _ = body(&mut client).await;
        client.write_all(b"HTTP/1.1 401 x\r\nContent-Length: 17\r\n\r\nmust authenticate").await.unwrap();
    })
    .await;
    let answer = streamer().post(&url, &word(), Box::new(&b"all of it"[..])).await.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (401, "must authenticate"));
}

#[tokio::test]
async fn an_address_is_judged_before_it_is_connected_to() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    let rule: AddressRule = Arc::new(move |host, ip, tls| {
        counting.fetch_add(1, Ordering::Relaxed);
        Err(format!("{host} {ip} {tls} is not for us"))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let error = HttpStream::new(None, rule).get(&url, &word()).await.unwrap_err();
    assert!(error.0.starts_with("localhost ") && error.0.ends_with("false is not for us"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(timeout(Duration::from_millis(20), listener.accept()).await.is_err(), "it was connected to");
}
