//! The bytes of IMAP: lines with literals, values in lists, quoting and modified UTF-7.
//! Used on both sides (raw client, scripted server); knows no command. Written apart from gatepost-imap on purpose:
//! what judges a copy must not share its mistakes.

use std::io::{self, BufRead};

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A part of a line: text, or a literal that stood in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Text(Vec<u8>),
    Literal(Vec<u8>),
}

/// A value of a command or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Atom(Vec<u8>),
    /// A quoted string or a literal.
    String(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// Bytes of an atom or string; none for a list.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Value::Atom(bytes) | Value::String(bytes) => bytes,
            Value::List(_) => &[],
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(crate) fn list(&self) -> &[Value] {
        match self {
            Value::List(values) => values,
            Value::Atom(_) | Value::String(_) => &[],
        }
    }

    pub(crate) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.bytes()).ok()?.parse().ok()
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Value::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL"))
    }
}

/// The largest literal that is read: what a test may sensibly hold in memory.
const MAX_LITERAL: usize = 1 << 30;

/// Size of the literal that a line announces at its end, and whether it is non-synchronizing (RFC 7888).
pub(crate) fn announced_literal(line: &[u8]) -> Option<(usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    let digits = &inner[open + 1..];
    let (digits, plus) = digits.strip_suffix(b"+").map_or((digits, false), |digits| (digits, true));
    let size = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((size, plus))
}

/// Reads one line with its literals. `go_ahead` is called before each synchronizing literal (a server answers `+`).
/// `Ok(None)` at the end of the stream.
pub(crate) fn read_line(
    reader: &mut impl BufRead,
    mut go_ahead: impl FnMut() -> io::Result<()>,
) -> io::Result<Option<Vec<Segment>>> {
    let mut segments = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            if segments.is_empty() && line.is_empty() {
                return Ok(None);
            }
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within a line"));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let Some((size, plus)) = announced_literal(&line) else {
            segments.push(Segment::Text(line));
            return Ok(Some(segments));
        };
        if size > MAX_LITERAL {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a literal of {size} bytes is too large")));
        }
        let open = line.iter().rposition(|&byte| byte == b'{').unwrap_or(line.len());
        line.truncate(open);
        segments.push(Segment::Text(line));
        if !plus {
            go_ahead()?;
        }
        let mut literal = vec![0; size];
        reader.read_exact(&mut literal)?;
        segments.push(Segment::Literal(literal));
    }
}

/// The values of a line. `None` when parentheses or quotes do not close.
pub(crate) fn parse_values(segments: Vec<Segment>) -> Option<Vec<Value>> {
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    for segment in segments {
        match segment {
            Segment::Literal(bytes) => open.last_mut()?.push(Value::String(bytes)),
            Segment::Text(text) => parse_text(&text, &mut open)?,
        }
    }
    let values = open.pop()?;
    open.is_empty().then_some(values)
}

fn parse_text(text: &[u8], open: &mut Vec<Vec<Value>>) -> Option<()> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' => at += 1,
            b'(' => {
                open.push(Vec::new());
                at += 1;
            }
            b')' => {
                let values = open.pop()?;
                open.last_mut()?.push(Value::List(values));
                at += 1;
            }
            b'"' => {
                let mut string = Vec::new();
                at += 1;
                loop {
                    match *text.get(at)? {
                        b'"' => break,
                        b'\\' => {
                            at += 1;
                            string.push(*text.get(at)?);
                        }
                        other => string.push(other),
                    }
                    at += 1;
                }
                at += 1;
                open.last_mut()?.push(Value::String(string));
            }
            _ => {
                let start = at;
                let mut brackets = 0_usize;
                while let Some(&byte) = text.get(at) {
                    match byte {
                        b'[' => brackets += 1,
                        b']' => brackets = brackets.saturating_sub(1),
                        b' ' | b'(' | b')' if brackets == 0 => break,
                        _ => {}
                    }
                    at += 1;
                }
                open.last_mut()?.push(Value::Atom(text[start..at].to_vec()));
            }
        }
    }
    Some(())
}

/// A quoted string. The text must have no line break; non-ASCII bytes need a server that takes them.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

fn mutf7_base64() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&IMAP_MUTF7, config)
}

/// Modified UTF-7 of a mailbox name (RFC 3501 section 5.1.3).
#[must_use]
pub fn mutf7_encode(name: &str) -> String {
    let engine = mutf7_base64();
    let mut encoded = String::with_capacity(name.len());
    let mut pending: Vec<u8> = Vec::new();
    let flush = |pending: &mut Vec<u8>, encoded: &mut String| {
        if !pending.is_empty() {
            encoded.push('&');
            engine.encode_string(pending.as_slice(), encoded);
            encoded.push('-');
            pending.clear();
        }
    };
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut pending, &mut encoded);
            encoded.push(character);
            if character == '&' {
                encoded.push('-');
            }
        } else {
            let mut units = [0; 2];
            pending.extend(character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut pending, &mut encoded);
    encoded
}

/// The name that modified UTF-7 stands for; `None` when it is not valid.
#[must_use]
pub fn mutf7_decode(encoded: &str) -> Option<String> {
    let engine = mutf7_base64();
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(start) = rest.find('&') {
        name.push_str(&rest[..start]);
        let shifted = &rest[start + 1..];
        let end = shifted.find('-')?;
        if end == 0 {
            name.push('&');
        } else {
            let bytes = engine.decode(&shifted[..end]).ok()?;
            if !bytes.len().is_multiple_of(2) {
                return None;
            }
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            name.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = &shifted[end + 1..];
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailbox_names_survive_modified_utf7() {
        for (name, encoded) in [
            ("INBOX", "INBOX"),
            ("Itens Excluídos", "Itens Exclu&AO0-dos"),
            ("Ação & Cia", "A&AOcA4w-o &- Cia"),
            ("日本語", "&ZeVnLIqe-"),
            ("Projetos 📁", "Projetos &2D3cwQ-"),
            ("Notas ", "Notas "),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ] {
            assert_eq!(mutf7_encode(name), encoded);
            assert_eq!(mutf7_decode(encoded).as_deref(), Some(name));
        }
        assert_eq!(mutf7_decode("broken &AO0"), None);
    }

    #[test]
    fn a_line_with_literals_becomes_values() {
        let mut input: &[u8] =
            b"* 1 FETCH (UID 7 FLAGS (\\Seen \"x\\\"y\") BODY[HEADER.FIELDS (A B)]<0> {3}\r\n(\r\n X NIL)\r\n* OK\r\n";
        let line = read_line(&mut input, || Ok(())).expect("reads").expect("a line");
        let values = parse_values(line).expect("parses");
        assert_eq!(values.len(), 4);
        let items = values[3].list();
        assert_eq!(items[1].number::<u32>(), Some(7));
        assert_eq!(items[3].list()[1], Value::String(b"x\"y".to_vec()));
        assert_eq!(items[4].text(), "BODY[HEADER.FIELDS (A B)]<0>");
        assert_eq!(items[5], Value::String(b"(\r\n".to_vec()));
        assert!(items[7].is_nil());
        assert!(read_line(&mut input, || Ok(())).expect("reads").is_some());
        assert!(read_line(&mut input, || Ok(())).expect("reads").is_none());
    }

    #[test]
    fn open_parentheses_and_quotes_are_refused() {
        for text in ["(a", "a)", "\"a"] {
            assert_eq!(parse_values(vec![Segment::Text(text.into())]), None, "{text}");
        }
    }
}
