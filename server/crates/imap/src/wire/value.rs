//! The values that responses are made of (RFC 3501 section 4): atoms, numbers, strings, lists and NIL.
//!
//! Lenient where servers deviate: 8-bit characters in atoms and quoted strings, a missing space in front of a list,
//! brackets within atoms (`BODY[HEADER.FIELDS (DATE)]`, `[Gmail]`).

use super::{MAX_DEPTH, WireError};
use bytes::Bytes;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NIL.
    Nil,
    /// An atom, a number or a flag.
    Atom(String),
    /// A quoted string or a literal.
    String(Bytes),
    /// A parenthesised list.
    List(Vec<Value>),
    /// A literal of this many bytes that was handed out in pieces.
    Streamed(u64),
}

impl Value {
    /// The bytes of a string or an atom; none for a list.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(text) => Some(text.as_bytes()),
            Self::String(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The same as text, with what is no UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.bytes().map(|b| String::from_utf8_lossy(b).into_owned())
    }

    /// A number; servers also send them quoted.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        std::str::from_utf8(self.bytes()?).ok()?.trim().parse().ok()
    }

    /// The members of a list; NIL is an empty one.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(members) => Some(members),
            Self::Nil => Some(&[]),
            _ => None,
        }
    }
}

/// A literal that was met while a response was put together.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    /// It was kept.
    Kept(Bytes),
    /// It was handed out in pieces.
    Streamed(u64),
}

/// Reads values from a response's text, in which each literal is still announced as `{n}` CRLF.
pub(super) struct Values<'a> {
    text: &'a [u8],
    at: usize,
    literals: std::slice::Iter<'a, Literal>,
}

impl<'a> Values<'a> {
    pub(super) fn new(text: &'a [u8], literals: &'a [Literal]) -> Self {
        Self { text, at: 0, literals: literals.iter() }
    }

    /// Every value to the end of the text.
    pub(super) fn all(mut self) -> Result<Vec<Value>, WireError> {
        let mut values = Vec::new();
        while let Some(value) = self.next(0)? {
            values.push(value);
        }
        if self.at < self.text.len() {
            return Err(WireError::syntax("a closing parenthesis too many", &self.text[self.at..]));
        }
        Ok(values)
    }

    /// Steps into a list without reading it; false where there is none.
    pub(super) fn enter(&mut self) -> bool {
        self.skip_space();
        let found = self.peek() == Some(b'(');
        self.at += usize::from(found);
        found
    }

    /// The next value; `None` at the end of the text or of the list.
    pub(super) fn next(&mut self, depth: usize) -> Result<Option<Value>, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        self.skip_space();
        Ok(Some(match self.peek() {
            None | Some(b')') => return Ok(None),
            Some(b'(') => {
                let from = self.at;
                self.at += 1;
                let mut members = Vec::new();
                while let Some(member) = self.next(depth + 1)? {
                    members.push(member);
                }
                if self.peek() != Some(b')') {
                    return Err(WireError::syntax("a list without an end", &self.text[from..]));
                }
                self.at += 1;
                Value::List(members)
            }
            Some(b'"') => Value::String(self.quoted()?),
            Some(b'{') | Some(b'~') if self.announces_literal() => match self.literals.next() {
                Some(Literal::Kept(bytes)) => Value::String(bytes.clone()),
                Some(Literal::Streamed(size)) => Value::Streamed(*size),
                None => return Err(WireError::syntax("a literal out of place", &self.text[self.at..])),
            },
            Some(_) => self.atom()?,
        }))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn quoted(&mut self) -> Result<Bytes, WireError> {
        let from = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'"' => return Ok(bytes.into()),
                b'\r' | b'\n' => break,
                b'\\' => {
                    let Some(next) = self.peek() else { break };
                    // Only these two may be escaped; some servers write names with single backslashes.
                    if next != b'"' && next != b'\\' {
                        bytes.push(b'\\');
                    }
                    bytes.push(next);
                    self.at += 1;
                }
                b => bytes.push(b),
            }
        }
        Err(WireError::syntax("a quoted string without an end", &self.text[from..]))
    }

    /// Whether a literal's announcement with its line end stands here; steps over it then.
    fn announces_literal(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(line_end) = memchr::memchr(b'\n', rest) else { return false };
        match announced_literal(&rest[..=line_end]) {
            Some((0, _)) => {}
            _ => return false,
        }
        self.at += line_end + 1;
        true
    }

    fn atom(&mut self) -> Result<Value, WireError> {
        let from = self.at;
        while let Some(b) = self.peek() {
            match b {
                b' ' | b'\t' | b'(' | b')' => break,
                b'\r' | b'\n' | 0 => {
                    return Err(WireError::syntax("a control character", &self.text[from..]));
                }
                b'[' => self.at += self.bracketed(),
                _ => self.at += 1,
            }
        }
        let text = String::from_utf8_lossy(&self.text[from..self.at]).into_owned();
        Ok(if text.eq_ignore_ascii_case("NIL") { Value::Nil } else { Value::Atom(text) })
    }

    /// The length of `[…]` from here; 1 where it is not closed on this line.
    fn bracketed(&self) -> usize {
        let mut quoted = false;
        for (n, b) in self.text[self.at..].iter().enumerate() {
            match b {
                b'"' => quoted = !quoted,
                b']' if !quoted => return n + 1,
                b'\r' | b'\n' => break,
                _ => {}
            }
        }
        1
    }
}

/// Where a line that ends with a literal's announcement has it, and the literal's length: `{12}`, `{12+}`, `~{12}`.
pub(super) fn announced_literal(line: &[u8]) -> Option<(usize, u64)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = inner.iter().rposition(|b| *b == b'{')?;
    let digits = &inner[open + 1..];
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let open = if open > 0 && inner[open - 1] == b'~' { open - 1 } else { open };
    Some((open, size))
}

/// Reads values from text without literals, as in a response code.
///
/// # Errors
/// When the text is no list of values.
pub fn parse(text: &[u8]) -> Result<Vec<Value>, WireError> {
    Values::new(text, &[]).all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atom(text: &str) -> Value {
        Value::Atom(text.into())
    }

    fn string(text: &'static str) -> Value {
        Value::String(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn values_are_read_as_servers_write_them() {
        let list = |members: &[Value]| Value::List(members.to_vec());
        let cases: &[(&str, Vec<Value>)] = &[
            ("", vec![]),
            ("a  b", vec![atom("a"), atom("b")]),
            ("NIL nil Nilo", vec![Value::Nil, Value::Nil, atom("Nilo")]),
            (r#""a\"b\\c" "d\e""#, vec![string(r#"a"b\c"#), string(r"d\e")]),
            (r"(\Seen \*) ()", vec![list(&[atom(r"\Seen"), atom(r"\*")]), list(&[])]),
            ("FLAGS(a)", vec![atom("FLAGS"), list(&[atom("a")])]),
            ("BODY[HEADER.FIELDS (X Y)] z", vec![atom("BODY[HEADER.FIELDS (X Y)]"), atom("z")]),
            ("[Gmail]/All a[b", vec![atom("[Gmail]/All"), atom("a[b")]),
            ("BODY[]<0>", vec![atom("BODY[]<0>")]),
            ("((a)(b))", vec![list(&[list(&[atom("a")]), list(&[atom("b")])])]),
            ("{x {5} a~b", vec![atom("{x"), atom("{5}"), atom("a~b")]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes()).as_ref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_an_error() {
        for text in ["(", "(a", ")", "\"abc", "\"abc\\", "a)b", "a\rb", "{3}\r\nabc"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse("(".repeat(10_000).as_bytes()), Err(WireError::TooDeep));
    }

    #[test]
    fn literals_are_found_at_the_end_of_a_line_only() {
        let cases: &[(&str, Option<(usize, u64)>)] = &[
            ("a {12}\r\n", Some((2, 12))),
            ("a ~{12}\n", Some((2, 12))),
            ("{0+}\r\n", Some((0, 0))),
            ("a {12} \r\n", None),
            ("a {}\r\n", None),
            ("a {1x}\r\n", None),
            ("a {9999999999999999999999}\r\n", None),
            ("a 12}\r\n", None),
            ("{12}", None),
        ];
        for (line, expected) in cases {
            assert_eq!(announced_literal(line.as_bytes()), *expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_likely_text_makes_the_parser_panic(text in r#"[()"\\{}~0-9a\[\] \r\n]{0,60}"#) {
            let _ = parse(text.as_bytes());
        }
    }
}
