//! The headers by which a person knows a message: decoded, on one line, without control characters, and cut.

use crate::MessageHead;
use mail_parser::{Address, HeaderValue, MessageParser};

/// How many characters are kept of a field.
const LONGEST: usize = 500;

/// Reads a block of header fields.
pub(super) fn read(uid: u32, header: &[u8]) -> MessageHead {
    let mut head = MessageHead { uid, ..MessageHead::default() };
    let Some(message) = MessageParser::default().parse_headers(header) else { return head };
    let raw = |name: &str| {
        let (_, value) = message.headers_raw().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        tidy(value)
    };
    head.message_id = raw("Message-ID");
    head.date = raw("Date");
    head.from = message.from().and_then(addresses).or_else(|| raw("From"));
    head.subject = match message.header("Subject") {
        Some(HeaderValue::Text(text)) => tidy(text),
        _ => raw("Subject"),
    };
    head
}

fn addresses(from: &Address<'_>) -> Option<String> {
    let one = |name: Option<&str>, address: Option<&str>| match (name, address) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    };
    let all: Vec<String> =
        from.iter().take(20).map(|a| one(a.name(), a.address())).filter(|text| !text.is_empty()).collect();
    tidy(&all.join(", "))
}

/// On one line, without what would not be shown or would turn the text around it; `None` where nothing is left.
fn tidy(text: &str) -> Option<String> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut tidy = String::new();
    let mut characters = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !tidy.is_empty() {
            tidy.push(' ');
        }
        for c in word.chars().filter(|c| !turns(*c)) {
            if characters == LONGEST {
                tidy.push('…');
                return Some(tidy);
            }
            tidy.push(c);
            characters += 1;
        }
    }
    (!tidy.is_empty()).then_some(tidy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_fit_on_a_line() {
        let header = b"Message-ID: <a@b>\r\nFrom: =?utf-8?q?Jos=C3=A9?= <jose@example.org>\r\nSubject:\r\n \
            =?iso-8859-1?q?Ol=E1?=\r\n\tmundo\r\nDate: Mon, 2 Jan 2006 15:04:05 -0300\r\n\r\n";
        let head = read(7, header);
        assert_eq!((head.uid, head.message_id.as_deref()), (7, Some("<a@b>")));
        assert_eq!(head.from.as_deref(), Some("José <jose@example.org>"));
        assert_eq!(head.subject.as_deref(), Some("Olá mundo"));
        assert_eq!(head.date.as_deref(), Some("Mon, 2 Jan 2006 15:04:05 -0300"));
    }

    #[test]
    fn what_is_missing_empty_or_broken_is_told_as_it_is() {
        let cases: [(&[u8], Option<&str>); 4] = [
            (b"", None),
            (b"Subject:  \r\n\r\n", None),
            (b"Subject: a\x00b\x1b[31m\r\n\r\n", Some("a b [31m")),
            ("Subject: safe\u{202e}exe\r\n\r\n".as_bytes(), Some("safeexe")),
        ];
        for (header, subject) in cases {
            assert_eq!(read(1, header).subject.as_deref(), subject, "{:?}", String::from_utf8_lossy(header));
        }
        let long = format!("Subject: {}\r\n\r\n", "é".repeat(10_000));
        let subject = read(1, long.as_bytes()).subject.unwrap();
        assert_eq!((subject.chars().count(), subject.chars().last()), (LONGEST + 1, Some('…')));
    }
}
