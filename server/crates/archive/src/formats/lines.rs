//! Line ends and mbox quoting, taken away while bytes pass. A line may be of any length.

use std::io::{self, Write};

/// Writes a message as IMAP wants it: in a file whose lines end with LF, each LF becomes CRLF. `>From ` lines of an
/// mbox lose one `>` where that is asked for (mboxrd; for mboxo and mboxcl nothing else can be known).
pub(crate) struct Lines<'a> {
    out: &'a mut dyn Write,
    /// Whether a bare LF is a line's end.
    bare_lf: bool,
    /// Whether `>From ` lines lose a `>`.
    unquote: bool,
    /// Whether the header is over: quoting is in the body alone.
    body: bool,
    after_cr: bool,
    place: Place,
}

/// Where in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its start; the header's lines are empty when the next is a line's end.
    Start,
    /// After one `>` or more, the first of them not yet written, and so many letters of `From `, none of them written.
    Quote(usize),
    /// Anywhere else.
    Within,
}

const FROM: &[u8] = b"From ";

impl<'a> Lines<'a> {
    /// Writes to `out`.
    pub(crate) fn new(out: &'a mut dyn Write, bare_lf: bool, unquote: bool) -> Self {
        Self { out, bare_lf, unquote, body: false, after_cr: false, place: Place::Start }
    }

    /// Ends the message: what was held back is written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.give_back()
    }

    /// Writes what looked like quoting and was none.
    fn give_back(&mut self) -> io::Result<()> {
        if let Place::Quote(letters) = self.place {
            self.out.write_all(b">")?;
            self.out.write_all(&FROM[..letters])?;
            self.place = Place::Within;
        }
        Ok(())
    }

    /// Bytes up to the next line end or place where quoting may begin, in one piece.
    fn plain<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[..memchr::memchr(b'\n', bytes).unwrap_or(bytes.len())]
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(first) = rest.first().copied() {
            match self.place {
                _ if first == b'\n' => {
                    let empty = self.place == Place::Start;
                    self.give_back()?;
                    self.out.write_all(if self.bare_lf && !self.after_cr { b"\r\n" } else { b"\n" })?;
                    self.body |= empty;
                    self.after_cr = false;
                    self.place = Place::Start;
                    rest = &rest[1..];
                }
                // A CR at the start of a line is the first half of an empty line.
                Place::Start if first == b'\r' => {
                    self.out.write_all(b"\r")?;
                    self.after_cr = true;
                    if rest.get(1).is_some_and(|next| *next != b'\n') {
                        self.place = Place::Within;
                    }
                    rest = &rest[1..];
                }
                Place::Start if first == b'>' && self.unquote && self.body && !self.after_cr => {
                    self.place = Place::Quote(0);
                    rest = &rest[1..];
                }
                // All `>` are alike: the one that may go is the one that is held back.
                Place::Quote(0) if first == b'>' => {
                    self.out.write_all(b">")?;
                    rest = &rest[1..];
                }
                Place::Quote(letters) if first == FROM[letters] => {
                    rest = &rest[1..];
                    self.place = Place::Quote(letters + 1);
                    if letters + 1 == FROM.len() {
                        self.out.write_all(FROM)?;
                        self.place = Place::Within;
                    }
                }
                Place::Quote(_) => self.give_back()?,
                Place::Start | Place::Within => {
                    let plain = self.plain(rest);
                    self.out.write_all(plain)?;
                    self.after_cr = plain.last() == Some(&b'\r');
                    self.place = Place::Within;
                    rest = &rest[plain.len()..];
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(bytes: &[u8], bare_lf: bool, unquote: bool, piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out, bare_lf, unquote);
        for piece in bytes.chunks(piece) {
            lines.write_all(piece).unwrap();
        }
        lines.finish().unwrap();
        out
    }

    #[test]
    fn lines_and_quotes_come_out_the_same_in_pieces_of_any_length() {
        let cases: [(&[u8], bool, bool, &[u8]); 9] = [
            (b"A: b\n\n>From x\n>>From y\n>Fromage\n>", true, true, b"A: b\r\n\r\nFrom x\r\n>From y\r\n>Fromage\r\n>"),
            (b"A: b\n\n>From x\n", true, false, b"A: b\r\n\r\n>From x\r\n"),
            (b">From up\nA: b\n\nc", true, true, b">From up\r\nA: b\r\n\r\nc"),
            (b"A: b\r\n\r\n>From x\r\nbare\nlf", false, true, b"A: b\r\n\r\nFrom x\r\nbare\nlf"),
            (b"A: b\r\n\r\nx\r\r\ny\rz\r", true, true, b"A: b\r\n\r\nx\r\r\ny\rz\r"),
            (b"\n>>>>From ", true, true, b"\r\n>>>From "),
            (b"\n>>>>From", true, true, b"\r\n>>>>From"),
            (b"\n\r>From ", true, true, b"\r\n\r>From "),
            (b"", true, true, b""),
        ];
        for (bytes, bare_lf, unquote, wanted) in cases {
            for piece in 1..=bytes.len().max(1) {
                let got = through(bytes, bare_lf, unquote, piece);
                let said = String::from_utf8_lossy(bytes);
                assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(wanted), "{said:?} by {piece}");
            }
        }
    }
}
