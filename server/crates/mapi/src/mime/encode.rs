//! Contents of parts: which transfer encoding fits, and writing it (RFC 2045 section 6).

use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    borrow::Cow,
    io::{self, Read, Write},
};

/// The longest line that mail may have (RFC 5322 section 2.1.1).
const LONGEST_LINE: usize = 998;

/// A transfer encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    SevenBit,
    QuotedPrintable,
    Base64,
}

impl Transfer {
    pub fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// Text with each line ended by CRLF and without NUL; borrowed where it is that already.
pub(crate) fn lines(text: &[u8]) -> Cow<'_, [u8]> {
    let mut ends = memchr::memchr3_iter(b'\r', b'\n', 0, text);
    let mut clean = true;
    while let Some(at) = ends.next() {
        if text[at] == b'\r' && text.get(at + 1) == Some(&b'\n') {
            ends.next();
        } else {
            clean = false;
            break;
        }
    }
    if clean {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut from = 0;
    for at in memchr::memchr3_iter(b'\r', b'\n', 0, text) {
        if at < from {
            continue;
        }
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match text[at] {
            b'\r' => {
                out.extend_from_slice(b"\r\n");
                from += usize::from(text.get(from) == Some(&b'\n'));
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            _ => {}
        }
    }
    out.extend_from_slice(&text[from..]);
    Cow::Owned(out)
}

/// The encoding that is shortest and safe for text whose lines are clean.
pub(crate) fn fitting(text: &[u8]) -> Transfer {
    if text.is_ascii() {
        let mut start = 0;
        let mut plain = true;
        for end in memchr::memchr_iter(b'\n', text).chain([text.len()]) {
            // A line that might be taken for one of our boundaries is hidden.
            if end - start > LONGEST_LINE || text[start..end].starts_with(b"--=_") {
                plain = false;
                break;
            }
            start = (end + 1).min(text.len());
        }
        if plain {
            return Transfer::SevenBit;
        }
    }
    let coded = text.iter().filter(|b| !b.is_ascii() || **b == b'=').count();
    if coded * 5 > text.len() { Transfer::Base64 } else { Transfer::QuotedPrintable }
}

/// Writes text whose lines are clean.
pub(crate) fn write(text: &[u8], transfer: Transfer, out: &mut dyn Write) -> io::Result<()> {
    match transfer {
        Transfer::SevenBit => out.write_all(text),
        Transfer::QuotedPrintable => quoted_printable(text, out),
        Transfer::Base64 => base64(&mut &*text, out).map_err(Copy::into_io).map(drop),
    }
}

/// What stands for itself in quoted-printable; blanks do but at the end of a line.
static LITERAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7F {
        table[byte] = byte != 0x3D;
        byte += 1;
    }
    table[0x09] = true;
    table
};

/// Writes quoted-printable (RFC 2045 section 6.7) of text whose lines are clean.
fn quoted_printable(text: &[u8], out: &mut dyn Write) -> io::Result<()> {
    /// A line has 76 characters at most, of which the last may be the sign that it goes on.
    const ROOM: usize = 75;
    let mut buffer = Vec::with_capacity(text.len().min(1 << 16) * 5 / 4 + 256);
    let mut column = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte == b'\r' {
            buffer.extend_from_slice(b"\r\n");
            column = 0;
            at += 2;
            if buffer.len() >= 1 << 16 {
                out.write_all(&buffer)?;
                buffer.clear();
            }
            continue;
        }
        let window = &text[at..text.len().min(at + ROOM - column)];
        let mut run = window.iter().position(|b| !LITERAL[usize::from(*b)]).unwrap_or(window.len());
        // Blanks at the end of a line do not survive every server, nor does a lone dot.
        let ends = matches!(text.get(at + run), None | Some(b'\r'));
        if ends && run > 0 && matches!(text[at + run - 1], b' ' | b'\t') {
            run -= 1;
        }
        if column == 0 && byte == b'.' {
            run = 0;
        }
        if run > 0 {
            buffer.extend_from_slice(&text[at..at + run]);
            column += run;
            at += run;
        } else {
            if column + 3 > ROOM {
                buffer.extend_from_slice(b"=\r\n");
                column = 0;
            }
            escaped(byte, &mut buffer);
            column += 3;
            at += 1;
        }
        if column >= ROOM && !matches!(text.get(at), None | Some(b'\r')) {
            buffer.extend_from_slice(b"=\r\n");
            column = 0;
        }
    }
    out.write_all(&buffer)
}

fn escaped(byte: u8, buffer: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    buffer.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// Which side of a copy failed.
pub(crate) enum Copy {
    /// What is read.
    Source(io::Error),
    /// Where it goes.
    Sink(io::Error),
}

impl Copy {
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Source(error) | Self::Sink(error) => error,
        }
    }
}

/// Bytes of 19 lines: what is read at a time, short enough for a small buffer on the stack.
const CHUNK: usize = 57 * 144;

/// Writes base64 in lines of 76 characters, and tells how many bytes came. What was read before a failure is written.
pub(crate) fn base64(source: &mut dyn Read, out: &mut dyn Write) -> Result<u64, Copy> {
    let mut chunk = [0; CHUNK];
    let mut coded = [0; CHUNK / 57 * 78];
    let mut total = 0;
    loop {
        let mut filled = 0;
        let mut failure = None;
        while filled < CHUNK {
            match source.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        total += filled as u64;
        let mut end = 0;
        for line in chunk[..filled].chunks(57) {
            end += STANDARD.encode_slice(line, &mut coded[end..]).map_err(|e| Copy::Sink(io::Error::other(e)))?;
            coded[end..end + 2].copy_from_slice(b"\r\n");
            end += 2;
        }
        out.write_all(&coded[..end]).map_err(Copy::Sink)?;
        if let Some(error) = failure {
            return Err(Copy::Source(error));
        }
        if filled < CHUNK {
            return Ok(total);
        }
    }
}

/// Hands on bytes as they are.
pub(crate) fn verbatim(source: &mut dyn Read, out: &mut dyn Write) -> Result<u64, Copy> {
    let mut chunk = [0; 8192];
    let mut total = 0;
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(total),
            Ok(n) => {
                out.write_all(&chunk[..n]).map_err(Copy::Sink)?;
                total += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Copy::Source(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_ended_by_crlf_and_nul_is_left_out() {
        for (text, clean) in [("a\r\nb\r\n", "a\r\nb\r\n"), ("a\nb", "a\r\nb"), ("a\rb\n\rc\0d\r", "a\r\nb\r\n\r\nc")] {
            let got = lines(text.as_bytes());
            assert!(got.starts_with(clean.as_bytes()), "{text:?}: {:?}", String::from_utf8_lossy(&got));
            assert!(!got.contains(&0));
        }
        assert!(matches!(lines(b"a\r\nb"), Cow::Borrowed(_)));
        assert_eq!(&*lines(b"x\0y\r"), b"xy\r\n");
    }

    #[test]
    fn whatever_the_encoding_a_parser_gives_the_text_back() {
        let long = "word ".repeat(400) + "\r\n.\r\n";
        for text in
            ["plain\r\n", "Olá = João\r\n trailing \r\n.\r\n", "日本語テキスト\r\n", &long, "--=_x\r\n", "=\r\n"]
        {
            let transfer = fitting(text.as_bytes());
            let mut mail = format!(
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n",
                transfer.name()
            )
            .into_bytes();
            write(text.as_bytes(), transfer, &mut mail).unwrap();
            let longest = if transfer == Transfer::SevenBit { 999 } else { 77 };
            let body = mail.split(|b| *b == b'\n').skip(2);
            assert!(body.into_iter().all(|line| line.len() <= longest && line.is_ascii()), "{text}");
            assert!(!mail.windows(2).any(|w| w == b" \r"), "{text}");
            let parsed = mail_parser::MessageParser::default().parse(&mail).unwrap();
            assert_eq!(parsed.body_text(0).unwrap().trim_end_matches("\r\n"), text.trim_end_matches("\r\n"));
        }
    }

    #[test]
    fn base64_keeps_every_byte_and_tells_which_side_failed() {
        struct Breaks(usize);
        impl Read for Breaks {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(io::Error::other("gone"));
                }
                let n = self.0.min(into.len()).min(1_000);
                into[..n].fill(7);
                self.0 -= n;
                Ok(n)
            }
        }
        for size in [0, 1, 56, 57, 58, CHUNK - 1, CHUNK, CHUNK + 1, 100_000] {
            let data: Vec<u8> = (0..size).map(|n| (n * 31 % 251) as u8).collect();
            let mut out = Vec::new();
            assert_eq!(base64(&mut &data[..], &mut out).ok(), Some(size as u64));
            let text: Vec<u8> = out.iter().copied().filter(|b| !b"\r\n".contains(b)).collect();
            assert_eq!(STANDARD.decode(text).unwrap(), data);
            assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
        }
        let mut out = Vec::new();
        assert!(matches!(base64(&mut Breaks(10_000), &mut out), Err(Copy::Source(_))));
        assert_eq!(out.iter().filter(|b| !b"\r\n".contains(b)).count(), 10_000usize.div_ceil(3) * 4);
    }
}
