//! Whether two messages with different bytes are the same mail: the same header fields and the same decoded text and
//! attachments. Servers add fields as they deliver, mend line ends, and some rebuild what they store: such a copy is
//! *equivalent* or *rewritten*; anything else has *changed*, and what has changed is named.
//!
//! Pure. Both messages are in memory; see [`LONGEST`].

mod fields;

use crate::Mender;
use fields::{Fields, only_bookkeeping};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

/// Longer messages are compared by their digests alone.
pub const LONGEST: u64 = 8 << 20;
/// Messages within messages are looked into so deep.
const DEEPEST: usize = 16;

/// How two messages compare whose bytes differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Only line ends, NULs, or fields that a server adds on delivery differ.
    Equivalent,
    /// The header fields and the decoded parts agree.
    Rewritten,
    /// Something else.
    Changed(Difference),
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The copy has nothing in it.
    Empty,
    /// The copy is the message's beginning.
    Truncated,
    /// A header field, by its name.
    Field(String),
    /// A text.
    Text,
    /// An attachment, by its name where it has one.
    Attachment(Option<String>),
    /// Parts are missing or added, or are of another type.
    Structure,
    /// The bytes; the header is too long to say more.
    Bytes,
}

/// Messages with more header fields are compared by their bytes alone: each field is looked for among all others.
const MOST_FIELDS: usize = 5_000;

/// Compares a copy with its message.
#[must_use]
pub fn compare(source: &[u8], copy: &[u8]) -> Likeness {
    let (source, copy) = (mended(source), mended(copy));
    if source == copy {
        return Likeness::Equivalent;
    }
    if copy.iter().all(u8::is_ascii_whitespace) {
        return Likeness::Changed(Difference::Empty);
    }
    let end = copy.len() - if copy.ends_with(b"\r\n") { 2 } else { 0 };
    if end < source.len() && source.starts_with(&copy[..end]) {
        return Likeness::Changed(Difference::Truncated);
    }
    let (ours, theirs) = (Fields::of(&source), Fields::of(&copy));
    if ours.body == theirs.body && ours.only_added_in(&theirs) {
        return Likeness::Equivalent;
    }
    if ours.len().max(theirs.len()) > MOST_FIELDS {
        return Likeness::Changed(Difference::Bytes);
    }
    if let Some(name) = ours.first_difference(&theirs) {
        return Likeness::Changed(Difference::Field(name));
    }
    let parser = MessageParser::default();
    let (Some(ours), Some(theirs)) = (parser.parse(&source), parser.parse(&copy)) else {
        return Likeness::Changed(Difference::Structure);
    };
    match parts(&ours, &theirs, (&source, &copy), 0) {
        Some(difference) => Likeness::Changed(difference),
        None => Likeness::Rewritten,
    }
}

/// With every line ended by CRLF and without NULs.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut mender = Mender::default();
    let mut mended = mender.mend(bytes);
    mended.extend_from_slice(mender.end());
    if !mended.is_empty() && !mended.ends_with(b"\r\n") {
        mended.extend_from_slice(b"\r\n");
    }
    mended
}

/// The first difference between the parts of two messages.
fn parts(ours: &Message<'_>, theirs: &Message<'_>, raw: (&[u8], &[u8]), depth: usize) -> Option<Difference> {
    if ours.parts.len() != theirs.parts.len() || depth > DEEPEST {
        return Some(Difference::Structure);
    }
    ours.parts.iter().zip(&theirs.parts).find_map(|(a, b)| part(a, b, raw, depth))
}

fn part(a: &MessagePart<'_>, b: &MessagePart<'_>, raw: (&[u8], &[u8]), depth: usize) -> Option<Difference> {
    let kind = |part: &MessagePart<'_>| match part.content_type() {
        Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase(),
        None => "text/plain".to_owned(),
    };
    if kind(a) != kind(b) || a.content_id() != b.content_id() {
        return Some(Difference::Structure);
    }
    let name = a.attachment_name().map(str::to_owned);
    if a.attachment_name() != b.attachment_name() {
        return Some(Difference::Attachment(name));
    }
    match (&a.body, &b.body) {
        (PartType::Text(x), PartType::Text(y)) | (PartType::Html(x), PartType::Html(y)) => {
            // What stands for undecodable bytes is the same for all of them: only the bytes tell.
            let undecodable = x.contains('\u{fffd}') && stored(a, raw.0) != stored(b, raw.1);
            (undecodable || !same_text(x, y)).then_some(if name.is_some() {
                Difference::Attachment(name)
            } else {
                Difference::Text
            })
        }
        (PartType::Binary(x) | PartType::InlineBinary(x), PartType::Binary(y) | PartType::InlineBinary(y)) => {
            (x != y).then_some(Difference::Attachment(name))
        }
        (PartType::Message(x), PartType::Message(y)) => {
            let fields = |message: &'_ Message<'_>| {
                let headers = message.parts.first().map(|part| part.headers.as_slice()).unwrap_or_default();
                let kept = headers.iter().filter(|h| !only_bookkeeping(h.name()));
                kept.map(|h| (h.name().to_ascii_lowercase(), format!("{:?}", h.value()))).collect::<Vec<_>>()
            };
            if fields(x) != fields(y) {
                return Some(Difference::Attachment(name));
            }
            parts(x, y, raw, depth + 1)
        }
        (PartType::Multipart(x), PartType::Multipart(y)) => (x.len() != y.len()).then_some(Difference::Structure),
        _ => Some(Difference::Structure),
    }
}

/// A part's bytes as they were sent.
fn stored<'m>(part: &MessagePart<'_>, raw: &'m [u8]) -> Option<&'m [u8]> {
    raw.get(part.offset_body as usize..part.offset_end as usize)
}

/// Texts are the same when their lines are; how lines end, and how many empty ones follow, is the transport's.
fn same_text(a: &str, b: &str) -> bool {
    let line = |line: &'_ str| line.trim_end_matches('\r').len();
    let (a, b) = (a.trim_end(), b.trim_end());
    let mut others = b.split('\n');
    a.split('\n').all(|x| others.next().is_some_and(|y| x[..line(x)] == y[..line(y)])) && others.next().is_none()
}

#[cfg(test)]
mod tests;
