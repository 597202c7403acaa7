//! The proxy: it carries bytes, and cuts, stalls, delays and refuses as told.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use gatepost_testkit::Proxy;
use gatepost_testkit::proxy::{Direction, Hold};

/// Sends back what it gets, and closes when the client has said all.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What comes back before the connection ends.
fn exchange(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(proxy);
    // A cut may come while this is still written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    back
}

#[test]
fn bytes_pass_both_ways_and_are_counted() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    assert!(exchange(&proxy, &bytes) == bytes);
    assert!(exchange(&proxy, b"x") == b"x");
    assert_eq!(
        (proxy.connections(), proxy.bytes(Direction::ToServer), proxy.bytes(Direction::ToClient)),
        (2, 1_000_001, 1_000_001)
    );
}

#[test]
fn a_single_cut_delivers_exactly_its_bytes_and_the_next_connection_is_whole() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let bytes = vec![7; 300_000];
    proxy.cut_once_after(Direction::ToClient, 100_001);
    assert!(proxy.will_cut());
    let hold = Hold::default();
    hold.after(0);
    proxy.hold(Direction::ToClient, &hold);
    let mut stream = connect(&proxy);
    stream.write_all(&bytes).unwrap();
    // A line that is closed while something comes in is reset (RFC 9293 section 3.6.1), and what was sent may be lost.
    while proxy.bytes(Direction::ToServer) < 300_000 {
        std::thread::yield_now();
    }
    hold.release();
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    assert_eq!(back.len(), 100_001);
    assert!(!proxy.will_cut());
    assert_eq!(exchange(&proxy, &bytes).len(), 300_000);
}

#[test]
fn a_repeated_cut_cuts_each_connection_until_taken_back() {
    let proxy = Proxy::start(echo_server()).unwrap();
    proxy.cut_each_after(Direction::ToServer, 5);
    for _ in 0..3 {
        let before = proxy.bytes(Direction::ToServer);
        assert!(exchange(&proxy, b"0123456789").len() <= 5);
        assert_eq!(proxy.bytes(Direction::ToServer) - before, 5);
    }
    proxy.never_cut();
    assert_eq!(exchange(&proxy, b"0123456789"), b"0123456789");
}

#[test]
fn cutting_now_ends_open_connections_and_stalling_only_holds_them() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let mut stream = connect(&proxy);
    let mut one = [0];
    stream.write_all(b"a").unwrap();
    stream.read_exact(&mut one).unwrap();
    proxy.stall(true);
    stream.write_all(b"b").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read_exact(&mut one).is_err(), "stalled");
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    proxy.stall(false);
    stream.read_exact(&mut one).unwrap();
    assert_eq!(&one, b"b");
    assert_eq!(proxy.open_connections(), 1);
    proxy.cut_now();
    assert!(matches!(stream.read(&mut one), Ok(0) | Err(_)));
    assert_eq!(proxy.open_connections(), 0);
}

#[test]
fn what_is_held_passes_up_to_the_byte_and_the_rest_when_it_is_released_or_never() {
    let (proxy, hold) = (Proxy::start(echo_server()).unwrap(), Hold::default());
    proxy.hold(Direction::ToServer, &hold);
    let exchanged = |stream: &mut TcpStream, count: usize| {
        let mut back = vec![0; count];
        stream.read_exact(&mut back).map(|()| back)
    };
    let mut stream = connect(&proxy);
    hold.after(6);
    stream.write_all(b"abc").unwrap();
    assert_eq!(exchanged(&mut stream, 3).unwrap(), b"abc");
    assert!(!hold.holds());
    stream.write_all(b"defghi").unwrap();
    assert_eq!(exchanged(&mut stream, 3).unwrap(), b"def");
    assert!(hold.holds());
    hold.release();
    assert_eq!(exchanged(&mut stream, 3).unwrap(), b"ghi");

    hold.after(1);
    stream.write_all(b"jk").unwrap();
    assert_eq!(exchanged(&mut stream, 1).unwrap(), b"j");
    // Wherever it is on its way.
    hold.lose();
    assert!(exchanged(&mut stream, 1).is_err(), "it is lost with its connection");
    assert_eq!(exchange(&proxy, b"anew"), b"anew");
}

#[test]
fn what_a_connection_brings_after_the_loss_is_lost_with_it_and_a_new_connection_passes() {
    let (proxy, hold) = (Proxy::start(echo_server()).unwrap(), Hold::default());
    let mut one = [0];
    let mut ask = |stream: &mut TcpStream| {
        // The connection may have ended.
        stream.write_all(b"x").and_then(|()| stream.read_exact(&mut one))
    };
    let mut early = connect(&proxy);
    ask(&mut early).unwrap();
    hold.lose();
    proxy.hold(Direction::ToServer, &hold);
    ask(&mut early).expect("what was lost before the hold was given is no matter of this connection");
    let mut later = connect(&proxy);
    ask(&mut later).unwrap();
    // Nothing is held back at this moment.
    hold.lose();
    assert!(ask(&mut early).is_err() && ask(&mut later).is_err());
    assert_eq!(exchange(&proxy, b"anew"), b"anew");
    // The other direction has a connection that ends, too.
    proxy.hold(Direction::ToClient, &hold);
    let mut last = connect(&proxy);
    ask(&mut last).unwrap();
    hold.lose();
    assert!(ask(&mut last).is_err());
    assert_eq!(exchange(&proxy, b"anew"), b"anew");
}

#[test]
fn a_delay_is_paid_once_by_bytes_that_are_under_way_together() {
    let proxy = Proxy::start(echo_server()).unwrap();
    const ROUND_TRIP: Duration = Duration::from_millis(300);
    proxy.delay(ROUND_TRIP);
    let mut stream = connect(&proxy);
    let started = Instant::now();
    for _ in 0..200 {
        stream.write_all(b"x").unwrap();
    }
    let mut back = [0; 200];
    stream.read_exact(&mut back).unwrap();
    let pipelined = started.elapsed();
    assert!(pipelined >= ROUND_TRIP, "{pipelined:?}");
    assert!(pipelined < ROUND_TRIP * 200, "the bytes paid for one round trip, not for two hundred: {pipelined:?}");

    let started = Instant::now();
    for _ in 0..3 {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut back[..1]).unwrap();
    }
    assert!(started.elapsed() >= ROUND_TRIP * 3, "one after the other pays for each");
}

#[test]
fn while_refusing_nothing_listens_and_open_connections_live() {
    let proxy = Proxy::start(echo_server()).unwrap();
    let mut open = connect(&proxy);
    let mut one = [0];
    open.write_all(b"a").unwrap();
    open.read_exact(&mut one).unwrap();
    proxy.refuse(true);
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    open.write_all(b"b").unwrap();
    open.read_exact(&mut one).unwrap();
    proxy.refuse(false);
    assert_eq!(exchange(&proxy, b"again"), b"again");
    let port = proxy.port();
    drop(proxy);
    assert!(matches!(open.read(&mut one), Ok(0) | Err(_)));
    // The listener's thread closes its port on its own time.
    let deadline = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}
