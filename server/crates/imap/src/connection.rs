//! One connection: bytes out, events in. The only file of the engine that reads and writes. It always writes and
//! reads at the same time, so that a server which stops reading until its answers are read cannot block us.

use crate::{
    account::Timeouts,
    faults,
    net::{Deflated, Stream},
    outbox::{Outbox, SLICES},
    wire::{Decoder, Event},
};
use bytes::Bytes;
use gatepost_transfer::Fault;
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How much room is made for reading, and how little of it is left before more is made.
const READ: usize = 128 << 10;
const LITTLE: usize = 16 << 10;

pub(crate) struct Connection {
    stream: Option<Line>,
    timeouts: Timeouts,
    server: String,
    decoder: Decoder,
    out: Outbox,
    unflushed: bool,
}

impl Connection {
    pub(crate) fn new(stream: Stream, server: String) -> Self {
        Self {
            timeouts: stream.timeouts(),
            stream: Some(Line::Plain(stream)),
            server,
            decoder: Decoder::new(),
            out: Outbox::default(),
            unflushed: false,
        }
    }

    /// `host:port`.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// How long it waits.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Whether TLS protects it.
    pub(crate) fn is_protected(&self) -> bool {
        match &self.stream {
            Some(Line::Plain(stream)) => stream.is_protected(),
            Some(Line::Deflated(deflated)) => deflated.inner().is_protected(),
            None => false,
        }
    }

    /// Whether it can still be used.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Gives the connection up without a goodbye; whatever is under way stays open at the server.
    pub(crate) fn give_up(&mut self) {
        self.stream = None;
        self.out.clear();
    }

    /// The bare stream and what was read of it beyond the last event; `None` where it is lost or compressed.
    pub(crate) fn into_stream(mut self) -> Option<(Stream, bytes::BytesMut)> {
        let read = self.decoder.buffer().split();
        match self.stream.take() {
            Some(Line::Plain(stream)) => Some((stream, read)),
            _ => None,
        }
    }

    /// Compresses from here on (RFC 4978): the server has agreed, and nothing is under way.
    pub(crate) fn compress(&mut self) {
        let read = self.decoder.buffer().split();
        self.stream = match self.stream.take() {
            Some(Line::Plain(stream)) => Some(Line::Deflated(Box::new(Deflated::new(stream, read)))),
            other => other,
        };
    }

    /// Puts bytes in the queue to be sent; they leave while events are waited for.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.out.text(bytes);
    }

    /// The same for a piece of a message, which is not copied.
    pub(crate) fn send_data(&mut self, bytes: Bytes) {
        self.out.data(bytes);
    }

    /// How many bytes wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.out.len()
    }

    /// The next event. Cancelling the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Event, Fault> {
        loop {
            if let Some(event) = self.drive(0).await? {
                return Ok(event);
            }
        }
    }

    /// Sends and receives until there is an event, or until fewer than `low` bytes wait to be sent (`None`).
    /// Cancelling the future loses nothing.
    pub(crate) async fn drive(&mut self, low: usize) -> Result<Option<Event>, Fault> {
        let result = poll_fn(|cx| self.poll(cx, low)).await;
        if result.is_err() {
            self.give_up();
        }
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>, low: usize) -> Poll<Result<Option<Event>, Fault>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(faults::lost(&self.server))) };
        // A server that says why it closes does so before our writes fail: what it said is read first.
        let sent = send(stream, &mut self.out, &mut self.unflushed, cx);
        loop {
            match self.decoder.decode() {
                Ok(Some(event)) => return Poll::Ready(Ok(Some(event))),
                Ok(None) => {}
                Err(e) => return Poll::Ready(Err(faults::wire(&self.server, e))),
            }
            let buffer = self.decoder.buffer();
            if buffer.capacity() - buffer.len() < LITTLE {
                buffer.reserve(READ);
            }
            match pin!(stream.read_buf(buffer)).poll(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(faults::lost(&self.server))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(faults::io(&self.server, self.timeouts, e))),
                Poll::Pending => break,
            }
        }
        match sent {
            Poll::Ready(Err(e)) => Poll::Ready(Err(faults::io(&self.server, self.timeouts, e))),
            _ if self.out.len() < low => Poll::Ready(Ok(None)),
            _ => Poll::Pending,
        }
    }
}

/// What the bytes pass through.
enum Line {
    Plain(Stream),
    Deflated(Box<Deflated<Stream>>),
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Deflated(deflated) => Pin::new(deflated).poll_read(cx, buf),
        }
    }
}

impl Line {
    fn poll_send(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Deflated(deflated) => Pin::new(deflated).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Deflated(deflated) => Pin::new(deflated).poll_flush(cx),
        }
    }
}

fn send(stream: &mut Line, out: &mut Outbox, unflushed: &mut bool, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = out.fill(&mut slices);
        let n = ready!(stream.poll_send(cx, &slices[..count]))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        out.advance(n);
        *unflushed = true;
    }
    if *unflushed {
        ready!(stream.poll_flush(cx))?;
        *unflushed = false;
    }
    Poll::Ready(Ok(()))
}
