//! The header of a message, as far as a source needs it: fields by name, unfolded, and encoded words (RFC 2047).

use super::dates;
use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use encoding_rs::Encoding;
use gatepost_transfer::InternalDate;

/// How much of a header is looked at.
pub(crate) const MOST: usize = 1 << 20;

/// The longest encoded word that is decoded, in bytes. RFC 2047 allows 75; a bound is needed because each `=?` of a
/// header is looked behind.
const LONGEST_WORD: usize = 1_000;

/// The fields of a header, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    fields: Vec<(String, String)>,
}

impl Header {
    /// Reads the fields up to the first empty line. What is no field is passed over.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in bytes.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(line);
            if line[0] == b' ' || line[0] == b'\t' {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(&text);
                }
            } else if is_field(line)
                && let Some((name, value)) = text.split_once(':')
            {
                fields.push((name.trim_end().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self { fields }
    }

    /// The values of a field, by its name in lower case.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.trim())
    }

    /// The first value of a field, by its name in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim())
    }

    /// How many of the fields it has that mail has.
    pub(crate) fn mail_fields(&self) -> usize {
        const KNOWN: [&str; 16] = [
            "from",
            "to",
            "cc",
            "bcc",
            "subject",
            "date",
            "received",
            "message-id",
            "mime-version",
            "return-path",
            "delivered-to",
            "sender",
            "reply-to",
            "content-type",
            "x-mailer",
            "x-unsent",
        ];
        KNOWN.iter().filter(|known| self.get(known).is_some()).count()
    }

    /// When the last server took it (the topmost Received field that has a date), else when it was written.
    pub(crate) fn dated(&self) -> Option<(InternalDate, DatedBy)> {
        let received = self.all("received").find_map(|field| dates::parse(field.rsplit(';').next()?));
        let written = || ["date", "resent-date", "delivery-date"].iter().find_map(|name| dates::parse(self.get(name)?));
        received.map(|date| (date, DatedBy::Received)).or_else(|| Some((written()?, DatedBy::Date)))
    }
}

/// What a date was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatedBy {
    /// A Received field.
    Received,
    /// The Date field.
    Date,
}

/// Whether a line begins as a header field does (RFC 5322 section 3.6.8; obsolete spaces in front of the colon too).
pub(crate) fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', &line[..line.len().min(200)]) else { return false };
    let name = line[..colon].trim_ascii_end();
    !name.is_empty() && name.iter().all(|b| matches!(b, b'!'..=b'9' | b';'..=b'~'))
}

/// Decodes the encoded words of a value (RFC 2047). What cannot be decoded stays as it is.
pub(crate) fn decode_words(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    // The bytes of words that follow each other in one character set: some writers part a character between two.
    let mut pending: Option<(&'static Encoding, Vec<u8>)> = None;
    let flush = |pending: &mut Option<(&'static Encoding, Vec<u8>)>, out: &mut String| {
        if let Some((charset, bytes)) = pending.take() {
            out.push_str(&charset.decode(&bytes).0);
        }
    };
    let mut rest = value;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        // White space between two words is not shown (section 6.2).
        if pending.is_none() || !before.trim().is_empty() {
            flush(&mut pending, &mut out);
            out.push_str(before);
        }
        match word(&from[2..]) {
            Some((charset, bytes, used)) => {
                match &mut pending {
                    Some((same, all)) if *same == charset => all.extend(bytes),
                    _ => {
                        flush(&mut pending, &mut out);
                        pending = Some((charset, bytes));
                    }
                }
                rest = &from[2 + used..];
            }
            None => {
                flush(&mut pending, &mut out);
                out.push_str("=?");
                rest = &from[2..];
            }
        }
    }
    flush(&mut pending, &mut out);
    out.push_str(rest);
    out
}

/// The character set and the bytes of a word behind its `=?`, and how much of the text it takes.
fn word(text: &str) -> Option<(&'static Encoding, Vec<u8>, usize)> {
    let text = &text[..text.floor_char_boundary(LONGEST_WORD)];
    let mut parts = text.splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64 = match encoding {
        "B" | "b" => true,
        "Q" | "q" => false,
        _ => return None,
    };
    // RFC 2231 section 5: a language may follow the character set.
    let charset = Encoding::for_label(charset.split('*').next()?.as_bytes())?;
    let end = rest.find("?=")?;
    let encoded = &rest[..end];
    let bytes = if is_base64 { base64(encoded)? } else { quoted(encoded.as_bytes()) };
    Some((charset, bytes, text.len() - rest.len() + end + 2))
}

/// The Q encoding (RFC 2047 section 4.2).
fn quoted(encoded: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        let pair = encoded.get(at + 1..at + 3).and_then(|two| Some(digit(two[0])? << 4 | digit(two[1])?));
        match (encoded[at], pair) {
            (b'=', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'_', _) => out.push(b' '),
            (other, _) => out.push(other),
        }
        at += 1;
    }
    out
}

/// Base64 with or without padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    LENIENT.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_found_by_name() {
        let header =
            Header::parse(b"Subject: one\r\n two\r\nX-Bad line\r\nRECEIVED: x; 1 Jan 2020 00:00:00 +0000\n\nTo: no\n");
        assert_eq!(header.get("subject"), Some("one two"));
        assert_eq!(header.get("to"), None);
        assert_eq!(header.dated().map(|(d, by)| (d.seconds, by)), Some((1_577_836_800, DatedBy::Received)));
    }

    #[test]
    fn encoded_words_are_decoded() {
        let cases = [
            ("plain", "plain"),
            ("=?UTF-8?Q?Promo=C3=A7=C3=B5es,_Sa=C3=ADda?=", "Promoções, Saída"),
            ("=?utf-8?B?UHJvbW/Dpw==?=", "Promoç"),
            ("=?utf-8?B?UHJvbW/D?= =?utf-8?B?p8O1ZXM=?=", "Promoções"),
            ("a =?iso-8859-1?q?=E9?= =?utf-8?q?=C3=A9?= b", "a éé b"),
            ("=?nothing?Q?x?= =?utf-8?X?y?= =?", "=?nothing?Q?x?= =?utf-8?X?y?= =?"),
            ("=?utf-8*pt?Q?=zz?=", "=zz"),
        ];
        for (value, wanted) in cases {
            assert_eq!(decode_words(value), wanted);
        }
    }

    #[test]
    fn an_encoded_word_beyond_the_bound_stays_as_it_is() {
        for (length, decoded) in [(900, true), (1_100, false)] {
            let value = format!("=?utf-8?Q?{}?=", "é_".repeat(length / 3));
            assert_eq!(decode_words(&value) != value, decoded, "{length}");
        }
        // A header of nothing but beginnings costs a bounded look at each.
        for beginning in ["=?utf-8?Q? ", "=?", "=?utf-8?X?", "=?a"] {
            let value = beginning.repeat(MOST / beginning.len());
            assert_eq!(decode_words(&value), value);
        }
    }
}
