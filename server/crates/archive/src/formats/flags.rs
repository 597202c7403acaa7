//! Flags and keywords where files keep them: in header fields of mbox programs.

use super::header::{Header, decode_words};
use gatepost_transfer::Flags;

/// What header fields say: Status and X-Status (Berkeley, UW, Dovecot), X-Keywords, X-Mozilla-Status and -Keys
/// (Thunderbird), X-Unsent (Outlook, Windows Mail).
pub(crate) fn of_header(header: &Header) -> Flags {
    let mut flags = Flags::default();
    for letter in header.get("status").into_iter().chain(header.get("x-status")).flat_map(str::chars) {
        match letter {
            'R' => flags.insert("\\Seen"),
            'A' => flags.insert("\\Answered"),
            'F' => flags.insert("\\Flagged"),
            'T' => flags.insert("\\Draft"),
            'D' => flags.insert("\\Deleted"),
            _ => {}
        }
    }
    for keyword in header.all("x-keywords").chain(header.all("x-mozilla-keys")).flat_map(str::split_whitespace) {
        keyword_into(&mut flags, &decode_words(keyword));
    }
    let bits = header.get("x-mozilla-status").and_then(|hex| u16::from_str_radix(hex, 16).ok()).unwrap_or(0);
    for (bit, flag) in
        [(0x1, "\\Seen"), (0x2, "\\Answered"), (0x4, "\\Flagged"), (0x8, "\\Deleted"), (0x1000, "$Forwarded")]
    {
        if bits & bit != 0 {
            flags.insert(flag);
        }
    }
    if header.get("x-unsent") == Some("1") {
        flags.insert("\\Draft");
    }
    flags
}

/// Adds a keyword in a form that IMAP takes (RFC 3501 section 9: an atom): what may not stand in one becomes `_`.
pub(crate) fn keyword_into(flags: &mut Flags, name: &str) {
    let special = |c: char| c.is_ascii_control() || " (){}%*\"\\]".contains(c) || !c.is_ascii();
    let name: String = name.trim().chars().take(100).map(|c| if special(c) { '_' } else { c }).collect();
    if name.chars().any(|c| c != '_') {
        flags.insert(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_from_the_fields_of_each_program() {
        let cases = [
            ("Status: RO\r\nX-Status: AF\r\n", "\\Answered \\Flagged \\Seen"),
            ("Status: O\nX-Status: TD\n", "\\Deleted \\Draft"),
            ("X-Keywords: $Forwarded  Projeto(1)   \n", "$Forwarded Projeto_1_"),
            (
                "X-Mozilla-Status: 1005\nX-Mozilla-Keys: $label1 nonjunk\n",
                "$Forwarded $label1 nonjunk \\Flagged \\Seen",
            ),
            ("X-Mozilla-Status: 0008\n", "\\Deleted"),
            ("X-Unsent: 1\n", "\\Draft"),
            ("X-Mozilla-Status: zz\nX-Keywords: =?utf-8?Q?=C3=A9?=\n", ""),
            ("", ""),
        ];
        for (header, wanted) in cases {
            assert_eq!(of_header(&Header::parse(header.as_bytes())), Flags::from(wanted), "{header}");
        }
    }
}
