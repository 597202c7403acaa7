//! Ports of this machine that are kept for one server, also while it does not listen: before its start, while it is
//! stopped, while a proxy refuses. It knows nothing of what is served there.
//!
//! A port that the kernel chose and that was let go again may be chosen by the next one who asks, also for the near end of
//! a connection. So the ports here lie below those that the kernel chooses from, and each is held by a name that is
//! given out once: an abstract Unix socket (unix(7)), which lives in the same network namespace as the port, is gone
//! with its process and leaves no file behind.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Tried as _};

/// How many ports below those of the kernel are used.
const SPAN: u16 = 10_000;
/// Below these are the ports of well-known services.
const LOWEST: u16 = 10_000;
/// How many ports of the kernel's choice are tried where none is left below.
const TRIES: usize = 20;
/// How long a listener that was closed may go on in processes that are about to start.
const LINGERING: Duration = Duration::from_secs(30);

/// A port that no other server of the kit gets as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _name: UnixListener,
}

impl Port {
    /// Finds a port where nobody listens.
    pub(crate) fn reserve() -> Result<Port> {
        let below = first_of_the_kernel().unwrap_or(LOWEST);
        let from = below.saturating_sub(SPAN).max(LOWEST);
        if let Some(span) = below.checked_sub(from).filter(|span| *span > 0) {
            // Processes begin at different places, so that they seldom ask for the same.
            let start = u16::try_from(std::process::id().wrapping_mul(61) % u32::from(span)).unwrap_or(0);
            for _ in 0..span {
                let next = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % span;
                if let Some(port) = Port::take(from + next) {
                    return Ok(port);
                }
            }
        }
        let chosen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        for _ in 0..TRIES {
            if let Some(port) = Port::take(chosen().tried(|| "finding a free port".to_owned())?.port()) {
                return Ok(port);
            }
        }
        let source = io::Error::from(io::ErrorKind::AddrInUse);
        Err(Error::Io { what: "finding a port that nobody else has".to_owned(), source })
    }

    /// The port, where nobody has its name and nobody listens. It is asked by a connection and not by listening: a
    /// process that another thread starts at this moment has a copy of each of our sockets until it becomes its program
    /// (execve(2)), and a copied listener would be in the way of the server for which the port is meant.
    fn take(number: u16) -> Option<Port> {
        let name = SocketAddr::from_abstract_name(format!("gatepost-testkit-port-{number}")).ok()?;
        let name = UnixListener::bind_addr(&name).ok()?;
        is_free(number).then_some(Port { number, _name: name })
    }

    /// Listens there. A listener of ours that was closed shortly before may still be open in a process that is being
    /// started (see [`Port::take`]): it is waited for.
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        let end = Instant::now() + LINGERING;
        loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.number)) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < end => {
                    thread::sleep(Duration::from_millis(5));
                }
                bound => return bound.tried(|| format!("listening on port {}", self.number)),
            }
        }
    }

    /// Waits until nobody listens there, also no copy of a listener that was closed (see [`Port::listen`]): a server that
    /// is started now can have the port, and until then whoever connects is refused.
    pub(crate) fn wait_until_free(&self) -> Result<()> {
        let end = Instant::now() + LINGERING;
        while !is_free(self.number) {
            if Instant::now() > end {
                let source = io::Error::from(io::ErrorKind::AddrInUse);
                return Err(Error::Io {
                    what: format!("waiting for the end of what listens on {}", self.number),
                    source,
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Whether a connection to this port of the loopback is refused.
fn is_free(number: u16) -> bool {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, number));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// How many were asked for in this process.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// The first of the ports that the kernel gives to whoever asks for any.
fn first_of_the_kernel() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_a_port_twice_and_it_can_be_listened_on() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
        for port in &ports {
            assert!(Port::take(port.number()).is_none(), "it is held");
            port.listen().unwrap();
        }
    }

    #[test]
    fn a_listener_that_lingers_elsewhere_is_waited_for() {
        let port = Port::reserve().unwrap();
        let lingering = port.listen().unwrap();
        thread::scope(|scope| {
            let again = scope.spawn(|| port.listen().map(drop));
            thread::yield_now();
            drop(lingering);
            again.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_port_where_somebody_listens_is_left_alone() {
        let port = Port::reserve().unwrap();
        let number = port.number();
        let listener = port.listen().unwrap();
        drop(port);
        assert!(Port::take(number).is_none());
        drop(listener);
    }
}
