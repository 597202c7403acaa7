//! Which lines of an mbox part messages. RFC 4155 asks for an empty line in front and a sender and a date behind
//! `From `; real files keep neither rule, and texts begin lines with "From " too.

use crate::containers::section::Window;
use crate::formats::{
    dates,
    header::{Header, is_field},
};
use gatepost_transfer::InternalDate;
use memchr::memmem;
use std::io;

/// The longest line that can be a separator.
const LONGEST: usize = 2048;
/// How much of a header is looked at to tell it from a text.
const LOOKED_AT: usize = 8 * 1024;

/// A line that begins a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Separator {
    /// Where it begins.
    pub at: u64,
    /// Where the message behind it begins.
    pub message: u64,
    /// The date it names.
    pub date: Option<InternalDate>,
    /// Whether it ends with LF alone.
    pub bare_lf: bool,
}

/// Looks at the line at a place; `None` where it is text.
pub(super) fn at(window: &mut Window, at: u64) -> io::Result<Option<Separator>> {
    let bytes = window.get(at, LONGEST)?;
    if !bytes.starts_with(b"From ") {
        return Ok(None);
    }
    let line_end = memchr::memchr(b'\n', &bytes[..bytes.len().min(LONGEST)]);
    let Some(end) = line_end.or((bytes.len() < LONGEST).then_some(bytes.len())) else { return Ok(None) };
    let line = &bytes[5..end.max(5)];
    let bare_lf = !line.ends_with(b"\r");
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
    let date = dates::parse(&text);
    let message = at + end as u64 + u64::from(line_end.is_some());
    let next = first_line(window.get(message, LONGEST)?).to_vec();
    let headed = is_field(&next) || next.starts_with(b">From ");
    let before = empty_before(window, at)?;
    let parts = match date {
        // tika's own samples have messages without any header.
        Some(_) => headed || (before && next.is_empty()) || (before && is_address(&text)),
        // Mozilla's `From - ` is no text, whatever stands in front of it.
        None if !headed => false,
        None if text.trim() == "-" => true,
        // A date may be written in any language; what follows an empty line and is a header of mail is no text then.
        None => before && (is_address(&text) || is_mail(window, message)?),
    };
    Ok(parts.then_some(Separator { at, message, date, bare_lf }))
}

/// The next separator whose line begins behind `from`, or at it where `from` begins a line.
pub(super) fn next(window: &mut Window, from: u64) -> io::Result<Option<Separator>> {
    if (from == 0 || window.get(from - 1, 1)?.first() == Some(&b'\n'))
        && let Some(found) = at(window, from)?
    {
        return Ok(Some(found));
    }
    let finder = memmem::Finder::new(b"\nFrom ");
    let mut place = from;
    loop {
        let bytes = window.get(place, 6)?;
        if bytes.len() < 6 {
            return Ok(None);
        }
        match finder.find(bytes) {
            Some(found) => {
                let line = place + found as u64 + 1;
                if let Some(separator) = at(window, line)? {
                    return Ok(Some(separator));
                }
                place = line;
            }
            None => place += bytes.len() as u64 - 5,
        }
    }
}

/// Whether the line in front of this one is empty, or there is none.
fn empty_before(window: &mut Window, at: u64) -> io::Result<bool> {
    let from = at.saturating_sub(4);
    let length = usize::try_from(at - from).unwrap_or(0);
    let bytes = window.get(from, length)?;
    let before = &bytes[..length.min(bytes.len())];
    Ok(before.is_empty()
        || before == b"\n"
        || before == b"\r\n"
        || before.ends_with(b"\n\n")
        || before.ends_with(b"\n\r\n")
        // A byte order mark.
        || before.ends_with(b"\xEF\xBB\xBF"))
}

/// Whether a header of mail begins at a place.
pub(super) fn is_mail(window: &mut Window, at: u64) -> io::Result<bool> {
    let bytes = window.get(at, LOOKED_AT)?;
    Ok(Header::parse(&bytes[..bytes.len().min(LOOKED_AT)]).mail_fields() >= 2)
}

/// Whether what stands behind `From ` begins as a sender does: an address, `-` (Mozilla), a name of one word in front of
/// a date. A text goes on with words.
fn is_address(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return true };
    let rest: Vec<&str> = words.collect();
    let address = first == "-" || first.contains('@') || first.eq_ignore_ascii_case("mailer-daemon");
    if rest.is_empty() { address } else { address || dates::parse(&rest.join(" ")).is_some() && rest.len() >= 4 }
}

/// The first line, without its end.
fn first_line(bytes: &[u8]) -> &[u8] {
    let line = &bytes[..memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())];
    line.strip_suffix(b"\r").unwrap_or(line)
}
