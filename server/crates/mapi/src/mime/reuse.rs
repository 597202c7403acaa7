//! The header that a message came with (PidTagTransportMessageHeaders): which of its fields can be used again.
//!
//! What describes the old MIME structure cannot, since the structure is made anew; what is no field at all, as some
//! writers put there, is left out.

use super::{
    address::{self, Mailbox},
    words::{Header, decoded},
};

/// A field as it came.
pub(crate) struct Field<'a> {
    pub name: &'a str,
    /// What follows the colon, with the line ends of its folds, without the last.
    pub value: &'a str,
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Fields that may stand in a header once (RFC 5322 section 3.6).
const SINGLE: [&str; 13] = [
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "Importance",
    "Thread-Index",
];
/// Fields of addresses.
const ADDRESSES: [&str; 6] = ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"];
/// One of these makes it a header and not some text.
const WITNESS: [&str; 6] = ["Received", "From", "Date", "Message-ID", "To", "Subject"];

/// The fields that can be used again, in their order; none where it is no header.
pub(crate) fn fields(text: &str) -> Vec<Field<'_>> {
    let mut found: Vec<Field<'_>> = Vec::with_capacity(32);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // One field: its first line, and those that begin with a blank.
        let start = at;
        loop {
            at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n + 1);
            let next = bytes.get(at);
            let blank_line = || bytes[at..].split(|b| *b == b'\n').next().is_some_and(|l| l.trim_ascii().is_empty());
            if !matches!(next, Some(b' ' | b'\t')) || blank_line() {
                break;
            }
        }
        let whole = text[start..at].trim_end_matches(['\r', '\n', '\0', ' ', '\t']);
        if whole.trim().is_empty() {
            // An empty line ends the header; in front of it, it is junk, and so is one of blanks.
            if found.is_empty() || matches!(bytes[start], b' ' | b'\t') {
                continue;
            }
            break;
        }
        let Some((name, value)) = whole.split_once(':') else { continue };
        let name = name.trim_end_matches([' ', '\t']);
        if is_name(name) && !dropped(name) {
            let field = Field { name, value };
            let once = SINGLE.iter().any(|single| field.is(single));
            let empty = once && value.trim().is_empty();
            if !(empty || once && found.iter().any(|other| other.is(name))) {
                found.push(field);
            }
        }
    }
    if !found.iter().any(|field| WITNESS.iter().any(|name| field.is(name))) {
        found.clear();
    }
    found
}

/// A name as programs write it: it begins with a letter, which tells it from `2.0: Microsoft Mail Internet Headers`.
fn is_name(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// What describes the old structure, or how some program kept the message.
const DROPPED: [&str; 18] = [
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
    "Content-Description",
    "Content-Location",
    "Content-Base",
    "Content-MD5",
    "Content-Length",
    "Content-Duration",
    "Microsoft",
    "Lines",
    "Status",
    "X-Status",
    "X-UID",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
];

fn dropped(name: &str) -> bool {
    DROPPED.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Writes a field again: byte for byte where it can stand in mail, else encoded.
pub(crate) fn write(field: &Field<'_>, header: &mut Header) {
    let clean = field.value.bytes().all(|b| (0x20..0x7F).contains(&b) || b"\t\r\n".contains(&b));
    let fits = |line: &str| line.len() < 900 && !line.trim().is_empty() && !line.trim_end_matches('\r').contains('\r');
    if clean && field.value.split('\n').all(fits) {
        header.raw(field.name);
        header.raw(":");
        for (number, line) in field.value.split('\n').enumerate() {
            if number > 0 {
                header.end();
            }
            header.raw(line.trim_end_matches('\r'));
        }
        header.end();
    } else if ADDRESSES.iter().any(|name| field.is(name)) {
        address::write(header, field.name, &mailboxes(field.value));
    } else {
        header.field(field.name, decoded(field.value).trim());
    }
}

/// The mailboxes of a field that is not well made: names in any script, quoted or not.
pub(crate) fn mailboxes(value: &str) -> Vec<Mailbox> {
    let mut found = Vec::new();
    let mut quoted = false;
    let mut angled = false;
    let separate = |c: char| {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            _ => {}
        }
        !quoted && !angled && matches!(c, ',' | ';')
    };
    for part in value.split(separate).filter(|part| !part.trim().is_empty()).take(5_000) {
        let (name, raw) = match part.rsplit_once('<') {
            Some((name, raw)) => (name, raw),
            None => ("", part),
        };
        let name = decoded(name.trim().trim_matches('"')).replace("\\\"", "\"");
        let address = address::smtp(raw);
        let name = if address.is_none() && name.is_empty() { decoded(raw.trim()) } else { name };
        found.push(Mailbox { name: name.trim().to_owned(), address });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut header = Header::new();
        for field in fields(text) {
            write(&field, &mut header);
        }
        String::from_utf8(header.bytes).unwrap()
    }

    #[test]
    fn fields_that_describe_the_old_structure_and_junk_are_left_out() {
        let text = "Microsoft Mail Internet Headers Version 2.0\r\n2.0: Microsoft Mail Internet Headers\r\n\
                    Received: from a\r\n\tby b; Mon, 1 Jan 2001 00:00:00 +0000\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n\
                    Date: Tue, 2 Jan 2001 00:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\
                    \tboundary=x\r\nX-Good: yes\r\n\r\n--x\r\nSubject: of a part\r\n";
        assert_eq!(
            written(text),
            "Received: from a\r\n\tby b; Mon, 1 Jan 2001 00:00:00 +0000\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\n\
             X-Good: yes\r\n"
        );
    }

    #[test]
    fn text_that_is_no_header_gives_nothing() {
        for text in ["", "hello", "X-Only: this", "\r\n\r\nbody", "a: b\0c"] {
            assert_eq!(written(text), "", "{text:?}");
        }
    }

    #[test]
    fn bytes_beyond_ascii_are_encoded_by_the_kind_of_field() {
        assert_eq!(
            written("Subject: Olá\nFrom: \"João, da Silva\" <j@a.test>, b@b.test\n"),
            "Subject: =?utf-8?B?T2zDoQ==?=\r\nFrom: =?utf-8?B?Sm/Do28sIGRhIFNpbHZh?= <j@a.test>, b@b.test\r\n"
        );
    }

    #[test]
    fn a_fold_of_nothing_but_blanks_does_not_end_the_header() {
        assert_eq!(
            written("To: a@a.test,\r\n b@b.test\r\n \t\r\nSubject: x\r\n"),
            "To: a@a.test,\r\n b@b.test\r\nSubject: x\r\n"
        );
    }
}
