//! A connection, plain or with TLS, on which no wait is endless: when neither direction makes progress for as long
//! as the time-outs allow, reads and writes fail with [`io::ErrorKind::TimedOut`].

use crate::account::Timeouts;
use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tokio_rustls::client::TlsStream;

enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The connection.
pub struct Stream {
    inner: Inner,
    timeouts: Timeouts,
    read: Timer,
    write: Timer,
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream, timeouts: Timeouts) -> Self {
        Self::new(Inner::Plain(tcp), timeouts)
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>, timeouts: Timeouts) -> Self {
        Self::new(Inner::Tls(Box::new(tls)), timeouts)
    }

    fn new(inner: Inner, timeouts: Timeouts) -> Self {
        Self { inner, timeouts, read: Timer::new(timeouts.read), write: Timer::new(timeouts.write) }
    }

    /// How long it waits.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Whether TLS protects it.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }

    /// The bare connection, where there is no TLS on it yet.
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        match self.inner {
            Inner::Plain(tcp) => Some(tcp),
            Inner::Tls(_) => None,
        }
    }

    fn progress(&mut self) {
        self.read.armed = false;
        self.write.armed = false;
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("tls", &self.is_protected()).finish_non_exhaustive()
    }
}

/// Runs from the first poll that had to wait to the next progress.
struct Timer {
    limit: Duration,
    armed: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    const fn new(limit: Duration) -> Self {
        Self { limit, armed: false, sleep: None }
    }

    /// For an operation that has to wait: still pending, or timed out.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.armed {
            sleep.as_mut().reset(Instant::now() + self.limit);
            self.armed = true;
        }
        sleep.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Inner::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        if polled.is_pending() {
            return this.read.poll(cx);
        }
        this.progress();
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Inner::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        };
        if polled.is_pending() {
            return this.write.poll(cx);
        }
        this.progress();
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Inner::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        };
        if polled.is_pending() {
            return this.write.poll(cx);
        }
        this.progress();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(tcp) => tcp.is_write_vectored(),
            Inner::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(cx),
        };
        if polled.is_pending() { this.write.poll(cx) } else { polled }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = match &mut this.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        };
        if polled.is_pending() { this.write.poll(cx) } else { polled }
    }
}
