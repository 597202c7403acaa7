//! Whole responses (RFC 3501 section 7): status, continuation, data.

use super::{
    WireError, printable,
    value::{Literal, Value, Values},
};

/// How a command ended, or what an untagged status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done; a greeting: log in.
    Ok,
    /// It was refused.
    No,
    /// It was not understood.
    Bad,
    /// The server closes the connection.
    Bye,
    /// A greeting: already logged in.
    Preauth,
}

impl Status {
    fn read(word: &[u8]) -> Option<Self> {
        [("OK", Self::Ok), ("NO", Self::No), ("BAD", Self::Bad), ("BYE", Self::Bye), ("PREAUTH", Self::Preauth)]
            .into_iter()
            .find_map(|(name, status)| word.eq_ignore_ascii_case(name.as_bytes()).then_some(status))
    }
}

/// A response code: `[APPENDUID 38505 3955]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, upper case.
    pub name: String,
    /// What follows the name.
    pub args: String,
}

impl Code {
    /// The first argument as a number.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.args.split_ascii_whitespace().next()?.parse().ok()
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `+ text`: go on.
    Continue {
        /// What follows the plus sign.
        text: String,
    },
    /// A status, of a command or untagged.
    Status {
        /// The command's tag; `None` where untagged.
        tag: Option<String>,
        /// The status.
        status: Status,
        /// Its code.
        code: Option<Code>,
        /// The server's words, fit for a sentence.
        text: String,
    },
    /// Data: `* 12 FETCH (…)`, `* LIST …`.
    Data {
        /// The number in front of the name.
        number: Option<u32>,
        /// The name, upper case.
        name: String,
        /// What follows it.
        values: Vec<Value>,
    },
}

/// Whether a response that begins so may hold literals. Status texts may end with braces that mean nothing.
pub(super) fn may_hold_literals(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"* ") else { return false };
    Status::read(word(rest).0).is_none()
}

/// Reads a response from its text, line ends included.
pub(super) fn parse(text: &[u8], literals: &[Literal]) -> Result<Response, WireError> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(rest) = line.strip_prefix(b"+") {
        return Ok(Response::Continue { text: String::from_utf8_lossy(rest).trim().to_owned() });
    }
    let (tag, rest) = word(line);
    let (first, after) = word(rest);
    if let Some(status) = Status::read(first) {
        let tagged = tag != b"*";
        if tagged && !matches!(status, Status::Ok | Status::No | Status::Bad) {
            return Err(WireError::syntax("a status that no command can have", line));
        }
        let (code, text) = code(after);
        let tag = tagged.then(|| String::from_utf8_lossy(tag).into_owned());
        return Ok(Response::Status { tag, status, code, text: printable(text, 500) });
    }
    if tag != b"*" || first.is_empty() {
        return Err(WireError::syntax("no response", line));
    }
    let number = std::str::from_utf8(first).ok().and_then(|n| n.parse().ok());
    let (name, after) = if number.is_some() { word(after) } else { (first, after) };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let values = match Values::new(after, literals).all() {
        Ok(values) => values,
        // Extensions send what they like; only what we asked for must be understood.
        Err(_) if !KNOWN.contains(&name.as_str()) && literals.is_empty() => Vec::new(),
        Err(e) => return Err(e),
    };
    if name == "FETCH" && number.is_some() && !is_fetch(&values) {
        return Err(WireError::syntax("a FETCH response that is no list of names with values", line));
    }
    Ok(Response::Data { number, name, values })
}

/// Whether these are names with values. Looked at closely, because it is what tells that the literal of a body had
/// the length that was announced: what comes behind a wrong one seldom fits.
fn is_fetch(values: &[Value]) -> bool {
    let [Value::List(items)] = values else { return false };
    let named = |item: &Value| match item {
        Value::Atom(name) => name.starts_with(|c: char| c.is_ascii_alphabetic()),
        _ => false,
    };
    items.len().is_multiple_of(2) && items.iter().step_by(2).all(named)
}

const KNOWN: [&str; 11] =
    ["CAPABILITY", "ESEARCH", "EXISTS", "FETCH", "FLAGS", "LIST", "NAMESPACE", "QUOTA", "SEARCH", "STATUS", "VANISHED"];

/// The first word and what follows the space behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| matches!(b, b' ' | b'(' | b'\r' | b'\n')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}

/// A response code, where there is one, and the words behind it.
fn code(text: &[u8]) -> (Option<Code>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"[") else { return (None, text) };
    let mut quoted = false;
    let end = inner.iter().position(|b| {
        quoted ^= *b == b'"';
        *b == b']' && !quoted
    });
    let Some(end) = end else { return (None, text) };
    let (name, args) = word(&inner[..end]);
    let code = Code {
        name: String::from_utf8_lossy(name).to_ascii_uppercase(),
        args: String::from_utf8_lossy(args).into_owned(),
    };
    (Some(code), &inner[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Response, WireError> {
        parse(text.as_bytes(), &[])
    }

    fn status(tag: Option<&str>, status: Status, code: Option<(&str, &str)>, text: &str) -> Response {
        let code = code.map(|(name, args)| Code { name: name.into(), args: args.into() });
        Response::Status { tag: tag.map(str::to_owned), status, code, text: text.into() }
    }

    #[test]
    fn statuses_are_read_with_their_codes() {
        let cases = [
            ("* OK ready\r\n", status(None, Status::Ok, None, "ready")),
            (
                "a1 NO [TRYCREATE] no such folder\r\n",
                status(Some("a1"), Status::No, Some(("TRYCREATE", "")), "no such folder"),
            ),
            ("a1 ok [APPENDUID 1 2] done\n", status(Some("a1"), Status::Ok, Some(("APPENDUID", "1 2")), "done")),
            ("* BYE\r\n", status(None, Status::Bye, None, "")),
            ("* OK [unclosed\r\n", status(None, Status::Ok, None, "[unclosed")),
            ("* NO [BADCHARSET (\"a]\")] x\r\n", status(None, Status::No, Some(("BADCHARSET", "(\"a]\")")), "x")),
            ("a1 BAD \u{1b}[31mred\r\n", status(Some("a1"), Status::Bad, None, "[31mred")),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn data_is_read_with_its_number() {
        assert_eq!(
            read("* 12 EXISTS\r\n"),
            Ok(Response::Data { number: Some(12), name: "EXISTS".into(), values: vec![] })
        );
        assert_eq!(
            read("* FLAGS(a)\r\n"),
            Ok(Response::Data {
                number: None,
                name: "FLAGS".into(),
                values: vec![Value::List(vec![Value::Atom("a".into())])]
            })
        );
        assert_eq!(
            read("* XGARBAGE ) \"\r\n"),
            Ok(Response::Data { number: None, name: "XGARBAGE".into(), values: vec![] })
        );
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for text in [
            "\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "a1 BYE x\r\n",
            "* \r\n",
            "* 1 FETCH (\r\n",
            "* 1 FETCH (UID)\r\n",
            "* 1 FETCH (UID 1 2 FLAGS)\r\n",
            "* 1 FETCH\r\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
