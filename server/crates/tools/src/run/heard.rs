//! What a program says: lines for whoever listens, all of it for the log, and its bytes counted.

use super::{
    lines::{Line, Lines, Stream},
    log::Log,
};
use std::io;

/// What was heard of a program so far.
pub(super) struct Heard<'l> {
    lines: Lines,
    log: Option<Log>,
    on_line: &'l mut (dyn FnMut(Line) + Send),
    bytes: u64,
    most: u64,
}

impl<'l> Heard<'l> {
    /// `most` is how many bytes it may print.
    pub fn new(log: Option<Log>, most: u64, on_line: &'l mut (dyn FnMut(Line) + Send)) -> Self {
        Self { lines: Lines::default(), log, on_line, bytes: 0, most }
    }

    /// Takes what has just come by one of its streams.
    pub fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(log) = &mut self.log {
            log.write(bytes);
        }
        self.lines.take(stream, bytes, self.on_line);
    }

    /// Whether it has printed more than it may.
    pub const fn is_too_much(&self) -> bool {
        self.bytes > self.most
    }

    /// Hands on what has no end of line, and closes the log.
    pub fn finish(mut self) -> io::Result<()> {
        self.lines.finish(self.on_line);
        self.log.map_or(Ok(()), Log::finish)
    }
}
