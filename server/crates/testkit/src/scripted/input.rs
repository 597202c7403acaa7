//! The server's side of a connection as bytes: lines with their literals, as far as the server agrees to them
//! (RFC 3501 section 4.3, RFC 7888), and the place at which a fault cuts them. Knows no command.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::sync::Arc;

use super::faults::FaultKind;
use super::state::Doing;
use super::{Shared, State};
use crate::wire::{Segment, announced_literal};

/// What the server says to a literal that is announced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// It is asked for with `+`.
    GoAhead,
    /// It comes without being asked for.
    Take,
    /// The command ends here with this answer behind its tag; the literal does not come.
    Refuse(String),
    /// The client may not do this: the connection ends with these words.
    Close(String),
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A whole line with its literals.
    Line(Vec<Segment>),
    /// A line that was refused at one of its literals, up to there, and the refusal.
    Refused(Vec<Segment>, String),
    /// The client broke the rules: goodbye.
    Broken(String),
    /// The client has ended the connection between two lines.
    End,
}

/// The largest literal that is read: what a test may sensibly hold in memory.
const MAX_LITERAL: usize = 1 << 30;

pub(super) struct Input {
    stream: TcpStream,
    shared: Arc<Shared>,
    /// The session's number.
    id: u64,
    buffer: Vec<u8>,
    at: usize,
    /// After so many more bytes the connection is cut.
    left: Option<usize>,
}

impl Input {
    pub(super) fn new(stream: TcpStream, shared: Arc<Shared>, id: u64, left: Option<usize>) -> Input {
        Input { stream, shared, id, buffer: Vec::new(), at: 0, left }
    }

    /// Reads a line with its literals. `consent` decides about each literal: the line so far, its size, and whether
    /// it comes without being asked for.
    pub(super) fn command(
        &mut self,
        mut go_ahead: impl FnMut() -> io::Result<()>,
        mut consent: impl FnMut(&mut State, &[Segment], usize, bool) -> Consent,
    ) -> io::Result<Received> {
        let mut segments = Vec::new();
        loop {
            let Some(mut line) = self.line(!segments.is_empty())? else { return Ok(Received::End) };
            let Some((size, plus)) = announced_literal(&line) else {
                segments.push(Segment::Text(line));
                return Ok(Received::Line(segments));
            };
            if size > MAX_LITERAL {
                return Ok(Received::Broken(format!("a literal of {size} bytes is too large")));
            }
            let open = line.iter().rposition(|&byte| byte == b'{').unwrap_or(line.len());
            line.truncate(open);
            segments.push(Segment::Text(line));
            let decision = consent(&mut self.shared.lock(), &segments, size, plus);
            match decision {
                Consent::GoAhead => go_ahead()?,
                Consent::Take => {}
                Consent::Refuse(refusal) => return Ok(Received::Refused(segments, refusal)),
                Consent::Close(words) => return Ok(Received::Broken(words)),
            }
            let mut literal = Vec::with_capacity(size);
            while literal.len() < size {
                if self.at == self.buffer.len() && !self.fill(FaultKind::CutInMessage)? {
                    return Err(ended());
                }
                let take = (size - literal.len()).min(self.buffer.len() - self.at);
                literal.extend_from_slice(&self.buffer[self.at..self.at + take]);
                self.at += take;
            }
            segments.push(Segment::Literal(literal));
        }
    }

    /// What has come and is not read yet.
    pub(super) fn take_buffered(&mut self) -> Vec<u8> {
        let rest = self.buffer[self.at..].to_vec();
        self.at = self.buffer.len();
        rest
    }

    /// Reads a line without its end; `None` at the end of the stream.
    fn line(&mut self, within: bool) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                line.extend_from_slice(&rest[..end]);
                self.at += end + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            line.extend_from_slice(rest);
            self.at = self.buffer.len();
            if !self.fill(FaultKind::CutInCommand)? {
                return if line.is_empty() && !within { Ok(None) } else { Err(ended()) };
            }
        }
    }

    /// Reads on; false at the end of the stream. `cut` is what a cut here is counted as.
    fn fill(&mut self, cut: FaultKind) -> io::Result<bool> {
        const AT_ONCE: usize = 64 * 1024;
        if self.left == Some(0) {
            self.shared.lock().count_fault(cut);
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection is cut, as ordered"));
        }
        self.shared.lock().now(self.id, Doing::Idle);
        // The bytes stay in the socket, where `State::settled` sees them, until the session counts as busy.
        let come = self.stream.peek(&mut [0])?;
        self.shared.lock().now(self.id, Doing::Work);
        if come == 0 {
            return Ok(false);
        }
        let most = self.left.map_or(AT_ONCE, |left| left.min(AT_ONCE));
        self.buffer.resize(most, 0);
        self.at = 0;
        let count = self.stream.read(&mut self.buffer)?;
        self.buffer.truncate(count);
        if let Some(left) = &mut self.left {
            *left -= count;
        }
        Ok(true)
    }

    /// Takes what comes and gives no sign of life, until the client gives up.
    pub(super) fn swallow(&mut self) {
        self.shared.lock().now(self.id, Doing::Idle);
        let mut buffer = [0; 4096];
        while matches!(self.stream.read(&mut buffer), Ok(count) if count > 0) {}
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a line")
}
