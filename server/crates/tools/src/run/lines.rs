//! Lines out of bytes: whatever a program prints, nobody downstream sees control characters or endless lines.

/// How long a line may be, in bytes; the rest of it is left out.
const LONGEST: usize = 16 * 1024;

/// Which stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line that a program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where.
    pub stream: Stream,
    /// Its text: what is no UTF-8 and no printable character is replaced, tabs are kept.
    pub text: String,
}

/// Both streams on their way into lines. A carriage return ends a line as well: progress is drawn with it.
#[derive(Debug, Default)]
pub(super) struct Lines {
    out: Partial,
    err: Partial,
}

#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Lines {
    pub fn take(&mut self, stream: Stream, bytes: &[u8], on_line: &mut (dyn FnMut(Line) + Send)) {
        let partial = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        for piece in bytes.split_inclusive(|b| matches!(b, b'\n' | b'\r')) {
            let ended = matches!(piece.last(), Some(b'\n' | b'\r'));
            let piece = if ended { &piece[..piece.len() - 1] } else { piece };
            let room = LONGEST.saturating_sub(partial.bytes.len());
            partial.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            partial.too_long |= piece.len() > room;
            if ended {
                partial.give(stream, on_line);
            }
        }
    }

    pub fn finish(&mut self, on_line: &mut (dyn FnMut(Line) + Send)) {
        self.out.give(Stream::Out, on_line);
        self.err.give(Stream::Err, on_line);
    }
}

impl Partial {
    fn give(&mut self, stream: Stream, on_line: &mut (dyn FnMut(Line) + Send)) {
        let mut text: String = String::from_utf8_lossy(&self.bytes)
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        if self.too_long {
            text.push('…');
        }
        self.bytes.clear();
        self.too_long = false;
        if !text.is_empty() {
            on_line(Line { stream, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        let mut keep = |line: Line| all.push(line.text);
        for piece in pieces {
            lines.take(Stream::Out, piece, &mut keep);
        }
        lines.finish(&mut keep);
        all
    }

    #[test]
    fn lines_come_whole_however_the_bytes_are_cut() {
        assert_eq!(lines(&[b"on", b"e\ntw", b"o\r\nthree"]), ["one", "two", "three"]);
        assert_eq!(lines(&[b" 10%\r 20%\r", b" 30%\n\n"]), [" 10%", " 20%", " 30%"]);
    }

    #[test]
    fn what_is_no_text_is_replaced_and_endless_lines_are_cut() {
        assert_eq!(lines(&[b"a\x1b[2Jb\0\xff\tc\n"]), ["a\u{fffd}[2Jb\u{fffd}\u{fffd}\tc"]);
        let endless = lines(&[&[b'x'; LONGEST], &[b'y'; 5_000_000], b"\nnext"]);
        assert_eq!(endless[0].len(), LONGEST + '…'.len_utf8());
        assert_eq!(endless[1], "next");
    }
}
