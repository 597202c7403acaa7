//! From a host name to a stream on which an IMAP server waits for the log-in: resolving, the rules for addresses,
//! connecting, TLS or STARTTLS, and the greeting. The only place that opens sockets.

pub mod address;
mod deflate;
mod stream;
mod tls;

pub use deflate::Deflated;
pub use stream::Stream;

use crate::{
    account::{Account, Timeouts},
    faults,
    wire::{Decoder, Event, Response, printable},
};
use address::Verdict;
use gatepost_contract::Security;
use gatepost_transfer::{Fault, FaultKind};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The longest greeting that is read.
const MAX_GREETING: usize = 8 << 10;

/// A server that greeted us.
pub struct Greeted {
    /// The connection, with nothing read beyond the greeting.
    pub stream: Stream,
    /// The greeting's line. After STARTTLS its capabilities do not count any more (RFC 3501 section 6.2.1) and it
    /// is left out.
    pub greeting: Option<Vec<u8>>,
}

/// Connects to an account's server, up to the point where a client may log in. A connection that `writes` is reset
/// when it ends, however it ends.
///
/// # Errors
/// Each cause with a sentence of its own: unknown host, refused, timed out, forbidden address, certificate, no
/// IMAP server, a server that says goodbye at once.
pub async fn connect(account: &Account, writes: bool) -> Result<Greeted, Fault> {
    let server = account.server();
    let tcp = dial(account, &server).await?;
    if writes {
        // When a run is killed, its kernel would go on to deliver what waits to be sent, and the server would store
        // messages while the next run already looks which ones it has. With a linger time of zero the kernel drops
        // it and sends a reset. A connection that ends in order has nothing left to deliver.
        if let Err(e) = tcp.set_zero_linger() {
            tracing::debug!(%server, "SO_LINGER could not be set: {e}");
        }
    }
    let timeouts = account.policy.timeouts;
    match account.security {
        Security::Tls => {
            let tls = within(timeouts.connect, &server, tls::handshake(account, &server, tcp)).await?;
            let mut stream = Stream::tls(tls, timeouts);
            let greeting = greeting(&mut stream, &server, timeouts, true).await?;
            Ok(Greeted { stream, greeting: Some(greeting) })
        }
        Security::Plain => {
            let mut stream = Stream::plain(tcp, timeouts);
            let greeting = greeting(&mut stream, &server, timeouts, false).await?;
            Ok(Greeted { stream, greeting: Some(greeting) })
        }
        Security::Starttls => {
            let mut stream = Stream::plain(tcp, timeouts);
            let greeting = greeting(&mut stream, &server, timeouts, false).await?;
            if greeting.to_ascii_uppercase().starts_with(b"* PREAUTH") {
                return Err(Fault::new(
                    FaultKind::Tls,
                    format!(
                        "{server} logs connections in before STARTTLS, so that they cannot be protected. Use its TLS port."
                    ),
                ));
            }
            let tcp = start_tls(stream, &server).await?;
            let tls = within(timeouts.connect, &server, tls::handshake(account, &server, tcp)).await?;
            Ok(Greeted { stream: Stream::tls(tls, timeouts), greeting: None })
        }
    }
}

async fn dial(account: &Account, server: &str) -> Result<TcpStream, Fault> {
    let policy = &account.policy;
    let host = account.host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Fault::new(FaultKind::Unreachable, format!("{:?} is no host name.", account.host)));
    }
    let resolve = tokio::net::lookup_host((host, account.port));
    let addresses: Vec<SocketAddr> = match timeout(policy.timeouts.connect, resolve).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(e)) => {
            return Err(Fault::new(
                FaultKind::Unreachable,
                format!("The host name {host} does not resolve to an address. Check its spelling and the DNS."),
            )
            .because(e));
        }
        Err(_) => {
            return Err(Fault::new(FaultKind::Timeout, format!("The DNS did not resolve {host} in time. Try again.")));
        }
    };
    let plain = account.security == Security::Plain;
    let mut refusal = None;
    let mut failure = None;
    for address in addresses {
        match address::judge(policy, host, address.ip(), plain) {
            Verdict::Use => {}
            verdict => {
                refusal = Some((verdict, address.ip()));
                continue;
            }
        }
        match timeout(policy.timeouts.connect, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Commands are written whole; Nagle's algorithm would only hold their last piece back.
                if let Err(e) = tcp.set_nodelay(true) {
                    tracing::debug!(%server, "TCP_NODELAY could not be set: {e}");
                }
                return Ok(tcp);
            }
            Ok(Err(e)) => failure = Some(unreachable(server, address, e)),
            Err(_) => {
                failure.get_or_insert_with(|| {
                    Fault::new(
                        FaultKind::Unreachable,
                        format!(
                            "{server} ({}) did not answer within {} seconds. Check the host, the port and the firewall.",
                            address.ip(),
                            policy.timeouts.connect.as_secs_f32()
                        ),
                    )
                });
            }
        }
    }
    Err(match (failure, refusal) {
        (Some(failure), _) => failure,
        (None, Some((verdict, ip))) => address::refused(server, ip, verdict),
        (None, None) => Fault::new(FaultKind::Unreachable, format!("The host name {host} has no address.")),
    })
}

fn unreachable(server: &str, address: SocketAddr, error: io::Error) -> Fault {
    let sentence = match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "{server} ({}) refuses connections on this port. Check the port, and whether the server is running.",
            address.ip()
        ),
        _ => format!(
            "{server} ({}) cannot be reached: {error}. Check the host, the port and the firewall.",
            address.ip()
        ),
    };
    Fault::new(FaultKind::Unreachable, sentence).because(error)
}

async fn within<T>(limit: Duration, server: &str, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Fault::new(
            FaultKind::Timeout,
            format!(
                "{server} did not finish the TLS handshake within {} seconds. If this is a port for plain text, use STARTTLS.",
                limit.as_secs_f32()
            ),
        ))
    })
}

/// Reads the greeting and looks whether an IMAP server sent it.
async fn greeting(stream: &mut Stream, server: &str, timeouts: Timeouts, tls: bool) -> Result<Vec<u8>, Fault> {
    // A web server says nothing before it is asked; nobody who speaks IMAP takes longer than to connect.
    let line = match timeout(timeouts.connect.max(Duration::from_millis(10)), line(stream, true)).await {
        Ok(Ok(line)) => line,
        Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(Fault::new(
                FaultKind::WrongService,
                format!("{server} closed the connection without a greeting. Check the port; it may be one for TLS."),
            ));
        }
        Ok(Err(e)) if e.kind() != io::ErrorKind::TimedOut => return Err(faults::io(server, timeouts, e)),
        // An overloaded server or one of another kind: that cannot be told, and trying again does no harm.
        Ok(Err(_)) | Err(_) => {
            return Err(Fault::new(
                FaultKind::Timeout,
                format!(
                    "{server} accepted the connection but sent no IMAP greeting within {} seconds. Check the port{}.",
                    timeouts.connect.min(timeouts.read).as_secs_f32(),
                    if tls { "" } else { "; it may be one for TLS" }
                ),
            ));
        }
    };
    let upper = line.to_ascii_uppercase();
    if upper.starts_with(b"* OK") || upper.starts_with(b"* PREAUTH") {
        return Ok(line);
    }
    if upper.starts_with(b"* BYE") {
        return Err(goodbye(server, &line));
    }
    let what = if upper.starts_with(b"HTTP/") || upper.starts_with(b"<") {
        "a web server"
    } else if upper.starts_with(b"220") || upper.starts_with(b"554") {
        "a mail transfer server (SMTP) or FTP server"
    } else if upper.starts_with(b"+OK") {
        "a POP3 server"
    } else if upper.starts_with(b"SSH-") {
        "an SSH server"
    } else if line.first().is_some_and(|b| matches!(b, 0x14..=0x17)) {
        "a server that speaks TLS on this port: use the security TLS"
    } else {
        "no IMAP server"
    };
    let said = if line.iter().all(|b| (0x20..0x7f).contains(b) || matches!(b, b'\r' | b'\n')) {
        format!(" It said: {:?}.", printable(&line, 80))
    } else {
        String::new()
    };
    Err(Fault::new(
        FaultKind::WrongService,
        format!("What answers at {server} is {what}.{said} Check the host and the port."),
    ))
}

/// A BYE with its code.
fn goodbye(server: &str, line: &[u8]) -> Fault {
    let mut decoder = Decoder::new();
    decoder.buffer().extend_from_slice(line);
    if !line.ends_with(b"\n") {
        decoder.buffer().extend_from_slice(b"\r\n");
    }
    match decoder.decode() {
        Ok(Some(Event::Response(Response::Status { code, text, .. }))) => faults::bye(server, code.as_ref(), &text),
        _ => faults::bye(server, None, &printable(line.get(5..).unwrap_or_default(), 300)),
    }
}

/// Asks for TLS and hands back the bare connection. What a man in the middle adds behind the server's OK stays
/// unread in the socket, where the TLS handshake fails over it.
async fn start_tls(mut stream: Stream, server: &str) -> Result<TcpStream, Fault> {
    let timeouts = stream.timeouts();
    let talk = async {
        stream.write_all(b"S STARTTLS\r\n").await?;
        stream.flush().await?;
        loop {
            let line = line(&mut stream, false).await?;
            let upper = line.to_ascii_uppercase();
            if upper.starts_with(b"S ") || upper.starts_with(b"* BYE") {
                return io::Result::Ok(line);
            }
        }
    };
    let line = talk.await.map_err(|e| faults::io(server, timeouts, e))?;
    if line.to_ascii_uppercase().starts_with(b"* BYE") {
        return Err(goodbye(server, &line));
    }
    if !line.to_ascii_uppercase().starts_with(b"S OK") {
        return Err(Fault::new(
            FaultKind::Tls,
            format!(
                "{server} does not offer STARTTLS: {:?}. Use its TLS port (993).",
                printable(line.get(2..).unwrap_or_default(), 200)
            ),
        ));
    }
    stream.into_tcp().ok_or_else(|| Fault::new(FaultKind::Internal, "STARTTLS was asked for on a TLS connection."))
}

/// Reads one line, byte by byte, so that nothing behind it is taken. A line that cannot become a greeting is cut
/// short.
async fn line(stream: &mut Stream, greeting: bool) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        let read = stream.read(&mut byte).await;
        match read {
            Ok(0) if line.is_empty() || !greeting => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(line),
            Ok(_) => line.push(byte[0]),
            Err(e) => return Err(e),
        }
        if byte[0] == b'\n' || line.len() >= MAX_GREETING || (greeting && matches!(line[0], 0x14..=0x17)) {
            return Ok(line);
        }
    }
}
