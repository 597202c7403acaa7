//! Text in header fields: encoded words (RFC 2047), phrases, parameters (RFC 2231), folding (RFC 5322 section 2.2.3).

use base64::{Engine, engine::general_purpose::STANDARD};
use std::borrow::Cow;

/// Where a line is folded, if it can be.
const FOLD: usize = 76;
/// How many bytes of text an encoded word holds in base64: `=?utf-8?B?` … `?=` stays within 75 characters.
const WORD: usize = 45;

/// Builds the lines of a header.
#[derive(Default)]
pub(crate) struct Header {
    pub bytes: Vec<u8>,
    /// How long the line is that is being written.
    column: usize,
}

impl Header {
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(2048), column: 0 }
    }

    /// Starts a field.
    pub fn name(&mut self, name: &str) {
        self.raw(name);
        self.raw(":");
    }

    /// Ends a field, or the header itself.
    pub fn end(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    /// A whole field whose value is plain and short, or has places to fold.
    pub fn field(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text(value);
        self.end();
    }

    /// Appends as it is.
    pub fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.column += text.len();
    }

    /// Appends a word after a space, on a new line where this one is full.
    pub fn word(&mut self, word: &str) {
        if self.column + 1 + word.len() > FOLD && self.column > 1 {
            self.bytes.extend_from_slice(b"\r\n");
            self.column = 0;
        }
        self.raw(" ");
        self.raw(word);
    }

    /// Appends free text: words as they are where they are US-ASCII, else encoded words.
    pub fn text(&mut self, text: &str) {
        let clean = clean(text);
        // Where several blanks follow each other no line is folded, so that such text must be short.
        let folds = clean.len() < 850 || !clean.contains("  ");
        if clean.is_ascii() && !clean.contains("=?") && folds && clean.split(' ').all(|word| word.len() < 850) {
            self.spaced(&clean);
        } else {
            self.encoded(&clean);
        }
    }

    /// Words parted by single spaces; more spaces than one stay with the word before, so that none is lost.
    fn spaced(&mut self, text: &str) {
        if self.column + 1 + text.len() <= FOLD {
            self.raw(" ");
            self.raw(text);
            return;
        }
        let mut words = text.split(' ');
        // A line of nothing but spaces would end the field for some readers, so an empty word is never folded at.
        match words.next() {
            Some(first) if self.column > FOLD || first.is_empty() => self.word(first),
            Some(first) => {
                self.raw(" ");
                self.raw(first);
            }
            None => {}
        }
        for word in words {
            if word.is_empty() || self.bytes.last() == Some(&b' ') {
                self.raw(" ");
                self.raw(word);
            } else {
                self.word(word);
            }
        }
    }

    /// Appends text as encoded words.
    pub fn encoded(&mut self, text: &str) {
        // The first stays on the line of the field's name where that leaves some room.
        let first = FOLD.saturating_sub(self.column + 13) / 4 * 3;
        let (head, rest) = match text.floor_char_boundary(first.min(WORD)) {
            cut if first >= 9 => text.split_at(cut),
            _ => ("", text),
        };
        for piece in pieces(head, WORD).into_iter().chain(pieces(rest, WORD)).filter(|piece| !piece.is_empty()) {
            let word = format!("=?utf-8?B?{}?=", STANDARD.encode(piece));
            self.word(&word);
        }
    }

    /// Appends a display name.
    pub fn phrase(&mut self, name: &str) {
        let name = clean(name);
        if !name.is_ascii() || name.contains("=?") || name.len() > 400 {
            self.encoded(&name);
        } else if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~ ".contains(&b))
            && !name.starts_with(' ')
            && !name.ends_with(' ')
            && !name.contains("  ")
        {
            self.spaced(&name);
        } else {
            let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            if self.column + 1 + quoted.len() > FOLD { self.spaced(&quoted) } else { self.word(&quoted) }
        }
    }

    /// Appends a parameter of a structured field. Names that are not US-ASCII are written as RFC 2231 says.
    pub fn parameter(&mut self, name: &str, value: &str) {
        let value = clean(value);
        self.raw(";");
        if value.is_ascii() && value.len() <= 60 {
            let token = !value.is_empty()
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&'*+-.^_`{|}~%".contains(&b));
            let text = if token {
                format!("{name}={value}")
            } else {
                format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            };
            return self.word(&text);
        }
        let coded: usize = value.bytes().map(|b| if is_plain(b) { 1 } else { 3 }).sum();
        let room = FOLD - name.len() - 17;
        let mut piece = String::with_capacity(FOLD);
        if coded <= room {
            value.chars().for_each(|c| percent(c, &mut piece));
            return self.word(&format!("{name}*=utf-8''{piece}"));
        }
        let mut number = 0;
        let mut chars = value.chars().peekable();
        while let Some(c) = chars.next() {
            percent(c, &mut piece);
            // No piece ends within a character.
            if piece.len() + 12 > room || chars.peek().is_none() {
                if number > 0 {
                    self.raw(";");
                }
                let charset = if number == 0 { "utf-8''" } else { "" };
                self.word(&format!("{name}*{number}*={charset}{piece}"));
                piece.clear();
                number += 1;
            }
        }
    }

    /// Appends a parameter as older programs expect it: with encoded words within quotes.
    pub fn legacy_parameter(&mut self, name: &str, value: &str) {
        let value = clean(value);
        if value.is_ascii() && value.len() <= 60 {
            return self.parameter(name, &value);
        }
        self.raw(";");
        for (number, piece) in pieces(&value, 33).into_iter().enumerate() {
            let open = if number == 0 { format!("{name}=\"") } else { String::new() };
            self.word(&format!("{open}=?utf-8?B?{}?=", STANDARD.encode(piece)));
        }
        self.raw("\"");
    }
}

/// Text on one line, without control characters.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| b < 0x20 || b == 0x7F) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for part in text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()) {
        if !out.is_empty() && !out.ends_with(' ') && !part.starts_with(' ') {
            out.push(' ');
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}

/// Cuts text into pieces of at most so many bytes, between characters.
fn pieces(text: &str, size: usize) -> Vec<&str> {
    let mut rest = text;
    let mut out = Vec::new();
    while rest.len() > size {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(size));
        out.push(piece);
        rest = more;
    }
    out.push(rest);
    out
}

/// What stands for itself in RFC 2231 section 7.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(&byte)
}

/// A character, percent-encoded where it has to be.
fn percent(c: char, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Text of a field with encoded words, as it is read (RFC 2047); what is not well made stays as it is.
pub(crate) fn decoded(raw: &str) -> String {
    let unfolded = raw.replace("\r\n", "").replace('\n', "");
    let mut out = String::with_capacity(unfolded.len());
    let mut rest = unfolded.as_str();
    let mut after_word = false;
    while let Some(start) = rest.find("=?") {
        let (plain, from) = rest.split_at(start);
        let Some((text, length)) = encoded_word(from) else {
            out.push_str(plain);
            out.push_str("=?");
            rest = &from[2..];
            after_word = false;
            continue;
        };
        // Space between two encoded words is not text.
        if !(after_word && plain.trim().is_empty()) {
            out.push_str(plain);
        }
        out.push_str(&text);
        rest = &from[length..];
        after_word = true;
    }
    out.push_str(rest);
    out
}

fn encoded_word(from: &str) -> Option<(String, usize)> {
    let mut parts = from.get(2..)?.splitn(4, '?');
    let (charset, way, data) = (parts.next()?, parts.next()?, parts.next()?);
    let length = 2 + charset.len() + 1 + way.len() + 1 + data.len() + 2;
    if from.get(length - 2..length)? != "?=" || data.contains(' ') {
        return None;
    }
    let bytes = match way {
        "B" | "b" => STANDARD.decode(data).ok()?,
        "Q" | "q" => {
            let mut bytes = Vec::with_capacity(data.len());
            let mut at = data.bytes();
            while let Some(byte) = at.next() {
                match byte {
                    b'_' => bytes.push(b' '),
                    b'=' => {
                        let (high, low) = (char::from(at.next()?).to_digit(16)?, char::from(at.next()?).to_digit(16)?);
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    other => bytes.push(other),
                }
            }
            bytes
        }
        _ => return None,
    };
    let charset = charset.split('*').next().unwrap_or(charset);
    let encoding = encoding_rs::Encoding::for_label(charset.as_bytes())?;
    Some((encoding.decode_without_bom_handling(&bytes).0.into_owned(), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::new();
        header.name("Subject");
        write(&mut header);
        header.end();
        String::from_utf8(header.bytes).unwrap()
    }

    #[test]
    fn text_of_a_field_comes_back_as_it_was() {
        let long = "Relatório de migração, 3ª parte — ação ".repeat(8);
        let ascii = "A quite long subject with many words that has to be folded somewhere, ".repeat(4);
        for text in ["Hello", "Olá, João", "=?not encoded?=", "a  b   c", &long, &ascii, "", &"x".repeat(2_000)] {
            let line = written(|h| h.text(text));
            assert!(line.lines().all(|l| l.len() <= 998), "{line}");
            let value = line.strip_prefix("Subject: ").unwrap().trim_end_matches("\r\n");
            assert_eq!(decoded(value).trim_end(), text.trim_end(), "{line}");
            assert!(!line.contains("\n\r\n") && !line.contains("\r\n \r\n"), "{line:?}");
        }
    }

    #[test]
    fn a_parameter_is_written_so_that_a_parser_reads_it_again() {
        let long = "Relatório de conclusão da migração dos correios de São João del-Rei (versão final).pdf".repeat(3);
        for name in ["a.pdf", "with space.pdf", "quo\"te.pdf", "Orçamento nº 7.xlsx", &long, &"n".repeat(200)] {
            let mut header = Header::new();
            header.raw("Content-Disposition: attachment");
            header.parameter("filename", name);
            header.end();
            header.raw("Content-Type: application/pdf");
            header.legacy_parameter("name", name);
            header.end();
            header.end();
            let text = String::from_utf8(header.bytes).unwrap();
            let parsed = mail_parser::MessageParser::default().parse(text.as_bytes()).unwrap();
            use mail_parser::MimeHeaders;
            assert!(text.lines().all(|l| l.len() <= 78), "{text}");
            assert_eq!(parsed.parts[0].attachment_name(), Some(name), "{text}");
        }
    }

    #[test]
    fn names_are_quoted_or_encoded_as_they_need_it() {
        for (name, text) in [
            ("Ana Lima", " Ana Lima"),
            ("Lima, Ana", " \"Lima, Ana\""),
            ("Ana \"A\" Lima", " \"Ana \\\"A\\\" Lima\""),
            ("João", " =?utf-8?B?Sm/Do28=?="),
        ] {
            assert_eq!(written(|h| h.phrase(name)), format!("Subject:{text}\r\n"));
        }
    }
}
