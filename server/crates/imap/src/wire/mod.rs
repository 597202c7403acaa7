//! The IMAP protocol over bytes (RFC 3501, RFC 9051): a decoder for what a server sends, an encoder for commands,
//! and the formats within them. Owns no socket and knows no clock; what is too long, too deep or not understood
//! becomes a [`WireError`], never a panic.

pub mod command;
pub mod date;
pub mod decoder;
pub mod response;
pub mod utf7;
pub mod value;

pub use command::Command;
pub use decoder::{Decoder, Event};
pub use response::{Code, Response, Status};
pub use value::Value;

/// The longest text of one response, literals not counted.
pub const MAX_TEXT: usize = 1 << 20;
/// The most that the literals of one response may hold together, streamed bodies not counted.
pub const MAX_LITERALS: usize = 8 << 20;
/// How deep lists may be nested.
pub const MAX_DEPTH: usize = 64;
/// The largest piece of a streamed body.
pub const MAX_CHUNK: usize = 64 << 10;

/// What a server sent cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A line without an end.
    #[error("a response is longer than {MAX_TEXT} bytes")]
    TextTooLong,
    /// A literal that will not be kept in memory.
    #[error("a response holds a literal of {0} bytes, more than {MAX_LITERALS}")]
    LiteralTooLong(u64),
    /// Lists within lists.
    #[error("a response nests lists deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Something else.
    #[error("{what} in {near:?}")]
    Syntax {
        /// What is wrong.
        what: &'static str,
        /// A few characters around it.
        near: String,
    },
}

impl WireError {
    /// A syntax error with a short excerpt.
    pub(crate) fn syntax(what: &'static str, text: &[u8]) -> Self {
        Self::Syntax { what, near: printable(text, 60) }
    }
}

/// A server's words, fit for a sentence: no control characters, at most `max` characters.
#[must_use]
pub fn printable(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max * 4)]);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}
