//! Commands on their way to the server (RFC 3501 section 6), with their strings quoted or as literals, and what may
//! be written to the log of them.

use super::utf7;
use bytes::Bytes;

/// A piece of a command. Has no `Debug`: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// To be sent as it is.
    Raw(Bytes),
    /// To be sent as a literal.
    Literal(Bytes),
}

/// A command without its tag.
#[derive(Clone)]
pub struct Command {
    parts: Vec<Part>,
    shown: String,
}

impl Command {
    /// A command that begins so.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: text.clone(), parts: vec![Part::Raw(text.into())] }
    }

    /// More of it, as it is.
    #[must_use]
    pub fn raw(mut self, text: impl AsRef<str>) -> Self {
        self.shown.push_str(text.as_ref());
        self.push(text.as_ref().as_bytes());
        self
    }

    /// A space and a string.
    #[must_use]
    pub fn string(self, text: impl AsRef<[u8]>) -> Self {
        let shown = super::printable(text.as_ref(), 200);
        self.hidden(text.as_ref(), &format!("{shown:?}"))
    }

    /// A space and a string that the log does not show.
    #[must_use]
    pub fn secret(self, text: impl AsRef<[u8]>) -> Self {
        self.hidden(text.as_ref(), "[secret]")
    }

    /// A space and a folder's name as the server writes it.
    #[must_use]
    pub fn folder(self, wire_name: &[u8]) -> Self {
        let shown = utf7::decode(wire_name);
        self.hidden(wire_name, &format!("{shown:?}"))
    }

    fn hidden(mut self, bytes: &[u8], shown: &str) -> Self {
        self.shown.push(' ');
        self.shown.push_str(shown);
        self.push(b" ");
        match quoted(bytes) {
            Some(quoted) => self.push(&quoted),
            None => self.parts.push(Part::Literal(Bytes::copy_from_slice(bytes))),
        }
        self
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(Part::Raw(last)) = self.parts.last_mut() {
            *last = [last.as_ref(), bytes].concat().into();
        } else {
            self.parts.push(Part::Raw(Bytes::copy_from_slice(bytes)));
        }
    }

    /// Its pieces, in order; the end of the line is not among them.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What may be written to the log of it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({})", self.shown)
    }
}

/// A string in quotes; `None` where it must be a literal (RFC 3501 section 4.3).
#[must_use]
pub fn quoted(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > 1000 || !bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for b in bytes {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*b);
    }
    out.push(b'"');
    Some(out)
}

/// Whether a flag can be written in a command: an atom, or a backslash and an atom. A server that lists other
/// flags must not be able to put words into our commands.
#[must_use]
pub fn is_flag(flag: &str) -> bool {
    let atom = flag.strip_prefix('\\').unwrap_or(flag);
    !atom.is_empty() && atom.bytes().all(|b| (0x21..0x7f).contains(&b) && !b"(){%*\"\\]".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Value, value};
    use proptest::prelude::*;

    #[test]
    fn strings_are_quoted_or_become_literals() {
        let command = Command::new("LOGIN").string("ana").secret("pá\"ss");
        assert!(command.parts() == [Part::Raw("LOGIN \"ana\" ".into()), Part::Literal("pá\"ss".into())]);
        assert_eq!(command.shown(), "LOGIN \"ana\" [secret]");
        assert!(!format!("{command:?}").contains("ss\""));
    }

    #[test]
    fn flags_that_are_no_atoms_are_known() {
        for flag in ["\\Seen", "$Forwarded", "NonJunk", "a.b-c_d/e:f+1", "[x"] {
            assert!(is_flag(flag), "{flag}");
        }
        for flag in ["", "\\", "a b", "a)", "a\r\nb", "ç", "a\"b", "\\\\Seen", "\\*", "{3}"] {
            assert!(!is_flag(flag), "{flag}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_string_is_read_as_what_was_written(text in "[ -~]{0,80}") {
            let wire = quoted(text.as_bytes()).unwrap();
            prop_assert_eq!(value::parse(&wire).unwrap(), vec![Value::String(text.into_bytes().into())]);
        }
    }
}
