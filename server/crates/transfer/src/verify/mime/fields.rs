//! The fields of a message's header, as they stand there.

use mail_parser::{HeaderValue, MessageParser};
use std::borrow::Cow;

/// Fields that mail servers and mailbox formats keep for themselves. They are no part of what somebody wrote, come and
/// go with every store, and are compared nowhere.
const BOOKKEEPING: [&str; 17] = [
    "return-path",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "delivery-date",
    "x-uid",
    "x-uidl",
    "x-imap",
    "x-imapbase",
    "status",
    "x-status",
    "x-keywords",
    "content-length",
    "lines",
    "x-mozilla-status",
    "x-mozilla-status2",
    "x-mozilla-keys",
];

/// Fields that say how the parts are written down. A server that rebuilds a message rebuilds these; the parts are
/// compared by what they decode to.
const STRUCTURE: [&str; 6] = [
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-id",
    "content-language",
];

/// Whether a field is a store's own.
pub(super) fn only_bookkeeping(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    BOOKKEEPING.contains(&name.as_str())
        || name.ends_with("-deliveredto")
        || name.ends_with("-delivered-to")
        || name.starts_with("x-ms-exchange-")
}

/// A header field with all its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field<'m> {
    /// Its name; empty for a line that is no field.
    name: &'m [u8],
    /// All of it, name and line ends included.
    whole: &'m [u8],
}

/// A message, taken apart into header fields and body. Lines must end with CRLF.
#[derive(Debug)]
pub(super) struct Fields<'m> {
    fields: Vec<Field<'m>>,
    pub body: &'m [u8],
}

impl<'m> Fields<'m> {
    pub fn of(message: &'m [u8]) -> Self {
        let mut fields: Vec<Field<'m>> = Vec::new();
        let (mut from, mut rest) = (0, message);
        while !rest.is_empty() {
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(length);
            if line == b"\r\n" {
                return Self { fields, body: after };
            }
            let start = message.len() - rest.len();
            if matches!(line[0], b' ' | b'\t')
                && let Some(last) = fields.last_mut()
            {
                last.whole = &message[from..start + length];
            } else {
                from = start;
                let name = memchr::memchr(b':', line).map_or(&[][..], |colon| line[..colon].trim_ascii_end());
                fields.push(Field { name, whole: line });
            }
            rest = after;
        }
        Self { fields, body: &[] }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether another message has these very fields in this order, and beside them only such as servers add.
    pub fn only_added_in(&self, other: &Self) -> bool {
        let mut ours = self.fields.iter().filter(|field| !field.is_bookkeeping()).peekable();
        for field in other.fields.iter().filter(|field| !field.is_bookkeeping()) {
            match ours.peek() {
                Some(own) if own.whole == field.whole => _ = ours.next(),
                _ if field.is_trace() => {}
                _ => return false,
            }
        }
        ours.peek().is_none()
    }

    /// The name of a field that is not in the other message, or has another value there, or is only there; stores' own
    /// fields, those of the structure, and trace fields that were added, left out.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let relevant = |field: &&Field<'m>| !field.is_bookkeeping() && !field.is_structure();
        let mut left: Vec<&Field<'m>> = other.fields.iter().filter(relevant).collect();
        for own in self.fields.iter().filter(relevant) {
            let at = left.iter().position(|theirs| own.says_the_same(theirs));
            match at {
                Some(at) => _ = left.remove(at),
                None => return Some(own.shown()),
            }
        }
        left.iter().find(|field| !field.is_trace()).map(|field| field.shown())
    }
}

impl Field<'_> {
    fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    fn is_bookkeeping(&self) -> bool {
        only_bookkeeping(&String::from_utf8_lossy(self.name))
    }

    fn is_structure(&self) -> bool {
        self.is(&STRUCTURE)
    }

    /// Added by every server that a message passes (RFC 5321 section 4.4).
    fn is_trace(&self) -> bool {
        self.is(&["Received", "X-Received"])
    }

    fn shown(&self) -> String {
        let name: String = String::from_utf8_lossy(self.name).chars().filter(char::is_ascii_graphic).take(60).collect();
        if name.is_empty() { "a line that is no field".to_owned() } else { name }
    }

    /// The value on one line, with white space made alike.
    fn value(&self) -> Vec<u8> {
        let value = self.whole.get(self.name.len()..).unwrap_or_default();
        let value = value.trim_ascii_start().strip_prefix(b":").unwrap_or(value);
        let words: Vec<&[u8]> = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        words.join(&b' ')
    }

    /// The same name and value; a value may be folded or encoded in another way, and may have had its bytes beyond
    /// US-ASCII written as `X`, as Cyrus does (`munge8bit`).
    fn says_the_same(&self, other: &Self) -> bool {
        if !self.name.eq_ignore_ascii_case(other.name) {
            return false;
        }
        let (ours, theirs) = (self.value(), other.value());
        if ours == theirs {
            return true;
        }
        let munged = |text: &[u8]| -> Vec<u8> { text.iter().map(|b| if b.is_ascii() { *b } else { b'X' }).collect() };
        if !ours.is_ascii() && munged(&ours) == theirs {
            return true;
        }
        let encoded = |text: &[u8]| memchr::memmem::find(text, b"=?").is_some() || !text.is_ascii();
        (encoded(&ours) || encoded(&theirs)) && decoded(&ours).is_some_and(|text| Some(text) == decoded(&theirs))
    }
}

/// A value with its encoded words read (RFC 2047); `None` where that loses something.
fn decoded(value: &[u8]) -> Option<String> {
    let block: Cow<'_, [u8]> = [b"Subject: ", value, b"\r\n\r\n"].concat().into();
    let message = MessageParser::default().parse_headers(&*block)?;
    match message.header("Subject") {
        Some(HeaderValue::Text(text)) if !text.contains('\u{fffd}') => {
            Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}
