//! One message as a file: `.eml` as programs write it, with a byte order mark or an mbox separator in front, and Apple's
//! `.emlx` with its length in front and its flags behind.

use super::{
    flags,
    header::{self, Header},
    lines::Lines,
    mbox::header_end,
};
use crate::containers::{Body, is_damage};
use crate::{ArchiveError, Limits, outlook};
use gatepost_mapi::msg::is_compound;
use gatepost_transfer::{Flags, InternalDate};
use std::io::{Read, Write};

/// How much of what follows an `.emlx` message is looked at.
const PLIST: u64 = 64 * 1024;

/// Where in a file the message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    /// Bytes in front of it.
    skip: u64,
    /// Its length, where the file says so.
    length: Option<u64>,
    /// Whether its lines end with LF alone.
    bare_lf: bool,
}

/// What a source must know of a message.
#[derive(Debug)]
pub(super) struct Facts {
    /// Its header.
    pub header: Header,
    /// Its flags, as far as the file says them.
    pub flags: Flags,
    /// When Apple's Mail received it.
    pub received: Option<InternalDate>,
    /// Whether there is nothing in it.
    pub empty: bool,
}

/// Reads the header and what stands around the message.
pub(super) fn facts(body: &Body) -> Result<Facts, ArchiveError> {
    let mut head = body.head(16 * 1024)?;
    let extent = extent(&head, body.len());
    let skip = usize::try_from(extent.skip).unwrap_or(usize::MAX).min(head.len());
    if header_end(&head[skip..]).is_none() && head.len() >= 16 * 1024 {
        head = body.head(header::MOST)?;
    }
    let header = Header::parse(&head[skip..]);
    let mut flags = flags::of_header(&header);
    let mut received = None;
    if let Some(length) = extent.length {
        let plist = tail(body, extent.skip + length)?;
        let value = |key: &str| integer(&plist, key);
        received = value("date-received").map(|seconds| InternalDate { seconds, zone_minutes: 0 });
        let bits = value("flags").unwrap_or(0);
        for (bit, flag) in [(0, "\\Seen"), (1, "\\Deleted"), (2, "\\Answered"), (4, "\\Flagged"), (6, "\\Draft")] {
            if bits >> bit & 1 == 1 {
                flags.insert(flag);
            }
        }
    }
    let empty = head[skip..].iter().all(u8::is_ascii_whitespace) && body.len() <= head.len() as u64;
    Ok(Facts { header, flags, received, empty })
}

/// Writes the message; one of Outlook's is made from its item.
pub(super) fn write(body: &Body, limits: &Limits, out: &mut dyn Write) -> Result<(), ArchiveError> {
    let head = body.head(4096)?;
    if is_compound(&head) {
        return outlook::write_file(body, limits, out);
    }
    let extent = extent(&head, body.len());
    let mut reader = body.reader();
    let mut lines = Lines::new(out, extent.bare_lf, false);
    let mut buffer = vec![0; 64 * 1024];
    let (mut skip, mut left) = (extent.skip, extent.length.unwrap_or(u64::MAX));
    while left > 0 {
        let n = match reader.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if is_damage(&e) => return Err(ArchiveError::Unreadable(format!("It cannot be read whole: {e}."))),
            Err(e) => return Err(e.into()),
        };
        if n == 0 {
            break;
        }
        let from = usize::try_from(skip).unwrap_or(n).min(n);
        skip -= from as u64;
        let piece = &buffer[from..n];
        let piece = &piece[..usize::try_from(left).unwrap_or(usize::MAX).min(piece.len())];
        left -= piece.len() as u64;
        lines.write_all(piece)?;
    }
    Ok(lines.finish()?)
}

/// Whether this is an `.emlx`: a line with the length, and the message behind it.
pub(super) fn is_emlx(head: &[u8], bytes: u64) -> bool {
    emlx(head, bytes).is_some()
}

fn emlx(head: &[u8], bytes: u64) -> Option<(u64, u64)> {
    let end = memchr::memchr(b'\n', &head[..head.len().min(32)])?;
    let length: u64 = std::str::from_utf8(&head[..end]).ok()?.trim().parse().ok()?;
    let skip = end as u64 + 1;
    let follows = header::is_field(&head[end + 1..]) || head[end + 1..].starts_with(b"From ");
    (follows && skip.checked_add(length)? <= bytes).then_some((skip, length))
}

fn extent(head: &[u8], bytes: u64) -> Extent {
    let (mut skip, length) = match emlx(head, bytes) {
        Some((skip, length)) => (skip, Some(length)),
        None if head.starts_with(b"\xEF\xBB\xBF") => (3, None),
        None => (0, None),
    };
    let mut rest = &head[usize::try_from(skip).unwrap_or(0).min(head.len())..];
    // An mbox separator is no field of a header.
    if length.is_none()
        && rest.starts_with(b"From ")
        && let Some(end) = memchr::memchr(b'\n', rest)
    {
        skip += end as u64 + 1;
        rest = &rest[end + 1..];
    }
    let bare_lf = memchr::memchr(b'\n', rest).is_some_and(|end| end == 0 || rest[end - 1] != b'\r');
    Extent { skip, length, bare_lf }
}

/// What follows a place.
fn tail(body: &Body, from: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut reader = body.reader();
    let mut rest = Vec::new();
    let read = std::io::copy(&mut reader.by_ref().take(from), &mut std::io::sink())
        .and_then(|_| reader.take(PLIST).read_to_end(&mut rest));
    match read {
        Err(e) if !is_damage(&e) => Err(e.into()),
        _ => Ok(rest),
    }
}

/// An integer of a property list (`<key>flags</key><integer>1</integer>`).
fn integer(plist: &[u8], key: &str) -> Option<i64> {
    let text = String::from_utf8_lossy(plist);
    let after = text.split_once(&format!("<key>{key}</key>"))?.1.trim_start();
    let value = after.strip_prefix("<integer>").or_else(|| after.strip_prefix("<real>"))?;
    value[..value.find('<')?].trim().split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::section::Section;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write(&Body::Plain(Section::of_bytes(bytes)), &Limits::new("/nowhere"), &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn what_stands_around_a_message_is_left_out_and_lines_end_with_crlf() {
        let cases: [(&[u8], &str); 7] = [
            (b"A: 1\r\n\r\nx\ny\r\n", "A: 1\r\n\r\nx\ny\r\n"),
            (b"A: 1\n\nx\n", "A: 1\r\n\r\nx\r\n"),
            (b"\xEF\xBB\xBFA: 1\n\nx", "A: 1\r\n\r\nx"),
            (b"From a@b Mon Jun  3 12:50:27 1996\nA: 1\n\n>From x\n", "A: 1\r\n\r\n>From x\r\n"),
            (b"8     \nA: 1\n\nxy\n<plist/>", "A: 1\r\n\r\nxy"),
            (b"800\nA: 1\n\nxy\n", "800\r\nA: 1\r\n\r\nxy\r\n"),
            (b"", ""),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(written(bytes), wanted, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn apples_flags_and_dates_are_read() {
        let text = b"8\nA: 1\n\nxy\n<plist><dict><key>date-received</key>\n<integer>1600000000</integer>\
                     <key>flags</key><integer>8590195733</integer></dict></plist>";
        let facts = facts(&Body::Plain(Section::of_bytes(&text[..]))).unwrap();
        assert_eq!(facts.received.map(|d| d.seconds), Some(1_600_000_000));
        assert_eq!(facts.flags, Flags::from("\\Seen \\Answered \\Flagged"));
    }
}
